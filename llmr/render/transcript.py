"""What happened in one request, gathered from the router's events: the receipt and the stderr lines here, and the JSON
(chat_json.py), read it."""

from collections.abc import Sequence
from dataclasses import field
from typing import Final

from llmr.chat import ChatResponse, Delta, Usage
from llmr.dataclass import dataclass
from llmr.errors import ErrorKind, ProviderError, StreamInterrupted
from llmr.render.figures import ago, dollars, left, milliseconds, per_second, share
from llmr.router import (
    Answering,
    AttemptFailed,
    AttemptStarted,
    Bill,
    BrokeOff,
    Decided,
    Event,
    Finished,
    Found,
    LookedUp,
    Outpaced,
    Waiting,
)
from llmr.routing.latency import Sample
from llmr.routing.policy import BreakerPolicy, OnBreak
from llmr.routing.rules import Candidate
from llmr.routing.selection import Barrier, Rejected, Selection

OUTPACED: Final = "outpaced"  # the attempt beside it spoke first
CACHED: Final = "cached"  # nobody was asked
_WORTH_TELLING_S: Final = 0.5  # a shorter wait is noticed by nobody

_USUAL_CAP_S: Final = BreakerPolicy().retry_after_cap_s


@dataclass(slots=True)
class Tried:
    """One attempt. `outcome` "ok", "outpaced", an ErrorKind, or "running". Seconds; None: it did not come to that. `hedge`:
    it was asked beside a late one; `refused`: the whole answer, which the request's own check refused."""

    candidate: Candidate
    probe: bool
    hedge: bool = False
    outcome: str = "running"
    after_s: float | None = None
    ttft_s: float | None = None
    error: ProviderError | None = None
    refused: ChatResponse | None = None


@dataclass(slots=True)
class Transcript:
    """Grows with each event; read at any time."""

    selection: Selection | None = None
    bill: Bill = field(default_factory=Bill)
    request_id: str | None = None
    total_s: float | None = None  # of a request that is over, whole or not
    attempts: list[Tried] = field(default_factory=list[Tried])
    deltas: list[Delta] = field(default_factory=list[Delta])
    waits: list[Waiting] = field(default_factory=list[Waiting])
    finished: Finished | None = None
    conversation_id: str | None = None
    found: Found | None = None  # in the cache: then nobody was asked
    retry_after_cap_s: float = _USUAL_CAP_S  # as the circuits obey it

    def add(self, event: Event) -> None:  # noqa: C901, PLR0912 - a case per event
        """Take the next event."""
        match event:
            case LookedUp():
                self.found, self.request_id = event.found, event.request_id or None
            case Decided():
                self.selection, self.request_id, self.bill = event.selection, event.request_id, event.bill
            case AttemptStarted():
                self.attempts.append(Tried(event.candidate, event.probe, event.hedge))
            case AttemptFailed():
                tried = self.attempts[event.number - 1]
                tried.refused = event.refused
                self._ended(tried, event.error, event.after_s)
            case Outpaced():
                loser = self.attempts[event.number - 1]
                loser.outcome, loser.after_s = OUTPACED, event.after_s
            case BrokeOff():
                self._ended(self.attempts[event.number - 1], event.error, event.after_s)
                if event.then is OnBreak.RESTART:
                    self.deltas.clear()
            case Waiting():
                self.waits.append(event)
            case Answering() if self.found is None:
                self.attempts[event.number - 1].ttft_s = event.ttft_s
            case Delta():
                self.deltas.append(event)
            case Finished():
                if self.found is None:
                    tried = self.answered_by or self.attempts[-1]
                    tried.outcome, tried.after_s = "ok", event.attempt_s
                self.finished, self.total_s = event, event.total_s
            case Answering():  # pragma: no branch - out of the cache; an Event is one of these
                pass

    def broke(self, interrupted: StreamInterrupted) -> None:
        """The answer broke off after its first token."""
        for tried in self._running():
            self._ended(tried, interrupted.error, interrupted.after_s)

    def cancelled(self) -> None:
        """The user ended it."""
        for tried in self._running():
            tried.outcome = ErrorKind.CANCELLED.value

    def _running(self) -> list[Tried]:
        return [tried for tried in self.attempts if tried.outcome == "running"]

    def _ended(self, tried: Tried, error: ProviderError, after_s: float | None) -> None:
        tried.outcome, tried.error, tried.after_s = error.kind.value, error, after_s

    @property
    def response(self) -> ChatResponse:
        """The answer as far as it came."""
        return self.finished.response if self.finished else ChatResponse.from_deltas(self.deltas)

    @property
    def answered_by(self) -> Tried | None:
        """The attempt that text came from, whole or not; for an answer out of the cache, one that nobody made."""
        if self.found is not None:
            done = self.finished
            return Tried(self.found.candidate, probe=False, outcome=CACHED, ttft_s=done.ttft_s if done else None)
        return next((tried for tried in reversed(self.attempts) if tried.ttft_s is not None), None)

    @property
    def refused(self) -> list[Tried]:
        """The attempts whose answer the request's own check refused, in order."""
        return [tried for tried in self.attempts if tried.refused is not None]

    @property
    def cost_usd(self) -> float | None:
        """What all attempts cost, whole answer or none; None: nobody knows, or nobody was asked."""
        if self.bill.attempts:
            return self.bill.cost_usd
        return self.finished.cost_usd if self.finished is not None else None

    @property
    def estimated_usd(self) -> float | None:
        """The part of `cost_usd` that is an estimate by length; None where that is."""
        return None if self.cost_usd is None else self.bill.estimated_usd

    @property
    def fell_back(self) -> bool:
        """Whether the text comes from someone other than the first who was asked."""
        by = self.answered_by
        return by is not None and self.found is None and by.candidate.key != self.attempts[0].candidate.key


def failure_phrase(tried: Tried, cap_s: float = _USUAL_CAP_S) -> str:
    """One failed attempt in a few words: who, what, how long until it may be asked again. `cap_s` is the longest wait that a
    circuit obeys, whatever a provider says."""
    error = tried.error
    if tried.outcome == OUTPACED and tried.after_s is not None:
        return f"{tried.candidate.key} silent for {milliseconds(tried.after_s)}"
    if error is None:
        return f"{tried.candidate.key} {tried.outcome}"
    if error.kind is ErrorKind.NOT_SENT:  # our own side's trouble: nobody else will tell, and it is the user's to mend
        return f"{tried.candidate.key} not sent: {error.message}"
    status = f" {error.status}" if error.status else ""
    mends = (
        error.kind is not ErrorKind.TOO_LARGE_FOR_LIMIT
    )  # else no waiting helps this request, whatever the header says
    again = f" (retry in {left(min(error.retry_after_s, cap_s))})" if error.retry_after_s and mends else ""
    late = f" after {milliseconds(tried.after_s)}" if tried.after_s is not None and tried.after_s >= 1 else ""
    return f"{tried.candidate.key}{status} {error.kind.value.replace('_', ' ')}{late}{again}"


def fallback_line(transcript: Transcript) -> str | None:
    """What is said when someone answers after others failed, or was faster than they; None where the first one did."""
    by = transcript.answered_by
    failed = [tried for tried in transcript.attempts if tried is not by and _made_way(tried, by)]
    if by is None or by.ttft_s is None or not failed:
        return None
    told = [failure_phrase(tried, transcript.retry_after_cap_s) for tried in failed]
    way = " → ".join([*told, by.candidate.key])
    other = "" if by.candidate.tier == 0 else f", another model, as your {by.candidate.name!r} fallback says"
    return f"{way} ({milliseconds(by.ttft_s)} to the first token{other})"


def _made_way(tried: Tried, by: Tried | None) -> bool:
    return tried.error is not None or (tried.outcome == OUTPACED and by is not None and by.hedge)


def left_out_line(transcript: Transcript, left_out: Sequence[str]) -> str:
    """What is said when a request leaves without something that was in it."""
    asked = transcript.answered_by or transcript.attempts[-1]
    return f"{asked.candidate.key} is asked without {', '.join(left_out)}: its wire has no words for it"


def break_line(event: BrokeOff) -> str:
    """What is said when an answer broke and another candidate goes on."""
    how = "the next one continues it" if event.then is OnBreak.CONTINUE else "the next one begins anew"
    return f"{event.candidate.key} broke off: {event.error.message}; {how}"


def waiting_line(wait: Waiting) -> str | None:
    """What is said before a wait; None for one too short to notice."""
    if wait.within_s is not None:
        times = "once more" if wait.tries == 1 else f"up to {wait.tries} times"
        return f"waiting {wait.reason}; trying again {times} within {left(wait.within_s)}, Ctrl-C stops"
    return f"waiting {left(wait.seconds)} {wait.reason}" if wait.seconds >= _WORTH_TELLING_S else None


def receipt_lines(transcript: Transcript) -> list[str]:
    """`-v`: who was tried, how it went, what it cost."""
    lines = [
        f"  {number}. {_attempt_phrase(tried)}{' (probe)' if tried.probe else ''}{' (hedge)' if tried.hedge else ''}"
        for number, tried in enumerate(transcript.attempts, 1)
    ]
    lines += [f"  not asked: {r.candidate.key}: {r.reason}" for r in _passed_over(transcript)]
    waited_s = sum(wait.seconds for wait in transcript.waits)
    if waited_s:
        lines.append(f"  waited {milliseconds(waited_s)} in all")
    done = transcript.finished
    words = [] if done is None else _totals(done)
    if done is not None or transcript.cost_usd:
        lines.append("  " + " · ".join([*words, cost_phrase(transcript.cost_usd, transcript.estimated_usd)]))
    return lines


def how_it_went_lines(transcript: Transcript) -> list[str]:
    """Who answered, and the receipt: what became of the decision."""
    if transcript.found is not None:
        return [f"  {cached_phrase(transcript.found)}"]
    by, first = transcript.answered_by, transcript.attempts[:1]
    if not first:
        return ["  nobody was asked"]
    whole = transcript.finished is not None
    who = f"{'answered' if whole else 'begun'} by {by.candidate.key}" if by is not None else "answered by nobody"
    order = ", the first that was asked" if by is first[0] else ""
    return [f"  {who}{order}:", *receipt_lines(transcript)]


def cost_phrase(cost_usd: float | None, estimated_usd: float | None) -> str:
    """What it cost, and how much of that is an estimate."""
    if cost_usd is None:
        return "cost unknown"
    if not estimated_usd:
        return dollars(cost_usd)
    if estimated_usd >= cost_usd:
        return dollars(cost_usd, estimated=True)
    return f"{dollars(cost_usd)}, {dollars(estimated_usd, estimated=True)} of it estimated"


def cached_phrase(found: Found) -> str:
    """Where an answer out of the cache is from."""
    near = "" if found.likeness is None else f", to a prompt that is {share(found.likeness)} alike"
    return f"from the cache: {found.candidate.key} answered it {ago(found.age_s)}{near}"


def _passed_over(transcript: Transcript) -> list[Rejected]:
    """Whom circuits and limits kept from being asked, though the user's order has them before the one who answered."""
    by = transcript.answered_by
    if transcript.selection is None or by is None:
        return []
    return [
        rejected
        for rejected in transcript.selection.rejected
        if rejected.barrier in (Barrier.CIRCUIT, Barrier.LIMIT) and rejected.candidate.tier <= by.candidate.tier
    ]


def _attempt_phrase(tried: Tried) -> str:
    if tried.error is not None:
        after = f" after {milliseconds(tried.after_s)}" if tried.after_s is not None and tried.after_s < 1 else ""
        return f"{failure_phrase(tried)}{after}: {tried.error.message}"
    if tried.outcome == OUTPACED and tried.after_s is not None:
        return f"{tried.candidate.key} given up after {milliseconds(tried.after_s)}: the one beside it spoke first"
    if tried.ttft_s is None:
        return f"{tried.candidate.key} {tried.outcome}"
    return f"{tried.candidate.key} {tried.outcome}, first token after {milliseconds(tried.ttft_s)}"


def _totals(done: Finished) -> list[str]:
    usage = done.response.usage or Usage()
    words = [f"{milliseconds(done.total_s)} in all"]
    speed = tokens_per_s(done)
    if speed is not None:
        words.append(f"{per_second(speed)} tokens/s")
    if usage.input_tokens is not None and usage.output_tokens is not None:
        words.append(f"{usage.input_tokens:,} tokens in, {usage.output_tokens:,} out")
    return words


def tokens_per_s(done: Finished) -> float | None:
    """Speed after the first token; None where it cannot be told: unstreamed, too short, or not counted."""
    out = done.response.usage.output_tokens if done.response.usage else None
    return Sample(done.ttft_s, done.attempt_s, out).tokens_per_s if done.streamed else None
