"""A socket in the file system instead of a port: what may connect is what may open the file, and that is its owner.

Nobody's socket is taken away: one at which somebody answers stays, and so does whatever is no socket. One that nobody answers
at was left behind by a server that was killed, and goes.
"""

import os
import socket
import stat
from pathlib import Path
from typing import Final

from llmr.errors import UsageError

_HTTP: Final = 80  # what a client's Host header leaves out: http://localhost/v1
_ALL_BUT_MINE: Final = 0o177


def listening_at(path: Path, backlog: int) -> socket.socket:
    """A socket at `path`, 0600 from its first moment. Raises UsageError."""
    _make_room(path)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    usual = os.umask(_ALL_BUT_MINE)  # bind() makes the file, and takes no mode
    try:
        listener.bind(str(path))
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


def remove(path: Path) -> None:
    """Take the socket away, if it is still there."""
    path.unlink(missing_ok=True)


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
    raise UsageError(f"--unix {path}: somebody serves there already")
