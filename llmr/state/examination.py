"""Looks at a database without changing it: what `llmr doctor` says of the file. It takes no lock that anybody waits for."""

import sqlite3
from contextlib import closing
from pathlib import Path

from llmr.dataclass import dataclass
from llmr.state.connection import connect
from llmr.state.files import PrivateDirectory
from llmr.state.schema import Schema

SQLITE_VERSION = sqlite3.sqlite_version


@dataclass(frozen=True, slots=True)
class Examined:
    """What was found. `damage` is SQLite's own word on what is broken, "" where nothing is; `newest_at` the wall-clock time
    of the newest row, None without one."""

    size_bytes: int
    schema_version: int
    known_version: int
    journal_mode: str
    on_network: bool
    damage: str
    rows: int
    newest_at: float | None


def examine(path: Path, schema: Schema, table: str) -> Examined | None:
    """What the file at `path` is like, which should have this schema and its rows in `table`; None where there is none.

    Raises StateError where it cannot be looked at.
    """
    if not path.exists():
        return None
    with PrivateDirectory(path.parent) as directory:
        directory.look(path.name)
        on_network = directory.is_on_network()
    try:
        with closing(connect(path, "ro")) as connection:
            return _examined(connection, path, schema, table, on_network=on_network)
    except sqlite3.Error as error:
        return Examined(path.stat().st_size, 0, schema.version, "", on_network, str(error), 0, None)


def _examined(connection: sqlite3.Connection, path: Path, schema: Schema, table: str, *, on_network: bool) -> Examined:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (journal,) = connection.execute("PRAGMA journal_mode").fetchone()
    (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    rows, newest = 0, None
    if table in tables:
        rows, newest = connection.execute(f"SELECT count(*), max(at) FROM {table}").fetchone()  # noqa: S608 - a constant
    damage = "" if verdict == "ok" else str(verdict)
    return Examined(path.stat().st_size, version, schema.version, str(journal), on_network, damage, int(rows), newest)
