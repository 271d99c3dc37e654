"""From a request to an order: what the rules make of it at this moment, and how the candidates rank by what is known."""

from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Final

from llmr.catalog import Catalog, Model
from llmr.chat import ChatRequest
from llmr.exchange import Clock
from llmr.registry import ProviderRegistry
from llmr.routing.health import CandidateHealth, Health
from llmr.routing.policy import Policy
from llmr.routing.rules import Plan, RulesEngine
from llmr.routing.selection import Selection
from llmr.routing.selector import ModelSelector
from llmr.routing.situation import Situation, phase_now
from llmr.routing.tokens import estimate_tokens

_NOTHING: Final[Mapping[str, CandidateHealth]] = MappingProxyType({})


class Planner:
    """Plans and ranks. Reads the store and writes nothing."""

    def __init__(
        self, catalog: Catalog, rules: RulesEngine, policy: Policy, registry: ProviderRegistry, clock: Clock
    ) -> None:
        self._catalog = catalog
        self._rules = rules
        self._policy = policy
        self._selector = ModelSelector(policy)
        self._registry = registry
        self._clock = clock

    def plan(self, request: ChatRequest) -> Plan:
        """What may be asked, and how. Raises UsageError, RequestDenied."""
        prompt_tokens = estimate_tokens(request)
        situation = self._situation(request, prompt_tokens)
        return self._rules.evaluate(request, self._catalog, prompt_tokens=prompt_tokens, situation=situation)

    def select(
        self, request: ChatRequest, plan: Plan, *, seed: int, explore: bool, failed: Collection[Model] = ()
    ) -> Selection:
        """The plan's candidates in order, by what is known now, and by what `failed` in this request."""
        now = self._clock.now()
        health = self._health([candidate.model for candidate in plan.candidates], request, plan.prompt_tokens, now)
        return self._selector.select(plan, request, health, now, seed=seed, explore=explore, failed=failed)

    def _situation(self, request: ChatRequest, prompt_tokens: int) -> Situation:
        """What rules may ask about this moment. The store is read only where some rule asks about what is in it."""
        now = self._clock.now()
        watched = self._rules.watched(request, self._catalog)
        known = self._health(watched, request, prompt_tokens, now).candidates if watched else _NOTHING
        return Situation(
            self._clock.minute_of_week(),
            circuits={
                key: phase_now([circuit.state for circuit in own.circuits], now, self._policy.breaker)
                for key, own in known.items()
            },
            output_tokens={key: own.estimate.output_tokens for key, own in known.items()},
            budget_left_usd=self._registry.budget_left_usd(now) if self._rules.asks_about_money else None,
        )

    def _health(self, models: Collection[Model], request: ChatRequest, prompt_tokens: int, now: float) -> Health:
        return self._registry.snapshot(
            models,
            streamed=request.stream,
            prompt_tokens=prompt_tokens,
            reasoning=request.reasoning_effort is not None,
            now=now,
        )
