"""One SQLite file of ours, opened safely; the only `import sqlite3` of the state store.

    look ──▶ there, of our version ───────────────────────────────▶ open         gate shared; the common case
      └────▶ missing, empty, older, damaged ──▶ gate alone, look again
                 missing, empty ──▶ make 0600, WAL, schema ───────▶ open
                 older ──▶ copy, migrate ─────────────────────────▶ open
                 damaged ──▶ set aside (one notice), make ────────▶ open
      newer, another program's, a symlink, foreign, no room, … ──▶ StateUnusable; the file is not touched

The common case costs one connect, one script of pragmas and two pragmas read: no schema statement, and no `journal_mode`,
which is persistent. Page 1 alone is read, so a page broken further down shows itself later, as `Damaged`; whoever meets it
calls `start_anew`.

The write-ahead log outlives its process. SQLite's last connection copies the log into the database and deletes it, which
is three fsyncs for every short command (one more to start the next log). So a last connection leaves through `_let_go`:
while a read-only one still looks on, which may not checkpoint. Leaving and being killed then look the same on disk, and a
log of a size worth copying is copied. By the same door we leave a newer version's file exactly as it was.
"""

import sqlite3
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, Final, final

from llmr import __version__
from llmr.errors import StateBusy, StateError, StateUnusable
from llmr.state.files import SIDE_FILES, PrivateDirectory
from llmr.state.schema import Schema

PATIENCE_S: Final = 0.25  # trust.md §5: a locked store delays an answer by no more
_LONGEST_WAIT_MS: Final = 2**31 - 1  # the argument of sqlite3_busy_timeout is an int
_LOG_WORTH_COPYING_BYTES: Final = 512 * 1024  # some 20 runs; replaying it at the next opening costs 0.25 ms, measured

# trust.md §6; foreign_keys and secure_delete are for tables and purges to come.
_PRAGMAS: Final = """
    PRAGMA trusted_schema = OFF;
    PRAGMA cell_size_check = ON;
    PRAGMA synchronous = NORMAL;
    PRAGMA secure_delete = FAST;
    PRAGMA foreign_keys = ON;
"""


class Damaged(StateUnusable):
    """The file is no database, or a page of it is broken."""


# Primary result codes, https://www.sqlite.org/rescode.html; any other is StateUnusable.
_ERRORS: Final[Mapping[int, type[StateError]]] = {
    sqlite3.SQLITE_BUSY: StateBusy,
    sqlite3.SQLITE_LOCKED: StateBusy,
    sqlite3.SQLITE_CORRUPT: Damaged,
    sqlite3.SQLITE_NOTADB: Damaged,
}


@final
class Database:
    """An open database of ours. Every method raises StateBusy, Damaged or StateUnusable for trouble with the file."""

    def __init__(self, path: Path, schema: Schema, now: Callable[[], float]) -> None:
        self.notices: tuple[str, ...] = ()
        self._path = path
        self._schema = schema
        self._now = now
        self._patience_s = PATIENCE_S
        with _gate(path) as directory:
            directory.share()
            connection = _ready(directory, path, schema)
            if connection is None:
                directory.own()
                connection = self._mended(directory)
            self._connection = connection
            self._inode = directory.look(path.name)

    def _mended(self, directory: PrivateDirectory) -> sqlite3.Connection:
        """The gate is held alone."""
        try:
            return _built(directory, self._path, self._schema)
        except Damaged as error:
            self._set_aside(directory, error)
            return _built(directory, self._path, self._schema)

    def _set_aside(self, directory: PrivateDirectory, error: Damaged) -> None:
        aside = directory.set_aside(self._path.name, self._now())
        self.notices += (f"{error}; it was set aside as {aside} and a new one begun",)

    def start_anew(self, error: Damaged) -> None:
        """Set the damaged file aside, unless another process has, and go on with the new one. Raises like opening does.

        After an error this object is closed: whatever is asked of it then is StateUnusable.
        """
        self.close()
        with _gate(self._path) as directory:
            directory.own()
            if self._inode == directory.look(self._path.name):
                self._set_aside(directory, error)
            self._connection = self._mended(directory)
            self._patience_s = PATIENCE_S
            self._inode = directory.look(self._path.name)

    def wait_at_most(self, wait_s: float) -> None:
        """How long a lock of another process is waited for from now on."""
        if wait_s != self._patience_s:
            wait_ms = round(max(0.0, min(wait_s * 1000, _LONGEST_WAIT_MS)))
            self.rows(f"PRAGMA busy_timeout = {wait_ms}")
            self._patience_s = wait_s

    def rows(self, statement: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Run one statement and give all its rows: no statement, and no snapshot with it, is ever left open."""
        try:
            return self._connection.execute(statement, values).fetchall()
        except sqlite3.Error as error:
            raise _translated(error, self._path) from error

    def insert(self, statement: str, values: Sequence[Any]) -> int:
        """Run one INSERT and give the row's number."""
        try:
            return self._connection.execute(statement, values).lastrowid or 0
        except sqlite3.Error as error:
            raise _translated(error, self._path) from error

    @contextmanager
    def snapshot(self) -> Generator[None]:
        """Everything read within is as of one moment."""
        try:
            self.rows("BEGIN")
            yield
        finally:
            _roll_back(self._connection)

    @contextmanager
    def writing(self) -> Generator[None]:
        """The write lock, held from the start; committed at the end, rolled back on any exception.

        Immediate, because a deferred transaction that reads and then writes fails at once with SQLITE_BUSY_SNAPSHOT, for
        which no busy timeout waits. The version is looked at again: a newer llmr may have migrated the file since.
        """
        try:
            self.rows("BEGIN IMMEDIATE")
            self._check_version()
            yield
            self.rows("COMMIT")
        except BaseException:
            _roll_back(self._connection)
            raise

    def _check_version(self) -> None:
        ((version,),) = self.rows("PRAGMA user_version")
        if version != self._schema.version:
            raise StateUnusable(f"{self._path} was migrated by another version of llmr meanwhile; start this one again")

    def close(self) -> None:
        """Let go of the file. Nothing is raised."""
        _let_go(self._connection, self._path)


def _gate(path: Path) -> PrivateDirectory:
    if not path.name:
        raise StateUnusable(f"{path} names no file")
    return PrivateDirectory(path.parent)


def connect(path: Path, mode: str) -> sqlite3.Connection:
    """`mode` is rw or ro: SQLite makes no file here, it would be 0644."""
    return sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={mode}",
        uri=True,
        isolation_level=None,
        timeout=PATIENCE_S,
        check_same_thread=False,  # the store has a lock of its own
    )


def _ready(directory: PrivateDirectory, path: Path, schema: Schema) -> sqlite3.Connection | None:
    """A connection if the file is there and of our version, None if it is to be made or mended."""
    if directory.look(path.name) is None:
        return None
    try:
        connection, version = _examined(path, schema)
    except Damaged:
        return None
    if version == schema.version and not (directory.is_on_network() and _is_wal(connection)):
        return connection
    _let_go(connection, path)
    return None


def _built(directory: PrivateDirectory, path: Path, schema: Schema) -> sqlite3.Connection:
    """A connection to a file that is made, or migrated, where it must be. The gate is held alone."""
    if directory.look(path.name) is None:
        directory.remove(path.name + suffix for suffix in SIDE_FILES)  # of a database that was deleted
        directory.create(path.name)
    connection, version = _examined(path, schema)
    try:
        with _translating(path):
            if directory.is_on_network():
                connection.execute("PRAGMA journal_mode = DELETE")
            elif version == 0:
                connection.execute("PRAGMA synchronous = OFF")  # nothing to lose yet, and four fsyncs to save
                connection.execute("PRAGMA journal_mode = WAL")
            if version < schema.version:
                _migrate(connection, directory, path, schema)
            connection.execute("PRAGMA synchronous = NORMAL")
    except BaseException:
        _let_go(connection, path)
        raise
    return connection


def _examined(path: Path, schema: Schema) -> tuple[sqlite3.Connection, int]:
    """A connection and the file's version, 0 for an empty one. Refuses a newer version and another program's file."""
    with _translating(path):
        connection = connect(path, "rw")
    try:
        with _translating(path):
            connection.text_factory = partial(str, encoding="utf-8", errors="replace")  # a flipped bit is no exception
            connection.executescript(_PRAGMAS)
            version = _version(connection)
            _check_ownership(connection, path, schema, version)
    except BaseException:
        _let_go(connection, path)
        raise
    return connection, version


def _check_ownership(connection: sqlite3.Connection, path: Path, schema: Schema, version: int) -> None:
    (application_id,) = connection.execute("PRAGMA application_id").fetchone()
    if application_id != schema.application_id and (version or _has_tables(connection)):
        raise StateUnusable(f"{path} is a database of another program")
    if version > schema.version:
        raise StateUnusable(
            f"{path} has schema {version}{_author(connection)}; this llmr {__version__} knows {schema.version}"
        )


def _migrate(connection: sqlite3.Connection, directory: PrivateDirectory, path: Path, schema: Schema) -> None:
    """Every step in one transaction: the file is of one version or of the other."""
    try:
        connection.execute("BEGIN IMMEDIATE")
        version = _version(connection)
        if version:
            _back_up(directory, path, version)
        for statements in schema.migrations[version:]:
            for statement in statements:
                connection.execute(statement)
        connection.execute("INSERT OR IGNORE INTO meta VALUES ('created_by', ?)", (__version__,))
        connection.execute("INSERT OR REPLACE INTO meta VALUES ('migrated_by', ?)", (__version__,))
        connection.execute(f"PRAGMA application_id = {schema.application_id}")
        connection.execute(f"PRAGMA user_version = {schema.version}")
        connection.execute("COMMIT")
    except BaseException:
        _roll_back(connection)
        raise


def _back_up(directory: PrivateDirectory, path: Path, version: int) -> None:
    """Copy the file to `<name>.backup-v<version>`. By a connection of its own: SQLite copies no open transaction."""
    name = f"{path.name}.backup-v{version}"
    part = f"{name}.part"
    directory.remove([part])
    directory.create(part)
    with closing(connect(path, "ro")) as source, closing(connect(path.with_name(part), "rw")) as copy:
        source.backup(copy)
    directory.rename(part, name)


def _let_go(connection: sqlite3.Connection, path: Path) -> None:
    """Close without checkpointing a short log; see the header. Nothing is raised."""
    witness: sqlite3.Connection | None = None
    with suppress(sqlite3.Error, OSError):
        if 0 < path.with_name(path.name + "-wal").stat().st_size < _LOG_WORTH_COPYING_BYTES:
            witness = connect(path, "ro")
            _version(witness)  # opens the log
    with suppress(sqlite3.Error):
        connection.close()
    if witness is not None:
        with suppress(sqlite3.Error):
            witness.close()


def _roll_back(connection: sqlite3.Connection) -> None:
    """End a transaction that SQLite itself may have ended already. The first error is the one to tell."""
    with suppress(sqlite3.Error):
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def _version(connection: sqlite3.Connection) -> int:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    return int(version)


def _author(connection: sqlite3.Connection) -> str:
    """` of llmr 2.0`, as far as a newer file still says so."""
    with suppress(sqlite3.Error):
        for (author,) in connection.execute("SELECT value FROM meta WHERE key = 'migrated_by'"):
            return f" of llmr {author}"
    return ""


def _has_tables(connection: sqlite3.Connection) -> bool:
    return connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone() is not None


def _is_wal(connection: sqlite3.Connection) -> bool:
    (mode,) = connection.execute("PRAGMA journal_mode").fetchone()
    return str(mode) == "wal"


@contextmanager
def _translating(path: Path) -> Generator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise _translated(error, path) from error
    except OSError as error:  # the working directory is gone, so a relative path means nothing
        raise StateUnusable(f"{path}: {error.strerror}") from error


def _translated(error: sqlite3.Error, path: Path) -> StateError:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # the low byte is the primary code
    return _ERRORS.get(code, StateUnusable)(f"{path}: {error}")
