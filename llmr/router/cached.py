"""The answer cache, as a step before the router: rules ─▶ look up ─▶ ask ─▶ keep.

A wrapper around `Router.stream` that tells the same events, because both ways in (the command line and `llmr serve`) consume
those and nothing else: a hit streams, counts, prints and is saved like any answer, and neither of them has a second path. It
stands behind the rules, so that what a rule refuses is refused although the answer lies here, and before the deadline: a
hit takes no time and asks nobody.

A hit counts only where the one who gave the answer may still be asked by this plan: what a rule or the user keeps away from
a provider does not come from its answers either. Kept are whole answers alone: not one that was cut, filtered, spliced from
two, or holds a key of ours.

With an embedder (`[cache.semantic]`), what is not found is looked for once more: among the newest answers that share all but
the last words, the one whose prompt is most alike, if that is above the threshold *and* agrees (cache/agreement.py).
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from random import Random
from typing import final

from llmr.cache import Kept
from llmr.cache.key import comparable_prompt, group_key, request_key
from llmr.cache.store import AnswerStore
from llmr.cache.use import CacheUse, cache_use, is_whole
from llmr.chat import ChatRequest, ChatResponse, Delta
from llmr.exchange import Aside, Clock
from llmr.registry import ProviderRegistry
from llmr.router.embedding import Embedder
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
from llmr.router.lookup import Hit, Lookup, Place
from llmr.router.loop import Router
from llmr.routing.rules import Plan
from llmr.secret import Redactor
from llmr.state import RequestRecord


@final
class CachedRouter:
    """The router with a memory. `enabled`: where neither rule nor request says anything. `embedder` None: only the same request
    will do; else prompts that are `threshold` alike may."""

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
        aside: Aside,
        embedder: Embedder | None = None,
        threshold: float = 1.0,
    ) -> None:
        """`aside` runs what touches the file, one piece of work after the other."""
        self.store = store
        self._aside = aside
        self._lookup = Lookup(store, threshold)
        self._router = router
        self._registry = registry
        self._clock = clock
        self._chance = chance
        self._redact = redact
        self._enabled = enabled
        self._embedder = embedder

    async def stream(self, request: ChatRequest) -> AsyncGenerator[Event, None]:
        """As `Router.stream`."""
        plan = self._router.plan(request)
        use = cache_use(request, ruled=plan.cache, enabled=self._enabled)
        place = Place(request_key(request, plan.asked) if use.reads or use.writes else "")
        found = await self._aside(lambda: self._lookup.same(request, plan, place.key)) if use.reads else None
        if found is None and self._embedder is not None and (use.reads or use.writes):
            place = await self._placed(request, plan, self._embedder, place)
            found = await self._aside(lambda: self._lookup.likely(request, plan, place)) if use.reads else None
        if found is not None:
            for event in await self._again(request, plan, found):
                yield event
            return
        if use.reads:
            await self._aside(self.store.missed)
            yield LookedUp(None)
        async with aclosing(self._asked(request, plan, use, place)) as events:
            async for event in events:
                yield event

    async def _placed(self, request: ChatRequest, plan: Plan, embedder: Embedder, place: Place) -> Place:
        """The place with all that it can be found again by; as it is where the prompt cannot be compared."""
        prompt = comparable_prompt(request)
        vector = await embedder.vector(prompt, request) if prompt is not None else b""
        if prompt is None or not vector:
            return place
        return Place(place.key, group_key(request, plan.asked), prompt, vector, embedder.model)

    async def _asked(
        self, request: ChatRequest, plan: Plan, use: CacheUse, place: Place
    ) -> AsyncGenerator[Event, None]:
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
                        await self._keep(place, event, tuple(deltas))
                    case _:
                        pass
                yield event

    async def _keep(self, place: Place, done: Finished, deltas: tuple[Delta, ...]) -> None:
        response = done.response
        words = "".join((response.text, response.reasoning, *(call.arguments for call in response.tool_calls)))
        if not is_whole(response.finish_reason) or self._redact.known(words) != words:
            return
        model = done.candidate.model
        kept = Kept(
            key=place.key,
            at=self._clock.now(),
            provider=model.provider.name,
            model=model.id,
            deltas=deltas,
            ttft_s=done.ttft_s,
            took_s=done.total_s,
            cost_usd=done.cost_usd,
            group=place.group,
            prompt=place.prompt,
            vector=place.vector,
            embedder=place.embedder,
        )
        await self._aside(lambda: self.store.keep(kept))

    async def _again(self, request: ChatRequest, plan: Plan, hit: Hit) -> list[Event]:
        """The events of an answer that is given again; it is in the history, with no attempt."""
        began_s, now = self._clock.monotonic(), self._clock.now()
        kept, candidate = hit.kept, hit.candidate
        request_id = f"{self._chance.getrandbits(64):016x}"
        await self._aside(lambda: self.store.hit(kept, semantic=hit.likeness is not None))
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
        found = Found(candidate, max(0.0, now - kept.at), hit.likeness)
        return [LookedUp(found, request_id), Answering(candidate, took_s, 0), *kept.deltas, finished]
