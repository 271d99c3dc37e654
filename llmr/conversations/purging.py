"""Purging: what was said is gone from the file, and not only from its tables.

A deleted row lives on in free pages, in the index, in the write-ahead log, and in copies of the file. So: overwritten as it
is deleted (secure_delete), the index built anew (FTS5 only marks what it deletes), the file written anew without its free
pages (VACUUM, whose temporary copy is held in memory), the log emptied, and the copies that were made before migrations
removed. A test greps the bytes.
What a disk, a snapshot or a backup of the disk remembers is out of reach, and the README says so.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from llmr.conversations.store import ConversationStore
from llmr.errors import StateBusy
from llmr.state.database import Database
from llmr.state.files import PrivateDirectory

PATIENCE_S: Final = 5.0  # a command that was asked for waits longer than a chat
_AT_ONCE: Final = 500


def ids_before(store: ConversationStore, at: float) -> tuple[str, ...]:
    """Conversations whose newest turn is older than `at`, wall-clock seconds."""
    rows = store.database.rows(
        "SELECT conversation_id FROM turns GROUP BY conversation_id HAVING max(at) < ? ORDER BY conversation_id", (at,)
    )
    return tuple(str(row[0]) for row in rows)


def all_ids(store: ConversationStore) -> tuple[str, ...]:
    """Every conversation."""
    return tuple(str(row[0]) for row in store.database.rows("SELECT id FROM conversations ORDER BY id"))


def purge(store: ConversationStore, ids: Sequence[str]) -> int:
    """Take these conversations away for good; how many there were. Raises StateBusy, StateUnusable."""
    database = store.database
    database.wait_at_most(PATIENCE_S)
    with database.writing():
        before = _count(database)
        for start in range(0, len(ids), _AT_ONCE):
            some = ids[start : start + _AT_ONCE]
            marks = ",".join("?" * len(some))
            database.rows(f"DELETE FROM conversations WHERE id IN ({marks})", some)  # noqa: S608 - question marks
        database.rows("DELETE FROM attachments WHERE sha256 NOT IN (SELECT sha256 FROM attached)")
        database.rows("INSERT INTO words (words) VALUES ('rebuild')")
        gone = before - _count(database)
    _write_anew(database, store.path)
    return gone


def stray_copies(path: Path) -> tuple[str, ...]:
    """Files beside the database that may still hold what was said: copies before migrations, damaged ones set aside."""
    try:
        names = sorted(entry.name for entry in path.parent.iterdir())
    except OSError:
        return ()
    return tuple(name for name in names if name.startswith((f"{path.name}.backup-", f"{path.name}.corrupt-")))


def remove_copies(path: Path, names: Iterable[str]) -> None:
    """Remove them. Raises StateUnusable."""
    with PrivateDirectory(path.parent) as directory:
        directory.own()
        directory.remove(names)


def _write_anew(database: Database, path: Path) -> None:
    database.rows("PRAGMA temp_store = MEMORY")
    database.rows("VACUUM")
    left = database.rows("PRAGMA wal_checkpoint(TRUNCATE)")
    if left and left[0][0]:  # (busy, frames in the log, frames copied): https://www.sqlite.org/pragma.html
        raise StateBusy(
            f"{path}: purged, but another llmr still reads the log in {path.name}-wal; purge again to empty it"
        )


def _count(database: Database) -> int:
    ((count,),) = database.rows("SELECT count(*) FROM conversations")
    return int(count)
