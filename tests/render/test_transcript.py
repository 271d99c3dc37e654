"""What is told of a request: receipt, one-line notes, and the JSON that scripts rely on."""

from dataclasses import replace

import pytest
from fakes import model
from requests_told import DECIDED, FELL_BACK, GONE, LIMITED, OTHER, USAGE, A, B, finished, started, told

from llmr.catalog import Strategy
from llmr.chat import ChatResponse, Delta, FinishReason, Usage
from llmr.errors import ErrorKind, ProviderError, StreamInterrupted
from llmr.render.figures import milliseconds
from llmr.render.transcript import (
    Transcript,
    Tried,
    failure_phrase,
    fallback_line,
    left_out_line,
    receipt_lines,
    tokens_per_s,
    waiting_line,
)
from llmr.router import Answering, AttemptFailed, Decided, Finished, Waiting
from llmr.routing.rules import Candidate
from llmr.routing.selection import Barrier, Rejected, Selection


def test_a_fallback_is_told_in_one_line() -> None:
    line = fallback_line(told(*FELL_BACK))
    assert line == "a/m 429 rate limit (retry in 12 s) → b/openai/gpt-4o (412 ms to the first token)"


def test_a_fallback_to_another_model_says_so() -> None:
    line = fallback_line(told(started(A), AttemptFailed(A, GONE, 0.1, 1), started(OTHER, 2), Answering(OTHER, 1.25, 2)))
    assert line == "a/m connect → c/small (1.2 s to the first token, another model, as your 'small' fallback says)"


@pytest.mark.parametrize(("after_s", "late"), [(0.999, ""), (1.0, " after 1.0 s"), (5.0, " after 5.0 s")])
def test_a_failure_that_cost_time_says_how_much(after_s: float, late: str) -> None:
    tried = told(started(A), AttemptFailed(A, LIMITED, after_s, 1)).attempts[0]
    assert failure_phrase(tried) == f"a/m 429 rate limit{late} (retry in 12 s)"


def test_a_request_that_no_waiting_mends_is_not_told_to_wait() -> None:
    too_large = ProviderError(ErrorKind.TOO_LARGE_FOR_LIMIT, "too large", status=429, retry_after_s=47.0)
    tried = told(started(A), AttemptFailed(A, too_large, 0.1, 1)).attempts[0]
    assert failure_phrase(tried) == "a/m 429 too large for limit"


def test_the_receipt_says_once_how_long_a_failure_took() -> None:
    (line,) = receipt_lines(told(started(A), AttemptFailed(A, GONE, 5.0, 1)))
    assert line == "  1. a/m connect after 5.0 s: connection refused"


def test_where_the_first_one_answers_nothing_is_told() -> None:
    assert fallback_line(told(started(A), Answering(A, 0.1, 1))) is None
    assert fallback_line(told(started(A))) is None
    assert fallback_line(Transcript()) is None


def test_a_retry_that_works_is_told_as_well_though_it_is_no_fallback() -> None:
    transcript = told(started(A), AttemptFailed(A, GONE, 0.1, 1), started(A, 2), Answering(A, 0.1, 2))
    assert fallback_line(transcript) == "a/m connect → a/m (100 ms to the first token)"
    assert not transcript.fell_back


@pytest.mark.parametrize(
    ("seconds", "line"), [(0.4, None), (1.0, "waiting 1.0 s for a"), (7.26, "waiting 7.3 s for a")]
)
def test_a_wait_worth_noticing_is_told(seconds: float, line: str | None) -> None:
    assert waiting_line(Waiting(seconds, "for a")) == line


@pytest.mark.parametrize(("seconds", "shown"), [(0.0004, "<1 ms"), (0.25, "250 ms"), (1.0, "1.0 s"), (61.23, "61.2 s")])
def test_durations_for_people(seconds: float, shown: str) -> None:
    assert milliseconds(seconds) == shown


def test_the_receipt_says_who_was_tried_how_it_went_and_what_it_cost() -> None:
    assert receipt_lines(told(*FELL_BACK)) == [
        "  1. a/m 429 rate limit (retry in 12 s) after 100 ms: slow down",
        "  2. b/openai/gpt-4o ok, first token after 412 ms",
        "  waited 1.5 s in all",
        "  3.5 s in all · 20 tokens/s · 1,200 tokens in, 41 out · $0.25",
    ]


def test_the_receipt_lists_whom_circuits_and_limits_kept_from_being_asked() -> None:
    """Only those whom the user would have had before, or beside, the one who answered."""
    rejected = (
        Rejected(A, Barrier.CIRCUIT, "provider a: out of service (auth)"),
        Rejected(Candidate(model("l"), "best", 0, 2), Barrier.LIMIT, "60 requests a minute are used up"),
        Rejected(Candidate(model("r"), "best", 0, 3), Barrier.RULE, "rule 'x' allows only b/*"),
        Rejected(Candidate(model("o"), "best", 0, 4), Barrier.OFF, "no key"),
        Rejected(Candidate(model("u"), "best", 0, 5), Barrier.UNFIT, "no tools"),
        Rejected(OTHER, Barrier.CIRCUIT, "provider c: rate-limited"),
    )
    decided = Decided(Selection("best", Strategy.PRIORITY, (), rejected, (), 4))
    answered = told(decided, started(B), Answering(B, 0.4, 1))
    assert receipt_lines(answered)[1:] == [
        "  not asked: a/m: provider a: out of service (auth)",
        "  not asked: l/m: 60 requests a minute are used up",
    ]
    by_another_model = told(decided, started(OTHER), Answering(OTHER, 0.4, 1))
    assert "  not asked: c/small: provider c: rate-limited" in receipt_lines(by_another_model)
    nobody = told(decided, started(B), AttemptFailed(B, GONE, 0.1, 1))
    assert len(receipt_lines(nobody)) == 1, "where nobody answers, the error names them"


def test_the_receipt_without_usage_and_price_says_that_the_cost_is_unknown() -> None:
    words = (Delta(text="x"),)
    lines = receipt_lines(
        told(started(A, probe=True), Answering(A, 0.4, 1), *words, finished(A, *words, cost_usd=None))
    )
    assert lines == ["  1. a/m ok, first token after 400 ms (probe)", "  3.5 s in all · cost unknown"]


def test_the_receipt_of_a_broken_answer_says_who_broke_off() -> None:
    transcript = told(started(A), Answering(A, 0.4, 1), Delta(text="x"))
    transcript.broke(StreamInterrupted("", candidate="a/m", error=ProviderError(ErrorKind.STALL, "silent for 30 s")))
    assert receipt_lines(transcript) == ["  1. a/m stall: silent for 30 s"]


def test_the_receipt_of_a_cancelled_request_says_so() -> None:
    transcript = told(started(A))
    assert receipt_lines(transcript) == ["  1. a/m running"]
    transcript.cancelled()
    assert receipt_lines(transcript) == ["  1. a/m cancelled"]
    assert failure_phrase(transcript.attempts[0]) == "a/m cancelled"


def test_cancelling_changes_no_attempt_that_had_ended() -> None:
    transcript = told(*FELL_BACK)
    transcript.cancelled()
    assert [tried.outcome for tried in transcript.attempts] == ["rate_limit", "ok"]
    Transcript().cancelled()


@pytest.mark.parametrize(("output_tokens", "ttft_s", "speed"), [(41, 0.4, 20.0), (1, 0.4, None), (None, 0.4, None)])
def test_speed_is_of_what_comes_after_the_first_token(
    output_tokens: int | None, ttft_s: float, speed: float | None
) -> None:
    done = finished(A, Delta(text="x", usage=Usage(1, output_tokens)), ttft_s=ttft_s)
    assert tokens_per_s(done) == (None if speed is None else pytest.approx(speed))


def test_an_answer_in_one_piece_has_no_speed() -> None:
    response = ChatResponse("x", FinishReason.STOP, usage=USAGE)
    assert tokens_per_s(Finished(A, response, 2.0, 2.0, 2.0, 1, None, "r")) is None
    assert tokens_per_s(Finished(A, ChatResponse("x", None), 1.0, 2.0, 2.0, 1, None, "r")) is None


def test_an_unstreamed_answer_has_no_speed_though_its_body_takes_a_while_to_arrive() -> None:
    words = (Delta(text="x", usage=USAGE),)
    whole = replace(finished(A, *words), streamed=False)
    assert tokens_per_s(replace(whole, streamed=True)) is not None
    assert tokens_per_s(whole) is None
    assert "tokens/s" not in receipt_lines(told(started(A), Answering(A, 0.4, 1), *words, whole))[-1]


def test_who_is_asked_without_what_is_said() -> None:
    asked = told(started(A))
    assert left_out_line(asked, ("user", "x")) == "a/m is asked without user, x: its wire has no words for it"


def test_the_selection_is_kept() -> None:
    assert told(DECIDED).selection is DECIDED.selection


def test_a_wait_that_no_circuit_obeys_is_not_promised() -> None:
    error = ProviderError(ErrorKind.RATE_LIMIT, "slow down", status=429, retry_after_s=999_999.0)
    tried = Tried(Candidate(model("a"), "best", 0, 0), probe=False, outcome="rate_limit", error=error)
    assert failure_phrase(tried) == "a/m 429 rate limit (retry in 15 min)"
    assert failure_phrase(tried, 60.0) == "a/m 429 rate limit (retry in 60 s)"
    assert failure_phrase(replace(tried, error=ProviderError(ErrorKind.RATE_LIMIT, "x", retry_after_s=4.5))) == (
        "a/m rate limit (retry in 4.5 s)"
    )
