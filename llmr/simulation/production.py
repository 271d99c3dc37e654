"""llmr itself under virtual time: what router.py does, with waiting in place of sockets.

Everything that judges is the production code: RulesEngine, ProviderRegistry over a store, ModelSelector, FallbackHandler,
breaker, limiter, time-outs, budget and hedging. Only the loop is a second one, because router.py's is made of async
generators around bytes; it makes the same calls in the same order. A first token is the end of a request here: no world says
anything about what follows.
"""

from collections.abc import Generator
from dataclasses import dataclass, field, replace
from random import Random
from types import MappingProxyType
from typing import Final, assert_never

from llmr.catalog import Catalog, Model, NamedModel, Price, Provider, Strategy, WireFormat
from llmr.chat import ChatRequest, Message, Role
from llmr.errors import ErrorKind, ProviderError
from llmr.registry import Attempt, Permit, ProviderRegistry
from llmr.routing import hedging
from llmr.routing.breaker import Refusal
from llmr.routing.budget import Charge, Extra
from llmr.routing.fallback import FallbackHandler, GiveUp, Try, Wait
from llmr.routing.health import Health
from llmr.routing.latency import PRIOR_OUTPUT_TOKENS, Estimate, first_token_limit_s
from llmr.routing.policy import Policy
from llmr.routing.rules import Candidate, Plan, Rule, RulesEngine
from llmr.routing.selector import ModelSelector, Selection
from llmr.routing.situation import MINUTES_A_WEEK, Situation
from llmr.routing.tokens import estimate_tokens
from llmr.simulation.comparison import TIMED_OUT_COSTS
from llmr.simulation.network import Answer, AnswerKind, Network
from llmr.simulation.run import CHARGED_S, Served, Serving, VirtualClock
from llmr.simulation.world import World
from llmr.state import StateStore

OUTPACED_COSTS: Final = 0.4  # of the price: worlds.md, a cancelled hedge loser


@dataclass(slots=True)
class _Lane:
    """One attempt under way. Times are seconds since the world began; `answer` is not looked at before `ends_s`."""

    candidate: Candidate
    permit: Permit
    number: int
    answer: Answer
    started_s: float
    took_s: float
    timed_out: bool

    @property
    def ends_s(self) -> float:
        """When it is over."""
        return self.started_s + self.took_s

    @property
    def answered(self) -> bool:
        """Whether a first token comes at `ends_s`."""
        return self.answer.kind is AnswerKind.OK and not self.timed_out


@dataclass(slots=True)
class _Progress:
    """One request under way."""

    number: int
    at_s: float
    plan: Plan
    handler: FallbackHandler
    health: Health
    seed: int
    explore: bool
    asked: dict[str, int] = field(default_factory=dict[str, int])  # attempts by key
    owner: Provider | None = None  # who was asked first: its budget pays
    attempts: int = 0
    spend_usd: float = 0.0
    waste_usd: float = 0.0
    answered: Candidate | None = None


class Production:
    """llmr with `policy`. `hedge` asks for hedging."""

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
        hedge: bool = False,
    ) -> None:
        self._network = network
        self._clock = clock
        self._policy = policy
        self._chance = chance
        self._catalog = catalog
        self._hedge = hedge
        self._index = {profile.name: index for index, profile in enumerate(world.providers)}
        self._prices_usd = tuple(profile.usd_per_1000 / 1000 for profile in world.providers)
        self._rules = RulesEngine(rules, policy.strategy)
        self._selector = ModelSelector(policy)
        self._registry = ProviderRegistry(store, policy.breaker, chance)
        self._request = ChatRequest((Message.text(Role.USER, "A question of ordinary length."),), model=world.asks)
        self._prompt_tokens = estimate_tokens(self._request)

    def serve(self, request: int, at_s: float) -> Serving:
        """As run.Policy; router.Router.stream in small."""
        progress = self._begun(request, at_s)
        while progress.answered is None:
            action = progress.handler.next_action(self._clock.now(), self._elapsed_s(progress))
            match action:
                case Wait():
                    yield self._clock.elapsed_s + action.seconds
                case GiveUp():
                    return self._served(progress, CHARGED_S)
                case Try():
                    yield from self._try(progress, action)
                case _:
                    assert_never(action)
            if progress.answered is None:
                progress.handler.selection = self._select(progress)
        return self._served(progress, self._elapsed_s(progress))

    def _begun(self, request: int, at_s: float) -> _Progress:
        plan = self._rules.evaluate(
            self._request,
            self._catalog,
            prompt_tokens=self._prompt_tokens,
            situation=Situation(minute_of_week=int(at_s // 60) % MINUTES_A_WEEK),
        )
        seed = self._chance.getrandbits(64)
        explore = self._chance.random() < self._policy.exploration
        health = self._snapshot(plan)
        selection = self._selector.select(plan, self._request, health, health.at, seed=seed, explore=explore)
        handler = FallbackHandler(selection, self._policy.fallback, self._policy.timeouts, self._chance)
        return _Progress(request, at_s, plan, handler, health, seed, explore)

    def _try(self, progress: _Progress, action: Try) -> Generator[float, None, None]:
        """Ask one candidate, and a second beside it where that is due. Ends with an answer or with failures told."""
        first = self._opened(progress, action, alone=action.alone)
        if first is None:
            return
        lanes = [first]
        hedge_s = self._hedge_at(progress, first)
        if hedge_s < first.ends_s:
            yield hedge_s
            second = self._hedged(progress, first)
            lanes += [second] if second is not None else []
        while lanes and progress.answered is None:
            lane = min(lanes, key=lambda one: one.ends_s)
            yield lane.ends_s
            lanes.remove(lane)
            if lane.answered:
                self._won(progress, lane)
                for loser in lanes:
                    self._outpaced(progress, loser)
            else:
                self._failed(progress, lane)

    def _opened(self, progress: _Progress, action: Try, *, alone: bool) -> _Lane | None:
        """An attempt under way, or None: admission was refused, which the handler knows."""
        candidate, handler = action.candidate, progress.handler
        estimate = next((r.estimate for r in handler.selection.ranked if r.candidate.key == candidate.key), None)
        first_token_s = self._first_token_s(progress, candidate, estimate, alone=alone)
        permit = self._admit(progress, candidate, first_token_s, last_resort=action.last_resort)
        if isinstance(permit, Refusal):
            handler.refused(candidate, permit.retry_at, self._clock.now(), self._elapsed_s(progress))
            return None
        return self._lane(progress, candidate, permit, first_token_s)

    def _first_token_s(
        self, progress: _Progress, candidate: Candidate, estimate: Estimate | None, *, alone: bool
    ) -> float:
        timeouts = candidate.model.provider.timeouts.over(self._policy.timeouts)
        left_s = timeouts.deadline_s - self._elapsed_s(progress)
        reasoning = candidate.model.capabilities.reasoning is True
        return first_token_limit_s(timeouts, estimate, reasoning=reasoning, alone=alone, left_s=left_s)

    def _admit(
        self,
        progress: _Progress,
        candidate: Candidate,
        first_token_s: float,
        *,
        last_resort: bool = False,
        hedge: bool = False,
    ) -> Permit | Refusal:
        return self._registry.admit(
            candidate.model,
            streamed=True,
            prompt_tokens=progress.plan.prompt_tokens,
            reasoning=False,
            first_token_s=first_token_s,
            token=f"{progress.number}.{progress.attempts}",
            now=self._clock.now(),
            last_resort=last_resort,
            charge=self._charge(progress, candidate, hedge=hedge),
        )

    def _lane(self, progress: _Progress, candidate: Candidate, permit: Permit, first_token_s: float) -> _Lane:
        nth, now_s = progress.asked.get(candidate.key, 0), self._clock.elapsed_s
        progress.asked[candidate.key] = nth + 1
        progress.attempts += 1
        progress.owner = progress.owner or candidate.model.provider
        answer = self._network.ask(progress.number, self._index[candidate.model.provider.name], nth, now_s)
        took_s = min(answer.after_s, first_token_s)
        timed_out = answer.after_s > first_token_s
        return _Lane(candidate, permit, progress.attempts, answer, now_s, took_s, timed_out)

    # Hedging and the budget

    def _hedge_at(self, progress: _Progress, first: _Lane) -> float:
        """When a second is due, seconds since the world began; never for a probe, which others are waiting for."""
        habits = progress.handler.selection.habits_of(first.candidate.key)
        if not self._hedge or first.permit.probe or habits is None:
            return first.ends_s
        return first.started_s + hedging.hedge_after_s(habits)

    def _hedged(self, progress: _Progress, first: _Lane) -> _Lane | None:
        """A second attempt beside `first`, if somebody is fit for it and the budget covers it."""
        if progress.attempts >= self._policy.fallback.max_attempts:
            return None
        other = hedging.partner(self._select(progress).ranked, first.candidate, tried=progress.asked)
        if other is None:
            return None
        first_token_s = self._first_token_s(progress, other.candidate, other.estimate, alone=False)
        permit = self._admit(progress, other.candidate, first_token_s, hedge=True)
        return None if isinstance(permit, Refusal) else self._lane(progress, other.candidate, permit, first_token_s)

    def _charge(self, progress: _Progress, candidate: Candidate, *, hedge: bool) -> Charge | None:
        """As router.progress.Progress.charge."""
        if progress.owner is None:
            return None
        if hedge:
            return Charge(progress.owner, Extra.HEDGE)
        if candidate.key in progress.asked:
            return Charge(progress.owner, Extra.RETRY)
        return Charge(progress.owner, Extra.FALLBACK if len(progress.asked) > 1 else Extra.FIRST_FALLBACK)

    # Results

    def _won(self, progress: _Progress, lane: _Lane) -> None:
        permit = self._registry.first_token(lane.permit, lasts_s=self._policy.timeouts.total_s)
        self._registry.report(permit, Attempt("", self._wall(lane), True, lane.took_s, lane.took_s, number=lane.number))
        progress.answered = lane.candidate
        progress.spend_usd += self._price_usd(lane)

    def _outpaced(self, progress: _Progress, lane: _Lane) -> None:
        error = ProviderError(ErrorKind.CANCELLED, "its hedge was faster")
        took_s = self._clock.elapsed_s - lane.started_s
        lost = Attempt("", self._wall(lane), True, took_s, error=error, outpaced=True, number=lane.number)
        self._registry.report(lane.permit, lost)
        self._wasted(progress, OUTPACED_COSTS * self._price_usd(lane))

    def _failed(self, progress: _Progress, lane: _Lane) -> None:
        error = _error(lane.answer, timed_out=lane.timed_out)
        self._registry.report(
            lane.permit, Attempt("", self._wall(lane), True, lane.took_s, error=error, number=lane.number)
        )
        progress.handler.failed(lane.candidate, error, self._elapsed_s(progress))
        if error.kind is ErrorKind.FIRST_TOKEN_TIMEOUT:
            self._wasted(progress, TIMED_OUT_COSTS * self._price_usd(lane))

    def _wasted(self, progress: _Progress, usd: float) -> None:
        progress.spend_usd += usd
        progress.waste_usd += usd

    def _served(self, progress: _Progress, ttft_s: float) -> Served:
        first = next(iter(progress.asked), None)
        return Served(
            at_s=progress.at_s,
            ttft_s=ttft_s,
            attempts=progress.attempts,
            asked_first=self._index[first.partition("/")[0]] if first is not None else None,
            answered=self._index[progress.answered.model.provider.name] if progress.answered is not None else None,
            spend_usd=progress.spend_usd,
            waste_usd=progress.waste_usd,
        )

    # What router.py does too

    def _snapshot(self, plan: Plan) -> Health:
        return self._registry.snapshot(
            [candidate.model for candidate in plan.candidates],
            streamed=True,
            prompt_tokens=plan.prompt_tokens,
            reasoning=False,
            now=self._clock.now(),
        )

    def _select(self, progress: _Progress) -> Selection:
        progress.health = self._snapshot(progress.plan)
        return self._selector.select(
            progress.plan,
            self._request,
            progress.health,
            progress.health.at,
            seed=progress.seed,
            explore=progress.explore,
            failed=progress.handler.struck.values(),
        )

    def _elapsed_s(self, progress: _Progress) -> float:
        return self._clock.elapsed_s - progress.at_s

    def _wall(self, lane: _Lane) -> float:
        return self._clock.now() - (self._clock.elapsed_s - lane.started_s)

    def _price_usd(self, lane: _Lane) -> float:
        return self._prices_usd[self._index[lane.candidate.model.provider.name]]


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
    name = NamedModel(world.asks, tuple(models), strategy=_strategy_of(world.asks, known))
    return Catalog(MappingProxyType(providers), MappingProxyType({world.asks: name}), MappingProxyType(models))


def _strategy_of(name: str, known: Catalog | None) -> Strategy | None:
    """The strategy that the user's own table for this name asks for."""
    own = known.names.get(name) if known is not None else None
    return own.strategy if own is not None else None


def _error(answer: Answer, *, timed_out: bool) -> ProviderError:
    if timed_out:
        return ProviderError(ErrorKind.FIRST_TOKEN_TIMEOUT, "no first token in time")
    match answer.kind:
        case AnswerKind.LIMITED:
            return ProviderError(
                ErrorKind.RATE_LIMIT, "too many requests", status=429, retry_after_s=answer.retry_after_s
            )
        case AnswerKind.ERROR | AnswerKind.NEVER | AnswerKind.OK:
            return ProviderError(ErrorKind.SERVER, "internal error", status=500)
        case _:
            assert_never(answer.kind)
