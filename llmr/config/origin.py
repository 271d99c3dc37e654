"""Where each setting came from: `routing.toml:12`, for error messages and for `llmr config show --origin`.

A `Layer` is one source as it was read, `Origins` says which of them spoke at a key path after merging, and a `Fault` is what is
wrong there. The lines themselves are found by toml_lines.py.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field
from pathlib import Path
from typing import Any, TypeVar, cast

from llmr.config.search import Scope
from llmr.config.toml_lines import KeyPath, key_lines
from llmr.config.wording import plain, show, suggestion
from llmr.dataclass import dataclass

TomlTable = dict[str, Any]
"""A TOML table as tomllib gives it; untyped until schema.py has looked at it."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Layer:
    """One source of settings. `trusted` matters to a project's file alone; `variables` names the variable of each path."""

    scope: Scope
    label: str
    table: TomlTable
    path: Path | None = None
    text: str = ""
    trusted: bool = True
    variables: Mapping[KeyPath, str] = field(default_factory=dict[KeyPath, str])

    def holds(self, path: KeyPath) -> bool:
        """Whether this layer itself says something at `path`."""
        return exists(self.table, path)

    def place(self, path: KeyPath) -> "Place":
        """The nearest place this layer knows for `path`."""
        if self.scope is Scope.ENVIRONMENT:
            return Place(_nearest(path, self.variables) or self.label, None)
        return Place(self.label, _nearest(path, key_lines(self.text)))


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A file and a line, counted from 1, or a variable and None."""

    label: str
    line: int | None

    def __str__(self) -> str:
        return plain(self.label) if self.line is None else f"{plain(self.label)}:{self.line}"


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong with the settings: where, and what, as the end of a sentence that begins with the key path.

    `known` are words, of which one near to `word` is suggested: only when the fault is shown, for a hostile file can have
    tens of thousands. `distrust`: it is not wrong in itself, but not trusted; it becomes a TrustError.
    """

    path: KeyPath
    message: str
    distrust: bool = False
    word: str = ""
    known: tuple[str, ...] = ()

    @classmethod
    def unknown(cls, path: KeyPath, what: str, word: str, known: Iterable[str]) -> "Fault":
        """Something that nobody has heard of."""
        return cls(path, f"unknown {what} {show(word)}", word=word, known=tuple(known))

    def worded(self) -> str:
        """The message with its suggestion."""
        return self.message + (suggestion(self.word, self.known) if self.word else "")


@dataclass(frozen=True, slots=True)
class Origins:
    """Which layer said what, after merging. `rules` gives, for each merged rule, its layer and its index there."""

    layers: Sequence[Layer]
    rules: Sequence[tuple[int, int]] = ()

    def place(self, path: KeyPath) -> Place | None:
        """Where the value at `path` was said; the strongest layer that says it, or says what it should be in."""
        speaker = self._rule(path)
        if speaker is not None:
            return self.layers[speaker[0]].place(self.as_said(path))
        for length in range(len(path), 0, -1):
            for layer in reversed(self.layers):
                if layer.holds(path[:length]):
                    return layer.place(path[:length])
        return None

    def speaker(self, path: KeyPath) -> Layer | None:
        """The layer that said the value at `path`; None where nobody did."""
        said = self._rule(path)
        return self.layers[said[0]] if said is not None else self.layer(path)

    def as_said(self, path: KeyPath) -> KeyPath:
        """`path` as the layer that said it counts: a rule's index is its place there, not among all rules."""
        speaker = self._rule(path)
        return path if speaker is None else ("rules", speaker[1], *path[2:])

    def _rule(self, path: KeyPath) -> tuple[int, int] | None:
        """The layer and the index there of the rule that `path` leads into."""
        match path:
            case ("rules", int(merged), *_) if merged < len(self.rules):
                return self.rules[merged]
            case _:
                return None

    def layer(self, path: KeyPath) -> Layer | None:
        """The strongest layer that says something at `path` (not inside `rules`), None where nobody does."""
        return next((layer for layer in reversed(self.layers) if layer.holds(path)), None)


def exists(value: Any, path: KeyPath) -> bool:
    """Whether there is something at `path` inside a TOML value."""
    for step in path:
        inside_table = isinstance(value, dict) and step in value
        inside_list = isinstance(value, list) and isinstance(step, int) and step < len(value)  # pyright: ignore[reportUnknownArgumentType] - TOML
        if not inside_table and not inside_list:
            return False
        value = cast("Any", value)[step]
    return True


def _nearest(path: KeyPath, places: Mapping[KeyPath, T]) -> T | None:
    for length in range(len(path), 0, -1):
        if path[:length] in places:
            return places[path[:length]]
    return None
