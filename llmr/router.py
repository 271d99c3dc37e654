"""The router: the only loop. It obeys the fallback handler and touches the world through four protocols.

      plan ─▶ snapshot ─▶ select ─▶ ┌─▶ next_action
                                    │     Try     admit ─▶ encode ─▶ transport ─▶ decode ─▶ first token ─▶ report
                                    │     Wait    sleep, then look again
                                    │     GiveUp  raise, with every failure
                                    └── failed with nothing shown: book it, rank what is left, go round

The first content token is the **commit point**. Before it every failure is the loop's business; after it nothing is
repeated and nobody else continues: the caller gets `StreamInterrupted` and keeps what it has. Unless the user chose
otherwise (`on_break`): `buffer` moves the commit point to the end, `restart` and `continue` go on with the next candidate
behind a `BrokeOff` event, which no caller may hide. Everything that happens on
the way is told as an `Event`, in order, by the one stream that also carries the answer.

The candidate that nobody stands behind gets all the time that is left: giving up on it after five seconds would trade a
slow answer for none. (routing.md §4 has no such exception; a cold local model needs it.)
"""

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from random import Random
from types import MappingProxyType
from typing import Final

from llmr.catalog import Catalog
from llmr.chat import ChatRequest, ChatResponse, Delta, FinishReason
from llmr.errors import AllAttemptsFailed, ErrorKind, LlmrError, NoProviderReady, ProviderError, StreamInterrupted
from llmr.exchange import Clock, Limits, Transport, Wires, exchange
from llmr.registry import Attempt, Permit, ProviderRegistry
from llmr.routing.breaker import Refusal
from llmr.routing.decision_record import DecisionRecord
from llmr.routing.disposition import Onward, disposition
from llmr.routing.fallback import Ending, FallbackHandler, GiveUp, Try, Wait
from llmr.routing.latency import first_token_limit_s
from llmr.routing.policy import OnBreak, Policy
from llmr.routing.rules import Candidate, Plan, RulesEngine
from llmr.routing.score import request_cost_usd
from llmr.routing.seam import Seam, continuation, may_continue
from llmr.routing.selector import Barrier, ModelSelector, Selection
from llmr.routing.tokens import estimate_tokens
from llmr.state import RequestRecord


@dataclass(frozen=True, slots=True)
class Decided:
    """The ranking that the request `request_id` starts with."""

    selection: Selection
    request_id: str = ""


@dataclass(frozen=True, slots=True)
class AttemptStarted:
    """A candidate is being asked. `number` counts from 1."""

    candidate: Candidate
    number: int
    probe: bool


@dataclass(frozen=True, slots=True)
class AttemptFailed:
    """An attempt failed with nothing shown; the loop goes on. `after_s` seconds from its start."""

    candidate: Candidate
    error: ProviderError
    after_s: float


@dataclass(frozen=True, slots=True)
class Waiting:
    """Nobody can be asked for `seconds`."""

    seconds: float
    reason: str


@dataclass(frozen=True, slots=True)
class Answering:
    """The commit point: the first content token, `ttft_s` seconds after this attempt began."""

    candidate: Candidate
    ttft_s: float


@dataclass(frozen=True, slots=True)
class Finished:
    """The whole answer came. Durations in seconds; `total_s` of the whole request, `attempt_s` of the attempt that
    answered, `streamed` whether in pieces. `cost_usd` None: unknown."""

    candidate: Candidate
    response: ChatResponse
    ttft_s: float
    attempt_s: float
    total_s: float
    attempts: int
    cost_usd: float | None
    request_id: str
    streamed: bool = True


@dataclass(frozen=True, slots=True)
class BrokeOff:
    """An answer broke after text was shown, and another candidate goes on, as the user wished: CONTINUE takes the text up
    where it stops, RESTART begins anew."""

    candidate: Candidate
    error: ProviderError
    after_s: float
    then: OnBreak


Event = Decided | AttemptStarted | AttemptFailed | BrokeOff | Waiting | Answering | Delta | Finished


@dataclass(slots=True)
class _Progress:
    """One request under way."""

    request: ChatRequest
    plan: Plan
    decided: Selection
    handler: FallbackHandler
    request_id: str
    started_at: float
    started_s: float
    seed: int
    explore: bool
    attempts: int = 0
    recorded: bool = False
    kept: tuple[Delta, ...] = ()  # of answers that broke and are being continued
    broken: StreamInterrupted | None = None  # the last break that the request went on from

    @property
    def on_break(self) -> OnBreak:
        """What to do when the answer breaks."""
        return OnBreak(self.request.on_break) if self.request.on_break else self.handler.policy.on_break

    @property
    def kept_text(self) -> str:
        """The text that stands before the answer under way."""
        return "".join(delta.text for delta in self.kept)


@dataclass(slots=True)
class _Answer:
    """One attempt and its answer as it grows. `started_at` is wall clock, `started_s` monotonic; `shown`: the caller has
    seen content of it."""

    candidate: Candidate
    permit: Permit
    started_at: float
    started_s: float
    reported: bool = False
    deltas: list[Delta] = field(default_factory=list[Delta])
    ttft_s: float | None = None
    shown: bool = False


class Router:
    """Plans, ranks, asks and falls back. One per process; safe for concurrent requests in one event loop."""

    def __init__(
        self,
        *,
        catalog: Catalog,
        rules: RulesEngine,
        policy: Policy,
        registry: ProviderRegistry,
        transport: Transport,
        wires: Wires,
        clock: Clock,
        chance: Random,
    ) -> None:
        self._catalog = catalog
        self._rules = rules
        self._policy = policy
        self._selector = ModelSelector(policy)
        self._registry = registry
        self._transport = transport
        self._wires = wires
        self._clock = clock
        self._chance = chance

    def rank(self, request: ChatRequest) -> Selection:
        """The order that `stream` would use now, without exploration. Writes nothing. Raises UsageError, RequestDenied."""
        return self._select(request, self._plan(request), seed=self._chance.getrandbits(64), explore=False)

    async def chat(self, request: ChatRequest) -> Finished:
        """The whole answer at once. Raises what `stream` raises."""
        async with aclosing(self.stream(request)) as events:
            async for event in events:
                if isinstance(event, Finished):
                    return event
        raise AssertionError("a stream ends in Finished or raises")  # pragma: no cover

    async def stream(self, request: ChatRequest) -> AsyncGenerator[Event, None]:
        """Ask, and tell everything that happens. The last event is `Finished`.

        Raises UsageError, RequestDenied, NoProviderReady before anything is asked; AllAttemptsFailed when nobody answered;
        StreamInterrupted when the answer broke off after its first token. Closing the generator cancels the attempt.
        """
        plan = self._plan(request)
        seed = self._chance.getrandbits(64)
        explore = self._chance.random() < self._policy.exploration
        selection = self._select(request, plan, seed=seed, explore=explore)
        _refuse_if_nobody_is_ready(selection)
        progress = _Progress(
            request=request,
            plan=plan,
            decided=selection,
            handler=FallbackHandler(selection, self._policy.fallback, self._policy.timeouts, self._chance),
            request_id=f"{self._chance.getrandbits(64):016x}",
            started_at=self._clock.now(),
            started_s=self._clock.monotonic(),
            seed=seed,
            explore=explore,
        )
        try:
            yield Decided(selection, progress.request_id)
            async with aclosing(self._run(progress)) as events:
                async for event in events:
                    yield event
        finally:
            if not progress.recorded:  # the caller left between two attempts
                self._record(progress, ErrorKind.CANCELLED.value, None)

    async def _run(self, progress: _Progress) -> AsyncGenerator[Event, None]:
        handler = progress.handler
        while True:
            action = handler.next_action(self._clock.now(), self._elapsed_s(progress))
            match action:
                case Wait():
                    yield Waiting(action.seconds, action.reason)
                    await self._clock.sleep(action.seconds)
                case GiveUp():
                    raise self._gave_up(progress, action)
                case Try():  # pragma: no branch - an Action is one of the three
                    async with aclosing(self._try(progress, action)) as events:
                        async for event in events:
                            yield event
                            if isinstance(event, Finished):
                                return
            handler.selection = self._select(
                progress.request, progress.plan, seed=progress.seed, explore=progress.explore
            )

    async def _try(self, progress: _Progress, action: Try) -> AsyncGenerator[Event, None]:
        """Admit and ask one candidate. Ends in Finished, or with the failure told to the handler."""
        limits = self._limits(progress, action)
        permit = self._registry.admit(
            action.candidate.model,
            streamed=progress.request.stream,
            prompt_tokens=progress.plan.prompt_tokens,
            reasoning=progress.request.reasoning_effort is not None,
            first_token_s=limits.first_token_s,
            token=f"{progress.request_id}.{progress.attempts}",
            now=self._clock.now(),
            last_resort=action.last_resort,
        )
        if isinstance(permit, Refusal):
            progress.handler.refused(
                action.candidate,
                permit.retry_at,
                self._clock.now(),
                self._elapsed_s(progress),
                reason=permit.reason,
            )
            return
        progress.attempts += 1
        answer = _Answer(action.candidate, permit, self._clock.now(), self._clock.monotonic())
        try:  # from here on the permit is given back, whatever happens
            yield AttemptStarted(action.candidate, progress.attempts, permit.probe)
            answer.started_at, answer.started_s = self._clock.now(), self._clock.monotonic()
            async with aclosing(self._answer(progress, answer, limits)) as events:
                async for event in events:
                    yield event
        except LlmrError as problem:
            error = problem if isinstance(problem, ProviderError) else _not_sent(problem)
            self._report(progress, answer, error)
            after_s = self._clock.monotonic() - answer.started_s
            progress.handler.failed(answer.candidate, error, self._elapsed_s(progress))
            if not answer.shown:
                yield AttemptFailed(answer.candidate, error, after_s)
                return
            progress.broken = _interrupted(answer.candidate, error, after_s)
            then = _after_break(progress, error)
            if then is OnBreak.FAIL:
                self._record(progress, error.kind.value, answer)
                raise progress.broken from error
            progress.kept = (*progress.kept, *answer.deltas) if then is OnBreak.CONTINUE else ()
            yield BrokeOff(answer.candidate, error, after_s, then)
        finally:
            if not answer.reported:  # the caller left or was interrupted: held against nobody
                self._report(progress, answer, ProviderError(ErrorKind.CANCELLED, "cancelled"))
                self._record(progress, ErrorKind.CANCELLED.value, answer)

    async def _answer(self, progress: _Progress, answer: "_Answer", limits: Limits) -> AsyncGenerator[Event, None]:
        """The answer of one attempt, from first token to Finished. Raises ProviderError."""
        buffered = progress.on_break is OnBreak.BUFFER
        async with aclosing(self._deltas(progress, answer, limits)) as deltas:
            async for delta in deltas:
                if answer.ttft_s is None and delta.has_content:
                    answer.ttft_s = self._clock.monotonic() - answer.started_s
                    answer.permit = self._registry.first_token(answer.permit, lasts_s=limits.total_s)
                    if not buffered:
                        yield Answering(answer.candidate, answer.ttft_s)
                answer.deltas.append(delta)
                if not buffered:
                    answer.shown = answer.ttft_s is not None
                    yield delta
        finish_reason = next((delta.finish_reason for delta in reversed(answer.deltas) if delta.finish_reason), None)
        if finish_reason is FinishReason.ERROR:
            raise ProviderError(ErrorKind.SERVER, "the provider ended its answer with an error")
        if answer.ttft_s is None and progress.kept:  # all that was missing was the end
            answer.ttft_s = self._clock.monotonic() - answer.started_s
        if answer.ttft_s is None:
            raise ProviderError(*_EMPTY.get(finish_reason, _NOTHING))
        finished = self._finished(progress, answer, answer.ttft_s)
        self._report(progress, answer, None)
        self._record(progress, "ok", answer)
        if buffered:
            yield Answering(answer.candidate, answer.ttft_s)
            for delta in answer.deltas:
                yield delta
        yield finished

    async def _deltas(self, progress: _Progress, answer: "_Answer", limits: Limits) -> AsyncGenerator[Delta, None]:
        """What the provider says; where it goes on from another's text, without what it repeats of that."""
        before = progress.kept_text
        deltas = exchange(
            continuation(progress.request, before) if before else progress.request,
            answer.candidate.model,
            transport=self._transport,
            wires=self._wires,
            clock=self._clock,
            limits=limits,
        )
        seam = Seam(before)
        async with aclosing(deltas):
            async for delta in deltas:
                yield replace(delta, text=seam.feed(delta.text)) if before else delta
        rest = seam.end()
        if rest:
            yield Delta(text=rest)

    def _finished(self, progress: _Progress, answer: "_Answer", ttft_s: float) -> Finished:
        response = ChatResponse.from_deltas((*progress.kept, *answer.deltas))
        return Finished(
            candidate=answer.candidate,
            response=response,
            ttft_s=ttft_s,
            attempt_s=self._clock.monotonic() - answer.started_s,
            total_s=self._elapsed_s(progress),
            attempts=progress.attempts,
            cost_usd=request_cost_usd(answer.candidate.model.price, response.usage),
            request_id=progress.request_id,
            streamed=progress.request.stream,
        )

    def _limits(self, progress: _Progress, action: Try) -> Limits:
        """Time for one attempt. The first token's share of it is the candidate's own, or all that is left where nobody
        else could be asked."""
        model = action.candidate.model
        timeouts = model.provider.timeouts.over(self._policy.timeouts)
        left_s = timeouts.deadline_s - self._elapsed_s(progress)
        reasoning = progress.request.reasoning_effort is not None or model.capabilities.reasoning is True
        late = reasoning or not progress.request.stream  # the first token of an unstreamed answer is its last
        selection = progress.handler.selection
        known = [(r.candidate.key, r.estimate) for r in selection.ranked]
        known += [(r.candidate.key, r.estimate) for r in selection.rejected if r.estimate is not None]
        ranked = (estimate for key, estimate in known if key == model.key)
        first_token_s = first_token_limit_s(
            timeouts,
            next(ranked, None),
            reasoning=late,
            alone=action.alone,
            left_s=left_s,
            prompt_tokens=progress.plan.prompt_tokens,
        )
        return Limits(timeouts.connect_s, first_token_s, timeouts.stall_s, timeouts.total_s)

    def _report(self, progress: _Progress, answer: "_Answer", error: ProviderError | None) -> None:
        usage = next((delta.usage for delta in reversed(answer.deltas) if delta.usage is not None), None)
        answer.reported = True
        self._registry.report(
            answer.permit,
            Attempt(
                request_id=progress.request_id,
                at=answer.started_at,
                streamed=progress.request.stream,
                total_s=self._clock.monotonic() - answer.started_s,
                ttft_s=answer.ttft_s,
                error=error,
                usage=usage,
                cost_usd=request_cost_usd(answer.candidate.model.price, usage),
            ),
        )

    def _record(self, progress: _Progress, outcome: str, answer: "_Answer | None") -> None:
        progress.recorded = True
        self._registry.record(
            RequestRecord(
                id=progress.request_id,
                at=progress.started_at,
                asked_model=progress.plan.asked,
                strategy=progress.plan.strategy.value,
                outcome=outcome,
                total_s=self._elapsed_s(progress),
                attempts=progress.attempts,
                provider=answer.candidate.model.provider.name if answer else None,
                model=answer.candidate.model.id if answer else None,
                ttft_s=answer.ttft_s if answer else None,
                decision=DecisionRecord.of(progress.decided).to_text(),
            )
        )

    def _gave_up(self, progress: _Progress, end: GiveUp) -> AllAttemptsFailed | StreamInterrupted:
        """Why nobody answered; where text was shown, the break that nobody could go on from."""
        last = next((failure.kind for failure in reversed(end.failures) if failure.error is not None), None)
        self._record(progress, last.value if last else "refused", None)
        if progress.broken is not None:
            return progress.broken
        retry_after_s = None if end.retry_at is None else max(0.0, end.retry_at - self._clock.now())
        tried = sum(failure.error is not None for failure in end.failures)
        attempts = f"{tried} attempt" if tried == 1 else f"{tried} attempts"
        message = f"no answer for {progress.plan.asked!r}: {_ENDINGS[end.ending]}, {attempts}"
        return AllAttemptsFailed(message, failures=end.failures, retry_after_s=retry_after_s)

    def _elapsed_s(self, progress: _Progress) -> float:
        return self._clock.monotonic() - progress.started_s

    def _plan(self, request: ChatRequest) -> Plan:
        return self._rules.evaluate(
            request,
            self._catalog,
            prompt_tokens=estimate_tokens(request),
            minute_of_day=self._clock.minute_of_day(),
        )

    def _select(self, request: ChatRequest, plan: Plan, *, seed: int, explore: bool) -> Selection:
        now = self._clock.now()
        health = self._registry.snapshot(
            [candidate.model for candidate in plan.candidates],
            streamed=request.stream,
            prompt_tokens=plan.prompt_tokens,
            reasoning=request.reasoning_effort is not None,
            now=now,
        )
        return self._selector.select(plan, request, health, now, seed=seed, explore=explore)


_ENDINGS: Final[Mapping[Ending, str]] = MappingProxyType(
    {
        Ending.EXHAUSTED: "nobody else can be asked",
        Ending.FATAL: "the request itself was rejected",
        Ending.DEADLINE: "the deadline is over",
        Ending.ATTEMPTS: "enough has been tried",
    }
)

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


def _not_sent(problem: LlmrError) -> ProviderError:
    """A request that our own side could not send: a header, an authority, an origin. Somebody else may still be asked."""
    error = ProviderError(ErrorKind.NOT_SENT, str(problem))
    error.__cause__ = problem
    return error


def _after_break(progress: _Progress, error: ProviderError) -> OnBreak:
    """What follows a break after text was shown: the user's wish, as far as it can be met."""
    if disposition(error.kind).onward is Onward.NOBODY:
        return OnBreak.FAIL
    match progress.on_break:
        case OnBreak.CONTINUE:
            return OnBreak.CONTINUE if may_continue(progress.request) else OnBreak.FAIL
        case OnBreak.RESTART:
            return OnBreak.RESTART
        case OnBreak.FAIL | OnBreak.BUFFER:  # pragma: no branch - a wish is one of the four
            return OnBreak.FAIL


def _interrupted(candidate: Candidate, error: ProviderError, after_s: float) -> StreamInterrupted:
    message = f"{candidate.key} broke off: {error.message}"
    return StreamInterrupted(message, candidate=candidate.key, error=error, after_s=after_s)


def _refuse_if_nobody_is_ready(selection: Selection) -> None:
    """Raise NoProviderReady where no candidate is so much as set up: there is nothing to try, wait for or book.

    Absent keys are facts on the error; only what else is in the way is spelt out.
    """
    if selection.ranked or any(r.barrier not in (Barrier.OFF, Barrier.RULE) for r in selection.rejected):
        return
    lacking = [r.candidate.model.provider.missing_key for r in selection.rejected if r.barrier is Barrier.OFF]
    missing = dict.fromkeys(name for name in lacking if name)
    ruled = dict.fromkeys(r.reason for r in selection.rejected if r.barrier is Barrier.RULE)
    off = (r for r in selection.rejected if r.barrier is Barrier.OFF and not r.candidate.model.provider.missing_key)
    reasons = "; ".join([*ruled, *dict.fromkeys(f"{r.candidate.key}: {r.reason}" for r in off)])
    message = f"no provider is ready for {selection.asked!r}" + (f" ({reasons})" if reasons else "")
    raise NoProviderReady(message, missing=tuple(missing))
