"""The command line inside this very process: a home of its own, file descriptors captured, a lab to ask."""

import io
import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from llmr.cli import run as run_llmr
from llmr.lab import Behavior, LabProvider, LabThread


@dataclass
class Said:
    """One run: its exit code and what it wrote."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def err_lines(self) -> list[str]:
        return self.err.splitlines()


@dataclass
class Shell:
    """Runs `llmr` as it is started, with standard input that is empty and no terminal."""

    home: Path
    monkeypatch: pytest.MonkeyPatch
    capfd: pytest.CaptureFixture[str]
    labs: list[LabThread] = field(default_factory=list)

    def __call__(self, *arguments: str, stdin: bytes = b"") -> Said:
        self.monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        self.capfd.readouterr()
        code = run_llmr(list(arguments))
        out, err = self.capfd.readouterr()
        return Said(code, out, err)

    def configure(self, text: str) -> None:
        file = self.home / ".config/llmr/routing.toml"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        file.chmod(0o600)

    def serve(self, *extra: str, **scripts: Sequence[Behavior]) -> LabThread:
        """A lab; its providers, in this order, are the candidates of the default model `m`."""
        lab = LabThread([LabProvider(name, list(script)) for name, script in scripts.items()])
        lab.__enter__()
        self.labs.append(lab)
        candidates = ", ".join(f'"{name}/lab-model"' for name in scripts)
        tables = [f'[providers.{name}]\nwire = "openai"\nbase_url = "{lab.url(name)}"' for name in scripts]
        head = 'strategy = "priority"\nexploration = 0\ndefault_model = "m"'
        self.configure("\n".join([head, *extra, f"[models.m]\ncandidates = [{candidates}]", *tables]))
        return lab


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Iterator[Shell]:
    for name in list(os.environ):  # to take them away
        if name not in {"PATH", "LANG"} and not name.startswith(("COV", "PYTEST")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("LLMR_SAVE", "0")  # a test about conversations says otherwise
    monkeypatch.chdir(tmp_path)
    made = Shell(tmp_path, monkeypatch, capfd)
    yield made
    for lab in made.labs:
        lab.__exit__(None, None, None)


@pytest.fixture
def stdin(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Put bytes on standard input; `terminal`: somebody types them."""

    class Input(io.TextIOWrapper):
        terminal = False

        def isatty(self) -> bool:
            return self.terminal

    def put(content: bytes | None, *, terminal: bool = False) -> None:
        if content is None:
            monkeypatch.setattr("sys.stdin", None)
            return
        stream = Input(io.BytesIO(content))
        stream.terminal = terminal
        monkeypatch.setattr("sys.stdin", stream)

    return put
