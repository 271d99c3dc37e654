"""The state store on disk: rows and history in one SQLite file that every llmr process of this user shares.

`open_store` never fails for trouble with the file: it gives a MemoryStore that says why. Trouble that comes later is raised
(StateBusy, StateUnusable) and bookkeeping goes on without; only a page that turns out broken is dealt with here, by
setting the file aside, so that the next call, and the next process, finds a sound one.

History expires in the write path, since nobody runs a daemon: every 32nd record takes up to 50 of those older than 90 days
with it. (Every 64th, as routing.md §6 has it, removes 50 for 64 added and would never catch up.) Rows carry their own
age where they have one; they are their owner's to remove.
"""

from collections.abc import Callable, Collection, Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import RLock
from types import TracebackType
from typing import Any, Final, Self, TypeVar, final

from llmr.errors import StateError
from llmr.state import AttemptRecord, RequestRecord, Row, StateStore, Step
from llmr.state.connection import PATIENCE_S, Damaged
from llmr.state.database import Database
from llmr.state.encoding import decoded_rows, encoded_writes, storable
from llmr.state.memory import MemoryStore
from llmr.state.schema import ATTEMPTS, REQUESTS, SPENT, STATE, HistoryTable
from llmr.state.seen import SeenRows

T = TypeVar("T")

_KEYS_PER_SELECT: Final = 500  # older SQLite takes 999 parameters, https://www.sqlite.org/limits.html
_HISTORY_KEPT_S: Final = 90 * 86_400.0  # routing.md §6
_EXPIRED_AT_ONCE: Final = 50  # routing.md §6
_RECORDS_PER_EXPIRY: Final = 32
_FLAGS: Final = (5, 13, 14, 15)  # the places of the booleans in an AttemptRecord
_LAST_CHARACTER: Final = 0x10FFFF
_SURROGATES: Final = range(0xD800, 0xE000)  # in no UTF-8 text


def open_store(path: Path, now: Callable[[], float], *, patience_s: float = PATIENCE_S) -> StateStore:
    """The store at `path`, made where it is missing; a MemoryStore with one notice where it cannot be used.

    `now` gives wall-clock seconds. Waits at most `patience_s` for a lock, 1 s for another process that makes or mends the file.
    """
    try:
        return SqliteStore(path, now, patience_s=patience_s)
    except StateError as error:
        return MemoryStore(now, (f"{error}; what this run learns is not kept",))


@final
class SqliteStore:
    """A StateStore in a file. May be used from any thread, one call at a time."""

    def __init__(self, path: Path, now: Callable[[], float], *, patience_s: float = PATIENCE_S) -> None:
        """Raises StateBusy or StateUnusable; `open_store` is the door for everybody else."""
        self._now = now
        self._patience_s = patience_s
        self._lock = RLock()
        self._seen = SeenRows()
        self._database = Database(path, STATE, now)

    @property
    def notices(self) -> Sequence[str]:
        return self._database.notices

    @contextmanager
    def _at_work(self, wait_s: float | None = None) -> Generator[Database]:
        """Hold the database. One that turns out damaged is replaced, for the next call: this one has failed."""
        with self._lock:
            try:
                self._database.wait_at_most(self._patience_s if wait_s is None else wait_s)
                yield self._database
            except Damaged as error:
                self._seen.forget()
                self._database.start_anew(error)
                raise

    def read(self, keys: Collection[str]) -> Mapping[str, Row]:
        with self._at_work() as database:
            return self._rows(database, keys)

    def _rows(self, database: Database, keys: Collection[str]) -> Mapping[str, Row]:
        return self._seen.rows(keys, database.version_of_data, lambda keys: _read(database, keys))

    def scan(self, prefix: str) -> Mapping[str, Row]:
        with self._at_work() as database:
            if (end := _end_of(prefix)) is None:
                return decoded_rows(_pairs(database, "SELECT key, value FROM rows WHERE key >= ?", [prefix]))
            return decoded_rows(
                _pairs(database, "SELECT key, value FROM rows WHERE key >= ? AND key < ?", [prefix, end])
            )

    def transact(self, keys: Collection[str], step: Step[T], *, wait_s: float | None = None) -> T:
        with self._at_work(wait_s) as database:
            change = step(self._rows(database, keys), self._now())
            if not (change.writes or change.append):
                return change.result
            self._seen.forget()
            return _written(database, keys, step, self._now)

    def write(self, keys: Collection[str], step: Step[T], *, wait_s: float) -> T:
        """`transact` for a step that is known to write: the lock is taken without a look before."""
        with self._at_work(wait_s) as database:
            self._seen.forget()
            return _written(database, keys, step, self._now)

    def attempts(self, *, since: float = 0.0, limit: int | None = None) -> Sequence[AttemptRecord]:
        with self._at_work() as database:
            found = database.rows(ATTEMPTS.select, (since, _row_limit(limit)))
        return [_attempt(cells) for cells in reversed(found)]

    def requests(self, *, since: float = 0.0, limit: int | None = None) -> Sequence[RequestRecord]:
        with self._at_work() as database:
            found = database.rows(REQUESTS.select, (since, _row_limit(limit)))
        return [RequestRecord(*cells) for cells in reversed(found)]

    def requests_named(self, prefix: str) -> Sequence[RequestRecord]:
        with self._at_work() as database:
            found = database.rows(REQUESTS.select_named, (prefix, end := _end_of(prefix), end))
        return [RequestRecord(*cells) for cells in found]

    def attempts_of(self, request_id: str) -> Sequence[AttemptRecord]:
        with self._at_work() as database:
            found = database.rows(ATTEMPTS.select_named, (request_id,))
        return [_attempt(cells) for cells in found]

    def spent(self, *, since: float = 0.0) -> Mapping[str, float]:
        with self._at_work() as database:
            return {key: usd or 0.0 for key, usd in database.rows(SPENT, (since,))}

    def close(self) -> None:
        with self._lock:
            self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        self.close()


def _written(database: Database, keys: Collection[str], step: Step[T], clock: Callable[[], float]) -> T:
    """The step, run under the lock: rows and clock are read after it is held."""
    with database.writing():
        rows = _selected(database, keys)
        now = clock()
        change = step(rows, now)
        for key, text in encoded_writes(keys, change).items():
            _write(database, key, text)
        _append(database, ATTEMPTS, [one for one in change.append if isinstance(one, AttemptRecord)], now)
        _append(database, REQUESTS, [one for one in change.append if isinstance(one, RequestRecord)], now)
    return change.result


def _read(database: Database, keys: Collection[str]) -> dict[str, Row]:
    """Outside a transaction. One SELECT sees one moment by itself."""
    if len(keys) <= _KEYS_PER_SELECT:
        return _selected(database, keys)
    with database.snapshot():
        return _selected(database, keys)


def _selected(database: Database, keys: Collection[str]) -> dict[str, Row]:
    named = list(keys)
    rows: dict[str, Row] = {}
    for start in range(0, len(named), _KEYS_PER_SELECT):
        some = named[start : start + _KEYS_PER_SELECT]
        marks = ",".join("?" * len(some))
        statement = f"SELECT key, value FROM rows WHERE key IN ({marks})"  # noqa: S608 - nothing but question marks
        rows |= decoded_rows(_pairs(database, statement, some))
    return rows


def _pairs(database: Database, statement: str, values: Sequence[str]) -> list[tuple[str, str]]:
    return [(key, value) for key, value in database.rows(statement, values)]


def _write(database: Database, key: str, text: str | None) -> None:
    if text is None:
        database.rows("DELETE FROM rows WHERE key = ?", (key,))
    else:
        database.rows("INSERT OR REPLACE INTO rows (key, value) VALUES (?, ?)", (key, text))


def _append(
    database: Database, table: HistoryTable, records: Sequence[AttemptRecord | RequestRecord], now: float
) -> None:
    if not records:
        return
    kept = [storable(record) for record in records]
    last = database.insert_all(table.insert, [[getattr(one, name) for name in one.__slots__] for one in kept])
    for _ in range(last // _RECORDS_PER_EXPIRY - (last - len(kept)) // _RECORDS_PER_EXPIRY):
        database.rows(table.expire, (now - _HISTORY_KEPT_S, _EXPIRED_AT_ONCE))


def _attempt(cells: tuple[Any, ...]) -> AttemptRecord:
    """SQLite has no booleans."""
    values = list(cells)
    for place in _FLAGS:
        values[place] = bool(values[place])
    return AttemptRecord(*values)


def _row_limit(limit: int | None) -> int:
    return -1 if limit is None else max(0, limit)  # -1: no limit, https://www.sqlite.org/lang_select.html#limitoffset


def _end_of(prefix: str) -> str | None:
    """The first text after all that start with `prefix`, in the order of code points (SQLite's, too); None: there is none."""
    stem = prefix.rstrip(chr(_LAST_CHARACTER))
    if not stem:
        return None
    after = ord(stem[-1]) + 1
    return stem[:-1] + chr(_SURROGATES.stop if after in _SURROGATES else after)
