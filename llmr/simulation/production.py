"""llmr itself under virtual time: the router's own course of a request, with waiting in place of sockets.

Everything that judges, admits and books is the production code: rules, registry over a store, selector, fallback handler,
circuits, limits, budgets, time-outs, hedging, and what a request asks of them (router/course.py). What router/loop.py and
router/race.py do with an event loop is done here with a list of lanes, because bytes, decoders and tasks would cost a
simulation most of its time:

    the router                              here
    waits for a socket, until a time-out    knows when the answer comes, and wakes at that moment or at the time-out's
    races two tasks up to a first token     takes the lane that ends first
    ends with the last token                ends with the first: no world says anything about what follows
    books a cost by tokens and price        books the provider's own figure, so that spend limits see it: a world has prices
                                            per request, and no tokens
    keeps a history; may be left half-way   does neither

tests/simulation/test_one_course.py runs the router over the same worlds on the same luck and finds the same attempts.
"""

from collections.abc import Generator
from contextlib import AbstractAsyncContextManager
from dataclasses import field, replace
from random import Random
from types import MappingProxyType
from typing import Final, assert_never

from llmr.catalog import Catalog, Model, NamedModel, Price, Provider, Strategy, WireFormat
from llmr.chat import ChatRequest, Delta, Message, Role, Usage
from llmr.dataclass import dataclass
from llmr.errors import ErrorKind, ProviderError
from llmr.exchange import HttpReply
from llmr.registry import ProviderRegistry
from llmr.router.asking import Asker, Asking
from llmr.router.course import Course
from llmr.router.planning import Planner
from llmr.router.progress import Progress
from llmr.routing.action import GiveUp, Try, Wait
from llmr.routing.estimate import PRIOR_OUTPUT_TOKENS
from llmr.routing.policy import Policy
from llmr.routing.rules import Rule, RulesEngine
from llmr.routing.verdict import verdict
from llmr.simulation.comparison import TIMED_OUT_COSTS
from llmr.simulation.network import Answer, AnswerKind, Network
from llmr.simulation.run import CHARGED_S, Served, Serving, VirtualClock
from llmr.simulation.world import World
from llmr.state import StateStore
from llmr.wire import wire_for
from llmr.wire.contract import HttpRequest

OUTPACED_COSTS: Final = 0.4  # of the price: worlds.md, a cancelled hedge loser
QUESTION: Final = (Message.text(Role.USER, "A question of ordinary length."),)


@dataclass(slots=True)
class _Lane:
    """One attempt under way. Times are seconds since the world began; `answer` is not looked at before `ends_s`."""

    asking: Asking
    answer: Answer
    started_s: float

    @property
    def took_s(self) -> float:
        """How long it takes to answer, to fail, or to be given up."""
        return min(self.answer.after_s, self.asking.limits.first_token_s)

    @property
    def ends_s(self) -> float:
        """When it is over."""
        return self.started_s + self.took_s

    @property
    def timed_out(self) -> bool:
        """Whether nothing came in time."""
        return self.answer.after_s > self.asking.limits.first_token_s

    @property
    def answered(self) -> bool:
        """Whether a first token comes at `ends_s`."""
        return self.answer.kind is AnswerKind.OK and not self.timed_out


@dataclass(slots=True)
class _Ledger:
    """What one request came to. `tries` are attempts by provider, an index; the first key is who was asked first."""

    tries: dict[int, int] = field(default_factory=dict[int, int])
    spend_usd: float = 0.0
    waste_usd: float = 0.0
    answered: int | None = None


class NoNetwork:
    """In place of the HTTP client: nothing is ever sent from a simulation."""

    async def prepare(self, provider: Provider) -> None:
        """As exchange.Transport; a simulation needs no key."""
        del provider

    def stream(
        self, request: HttpRequest, provider: Provider, *, connect_s: float
    ) -> AbstractAsyncContextManager[HttpReply]:
        """As exchange.Transport."""
        del request, connect_s
        raise RuntimeError(f"a simulation asks nobody, not {provider.name} either")


class Production:
    """llmr with `policy` and `rules`."""

    def __init__(
        self,
        world: World,
        network: Network,
        clock: VirtualClock,
        store: StateStore,
        policy: Policy,
        chance: Random,
        *,
        catalog: Catalog,
        rules: tuple[Rule, ...] = (),
        strategy: str | None = None,
    ) -> None:
        """`strategy` as the command line has it: over every rule's and name's."""
        self._network = network
        self._clock = clock
        self._index = {profile.name: index for index, profile in enumerate(world.providers)}
        self._prices_usd = tuple(profile.usd_per_1000 / 1000 for profile in world.providers)
        registry = ProviderRegistry(store, policy.breaker, chance, spend=policy.spend)
        self._planner = Planner(catalog, RulesEngine(rules, policy.strategy), policy, registry, clock)
        self._asker = Asker(registry, NoNetwork(), wire_for, clock, policy)
        self._course = Course(self._planner, self._asker, policy, clock, chance)
        self._request = ChatRequest(QUESTION, model=world.asks, strategy=strategy)

    def serve(self, request: int, at_s: float) -> Serving:
        """As run.Policy."""
        progress, ledger = self._course.begin(self._request, self._planner.plan(self._request)), _Ledger()
        while ledger.answered is None:
            action = self._course.next_action(progress)
            match action:
                case Wait():
                    yield self._clock.elapsed_s + action.seconds
                case GiveUp():
                    over_budget = verdict(action.failures) is ErrorKind.BUDGET
                    return _served(progress, ledger, at_s, CHARGED_S, over_budget=over_budget)
                case Try():
                    yield from self._try(progress, ledger, request, action)
                case _:
                    assert_never(action)
            if ledger.answered is None:
                self._course.rank_anew(progress)
        return _served(progress, ledger, at_s, self._course.elapsed_s(progress))

    def _try(self, progress: Progress, ledger: _Ledger, number: int, action: Try) -> Generator[float, None, None]:
        """Ask one candidate, and a second beside it where that is due. Ends with an answer or with failures told."""
        asking = self._course.admitted(progress, action)
        if asking is None:
            return
        first = self._lane(ledger, number, asking)
        lanes = [first]
        hedge_after_s = self._course.hedge_after_s(progress, action, asking)
        if hedge_after_s is not None and first.started_s + hedge_after_s < first.ends_s:
            yield first.started_s + hedge_after_s
            other = self._course.beside(progress, asking)
            second = None if other is None else self._course.admitted_beside(progress, other)
            lanes += [] if second is None else [self._lane(ledger, number, second)]
        while lanes and ledger.answered is None:
            lane = min(lanes, key=lambda one: one.ends_s)
            yield lane.ends_s
            lanes.remove(lane)
            if lane.answered:
                self._won(progress, ledger, lane, lanes)
            else:
                self._failed(progress, ledger, lane)

    def _lane(self, ledger: _Ledger, number: int, asking: Asking) -> _Lane:
        provider, now_s = self._provider(asking), self._clock.elapsed_s
        nth = ledger.tries.get(provider, 0)
        ledger.tries[provider] = nth + 1
        asking.sent = True
        return _Lane(asking, self._network.ask(number, provider, nth, now_s), now_s)

    def _won(self, progress: Progress, ledger: _Ledger, lane: _Lane, losers: list[_Lane]) -> None:
        asking = lane.asking
        asking.ttft_s = lane.took_s
        self._asker.first_token(asking)
        ledger.answered = self._provider(asking)
        for loser in losers:
            self._wasted(ledger, loser, OUTPACED_COSTS)
            self._course.outpaced(progress, loser.asking, self._asker.took_s(loser.asking))
        ledger.spend_usd += self._billed(asking, 1.0)
        self._asker.report(progress, asking, None)

    def _failed(self, progress: Progress, ledger: _Ledger, lane: _Lane) -> None:
        if lane.timed_out:
            self._wasted(ledger, lane, TIMED_OUT_COSTS)
        self._course.failed(progress, lane.asking, _error(lane))

    def _wasted(self, ledger: _Ledger, lane: _Lane, share: float) -> None:
        usd = self._billed(lane.asking, share)
        ledger.spend_usd += usd
        ledger.waste_usd += usd

    def _billed(self, asking: Asking, share: float) -> float:
        """What the provider charges for the attempt, as dollars and as the last thing it says of it."""
        usd = share * self._prices_usd[self._provider(asking)]
        asking.came.append(Delta(usage=Usage(cost_usd=usd)))
        return usd

    def _provider(self, asking: Asking) -> int:
        return self._index[asking.candidate.model.provider.name]


def _served(progress: Progress, ledger: _Ledger, at_s: float, ttft_s: float, *, over_budget: bool = False) -> Served:
    return Served(
        at_s=at_s,
        ttft_s=ttft_s,
        attempts=progress.attempts,
        asked_first=next(iter(ledger.tries), None),
        answered=ledger.answered,
        spend_usd=ledger.spend_usd,
        waste_usd=ledger.waste_usd,
        over_budget=over_budget,
    )


def catalog_of(world: World, known: Catalog | None = None) -> Catalog:
    """The world's providers as what can be asked, under the name that the world asks for.

    A provider that `known` has by the same name brings its limits, time-outs, shares and weight; a key it does not need.
    """
    providers: dict[str, Provider] = {}
    for profile in world.providers:
        own = known.providers.get(profile.name) if known is not None else None
        blank = Provider(profile.name, WireFormat.OPENAI, "")
        providers[profile.name] = blank if own is None else replace(own, off_reason=None, key=None)
    models = {
        f"{profile.name}/{profile.model}": Model(
            providers[profile.name],
            profile.model,
            Price(0.0, profile.usd_per_1000 / 1000 / PRIOR_OUTPUT_TOKENS * 1e6),
        )
        for profile in world.providers
    }
    name = NamedModel(world.asks, tuple(models), strategy=strategy_of(world.asks, known))
    return Catalog(MappingProxyType(providers), MappingProxyType({world.asks: name}), MappingProxyType(models))


def strategy_of(name: str, known: Catalog | None) -> Strategy | None:
    """The strategy that the user's own table for this name asks for."""
    own = known.names.get(name) if known is not None else None
    return own.strategy if own is not None else None


def _error(lane: _Lane) -> ProviderError:
    answer = lane.answer
    if lane.timed_out:
        hurried = lane.asking.limits.hurried
        kind = ErrorKind.DEADLINE if hurried else ErrorKind.FIRST_TOKEN_TIMEOUT
        return ProviderError(kind, "no first token in time")
    match answer.kind:
        case AnswerKind.LIMITED:
            return ProviderError(
                ErrorKind.RATE_LIMIT, "too many requests", status=429, retry_after_s=answer.retry_after_s
            )
        case AnswerKind.ERROR | AnswerKind.NEVER | AnswerKind.OK:
            return ProviderError(ErrorKind.SERVER, "internal error", status=500)
        case _:
            assert_never(answer.kind)
