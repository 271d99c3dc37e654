"""Writes that may wait: a thread of its own, a connection of its own, many steps in one transaction.

A server must not stop answering because another process holds the store's lock, and a transaction per request is a quarter of
its work. So what nobody has to know at once (history, latencies, counts) is handed over here; what others must know at once
(a circuit that opens, a probe, a slot) is still written by whoever asks. Steps are pure functions of rows, so a batch of them
is one: each sees what the ones before it wrote.

What cannot be written is kept for as long as the lock is held, up to `_MOST` steps; beyond that, and where the file cannot be
used at all, it is dropped and counted. At the end `close` waits `_PATIENCE_S` for all of it together, and drops the rest. So
is a step dropped that is at fault itself: those it shared a batch with are run without it. An error that no step can be at
fault for (memory runs out) ends the thread; what waits then is written by whoever closes.
"""

import math
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, final

from llmr.errors import StateBusy, StateError
from llmr.state import AttemptRecord, Change, RequestRecord, Row, Step
from llmr.state.sqlite import SqliteStore

Waiting = tuple[frozenset[str], Step[None]]

_GATHER_S: Final = 0.05  # how long a write may wait for others to join it; what kill -9 loses
_AT_ONCE: Final = 128  # steps in a transaction: some 10 ms of lock
_MOST: Final = 20_000  # some 40 MB
_PATIENCE_S: Final = 5.0  # of the whole of `close`
_TURN_S: Final = 0.5  # how long one try waits for the lock: `close` cannot interrupt it
# What a function over JSON rows can be at fault for; RecursionError: of a row too deep to be written as JSON.
_FAULTS: Final = (ArithmeticError, AssertionError, AttributeError, LookupError, RecursionError, TypeError, ValueError)


@final
class WriteBehind:
    """Owns `store`, and closes it. `monotonic` gives seconds."""

    def __init__(self, store: SqliteStore, monotonic: Callable[[], float]) -> None:
        self._store = store
        self._monotonic = monotonic
        self._waiting: deque[Waiting] = deque()
        self._wake = threading.Event()
        self._ending = threading.Event()
        self._ends_at_s = math.inf  # when nobody waits for the lock any more
        self._counting = threading.Lock()  # whoever puts drops too
        self._dropped = 0
        self._trouble: str | None = None
        self._thread = threading.Thread(target=self._run, name="llmr-state", daemon=True)
        self._thread.start()

    @property
    def notices(self) -> Sequence[str]:
        """What a person should know, a line each."""
        return () if self._trouble is None else (f"{self._dropped} records could not be written: {self._trouble}",)

    def put(self, touched: frozenset[str], step: Step[None]) -> None:
        """Run `step` over the rows of `touched`, soon. Never raises, never waits."""
        if self._ending.is_set():
            self._drop(1, "they came after the end")
            return
        if len(self._waiting) >= _MOST:
            alive = self._thread.is_alive()
            self._drop(1, "another process holds the lock" if alive else "the thread that writes them has died")
            return
        self._waiting.append((touched, step))
        self._wake.set()

    def close(self) -> None:
        """Write what waits, for `_PATIENCE_S` at most where the lock is held, and let go of the file."""
        self._ends_at_s = self._monotonic() + _PATIENCE_S
        self._ending.set()
        self._wake.set()
        self._thread.join()
        self._write_all()
        self._store.close()

    def _run(self) -> None:
        while not self._ending.is_set():
            self._wake.wait()
            self._ending.wait(_GATHER_S)
            self._wake.clear()
            self._write_all()

    def _write_all(self) -> None:
        while self._waiting:
            batch = [self._waiting.popleft() for _ in range(min(_AT_ONCE, len(self._waiting)))]
            fault = self._write(batch)
            if fault is not None:
                for one in batch:
                    self._drop_if(self._write([one]))

    def _write(self, batch: Sequence[Waiting]) -> str | None:
        """Write the batch, or drop it where the file cannot be used. What is wrong where a step of it is at fault; then nothing
        is written."""
        keys = {key for touched, _ in batch for key in touched}
        while True:
            try:
                self._store.write(keys, _joined(batch), wait_s=min(_TURN_S, self._left_s))
            except StateBusy as error:
                if self._left_s > 0.0:
                    continue
                self._drop(len(batch), str(error))
            except StateError as error:
                self._drop(len(batch), str(error))
            except _FAULTS as error:
                return f"a fault of llmr's own ({type(error).__name__})"
            return None

    @property
    def _left_s(self) -> float:
        """How long the lock may still be waited for."""
        return max(0.0, self._ends_at_s - self._monotonic())

    def _drop_if(self, fault: str | None) -> None:
        if fault is not None:
            self._drop(1, fault)

    def _drop(self, count: int, why: str) -> None:
        with self._counting:
            self._dropped += count
            self._trouble = why


def _joined(batch: Sequence[Waiting]) -> Step[None]:
    """The steps as one: each sees the rows as the ones before it left them."""

    def step(rows: Mapping[str, Row], now: float) -> Change[None]:
        current: dict[str, Any] = dict(rows)
        writes: dict[str, Row | None] = {}
        records: list[AttemptRecord | RequestRecord] = []
        for touched, one in batch:
            change = one({key: current[key] for key in touched if key in current}, now)
            for key, row in change.writes.items():
                writes[key] = row
                if row is None:
                    current.pop(key, None)
                else:
                    current[key] = row
            records += change.append
        return Change(None, writes, append=tuple(records))

    return step
