"""The first token decides: what was shown is never repeated, and nobody else continues it."""

import json
import math
from dataclasses import replace
from typing import Any

import pytest
from fakes import (
    EMPTY_DELTA,
    KEEP_ALIVE,
    Answer,
    FakeClock,
    breaks_off,
    event,
    fails,
    finish,
    hangs,
    model,
    provider,
    request,
    says,
    token,
    unreachable,
)

from llmr.catalog import TimeoutOverrides, Timeouts, WireFormat
from llmr.chat import Delta, FinishReason
from llmr.errors import ErrorKind, ProviderError, StreamInterrupted
from llmr.router import Answering, AttemptStarted, Event, Finished
from llmr.routing.circuit import Phase
from llmr.routing.policy import BreakerPolicy, Policy
from llmr.routing.tokens import estimate_tokens

CERTAIN = Policy(exploration=0.0)
UNSURE_S = 5.0 + estimate_tokens(request()) / 2_000  # nothing is known of it, and it has to read the prompt
USAGE = event({"choices": [], "usage": {"prompt_tokens": 7}})
QUICK_TO_OPEN = replace(CERTAIN, breaker=BreakerPolicy(failure_threshold=1))


@pytest.mark.parametrize(
    ("broken", "kind"),
    [
        (breaks_off("Once ", "upon"), "incomplete"),
        (hangs("Once ", "upon"), "stall"),
        (Answer(pieces=((0.1, token("Once ")), (0.1, token("upon")))), "incomplete"),
        (Answer(pieces=((0.1, token("Once ")), (0.1, token("upon") + b"data: [DONE]\n\n"))), "incomplete"),
        (Answer(pieces=((0.1, token("Once ") + token("upon")), (0.1, event({"error": {"code": 500}})))), "server"),
        (Answer(pieces=((0.1, token("Once ")), (0.1, token("upon")), (0.1, b"data: {nonsense\n\n"))), "bad_response"),
        (Answer(pieces=((0.1, token("Once ")), (0.1, token("upon")), (0.1, finish("error")))), "server"),
    ],
)
def test_an_answer_that_breaks_off_keeps_what_came_and_is_not_repeated(
    rig: Any, run: Any, broken: Answer, kind: str
) -> None:
    rigged = rig({"a": broken, "b": says("never shown")})
    told = run(rigged.ask())
    assert isinstance(told.error, StreamInterrupted)
    assert (told.error.candidate, told.error.error.kind) == ("a/m", kind)
    assert told.text == "Once upon"
    assert rigged.transport.asked == ["a"]
    assert rigged.outcomes() == [kind]
    (asked,) = rigged.store.requests()
    assert (asked.outcome, asked.provider, asked.model) == (kind, "a", "m")
    assert asked.ttft_s is not None


def test_reasoning_is_shown_too_and_commits_as_text_does(rig: Any, run: Any) -> None:
    thinks = event({"choices": [{"index": 0, "delta": {"reasoning_content": "let me see"}}]})
    told = run(rig({"a": Answer(pieces=((0.1, thinks),)), "b": says("never")}).ask())
    assert isinstance(told.error, StreamInterrupted)
    assert told.tried == ["a"]


def test_a_tool_call_commits(rig: Any, run: Any) -> None:
    call = {"index": 0, "id": "c1", "function": {"name": "f", "arguments": "{}"}}
    calls = event({"choices": [{"index": 0, "delta": {"tool_calls": [call]}}]})
    told = run(rig({"a": Answer(pieces=((0.1, calls), (0.1, finish("tool_calls"))))}).ask())
    assert told.finished.response.tool_calls[0].name == "f"
    assert told.answered == ["a"]


def test_empty_deltas_and_keep_alives_do_not_commit(rig: Any, run: Any) -> None:
    chatter = Answer(pieces=((0.1, KEEP_ALIVE), (0.1, EMPTY_DELTA), (0.1, event({"error": {"code": 503}}))))
    told = run(rig({"a": chatter, "b": says("fine")}).ask())
    assert (told.text, told.failed) == ("fine", ["server"])


def test_only_one_providers_text_is_ever_yielded(rig: Any, run: Any) -> None:
    """Whoever fails, and however: from the commit point on, all text is from the one that committed."""
    misfits = [fails(500), unreachable(), hangs(), breaks_off("a1 ", "a2 "), Answer(), says("a1 ", "a2 ")]
    for first in misfits:
        for second in misfits:
            told = run(rig({"a": first, "b": second, "c": says("c1 ", "c2 ")}, clock=FakeClock()).ask())
            assert told.text in {"a1 a2 ", "c1 c2 "}
            assert len(told.answered) == 1


def test_answering_comes_before_the_first_delta_and_finished_last(rig: Any, run: Any) -> None:
    told = run(rig({"a": fails(500), "b": says("x", "y")}).ask())
    names = [type(event).__name__ for event in told.events]
    assert names == [
        "Decided", "AttemptStarted", "AttemptFailed", "AttemptStarted", "Answering",
        "Delta", "Delta", "Delta", "Finished",
    ]  # fmt: skip
    assert [e.number for e in told.events if isinstance(e, AttemptStarted)] == [1, 2]


def test_an_error_behind_the_first_words_is_told_at_once_though_the_connection_stays_open(rig: Any, run: Any) -> None:
    both = Answer(pieces=((0.1, token("Once") + event({"error": {"message": "boom", "code": 500}})),), tail_s=math.inf)
    rigged = rig({"a": both})
    told = run(rigged.ask())
    assert isinstance(told.error, StreamInterrupted)
    assert told.error.error.kind is ErrorKind.SERVER
    assert rigged.clock.monotonic() == pytest.approx(0.1)


# The watchdog


def _limited(**limits: float) -> Policy:
    return replace(CERTAIN, timeouts=Timeouts(**limits))


def test_silence_between_two_tokens_ends_in_a_stall(rig: Any, run: Any) -> None:
    rigged = rig({"a": hangs("Once")}, policy=_limited(stall_s=30.0))
    told = run(rigged.ask())
    assert told.error.error.kind is ErrorKind.STALL
    assert rigged.clock.monotonic() == pytest.approx(0.5 + 30.0)


@pytest.mark.parametrize("chatter", [KEEP_ALIVE, EMPTY_DELTA, b" ", USAGE])
def test_chatter_without_content_does_not_put_off_the_first_token_timeout(rig: Any, run: Any, chatter: bytes) -> None:
    drip = Answer(pieces=tuple((0.4, chatter) for _ in range(1000)))
    rigged = rig({"a": drip, "b": says("fine")})
    told = run(rigged.ask())
    assert told.failed == ["first_token_timeout"]
    assert rigged.transport.asked_at_s == pytest.approx([0.0, UNSURE_S])


@pytest.mark.parametrize("chatter", [KEEP_ALIVE, EMPTY_DELTA])
def test_chatter_without_content_does_not_put_off_a_stall(rig: Any, run: Any, chatter: bytes) -> None:
    drip = Answer(pieces=((0.5, token("Once")), *((7.0, chatter) for _ in range(1000))))
    rigged = rig({"a": drip}, policy=_limited(stall_s=30.0))
    told = run(rigged.ask())
    assert told.error.error.kind is ErrorKind.STALL
    assert rigged.clock.monotonic() == pytest.approx(30.5)


def test_a_drip_that_never_stalls_ends_with_the_total(rig: Any, run: Any) -> None:
    drip = Answer(pieces=tuple((20.0, token("x")) for _ in range(1000)))
    rigged = rig({"a": drip}, policy=_limited(total_s=600.0))
    told = run(rigged.ask())
    assert "no end of the answer within 600 s" in told.error.error.message
    assert rigged.clock.monotonic() == pytest.approx(600.0)
    assert told.text == "x" * 30


def test_a_drip_of_content_after_the_finish_reason_ends_with_the_total_too(rig: Any, run: Any) -> None:
    drip = Answer(pieces=((1.0, token("x") + finish("stop")[: -len(b"data: [DONE]\n\n")]),
                          *((1.0, token("x")) for _ in range(1000))))  # fmt: skip
    rigged = rig({"a": drip}, policy=_limited(total_s=60.0))
    assert run(rigged.ask()).finished.response.finish_reason is FinishReason.STOP
    assert rigged.clock.monotonic() == pytest.approx(60.0)


@pytest.mark.parametrize("end", [{"tail_s": math.inf}, {"broken": ProviderError(ErrorKind.INCOMPLETE, "reset")}])
def test_an_answer_that_has_its_finish_reason_is_whole_however_its_connection_ends(
    rig: Any, run: Any, end: dict[str, Any]
) -> None:
    rigged = rig({"a": Answer(pieces=((0.5, token("All of it")), (0.1, finish())), **end)})
    told = run(rigged.ask())
    assert told.finished.response.text == "All of it"
    assert rigged.clock.monotonic() <= 2.7
    assert rigged.outcomes() == ["ok"]


def test_the_total_bounds_the_wait_for_the_head_as_well(rig: Any, run: Any) -> None:
    rigged = rig({"a": hangs()}, policy=_limited(total_s=2.0, first_token_s=9.0))
    run(rigged.ask())
    assert rigged.store.attempts()[0].total_s == pytest.approx(2.0)
    assert rigged.outcomes()[0] == "stall"


def test_the_time_that_the_reader_takes_is_not_the_providers(rig: Any, run: Any, clock: FakeClock) -> None:
    rigged = rig({"a": says("Once ", "upon ", "a time")}, policy=_limited(first_token_s=2.0, stall_s=3.0, total_s=9.0))

    def slowly(told: Event) -> None:
        if isinstance(told, (AttemptStarted, Answering, Delta)):
            clock.advance(60.0)

    told = run(rigged.ask(on=slowly))
    assert told.text == "Once upon a time"
    assert told.finished.ttft_s == pytest.approx(0.5)


def test_a_providers_own_stall_time_is_used(rig: Any, run: Any) -> None:
    strict = model(provider("a", timeouts=TimeoutOverrides(stall_s=4.0)))
    rigged = rig({"a": hangs("x")}, models=[strict])
    run(rigged.ask())
    assert rigged.clock.monotonic() == pytest.approx(4.5)


def test_the_body_of_an_error_is_not_waited_for_longer_than_two_seconds(rig: Any, run: Any) -> None:
    """The status and its Retry-After are known; a body that drips must not turn a 429 into a time-out."""
    dripping = Answer(429, {"retry-after": "40"}, 0.1, tuple((0.5, b" ") for _ in range(1000)))
    rigged = rig({"a": dripping, "b": says("fine")})
    told = run(rigged.ask())
    assert told.failed == ["rate_limit"]
    assert rigged.transport.asked_at_s == pytest.approx([0.0, 2.1])
    assert rigged.circuit("a", "m").open_until - rigged.clock.now() > 37


def test_a_body_that_hangs_at_the_very_end_of_an_attempts_time_still_gives_its_status(rig: Any, run: Any) -> None:
    late = Answer(503, {}, 4.5, ((math.inf, b""),))
    rigged = rig({"a": late, "b": says("fine")})
    assert run(rigged.ask()).failed == ["server"]
    assert rigged.transport.asked_at_s == pytest.approx([0.0, UNSURE_S])


# Probes


def test_a_probes_first_token_closes_the_circuit(rig: Any, run: Any, clock: FakeClock) -> None:
    rigged = rig({"a": [fails(500), says("well ", "again")], "b": says("b")}, policy=QUICK_TO_OPEN)
    run(rigged.ask())
    assert rigged.circuit("a").phase is Phase.OPEN
    clock.advance(60)
    seen: list[Phase] = []

    def look(told: Event) -> None:
        if isinstance(told, (AttemptStarted, Answering)):
            seen.append(rigged.circuit("a").phase)

    told = run(rigged.ask(on=look))
    assert told.text == "well again"
    assert seen == [Phase.HALF_OPEN, Phase.CLOSED]
    assert rigged.store.attempts()[-1].probe


def test_a_break_after_a_probes_first_token_is_one_failure_and_not_a_new_trip(
    rig: Any, run: Any, clock: FakeClock
) -> None:
    cautious = replace(CERTAIN, breaker=BreakerPolicy(failure_threshold=2))
    rigged = rig({"a": [fails(500), fails(500), breaks_off("half")], "b": unreachable()}, policy=cautious)
    run(rigged.ask())
    assert rigged.circuit("a").phase is Phase.OPEN
    clock.advance(60)
    assert isinstance(run(rigged.ask()).error, StreamInterrupted)
    state = rigged.circuit("a")
    assert (state.phase, state.fails) == (Phase.CLOSED, 1)


def test_a_probe_that_fails_before_its_first_token_opens_the_circuit_again(
    rig: Any, run: Any, clock: FakeClock
) -> None:
    rigged = rig({"a": fails(500), "b": says("b")}, policy=QUICK_TO_OPEN)
    run(rigged.ask())
    clock.advance(60)
    assert run(rigged.ask()).tried == ["a", "b"]
    state = rigged.circuit("a")
    assert (state.phase, state.trips) == (Phase.OPEN, 2)


def test_an_answer_of_the_open_circuits_former_life_does_not_close_it(rig: Any, run: Any) -> None:
    """While a long answer streams, others trip the circuit: that the old answer ends well proves nothing."""
    rigged = rig({"a": [says("slow ", "but ", "whole"), fails(500)], "b": says("b")}, policy=QUICK_TO_OPEN)

    async def scenario() -> None:
        events = rigged.router.stream(request())
        async for told in events:
            if isinstance(told, Answering):
                break
        theirs = [told async for told in rigged.router.stream(request())]
        assert isinstance(theirs[-1], Finished)
        assert rigged.circuit("a").phase is Phase.OPEN
        rest = [told async for told in events]
        assert isinstance(rest[-1], Finished)
        await events.aclose()

    run(scenario())
    assert rigged.circuit("a").phase is Phase.OPEN


def test_ttft_in_the_books_is_the_first_content_not_the_first_byte(rig: Any, run: Any) -> None:
    late = Answer(pieces=((0.1, EMPTY_DELTA), (0.9, token("x")), (0.5, finish())))
    rigged = rig({"a": late})
    run(rigged.ask())
    assert rigged.store.attempts()[-1].ttft_s == pytest.approx(1.0)


def test_what_a_wire_leaves_out_is_told_before_the_request_leaves_and_once_for_each_who_is_asked(
    rig: Any, run: Any
) -> None:
    claude = model(replace(provider("a"), wire=WireFormat.ANTHROPIC))
    rigged = rig({"a": fails(503), "b": says("Hello")}, models=[claude, model("b")])
    told_at: list[list[str]] = []

    def hear(event: Event) -> None:
        if isinstance(event, Delta) and event.left_out:
            assert event.left_out == ("user",)
            told_at.append(list(rigged.transport.asked))

    told = run(rigged.ask(request(extra={"user": "u-1"}), hear))
    tries = told.tried.count("a")
    assert told_at == [["a"] * before for before in range(tries)]
    assert told.finished.response.left_out == ()
    assert json.loads(rigged.transport.requests[-1].body)["user"] == "u-1"
