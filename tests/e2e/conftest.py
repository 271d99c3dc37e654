"""The installed `llmr`, run as a person's shell would run it, against lab providers on loopback."""

import json
import os
import socket
import subprocess
import sysconfig
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from llmr.lab import LabProvider, LabThread

LLMR = Path(sysconfig.get_path("scripts")) / "llmr"


@dataclass
class Ended:
    """A process that is over. `out` and `err` as text, `raw` stdout's bytes."""

    code: int
    raw: bytes
    err: str

    @property
    def out(self) -> str:
        return self.raw.decode()

    @property
    def json(self) -> Any:
        """stdout as one JSON document."""
        return json.loads(self.raw)

    @property
    def err_lines(self) -> list[str]:
        return self.err.splitlines()


@dataclass
class Box:
    """A home of its own for llmr, and a lab to ask."""

    home: Path
    lab: LabThread
    settings: str = ""
    variables: dict[str, str] = field(default_factory=dict)

    @property
    def config_file(self) -> Path:
        return self.home / "routing.toml"

    @property
    def state_file(self) -> Path:
        return self.home / ".local/state/llmr/state.db"

    @property
    def environment(self) -> dict[str, str]:
        return {
            "HOME": str(self.home),
            "PATH": os.environ["PATH"],
            "LANG": "C.UTF-8",
            "LLMR_CONFIG": str(self.config_file),
            "LLMR_SAVE": "0",  # a test about conversations says otherwise
            **self.variables,
        }

    def configure(self, *names: str, extra: str = "", provider_extra: str = "", strategy: str = "priority") -> None:
        """A routing.toml with the lab's providers in this order, all candidates for the name `m`."""
        lines = [f'strategy = "{strategy}"', "exploration = 0", 'default_model = "m"', extra, "[models.m]"]
        candidates = ", ".join(f'"{name}/lab-model"' for name in names)
        lines.append(f"candidates = [{candidates}]")
        for name in names:
            lines += [f"[providers.{name}]", 'wire = "openai"', f'base_url = "{self.lab.url(name)}"', provider_extra]
        self.config_file.write_text("\n".join(lines))

    def start(self, *arguments: str, stdin: int | None = subprocess.DEVNULL, **more: Any) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(
            [LLMR, *arguments],
            env=self.environment,
            cwd=more.pop("work_in", self.home),
            stdin=stdin,
            stdout=more.pop("stdout", subprocess.PIPE),
            stderr=more.pop("stderr", subprocess.PIPE),
            **more,
        )

    def end(self, process: "subprocess.Popen[bytes]", stdin: bytes | None = None) -> Ended:
        out, err = process.communicate(stdin, timeout=100)
        return Ended(process.returncode, out or b"", (err or b"").decode())

    def run(self, *arguments: str, stdin: bytes | None = None) -> Ended:
        process = self.start(*arguments, stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE)
        return self.end(process, stdin)

    def status(self, name: str) -> Mapping[str, Any]:
        """What `providers status --json` says of the lab model at one provider."""
        document = self.run("providers", "status", "--json").json
        provider = next(p for p in document["providers"] if p["name"] == name)
        return next(m for m in provider["models"] if m["model"] == "lab-model")


Boxes = Callable[[Sequence[LabProvider]], Box]


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Boxes]:
    """Make a box around lab providers; the lab is served until the test ends."""
    labs: list[LabThread] = []

    def make(providers: Sequence[LabProvider]) -> Box:
        lab = LabThread(providers)
        lab.__enter__()
        labs.append(lab)
        made = Box(tmp_path, lab)
        made.configure(*(provider.name for provider in providers))
        return made

    yield make
    for lab in labs:
        lab.__exit__(None, None, None)


class Decoy:
    """A port that counts who connects, and answers nobody."""

    def __init__(self) -> None:
        self.connections = 0
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = self._server.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._server.accept()
            except OSError:
                return
            self.connections += 1
            connection.close()

    def close(self) -> None:
        self._server.close()


@pytest.fixture
def decoy() -> Iterator[Decoy]:
    """Somebody who must not be called: a test asserts how often it was."""
    made = Decoy()
    yield made
    made.close()
