"""The state of one simulated llmr: a StateStore that keeps rows as they are.

Every real store keeps JSON text, so that no row shares a list with the step that wrote it. Here nobody else could see such a
list and every step makes new rows, so half of a simulation's time, spent on encoding and decoding, can be saved. History is
not kept: nobody reads it.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from types import TracebackType
from typing import Self, TypeVar, final

from llmr.state import AttemptRecord, RequestRecord, Row, Step

T = TypeVar("T")


@final
class Rows:
    """One process, one thread. `now` gives wall-clock seconds."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._rows: dict[str, Row] = {}

    @property
    def notices(self) -> Sequence[str]:
        """None ever."""
        return ()

    def read(self, keys: Collection[str]) -> Mapping[str, Row]:
        """As StateStore."""
        rows = self._rows
        return {key: rows[key] for key in keys if key in rows}

    def scan(self, prefix: str) -> Mapping[str, Row]:
        """As StateStore."""
        return {key: row for key, row in self._rows.items() if key.startswith(prefix)}

    def transact(self, keys: Collection[str], step: Step[T], *, wait_s: float | None = None) -> T:
        """As StateStore."""
        del wait_s
        change = step(self.read(keys), self._now())
        for key, row in change.writes.items():
            if row is None:
                self._rows.pop(key, None)
            else:
                self._rows[key] = row
        return change.result

    def attempts(self, *, since: float = 0.0, limit: int | None = None) -> Sequence[AttemptRecord]:
        """None are kept."""
        del since, limit
        return ()

    def requests(self, *, since: float = 0.0, limit: int | None = None) -> Sequence[RequestRecord]:
        """None are kept."""
        del since, limit
        return ()

    def requests_named(self, prefix: str) -> Sequence[RequestRecord]:
        """None are kept."""
        del prefix
        return ()

    def attempts_of(self, request_id: str) -> Sequence[AttemptRecord]:
        """None are kept."""
        del request_id
        return ()

    def spent(self, *, since: float = 0.0) -> Mapping[str, float]:
        """Nothing is kept."""
        del since
        return {}

    def close(self) -> None:
        """Nothing is held."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        self.close()
