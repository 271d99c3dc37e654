"""Headless Chromium over a pipe, by its own protocol (chromedevtools.github.io/devtools-protocol): no driver, no library, no
port. As much of it as the page's tests need.

Messages are JSON, each ended by a NUL; the browser reads them from its file descriptor 3 and writes to 4.
"""

import base64
import json
import os
import select
import shutil
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from served import PATIENCE_S

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable"))), None
)
MISSING = "" if CHROMIUM else "needs chromium (apt-get install chromium)"
_COMPLAINTS = ("Log.entryAdded", "Runtime.exceptionThrown")


@dataclass
class Browser:
    """One window. `profile` is its own directory; `dark` is what the page is told of the reader's wish."""

    profile: Path
    width: int = 1100
    height: int = 1100
    dark: bool = False
    session: str = field(default="", init=False)

    def __enter__(self) -> Self:
        read, self._out = os.pipe()
        self._in, write = os.pipe()
        arguments = [
            "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars",
            "--remote-debugging-pipe", f"--user-data-dir={self.profile}", "--no-first-run", "--disable-extensions",
        ]  # fmt: skip
        self._process = subprocess.Popen(
            ["bash", "-c", f'exec "$@" 3<&{read} 4>&{write}', "bash", str(CHROMIUM), *arguments],
            pass_fds=(read, write), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        os.close(read)
        os.close(write)
        self._number, self._buffer, self._events = 0, b"", []
        try:
            target = self.devtools("Target.createTarget", url="about:blank")["targetId"]
            self.session = self.devtools("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
            for domain in ("Page", "Runtime", "Log"):
                self.devtools(f"{domain}.enable")
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
        self._process.terminate()
        self._process.wait(PATIENCE_S)
        os.close(self._in)
        os.close(self._out)

    def devtools(self, method: str, **parameters: Any) -> Any:
        """The result of a method; events that come meanwhile are kept."""
        self._number += 1
        asked = {"id": self._number, "method": method, "params": parameters}
        message = json.dumps({**asked, **({"sessionId": self.session} if self.session else {})})
        os.write(self._out, message.encode() + b"\0")
        while (told := self._next()).get("id") != self._number:
            self._events.append(told)
        assert "error" not in told, told
        return told["result"]

    def _next(self) -> dict[str, Any]:
        until_s = time.monotonic() + 3 * PATIENCE_S
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._in], [], [], max(0.0, until_s - time.monotonic()))
            assert ready, "the browser does not answer"
            read = os.read(self._in, 1 << 20)
            assert read, "the browser ended"
            self._buffer += read
        message, _, self._buffer = self._buffer.partition(b"\0")
        return json.loads(message)

    def open(self, url: str) -> None:
        self._events = [event for event in self._events if event["method"] != "Page.loadEventFired"]
        self.devtools("Page.navigate", url=url)
        while not any(event["method"] == "Page.loadEventFired" for event in self._events):
            self._events.append(self._next())

    def run(self, script: str) -> Any:
        """What a function with this body returns."""
        told = self.devtools("Runtime.evaluate", expression=f"(() => {{{script}}})()", returnByValue=True)
        assert "exceptionDetails" not in told, told
        return told["result"].get("value")

    def until(self, script: str) -> Any:
        """The value of the script once it has one; the page looks every three seconds."""
        until_s = time.monotonic() + PATIENCE_S
        while not (value := self.run(script)):
            assert time.monotonic() < until_s, f"it never happened: {script}"
            time.sleep(0.02)
        return value

    def type(self, selector: str, text: str) -> None:
        self.run(f"document.querySelector({json.dumps(selector)}).focus()")
        self.devtools("Input.insertText", text=text)

    def click(self, selector: str) -> None:
        """Press and release the mouse in the middle of it."""
        where = self.run(
            f"const it = document.querySelector({json.dumps(selector)}); it.scrollIntoView({{block: 'center'}});"
            "const box = it.getBoundingClientRect(); return {x: box.x + box.width / 2, y: box.y + box.height / 2}"
        )
        for kind in ("mousePressed", "mouseReleased"):
            self.devtools("Input.dispatchMouseEvent", type=kind, button="left", clickCount=1, **where)

    def complaints(self) -> list[str]:
        """What the console says: blocked by the policy, errors in the script."""
        self.run("return 0")
        return [json.dumps(event["params"]) for event in self._events if event["method"] in _COMPLAINTS]

    def screenshot(self, file: Path, *, whole: bool = True) -> Path:
        taken = self.devtools("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        file.write_bytes(base64.b64decode(taken["data"]))
        return file
