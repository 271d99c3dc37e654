"""One connection to SQLite: how it is made, how its errors are told, and how it is left. Used by opening.py, which looks at the
file first, and database.py, which is what everybody else uses.

The write-ahead log outlives its process. SQLite's last connection copies the log into the database and deletes it, which
is three fsyncs for every short command (one more to start the next log). So a last connection leaves through `let_go`:
while a read-only one still looks on, which may not checkpoint. Leaving and being killed then look the same on disk, and a
log of a size worth copying is copied. By the same door we leave a newer version's file exactly as it was.
"""

import sqlite3
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from llmr.errors import StateBusy, StateError, StateUnusable

PATIENCE_S: Final = 0.25  # trust.md §5: a locked store delays an answer by no more
_LOG_WORTH_COPYING_BYTES: Final = 512 * 1024  # some 20 runs; replaying it at the next opening costs 0.25 ms, measured


class Damaged(StateUnusable):
    """The file is no database, or a page of it is broken."""


# Primary result codes, https://www.sqlite.org/rescode.html; any other is StateUnusable.
_ERRORS: Final[Mapping[int, type[StateError]]] = {
    sqlite3.SQLITE_BUSY: StateBusy,
    sqlite3.SQLITE_LOCKED: StateBusy,
    sqlite3.SQLITE_CORRUPT: Damaged,
    sqlite3.SQLITE_NOTADB: Damaged,
}


def connect(path: Path, mode: str) -> sqlite3.Connection:
    """`mode` is rw or ro: SQLite makes no file here, it would be 0644."""
    return sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={mode}",
        uri=True,
        isolation_level=None,
        timeout=PATIENCE_S,
        check_same_thread=False,  # the store has a lock of its own
    )


def let_go(connection: sqlite3.Connection, path: Path) -> None:
    """Close without checkpointing a short log; see the header. Nothing is raised."""
    witness: sqlite3.Connection | None = None
    with suppress(sqlite3.Error, OSError):
        if 0 < path.with_name(path.name + "-wal").stat().st_size < _LOG_WORTH_COPYING_BYTES:
            witness = connect(path, "ro")
            version_of(witness)  # opens the log
    with suppress(sqlite3.Error):
        connection.close()
    if witness is not None:
        with suppress(sqlite3.Error):
            witness.close()


def roll_back(connection: sqlite3.Connection) -> None:
    """End a transaction that SQLite itself may have ended already. The first error is the one to tell."""
    with suppress(sqlite3.Error):
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def version_of(connection: sqlite3.Connection) -> int:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    return int(version)


@contextmanager
def translating(path: Path) -> Generator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise translated(error, path) from error
    except OSError as error:  # the working directory is gone, so a relative path means nothing
        raise StateUnusable(f"{path}: {error.strerror}") from error


def translated(error: sqlite3.Error, path: Path) -> StateError:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # the low byte is the primary code
    return _ERRORS.get(code, StateUnusable)(f"{path}: {error}")
