"""Conversations read where nothing can be written: on a full disk, a file system mounted read-only, in a directory of ours that
we may not write to. SQLite needs room beside a database even to read its log, so it is given a copy in memory.

A copy of what people said is nothing to leave lying about. It has no name any more as soon as SQLite has opened it, and no
signal that can wait comes between. Only a file of ours is copied, of a size that memory can hold, and only when nobody wrote
to it meanwhile; a file that is foreign, newer or damaged is told as that.
"""

import errno
import os
import shutil
import signal
import stat
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Final

from llmr.conversations.store import ConversationStore
from llmr.errors import StateBusy, StateError, StateUnusable
from llmr.state.files import Unwritable

_IN_MEMORY: Final = Path("/dev/shm")  # noqa: S108 - a directory of our own is made in it, 0700
_UNWRITABLE: Final = frozenset({8, 10, 13, 14})  # READONLY, IOERR, FULL, CANTOPEN: https://www.sqlite.org/rescode.html
_UNWRITABLE_ERRNO: Final = frozenset({errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOSPC, errno.EDQUOT})
_COPIED: Final = ("", "-wal")  # the log holds what was said last; the index beside it is made anew
_MOST_BYTES: Final = 256 * 1024 * 1024
_TRIES: Final = 3
_ENDING: Final = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT}


@contextmanager
def read_only(path: Path, now: Callable[[], float], chance: Random) -> Generator[ConversationStore]:
    """The conversations in `path`, to be read; nothing of what is done to them lasts. Raises StateError."""
    try:
        store = ConversationStore(path, now, chance)
    except StateError as error:
        if not _cannot_write(error):
            raise
        store = _copy_opened(path, now, chance, error)
    with store:
        yield store


def _cannot_write(error: StateError) -> bool:
    """Whether that is all there is to it; a file that is not ours, newer or damaged is not read round the back."""
    cause = error.__cause__
    code = getattr(cause, "sqlite_errorcode", 0) & 0xFF  # the low byte is the primary code
    refused = isinstance(cause, OSError) and cause.errno in _UNWRITABLE_ERRNO
    return code in _UNWRITABLE or refused or isinstance(error, Unwritable)


def _copy_opened(path: Path, now: Callable[[], float], chance: Random, trouble: StateError) -> ConversationStore:
    """A copy that has no name. Raises `trouble` where none can be made, and what is wrong with the file itself."""
    where = _IN_MEMORY if os.access(_IN_MEMORY, os.W_OK | os.X_OK) else None
    held = signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)
    try:
        with TemporaryDirectory(prefix="llmr-", dir=where) as directory:  # 0700
            copy = Path(directory) / path.name
            _copy_settled(path, copy)
            try:
                store = ConversationStore(copy, now, chance)
            except StateError as error:
                raise StateUnusable(str(error).replace(str(copy), str(path))) from error
        if store.notices:  # the copy was set aside, and an empty one begun
            store.close()
            raise StateUnusable(f"{path} is damaged, and cannot be set aside: {trouble}")
    except OSError as error:
        raise trouble from error
    else:
        return store
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, held)


def _copy_settled(path: Path, copy: Path) -> None:
    """The database and its log, of one moment. Raises StateError, OSError."""
    for _ in range(_TRIES):
        before = [_facts(path, suffix) for suffix in _COPIED]
        size = sum(facts.st_size for facts in before if facts is not None)
        if size > _MOST_BYTES:
            raise StateUnusable(
                f"{path}: nothing can be written here, and {size:,} bytes are too many to copy to memory"
            )
        for suffix, facts in zip(_COPIED, before, strict=True):
            target = copy.with_name(copy.name + suffix)
            target.unlink(missing_ok=True)
            if facts is not None:
                _copy(path.with_name(path.name + suffix), target)
        if [_state(facts) for facts in before] == [_state(_facts(path, suffix)) for suffix in _COPIED]:
            return
    raise StateBusy(f"{path}: other processes keep writing to it, and it cannot be copied")


def _facts(path: Path, suffix: str) -> os.stat_result | None:
    """None: there is no log. Raises StateUnusable for a file that is not ours, OSError where there is no database."""
    file = path.with_name(path.name + suffix)
    try:
        facts = file.lstat()
    except FileNotFoundError:
        if suffix:
            return None
        raise
    if not stat.S_ISREG(facts.st_mode):
        raise StateUnusable(f"{file} is not a file")
    if facts.st_uid != os.geteuid():
        raise StateUnusable(f"{file} belongs to uid {facts.st_uid}, not to us")
    return facts


def _state(facts: os.stat_result | None) -> tuple[int, int, int] | None:
    return None if facts is None else (facts.st_ino, facts.st_size, facts.st_mtime_ns)


def _copy(source: Path, target: Path) -> None:
    with (
        os.fdopen(os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as read,
        os.fdopen(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as out,
    ):
        shutil.copyfileobj(read, out)
