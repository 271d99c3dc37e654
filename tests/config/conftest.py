"""A machine of one's own: a home, a project under a git root, and an environment that says nothing else."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from llmr.config.build import Config
from llmr.config.environment import Environment
from llmr.config.load import load
from llmr.errors import ConfigError, TrustError


@dataclass
class World:
    """Files and variables, and what llmr makes of them."""

    root: Path
    variables: dict[str, str] = field(default_factory=dict)

    @property
    def home(self) -> Path:
        return self.root / "home"

    @property
    def project(self) -> Path:
        return self.root / "repo"

    @property
    def user_file(self) -> Path:
        return self.home / ".config/llmr/routing.toml"

    @property
    def project_file(self) -> Path:
        return self.project / "routing.toml"

    @property
    def snapshots(self) -> list[Path]:
        return sorted((self.home / ".cache/llmr/config").glob("*.json"))

    def user(self, text: str) -> "World":
        self.user_file.parent.mkdir(parents=True, exist_ok=True)
        self.user_file.write_text(text)
        self.user_file.chmod(0o600)
        return self

    def repo(self, text: str | bytes) -> "World":
        self.project_file.write_bytes(text if isinstance(text, bytes) else text.encode())
        self.project_file.chmod(0o644)
        return self

    def environment(self, cwd: Path | None = None, **variables: str) -> Environment:
        said = {"HOME": str(self.home), **self.variables, **variables}
        return Environment.of(said, cwd=cwd or self.project)

    def load(
        self, *, cwd: Path | None = None, config_file: Path | None = None, strict: bool = False, **variables: str
    ) -> Config:
        return load(self.environment(cwd, **variables), config_file=config_file, strict=strict)

    def error(self, text: str, **variables: str) -> str:
        """The message for a user's file with this text."""
        with pytest.raises(ConfigError) as caught:
            self.user(text).load(**variables)
        return one_line(caught.value)

    def distrust(self, text: str, **variables: str) -> str:
        with pytest.raises(TrustError) as caught:
            self.user(text).load(**variables)
        return one_line(caught.value)


def one_line(error: Exception) -> str:
    message = str(error)
    assert message.isprintable(), message
    return message


@pytest.fixture
def world(tmp_path: Path) -> World:
    made = World(tmp_path)
    made.home.mkdir()
    (made.project / ".git").mkdir(parents=True)
    return made


@pytest.fixture(scope="session")
def toml() -> Callable[[Mapping[str, Any]], str]:
    return toml_text


def toml_text(table: Mapping[str, Any]) -> str:
    """A TOML document: top-level keys, values inline."""
    return "".join(f"{_text(key)} = {toml_value(value)}\n" for key, value in table.items())


def toml_value(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{_text(key)} = {toml_value(inner)}" for key, inner in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml_value, value)) + "]"
    return _text(value) if isinstance(value, str) else str(value).lower()


def _text(text: str) -> str:
    escaped = "".join(
        char if char.isascii() and char.isprintable() and char not in '"\\' else f"\\U{ord(char):08x}" for char in text
    )
    return f'"{escaped}"'
