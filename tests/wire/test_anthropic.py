"""Anthropic messages, both ways."""

import contextlib
import itertools
import json
from typing import Any

import pytest
from encoded import Encoder
from hypothesis import given
from hypothesis import strategies as st

from llmr.catalog import Capabilities, Dialect, Model, Provider, WireFormat
from llmr.chat import (
    ChatRequest,
    ChatResponse,
    Delta,
    FinishReason,
    Media,
    MediaKind,
    Message,
    OutputFormat,
    Part,
    ResponseFormat,
    Role,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolChoice,
    ToolChoiceMode,
    ToolResult,
    Usage,
)
from llmr.errors import ErrorKind, ProviderError
from llmr.secret import Secret
from llmr.wire import wire_for

HELLO = (Message.text(Role.USER, "hi"),)


def model(model_id: str = "claude-sonnet-4-5", most: int | None = None, **provider: Any) -> Model:
    made = Provider("anthropic", WireFormat.ANTHROPIC, "https://api.anthropic.com/v1", **provider)
    return Model(made, model_id, capabilities=Capabilities(max_output_tokens=most))


encode = Encoder(WireFormat.ANTHROPIC, model)
body, refused = encode.body, encode.refused


def turns(*messages: Message) -> list[dict[str, Any]]:
    said: list[dict[str, Any]] = body(ChatRequest(messages))["messages"]
    return said


# --- requests


def test_the_smallest_request() -> None:
    made = encode(ChatRequest(HELLO, stream=False))
    assert (made.method, made.url) == ("POST", "https://api.anthropic.com/v1/messages")
    assert dict(made.headers)["anthropic-version"] == "2023-06-01"
    assert json.loads(made.body) == {
        "model": "claude-sonnet-4-5",
        "max_tokens": 4096,
        "messages": [{"role": "user", "content": "hi"}],
    }
    assert body(ChatRequest(HELLO))["stream"] is True


def test_the_version_and_the_key_header_can_be_said_otherwise() -> None:
    made = encode(ChatRequest(HELLO), model(headers={"Anthropic-Version": "2026-10-21"}, key=Secret("k" * 20)))
    assert dict(made.headers)["anthropic-version"] == "2026-10-21"
    assert made.credential is not None
    assert (made.credential.header, made.credential.prefix) == ("x-api-key", "")
    bearer = encode(
        ChatRequest(HELLO), model(dialect=Dialect(auth_header="Authorization"), key=Secret("k" * 20))
    ).credential
    assert bearer is not None
    assert (bearer.header, bearer.prefix) == ("authorization", "Bearer ")


def test_max_tokens_is_always_said() -> None:
    assert body(ChatRequest(HELLO, max_output_tokens=5))["max_tokens"] == 5
    assert body(ChatRequest(HELLO), model(most=8192))["max_tokens"] == 8192
    assert body(ChatRequest(HELLO), model(most=128_000))["max_tokens"] == 32_000


def test_sampling_and_stops() -> None:
    said = body(ChatRequest(HELLO, temperature=0.0, top_p=0.9, stop=("x",)))
    assert (said["temperature"], said["top_p"], said["stop_sequences"]) == (0.0, 0.9, ["x"])


def test_what_messages_cannot_say_is_refused_by_name() -> None:
    assert "seed" in refused(ChatRequest(HELLO, seed=1))
    assert "logprobs" in refused(ChatRequest(HELLO, logprobs=0))
    assert "without a schema" in refused(ChatRequest(HELLO, output=OutputFormat(ResponseFormat.JSON)))
    assert "frequency_penalty, n" in refused(ChatRequest(HELLO, extra={"n": 2, "frequency_penalty": 1}))
    assert "JSON" in refused(ChatRequest(HELLO, extra={"top_k": float("inf")}))
    assert "sound" in refused(ChatRequest((Message(Role.USER, (Media(MediaKind.AUDIO, "audio/wav", content=b"x"),)),)))
    for role, part in (
        (Role.ASSISTANT, Media(MediaKind.IMAGE, "image/png", content=b"x")),
        (Role.USER, ToolCall("1", "f", "{}")),
        (Role.ASSISTANT, ToolResult("1", "f", "x")),
        (Role.USER, Thinking("x")),
    ):
        assert type(part).__name__ in refused(ChatRequest((Message(role, (part,)),)))


def test_extra_fields_that_do_not_touch_the_answer_are_left_out_and_known_ones_pass() -> None:
    said = body(
        ChatRequest(
            HELLO,
            extra={
                "user": "u",
                "store": False,
                "n": 1,
                "logit_bias": None,
                "top_k": 4,
                "thinking": {"type": "x"},
                "service_tier": "default",
                "metadata": {"ticket": "7"},
            },
        )
    )
    assert said["top_k"] == 4
    assert said["thinking"] == {"type": "x"}
    assert not {"user", "store", "n", "logit_bias", "service_tier", "metadata"} & said.keys()


def test_fields_that_both_makers_know_pass_where_they_are_meant_for_this_one() -> None:
    extra = {"service_tier": "standard_only", "metadata": {"user_id": "u"}}
    said = body(ChatRequest(HELLO, extra=extra))
    assert {name: said[name] for name in extra} == extra


def test_a_price_or_a_keeping_that_was_asked_for_is_refused_and_not_left_out() -> None:
    assert "service_tier" in refused(ChatRequest(HELLO, extra={"service_tier": "flex"}))
    assert "store" in refused(ChatRequest(HELLO, extra={"store": True}))


def test_the_system_prompt_stands_beside_the_turns() -> None:
    said = body(ChatRequest((Message.text(Role.SYSTEM, "a"), *HELLO, Message.text(Role.SYSTEM, "b"))))
    assert said["system"] == [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    assert said["messages"] == [{"role": "user", "content": "hi"}]


def test_messages_of_one_speaker_are_one_turn_and_results_stand_first_in_it() -> None:
    assert turns(
        *HELLO,
        Message(Role.ASSISTANT, (Text(" "), ToolCall("functions.f:0", "f", '{"a":1}'), ToolCall("b", "g", ""))),
        Message.text(Role.USER, "and"),
        Message(Role.TOOL, (ToolResult("functions.f:0", "f", "ok"),)),
        Message(Role.TOOL, (ToolResult("b", "g", "no", is_error=True),)),
    ) == [
        {"role": "user", "content": "hi"},
        {
            "role": "assistant",
            "content": [
                {"type": "tool_use", "id": "functions_f_0", "name": "f", "input": {"a": 1}},
                {"type": "tool_use", "id": "b", "name": "g", "input": {}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "functions_f_0", "content": "ok"},
                {"type": "tool_result", "tool_use_id": "b", "content": "no", "is_error": True},
                {"type": "text", "text": "and"},
            ],
        },
    ]


def test_arguments_that_are_no_object_are_still_sent_back() -> None:
    for broken in ('{"a":', "[1]", "3"):
        said = turns(Message(Role.ASSISTANT, (ToolCall("1", "f", broken),)))
        assert said[0]["content"][0]["input"] == {"INVALID_JSON": broken}


def test_turns_of_nothing_are_not_said() -> None:
    assert turns(*HELLO, Message.text(Role.ASSISTANT, ""), Message.text(Role.USER, "b")) == [
        {"role": "user", "content": [{"type": "text", "text": "hi"}, {"type": "text", "text": "b"}]}
    ]


def test_attachments() -> None:
    parts: tuple[Part, ...] = (
        Media(MediaKind.IMAGE, "image/png", content=b"\x89PNG", name="a.png"),
        Media(MediaKind.IMAGE, "image/png", url="https://e.org/a.png"),
        Media(MediaKind.DOCUMENT, "application/pdf", content=b"%PDF", name="a.pdf"),
        Media(MediaKind.DOCUMENT, "application/pdf", url="https://e.org/a.pdf"),
        Media(MediaKind.DOCUMENT, "text/markdown", content="é".encode()),
    )
    assert turns(Message(Role.USER, parts))[0]["content"] == [
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw=="}},
        {"type": "image", "source": {"type": "url", "url": "https://e.org/a.png"}},
        {
            "type": "document",
            "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERg=="},
            "title": "a.pdf",
        },
        {"type": "document", "source": {"type": "url", "url": "https://e.org/a.pdf"}},
        {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "é"}},
    ]


def test_only_claudes_own_signed_thinking_goes_back() -> None:
    thoughts = (
        Thinking("a", signature="s"),
        Thinking("b", signature="s", format="anthropic-claude-v1"),
        Thinking("", redacted="r"),
        Thinking("unsigned"),
        Thinking("c", signature="s", format="google-gemini-v1"),
        Text("x"),
    )
    assert turns(Message(Role.ASSISTANT, thoughts))[0]["content"] == [
        {"type": "thinking", "thinking": "a", "signature": "s"},
        {"type": "thinking", "thinking": "b", "signature": "s"},
        {"type": "redacted_thinking", "data": "r"},
        {"type": "text", "text": "x"},
    ]


@pytest.mark.parametrize(
    ("model_id", "effort", "said"),
    [
        ("claude-sonnet-4-5-20250929", "high", {"thinking": {"type": "enabled", "budget_tokens": 10_000}}),
        ("claude-3-7-sonnet-20250219", "low", {"thinking": {"type": "enabled", "budget_tokens": 1024}}),
        (
            "anthropic.claude-opus-4-1-20250805-v1:0",
            "minimal",
            {"thinking": {"type": "enabled", "budget_tokens": 1024}},
        ),
        ("claude-opus-4-20250514", "medium", {"thinking": {"type": "enabled", "budget_tokens": 8192}}),
        ("deepseek-v4-pro", "medium", {"thinking": {"type": "enabled", "budget_tokens": 8192}}),
        ("claude-sonnet-4-6", "high", {"thinking": {"type": "adaptive"}, "output_config": {"effort": "high"}}),
        ("claude-haiku-5-5", "minimal", {"thinking": {"type": "adaptive"}, "output_config": {"effort": "low"}}),
        ("claude-opus-4-7", "whatever comes", None),
        ("claude-sonnet-5", "none", {"thinking": {"type": "disabled"}}),
    ],
)
def test_reasoning_effort_is_a_budget_or_an_effort(model_id: str, effort: str, said: dict[str, Any] | None) -> None:
    request = ChatRequest(HELLO, max_output_tokens=20_000, reasoning_effort=effort)
    if said is None:
        assert "effort" in refused(request, model(model_id))
        return
    got = body(request, model(model_id))
    assert {key: got[key] for key in ("thinking", "output_config") if key in got} == said


def test_room_to_think_is_added_where_nothing_was_asked_and_refused_where_there_is_none() -> None:
    assert body(ChatRequest(HELLO, reasoning_effort="medium"))["max_tokens"] == 4096 + 8192
    assert body(ChatRequest(HELLO, reasoning_effort="low"), model("claude-sonnet-5"))["max_tokens"] == 4096
    assert "1000 output tokens" in refused(ChatRequest(HELLO, max_output_tokens=1000, reasoning_effort="low"))


def test_tools_their_choice_and_a_schema() -> None:
    tools = (Tool("f", "does f", {"type": "object"}, strict=True), Tool("g"))

    def said(choice: ToolChoice) -> Any:
        return body(ChatRequest(HELLO, tools=tools, tool_choice=choice)).get("tool_choice")

    assert body(ChatRequest(HELLO, tools=tools))["tools"] == [
        {"name": "f", "description": "does f", "input_schema": {"type": "object"}, "strict": True},
        {"name": "g", "input_schema": {"type": "object", "properties": {}}},
    ]
    assert said(ToolChoice()) is None
    assert said(ToolChoice(parallel=False)) == {"type": "auto", "disable_parallel_tool_use": True}
    assert said(ToolChoice(ToolChoiceMode.NONE, parallel=True)) == {"type": "none"}
    assert said(ToolChoice(ToolChoiceMode.REQUIRED)) == {"type": "any"}
    assert said(ToolChoice(ToolChoiceMode.NAMED, "g", parallel=True)) == {
        "type": "tool",
        "name": "g",
        "disable_parallel_tool_use": False,
    }
    schema = OutputFormat(ResponseFormat.JSON_SCHEMA, {"type": "object"})
    got = body(ChatRequest(HELLO, output=schema, reasoning_effort="low"), model("claude-opus-5"))
    assert got["output_config"] == {"effort": "low", "format": {"type": "json_schema", "schema": {"type": "object"}}}


# --- answers


def sse(*events: dict[str, Any]) -> bytes:
    return b"".join(f"event: {event['type']}\ndata: {json.dumps(event)}   \n\n".encode() for event in events)


def start(**usage: Any) -> dict[str, Any]:
    return {"type": "message_start", "message": {"id": "msg_1", "model": "claude-x", "content": [], "usage": usage}}


def opened(index: int, **block: Any) -> dict[str, Any]:
    return {"type": "content_block_start", "index": index, "content_block": block}


def piece(index: int, **delta: Any) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": index, "delta": delta}


def closed(index: int) -> dict[str, Any]:
    return {"type": "content_block_stop", "index": index}


def ended(reason: str | None = "end_turn", usage: Any = None, **more: Any) -> dict[str, Any]:
    return {"type": "message_delta", "delta": {"stop_reason": reason, **more}, "usage": usage}


STOP = {"type": "message_stop"}
PING = {"type": "ping"}


def deltas(*chunks: bytes, streamed: bool = True) -> list[Delta]:
    decoder = wire_for(WireFormat.ANTHROPIC).decoder(model(), streamed=streamed)
    found = [delta for chunk in chunks for delta in decoder.feed(chunk)]
    return [*found, *decoder.end()]


def stream(*events: dict[str, Any]) -> ChatResponse:
    return ChatResponse.from_deltas(deltas(sse(*events)))


def failure(body: bytes, streamed: bool = True) -> ProviderError:
    with pytest.raises(ProviderError) as failed:
        deltas(body, streamed=streamed)
    return failed.value


def answer(*content: dict[str, Any], reason: str | None = "end_turn", **more: Any) -> ChatResponse:
    message = {
        "type": "message",
        "id": "msg_1",
        "model": "claude-x",
        "content": list(content),
        "stop_reason": reason,
        **more,
    }
    return ChatResponse.from_deltas(deltas(json.dumps(message).encode(), streamed=False))


EVERYTHING = (
    start(input_tokens=10, output_tokens=1, cache_read_input_tokens=5, cache_creation_input_tokens=2),
    opened(0, type="thinking", thinking="", signature=""),
    PING,
    piece(0, type="thinking_delta", thinking="hm"),
    piece(0, type="signature_delta", signature="sig"),
    closed(0),
    opened(1, type="redacted_thinking", data="secret"),
    closed(1),
    opened(2, type="text", text=""),
    piece(2, type="text_delta", text="né 🌍"),
    piece(2, type="citations_delta", citation={"url": "u"}),
    closed(2),
    opened(3, type="server_tool_use", id="s", name="web_search", input={}),
    piece(3, type="input_json_delta", partial_json='{"q":1}'),
    closed(3),
    opened(4, type="tool_use", id="t1", name="f", input={}),
    piece(4, type="input_json_delta", partial_json=""),
    piece(4, type="input_json_delta", partial_json='{"a":'),
    piece(4, type="input_json_delta", partial_json="1}"),
    closed(4),
    opened(5, type="tool_use", id="t2", name="g", input={}),
    closed(5),
    piece(2, type="citations_delta", citation=None),
    piece(9, type="new_delta"),
    {"type": "new_event"},
    ended("tool_use", {"output_tokens": 20, "input_tokens": None, "output_tokens_details": {"thinking_tokens": 7}}),
    STOP,
)


def test_a_stream_of_everything() -> None:
    got = stream(*EVERYTHING)
    assert got == ChatResponse(
        text="né 🌍",
        finish_reason=FinishReason.TOOL_CALLS,
        reasoning="hm",
        thinking=(
            Thinking("hm", "sig", format="anthropic-claude-v1"),
            Thinking("", redacted="secret", format="anthropic-claude-v1"),
        ),
        tool_calls=(ToolCall("t1", "f", '{"a":1}'), ToolCall("t2", "g", "{}")),
        citations=({"url": "u"},),
        usage=Usage(17, 20, 7, 5, 2),
        served_model="claude-x",
    )


def test_an_answer_goes_back_as_it_came() -> None:
    turn = stream(*EVERYTHING).message()
    assert turns(turn)[0]["content"] == [
        {"type": "thinking", "thinking": "hm", "signature": "sig"},
        {"type": "redacted_thinking", "data": "secret"},
        {"type": "text", "text": "né 🌍"},
        {"type": "tool_use", "id": "t1", "name": "f", "input": {"a": 1}},
        {"type": "tool_use", "id": "t2", "name": "g", "input": {}},
    ]


BYTES = sse(*EVERYTHING)


@given(st.lists(st.integers(0, len(BYTES)), max_size=8))
def test_the_deltas_are_the_same_wherever_the_bytes_are_cut(cuts: list[int]) -> None:
    places = sorted({0, len(BYTES), *cuts})
    assert deltas(*(BYTES[a:b] for a, b in itertools.pairwise(places))) == deltas(BYTES)


def test_a_whole_answer_of_everything() -> None:
    got = answer(
        {"type": "thinking", "thinking": "hm", "signature": "sig"},
        {"type": "redacted_thinking", "data": "secret"},
        {"type": "text", "text": "né 🌍", "citations": [{"url": "u"}]},
        {"type": "web_search_tool_result", "content": []},
        {"type": "tool_use", "id": "t1", "name": "f", "input": {"a": 1}},
        {"type": "tool_use", "id": "t2", "name": "g", "input": {}},
        reason="tool_use",
        usage={"input_tokens": 10, "cache_read_input_tokens": 5, "cache_creation_input_tokens": 2, "output_tokens": 20,
               "output_tokens_details": {"thinking_tokens": 7}},
    )  # fmt: skip
    assert got == stream(*EVERYTHING)


@pytest.mark.parametrize(
    ("said", "finish"),
    [
        ("end_turn", FinishReason.STOP), ("stop_sequence", FinishReason.STOP), ("max_tokens", FinishReason.LENGTH),
        ("model_context_window_exceeded", FinishReason.LENGTH), ("tool_use", FinishReason.TOOL_CALLS),
        ("refusal", FinishReason.REFUSAL), ("pause_turn", FinishReason.PAUSED), ("some new word", FinishReason.STOP),
    ],
)  # fmt: skip
def test_stop_reasons(said: str, finish: FinishReason) -> None:
    assert answer({"type": "text", "text": "x"}, reason=said).finish_reason is finish


def test_a_refusal_says_why_where_it_does() -> None:
    got = stream(
        start(), opened(0, type="text", text="x"), ended("refusal", None, stop_details={"explanation": "no"}), STOP
    )
    assert (got.finish_reason, got.refusal) == (FinishReason.REFUSAL, "no")


def test_usage_is_laid_over_and_never_added() -> None:
    usage = {"input_tokens": 10, "output_tokens": 9, "cache_read_input_tokens": 0}
    found = deltas(
        sse(
            start(input_tokens=10, output_tokens=1),
            opened(0, type="text", text="x"),
            ended("end_turn", usage),
            ended(None, usage),
            STOP,
        )
    )
    assert [delta.usage for delta in found if delta.usage] == [Usage(10, 1), Usage(10, 9, cached_tokens=0)]
    assert stream(start(), opened(0, type="text", text="x"), ended(), STOP).usage is None


def test_an_error_event_is_an_error_of_its_class_first_or_later() -> None:
    error = {"type": "error", "error": {"details": None, "type": "overloaded_error", "message": "Overloaded"}}
    got = failure(sse(error))
    assert (got.kind, got.message, got.code) == (ErrorKind.OVERLOADED, "Overloaded", "overloaded_error")
    decoder = wire_for(WireFormat.ANTHROPIC).decoder(model(), streamed=True)
    found = decoder.feed(sse(start(), opened(0, type="text", text="x"), error))
    assert [delta.text for delta in found] == ["", "x"]
    with pytest.raises(ProviderError):
        decoder.feed(b"")


def test_only_message_stop_is_an_end() -> None:
    events = (start(), opened(0, type="text", text="x"), ended())
    assert failure(sse(*events)).kind is ErrorKind.INCOMPLETE
    assert failure(sse(*events, STOP)[:-1]).kind is ErrorKind.INCOMPLETE
    assert stream(*events, STOP).text == "x"
    assert (
        failure(b'{"type":"message","content":[{"type":"text","text":"x"}]}', streamed=False).kind
        is ErrorKind.INCOMPLETE
    )


@pytest.mark.parametrize(
    ("raw", "streamed"),
    [
        (b"", True),
        (b"{}", False),
        (b"null", False),
        (b"[]", False),
        (b"data: 3\n\n", True),
        (sse(PING), True),
        (sse(start(), ended(), STOP), True),
        (sse(start(), STOP), True),
        (b'{"content":[],"stop_reason":"end_turn"}', False),
    ],
)
def test_what_is_no_answer_is_a_bad_response(raw: bytes, streamed: bool) -> None:
    assert failure(raw, streamed).kind is ErrorKind.BAD_RESPONSE


def test_an_answer_of_nothing_but_thinking_is_one() -> None:
    assert answer({"type": "redacted_thinking", "data": "x"}).thinking == (
        Thinking("", redacted="x", format="anthropic-claude-v1"),
    )
    assert answer({"type": "thinking", "thinking": "hm", "signature": ""}).reasoning == "hm"


def test_an_empty_answer_that_was_billed_is_one() -> None:
    assert answer(usage={"output_tokens": 2}).text == ""


def test_events_are_known_by_their_name_where_the_data_does_not_repeat_it() -> None:
    body = b'event: message_start\ndata: {"message":{"model":"m"}}\n\n'
    body += b'event: content_block_start\ndata: {"index":0,"content_block":{"type":"text","text":"x"}}\n\n'
    body += b'event: message_delta\ndata: {"delta":{"stop_reason":"end_turn"}}\n\nevent: message_stop\ndata: {}\n\n'
    assert ChatResponse.from_deltas(deltas(body)).text == "x"


def test_arguments_in_pieces_are_all_of_them_and_those_of_the_beginning_count_without_any() -> None:
    call = opened(0, type="tool_use", id="t", name="f", input={"a": 1})
    pieces = [piece(0, type="input_json_delta", partial_json=said) for said in ('{"a"', ":1}")]
    for events in ((call, *pieces, closed(0)), (call, closed(0)), (call,)):
        assert stream(start(), *events, ended("tool_use"), STOP).tool_calls == (ToolCall("t", "f", '{"a":1}'),)


def test_an_index_of_a_strange_kind_is_one_index() -> None:
    call = opened(0, type="tool_use", id="t", name="f", input={})
    call["index"] = [1]
    args = piece(0, type="input_json_delta", partial_json="{}")
    args["index"] = {"a": 1}
    assert stream(start(), call, args, ended("tool_use"), STOP).tool_calls == (ToolCall("t", "f", "{}"),)


def test_a_body_with_an_error_status_is_classified() -> None:
    error = wire_for(WireFormat.ANTHROPIC).classify(
        529, {}, b'{"type":"error","error":{"type":"overloaded_error","message":"m"}}', now=0
    )
    assert error.kind is ErrorKind.OVERLOADED


NAMES = st.sampled_from(
    ["type", "index", "delta", "content_block", "message", "text", "partial_json", "thinking", "signature",
    "citation", "citations", "usage",
     "input_tokens", "output_tokens", "content", "input", "id", "name", "stop_reason", "stop_details", "data", "error", "model"]
)  # fmt: skip
VALUES = st.sampled_from(
    ["message_start", "content_block_start", "content_block_delta", "content_block_stop", "message_delta",
    "message_stop", "error", "text",
     "thinking", "tool_use", "redacted_thinking", "text_delta", "input_json_delta", "thinking_delta",
     "signature_delta", "citations_delta"]
)  # fmt: skip
JSONISH = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 3) | VALUES | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=5),
    max_leaves=20,
)


@given(st.lists(JSONISH, max_size=5))
def test_any_json_in_any_place_raises_nothing_but_provider_errors(items: list[Any]) -> None:
    streams = b"".join(b"data: " + json.dumps(item).encode() + b"\n\n" for item in items)
    for raw, streamed in ((streams, True), *((json.dumps(item).encode(), False) for item in items)):
        with contextlib.suppress(ProviderError):
            ChatResponse.from_deltas(deltas(raw, streamed=streamed))
