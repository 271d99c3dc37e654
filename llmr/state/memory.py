"""The state store of one process: for tests, for `--no-log` runs, and where no file can be used.

It behaves as the one on disk does, down to JSON: rows are kept as text. A lock stands for the transaction, so a step runs
once, always under it. History is bounded, for a server may run for weeks without a disk.
"""

from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from threading import RLock
from types import TracebackType
from typing import Final, Self, TypeVar, final

from llmr.state import AttemptRecord, RequestRecord, Row, Step
from llmr.state.encoding import decoded_rows, encoded_writes, storable

T = TypeVar("T")
R = TypeVar("R", AttemptRecord, RequestRecord)

_HISTORY_RECORDS: Final = 10_000  # about 5 MB; a day at one request in 8 s


@final
class MemoryStore:
    """A StateStore that forgets. `now` gives wall-clock seconds; `notices` say why it is not the one on disk."""

    def __init__(self, now: Callable[[], float], notices: Sequence[str] = ()) -> None:
        self._now = now
        self._notices = tuple(notices)
        self._lock = RLock()
        self._rows: dict[str, str] = {}
        self._attempts: deque[AttemptRecord] = deque(maxlen=_HISTORY_RECORDS)
        self._requests: deque[RequestRecord] = deque(maxlen=_HISTORY_RECORDS)

    @property
    def notices(self) -> Sequence[str]:
        return self._notices

    def read(self, keys: Collection[str]) -> Mapping[str, Row]:
        with self._lock:
            return decoded_rows((key, self._rows[key]) for key in keys if key in self._rows)

    def scan(self, prefix: str) -> Mapping[str, Row]:
        with self._lock:
            return decoded_rows((key, text) for key, text in self._rows.items() if key.startswith(prefix))

    def transact(self, keys: Collection[str], step: Step[T], *, wait_s: float | None = None) -> T:  # noqa: ARG002 - nobody else holds this lock for long
        with self._lock:
            change = step(self.read(keys), self._now())
            writes = encoded_writes(keys, change)
            for key, text in writes.items():
                if text is None:
                    self._rows.pop(key, None)
                else:
                    self._rows[key] = text
            for record in change.append:
                match record:
                    case AttemptRecord():
                        self._attempts.append(storable(record))
                    case RequestRecord():
                        self._requests.append(storable(record))
            return change.result

    def attempts(self, *, since: float = 0.0, limit: int | None = None) -> Sequence[AttemptRecord]:
        with self._lock:
            return _last(self._attempts, since, limit)

    def requests(self, *, since: float = 0.0, limit: int | None = None) -> Sequence[RequestRecord]:
        with self._lock:
            return _last(self._requests, since, limit)

    def requests_named(self, prefix: str) -> Sequence[RequestRecord]:
        with self._lock:
            return [record for record in self._requests if record.id.startswith(prefix)]

    def attempts_of(self, request_id: str) -> Sequence[AttemptRecord]:
        with self._lock:
            return [record for record in self._attempts if record.request_id == request_id]

    def spent(self, *, since: float = 0.0) -> Mapping[str, float]:
        total: dict[str, float] = {}
        for record in self.attempts(since=since):
            if record.cost_usd is not None:
                key = f"{record.provider}/{record.model}"
                total[key] = total.get(key, 0.0) + record.cost_usd
        return total

    def close(self) -> None:
        """Nothing is held."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        self.close()


def _last(records: deque[R], since: float, limit: int | None) -> Sequence[R]:
    kept = [record for record in records if record.at >= since]
    return kept if limit is None else kept[max(0, len(kept) - limit) :]
