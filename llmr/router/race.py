"""Two attempts at once, until one of them speaks: hedging as it is done (routing/hedging.py says when and with whom).

    first   ───────────────────┬─── content ──▶ leads; the other is cancelled, closed and booked behind the first text
                               │ after_s
    second                     └─── content ──▶ likewise

Each attempt is read by a task of its own up to its first content and no further, so the pace of the reader holds for the one
that leads. One that fails while the other is under way is a failure like any other. Whoever leaves the block early takes
both attempts with him: no task and no socket outlives it.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable

from llmr.errors import LlmrError
from llmr.exchange import Clock
from llmr.router.asking import Asker, Asking
from llmr.router.events import AttemptFailed, AttemptStarted, Outpaced


class Race:
    """One race. `entered` are all that took part; after `run`, `leader` is the attempt that spoke first (None: every one
    failed), `losers` are to be settled."""

    def __init__(self, asker: Asker, clock: Clock) -> None:
        self._asker = asker
        self._clock = clock
        self._tasks: dict[asyncio.Task[None], Asking] = {}
        self.entered: list[Asking] = []
        self.leader: Asking | None = None
        self.losers: list[tuple[Asking, float]] = []  # and the seconds after which each was given up

    async def run(
        self,
        first: Asking,
        *,
        after_s: float,
        second: Callable[[], Awaitable[Asking | None]],
        failed: Callable[[Asking, LlmrError], AttemptFailed],
    ) -> AsyncGenerator[AttemptStarted | AttemptFailed | Outpaced, None]:
        """Read `first`; where it is silent for `after_s` seconds, what `second` gives beside it. `failed` books a failure."""
        self.entered.append(first)
        self._start(first)
        if not await self._anyone_done(after_s):
            other = await second()
            if other is not None:
                self.entered.append(other)
                yield other.started
                if self._asker.is_stale(other):  # the reader paused for so long that its leases may be another's
                    yield self._lost(other)
                else:
                    self._start(other)
        while self._tasks and self.leader is None:
            done, _ = await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
            spoke: list[Asking] = []
            for task in sorted(done, key=lambda one: self._tasks[one].number):
                asking = self._tasks.pop(task)
                error = task.exception()
                if error is None:
                    spoke.append(asking)
                elif isinstance(error, LlmrError):
                    yield failed(asking, error)
                else:
                    raise error
            self.leader = spoke[0] if spoke else None
            for asking in spoke[1:]:  # in the same moment: nobody saw which was first, so the one that was asked first
                yield self._lost(asking)
        for task, asking in self._tasks.items():
            task.cancel()  # without waiting for it: the leader's text comes first
            yield self._lost(asking)

    async def close(self) -> None:
        """End what still runs: wait for its tasks and close its sockets. The leader is not touched."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)
        for asking in self._tasks.values():
            await asking.close()
        self._tasks.clear()

    def _start(self, asking: Asking) -> None:
        self._tasks[asyncio.get_running_loop().create_task(asking.until_content())] = asking

    async def _anyone_done(self, within_s: float) -> bool:
        try:
            async with self._clock.timeout(within_s):
                await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
        except TimeoutError:
            return False
        return True

    def _lost(self, asking: Asking) -> Outpaced:
        after_s = self._asker.took_s(asking)
        self.losers.append((asking, after_s))
        return Outpaced(asking.candidate, after_s, asking.number)
