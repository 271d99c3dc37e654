"""One request's course: everything that is decided and booked on the way, and nothing that waits.

    begin ─▶ next_action ─▶ Try      admitted ─▶ hedge_after_s, beside, admitted_beside ─▶ failed, outpaced ─┐
                 ▲          Wait     whoever drives it waits                                                │
                 │          GiveUp   whoever drives it says so                                              │
                 └─────────────────────────────────── rank_anew ◀───────────────────────────────────────────┘

Two drive it. loop.py waits for sockets and hands on what comes; simulation/production.py waits for nothing, for its time jumps
to the next event. What they have each for themselves is the waiting: which of two attempts speaks first, and that somebody may
leave. Whatever they both have to know stands here, once; tests/simulation/test_one_course.py holds the two together.
"""

from random import Random

from llmr.chat import ChatRequest, ChatResponse
from llmr.errors import ErrorKind, LlmrError, ProviderError, kind_named
from llmr.exchange import Clock
from llmr.router.asking import Asker, Asking
from llmr.router.endings import not_sent
from llmr.router.events import AttemptFailed
from llmr.router.planning import Planner
from llmr.router.progress import Progress
from llmr.routing.action import Action, Try
from llmr.routing.fallback import FallbackHandler
from llmr.routing.hedging import hedge_after_s
from llmr.routing.policy import Policy
from llmr.routing.rules import Candidate, Plan


class Course:
    """Decides and books. One per router; what is known of one request is in its `Progress`."""

    def __init__(self, planner: Planner, asker: Asker, policy: Policy, clock: Clock, chance: Random) -> None:
        self._planner = planner
        self._asker = asker
        self._policy = policy
        self._clock = clock
        self._chance = chance

    def begin(self, request: ChatRequest, plan: Plan) -> Progress:
        """The request with its first ranking."""
        seed = self._chance.getrandbits(64)
        explore = self._chance.random() < self._policy.exploration
        selection = self._planner.select(request, plan, seed=seed, explore=explore)
        timeouts = plan.timeouts.over(self._policy.timeouts)
        return Progress(
            request=request,
            plan=plan,
            decided=selection,
            handler=FallbackHandler(selection, self._policy.fallback, timeouts, self._chance),
            request_id=f"{seed:016x}",
            started_at=self._clock.now(),
            started_s=self._clock.monotonic(),
            seed=seed,
            explore=explore,
            hedges=self._policy.hedging.enabled if plan.hedge is None else plan.hedge,
        )

    def elapsed_s(self, progress: Progress) -> float:
        """Seconds since the request began."""
        return self._clock.monotonic() - progress.started_s

    def next_action(self, progress: Progress) -> Action:
        """What is to be done at this moment."""
        return progress.handler.next_action(self._clock.now(), self.elapsed_s(progress))

    def rank_anew(self, progress: Progress) -> None:
        """Rank as of this moment, by what has failed in this request as well."""
        progress.handler.may_retry = self._asker.may_retry(progress)
        progress.handler.selection = self._planner.select(
            progress.request,
            progress.plan,
            seed=progress.seed,
            explore=progress.explore,
            failed=progress.handler.struck.values(),
        )

    def admitted(self, progress: Progress, action: Try) -> Asking | None:
        """An attempt that may be asked; None: it was refused, which the handler has been told."""
        asking = self._asker.admitted(progress, action.candidate, alone=action.alone, last_resort=action.last_resort)
        if isinstance(asking, Asking):
            return asking
        progress.handler.refused(
            action.candidate,
            asking.retry_at,
            self._clock.now(),
            self.elapsed_s(progress),
            reason=asking.reason,
            kind=kind_named(asking.why),
        )
        return None

    def hedge_after_s(self, progress: Progress, action: Try, first: Asking) -> float | None:
        """Seconds after which `first` is late and gets a second beside it: a rule's word, else by its own habits. None: it
        gets none. A probe is asked to learn what its provider is worth, which a faster one would not let it say."""
        if not progress.hedges or action.alone or first.permit.probe:
            return None
        if progress.plan.hedge_after_s is not None:
            return progress.plan.hedge_after_s
        after_s = hedge_after_s(progress.handler.selection, first.candidate)
        return first.limits.first_token_s if after_s is None else after_s

    def beside(self, progress: Progress, first: Asking) -> Candidate | None:
        """Whom to ask beside `first`, which is late; None: nobody is fit for it."""
        self.rank_anew(progress)
        other = progress.handler.beside(first.candidate, progress.asked, self.elapsed_s(progress))
        return None if other is None else other.candidate

    def admitted_beside(self, progress: Progress, other: Candidate) -> Asking | None:
        """The second attempt; None: the budget does not cover it, or a circuit or limit is in its way."""
        asking = self._asker.admitted(progress, other, hedge=True)
        return asking if isinstance(asking, Asking) else None

    def failed(self, progress: Progress, asking: Asking, problem: LlmrError) -> AttemptFailed:
        """Book a failure, and tell the handler."""
        error = problem if isinstance(problem, ProviderError) else not_sent(problem)
        after_s = self._asker.took_s(asking)
        self._asker.report(progress, asking, error)
        progress.handler.failed(asking.candidate, error, self.elapsed_s(progress))
        refused = ChatResponse.from_deltas(asking.came) if error.kind is ErrorKind.NOT_ACCEPTED else None
        return AttemptFailed(asking.candidate, error, after_s, asking.number, refused)

    def outpaced(self, progress: Progress, loser: Asking, after_s: float) -> None:
        """Book an attempt that was given up after `after_s` seconds, for the one beside it spoke first."""
        if not loser.reported:
            progress.handler.outpaced()
            error = ProviderError(ErrorKind.CANCELLED, "the one beside it was faster")
            self._asker.report(progress, loser, error, outpaced_after_s=after_s)

    def unsent(self, progress: Progress, asking: Asking) -> AttemptFailed:
        """Give an admission back that has grown old while the caller paused: its lease may be another's by now."""
        error = ProviderError(ErrorKind.NOT_SENT, "the reader paused before it was sent")
        self._asker.report(progress, asking, error)
        return AttemptFailed(asking.candidate, error, self._asker.took_s(asking), asking.number)
