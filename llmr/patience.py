"""A time-out that does not hold it against anybody that this process stood still.

Ctrl-Z, a closed laptop, a debugger: when the process goes on, every timer is long overdue and every answer has been waiting in
its socket. asyncio's time-out ends the wait first, and a provider that said all it had to would be booked as silent. A timer
that comes much too late is a sign of that, whatever the cause, so it is set once more.
"""

import asyncio
from types import TracebackType
from typing import Final, Self, final

STOOD_STILL_S: Final = 1.0  # a timer that is so late was not late by the load of the machine


@final
class Patience:
    """A block that ends in TimeoutError after `seconds`, or after twice as many where the process stood still meanwhile."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._timeout = asyncio.timeout(None)
        self._loop = asyncio.get_running_loop()
        self._again = True

    async def __aenter__(self) -> Self:
        await self._timeout.__aenter__()
        self._begin()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._timer.cancel()
        await self._timeout.__aexit__(kind, error, trace)

    def _begin(self) -> None:
        self._due_s = self._loop.time() + self._seconds
        self._timer = self._loop.call_at(self._due_s, self._over)

    def _over(self) -> None:
        if self._again and self._loop.time() - self._due_s > STOOD_STILL_S:
            self._again = False
            self._begin()
        else:
            self._timeout.reschedule(self._due_s)
