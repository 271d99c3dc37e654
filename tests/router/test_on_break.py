"""What the user may wish for a break after the first token: restart, continue, buffer. Never without a visible mark."""

import json
from typing import Any

import pytest
from fakes import Answer, breaks_off, event, fails, finish, hangs, request, says, token

from llmr.chat import OutputFormat, ResponseFormat
from llmr.errors import ErrorKind, ProviderError, StreamInterrupted
from llmr.router import Answering, BrokeOff, Event, Finished
from llmr.routing.policy import FallbackPolicy, OnBreak, Policy

GONE = ProviderError(ErrorKind.MODEL_NOT_FOUND, "gone")  # of the kinds that are not retried
FILTERED = ProviderError(ErrorKind.CONTENT_FILTER, "flagged")


def marks(events: list[Event]) -> list[OnBreak]:
    return [told.then for told in events if isinstance(told, BrokeOff)]


def test_restart_begins_anew_behind_a_mark(rig: Any, run: Any) -> None:
    rigged = rig({"a": breaks_off("Once ", "upon"), "b": says("Es war ", "einmal")})
    told = run(rigged.ask(request(on_break="restart")))
    names = [type(one).__name__ for one in told.events if type(one).__name__ != "Delta"]
    assert names == ["Decided", "AttemptStarted", "Answering", "BrokeOff", "AttemptStarted", "Answering", "Finished"]
    assert marks(told.events) == [OnBreak.RESTART]
    assert told.finished.response.text == "Es war einmal"
    assert rigged.outcomes() == ["incomplete", "ok"]
    assert [(asked.outcome, asked.provider) for asked in rigged.store.requests()] == [("ok", "b")]


def test_continue_gives_the_next_one_what_came_and_drops_what_it_repeats(rig: Any, run: Any) -> None:
    rigged = rig({"a": breaks_off("Once upon ", "a ti"), "b": says("upon ", "a time", " there was")})
    told = run(rigged.ask(request(on_break="continue")))
    assert marks(told.events) == [OnBreak.CONTINUE]
    assert told.text == told.finished.response.text == "Once upon a time there was"
    sent = json.loads(rigged.transport.requests[1].body)["messages"]
    assert [(message["role"], message["content"]) for message in sent][1] == ("assistant", "Once upon a ti")


def test_a_continuation_that_is_only_decided_at_its_end_is_not_lost(rig: Any, run: Any) -> None:
    told = run(rig({"a": breaks_off("Once upon a ti"), "b": says("Once")}).ask(request(on_break="continue")))
    assert told.finished.response.text == "Once upon a tiOnce"


def test_a_continuation_that_has_nothing_to_add_is_the_end_of_the_answer(rig: Any, run: Any) -> None:
    """All that was missing was the end: what came is whole, and nobody else need be asked."""
    rigged = rig({"a": breaks_off("Once upon a time"), "b": says("a time"), "c": says("never")})
    told = run(rigged.ask(request(on_break="continue")))
    assert told.finished.response.text == told.text == "Once upon a time"
    assert told.tried == ["a", "b"]
    assert rigged.outcomes() == ["incomplete", "ok"]


def test_the_policy_says_it_where_the_request_does_not(rig: Any, run: Any) -> None:
    policy = Policy(exploration=0.0, fallback=FallbackPolicy(on_break=OnBreak.RESTART))
    assert marks(run(rig({"a": breaks_off("x"), "b": says("y")}, policy=policy).ask()).events) == [OnBreak.RESTART]


@pytest.mark.parametrize(
    ("wish", "asked"),
    [("fail", {}), ("continue", {"output": OutputFormat(ResponseFormat.JSON)}), ("continue", {"logprobs": 1})],
)
def test_what_must_not_be_continued_ends_there(rig: Any, run: Any, wish: str, asked: dict[str, Any]) -> None:
    told = run(rig({"a": breaks_off("{"), "b": says("never")}).ask(request(on_break=wish, **asked)))
    assert isinstance(told.error, StreamInterrupted)
    assert told.tried == ["a"]


@pytest.mark.parametrize("wish", ["restart", "continue"])
def test_what_a_policy_broke_off_nobody_else_goes_on_with(rig: Any, run: Any, wish: str) -> None:
    told = run(rig({"a": breaks_off("x", error=FILTERED), "b": says("never")}).ask(request(on_break=wish)))
    assert isinstance(told.error, StreamInterrupted)
    assert told.tried == ["a"]


@pytest.mark.parametrize("wish", ["restart", "continue"])
def test_where_nobody_is_left_to_go_on_the_break_is_the_error(rig: Any, run: Any, wish: str) -> None:
    rigged = rig({"a": breaks_off("Once", error=GONE), "b": fails(401)})
    told = run(rigged.ask(request(on_break=wish)))
    assert isinstance(told.error, StreamInterrupted)
    assert told.error.candidate == "a/m"
    assert told.text == "Once"
    assert len(rigged.store.requests()) == 1


def test_buffer_shows_nothing_until_the_answer_is_whole(rig: Any, run: Any) -> None:
    rigged = rig({"a": breaks_off("Once ", "upon"), "b": says("Es war ", "einmal")})
    told = run(rigged.ask(request(on_break="buffer")))
    assert (told.text, told.failed, told.answered) == ("Es war einmal", ["incomplete"], ["b"])
    assert marks(told.events) == []
    at = [type(one) for one in told.events].index(Answering)
    assert isinstance(told.events[-1], Finished)
    assert at == 4, "decided, started, failed, started, and only then something to show"


def test_a_stall_under_buffer_moves_on_as_well(rig: Any, run: Any) -> None:
    told = run(rig({"a": hangs("Once"), "b": says("fine")}).ask(request(on_break="buffer")))
    assert told.text == "fine"


def test_usage_that_comes_before_any_word_is_not_shown_as_an_answer(rig: Any, run: Any) -> None:
    usage = event({"choices": [], "usage": {"prompt_tokens": 7}})
    told = run(
        rig({"a": Answer(pieces=((0.1, usage), (0.1, token("x")), (0.1, finish())))}).ask(request(on_break="buffer"))
    )
    assert told.text == "x"
    broke = run(rig({"a": Answer(pieces=((0.1, usage),)), "b": says("b")}).ask())
    assert broke.failed == ["bad_response"]
    assert broke.text == "b"


def test_an_answer_that_the_requests_own_check_refuses_is_a_failure_with_nothing_shown(rig: Any, run: Any) -> None:
    rigged = rig({"a": says("no", " good"), "b": says("good")})
    asked = request(accept=lambda response: None if response.text == "good" else f"{response.text!r} is not good")
    told = run(rigged.ask(asked))
    assert (told.text, told.tried, told.failed) == ("good", ["a", "b"], ["not_accepted"])
    assert rigged.outcomes() == ["not_accepted", "ok"]


def test_the_check_outranks_the_wish_to_see_the_answer_break(rig: Any, run: Any) -> None:
    rigged = rig({"a": says("bad"), "b": says("bad")})
    told = run(rigged.ask(request(accept=lambda _: "never", on_break="restart")))
    assert told.text == ""
    assert [failure.kind for failure in told.gave_up.failures] == [ErrorKind.NOT_ACCEPTED, ErrorKind.NOT_ACCEPTED]
