"""One attempt: admitted by circuits, limits and budgets, asked under watch, booked when it is over.

An `Asking` is the attempt under way. Its answer comes as `deltas()`: first what a race has already read of it, then the rest.
The generator behind it owns the socket; closing it closes that. Every `Asking` is reported exactly once, whatever happens:
a permit that is not given back would hold a probe's lease, a slot or money until it runs out.
"""

import math
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Final

from llmr.catalog import LimitsTold
from llmr.chat import ChatRequest, Delta, FinishReason
from llmr.errors import ErrorKind, ProviderError
from llmr.exchange import Clock, Limits, Transport, Wires, exchange
from llmr.registry import Attempt, Permit, ProviderRegistry
from llmr.router.events import AttemptStarted
from llmr.router.progress import Progress
from llmr.routing.breaker import Refusal
from llmr.routing.latency import PRIOR_OUTPUT_TOKENS, first_token_limit_s
from llmr.routing.policy import Policy
from llmr.routing.rules import Candidate
from llmr.routing.score import expected_price_usd, request_cost_usd
from llmr.routing.seam import Seam, continuation
from llmr.routing.tokens import estimate_text_tokens
from llmr.wire.limits_told import limits_told


@dataclass(slots=True, eq=False)
class Asking:
    """One attempt and its answer as it grows. `started_at` wall clock, `started_s` monotonic; `ttft_s` None: no content yet;
    `shown`: the caller has seen content of it; `hedge`: it was asked beside another."""

    candidate: Candidate
    permit: Permit
    number: int
    limits: Limits
    hedge: bool
    started_at: float
    started_s: float
    stream: AsyncGenerator[Delta, None] | None = None
    head: list[Delta] = field(default_factory=list[Delta])  # read, and not handed on yet
    came: list[Delta] = field(default_factory=list[Delta])
    ttft_s: float | None = None
    shown: bool = False
    reported: bool = False
    told: LimitsTold | None = None  # of the rate limits, by the answer's head
    told_at: float = 0.0

    @property
    def started(self) -> AttemptStarted:
        """The event that tells of it."""
        return AttemptStarted(self.candidate, self.number, self.permit.probe, self.hedge)

    async def until_content(self) -> None:
        """Read up to the first content, or the end. Raises ProviderError."""
        assert self.stream is not None  # noqa: S101 - for the type checker
        async for delta in self.stream:
            self.head.append(delta)
            if delta.has_content:
                return

    async def deltas(self) -> AsyncGenerator[Delta, None]:
        """The whole answer, what was read before included. Raises ProviderError."""
        assert self.stream is not None  # noqa: S101 - for the type checker
        while self.head:
            yield self.head.pop(0)
        async for delta in self.stream:
            yield delta

    async def close(self) -> None:
        """Close the socket."""
        if self.stream is not None:
            await self.stream.aclose()


class Asker:
    """Admits, asks and books."""

    def __init__(
        self, registry: ProviderRegistry, transport: Transport, wires: Wires, clock: Clock, policy: Policy
    ) -> None:
        self._registry = registry
        self._transport = transport
        self._wires = wires
        self._clock = clock
        self._policy = policy

    def admitted(
        self,
        progress: Progress,
        candidate: Candidate,
        *,
        alone: bool = False,
        last_resort: bool = False,
        hedge: bool = False,
    ) -> Asking | Refusal:
        """An attempt that may be asked, or why not."""
        limits = self._limits(progress, candidate, alone=alone)
        permit = self._registry.admit(
            candidate.model,
            streamed=progress.request.stream,
            prompt_tokens=progress.plan.prompt_tokens,
            reasoning=progress.request.reasoning_effort is not None,
            first_token_s=limits.first_token_s,
            token=f"{progress.request_id}.{progress.attempts}",
            now=self._clock.now(),
            last_resort=last_resort,
            charge=progress.charge(candidate, hedge=hedge),
            price_usd=_price_usd(progress, candidate),
        )
        if isinstance(permit, Refusal):
            return permit
        number = progress.asks(candidate)
        return Asking(candidate, permit, number, limits, hedge, self._clock.now(), self._clock.monotonic())

    def ask(self, progress: Progress, asking: Asking) -> None:
        """Start the clock of an admitted attempt; the request leaves when its answer is first read."""
        asking.started_at, asking.started_s = self._clock.now(), self._clock.monotonic()
        asking.stream = self._timed(progress, asking)

    def first_token(self, asking: Asking) -> None:
        """Tell the circuits that it speaks."""
        asking.permit = self._registry.first_token(asking.permit, lasts_s=asking.limits.total_s)

    def took_s(self, asking: Asking) -> float:
        """Seconds since it was asked."""
        return self._clock.monotonic() - asking.started_s

    def report(
        self, progress: Progress, asking: Asking, error: ProviderError | None, *, outpaced_after_s: float | None = None
    ) -> None:
        """Book what came of it, once."""
        if asking.reported:
            return
        asking.reported = True
        usage = next((delta.usage for delta in reversed(asking.came) if delta.usage is not None), None)
        cost_usd = request_cost_usd(asking.candidate.model.price, usage)
        estimated = cost_usd is None and _may_be_billed(error)
        self._registry.report(
            asking.permit,
            Attempt(
                request_id=progress.request_id,
                at=asking.started_at,
                streamed=progress.request.stream,
                total_s=self.took_s(asking) if outpaced_after_s is None else outpaced_after_s,
                ttft_s=asking.ttft_s,
                error=error,
                usage=usage,
                cost_usd=_cost_by_length_usd(progress, asking) if estimated else cost_usd,
                cost_estimated=estimated,
                outpaced=outpaced_after_s is not None,
                number=asking.number,
                hedge=asking.hedge,
                told=asking.told,
                told_at=asking.told_at,
            ),
        )

    async def _timed(self, progress: Progress, asking: Asking) -> AsyncGenerator[Delta, None]:
        async with aclosing(self._said(progress, asking)) as deltas:
            async for delta in deltas:
                if asking.ttft_s is None and delta.has_content:
                    asking.ttft_s = self.took_s(asking)
                asking.came.append(delta)
                yield delta
        if asking.ttft_s is None and progress.kept:  # all that was missing was the end
            asking.ttft_s = self.took_s(asking)
        _refuse_emptiness(asking)

    async def _said(self, progress: Progress, asking: Asking) -> AsyncGenerator[Delta, None]:
        """What the provider says; where it goes on from another's text, without what it repeats of that."""
        before = progress.kept_text
        deltas = self._exchanged(continuation(progress.request, before) if before else progress.request, asking)
        seam = Seam(before)
        async with aclosing(deltas):
            async for delta in deltas:
                yield replace(delta, text=seam.feed(delta.text)) if before else delta
        rest = seam.end()
        if rest:
            yield Delta(text=rest)

    def _exchanged(self, request: ChatRequest, asking: Asking) -> AsyncGenerator[Delta, None]:
        def heard(headers: Mapping[str, str]) -> None:
            asking.told_at = self._clock.now()
            asking.told = limits_told(headers, now=asking.told_at)

        return exchange(
            request,
            asking.candidate.model,
            transport=self._transport,
            wires=self._wires,
            clock=self._clock,
            limits=asking.limits,
            heard=heard,
        )

    def _limits(self, progress: Progress, candidate: Candidate, *, alone: bool) -> Limits:
        """Time for one attempt. The first token's share of it is the candidate's own, or all that is left where nobody
        else could be asked."""
        model = candidate.model
        timeouts = progress.plan.timeouts.over(model.provider.timeouts.over(self._policy.timeouts))
        reasoning = progress.request.reasoning_effort is not None or model.capabilities.reasoning is True
        first_token_s = first_token_limit_s(
            timeouts,
            progress.handler.selection.habits_of(candidate.key),
            reasoning=reasoning or not progress.request.stream,  # the first token of an unstreamed answer is its last
            alone=alone,
            left_s=timeouts.deadline_s - (self._clock.monotonic() - progress.started_s),
            prompt_tokens=progress.plan.prompt_tokens,
        )
        return Limits(timeouts.connect_s, first_token_s, timeouts.stall_s, timeouts.total_s)


def _price_usd(progress: Progress, candidate: Candidate) -> float | None:
    """What asking `candidate` will probably cost; None: nobody knows. What runs on this machine costs nothing."""
    model, habits = candidate.model, progress.handler.selection.habits_of(candidate.key)
    if model.price is None:
        return 0.0 if model.provider.local else None
    output_tokens = min(
        PRIOR_OUTPUT_TOKENS if habits is None else habits.output_tokens, progress.request.max_output_tokens or math.inf
    )
    return expected_price_usd(model.price, prompt_tokens=progress.plan.prompt_tokens, output_tokens=output_tokens)


def _may_be_billed(error: ProviderError | None) -> bool:
    """Whether the provider may have worked on the request: it took it, and did not refuse it with a status."""
    return error is None or (error.status is None and error.kind not in _NEVER_REACHED)


def _cost_by_length_usd(progress: Progress, asking: Asking) -> float | None:
    """What the prompt and as much of the answer as came are worth; None where the price is unknown."""
    said = sum(estimate_text_tokens(delta.text) + estimate_text_tokens(delta.reasoning) for delta in asking.came)
    return expected_price_usd(
        asking.candidate.model.price, prompt_tokens=progress.plan.prompt_tokens, output_tokens=said
    )


def _refuse_emptiness(asking: Asking) -> None:
    """An answer that ended is judged. Raises ProviderError where it is none."""
    finish = next((delta.finish_reason for delta in reversed(asking.came) if delta.finish_reason), None)
    if finish is FinishReason.ERROR:
        raise ProviderError(ErrorKind.SERVER, "the provider ended its answer with an error")
    if asking.ttft_s is None:
        raise ProviderError(*_EMPTY.get(finish, _NOTHING))


_NEVER_REACHED: Final = frozenset({ErrorKind.CONNECT, ErrorKind.CONNECT_TIMEOUT, ErrorKind.TLS, ErrorKind.NOT_SENT})
_EMPTY: Final[Mapping[FinishReason | None, tuple[ErrorKind, str]]] = MappingProxyType(
    {
        FinishReason.CONTENT_FILTER: (ErrorKind.CONTENT_FILTER, "a content policy withheld the whole answer"),
        FinishReason.REFUSAL: (ErrorKind.CONTENT_FILTER, "the model refused without a word"),
        FinishReason.LENGTH: (
            ErrorKind.UNSUPPORTED,
            "the token limit was used up before the first word (a reasoning model thinks on it): raise the token limit",
        ),
    }
)  # what an answer without content failed of, by its finish reason
_NOTHING: Final = (ErrorKind.BAD_RESPONSE, "the answer has no content")
