"""Looks at a database without changing it: what `llmr doctor` says of the file. It takes no lock that anybody waits for."""

import sqlite3
from contextlib import closing
from pathlib import Path

from llmr.dataclass import dataclass
from llmr.state.connection import connect
from llmr.state.files import PrivateDirectory
from llmr.state.schema import STATE

SQLITE_VERSION = sqlite3.sqlite_version


@dataclass(frozen=True, slots=True)
class Examined:
    """What was found. `damage` is SQLite's own word on what is broken, "" where nothing is; `newest_at` the wall-clock time
    of the last attempt, None without one."""

    size_bytes: int
    schema_version: int
    known_version: int
    journal_mode: str
    on_network: bool
    damage: str
    attempts: int
    newest_at: float | None


def examine(path: Path) -> Examined | None:
    """What the file at `path` is like; None where there is none. Raises StateError where it cannot be looked at."""
    if not path.exists():
        return None
    with PrivateDirectory(path.parent) as directory:
        directory.look(path.name)
        on_network = directory.is_on_network()
    try:
        with closing(connect(path, "ro")) as connection:
            return _examined(connection, path, on_network=on_network)
    except sqlite3.Error as error:
        return Examined(path.stat().st_size, 0, STATE.version, "", on_network, str(error), 0, None)


def _examined(connection: sqlite3.Connection, path: Path, *, on_network: bool) -> Examined:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (journal,) = connection.execute("PRAGMA journal_mode").fetchone()
    (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    attempts, newest = 0, None
    if "attempts" in tables:
        attempts, newest = connection.execute("SELECT count(*), max(at) FROM attempts").fetchone()
    damage = "" if verdict == "ok" else str(verdict)
    return Examined(
        path.stat().st_size, version, STATE.version, str(journal), on_network, damage, int(attempts), newest
    )
