"""The answer cache, as a step before the router: rules ─▶ look up ─▶ ask ─▶ keep.

A wrapper around `Router.stream` that tells the same events, because both ways in (the command line and `llmr serve`) consume
those and nothing else: a hit streams, counts, prints and is saved like any answer, and neither of them has a second path. It
stands behind the rules, so that what a rule refuses is refused although the answer lies here, and before the deadline: a
hit takes no time and asks nobody.

A hit counts only where the one who gave the answer may still be asked by this plan: what a rule or the user keeps away from
a provider does not come from its answers either. Kept are whole answers alone: not one that was cut, filtered, spliced from
two, or holds a key of ours.
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from random import Random
from typing import final

from llmr.cache import Kept
from llmr.cache.key import request_key
from llmr.cache.store import AnswerStore
from llmr.cache.use import CacheUse, cache_use, is_whole
from llmr.chat import ChatRequest, ChatResponse, Delta
from llmr.exchange import Clock
from llmr.registry import ProviderRegistry
from llmr.router.events import (
    Answering,
    AttemptFailed,
    BrokeOff,
    Event,
    Finished,
    Found,
    LookedUp,
    Outpaced,
)
from llmr.router.loop import Router
from llmr.routing.rules import Candidate, Plan
from llmr.secret import Redactor
from llmr.state import RequestRecord


@final
class CachedRouter:
    """The router with a memory. `enabled`: where neither rule nor request says anything."""

    def __init__(
        self,
        router: Router,
        store: AnswerStore,
        registry: ProviderRegistry,
        clock: Clock,
        chance: Random,
        redact: Redactor,
        *,
        enabled: bool,
    ) -> None:
        self.store = store
        self._router = router
        self._registry = registry
        self._clock = clock
        self._chance = chance
        self._redact = redact
        self._enabled = enabled

    async def stream(self, request: ChatRequest) -> AsyncGenerator[Event, None]:
        """As `Router.stream`."""
        plan = self._router.plan(request)
        use = cache_use(request, ruled=plan.cache, enabled=self._enabled)
        key = request_key(request, plan.asked) if use.reads or use.writes else ""
        if use.reads:
            kept = self.store.find(key, max_age_s=request.cache.max_age_s)
            candidate = _giver(kept, plan)
            if kept is not None and candidate is not None and _accepted(kept, request):
                for event in self._again(request, plan, kept, candidate):
                    yield event
                return
            self.store.missed()
            yield LookedUp(None)
        async with aclosing(self._asked(request, plan, use, key)) as events:
            async for event in events:
                yield event

    async def _asked(self, request: ChatRequest, plan: Plan, use: CacheUse, key: str) -> AsyncGenerator[Event, None]:
        """Ask, and keep the answer if it is whole."""
        deltas: list[Delta] = []
        spliced = False
        async with aclosing(self._router.stream(request, plan)) as events:
            async for event in events:
                match event:
                    case Delta():
                        deltas.append(event)
                    case AttemptFailed() | Outpaced() if not spliced:
                        deltas.clear()
                    case BrokeOff():
                        spliced = True
                    case Finished() if use.writes and not spliced:
                        self._keep(key, event, tuple(deltas))
                    case _:
                        pass
                yield event

    def _keep(self, key: str, done: Finished, deltas: tuple[Delta, ...]) -> None:
        response = done.response
        words = "".join((response.text, response.reasoning, *(call.arguments for call in response.tool_calls)))
        if not is_whole(response.finish_reason) or self._redact.known(words) != words:
            return
        model = done.candidate.model
        self.store.keep(
            Kept(
                key=key,
                at=self._clock.now(),
                provider=model.provider.name,
                model=model.id,
                deltas=deltas,
                ttft_s=done.ttft_s,
                took_s=done.total_s,
                cost_usd=done.cost_usd,
            )
        )

    def _again(
        self, request: ChatRequest, plan: Plan, kept: Kept, candidate: Candidate, likeness: float | None = None
    ) -> list[Event]:
        """The events of an answer that is given again; it is in the history, with no attempt."""
        began_s, now = self._clock.monotonic(), self._clock.now()
        request_id = f"{self._chance.getrandbits(64):016x}"
        self.store.hit(kept, semantic=likeness is not None)
        took_s = self._clock.monotonic() - began_s
        self._registry.record(
            RequestRecord(
                id=request_id,
                at=now,
                asked_model=plan.asked,
                strategy=plan.strategy.value,
                outcome="ok",
                total_s=took_s,
                attempts=0,
                provider=kept.provider,
                model=kept.model,
                ttft_s=took_s,
            )
        )
        finished = Finished(
            candidate=candidate,
            response=ChatResponse.from_deltas(kept.deltas),
            ttft_s=took_s,
            attempt_s=took_s,
            total_s=took_s,
            attempts=0,
            cost_usd=0.0,
            request_id=request_id,
            streamed=request.stream,
        )
        found = Found(candidate, max(0.0, now - kept.at), likeness)
        return [LookedUp(found, request_id), Answering(candidate, took_s, 0), *kept.deltas, finished]


def _giver(kept: Kept | None, plan: Plan) -> Candidate | None:
    """The candidate that gave the answer, if it still is one."""
    if kept is None:
        return None
    return next(
        (
            one
            for one in plan.candidates
            if one.key == f"{kept.provider}/{kept.model}" and not one.model.provider.off_reason
        ),
        None,
    )


def _accepted(kept: Kept, request: ChatRequest) -> bool:
    """Whether the request's own check has nothing against the answer."""
    return request.accept is None or request.accept(ChatResponse.from_deltas(kept.deltas)) is None
