"""When the books are written: at once, a moment later, or at the end.

    urgent ──────────────▶ at once ──┬─ the lock is free ─▶ written, and with it whatever had to wait
    the rest ─▶ `Later`, or likewise └─ another holds it ─▶ kept for the next write that succeeds, or for `flush`

Bookkeeping never fails a request. What still cannot be written at the end is dropped and counted; a store that cannot be read
is an empty one. A lock is ordinary and nobody is told of it; a store that cannot be used is something to be told.
"""

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from random import Random
from typing import Final, Protocol

from llmr.errors import StateBusy, StateError
from llmr.registry import keys
from llmr.registry.results import DAY_S
from llmr.state import Change, Row, StateStore, Step

BUSY_S: Final = 0.25  # trust.md §5: no answer waits longer for the store
FLUSH_S: Final = 2.0  # at the end, when the answer is out, patience costs nothing
HISTOGRAM_DAYS: Final = 35
TIDY_CHANCE: Final = 1 / 64  # old histograms are looked for by one process in so many


class Later(Protocol):
    """Who writes what may wait a moment."""

    @property
    def notices(self) -> Sequence[str]:
        """What a person should know of it, a line each."""
        ...

    def put(self, touched: frozenset[str], step: Step[None]) -> None:
        """Run the step over the rows of these keys, soon. Never raises, never waits."""
        ...


class Books:
    """Reads and writes for which no error is raised. One per registry."""

    def __init__(self, store: StateStore, chance: Random, later: Later | None) -> None:
        self._store = store
        self._chance = chance
        self._later = later
        self._pending: deque[tuple[frozenset[str], Step[None]]] = deque()
        self._dropped = 0
        self._trouble: str | None = None
        self.wait_s = BUSY_S if later is None else None
        """How long a write waits for the lock; None: the store's own patience, which is a server's."""

    @property
    def notices(self) -> Sequence[str]:
        """What a person should know about the state: set aside, in memory only, samples dropped."""
        told = (*self._store.notices, *(self._later.notices if self._later is not None else ()))
        if self._trouble is None:
            return told
        what = f"{self._dropped} records could not be written" if self._dropped else "the state was not fully usable"
        return (*told, f"{what}: {self._trouble}")

    def read(self, needed: Iterable[str]) -> Mapping[str, Row]:
        """The rows that there are; none where the store cannot be read."""
        try:
            return self._store.read(set(needed))
        except StateError as error:
            self.met(error)
            return {}

    def write(self, touched: frozenset[str], step: Step[None], *, urgent: bool) -> None:
        """Write at once what others must know at once; the rest, and what the lock keeps out, may wait."""
        if self._later is not None and not urgent:
            self._later.put(touched, step)
            return
        try:
            self._store.transact(touched, step, wait_s=self.wait_s)
        except StateBusy:
            if self._later is not None:
                self._later.put(touched, step)
            else:
                self._pending.append((touched, step))
        except StateError as error:
            self._drop(error)
        else:
            self._catch_up()

    def flush(self) -> None:
        """Write what had to wait; what still cannot be written is dropped and counted."""
        patience_s = FLUSH_S  # for all of them together: who holds the lock for so long will not let the next one in
        while self._pending:
            touched, step = self._pending.popleft()
            try:
                self._store.transact(touched, step, wait_s=patience_s)
            except StateError as error:
                patience_s = 0.0
                self._drop(error)
        if self._chance.random() < TIDY_CHANCE:
            self._tidy()

    def met(self, error: StateError) -> None:
        """Trouble that lost nothing yet. A lock is ordinary; a store that cannot be used is something to be told."""
        if not isinstance(error, StateBusy):
            self._trouble = str(error)

    def _drop(self, error: StateError) -> None:
        self._dropped += 1
        self._trouble = str(error)

    def _catch_up(self) -> None:
        """The lock is free again: write what it kept out, before it is old."""
        while self._pending:
            touched, step = self._pending[0]
            try:
                self._store.transact(touched, step, wait_s=self.wait_s)
            except StateBusy:
                return
            except StateError as error:
                self._drop(error)
            self._pending.popleft()

    def _tidy(self) -> None:
        """Drop histograms older than HISTOGRAM_DAYS."""

        def step(rows: Mapping[str, Row], now: float) -> Change[None]:
            oldest = int(now // DAY_S) - HISTOGRAM_DAYS
            return Change(None, {key: None for key in rows if keys.day_of(key) < oldest})

        try:
            self._store.transact(set(self._store.scan("h:")), step)
        except StateError as error:
            self.met(error)
