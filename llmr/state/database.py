"""An open database of ours: statements, snapshots, the write lock. opening.py opens the file; connection.py tells its errors.

Damage deep inside a file shows itself late, as `Damaged`; whoever meets it calls `start_anew`.
"""

import sqlite3
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, final

from llmr.errors import StateUnusable
from llmr.state.connection import PATIENCE_S, Damaged, let_go, roll_back, translated
from llmr.state.files import PrivateDirectory
from llmr.state.opening import built, gate, ready
from llmr.state.schema import Schema

_LONGEST_WAIT_MS: Final = 2**31 - 1  # the argument of sqlite3_busy_timeout is an int


@final
class Database:
    """An open database of ours. Every method raises StateBusy, Damaged or StateUnusable for trouble with the file."""

    def __init__(self, path: Path, schema: Schema, now: Callable[[], float]) -> None:
        self.notices: tuple[str, ...] = ()
        self._path = path
        self._schema = schema
        self._now = now
        self._patience_s = PATIENCE_S
        with gate(path) as directory:
            directory.share()
            connection = ready(directory, path, schema)
            if connection is None:
                directory.own()
                connection = self._mended(directory)
            self._connection = connection
            self._inode = directory.look(path.name)

    def _mended(self, directory: PrivateDirectory) -> sqlite3.Connection:
        """The gate is held alone."""
        try:
            return built(directory, self._path, self._schema)
        except Damaged as error:
            self._set_aside(directory, error)
            return built(directory, self._path, self._schema)

    def _set_aside(self, directory: PrivateDirectory, error: Damaged) -> None:
        aside = directory.set_aside(self._path.name, self._now())
        self.notices += (f"{error}; it was set aside as {aside} and a new one begun",)

    def start_anew(self, error: Damaged) -> None:
        """Set the damaged file aside, unless another process has, and go on with the new one. Raises like opening does.

        After an error this object is closed: whatever is asked of it then is StateUnusable.
        """
        self.close()
        with gate(self._path) as directory:
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

    @property
    def version_of_data(self) -> int:
        """A number that is another one when another connection has written since."""
        ((version,),) = self.rows("PRAGMA data_version")
        return int(version)

    def rows(self, statement: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Run one statement and give all its rows: no statement, and no snapshot with it, is ever left open."""
        try:
            return self._connection.execute(statement, values).fetchall()
        except sqlite3.Error as error:
            raise translated(error, self._path) from error

    def insert(self, statement: str, values: Sequence[Any]) -> int:
        """Run one INSERT and give the row's number."""
        return self.insert_all(statement, [values])

    def insert_all(self, statement: str, rows: Sequence[Sequence[Any]]) -> int:
        """Run one INSERT for each of the rows, at least one, and give the last one's number."""
        try:
            self._connection.executemany(statement, rows)
            ((number,),) = self._connection.execute("SELECT last_insert_rowid()").fetchall()
        except sqlite3.Error as error:
            raise translated(error, self._path) from error
        return int(number)

    @contextmanager
    def snapshot(self) -> Generator[None]:
        """Everything read within is as of one moment."""
        try:
            self.rows("BEGIN")
            yield
        finally:
            roll_back(self._connection)

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
            roll_back(self._connection)
            raise

    def _check_version(self) -> None:
        ((version,),) = self.rows("PRAGMA user_version")
        if version != self._schema.version:
            raise StateUnusable(f"{self._path} was migrated by another version of llmr meanwhile; start this one again")

    def close(self) -> None:
        """Let go of the file. Nothing is raised."""
        let_go(self._connection, self._path)
