"""The request log: one line of JSON per request, on stdout, without a word of what was asked or answered.

Whoever reads stdout may stop reading (a pipe to a pager, Ctrl-S), so a thread writes, and a queue that runs full drops
lines and counts them: no answer waits for a log.
"""

import contextlib
import json
import os
import queue
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Final, Self

from llmr.server.call import Call

_LINES: Final = 10_000  # some 3 MB
_STDOUT: Final = 1
_LAST_S: Final = 0.1  # for the last lines: who has not read by then has stopped reading


class AccessLog:
    """A context manager. `write` takes whole lines; None: nothing is logged."""

    def __init__(self, redact: Callable[[str], str], write: Callable[[bytes], object] | None) -> None:
        self._redact = redact
        self._write = write
        self._lines: queue.Queue[bytes | None] = queue.Queue(_LINES)
        self._dropped = 0
        self._thread = threading.Thread(target=self._run, name="llmr-access-log", daemon=True)

    def __enter__(self) -> Self:
        if self._write is not None:
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._write is not None:
            with contextlib.suppress(queue.Full):
                self._lines.put(None, timeout=_LAST_S)
                self._thread.join(_LAST_S)

    def ended(self, call: Call, *, now: float, took_s: float) -> None:
        """One request is over."""
        if self._write is None:
            return
        entry = {
            "at": round(now, 3),
            "request_id": call.request_id,
            "method": call.method,
            "path": call.path[:200],
            "status": call.status,
            "outcome": call.outcome,
            "provider": call.provider,
            "model": call.model,
            "attempts": call.attempts,
            "cache": call.cached,
            "ms": round(took_s * 1000, 1),
            "bytes": call.sent_bytes,
        }
        if self._dropped:
            entry["dropped_before"] = self._dropped
        try:
            self._lines.put_nowait(self._redact(json.dumps(entry)).encode() + b"\n")
            self._dropped = 0
        except queue.Full:
            self._dropped += 1

    def _run(self) -> None:
        assert self._write is not None  # noqa: S101 - else there is no thread
        while (line := self._lines.get()) is not None:
            with contextlib.suppress(OSError):
                self._write(line)


def to_stdout(line: bytes) -> None:
    """Write all of it."""
    view = memoryview(line)
    while view:
        view = view[os.write(_STDOUT, view) :]
