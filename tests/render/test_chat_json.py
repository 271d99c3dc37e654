"""The JSON that scripts rely on: the document, the events, and what is masked in them."""

import json
from typing import Any

from fakes import KEY
from requests_told import DECIDED, FELL_BACK, GONE, LIMITED, A, B, finished, started, told

from llmr.chat import ChatResponse, Delta, FinishReason, ToolCall, ToolCallDelta
from llmr.errors import ErrorKind, ProviderError, StreamInterrupted
from llmr.render.chat_json import ErrorNote, chat_document, ending, events, json_line
from llmr.render.transcript import Transcript
from llmr.router import Answering, AttemptFailed, BrokeOff, Outpaced, Waiting
from llmr.routing.policy import OnBreak
from llmr.secret import Redactor, Secret

SHAPES_ONLY = Redactor()
KNOWS = Redactor((Secret(KEY),))


def document(transcript: Transcript, error: ErrorNote | None = None, redact: Redactor = SHAPES_ONLY) -> dict[str, Any]:
    line = json_line(chat_document(transcript, error, redact))
    assert line.isascii()
    assert line.index(b"\n") == len(line) - 1
    return json.loads(line)


def test_the_json_of_an_answer_is_complete() -> None:
    assert document(told(*FELL_BACK)) == {
        "schema": "llmr.chat/1",
        "id": "00c0ffee",
        "conversation_id": None,
        "text": "Hello",
        "model": "openai/gpt-4o",
        "provider": "b",
        "finish_reason": "stop",
        "usage": {"input": 1200, "output": 41, "reasoning": 5, "cached": 100},
        "cost_usd": 0.25,
        "estimated_usd": 0.0,
        "timing_ms": {"total": 3500, "first_token": 412},
        "attempts": [
            {"provider": "a", "model": "m", "outcome": "rate_limit", "http": 429, "ms": 100, "ttft_ms": None, "hedge": False,
             "error": "slow down"},
            {"provider": "b", "model": "openai/gpt-4o", "outcome": "ok", "http": 200, "ms": 2412, "ttft_ms": 412,
             "hedge": False, "error": None},
        ],
        "fallback": True,
        "partial": False,
        "cached": None,
        "error": None,
    }  # fmt: skip


def test_the_json_of_a_failure_is_a_document_too_with_the_same_keys() -> None:
    note = ErrorNote("rate_limit", "no answer", 6, 12.0, "wait")
    failed = document(told(started(A), AttemptFailed(A, LIMITED, 0.1, 1)), note)
    assert failed.keys() == document(told(*FELL_BACK)).keys()
    assert failed["error"] == {
        "kind": "rate_limit", "message": "no answer", "exit_code": 6, "retry_after_s": 12.0, "hint": "wait"
    }  # fmt: skip
    assert (failed["text"], failed["partial"], failed["model"], failed["cost_usd"]) == ("", False, None, None)
    assert failed["usage"] == {"input": None, "output": None, "reasoning": None, "cached": None}
    assert failed["timing_ms"] == {"total": None, "first_token": None}, "nobody has said how long it took"


def test_the_json_of_a_failure_has_the_id_in_the_books_and_how_long_it_took() -> None:
    transcript = told(DECIDED, started(A), AttemptFailed(A, LIMITED, 0.1, 1))
    transcript.total_s = 2.3456
    failed = document(transcript, ErrorNote("rate_limit", "no answer", 6))
    assert failed["id"] == "00c0ffee"
    assert failed["timing_ms"] == {"total": 2346, "first_token": None}


def test_the_json_before_anything_was_asked_is_a_document_too() -> None:
    empty = document(Transcript(), ErrorNote("usage", "no prompt", 2))
    assert empty["attempts"] == []
    assert empty["fallback"] is False


def test_a_broken_answer_is_partial_and_keeps_its_text_and_who_said_it() -> None:
    transcript = told(started(A), Answering(A, 0.4, 1), Delta(text="Once"))
    error = ProviderError(ErrorKind.INCOMPLETE, "reset")
    transcript.broke(StreamInterrupted("", candidate="a/m", error=error))
    broken = document(transcript, ErrorNote("incomplete", "", 8))
    assert (broken["text"], broken["partial"], broken["provider"]) == ("Once", True, "a")
    assert broken["attempts"][0]["outcome"] == "incomplete"
    assert broken["attempts"][0]["ttft_ms"] == 400


def test_reasoning_refusal_and_tool_calls_are_there_where_the_answer_has_them() -> None:
    call = ToolCallDelta(0, "c1", "f", "{}")
    words = (
        Delta(reasoning="hm"),
        Delta(refusal="no"),
        Delta(tool_calls=(call,), finish_reason=FinishReason.TOOL_CALLS),
    )
    full = document(told(started(A), Answering(A, 0.1, 1), *words, finished(A, *words)))
    assert "citations" not in full
    assert "left_out" not in full
    assert (full["reasoning"], full["refusal"]) == ("hm", "no")
    assert full["tool_calls"] == [{"id": "c1", "name": "f", "arguments": "{}"}]
    assert ToolCall("c1", "f", "{}") in ChatResponse.from_deltas(words).tool_calls


def test_b10_a_lone_surrogate_is_valid_ascii_json() -> None:
    assert document(told(started(A), Answering(A, 0.1, 1), Delta(text="\ud800")))["text"] == "\ud800"


def test_words_of_the_answer_that_are_shaped_like_a_key_are_the_models_own() -> None:
    text = "Use OPENAI_API_KEY=sk-proj-ABCDEFGH12345678 as in the manual"
    assert document(told(started(A), Answering(A, 0.1, 1), Delta(text=text)))["text"] == text


def test_a_secret_that_llmr_holds_is_masked_wherever_it_stands() -> None:
    words = Delta(text=f"your key is {KEY}", reasoning=f"{KEY}?", tool_calls=(ToolCallDelta(0, "c", "f", KEY),))
    error = ProviderError(ErrorKind.SERVER, f"bad {KEY}")
    transcript = told(started(A), AttemptFailed(A, error, 0.1, 1), started(B, 2), Answering(B, 0.1, 2), words)
    full = document(transcript, ErrorNote("server", f"it said {KEY}", 5), KNOWS)
    assert KEY not in json.dumps(full)
    assert full["text"] == "your key is ***"


def test_what_a_provider_says_in_an_error_is_masked_by_shape_too() -> None:
    error = ProviderError(ErrorKind.AUTH, "Incorrect API key provided: sk-proj-ABCDEFGH12345678")
    failed = document(told(started(A), AttemptFailed(A, error, 0.1, 1)), ErrorNote("auth", error.message, 4))
    assert "sk-proj" not in json.dumps(failed)


def test_a_wait_is_one_event_however_often_one_looks() -> None:
    looks = (Waiting(1.0, "for them", 56.0, 3), Waiting(1.0, "for them", 55.0, 3, goes_on=True), Waiting(2.0, "for a"))
    assert [line for event in looks for line in events(event, SHAPES_ONLY)] == [
        {"event": "wait", "s": 1.0, "within_s": 56.0, "reason": "for them"},
        {"event": "wait", "s": 2.0, "within_s": 2.0, "reason": "for a"},
    ]


def test_the_events_of_an_answer_come_in_order_and_end_without_repeating_its_words() -> None:
    lines = [line for event in FELL_BACK for line in events(event, SHAPES_ONLY)]
    assert [line["event"] for line in lines] == [
        "start", "attempt", "fallback", "wait", "attempt", "delta", "delta", "usage"
    ]  # fmt: skip
    assert lines[0] == {
        "event": "start",
        "schema": "llmr.events/1",
        "id": "00c0ffee",
        "asked": "best",
        "candidates": [],
    }
    assert lines[2] == {
        "event": "fallback", "number": 1, "provider": "a", "model": "m", "outcome": "rate_limit", "http": 429, "ms": 100,
        "error": "slow down", "retry_after_s": 12.0, "then": "next",
    }  # fmt: skip
    assert lines[-1] == {"event": "usage", "input": 1200, "output": 41, "reasoning": 5, "cached": 100}
    last = ending(told(*FELL_BACK), None, SHAPES_ONLY)
    assert (last["event"], last["schema"], last["provider"], last["fallback"]) == ("end", "llmr.chat/1", "b", True)
    assert "text" not in last


def test_the_events_of_what_goes_wrong() -> None:
    broke = BrokeOff(A, GONE, 1.5, OnBreak.RESTART, 1)
    assert [line["then"] for line in events(broke, SHAPES_ONLY)] == ["restart"]
    assert [line["outcome"] for line in events(Outpaced(A, 0.5, 1), SHAPES_ONLY)] == ["outpaced"]
    assert [line["event"] for line in events(Delta(reasoning="hm", text="x"), SHAPES_ONLY)] == ["reasoning", "delta"]
    last = ending(told(started(A), AttemptFailed(A, GONE, 0.1, 1)), ErrorNote("connect", "nobody", 5), SHAPES_ONLY)
    assert (last["event"], last["error"]["exit_code"]) == ("error", 5)


def test_nothing_that_a_provider_says_reaches_a_terminal_through_the_json() -> None:
    evil = "\x1b]0;owned\x07\x9b31m\u202ekcab\ud800"
    line = json_line(chat_document(told(started(A), Answering(A, 0.1, 1), Delta(text=evil)), None, SHAPES_ONLY))
    assert line.decode().rstrip("\n").isprintable()
    assert json.loads(line)["text"] == evil


def test_sources_and_what_was_left_out_are_there_where_there_are_any() -> None:
    words = (Delta(left_out=("user",)), Delta("x", citations=({"url": "https://a"},)), Delta(citations=({"url": "b"},)))
    full = document(told(started(A), Answering(A, 0.1, 1), *words, finished(A, *words)))
    assert full["citations"] == [{"url": "https://a"}, {"url": "b"}]
    assert full["left_out"] == ["user"]
