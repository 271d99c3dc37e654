"""Virtual time: requests that overlap, each a generator that says when it wants to be woken.

    arrival ─▶ policy.serve(request) ─▶ yields "wake me at t" … ─▶ returns Served
                   ▲                         │
                   └──── heap of (t, n) ◀────┘        time moves only here

So a result is reported when it happens, and a policy that decides in between does not know it yet. Wakings at the same
moment keep the order in which they were asked for: the same seed gives the same run, to the last digit.
"""

import heapq
import time
from collections.abc import Callable, Generator
from contextlib import AbstractAsyncContextManager
from typing import Final, Protocol

from llmr.dataclass import dataclass
from llmr.routing.situation import MINUTES_A_WEEK
from llmr.simulation.luck import arrivals
from llmr.simulation.network import Network
from llmr.simulation.world import World

_BEGINS: Final = (
    2023,
    11,
    13,
    0,
    0,
    0,
    0,
    0,
    -1,
)  # a Monday, local time: budgets are per local day. No clock changes near
CHARGED_S: Final = 60.0  # a failed request, in the percentiles: worlds.md


class VirtualClock:
    """Seconds since the world began; moved by `run` only. It is an exchange.Clock to whoever reads it; nobody awaits it."""

    def __init__(self) -> None:
        self.elapsed_s = 0.0
        self._began_at = time.mktime(_BEGINS)

    def now(self) -> float:
        """Wall-clock seconds."""
        return self._began_at + self.elapsed_s

    def monotonic(self) -> float:
        """Seconds that never run backwards."""
        return self.elapsed_s

    def minute_of_week(self) -> int:
        """Minutes since Monday, 0:00: worlds begin then."""
        return int(self.elapsed_s // 60) % MINUTES_A_WEEK

    async def sleep(self, seconds: float) -> None:
        """Never: a policy yields the moment at which it wants to go on."""
        raise RuntimeError(f"virtual time moves by events only, not by sleeping {seconds} s")

    def timeout(self, seconds: float) -> AbstractAsyncContextManager[object]:
        """Never, likewise."""
        raise RuntimeError(f"virtual time moves by events only, not by a time-out of {seconds} s")


@dataclass(frozen=True, slots=True)
class Served:
    """One request. `at_s` since the world began; `asked_first` and `answered` are indexes of providers, None: nobody.

    `ttft_s` is from the request's arrival; a failed one is charged CHARGED_S. Money in dollars; waste is part of spend.
    `over_budget`: it failed because a spend limit or a price cap left nobody.
    """

    at_s: float
    ttft_s: float
    attempts: int
    asked_first: int | None
    answered: int | None
    spend_usd: float
    waste_usd: float
    over_budget: bool = False


Serving = Generator[float, None, Served]
"""Yields the moments (seconds since the world began) at which it wants to go on."""


class Policy(Protocol):
    """Somebody who serves requests. `request` counts from 0; `at_s` is its arrival, which is the clock's time."""

    def serve(self, request: int, at_s: float) -> Serving: ...


PolicyFactory = Callable[[World, Network, VirtualClock, int], Policy]
"""(world, network, clock, seed) → a policy at the beginning of its life."""


def run(world: World, make: PolicyFactory, seed: int) -> list[Served]:
    """Every request of `world` under `seed`, in the order of arrival."""
    clock = VirtualClock()
    policy = make(world, Network(world, seed), clock, seed)
    served: dict[int, Served] = {}
    queue: list[tuple[float, int, int, Serving | None]] = []
    coming = enumerate(arrivals(world, seed))
    entered = 0

    def expect_next() -> None:
        nonlocal entered
        request, at_s = next(coming, (0, None))
        if at_s is not None:
            entered += 1
            heapq.heappush(queue, (at_s, entered, request, None))

    expect_next()
    while queue:
        at_s, _, request, serving = heapq.heappop(queue)
        clock.elapsed_s = at_s
        if serving is None:
            serving = policy.serve(request, at_s)
            expect_next()
        try:
            wake_s = next(serving)
        except StopIteration as end:
            served[request] = end.value
            continue
        entered += 1
        heapq.heappush(queue, (max(wake_s, at_s), entered, request, serving))
    return [served[request] for request in sorted(served)]
