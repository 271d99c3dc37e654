"""Rows as they were read, for as long as nobody has written.

A server reads the same few rows for every request, and they change twenty times a second at most (behind.py). SQLite tells for
3 µs whether another connection has written (`PRAGMA data_version`, https://www.sqlite.org/pragma.html#pragma_data_version);
reading and parsing the eight rows of one model costs 27. It does not tell what this connection writes: whoever writes forgets.

A row that is given out twice is the same object: nobody may change one, and no step does, for steps are pure.
"""

from collections.abc import Callable, Collection, Mapping
from typing import Any, Final, final

from llmr.state import Row

_ABSENT: Final = object()
_MOST_KEYS: Final = 500  # of one look; whoever asks for more asks for a picture, once


@final
class SeenRows:
    """The rows of one connection as of its last look at the file."""

    __slots__ = ("_rows", "_version")

    def __init__(self) -> None:
        self._version: int | None = None
        self._rows: dict[str, Any] = {}

    def forget(self) -> None:
        """The connection wrote, or is another one."""
        self._version = None

    def rows(
        self, keys: Collection[str], version: int, read: Callable[[Collection[str]], Mapping[str, Row]]
    ) -> Mapping[str, Row]:
        """The rows of `keys` that exist, as of one moment: as seen where all of them were, else `read` now. `version` is the
        file's, asked for just now."""
        if version != self._version:
            self._rows.clear()
            self._version = version
        if all(key in self._rows for key in keys):
            return {key: row for key in keys if (row := self._rows[key]) is not _ABSENT}
        found = read(keys)
        if len(keys) <= _MOST_KEYS:
            self._rows.update(dict.fromkeys(keys, _ABSENT), **found)
        return found
