"""Answers in chat completions' words: every form of wire.md §B.2, cut anywhere."""

import contextlib
import itertools
import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmr.catalog import Dialect, Model, Provider, WireFormat
from llmr.chat import ChatRequest, ChatResponse, Delta, FinishReason, Message, Role, Text, Thinking, ToolCall, Usage
from llmr.errors import ErrorKind, ProviderError
from llmr.wire import wire_for

PLAIN = Dialect()


def model(dialect: Dialect = PLAIN) -> Model:
    return Model(Provider("acme", WireFormat.OPENAI, "https://api.example/v1", dialect=dialect), "m")


def deltas(*chunks: bytes, streamed: bool = True, dialect: Dialect = PLAIN) -> list[Delta]:
    decoder = wire_for(WireFormat.OPENAI).decoder(model(dialect), streamed=streamed)
    found = [delta for chunk in chunks for delta in decoder.feed(chunk)]
    return [*found, *decoder.end()]


def sse(*items: Any, end: bytes = b"data: [DONE]\n\n") -> bytes:
    return b"".join(b"data: " + json.dumps(item).encode() + b"\n\n" for item in items) + end


def chunk(delta: Any = None, finish: Any = None, **more: Any) -> dict[str, Any]:
    choice = {"index": 0, "delta": {} if delta is None else delta, "finish_reason": finish}
    return {"id": "c-1", "model": "m-1", "choices": [choice], **more}


def stream(*items: Any, dialect: Dialect = PLAIN) -> ChatResponse:
    return ChatResponse.from_deltas(deltas(sse(*items), dialect=dialect))


def whole(message: Any, finish: Any = "stop", **more: Any) -> bytes:
    return json.dumps(
        {"id": "c-1", "model": "m-1", "choices": [{"index": 0, "message": message, "finish_reason": finish}], **more}
    ).encode()


def answer(message: Any, finish: Any = "stop", **more: Any) -> ChatResponse:
    return ChatResponse.from_deltas(deltas(whole(message, finish, **more), streamed=False))


def failure(*chunks: bytes, streamed: bool = True) -> ProviderError:
    with pytest.raises(ProviderError) as failed:
        deltas(*chunks, streamed=streamed)
    return failed.value


USAGE = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}


def test_an_ordinary_stream() -> None:
    found = deltas(
        sse(chunk({"role": "assistant", "content": ""}), chunk({"content": "Hel"}), chunk({"content": "lo"}), chunk({}, "stop"),
            {"id": "c-1", "model": "m-1", "choices": [], "usage": USAGE})
    )  # fmt: skip
    assert found == [
        Delta("Hel", served_model="m-1"),
        Delta("lo"),
        Delta(finish_reason=FinishReason.STOP),
        Delta(usage=Usage(3, 2)),
    ]


def test_an_ordinary_reply() -> None:
    got = answer({"role": "assistant", "content": "Hello"}, usage=USAGE)
    assert (got.text, got.finish_reason, got.usage, got.served_model) == (
        "Hello",
        FinishReason.STOP,
        Usage(3, 2),
        "m-1",
    )


RICH = sse(
    chunk({"reasoning_content": "hm"}),
    chunk({"content": "né 🌍\u2028"}),
    chunk({"tool_calls": [{"index": 0, "id": "a", "function": {"name": "f", "arguments": ""}}]}),
    chunk({"tool_calls": [{"index": 0, "function": {"arguments": '{"x":'}}]}),
    chunk({"tool_calls": [{"index": 0, "function": {"arguments": "1}"}}]}, "tool_calls"),
    {"choices": [], "usage": USAGE},
)


@given(st.lists(st.integers(0, len(RICH)), max_size=8), st.booleans())
def test_the_deltas_are_the_same_wherever_the_bytes_are_cut(cuts: list[int], streamed: bool) -> None:
    places = sorted({0, len(RICH), *cuts})
    pieces = [RICH[a:b] for a, b in itertools.pairwise(places)]
    assert deltas(*pieces, streamed=streamed) == deltas(RICH)
    assert deltas(*pieces[:1], b"", *pieces[1:]) == deltas(RICH)


def partial(stream_bytes: bytes, size: int) -> tuple[list[Delta], str]:
    decoder = wire_for(WireFormat.OPENAI).decoder(model(), streamed=True)
    found: list[Delta] = []
    try:
        for at in range(0, len(stream_bytes), size):
            found.extend(decoder.feed(stream_bytes[at : at + size]))
        found.extend(decoder.end())
    except ProviderError as error:
        return found, error.kind
    return found, "fine"


def test_an_error_after_text_comes_after_the_text_however_it_is_cut() -> None:
    body = sse(
        chunk({"content": "a"}),
        chunk({"content": "b"}),
        {"error": {"message": "m", "type": "server_error"}},
        {"choices": [], "usage": USAGE},
    )
    for size in (1, 7, 100, len(body)):
        found, kind = partial(body, size)
        assert ("".join(delta.text for delta in found), kind) == ("ab", ErrorKind.SERVER)


def test_a_pending_error_can_be_asked_for_and_stays() -> None:
    decoder = wire_for(WireFormat.OPENAI).decoder(model(), streamed=True)
    assert len(decoder.feed(sse(chunk({"content": "a"}), {"error": {"code": 429, "message": "m"}}))) == 1
    for call in (lambda: decoder.feed(b""), lambda: decoder.feed(b"x"), decoder.end):
        with pytest.raises(ProviderError) as failed:
            call()
        assert (failed.value.kind, failed.value.status) == (ErrorKind.RATE_LIMIT, 429)


@pytest.mark.parametrize(
    ("said", "finish"),
    [
        ("stop", FinishReason.STOP), ("eos", FinishReason.STOP), ("STOP", FinishReason.STOP), ("length", FinishReason.LENGTH),
        ("tool_calls", FinishReason.TOOL_CALLS), ("function_call", FinishReason.TOOL_CALLS),
        ("content_filter", FinishReason.CONTENT_FILTER), ("error", FinishReason.ERROR), ("some new word", FinishReason.STOP),
    ],
)  # fmt: skip
def test_finish_reasons(said: str, finish: FinishReason) -> None:
    assert stream(chunk({"content": "a"}, said)).finish_reason is finish
    assert answer({"content": "a"}, said).finish_reason is finish


def test_a_refusal_is_not_an_ordinary_stop() -> None:
    got = stream(chunk({"refusal": "I can"}), chunk({"refusal": "not"}), chunk({}, "stop"))
    assert (got.refusal, got.finish_reason) == ("I cannot", FinishReason.REFUSAL)
    assert answer({"content": None, "refusal": "no"}).finish_reason is FinishReason.REFUSAL


def test_a_repeated_finish_reason_is_said_once() -> None:
    found = deltas(sse(chunk({"content": "a"}), chunk({}, "stop"), chunk({"content": ""}, "stop", usage=USAGE)))
    assert [d.finish_reason for d in found] == [None, FinishReason.STOP, None]
    assert found[-1].usage == Usage(3, 2)


# --- the end


def test_an_end_without_a_finish_reason_is_incomplete_whatever_done_says() -> None:
    assert failure(sse(chunk({"content": "a"}))).kind is ErrorKind.INCOMPLETE
    assert failure(sse(chunk({"role": "assistant"}), end=b"")).kind is ErrorKind.INCOMPLETE
    assert failure(whole({"content": "a"}, None), streamed=False).kind is ErrorKind.INCOMPLETE


def test_a_last_event_without_its_blank_line_did_not_happen() -> None:
    cut = sse(chunk({"content": "a"}), chunk({}, "stop"), end=b"")[:-1]
    assert failure(cut).kind is ErrorKind.INCOMPLETE


def test_a_finish_reason_is_enough_without_done() -> None:
    assert ChatResponse.from_deltas(deltas(sse(chunk({"content": "a"}, "stop"), end=b""))).text == "a"


def test_what_follows_done_is_not_read() -> None:
    assert deltas(sse(chunk({"content": "a"}, "stop")) + b"data: not json\n\n")[-1].finish_reason is FinishReason.STOP


@pytest.mark.parametrize(
    ("body", "streamed"),
    [
        (b"", True),
        (b"", False),
        (b"  \r\n", False),
        (b"\xef\xbb\xbf", True),
        (b"{}", False),
        (b"{}", True),
        (b"null", False),
        (b"null", True),
        (b"[]", False),
        (b'{"choices":[]}', False),
        (b'{"choices":null}', False),
        (b'{"choices":["x"]}', False),
        (b'{"choices":[{"index":0,"message":null,"finish_reason":"stop"}]}', False),
        (
            b'{"choices":[{"index":0,"message":{"content":null},"finish_reason":"stop"}],"usage":{"completion_tokens":9}}',
            False,
        ),
        (b'{"choices":[{"index":0,"message":{"content":""},"finish_reason":"stop"}]}', False),
        (b'{"choices":[{"index":0,"finish_reason":"stop"}]}', False),
        (b"data: [DONE]\n\n", True),
        (b": ping\n\n: ping\n\n", True),
        (b"data: \n\n", True),
        (sse({"choices": [], "usage": USAGE}), True),
        (b"data: not json\n\n", True),
        (b"data: [1]\n\n", True),
        (b"data: null\n\n", True),
        (b"upstream connect error", True),
        (b"upstream connect error", False),
        (b'{"choices":[', False),
        (b'{"a":1}{"b":2}', False),
        (b"[" * 200_000, False),
        (b'data: {"x":NaN}\n\n', True),
        (b"<!DOCTYPE html><title>Sign in</title>", True),
        (b"<html><body>x</body></html>", False),
        (b"\n\n <?xml version='1.0'?>" + b"x" * 5000, False),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_is_no_answer_is_a_bad_response(body: bytes, streamed: bool) -> None:
    assert failure(body, streamed=streamed).kind is ErrorKind.BAD_RESPONSE
    pieces = [body[i : i + 1] for i in range(min(len(body), 300))]
    assert failure(*pieces, body[300:], streamed=streamed).kind is ErrorKind.BAD_RESPONSE


def test_what_came_is_kept_for_debugging() -> None:
    assert failure(b"upstream connect error").raw == b"upstream connect error"
    assert failure(b"{}", streamed=False).raw == b"{}"
    assert "Sign in" in failure(b"<html><head><title>Sign in</title>").message


def test_an_empty_answer_that_was_meant_is_an_answer() -> None:
    assert answer({"content": ""}, usage=USAGE).text == ""
    assert answer({"content": ""}, "length").finish_reason is FinishReason.LENGTH


# --- the form is read off the bytes


def test_one_json_text_where_a_stream_was_asked_for() -> None:
    assert ChatResponse.from_deltas(deltas(b"\n" + whole({"content": "a"}))).text == "a"
    assert failure(b'{"error":{"message":"m","code":"insufficient_quota"}}').kind is ErrorKind.QUOTA


def test_a_stream_where_one_json_text_was_asked_for() -> None:
    for start in (b"", b": hi\n\n", b"event: x\n", b"id: 1\n", b"retry: 1\n", b"\xef\xbb\xbf"):
        body = start + sse(chunk({"content": "a"}, "stop"))
        assert ChatResponse.from_deltas(deltas(body, streamed=False)).text == "a"
        assert (
            ChatResponse.from_deltas(deltas(*(body[i : i + 1] for i in range(len(body))), streamed=False)).text == "a"
        )


def test_blanks_before_the_answer_are_not_kept() -> None:
    for body in (whole({"content": "a"}), sse(chunk({"content": "a"}, "stop"))):
        pieces = (body[i : i + 1] for i in range(len(body)))
        assert ChatResponse.from_deltas(deltas(*[b"\n" * 1000] * 50, *pieces, streamed=False)).text == "a"


def test_an_error_event_is_an_error_whatever_its_data() -> None:
    assert (
        failure(b'event: error\ndata: {"error":{"message":"m","code":"tool_use_failed"}}\n\n').kind
        is ErrorKind.TOOL_USE_FAILED
    )
    error = failure(b"event: error\ndata: it broke\n\n")
    assert (error.kind, error.message) == (ErrorKind.SERVER, "it broke")
    assert failure(b'event: error\ndata: {"message":"m"}\n\n').message == "m"


def test_an_error_beside_a_choice_is_an_error() -> None:
    body = sse(
        chunk({"content": "a"}), chunk({"content": ""}, None, error={"code": 400, "message": "Token limit reached"})
    )
    assert partial(body, len(body)) == ([Delta("a", served_model="m-1")], ErrorKind.BAD_REQUEST)


@pytest.mark.parametrize(
    "body",
    [{"object": "error", "message": "m", "code": "1300"}, {"detail": "m"}, {"error": "m"}, {"error": {"message": "m"}}],
)
def test_a_200_that_holds_an_error_is_an_error(body: dict[str, Any]) -> None:
    assert failure(json.dumps(body).encode(), streamed=False).message == "m"
    assert failure(sse(body)).message == "m"


# --- content


def test_only_choice_0_is_read() -> None:
    two = {
        "choices": [
            {"index": 1, "delta": {"content": "b"}, "finish_reason": "stop"},
            {"delta": {"content": "a"}, "finish_reason": "length"},
        ]
    }
    got = stream({"choices": [{"index": 2, "delta": {"content": "c"}}]}, two)
    assert (got.text, got.finish_reason) == ("a", FinishReason.LENGTH)


def test_content_may_be_a_list_with_thinking_in_it() -> None:
    parts = [{"type": "thinking", "thinking": [{"type": "text", "text": "why"}]}, {"type": "text", "text": "a"}, "b"]
    assert stream(chunk({"content": parts}, "stop")).text == "ab"
    assert answer({"content": parts}).reasoning == "why"
    assert answer({"content": [{"type": "thinking", "thinking": "why"}]}).reasoning == "why"


def test_content_may_be_an_object() -> None:
    assert answer({"content": {"a": "é"}}).text == '{"a":"é"}'


def test_a_message_beside_a_delta_is_a_repetition_and_alone_it_is_the_delta() -> None:
    both = {"choices": [{"delta": {"content": "b"}, "message": {"content": "ab"}, "finish_reason": "stop"}]}
    assert stream(chunk({"content": "a"}), both).text == "ab"
    assert stream({"choices": [{"message": {"content": "ab"}, "finish_reason": "stop"}]}).text == "ab"


def test_text_beside_a_delta_is_a_repetition_and_alone_it_is_the_answer() -> None:
    assert stream({"choices": [{"text": "a", "delta": {"content": "a"}, "finish_reason": "stop"}]}).text == "a"
    assert stream({"choices": [{"text": "a", "finish_reason": "stop"}]}).text == "a"


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning"])
def test_reasoning_in_any_field(field: str) -> None:
    assert (
        stream(chunk({field: "w"}), chunk({field: "hy", "content": None}), chunk({"content": "a"}, "stop")).reasoning
        == "why"
    )


def test_reasoning_is_not_counted_twice_and_its_details_are_kept() -> None:
    details = [
        {"type": "reasoning.text", "text": "why", "signature": "sig", "index": 0, "format": "anthropic-claude-v1"}
    ]
    got = stream(
        chunk({"reasoning": "why", "reasoning_content": "why", "reasoning_details": details}),
        chunk({"content": "a"}, "stop"),
    )
    assert got.reasoning == "why"
    assert got.thinking == (Thinking("why", "sig", format="anthropic-claude-v1"),)
    got = stream(
        chunk({"reasoning": "why", "reasoning_details": [{"text": "other", "format": "unknown"}, {"data": "e"}]}),
        chunk({}, "length"),
    )
    assert got.thinking == (Thinking("why"), Thinking("", redacted="e"))
    got = stream(chunk({"reasoning_details": [{"type": "reasoning.summary", "summary": "s"},
    {"type": "reasoning.encrypted", "data": "e"}]}),
                 chunk({}, "length"))  # fmt: skip
    assert got.thinking == (Thinking("s"), Thinking("", redacted="e"))


def test_every_kind_of_reasoning_detail_goes_back_as_it_came() -> None:
    openai, claude, gemini = "openai-responses-v1", "anthropic-claude-v1", "google-gemini-v1"
    details = [
        {"type": "reasoning.summary", "summary": "s", "format": openai, "index": 0},
        {"type": "reasoning.encrypted", "data": "e", "id": "rs_1", "format": openai, "index": 1},
        {"type": "reasoning.text", "text": "t", "signature": "sig", "format": claude, "index": 2},
        {"type": "reasoning.encrypted", "data": "x", "format": gemini, "index": 3},
    ]
    here = model(Dialect(reasoning_field="reasoning_details"))
    for got in (
        answer({"content": "a", "reasoning_details": details}),
        stream(*(chunk({"reasoning_details": [detail]}) for detail in details), chunk({"content": "a"}, "stop")),
    ):
        again = json.loads(wire_for(WireFormat.OPENAI).encode(ChatRequest((got.message(),)), here).body)
        assert again["messages"][0]["reasoning_details"] == details


def test_citations_are_said_once() -> None:
    annotation = {"type": "url_citation", "url_citation": {"url": "https://a"}}
    got = stream(
        chunk({"content": "x", "annotations": [annotation]}, citations=["https://b"]),
        chunk({}, "stop", citations=["https://b", "https://c"]),
    )
    assert got.citations == (annotation, {"url": "https://b"}, {"url": "https://c"})
    got = stream(
        chunk({"content": "x"}, "stop", citations=["https://b"], search_results=[{"title": "t", "url": "https://b"}])
    )
    assert got.citations == ({"title": "t", "url": "https://b"},)


def test_logprobs_of_both_kinds() -> None:
    choice = {
        "delta": {"content": "x"},
        "finish_reason": "stop",
        "logprobs": {"content": [{"token": "x", "logprob": -1.5}]},
    }
    assert stream({"choices": [choice]}).logprobs == ({"token": "x", "logprob": -1.5},)
    choice["logprobs"] = {"tokens": ["x"], "token_logprobs": [-1.5]}
    assert stream({"choices": [choice]}).logprobs == ({"token": "x", "logprob": -1.5},)


# --- tool calls


def calls(*pieces: Sequence[dict[str, Any]]) -> tuple[ToolCall, ...]:
    return stream(*(chunk({"tool_calls": list(piece)}) for piece in pieces), chunk({}, "tool_calls")).tool_calls


def call(arguments: Any = "", **more: Any) -> dict[str, Any]:
    name = more.pop("name", None)
    return {"function": {"arguments": arguments, **({"name": name} if name else {})}, **more}


def test_pieces_belong_together_by_index() -> None:
    assert calls(
        [call(index=0, id="a", name="f")],
        [call('{"x":', index=0)],
        [call(index=1, id="b", name="g")],
        [call("1}", index=0)],
        [call("{}", index=1)],
    ) == (ToolCall("a", "f", '{"x":1}'), ToolCall("b", "g", "{}"))


def test_pieces_without_an_index_belong_together_by_id() -> None:
    assert calls([call('{"x":', id="a", name="f")], [call("{}", id="b", name="g")], [call("1}", id="a")]) == (
        ToolCall("a", "f", '{"x":1}'),
        ToolCall("b", "g", "{}"),
    )


def test_pieces_without_index_and_id_continue_the_last_call_until_a_new_name() -> None:
    assert calls([call('{"x":', name="f")], [call("1}")], [call("{}", name="g")]) == (
        ToolCall("call_c-1_0", "f", '{"x":1}'),
        ToolCall("call_c-1_1", "g", "{}"),
    )


def test_another_id_at_the_same_index_is_another_call() -> None:
    assert calls([call("{}", index=0, id="a", name="f"), call("{}", index=0, id="b", name="f")]) == (
        ToolCall("a", "f", "{}"),
        ToolCall("b", "f", "{}"),
    )
    assert calls([call("{", index=0, id="a", name="f")], [call("}", index=0, id="a")]) == (ToolCall("a", "f", "{}"),)


def test_arguments_may_be_whole_an_object_or_missing() -> None:
    assert calls([call({"x": "é"}, index=0, id="a", name="f")])[0].arguments == '{"x":"é"}'
    assert calls([{"index": 0, "id": "a", "function": {"name": "f", "arguments": None}}])[0].arguments == ""
    assert calls([{"index": 0, "id": "a"}])[0] == ToolCall("a", "", "")


def test_the_older_function_call_is_a_tool_call() -> None:
    got = answer({"content": None, "function_call": {"name": "f", "arguments": "{}"}}, "function_call")
    assert got.tool_calls == (ToolCall("call_c-1_0", "f", "{}"),)
    assert got.finish_reason is FinishReason.TOOL_CALLS


def test_a_thought_signature_stays_with_its_call() -> None:
    google = {"extra_content": {"google": {"thought_signature": "sig"}}}
    assert calls([call("{}", index=0, id="a", name="f", **google)])[0].signature == "sig"


def test_an_id_is_made_of_characters_that_every_provider_takes_back() -> None:
    body = {
        "id": "Ünï/" + "x" * 50,
        "choices": [{"message": {"tool_calls": [call("{}", name="f")]}, "finish_reason": "tool_calls"}],
    }
    made = ChatResponse.from_deltas(deltas(json.dumps(body).encode(), streamed=False)).tool_calls[0].id
    assert made == "call_" + "x" * 24 + "_0"
    body["id"] = "…"
    assert ChatResponse.from_deltas(deltas(json.dumps(body).encode(), streamed=False)).tool_calls[0].id == "call_0"


# --- usage


@pytest.mark.parametrize(
    ("said", "usage"),
    [
        (USAGE, Usage(3, 2)),
        (
            {**USAGE, "prompt_tokens_details": {"cached_tokens": 1, "audio_tokens": 4, "cache_write_tokens": 6},
             "completion_tokens_details": {"reasoning_tokens": 1, "audio_tokens": 5}},
            Usage(3, 2, 1, 1, 6, 4, 5),
        ),
        ({"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 9,
        "completion_tokens_details": {"reasoning_tokens": 4}}, Usage(3, 6, 4)),
        ({"prompt_tokens": 3, "completion_tokens": 2, "completion_tokens_details": {"reasoning_tokens": 4}}, Usage(3, 2, 4)),
        ({**USAGE, "prompt_cache_hit_tokens": 2}, Usage(3, 2, cached_tokens=2)),
        ({**USAGE, "cache_read_input_tokens": 0, "cache_creation_input_tokens": 1}, Usage(3, 2, cached_tokens=0,
        cache_write_tokens=1)),
        ({**USAGE, "cached_tokens": 1}, Usage(3, 2, cached_tokens=1)),
        ({**USAGE, "reasoning_tokens": 0}, Usage(3, 2, 0)),
        ({**USAGE, "cost": 0.25}, Usage(3, 2, cost_usd=0.25)),
        ({**USAGE, "cost": {"total_cost": 0.5}}, Usage(3, 2, cost_usd=0.5)),
        ({**USAGE, "cost_in_usd_ticks": 10_000_000_000}, Usage(3, 2, cost_usd=1.0)),
        ({**USAGE, "cost": -1}, Usage(3, 2)),
        ({"prompt_tokens": None, "completion_tokens": "2", "total_tokens": True}, Usage()),
        ({"prompt_tokens": -1, "completion_tokens": 2.0}, Usage(None, 2)),
    ],
    ids=str,
)  # fmt: skip
def test_usage_in_our_terms(said: dict[str, Any], usage: Usage) -> None:
    assert answer({"content": "a"}, usage=said).usage == usage


def test_a_dialect_may_say_that_reasoning_is_counted_apart() -> None:
    said = {"prompt_tokens": 3, "completion_tokens": 2, "completion_tokens_details": {"reasoning_tokens": 4}}
    apart = Dialect(reasoning_excluded_from_output=True)
    assert stream(chunk({"content": "a"}, "stop", usage=said), dialect=apart).usage == Usage(3, 6, 4)
    assert stream(chunk({"content": "a"}, "stop", usage={**said, "total_tokens": 5}), dialect=apart).usage == Usage(
        3, 2, 4
    )


def test_the_last_usage_counts_wherever_it_stands() -> None:
    got = stream(
        chunk({"content": "a"}, usage={"prompt_tokens": 3, "completion_tokens": None}),
        chunk({}, "stop", x_groq={"usage": USAGE}),
        {"choices": [], "usage": None},
        {"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 7}, "cost": {"usd": 0.125}},
    )
    assert got.usage == Usage(3, 7, cost_usd=0.125)


# --- limits


def test_more_text_than_32_mib_is_given_up() -> None:
    piece = sse(chunk({"content": "x" * 900_000}), end=b"")
    error = failure(*[piece] * 40)
    assert error.kind is ErrorKind.BAD_RESPONSE


def test_more_arguments_than_32_mib_are_given_up() -> None:
    piece = sse(chunk({"tool_calls": [call("x" * 900_000, index=0, id="a", name="f")]}), end=b"")
    assert failure(*[piece] * 40).kind is ErrorKind.BAD_RESPONSE


def test_more_beside_the_answer_than_64_mib_is_given_up() -> None:
    piece = [sse(chunk({"content": "x", "annotations": [{"n": n, "x": "y" * 900_000}]}), end=b"") for n in range(80)]
    assert failure(*piece).kind is ErrorKind.BAD_RESPONSE


def test_a_body_over_64_mib_is_given_up() -> None:
    error = failure(b"{", *[b" " * (1 << 20)] * 65, streamed=False)
    assert (error.kind, error.raw) == (ErrorKind.BAD_RESPONSE, b"{")


@given(st.lists(st.binary(max_size=40) | st.sampled_from([b"data: ", b"\n\n", b"{", b'{"choices":[', b"}", b"[DONE]",
    b'"a"', b"event: error\n"]), max_size=20),
       st.booleans())  # fmt: skip
def test_random_bytes_raise_nothing_but_provider_errors(pieces: list[bytes], streamed: bool) -> None:
    with contextlib.suppress(ProviderError):
        deltas(*pieces, streamed=streamed)


JSONISH = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(
            ["choices", "delta", "message", "content", "tool_calls", "function", "arguments", "name", "id", "index",
            "usage", "prompt_tokens",
             "completion_tokens_details", "reasoning_tokens", "logprobs", "tokens", "token_logprobs", "annotations",
             "citations", "finish_reason",
             "error", "x_groq", "cost", "reasoning_details", "thinking", "text", "function_call", "search_results",
             "total_tokens", "extra_content"]
        ),
        inner, max_size=4),
    max_leaves=25,
)  # fmt: skip


@given(
    st.lists(
        JSONISH
        | st.builds(lambda v: {"choices": [{"delta": v, "message": v, "finish_reason": "stop"}], "usage": v}, JSONISH),
        max_size=4,
    )
)
def test_any_json_in_any_place_raises_nothing_but_provider_errors(items: list[Any]) -> None:
    for body, streamed in ((sse(*items), True), *((json.dumps(item).encode(), False) for item in items)):
        with contextlib.suppress(ProviderError):
            ChatResponse.from_deltas(deltas(body, streamed=streamed))


def test_googles_signature_of_a_text_is_kept() -> None:
    google = {"google": {"thought_signature": "sig", "thought": True}}
    assert answer({"content": "so", "extra_content": google}).text_signature == "sig"
    assert stream(chunk({"content": "so"}), chunk({"extra_content": google}), chunk({}, "stop")).message() == Message(
        Role.ASSISTANT, (Text("so", "sig"),)
    )


def test_the_words_of_an_answer_in_sound_are_its_text() -> None:
    assert answer({"content": None, "audio": {"id": "a", "data": "UklGRg==", "transcript": "Hello."}}).text == "Hello."
    pieces = [chunk({"audio": {"transcript": piece}}) for piece in ("Hel", "lo.")]
    assert stream(chunk({"role": "assistant", "audio": {"id": "a"}}), *pieces, chunk({}, "stop")).text == "Hello."


def test_an_error_inside_a_choice_or_in_groqs_own_field_is_one() -> None:
    inner = {"code": 429, "message": "slow down"}
    failed = failure(sse({"choices": [{"index": 0, "delta": {}, "finish_reason": "error", "error": inner}]}))
    assert (failed.kind, failed.message, failed.status) == (ErrorKind.RATE_LIMIT, "slow down", 429)
    failed = failure(
        whole({"content": ""}, "stop", x_groq={"id": "r", "error": "the model is over capacity"}), streamed=False
    )
    assert failed.kind is ErrorKind.OVERLOADED


def test_a_new_id_without_a_name_is_the_same_call() -> None:
    pieces = [
        chunk({"tool_calls": [{"index": 0, "id": f"id-{at}", "function": said}]})
        for at, said in enumerate(({"name": "f", "arguments": ""}, {"arguments": '{"a"'}, {"arguments": ":1}"}))
    ]
    assert stream(*pieces, chunk({}, "tool_calls")).tool_calls == (ToolCall("id-0", "f", '{"a":1}'),)


@pytest.mark.parametrize(
    ("said", "finish"),
    [
        ("content_filter: PROHIBITED_CONTENT", FinishReason.CONTENT_FILTER),
        ("function_call_filter: MALFORMED_FUNCTION_CALL", FinishReason.ERROR),
        ("sensitive", FinishReason.CONTENT_FILTER),
        ("abort", FinishReason.ERROR),
    ],
)
def test_finish_reasons_of_compatible_endpoints(said: str, finish: FinishReason) -> None:
    assert answer({"content": "x"}, said).finish_reason is finish


def test_usage_may_have_the_newer_names() -> None:
    usage = answer({"content": "x"}, usage={"input_tokens": 3, "output_tokens": 2}).usage
    assert usage is not None
    assert (usage.input_tokens, usage.output_tokens) == (3, 2)
