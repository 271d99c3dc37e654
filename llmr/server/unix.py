"""A socket in the file system instead of a port: what may connect is what may open the file, and that is its owner.

Nobody's socket is taken away: one at which somebody answers stays, and so does whatever is no socket. One that nobody answers
at was left behind by a server that was killed, and goes. Between another's bind() and listen() nobody answers either: so a lock
on PATH.lock is held for the whole of a server's life, and who has it is the only one to look, to bind and to remove. The lock's
file stays, for one that is removed could be locked by two.
"""

import contextlib
import fcntl
import os
import socket
import stat
from pathlib import Path
from typing import Final

from llmr.errors import UsageError

_HTTP: Final = 80  # what a client's Host header leaves out: http://localhost/v1
_ALL_BUT_MINE: Final = 0o177
_TAKEN: Final = "somebody serves there already"


class UnixListener(socket.socket):
    """A socket at a path. `lock` is the open file that says so, also when the socket is closed; `file` the socket's own."""

    lock: int
    file: tuple[int, int]


def listening_at(path: Path, backlog: int) -> UnixListener:
    """A socket at `path`, 0600 from its first moment. Raises UsageError."""
    lock = _locked(path)
    try:
        listener = _bound(path, backlog)
    except UsageError:
        os.close(lock)
        raise
    listener.lock = lock
    return listener


def _locked(path: Path) -> int:
    try:
        lock = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise UsageError(f"--unix {path}.lock: {(error.strerror or 'unusable').lower()}") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(lock)
        raise UsageError(f"--unix {path}: {_TAKEN}") from error
    return lock


def _bound(path: Path, backlog: int) -> UnixListener:
    _make_room(path)
    listener = UnixListener(socket.AF_UNIX, socket.SOCK_STREAM)
    usual = os.umask(_ALL_BUT_MINE)  # bind() makes the file, and takes no mode
    try:
        listener.bind(str(path))
        listener.file = _file_at(path)
        listener.listen(backlog)
    except OSError as error:
        listener.close()
        reason = getattr(error, "strerror", None) or str(error)
        raise UsageError(f"--unix {path}: {reason.lower()}") from error
    finally:
        os.umask(usual)
    return listener


def port_of(listener: socket.socket) -> int:
    """The port that clients name, or leave out because it is the usual one."""
    return _HTTP if listener.family == socket.AF_UNIX else int(listener.getsockname()[1])


def remove(path: Path, listener: socket.socket) -> None:
    """Take the listener's socket away, if what is there is still its own, and let the next one in."""
    if not isinstance(listener, UnixListener):
        return
    with contextlib.suppress(FileNotFoundError):
        if _file_at(path) == listener.file:
            path.unlink()
    os.close(listener.lock)


def _file_at(path: Path) -> tuple[int, int]:
    found = path.lstat()
    return found.st_dev, found.st_ino


def _make_room(path: Path) -> None:
    try:
        found = path.lstat()
    except FileNotFoundError:
        return
    except OSError as error:
        raise UsageError(f"--unix {path}: {(error.strerror or 'unusable').lower()}") from error
    if not stat.S_ISSOCK(found.st_mode):
        raise UsageError(f"--unix {path}: there is something else; name another path")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as caller:
        caller.settimeout(1.0)
        try:
            caller.connect(str(path))
        except ConnectionRefusedError:  # nobody listens: it was left behind
            path.unlink(missing_ok=True)
            return
        except OSError as error:
            raise UsageError(f"--unix {path}: {(error.strerror or 'unusable').lower()}") from error
    raise UsageError(f"--unix {path}: {_TAKEN}")
