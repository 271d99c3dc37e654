"""On which line of a TOML text each key stands.

tomllib keeps no positions, so `key_lines` walks the text a second time. It is only ever asked about text that tomllib has
accepted, and only when there is something to complain about or to show: it need not judge, it only has to find the place.
"""

import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Final

from llmr.config.wording import plain

KeyPath = tuple[str | int, ...]
"""`("rules", 0, "when", "model")`: names of keys, indices of list elements."""


def dotted(path: KeyPath) -> str:
    """`rules[0].when.model`, keys that are no bare words quoted: what a message calls a setting."""
    shown = ""
    for step in path:
        if isinstance(step, int):
            shown += f"[{step}]"
        else:
            bare = len(step) <= _LONGEST_BARE and _BARE.fullmatch(step)
            shown += ("." if shown else "") + (step if bare else plain(_quoted(step)))
    return shown


@lru_cache(maxsize=8)  # a file may have tens of thousands of keys to complain about
def key_lines(text: str) -> Mapping[KeyPath, int]:
    """The line, from 1, at which each key path of a valid TOML text is first said; {} for text too deep to walk."""
    walk = _Walk(text)
    try:
        walk.run()
    except (
        IndexError,
        RecursionError,
    ):  # unreachable for text that tomllib accepted, but a message is no place to fail
        return {}
    return walk.lines


_LONGEST_BARE: Final = 64
_BARE: Final = re.compile(r"[A-Za-z0-9_-]+")
_SCALAR: Final = re.compile(r"[^,\]}#\n]+")
_BLANK: Final = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_SPACE: Final = re.compile(r"[ \t]*")
_BASIC: Final = re.compile(r'"(?:[^"\\\n]|\\.)*"')
_LITERAL: Final = re.compile(r"'[^'\n]*'")
_LONG_BASIC: Final = re.compile(r'"""(?:[^\\]|\\.)*?"""(?:"{0,2})', re.DOTALL)
_LONG_LITERAL: Final = re.compile(r"'''.*?'''(?:'{0,2})", re.DOTALL)


class _Walk:
    """One pass over a TOML text, noting where keys stand."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._line_starts = [0, *(match.end() for match in re.finditer("\n", text))]
        self._table: KeyPath = ()
        self._lengths: dict[KeyPath, int] = {}  # arrays of tables: how many so far
        self.lines: dict[KeyPath, int] = {}

    def run(self) -> None:
        self._skip(_BLANK)
        while self._at < len(self._text):
            if self._text[self._at] == "[":
                self._header()
            else:
                self._assignment(self._table)
            self._skip(_BLANK)

    def _header(self) -> None:
        is_array = self._text.startswith("[[", self._at)
        line = self._line()
        self._at += 2 if is_array else 1
        names = tuple(self._keys())
        self._at += 2 if is_array else 1
        path: KeyPath = ()
        for position, name in enumerate(names):
            path = (*path, name)
            last = position == len(names) - 1
            if is_array and last:
                self._lengths[path] = self._lengths.get(path, 0) + 1
            self.lines.setdefault(path, line)
            if path in self._lengths:
                path = (*path, self._lengths[path] - 1)
                self.lines.setdefault(path, line)
        self._table = path

    def _assignment(self, table: KeyPath) -> None:
        line = self._line()
        path = table
        for name in self._keys():
            path = (*path, name)
            self.lines.setdefault(path, line)
        self._at += 1  # the equals sign
        self._skip(_SPACE)
        self._value(path)

    def _keys(self) -> Iterator[str]:
        while True:
            self._skip(_SPACE)
            yield self._key()
            self._skip(_SPACE)
            if self._text[self._at] != ".":
                return
            self._at += 1

    def _key(self) -> str:
        match self._text[self._at]:
            case '"':
                return _unescaped(self._take(_BASIC))
            case "'":
                return self._take(_LITERAL)[1:-1]
            case _:
                return self._take(_BARE)

    def _value(self, path: KeyPath) -> None:
        text, at = self._text, self._at
        if text.startswith('"""', at):
            self._take(_LONG_BASIC)
        elif text.startswith("'''", at):
            self._take(_LONG_LITERAL)
        elif text[at] == '"':
            self._take(_BASIC)
        elif text[at] == "'":
            self._take(_LITERAL)
        elif text[at] == "[":
            self._list(path)
        elif text[at] == "{":
            self._inline_table(path)
        else:
            self._take(_SCALAR)

    def _list(self, path: KeyPath) -> None:
        self._at += 1
        index = 0
        while True:
            self._skip(_BLANK)
            if self._text[self._at] == "]":
                break
            self.lines.setdefault((*path, index), self._line())
            self._value((*path, index))
            index += 1
            self._skip(_BLANK)
            if self._text[self._at] == ",":
                self._at += 1
        self._at += 1

    def _inline_table(self, path: KeyPath) -> None:
        self._at += 1
        while True:
            self._skip(_BLANK)
            if self._text[self._at] == "}":
                break
            self._assignment(path)
            self._skip(_BLANK)
            if self._text[self._at] == ",":
                self._at += 1
        self._at += 1

    def _take(self, pattern: re.Pattern[str]) -> str:
        found = pattern.match(self._text, self._at)
        if found is None or found.end() == self._at:
            raise IndexError(self._at)
        self._at = found.end()
        return found.group()

    def _skip(self, pattern: re.Pattern[str]) -> None:
        found = pattern.match(self._text, self._at)
        self._at = found.end() if found is not None else self._at

    def _line(self) -> int:
        return bisect_right(self._line_starts, self._at)


def _unescaped(quoted: str) -> str:
    from tomllib import loads

    return str(loads(f"k = {quoted}")["k"]) if "\\" in quoted else quoted[1:-1]


def _quoted(key: str) -> str:
    return '"' + key.replace("\\", "\\\\").replace('"', '\\"') + '"'
