"""The loop: it obeys the fallback handler and touches the world through four protocols.

      plan ─▶ snapshot ─▶ select ─▶ ┌─▶ next_action
                                    │     Try     admit ─▶ encode ─▶ transport ─▶ decode ─▶ first token ─▶ report
                                    │     Wait    sleep, then look again
                                    │     GiveUp  raise, with every failure
                                    └── failed with nothing shown: book it, rank what is left, go round

The first content token is the **commit point**. Before it every failure is the loop's business; after it nothing is
repeated and nobody else continues: the caller gets `StreamInterrupted` and keeps what it has. Unless the user chose
otherwise (`on_break`): `buffer` moves the commit point to the end, `restart` and `continue` go on with the next candidate
behind a `BrokeOff` event, which no caller may hide. Where the user wants it (`hedge`), an attempt that is late gets a second
one beside it, and the commit point ends that race. Everything that happens on the way is told as an `Event`, in order, by
the one stream that also carries the answer.

The candidate that nobody stands behind gets all the time that is left: giving up on it after five seconds would trade a
slow answer for none. (routing.md §4 has no such exception; a cold local model needs it.)
"""

from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, aclosing
from random import Random
from typing import TYPE_CHECKING

from llmr.catalog import Catalog
from llmr.chat import ChatRequest, ChatResponse
from llmr.errors import AllAttemptsFailed, ErrorKind, LlmrError, ProviderError, StreamInterrupted
from llmr.exchange import Clock, Transport, Wires
from llmr.registry import ProviderRegistry
from llmr.router.asking import Asker, Asking
from llmr.router.course import Course
from llmr.router.endings import (
    after_break,
    all_failed,
    interrupted,
    refuse_if_nobody_is_ready,
    refuse_unless_accepted,
)
from llmr.router.events import Answering, BrokeOff, Decided, Event, Finished, Waiting
from llmr.router.planning import Planner
from llmr.router.progress import Progress
from llmr.routing.action import Ending, GiveUp, Try, Wait
from llmr.routing.decision_record import DecisionRecord
from llmr.routing.policy import OnBreak, Policy
from llmr.routing.rules import Plan, RulesEngine
from llmr.routing.score import request_cost_usd
from llmr.routing.selection import Selection
from llmr.state import RequestRecord

if TYPE_CHECKING:
    from llmr.router.race import Race
    from llmr.router.throttle import Throttle


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
        throttle: "Throttle | None" = None,
    ) -> None:
        """`throttle`: turns requests away while nobody can answer; None: all are tried."""
        self._planner = Planner(catalog, rules, policy, registry, clock)
        self._registry = registry
        self._asker = Asker(registry, transport, wires, clock, policy)
        self._course = Course(self._planner, self._asker, policy, clock, chance)
        self._clock = clock
        self._chance = chance
        self._throttle = throttle

    def rank(self, request: ChatRequest) -> Selection:
        """The order that `stream` would use now, without exploration. Writes nothing. Raises UsageError, RequestDenied."""
        return self._planner.select(
            request, self._planner.plan(request), seed=self._chance.getrandbits(64), explore=False
        )

    def plan(self, request: ChatRequest) -> Plan:
        """What the rules make of it now. Raises UsageError, RequestDenied."""
        return self._planner.plan(request)

    async def stream(self, request: ChatRequest, plan: Plan | None = None) -> AsyncGenerator[Event, None]:
        """Ask, and tell everything that happens. The last event is `Finished`. `plan`: what `plan(request)` gave just now.

        Raises UsageError, RequestDenied, NoProviderReady before anything is asked; AllAttemptsFailed when nobody answered;
        StreamInterrupted when the answer broke off after its first token. Closing the generator cancels the attempt.
        """
        plan = plan or self._planner.plan(request)
        turn = None if self._throttle is None else self._throttle.enter(request, plan)
        progress = self._course.begin(request, plan)
        progress.turn = turn
        refuse_if_nobody_is_ready(progress.decided)
        try:
            yield Decided(progress.decided, progress.request_id, progress.bill)
            async with aclosing(self._run(progress)) as events:
                async for event in events:
                    yield event
        finally:
            if not progress.recorded:  # the caller left between two attempts
                self._record(progress, ErrorKind.CANCELLED.value, None)
            if turn is not None:
                turn.over()

    async def _run(self, progress: Progress) -> AsyncGenerator[Event, None]:
        waited_for: str | None = None
        while True:
            action = self._course.next_action(progress)
            match action:
                case Wait():
                    if progress.turn is not None and not progress.turn.waits(action):
                        raise self._gave_up(progress, progress.handler.give_up(Ending.WATCHED))
                    goes_on = action.reason == waited_for
                    waited_for = action.reason
                    yield Waiting(action.seconds, action.reason, action.within_s, action.tries, goes_on)
                    await self._clock.sleep(action.seconds)
                case GiveUp():
                    raise self._gave_up(progress, action)
                case Try():  # pragma: no branch - an Action is one of the three
                    waited_for = None
                    async with aclosing(self._try(progress, action)) as events:
                        async for event in events:
                            yield event
                            if isinstance(event, Finished):
                                return
            self._course.rank_anew(progress)

    async def _try(self, progress: Progress, action: Try) -> AsyncGenerator[Event, None]:
        """Ask one candidate, and a second beside it where that is wished and it is late. Ends in Finished, or with every
        failure told to the handler."""
        await self._asker.prepare(action.candidate)
        first = self._course.admitted(progress, action)
        if first is None:
            return
        race: Race | None = None
        try:  # from here on every permit is given back, whatever happens
            yield first.started
            if self._asker.is_stale(first):
                yield self._course.unsent(progress, first)
                return
            leader: Asking | None = first
            hedge_after_s = self._course.hedge_after_s(progress, action, first)
            if hedge_after_s is not None:
                race = self._new_race()
                async with aclosing(self._raced(progress, race, first, hedge_after_s)) as events:
                    async for event in events:
                        yield event
                leader = race.leader
            if leader is not None:
                async with aclosing(self._led(progress, leader, race)) as events:
                    async for event in events:
                        yield event
        finally:
            entered = race.entered if race is not None else [first]
            self._book_the_rest(progress, race, entered)
            async with AsyncExitStack() as closing:  # books first: who is interrupted twice closes nothing more
                for asking in entered:
                    closing.push_async_callback(asking.close)
                if race is not None:
                    closing.push_async_callback(race.close)

    def _book_the_rest(self, progress: Progress, race: "Race | None", entered: Sequence[Asking]) -> None:
        """Whoever lost, and whoever is under way because the caller left or was interrupted: held against nobody."""
        if race is not None:
            self._book_losers(progress, race)
        for asking in entered:
            if not asking.reported:
                self._asker.report(progress, asking, ProviderError(ErrorKind.CANCELLED, "cancelled"))
                if not progress.recorded:
                    self._record(progress, ErrorKind.CANCELLED.value, asking)

    def _new_race(self) -> "Race":
        from llmr.router.race import Race  # noqa: PLC0415 - brings asyncio, which `rank` does without

        return Race(self._asker, self._clock)

    async def _raced(
        self, progress: Progress, race: "Race", first: Asking, after_s: float
    ) -> AsyncGenerator[Event, None]:
        """Wait for the first content of `first`, or of a second one beside it."""
        run = race.run(
            first,
            after_s=after_s,
            second=lambda: self._second(progress, first),
            failed=lambda asking, problem: self._course.failed(progress, asking, problem),
        )
        async with aclosing(run) as events:
            async for event in events:
                yield event

    async def _second(self, progress: Progress, first: Asking) -> Asking | None:
        """An attempt beside `first`; None: nobody is fit for it, or the budget does not cover it."""
        other = self._course.beside(progress, first)
        if other is None:
            return None
        await self._asker.prepare(other)
        return self._course.admitted_beside(progress, other)

    def _book_losers(self, progress: Progress, race: "Race") -> None:
        for loser, after_s in race.losers:
            self._course.outpaced(progress, loser, after_s)

    async def _led(self, progress: Progress, leader: Asking, race: "Race | None") -> AsyncGenerator[Event, None]:
        """The answer of the attempt that leads. Ends in Finished, or with the failure told to the handler; raises
        StreamInterrupted where text was shown and nobody goes on from it."""
        try:
            async with aclosing(self._answer(progress, leader, race)) as events:
                async for event in events:
                    yield event
        except LlmrError as problem:
            failure = self._course.failed(progress, leader, problem)
            if not leader.shown:
                yield failure
                return
            progress.broken = interrupted(failure)
            then = after_break(progress, failure.error)
            if then is OnBreak.FAIL:
                self._record(progress, failure.error.kind.value, leader)
                raise progress.broken from failure.error
            progress.kept = (*progress.kept, *leader.came) if then is OnBreak.CONTINUE else ()
            yield BrokeOff(leader.candidate, failure.error, failure.after_s, then, leader.number)

    async def _answer(self, progress: Progress, leader: Asking, race: "Race | None") -> AsyncGenerator[Event, None]:
        """The answer of one attempt, from first token to Finished. Raises ProviderError."""
        buffered = progress.on_break is OnBreak.BUFFER
        enough, heard = progress.request.enough_characters, 0
        spoke = False
        async with aclosing(leader.deltas()) as deltas:
            async for delta in deltas:
                begins = not spoke and delta.has_content
                if begins and leader.ttft_s is not None:
                    spoke = True
                    self._asker.first_token(leader)
                    if not buffered:
                        progress.is_answered()
                        yield Answering(leader.candidate, leader.ttft_s, leader.number)
                elif spoke:
                    self._asker.goes_on(leader)
                if not buffered:
                    leader.shown = spoke
                    yield delta
                if begins and race is not None:  # behind the first text: the losers may wait, a reader not
                    self._book_losers(progress, race)
                    await race.close()
                heard += len(delta.text)
                if enough is not None and heard >= enough:
                    break
        finished = self._finished(progress, leader)
        refuse_unless_accepted(progress.request, finished.response)
        progress.is_answered()
        self._asker.report(progress, leader, None)
        self._record(progress, "ok", leader)
        if buffered:
            yield Answering(leader.candidate, finished.ttft_s, leader.number)
            for delta in leader.came:
                yield delta
        yield finished

    def _finished(self, progress: Progress, leader: Asking) -> Finished:
        response = ChatResponse.from_deltas((*progress.kept, *leader.came))
        return Finished(
            candidate=leader.candidate,
            response=response,
            ttft_s=leader.ttft_s or 0.0,
            attempt_s=self._asker.took_s(leader),
            total_s=self._course.elapsed_s(progress),
            attempts=progress.attempts,
            cost_usd=progress.cost_usd(request_cost_usd(leader.candidate.model.price, response.usage)),
            request_id=progress.request_id,
            streamed=progress.request.stream,
        )

    def _record(self, progress: Progress, outcome: str, answer: Asking | None, ending: Ending | None = None) -> None:
        progress.recorded = True
        self._registry.record(
            RequestRecord(
                id=progress.request_id,
                at=progress.started_at,
                asked_model=progress.plan.asked,
                strategy=progress.plan.strategy.value,
                outcome=outcome,
                total_s=self._course.elapsed_s(progress),
                attempts=progress.attempts,
                provider=answer.candidate.model.provider.name if answer else None,
                model=answer.candidate.model.id if answer else None,
                ttft_s=answer.ttft_s if answer else None,
                decision=DecisionRecord.of(progress.decided, ended="" if ending is None else ending.value).to_text(),
            )
        )

    def _gave_up(self, progress: Progress, end: GiveUp) -> AllAttemptsFailed | StreamInterrupted:
        """Why nobody answered; where text was shown, the break that nobody could go on from."""
        last = next((failure.kind for failure in reversed(end.failures) if failure.error is not None), None)
        error = all_failed(progress.plan.asked, end, self._clock.now())
        if progress.turn is not None:
            progress.turn.failed(error)
        self._record(progress, last.value if last else "refused", None, end.ending)
        return progress.broken or error
