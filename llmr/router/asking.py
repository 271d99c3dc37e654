"""One attempt: admitted by circuits, limits and budgets, asked under watch, booked when it is over.

An `Asking` is the attempt under way. Its answer comes as `deltas()`: first what a race has already read of it, then the rest.
The generator behind it owns the socket; closing it closes that. Every `Asking` is reported exactly once, whatever happens:
a permit that is not given back would hold a probe's lease, a slot or money until it runs out.
"""

import math
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import field
from typing import Final

from llmr.catalog import LimitsTold
from llmr.chat import ChatRequest, Delta, FinishReason
from llmr.dataclass import dataclass, replace
from llmr.errors import ErrorKind, ProviderError
from llmr.exchange import Clock, Limits, Transport, Wires, exchange
from llmr.registry import Attempt, Permit, ProviderRegistry
from llmr.router.costs import attempt_cost, candidate_price_usd
from llmr.router.endings import refuse_if_empty
from llmr.router.events import AttemptStarted
from llmr.router.progress import Progress
from llmr.routing.circuit import Refusal
from llmr.routing.first_token import FIRST_TOKEN_MOST_S, first_token_limit_s
from llmr.routing.policy import Policy
from llmr.routing.rules import Candidate
from llmr.routing.seam import Seam, continuation
from llmr.wire.limits_told import limits_told

LONGEST_PAUSE_S: Final = 5.0  # between admission and sending: the slack of a probe's lease, registry.LEASE_SLACK_S


@dataclass(slots=True, eq=False)
class Asking:
    """One attempt and its answer as it grows. `started_at` wall clock, `started_s` monotonic; `ttft_s` None: no content yet;
    `shown`: the caller has seen content of it; `hedge`: it was asked beside another."""

    candidate: Candidate
    permit: Permit
    number: int
    limits: Limits
    hedge: bool
    started_at: float = 0.0
    started_s: float = 0.0
    stream: AsyncGenerator[Delta, None] = field(init=False)
    head: list[Delta] = field(default_factory=list[Delta])  # read, and not handed on yet
    came: list[Delta] = field(default_factory=list[Delta])
    ttft_s: float | None = None
    shown: bool = False
    reported: bool = False
    sent: bool = False  # the request has left, or tried to
    paused_s: float = 0.0  # while the reader had other things to do
    renewed_s: float = 0.0  # monotonic, when its slot was last asked for
    told: LimitsTold | None = None  # of the rate limits, by the answer's head
    told_at: float = 0.0

    @property
    def started(self) -> AttemptStarted:
        """The event that tells of it."""
        return AttemptStarted(self.candidate, self.number, self.permit.probe, self.hedge)

    @property
    def finish_reason(self) -> FinishReason | None:
        """Why its answer ends; None: it has not said."""
        return next((delta.finish_reason for delta in reversed(self.came) if delta.finish_reason), None)

    async def until_content(self) -> None:
        """Read up to the first content, or the end. Raises ProviderError."""
        async for delta in self.stream:
            self.head.append(delta)
            if delta.has_content:
                return

    async def deltas(self) -> AsyncGenerator[Delta, None]:
        """The whole answer, what was read before included. Raises ProviderError.

        What says nothing yet (a role, a count) comes behind the first content, for until then the attempt may fail; what the
        wire leaves out is told at once.
        """
        silent: list[Delta] = []
        spoke = False
        async with aclosing(self._read()) as deltas:
            async for delta in deltas:
                spoke = spoke or delta.has_content
                if not spoke and not delta.left_out:
                    silent.append(delta)
                    continue
                yield delta
                if spoke:
                    for earlier in silent:
                        yield earlier
                    silent.clear()
        for earlier in silent:
            yield earlier

    async def _read(self) -> AsyncGenerator[Delta, None]:
        while self.head:
            yield self.head.pop(0)
        async for delta in self.stream:
            yield delta

    async def close(self) -> None:
        """Close the socket."""
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
            price_usd=candidate_price_usd(progress, candidate),
        )
        if isinstance(permit, Refusal):
            return permit
        number = progress.asks(candidate)
        return self._asked(progress, Asking(candidate, permit, number, limits, hedge))

    async def prepare(self, candidate: Candidate) -> None:
        """Have at hand what the request needs, before any clock or lease runs: a vault may wait for a finger."""
        await self._transport.prepare(candidate.model.provider)

    def may_retry(self, progress: Progress) -> bool:
        """Whether somebody whom the request has asked may be asked again, as far as the retry budget goes."""
        return progress.owner is None or self._registry.may_retry(progress.owner)

    def is_stale(self, asking: Asking) -> bool:
        """Whether it is a probe whose lease may run out, because its caller paused between its admission and its sending."""
        return asking.permit.probe and self.took_s(asking) > LONGEST_PAUSE_S

    def first_token(self, asking: Asking) -> None:
        """Tell the circuits that it speaks."""
        asking.permit = self._registry.first_token(asking.permit, lasts_s=_slot_s(asking.limits))
        asking.renewed_s = self._clock.monotonic()

    def goes_on(self, asking: Asking) -> None:
        """Keep its slot: an answer under way holds it for as long as it comes, a killed process for one silence longer."""
        now_s = self._clock.monotonic()
        if now_s - asking.renewed_s >= asking.limits.stall_s / 3:
            asking.renewed_s = now_s
            self._registry.renew(asking.permit, lasts_s=_slot_s(asking.limits))

    def took_s(self, asking: Asking) -> float:
        """Seconds since it was asked, less what its reader took."""
        return self._clock.monotonic() - asking.started_s - asking.paused_s

    def report(
        self, progress: Progress, asking: Asking, error: ProviderError | None, *, outpaced_after_s: float | None = None
    ) -> None:
        """Book what came of it, once."""
        if asking.reported:
            return
        asking.reported = True
        usage = next((delta.usage for delta in reversed(asking.came) if delta.usage is not None), None)
        cost = attempt_cost(
            asking.candidate.model.price,
            asking.came,
            usage,
            error,
            sent=asking.sent,
            prompt_tokens=progress.plan.prompt_tokens,
        )
        progress.bill.book(0.0 if cost.free else cost.usd, estimated=cost.estimated)
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
                cost_usd=cost.usd,
                cost_estimated=cost.estimated,
                outpaced=outpaced_after_s is not None,
                impatient=error is not None and error.kind is ErrorKind.DEADLINE,
                sent=asking.sent,
                number=asking.number,
                hedge=asking.hedge,
                told=asking.told,
                told_at=asking.told_at,
            ),
        )

    async def _timed(self, progress: Progress, asking: Asking) -> AsyncGenerator[Delta, None]:
        asking.sent, asking.started_at, asking.started_s = True, self._clock.now(), self._clock.monotonic()
        async with aclosing(self._said(progress, asking)) as deltas:
            async for delta in deltas:
                if asking.ttft_s is None and delta.has_content:
                    asking.ttft_s = self.took_s(asking)
                asking.came.append(delta)
                before_s = self._clock.monotonic()
                yield delta
                asking.paused_s += self._clock.monotonic() - before_s
        if asking.ttft_s is None and progress.kept and asking.finish_reason is FinishReason.STOP:
            asking.ttft_s = self.took_s(asking)  # all that was missing was the end
        refuse_if_empty(asking.finish_reason, spoke=asking.ttft_s is not None)

    async def _said(self, progress: Progress, asking: Asking) -> AsyncGenerator[Delta, None]:
        """What the provider says; where it goes on from another's text, without what it repeats of that."""
        before = progress.kept_text
        deltas = self._exchanged(continuation(progress.request, before) if before else progress.request, asking)
        seam = Seam(before)
        async with aclosing(deltas):
            async for delta in deltas:
                if before:
                    text = seam.feed(delta.text) + (seam.end() if delta.finish_reason is not None else "")
                    delta = replace(delta, text=text)  # noqa: PLW2901 - the same delta, mended
                yield delta
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
        theirs = model.provider.timeouts.over(self._policy.timeouts)
        timeouts = progress.plan.timeouts.over(theirs)
        habits = progress.handler.selection.habits_of(candidate.key)
        late = progress.request.reasoning_effort is not None or model.capabilities.reasoning is True
        late = late or not progress.request.stream  # the first token of an unstreamed answer is its last
        left_s = progress.handler.timeouts.deadline_s - (self._clock.monotonic() - progress.started_s)
        tokens = progress.plan.prompt_tokens
        first_token_s = first_token_limit_s(
            timeouts, habits, reasoning=late, alone=alone, left_s=left_s, prompt_tokens=tokens
        )
        usual_s = first_token_limit_s(
            theirs, habits, reasoning=late, alone=False, left_s=math.inf, prompt_tokens=tokens
        )
        return Limits(
            timeouts.connect_s,
            first_token_s,
            timeouts.stall_s,
            timeouts.total_s,
            hurried=first_token_s < min(usual_s, FIRST_TOKEN_MOST_S),
            short=timeouts.total_s < theirs.total_s,
        )

    def _asked(self, progress: Progress, asking: Asking) -> Asking:
        asking.stream = self._timed(progress, asking)
        asking.started_at, asking.started_s = self._clock.now(), self._clock.monotonic()
        return asking


def _slot_s(limits: Limits) -> float:
    """How long a slot is held from one sign of life: past the longest silence, asked for thrice within one."""
    return 1.5 * limits.stall_s + LONGEST_PAUSE_S
