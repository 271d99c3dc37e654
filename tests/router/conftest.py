"""The loop with everything real but time, the network and the disk."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

import pytest
from fakes import Answer, FakeClock, ScriptedTransport, catalog, model, request

from llmr.catalog import Catalog, Model, Strategy
from llmr.chat import ChatRequest, Delta
from llmr.errors import AllAttemptsFailed, LlmrError
from llmr.exchange import Wires
from llmr.registry import ProviderRegistry
from llmr.router import Answering, AttemptFailed, AttemptStarted, Event, Finished, Router, Waiting
from llmr.router.throttle import Throttle
from llmr.routing.circuit import BreakerState
from llmr.routing.policy import Policy
from llmr.routing.rules import Rule, RulesEngine
from llmr.state import StateStore
from llmr.state.memory import MemoryStore
from llmr.wire import wire_for


@dataclass
class Told:
    """What one request came to: the events in order, and the error it ended in, if any."""

    events: list[Event] = field(default_factory=list)
    error: LlmrError | None = None

    @property
    def text(self) -> str:
        return "".join(event.text for event in self.events if isinstance(event, Delta))

    @property
    def tried(self) -> list[str]:
        return [event.candidate.model.provider.name for event in self.events if isinstance(event, AttemptStarted)]

    @property
    def failed(self) -> list[str]:
        return [event.error.kind.value for event in self.events if isinstance(event, AttemptFailed)]

    @property
    def waits(self) -> list[float]:
        return [event.seconds for event in self.events if isinstance(event, Waiting)]

    @property
    def answered(self) -> list[str]:
        return [event.candidate.model.provider.name for event in self.events if isinstance(event, Answering)]

    @property
    def finished(self) -> Finished:
        last = self.events[-1]
        assert isinstance(last, Finished), self
        return last

    @property
    def gave_up(self) -> AllAttemptsFailed:
        assert isinstance(self.error, AllAttemptsFailed), self
        return self.error


class Rig:
    """A router over a script. `script` maps a provider's name to what it answers, in the user's order of preference."""

    def __init__(
        self,
        script: dict[str, Answer | Sequence[Answer]],
        *,
        clock: FakeClock,
        models: Sequence[Model] | None = None,
        knows: Catalog | None = None,
        policy: Policy | None = None,
        rules: Sequence[Rule] = (),
        store: StateStore | None = None,
        wires: Wires = wire_for,
        seed: int = 7,
        throttle: Throttle | None = None,
    ) -> None:
        self.clock = clock
        self.models = list(models or [model(name) for name in script])
        self.store = store or MemoryStore(clock.now)
        self.policy = replace(policy or Policy(), strategy=Strategy.PRIORITY)
        if policy is None:
            self.policy = replace(self.policy, exploration=0.0)
        self.transport = ScriptedTransport(clock, script)
        chance = Random(seed)
        self.registry = ProviderRegistry(self.store, self.policy.breaker, chance, spend=self.policy.spend)
        self.router = Router(
            catalog=knows or catalog(*self.models),
            rules=RulesEngine(rules, self.policy.strategy),
            policy=self.policy,
            registry=self.registry,
            transport=self.transport,
            wires=wires,
            clock=clock,
            chance=chance,
            throttle=throttle,
        )

    async def ask(self, asked: ChatRequest | None = None, on: Callable[[Event], None] = lambda _: None) -> Told:
        """Ask and listen to the end; `on` hears each event as it comes."""
        told = Told()
        try:
            async with aclosing(self.router.stream(asked or request())) as events:
                async for event in events:
                    told.events.append(event)
                    on(event)
        except LlmrError as error:
            told.error = error
        assert self.transport.open == 0, "a connection was left open"
        return told

    async def herd(self, many: int, *, every_s: float = 0.01) -> list[tuple[float, Told]]:
        """So many requests, each begun so long after the one before: the seconds that it took, and what it came to."""

        async def one(number: int) -> tuple[float, Told]:
            await self.clock.sleep((number + 1) * every_s)
            began_s, told = self.clock.monotonic(), Told()
            try:
                async with aclosing(self.router.stream(request())) as events:
                    told.events = [event async for event in events]
            except LlmrError as error:
                told.error = error
            return self.clock.monotonic() - began_s, told

        return list(await asyncio.gather(*(one(number) for number in range(many))))

    async def leave_at(self, kind: type, asked: ChatRequest | None = None) -> Told:
        """Ask, and close the generator at the first event of this kind, as a reader does who has seen enough."""
        told = Told()
        events = self.router.stream(asked or request())
        async for event in events:
            told.events.append(event)
            if isinstance(event, kind):
                break
        await events.aclose()
        assert self.transport.open == 0, "a connection was left open"
        return told

    def circuit(self, name: str, scope: str = "p", model_id: str = "m") -> BreakerState:
        key = {"p": f"b:p:{name}#0badcafe", "m": f"b:m:{name}#0badcafe/{model_id}", "s": f"b:s:{name}"}[scope]
        return BreakerState.from_row(self.store.read([key]).get(key))

    def admit_theirs(self, asked: Model | None = None, *, token: str = "theirs", price_usd: float | None = None) -> Any:
        """Another process's admission to `asked`, by default the first model."""
        return self.registry.admit(
            asked or self.models[0],
            streamed=True,
            prompt_tokens=9,
            reasoning=False,
            first_token_s=5.0,
            token=token,
            now=self.clock.now(),
            price_usd=price_usd,
        )

    def outcomes(self) -> list[str]:
        """Of each attempt in history."""
        return [attempt.outcome for attempt in self.store.attempts()]


@pytest.fixture
def rig(clock: FakeClock) -> Callable[..., Rig]:
    """Builds a Rig around the test's clock."""

    def build(script: dict[str, Any], **how: Any) -> Rig:
        return Rig(script, clock=how.pop("clock", clock), **how)

    return build
