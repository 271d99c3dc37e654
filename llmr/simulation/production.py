"""llmr itself under virtual time: what router/loop.py does, with waiting in place of sockets.

Everything that judges and everything that books is the production code: Planner (rules, registry over a store, selector),
FallbackHandler, Asker (admission by circuits, limits, budgets and spend limits; time-outs; reports), hedging. Only the loop
around them is a second one, because the router's is made of async generators around bytes; it makes the same calls in the
same order. A first token is the end of a request here: no world says anything about what follows. What an attempt costs is
booked as the provider's own figure, so that spend limits see it: a world has prices per request, and no tokens.
"""

from collections.abc import Generator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace
from random import Random
from types import MappingProxyType
from typing import Final, assert_never

from llmr.catalog import Catalog, Model, NamedModel, Price, Provider, Strategy, WireFormat
from llmr.chat import ChatRequest, Delta, Message, Role, Usage
from llmr.errors import ErrorKind, ProviderError, kind_named
from llmr.exchange import HttpReply
from llmr.registry import ProviderRegistry
from llmr.router.asking import Asker, Asking
from llmr.router.planning import Planner
from llmr.router.progress import Progress
from llmr.routing import hedging
from llmr.routing.fallback import FallbackHandler, GiveUp, Try, Wait
from llmr.routing.latency import PRIOR_OUTPUT_TOKENS
from llmr.routing.policy import Policy
from llmr.routing.rules import Rule, RulesEngine
from llmr.routing.selector import Selection
from llmr.routing.verdict import verdict
from llmr.simulation.comparison import TIMED_OUT_COSTS
from llmr.simulation.network import Answer, AnswerKind, Network
from llmr.simulation.run import CHARGED_S, Served, Serving, VirtualClock
from llmr.simulation.world import World
from llmr.state import StateStore
from llmr.wire import wire_for
from llmr.wire.contract import HttpRequest

OUTPACED_COSTS: Final = 0.4  # of the price: worlds.md, a cancelled hedge loser
_QUESTION: Final = (Message.text(Role.USER, "A question of ordinary length."),)


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


class _NoNetwork:
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
        self._policy = policy
        self._chance = chance
        self._index = {profile.name: index for index, profile in enumerate(world.providers)}
        self._prices_usd = tuple(profile.usd_per_1000 / 1000 for profile in world.providers)
        registry = ProviderRegistry(store, policy.breaker, chance, spend=policy.spend)
        self._planner = Planner(catalog, RulesEngine(rules, policy.strategy), policy, registry, clock)
        self._asker = Asker(registry, _NoNetwork(), wire_for, clock, policy)
        self._request = ChatRequest(_QUESTION, model=world.asks, strategy=strategy)

    def serve(self, request: int, at_s: float) -> Serving:
        """As run.Policy; router.loop.Router.stream in small."""
        progress, ledger = self._begun(request), _Ledger()
        while ledger.answered is None:
            action = progress.handler.next_action(self._clock.now(), self._elapsed_s(progress))
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
                progress.handler.selection = self._again(progress)
        return _served(progress, ledger, at_s, self._elapsed_s(progress))

    def _begun(self, number: int) -> Progress:
        plan = self._planner.plan(self._request)
        seed = self._chance.getrandbits(64)
        explore = self._chance.random() < self._policy.exploration
        selection = self._planner.select(self._request, plan, seed=seed, explore=explore)
        timeouts = plan.timeouts.over(self._policy.timeouts)
        return Progress(
            request=self._request,
            plan=plan,
            decided=selection,
            handler=FallbackHandler(selection, self._policy.fallback, timeouts, self._chance),
            request_id=str(number),
            started_at=self._clock.now(),
            started_s=self._clock.monotonic(),
            seed=seed,
            explore=explore,
            hedges=self._policy.hedging.enabled if plan.hedge is None else plan.hedge,
        )

    def _try(self, progress: Progress, ledger: _Ledger, number: int, action: Try) -> Generator[float, None, None]:
        """Ask one candidate, and a second beside it where that is due. Ends with an answer or with failures told."""
        asking = self._asker.admitted(progress, action.candidate, alone=action.alone, last_resort=action.last_resort)
        if not isinstance(asking, Asking):
            progress.handler.refused(
                action.candidate,
                asking.retry_at,
                self._clock.now(),
                self._elapsed_s(progress),
                reason=asking.reason,
                kind=kind_named(asking.why),
            )
            return
        first = self._lane(ledger, number, asking)
        lanes = [first]
        if progress.hedges and not action.alone and not asking.permit.probe:
            hedge_s = first.started_s + _hedge_after_s(progress, asking)
            if hedge_s < first.ends_s:
                yield hedge_s
                second = self._second(progress, asking)
                lanes += [self._lane(ledger, number, second)] if second is not None else []
        while lanes and ledger.answered is None:
            lane = min(lanes, key=lambda one: one.ends_s)
            yield lane.ends_s
            lanes.remove(lane)
            if lane.answered:
                self._won(progress, ledger, lane, lanes)
            else:
                self._failed(progress, ledger, lane)

    def _second(self, progress: Progress, first: Asking) -> Asking | None:
        """A second attempt beside `first`, if somebody is fit for it and the budget covers it."""
        handler = progress.handler
        handler.selection = self._again(progress)
        other = handler.beside(first.candidate, progress.asked, self._elapsed_s(progress))
        asking = self._asker.admitted(progress, other.candidate, hedge=True) if other is not None else None
        return asking if isinstance(asking, Asking) else None

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
        ledger.spend_usd += self._billed(asking, 1.0)
        self._asker.report(progress, asking, None)
        for loser in losers:
            cancelled = ProviderError(ErrorKind.CANCELLED, "the attempt beside it was faster")
            after_s = self._clock.elapsed_s - loser.started_s
            progress.handler.outpaced()
            self._wasted(ledger, loser, OUTPACED_COSTS)
            self._asker.report(progress, loser.asking, cancelled, outpaced_after_s=after_s)

    def _failed(self, progress: Progress, ledger: _Ledger, lane: _Lane) -> None:
        error = _error(lane)
        if lane.timed_out:
            self._wasted(ledger, lane, TIMED_OUT_COSTS)
        self._asker.report(progress, lane.asking, error)
        progress.handler.failed(lane.asking.candidate, error, self._elapsed_s(progress))

    def _wasted(self, ledger: _Ledger, lane: _Lane, share: float) -> None:
        usd = self._billed(lane.asking, share)
        ledger.spend_usd += usd
        ledger.waste_usd += usd

    def _billed(self, asking: Asking, share: float) -> float:
        """What the provider charges for the attempt, as dollars and as the last thing it says of it."""
        usd = share * self._prices_usd[self._provider(asking)]
        asking.came.append(Delta(usage=Usage(cost_usd=usd)))
        return usd

    def _again(self, progress: Progress) -> Selection:
        return self._planner.select(
            progress.request,
            progress.plan,
            seed=progress.seed,
            explore=progress.explore,
            failed=progress.handler.struck.values(),
        )

    def _elapsed_s(self, progress: Progress) -> float:
        return self._clock.monotonic() - progress.started_s

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


def _hedge_after_s(progress: Progress, first: Asking) -> float:
    """As the router has it: what a rule says, else the first one's own p95."""
    if progress.plan.hedge_after_s is not None:
        return progress.plan.hedge_after_s
    after_s = hedging.hedge_after_s(progress.handler.selection, first.candidate)
    return first.limits.first_token_s if after_s is None else after_s


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
