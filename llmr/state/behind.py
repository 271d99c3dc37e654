"""Writes that may wait: a thread of its own, a connection of its own, many steps in one transaction.

A server must not stop answering because another process holds the store's lock, and a transaction per request is a quarter of
its work. So what nobody has to know at once (history, latencies, counts) is handed over here; what others must know at once
(a circuit that opens, a probe, a slot) is still written by whoever asks. Steps are pure functions of rows, so a batch of them
is one: each sees what the ones before it wrote.

What cannot be written is kept for as long as the lock is held, up to `_MOST` steps; beyond that, and where the file cannot be
used at all, it is dropped and counted. So is a step that is at fault itself: those it shared a batch with are run without it.
An error that no step can be at fault for (memory runs out) ends the thread; what waits then is written by whoever closes.
"""

import threading
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any, Final, final

from llmr.errors import StateBusy, StateError
from llmr.state import AttemptRecord, Change, RequestRecord, Row, Step
from llmr.state.sqlite import SqliteStore

Waiting = tuple[frozenset[str], Step[None]]

_GATHER_S: Final = 0.05  # how long a write may wait for others to join it; what kill -9 loses
_AT_ONCE: Final = 128  # steps in a transaction: some 10 ms of lock
_MOST: Final = 20_000  # some 40 MB
_PATIENCE_S: Final = 5.0
# What a function over JSON rows can be at fault for; RecursionError: of a row too deep to be written as JSON.
_FAULTS: Final = (ArithmeticError, AssertionError, AttributeError, LookupError, RecursionError, TypeError, ValueError)


@final
class WriteBehind:
    """Owns `store`, and closes it."""

    def __init__(self, store: SqliteStore) -> None:
        self._store = store
        self._waiting: deque[Waiting] = deque()
        self._wake = threading.Event()
        self._ending = threading.Event()
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
        if len(self._waiting) >= _MOST:
            self._drop(1, "another process holds the lock")
            return
        self._waiting.append((touched, step))
        self._wake.set()

    def close(self) -> None:
        """Write what waits, and let go of the file."""
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
                self._store.write(keys, _joined(batch), wait_s=_PATIENCE_S)
            except StateBusy as error:
                if not self._ending.is_set():
                    continue
                self._drop(len(batch), str(error))
            except StateError as error:
                self._drop(len(batch), str(error))
            except _FAULTS as error:
                return f"a fault of llmr's own ({type(error).__name__})"
            return None

    def _drop_if(self, fault: str | None) -> None:
        if fault is not None:
            self._drop(1, fault)

    def _drop(self, count: int, why: str) -> None:
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
