"""Requests as the router tells them: events to feed a transcript with."""

from fakes import model

from llmr.catalog import Strategy
from llmr.chat import ChatResponse, Delta, FinishReason, Usage
from llmr.errors import ErrorKind, ProviderError
from llmr.render.transcript import Transcript
from llmr.router import Answering, AttemptFailed, AttemptStarted, Decided, Event, Finished, Waiting
from llmr.routing.rules import Candidate
from llmr.routing.selection import Selection

A = Candidate(model("a"), "best", 0, 0)
B = Candidate(model("b", "openai/gpt-4o"), "best", 0, 1)
OTHER = Candidate(model("c", "small"), "small", 1, 2)
LIMITED = ProviderError(ErrorKind.RATE_LIMIT, "slow down", status=429, retry_after_s=12.0)
GONE = ProviderError(ErrorKind.CONNECT, "connection refused")
USAGE = Usage(1_200, 41, 5, 100)


def told(*events: Event) -> Transcript:
    transcript = Transcript()
    for event in events:
        transcript.add(event)
    return transcript


def started(candidate: Candidate, number: int = 1, *, probe: bool = False) -> AttemptStarted:
    return AttemptStarted(candidate, number, probe)


def finished(candidate: Candidate, *deltas: Delta, cost_usd: float | None = 0.25, ttft_s: float = 0.412) -> Finished:
    response = ChatResponse.from_deltas(deltas)
    return Finished(candidate, response, ttft_s, ttft_s + 2.0, 3.5, 2, cost_usd, "00c0ffee")


WORDS = (Delta(text="Hel"), Delta(text="lo", finish_reason=FinishReason.STOP, usage=USAGE))
DECIDED = Decided(Selection("best", Strategy.PRIORITY, (), (), (), 4), "00c0ffee")
FELL_BACK = (
    DECIDED, started(A), AttemptFailed(A, LIMITED, 0.1, 1), Waiting(1.5, "for a"), started(B, 2),
    Answering(B, 0.412, 2), *WORDS, finished(B, *WORDS),
)  # fmt: skip
