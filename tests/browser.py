"""Headless Chromium by the WebDriver protocol (W3C), without a client library: as much of it as the page's tests need."""

import base64
import shutil
import socket
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import httpx
from served import eventually

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")
MISSING = "" if CHROMIUM and DRIVER else "needs chromium and chromedriver (apt-get install chromium chromium-driver)"
_ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # the protocol's own name for a reference


@dataclass
class Browser:
    """One window. `profile` is its own directory; `dark` is what the page is told of the reader's wish."""

    profile: Path
    width: int = 1100
    height: int = 1100
    dark: bool = False
    session: str = field(default="", init=False)

    def __enter__(self) -> Self:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self._driver = subprocess.Popen(
            [str(DRIVER), f"--port={port}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        self._http = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60, trust_env=False)
        try:
            eventually(self._is_up)
            arguments = [
                "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars",
                f"--user-data-dir={self.profile}", f"--window-size={self.width},{self.height}", "--no-first-run",
            ]  # fmt: skip
            options = {"binary": CHROMIUM, "args": arguments}
            wanted = {"goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}
            self.session = self._post("/session", capabilities={"alwaysMatch": wanted})["sessionId"]
            features = [{"name": "prefers-color-scheme", "value": "dark" if self.dark else "light"}]
            self.devtools("Emulation.setEmulatedMedia", features=features)
            self.devtools(
                "Emulation.setDeviceMetricsOverride",
                width=self.width, height=self.height, deviceScaleFactor=1, mobile=False,
            )  # fmt: skip
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if self.session:
            self._http.delete(f"/session/{self.session}")
        self._http.close()
        self._driver.terminate()
        self._driver.wait(20)

    def _is_up(self) -> bool:
        try:
            return bool(self._http.get("/status").json()["value"]["ready"])
        except httpx.TransportError:
            return False

    def _post(self, path: str, **body: Any) -> Any:
        value = self._http.post(path, json=body).json()["value"]
        assert not (isinstance(value, dict) and "error" in value), value
        return value

    def devtools(self, method: str, **parameters: Any) -> Any:
        return self._post(f"/session/{self.session}/goog/cdp/execute", cmd=method, params=parameters)

    def open(self, url: str) -> None:
        self._post(f"/session/{self.session}/url", url=url)

    def run(self, script: str) -> Any:
        """What a function with this body returns."""
        return self._post(f"/session/{self.session}/execute/sync", script=script, args=[])

    def until(self, script: str) -> Any:
        return eventually(lambda: self.run(script))

    def type(self, selector: str, text: str) -> None:
        found = self._post(f"/session/{self.session}/element", using="css selector", value=selector)[_ELEMENT]
        self._post(f"/session/{self.session}/element/{found}/value", text=text)

    def click(self, selector: str) -> None:
        found = self._post(f"/session/{self.session}/element", using="css selector", value=selector)[_ELEMENT]
        self._post(f"/session/{self.session}/element/{found}/click")

    def complaints(self) -> list[str]:
        """What the console says: blocked by the policy, errors in the script."""
        return [entry["message"] for entry in self._post(f"/session/{self.session}/se/log", type="browser")]

    def screenshot(self, file: Path, *, whole: bool = True) -> Path:
        taken = self.devtools("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        file.write_bytes(base64.b64decode(taken["data"]))
        return file


Open = Callable[..., Browser]
