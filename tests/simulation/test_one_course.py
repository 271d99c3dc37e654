"""The router over a world's network and the simulation of that world, on the same luck: the same attempts at the same moments.

The simulation has a waiting of its own (llmr/simulation/production.py). What is decided and booked is one piece of code
(llmr/router/course.py); this shows that the two also ask it the same things in the same order.
"""

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing, asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from random import Random

import pytest
from fakes import RacingClock, VirtualLoop, event, token

from llmr.catalog import Provider, Strategy
from llmr.chat import ChatRequest
from llmr.errors import AllAttemptsFailed
from llmr.registry import ProviderRegistry
from llmr.router import Answering, Router
from llmr.routing.policy import HedgingPolicy, Policy
from llmr.routing.rules import RulesEngine
from llmr.simulation.luck import arrivals
from llmr.simulation.network import Answer, AnswerKind, Network
from llmr.simulation.production import QUESTION, Production, catalog_of
from llmr.simulation.rows import Rows
from llmr.simulation.run import VirtualClock, run
from llmr.simulation.world import Incident, IncidentKind, Steady, World
from llmr.simulation.worlds import PROVIDERS
from llmr.wire import wire_for
from llmr.wire.contract import HttpRequest

K = IncidentKind
A, B, C = ((profile.name,) for profile in PROVIDERS[:3])
EVERYONE = tuple(profile.name for profile in PROVIDERS)
SEED = 5
POLICY = Policy(strategy=Strategy.LATENCY)
HEDGING = replace(POLICY, hedging=HedgingPolicy(enabled=True))
QUIET = World("quiet", 240.0, PROVIDERS, (), Steady(1.0))
BAD_DAY = World(
    "bad day",
    900.0,
    PROVIDERS,
    (
        Incident(60, 150, A, K.DOWN),
        Incident(200, 300, A, K.SLOW, factor=6.0),
        Incident(300, 380, (*A, *B), K.ERRORS, share=0.5),
        Incident(380, 480, (*A, *B), K.RATE, per_minute=6.0),
        Incident(480, 520, A, K.HANG),
        Incident(560, 680, (*A, *B, *C), K.FLAP, period_s=40.0),
    ),
    Steady(1.0),
)
# Who waits for the same circuit wakes at the same moment: which of two goes first then is rounding, so there are not two.
BLACKOUTS = World(
    "blackouts",
    3_600.0,
    PROVIDERS,
    tuple(Incident(start_s, start_s + 90, EVERYONE, K.DOWN) for start_s in range(600, 3_600, 600)),
    Steady(1 / 45),
)


@dataclass
class Log:
    """What one side did: each attempt as (request, provider, which try of it) with its moment, and each request's end: who
    answered (None: nobody), and when."""

    tries: list[tuple[int, int, int]] = field(default_factory=list)
    moments_s: list[float] = field(default_factory=list)
    answered: dict[int, int | None] = field(default_factory=dict)
    ended_s: dict[int, float] = field(default_factory=dict)


class Overheard(Network):
    """A network that notes what it is asked."""

    def __init__(self, world: World, seed: int, log: Log) -> None:
        super().__init__(world, seed)
        self._log = log

    def ask(self, request: int, provider: int, attempt: int, at_s: float) -> Answer:
        self._log.tries.append((request, provider, attempt))
        self._log.moments_s.append(at_s)
        return super().ask(request, provider, attempt, at_s)


def simulated(world: World, policy: Policy) -> Log:
    log = Log()

    def make(world: World, _network: Network, clock: VirtualClock, seed: int) -> Production:
        overheard, catalog = Overheard(world, seed, log), catalog_of(world)
        return Production(world, overheard, clock, Rows(clock.now), policy, Random(seed), catalog=catalog)

    for number, served in enumerate(run(world, make, SEED)):
        log.answered[number] = served.answered
        if served.answered is not None:
            log.ended_s[number] = served.at_s + served.ttft_s
    return log


# The router

ASKING: ContextVar[int] = ContextVar("the number of the request under way, which its tasks inherit")


class Reply:
    def __init__(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        self.status = status
        self.headers = headers
        self._body = body

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        yield self._body

    async def body(self, limit_bytes: int, *, within_s: float) -> bytes:
        return self._body[:limit_bytes]


WHOLE = token("yes") + event({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
REFUSED = json.dumps({"error": {"message": "no"}}).encode()


class WorldTransport:
    """The network of a world as HTTP, in the event loop's time."""

    def __init__(self, world: World, network: Network, clock: RacingClock) -> None:
        self._index = {profile.name: index for index, profile in enumerate(world.providers)}
        self._network = network
        self._clock = clock
        self._tries: dict[tuple[int, int], int] = {}

    async def prepare(self, provider: Provider) -> None:
        pass

    @asynccontextmanager
    async def stream(
        self, request: HttpRequest, provider: Provider, *, connect_s: float
    ) -> AsyncGenerator[Reply, None]:
        number, index = ASKING.get(), self._index[provider.name]
        nth = self._tries.get((number, index), 0)
        self._tries[number, index] = nth + 1
        answer = self._network.ask(number, index, nth, self._clock.monotonic())
        await self._clock.take(answer.after_s)
        match answer.kind:
            case AnswerKind.OK:
                yield Reply(200, WHOLE, {})
            case AnswerKind.LIMITED:
                assert answer.retry_after_s is not None
                yield Reply(429, REFUSED, {"retry-after": f"{answer.retry_after_s:g}"})
            case AnswerKind.ERROR:
                yield Reply(500, REFUSED, {})
            case AnswerKind.NEVER:
                raise AssertionError("that was long")


def routed(world: World, policy: Policy) -> Log:
    log, clock, chance = Log(), RacingClock(VirtualClock().now()), Random(SEED)
    registry = ProviderRegistry(Rows(clock.now), policy.breaker, chance)
    router = Router(
        catalog=catalog_of(world),
        rules=RulesEngine((), policy.strategy),
        policy=policy,
        registry=registry,
        transport=WorldTransport(world, Overheard(world, SEED, log), clock),
        wires=wire_for,
        clock=clock,
        chance=chance,
    )
    index = {profile.name: place for place, profile in enumerate(world.providers)}

    async def ask(number: int) -> None:
        ASKING.set(number)
        log.answered[number] = None
        try:
            async with aclosing(router.stream(ChatRequest(QUESTION, model=world.asks))) as events:
                async for one in events:
                    if isinstance(one, Answering):
                        log.answered[number] = index[one.candidate.model.provider.name]
                        log.ended_s[number] = clock.monotonic()
        except AllAttemptsFailed:
            pass

    async def day() -> None:
        clock.monotonic()  # the day begins
        async with asyncio.TaskGroup() as requests:
            for number, at_s in enumerate(arrivals(world, SEED)):
                await asyncio.sleep(at_s - clock.monotonic())
                requests.create_task(ask(number))

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(day())
    return log


@pytest.mark.parametrize("policy", [POLICY, HEDGING], ids=["unhedged", "hedged"])
@pytest.mark.parametrize("world", [QUIET, BAD_DAY, BLACKOUTS], ids=lambda world: world.name)
def test_the_router_and_the_simulation_make_the_same_attempts_at_the_same_moments(world: World, policy: Policy) -> None:
    real, simulation = routed(world, policy), simulated(world, policy)
    assert real.tries == simulation.tries
    assert real.moments_s == pytest.approx(simulation.moments_s, rel=1e-6)
    assert real.answered == simulation.answered
    assert real.ended_s == pytest.approx(simulation.ended_s, rel=1e-6)


def test_these_days_are_bad_enough_to_tell_the_two_apart() -> None:
    """They come to fallbacks, retries, waits, early probes, hedges and requests that nobody answers."""
    plain, hedged, dark = simulated(BAD_DAY, POLICY), simulated(BAD_DAY, HEDGING), simulated(BLACKOUTS, POLICY)
    assert len(plain.tries) > 1.05 * len(plain.answered)
    assert len(hedged.tries) > len(plain.tries) + 20
    assert sum(nth > 0 for _, _, nth in dark.tries) > 5
    assert None in dark.answered.values()
