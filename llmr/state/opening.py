"""A SQLite file of ours, opened safely: looked at, made, migrated or set aside.

    look ──▶ there, of our version ───────────────────────────────▶ open         gate shared; the common case
      └────▶ missing, empty, older, damaged ──▶ gate alone, look again
                 missing, empty ──▶ make 0600, WAL, schema ───────▶ open
                 older ──▶ copy, migrate ─────────────────────────▶ open
                 damaged ──▶ set aside (one notice), make ────────▶ open         database.py
      newer, another program's, a symlink, foreign, no room, … ──▶ StateUnusable; the file is not touched

The common case costs one connect, one script of pragmas and two pragmas read: no schema statement, and no `journal_mode`,
which is persistent. Page 1 alone is read, so a page broken further down shows itself later, as `Damaged`.
"""

import sqlite3
from contextlib import closing, suppress
from functools import partial
from pathlib import Path
from typing import Final

from llmr import __version__
from llmr.errors import StateUnusable
from llmr.state.connection import Damaged, connect, let_go, roll_back, translating, version_of
from llmr.state.files import SIDE_FILES, PrivateDirectory
from llmr.state.schema import Schema

# trust.md §6; foreign_keys and secure_delete are for tables and purges to come.
_PRAGMAS: Final = """
    PRAGMA trusted_schema = OFF;
    PRAGMA cell_size_check = ON;
    PRAGMA synchronous = NORMAL;
    PRAGMA secure_delete = FAST;
    PRAGMA foreign_keys = ON;
"""


def gate(path: Path) -> PrivateDirectory:
    if not path.name:
        raise StateUnusable(f"{path} names no file")
    return PrivateDirectory(path.parent)


def ready(directory: PrivateDirectory, path: Path, schema: Schema) -> sqlite3.Connection | None:
    """A connection if the file is there and of our version, None if it is to be made or mended."""
    if directory.look(path.name) is None:
        return None
    try:
        connection, version = _examined(path, schema)
    except Damaged:
        return None
    if version == schema.version and not (directory.is_on_network() and _is_wal(connection)):
        return connection
    let_go(connection, path)
    return None


def built(directory: PrivateDirectory, path: Path, schema: Schema) -> sqlite3.Connection:
    """A connection to a file that is made, or migrated, where it must be. The gate is held alone."""
    if directory.look(path.name) is None:
        directory.remove(path.name + suffix for suffix in SIDE_FILES)  # of a database that was deleted
        directory.create(path.name)
    connection, version = _examined(path, schema)
    try:
        with translating(path):
            if directory.is_on_network():
                connection.execute("PRAGMA journal_mode = DELETE")
            elif version == 0:
                connection.execute("PRAGMA synchronous = OFF")  # nothing to lose yet, and four fsyncs to save
                connection.execute("PRAGMA journal_mode = WAL")
            if version < schema.version:
                _migrate(connection, directory, path, schema)
            connection.execute("PRAGMA synchronous = NORMAL")
    except BaseException:
        let_go(connection, path)
        raise
    return connection


def _examined(path: Path, schema: Schema) -> tuple[sqlite3.Connection, int]:
    """A connection and the file's version, 0 for an empty one. Refuses a newer version and another program's file."""
    with translating(path):
        connection = connect(path, "rw")
    try:
        with translating(path):
            connection.text_factory = partial(str, encoding="utf-8", errors="replace")  # a flipped bit is no exception
            connection.executescript(_PRAGMAS)
            version = version_of(connection)
            _check_ownership(connection, path, schema, version)
    except BaseException:
        let_go(connection, path)
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
        version = version_of(connection)
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
        roll_back(connection)
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
