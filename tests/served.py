"""The gateway on a loopback socket, in a thread of its own, over lab providers: what a client meets, without a subprocess."""

import asyncio
import contextlib
import os
import re
import socket
import sqlite3
import subprocess
import sysconfig
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import httpx

from llmr.app import App
from llmr.config.build import Config
from llmr.config.environment import Environment
from llmr.config.load import load
from llmr.lab import LabProvider, LabThread
from llmr.secret import Secret
from llmr.server.access_log import AccessLog
from llmr.server.gateway import Gateway
from llmr.server.generations import Generations
from llmr.server.limits import LIMITS, Limits
from llmr.server.reload import follow
from llmr.server.run import Options, Server, gateway_for, listening
from llmr.server.token import ServerToken

TOKEN = "llmr-test-token-0123456789abcdef"
PATIENCE_S = 60.0  # bounds a hang


@dataclass
class Served:
    """A running gateway. `log` are its request lines, as bytes."""

    lab: LabThread
    home: Path
    settings: str
    options: Options = field(default_factory=lambda: Options(port=0))
    limits: Limits = LIMITS
    log: list[bytes] = field(default_factory=list)

    def __enter__(self) -> Self:
        self.home.mkdir(exist_ok=True)
        (self.home / "routing.toml").write_text(self.settings)
        self._listener = listening(self.options)
        self.port: int = self._listener.getsockname()[1]
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), name="llmr-serve", daemon=True)
        self._thread.start()
        assert self._ready.wait(PATIENCE_S)
        return self

    async def _serve(self) -> None:
        token = ServerToken(Secret(TOKEN), "in a test", "TOKEN")
        async with Generations(self._load()) as self.generations:
            with AccessLog(self.generations.app.redact, self.log.append) as log:
                self.gateway: Gateway = gateway_for(
                    self.generations, token, self.port, log, options=self.options, limits=self.limits
                )
                self.server = Server(self.gateway, self.limits)
                self.loop = asyncio.get_running_loop()
                self._ready.set()
                await self.server.serve(sockets=[self._listener])

    def __exit__(self, *_: object) -> None:
        self.server.should_exit = True
        self._thread.join(PATIENCE_S)
        assert not self._thread.is_alive()

    @property
    def app(self) -> App:
        """The one that serves the next request."""
        return self.generations.app

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def client(self, **headers: str) -> httpx.Client:
        """A client with the token."""
        return httpx.Client(
            base_url=self.origin,
            headers={"authorization": f"Bearer {TOKEN}", **headers},
            timeout=PATIENCE_S,
            trust_env=False,
        )

    def post(self, path: str, body: Any, **headers: str) -> httpx.Response:
        with self.client(**headers) as client:
            return client.post(path, json=body)

    def get(self, path: str, **headers: str) -> httpx.Response:
        with self.client(**headers) as client:
            return client.get(path)

    def chat(self, said: str = "hi", *, headers: dict[str, str] | None = None, **body: Any) -> httpx.Response:
        """A chat completion."""
        asked = {"model": "m", "messages": [{"role": "user", "content": said}], **body}
        return self.post("/v1/chat/completions", asked, **(headers or {}))

    def message(self, said: str = "hi", *, headers: dict[str, str] | None = None, **body: Any) -> httpx.Response:
        """A message, in Anthropic's words."""
        asked = {"model": "m", "max_tokens": 64, "messages": [{"role": "user", "content": said}], **body}
        return self.post("/v1/messages", asked, **(headers or {}))

    def raw(self, request: bytes) -> bytes:
        """Everything that the server says to these bytes, until it closes."""
        with self.connection() as connection:
            connection.sendall(request)
            return read_all(connection)

    def connection(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE_S)

    def renew(self, settings: str) -> None:
        """Serve by these settings from the next request on. Raises ConfigError."""
        (self.home / "routing.toml").write_text(settings)
        renewing = self.generations.renew(self._load())
        asyncio.run_coroutine_threadsafe(renewing, self.loop).result(PATIENCE_S)

    def following(self, *more: Path) -> list[str]:
        """Follow the settings file, and more, from now on; what is said of it."""
        said: list[str] = []
        files = [self.home / "routing.toml", *more]

        async def begin() -> None:
            self._watching = asyncio.create_task(follow(files, self._load, self.generations, said.append))
            await asyncio.sleep(0)  # it has seen the file as it is now

        asyncio.run_coroutine_threadsafe(begin(), self.loop).result(PATIENCE_S)
        return said

    def _load(self) -> Config:
        environment = Environment.of({"HOME": str(self.home)}, cwd=self.home)
        return load(environment, config_file=self.home / "routing.toml")

    def stored(self, kind: str, count: int = 1) -> Any:
        """The store's `requests` or `attempts`, once there are `count`: they are written a moment after the answer."""
        return eventually(lambda: len(told := getattr(self.app.store, kind)()) >= count and told)

    def on_loop(self, thing: Callable[[], Any]) -> Any:
        """The result of `thing`, run in the server's own thread."""

        async def running() -> Any:
            return thing()

        return asyncio.run_coroutine_threadsafe(running(), self.loop).result(PATIENCE_S)


def read_all(connection: socket.socket) -> bytes:
    said = bytearray()
    try:
        while chunk := connection.recv(65536):
            said += chunk
    except ConnectionResetError:
        pass
    return bytes(said)


def settings_for(lab: LabThread, providers: Sequence[LabProvider], extra: str = "", provider_extra: str = "") -> str:
    """A routing.toml with the lab's providers in this order, all candidates for the name `m`."""
    candidates = ", ".join(f'"{provider.name}/lab-model"' for provider in providers)
    lines = ['strategy = "priority"', "exploration = 0", 'default_model = "m"', extra, "[models.m]"]
    lines.append(f"candidates = [{candidates}]")
    for provider in providers:
        wire = next(wire.value for wire, dialect in _dialects() if dialect is provider.dialect)
        lines += [
            f"[providers.{provider.name}]",
            f'wire = "{wire}"',
            f'base_url = "{lab.url(provider.name)}"',
            provider_extra,
        ]
    return "\n".join(lines)


def _dialects() -> Any:
    from llmr.lab.provider import DIALECTS

    return DIALECTS.items()


def events(body: bytes | str) -> list[str]:
    """The data of each server-sent event."""
    text = body.decode() if isinstance(body, bytes) else body
    return [line.removeprefix("data: ") for line in text.split("\n") if line.startswith("data: ")]


def eventually(thing: Callable[[], Any]) -> Any:
    """The value of `thing` once there is one."""
    until_s = time.monotonic() + PATIENCE_S
    while not (value := thing()):
        assert time.monotonic() < until_s, "it never happened"
        time.sleep(0.01)
    return value


LLMR = Path(sysconfig.get_path("scripts")) / "llmr"


class Process:
    """A running `llmr serve`. `told` is what it said on stderr before it served."""

    def __init__(self, home, lab, *arguments, extra="", **variables):
        self.home = home
        self.lab = lab
        (home / "routing.toml").write_text(settings_for(lab, lab._lab.providers, extra))
        self.process = subprocess.Popen(
            [LLMR, "serve", "--port", "0", "--config", str(home / "routing.toml"), *arguments],
            env={"HOME": str(home), "PATH": os.environ["PATH"], "LANG": "C.UTF-8", **variables},
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        self.told = []
        for line in self.process.stderr:
            self.told.append(line.decode())
            if "Ctrl-C" in self.told[-1]:
                break
        assert "Ctrl-C" in "".join(self.told), self.told
        self.origin = re.search(r"http://127\.0\.0\.1:\d+", "".join(self.told))[0]

    @property
    def token_file(self):
        return self.home / ".local/state/llmr/serve.token"

    def chat(self, token, **body):
        asked = {"model": "m", "messages": [{"role": "user", "content": "hi"}], **body}
        headers = {"authorization": f"Bearer {token}"}
        return httpx.post(
            f"{self.origin}/v1/chat/completions", json=asked, headers=headers, trust_env=False, timeout=PATIENCE_S
        )

    def metric(self, token, sample):
        """The value of one sample of `/metrics`, as asked on a connection of its own; None: there is none."""
        headers = {"authorization": f"Bearer {token}"}
        page = httpx.get(f"{self.origin}/metrics", headers=headers, trust_env=False, timeout=PATIENCE_S).text
        return next((float(line.split()[-1]) for line in page.splitlines() if line.rpartition(" ")[0] == sample), None)

    def requests_kept(self):
        """How many requests the store knows."""
        with contextlib.closing(sqlite3.connect(self.home / ".local/state/llmr/state.db")) as store:
            return store.execute("SELECT count(*) FROM requests").fetchone()[0]

    def end(self, *signals):
        for number in signals:
            self.process.send_signal(number)
        out, err = self.process.communicate(timeout=PATIENCE_S)
        return self.process.returncode, out, err.decode()
