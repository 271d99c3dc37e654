"""Conversations read where nothing can be written: on a full disk, a file system mounted read-only, in a directory that is not
ours to write to. SQLite needs room beside a database even to read its log, so it is given a copy in memory.
"""

import os
import shutil
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Final

from llmr.conversations.store import ConversationStore
from llmr.errors import StateError

_IN_MEMORY: Final = Path("/dev/shm")  # noqa: S108 - a directory of our own is made in it, 0700
_UNWRITABLE: Final = frozenset({8, 10, 13, 14})  # READONLY, IOERR, FULL, CANTOPEN: https://www.sqlite.org/rescode.html
_COPIED: Final = ("", "-wal")  # the log holds what was said last; the index beside it is made anew


@contextmanager
def read_only(path: Path, now: Callable[[], float], chance: Random) -> Generator[ConversationStore]:
    """The conversations in `path`, to be read; nothing of what is done to them lasts. Raises StateError."""
    try:
        store = ConversationStore(path, now, chance)
    except StateError as error:
        if not _cannot_write(error, path):
            raise
        with _copied(path, error) as copy, ConversationStore(copy, now, chance) as there:
            yield there
        return
    with store:
        yield store


def _cannot_write(error: StateError, path: Path) -> bool:
    """Whether that is all there is to it; a file that is not ours, newer or damaged is not read round the back."""
    code = getattr(error.__cause__, "sqlite_errorcode", 0) & 0xFF  # the low byte is the primary code
    return code in _UNWRITABLE or not os.access(path.parent, os.W_OK)


@contextmanager
def _copied(path: Path, trouble: StateError) -> Generator[Path]:
    """A copy that is gone at the end. Raises `trouble` where none can be made."""
    where = _IN_MEMORY if os.access(_IN_MEMORY, os.W_OK | os.X_OK) else None
    try:
        with TemporaryDirectory(prefix="llmr-", dir=where) as directory:  # 0700
            copy = Path(directory) / path.name
            for suffix in _COPIED:
                if (side := path.with_name(path.name + suffix)).is_file() and not side.is_symlink():
                    _copy(side, copy.with_name(copy.name + suffix))
            yield copy
    except OSError as error:
        raise trouble from error


def _copy(source: Path, target: Path) -> None:
    with (
        source.open("rb") as read,
        os.fdopen(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as out,
    ):
        shutil.copyfileobj(read, out)
