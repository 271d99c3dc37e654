"""The cache on disk: answers found, kept, counted, and gone when they are old or room is needed.

Any number of processes read and write it. Reading takes no lock. What is to be written (an answer, a hit that counts) is
queued and goes out in one short transaction; where another process holds the lock it stays queued for the next one. So
nobody waits for a cache, and a lock that is held costs at most some counts. Opening, damage and versions are
state/database.py's. A file that cannot be used at all is told once, and from then on nothing is found and nothing kept.
"""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, TypeVar, final

from llmr.cache import CacheCounts, Kept
from llmr.cache.answer_json import answer_of, answer_text
from llmr.cache.schema import CACHE
from llmr.conversations.rows import storable
from llmr.errors import StateBusy, StateError
from llmr.state.connection import Damaged
from llmr.state.database import Database

T = TypeVar("T")

PATIENCE_S: Final = 0.02  # a busy cache is passed over, not waited for
_LAST_PATIENCE_S: Final = 0.25  # at the end of the process
_QUEUED: Final = 256  # writes that wait for the lock; beyond that the oldest are lost
_AT_ONCE: Final = 32  # hits and misses that are counted in one transaction
_FUTURE_S: Final = 5.0  # a clock that went back by more: what is from the future is not trusted
_EXPIRED_AT_ONCE: Final = 50
_ROW_BYTES: Final = 300  # the row and its places in four indexes, measured

_FIND: Final = (
    "SELECT at, provider, model, answer, ttft_s, took_s, cost_usd, grouped, prompt, vector, embedder FROM answers"
    " WHERE key = ?"
)
_RECENT: Final = (
    "SELECT key, prompt, vector FROM answers WHERE grouped = ? AND embedder = ? AND at > ? AND at < ?"
    " ORDER BY seq DESC LIMIT ?"
)
_KEEP: Final = (
    "INSERT INTO answers (key, at, used_at, provider, model, answer, ttft_s, took_s, cost_usd, grouped, prompt, vector,"
    " embedder, size) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?)"
)
_USED: Final = "UPDATE answers SET hits = hits + 1, used_at = max(used_at, ?) WHERE key = ?"
_COUNT: Final = "UPDATE counts SET value = value + ? WHERE name = ?"
_EXPIRE: Final = "DELETE FROM answers WHERE seq IN (SELECT seq FROM answers WHERE at < ? ORDER BY at LIMIT ?)"
_EVICT: Final = (
    "DELETE FROM answers WHERE seq IN (SELECT seq FROM answers ORDER BY used_at, seq LIMIT max(1, (SELECT count(*) FROM"
    " answers) / 20))"
)  # a twentieth at a time: the next writer finds room

Write = Callable[[Database], object]


@final
class AnswerStore:
    """The file, opened when it is first needed. `find`, `recent`, `keep` and what counts never raise; the others raise
    StateError."""

    def __init__(self, path: Path, now: Callable[[], float], *, ttl_s: float, max_bytes: int) -> None:
        self._path = path
        self._now = now
        self._ttl_s = ttl_s
        self._max_bytes = max_bytes
        self._database: Database | None = None
        self._queue: deque[Write] = deque(maxlen=_QUEUED)
        self._trouble: str | None = None

    @property
    def notices(self) -> Sequence[str]:
        """What a person should be told, once."""
        told = self._database.notices if self._database is not None else ()
        return (*told, *((f"the cache is not used: {self._trouble}",) if self._trouble else ()))

    def find(self, key: str, *, max_age_s: float | None = None) -> Kept | None:
        """The answer to this request, unless it is older than it may be."""
        now = self._now()
        limit_s = self._ttl_s if max_age_s is None else min(self._ttl_s, max_age_s)
        for row in self._tried(lambda database: database.rows(_FIND, (key,))) or ():
            at, provider, model, answer, *rest = row
            if now - limit_s < at < now + _FUTURE_S:
                deltas = answer_of(answer)
                return Kept(key, at, provider, model, deltas, *rest) if deltas else None
        return None

    def recent(self, group: str, embedder: str, limit: int) -> Sequence[tuple[str, str, bytes]]:
        """Key, prompt and vector of the newest answers of a group, newest first."""
        now = self._now()
        values = (group, embedder, now - self._ttl_s, now + _FUTURE_S, limit)
        return [tuple(row) for row in self._tried(lambda database: database.rows(_RECENT, values)) or ()]

    def keep(self, kept: Kept) -> None:
        """Keep an answer, in place of an older one to the same request."""
        answer = answer_text(kept.deltas)
        prompt = storable(kept.prompt)
        size = len(answer) + len(prompt.encode()) + len(kept.vector) + _ROW_BYTES
        if size > self._max_bytes // 4:  # one answer must not cost all the others
            return
        cells = (
            kept.key, kept.at, kept.at, storable(kept.provider), storable(kept.model), answer, kept.ttft_s, kept.took_s,
            kept.cost_usd, kept.group, prompt, kept.vector, kept.embedder, size,
        )  # fmt: skip

        def write(database: Database) -> None:
            database.rows("DELETE FROM answers WHERE key = ?", (kept.key,))
            database.rows(_KEEP, cells)
            database.rows(_COUNT, (1, "kept"))
            self._make_room(database)

        self._queue.append(write)
        self._write_queue(PATIENCE_S)

    def hit(self, kept: Kept, *, semantic: bool) -> None:
        """An answer was given again."""
        now = self._now()

        def write(database: Database) -> None:
            database.rows(_USED, (now, kept.key))
            database.rows(_COUNT, (1, "semantic_hits" if semantic else "hits"))
            database.rows(_COUNT, (kept.cost_usd or 0.0, "saved_usd"))

        self._note(write)

    def missed(self) -> None:
        """Nothing was found."""
        self._note(lambda database: database.rows(_COUNT, (1, "misses")))

    def counts(self) -> CacheCounts:
        """How full it is and how well it serves. Raises StateError."""

        def read(database: Database) -> tuple[Mapping[str, float], float | None]:
            with database.snapshot():
                numbers = {str(name): float(value) for name, value in database.rows("SELECT name, value FROM counts")}
                ((oldest,),) = database.rows("SELECT min(at) FROM answers")
            return numbers, oldest

        numbers, oldest = self._at_work(read)
        whole = {name: int(value) for name, value in numbers.items() if name != "saved_usd"}
        return CacheCounts(**whole, saved_usd=numbers["saved_usd"], oldest_at=oldest)

    def purge(self, *, before: float | None = None) -> int:
        """Remove every answer, or those from before `before`; how many. Their bytes leave the file. Raises StateError."""

        def write(database: Database) -> int:
            database.wait_at_most(_LAST_PATIENCE_S * 20)
            with database.writing():
                ((entries,),) = database.rows(
                    "SELECT count(*) FROM answers WHERE ? IS NULL OR at < ?", (before, before)
                )
                database.rows("DELETE FROM answers WHERE ? IS NULL OR at < ?", (before, before))
            database.rows("VACUUM")
            database.rows("PRAGMA wal_checkpoint(TRUNCATE)")
            return int(entries)

        return self._at_work(write)

    def close(self) -> None:
        """Write what is queued, and let go of the file."""
        if self._queue:
            self._write_queue(_LAST_PATIENCE_S)
        if self._database is not None:
            self._database.close()
            self._database = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        self.close()

    def _note(self, write: Write) -> None:
        self._queue.append(write)
        if len(self._queue) >= _AT_ONCE:
            self._write_queue(PATIENCE_S)

    def _make_room(self, database: Database) -> None:
        """Within the transaction: what is too old goes, then what was used longest ago, until the rest fits."""
        database.rows(_EXPIRE, (self._now() - self._ttl_s, _EXPIRED_AT_ONCE))
        while _count(database, "bytes") > self._max_bytes:
            before = _count(database, "entries")
            database.rows(_EVICT)
            database.rows(_COUNT, (before - _count(database, "entries"), "evicted"))

    def _write_queue(self, wait_s: float) -> None:
        def write(database: Database) -> None:
            database.wait_at_most(wait_s)
            with database.writing():
                for one in self._queue:
                    one(database)
            self._queue.clear()

        self._tried(write)

    def _tried(self, work: Callable[[Database], T]) -> T | None:
        """The result of `work`; None where the file cannot be used, for now or at all."""
        if self._trouble is not None:
            return None
        try:
            return self._at_work(work)
        except StateBusy:
            return None
        except StateError as error:
            self._trouble = str(error)
            self._queue.clear()
            return None

    def _at_work(self, work: Callable[[Database], T]) -> T:
        """Do `work`; once more where the file turned out damaged and a new one took its place."""
        try:
            return work(self._opened())
        except Damaged as error:
            self._opened().start_anew(error)
            return work(self._opened())

    def _opened(self) -> Database:
        if self._database is None:
            self._database = Database(self._path, CACHE, self._now)
            self._database.wait_at_most(PATIENCE_S)
        return self._database


def _count(database: Database, name: str) -> float:
    rows: list[tuple[Any, ...]] = database.rows("SELECT value FROM counts WHERE name = ?", (name,))
    return float(rows[0][0]) if rows else 0.0
