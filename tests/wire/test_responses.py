"""OpenAI's Responses API, both ways."""

import contextlib
import itertools
import json
from typing import Any

import pytest
from encoded import Encoder
from hypothesis import given
from hypothesis import strategies as st

from llmr.catalog import Dialect, Model, Provider, WireFormat
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
ITEM = {"type": "message", "role": "user", "content": "hi"}


def model(model_id: str = "gpt-4o", **provider: Any) -> Model:
    return Model(Provider("openai", WireFormat.RESPONSES, "https://api.openai.com/v1", **provider), model_id)


encode = Encoder(WireFormat.RESPONSES, model)
body, refused = encode.body, encode.refused


def items(role: Role, *parts: Part) -> list[dict[str, Any]]:
    said: list[dict[str, Any]] = body(ChatRequest((Message(role, parts),)))["input"]
    return said


# --- requests


def test_the_smallest_request_stores_nothing() -> None:
    made = encode(ChatRequest(HELLO, stream=False), model(key=Secret("k" * 20)))
    assert (made.method, made.url) == ("POST", "https://api.openai.com/v1/responses")
    assert json.loads(made.body) == {"model": "gpt-4o", "input": [ITEM], "store": False}
    assert made.credential is not None
    assert made.credential.header == "authorization"


def test_settings() -> None:
    said = body(ChatRequest(HELLO, max_output_tokens=5, temperature=0.0, top_p=0.5, reasoning_effort="low", logprobs=2,
                            extra={"user": "u", "input": "x"}), model("gpt-5-mini"))  # fmt: skip
    assert (said["max_output_tokens"], said["temperature"], said["top_p"], said["stream"]) == (5, 0.0, 0.5, True)
    assert said["reasoning"] == {"effort": "low"}
    assert said["include"] == ["reasoning.encrypted_content", "message.output_text.logprobs"]
    assert (said["top_logprobs"], said["user"], said["input"]) == (2, "u", [ITEM])


def test_encrypted_reasoning_is_asked_of_models_that_reason() -> None:
    assert "include" not in body(ChatRequest(HELLO), model("gpt-5.1-chat-latest"))
    assert "include" not in body(ChatRequest(HELLO), model("gpt-4.1"))
    assert body(ChatRequest(HELLO), model("o3"))["include"] == ["reasoning.encrypted_content"]


def test_what_it_cannot_say_is_refused_by_name() -> None:
    assert "seed" in refused(ChatRequest(HELLO, seed=1))
    assert "stop" in refused(ChatRequest(HELLO, stop=("x",)))
    assert "JSON" in refused(ChatRequest(HELLO, temperature=float("nan")))
    for role, part, word in (
        (Role.USER, Media(MediaKind.AUDIO, "audio/wav", content=b"x"), "sound"),
        (Role.ASSISTANT, Media(MediaKind.IMAGE, "image/png", content=b"x"), "Media"),
        (Role.USER, ToolCall("1", "f", "{}"), "ToolCall"),
        (Role.ASSISTANT, ToolResult("1", "f", "x"), "ToolResult"),
        (Role.USER, Thinking("x"), "Thinking"),
        (Role.TOOL, Text("x"), "Text in a turn of the tool"),
    ):
        assert word in refused(ChatRequest((Message(role, (part,)),)))


def test_turns_and_attachments() -> None:
    said = body(
        ChatRequest((Message.text(Role.SYSTEM, "s"), Message.text(Role.ASSISTANT, "a"))),
        model(dialect=Dialect(system_role="developer")),
    )
    assert said["input"] == [
        {"type": "message", "role": "developer", "content": "s"},
        {"type": "message", "role": "assistant", "content": "a"},
    ]
    parts = (
        Media(MediaKind.IMAGE, "image/png", url="https://e.org/a.png"),
        Media(MediaKind.DOCUMENT, "application/pdf", content=b"%PDF", name="a.pdf"),
        Media(MediaKind.DOCUMENT, "application/pdf", content=b"%PDF"),
        Media(MediaKind.DOCUMENT, "application/pdf", url="https://e.org/a.pdf"),
    )
    assert items(Role.USER, *parts)[0]["content"] == [
        {"type": "input_image", "image_url": "https://e.org/a.png", "detail": "auto"},
        {"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERg=="},
        {"type": "input_file", "filename": "document", "file_data": "data:application/pdf;base64,JVBERg=="},
        {"type": "input_file", "file_url": "https://e.org/a.pdf"},
    ]


def test_calls_results_and_reasoning_are_items() -> None:
    own = "openai-responses-v1"
    parts = (
        Thinking("why", signature="rs_1", format=own),
        Thinking("", redacted="enc1", format=own),
        Thinking("", signature="rs_2", format=own),
        Thinking("", redacted="enc2", format=own),
        Thinking("", redacted="enc3", format=own),
        Thinking("not ours", signature="s"),
        Text("x"),
        ToolCall("c1", "f", ""),
    )
    assert items(Role.ASSISTANT, *parts) == [
        {
            "type": "reasoning",
            "id": "rs_1",
            "summary": [{"type": "summary_text", "text": "why"}],
            "encrypted_content": "enc1",
        },
        {"type": "reasoning", "id": "rs_2", "summary": [], "encrypted_content": "enc2"},
        {"type": "reasoning", "summary": [], "encrypted_content": "enc3"},
        {"type": "message", "role": "assistant", "content": "x"},
        {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"},
    ]
    assert items(Role.TOOL, ToolResult("c1", "f", "no", is_error=True)) == [
        {"type": "function_call_output", "call_id": "c1", "output": "Error: no"}
    ]


def test_items_keep_the_order_of_the_parts() -> None:
    """OpenAI answers 400 to reasoning that is not followed by the item it led to."""
    own = "openai-responses-v1"
    parts = (
        Text("a"),
        Thinking("", redacted="enc1", format=own),
        ToolCall("c1", "f", "{}"),
        Thinking("", redacted="enc2", format=own),
        ToolCall("c2", "f", "{}"),
        Text("b"),
        Text("c"),
    )
    said = [
        item.get("encrypted_content") or item.get("call_id") or item["content"]
        for item in items(Role.ASSISTANT, *parts)
    ]
    assert said == ["a", "enc1", "c1", "enc2", "c2", "bc"]


def test_tools_their_choice_and_the_shape_of_the_answer() -> None:
    tools = (Tool("f", "does f", {"type": "object"}, strict=True), Tool("g"))

    def said(choice: ToolChoice) -> dict[str, Any]:
        return body(ChatRequest(HELLO, tools=tools, tool_choice=choice))

    assert said(ToolChoice())["tools"] == [
        {"type": "function", "name": "f", "description": "does f", "parameters": {"type": "object"}, "strict": True},
        {"type": "function", "name": "g", "parameters": {"type": "object", "properties": {}}, "strict": False},
    ]
    assert "tool_choice" not in said(ToolChoice())
    assert said(ToolChoice(ToolChoiceMode.NONE))["tool_choice"] == "none"
    assert said(ToolChoice(ToolChoiceMode.REQUIRED, parallel=False))["parallel_tool_calls"] is False
    assert said(ToolChoice(ToolChoiceMode.NAMED, "g"))["tool_choice"] == {"type": "function", "name": "g"}

    def shape(output: OutputFormat) -> Any:
        return body(ChatRequest(HELLO, output=output)).get("text")

    assert shape(OutputFormat()) is None
    assert shape(OutputFormat(ResponseFormat.JSON)) == {"format": {"type": "json_object"}}
    assert shape(OutputFormat(ResponseFormat.JSON_SCHEMA, {"type": "object"}, "n", strict=True, description="d")) == {
        "format": {"type": "json_schema", "name": "n", "schema": {"type": "object"}, "description": "d", "strict": True}
    }
    assert "strict" not in shape(OutputFormat(ResponseFormat.JSON_SCHEMA))["format"]


# --- answers


def event(kind: str, **more: Any) -> dict[str, Any]:
    return {"type": f"response.{kind}", **more}


def sse(*events: dict[str, Any]) -> bytes:
    return b"".join(f"event: {one['type']}\ndata: {json.dumps(one)}\n\n".encode() for one in events)


def response(status: str = "completed", *output: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "id": "resp_1",
        "object": "response",
        "model": "gpt-x",
        "status": status,
        "error": None,
        "output": list(output),
        **more,
    }


USAGE = {
    "input_tokens": 9,
    "output_tokens": 5,
    "input_tokens_details": {"cached_tokens": 2, "cache_write_tokens": 1},
    "output_tokens_details": {"reasoning_tokens": 3},
}
REASONING = {
    "type": "reasoning",
    "id": "rs_1",
    "summary": [{"type": "summary_text", "text": "a"}, {"type": "summary_text", "text": "b"}],
    "encrypted_content": "enc",
}
SAID = {
    "type": "message",
    "content": [{"type": "output_text", "text": "né 🌍", "annotations": [{"url": "u"}], "logprobs": [{"token": "n"}]}],
}
CALL = {"type": "function_call", "id": "fc_1", "call_id": "c1", "name": "f", "arguments": '{"a":1}'}
EVERYTHING = (
    event("created", response=response("in_progress")),
    event("in_progress", response=response("in_progress")),
    event("output_item.added", output_index=0, item={"type": "reasoning", "id": "rs_1"}),
    event("reasoning_summary_part.added", output_index=0),
    event("reasoning_summary_text.delta", output_index=0, delta="a"),
    event("reasoning_summary_part.added", output_index=0),
    event("reasoning_summary_text.delta", output_index=0, delta="b"),
    event("output_item.done", output_index=0, item=REASONING),
    event("output_item.added", output_index=1, item={"type": "message"}),
    event("output_text.delta", output_index=1, delta="né ", logprobs=[{"token": "n"}]),
    event("output_text.delta", output_index=1, delta="🌍"),
    event("output_text.annotation.added", output_index=1, annotation={"url": "u"}),
    event("output_text.annotation.added", output_index=1, annotation=None),
    event("output_item.done", output_index=1, item=SAID),
    event("output_item.added", output_index=2, item={**CALL, "arguments": ""}),
    event("function_call_arguments.delta", output_index=2, delta='{"a":'),
    event("function_call_arguments.delta", output_index=2, delta="1}"),
    event("function_call_arguments.done", output_index=2, arguments='{"a":1}'),
    event("output_item.done", output_index=2, item=CALL),
    {"type": "keepalive"},
    event("completed", response=response("completed", REASONING, SAID, CALL, usage=USAGE)),
)  # fmt: skip
WANTED = ChatResponse(
    text="né 🌍",
    finish_reason=FinishReason.TOOL_CALLS,
    reasoning="a\n\nb",
    thinking=(
        Thinking("a\n\nb", "rs_1", format="openai-responses-v1"),
        Thinking("", redacted="enc", format="openai-responses-v1"),
    ),
    tool_calls=(ToolCall("c1", "f", '{"a":1}'),),
    citations=({"url": "u"},),
    logprobs=({"token": "n"},),
    usage=Usage(9, 5, 3, 2, 1),
    served_model="gpt-x",
)


def deltas(*pieces: bytes, streamed: bool = True) -> list[Delta]:
    decoder = wire_for(WireFormat.RESPONSES).decoder(model(), streamed=streamed)
    found = [delta for one in pieces for delta in decoder.feed(one)]
    return [*found, *decoder.end()]


def stream(*events: dict[str, Any]) -> ChatResponse:
    return ChatResponse.from_deltas(deltas(sse(*events)))


def whole(value: dict[str, Any]) -> ChatResponse:
    return ChatResponse.from_deltas(deltas(json.dumps(value).encode(), streamed=False))


def failure(raw: bytes, streamed: bool = True) -> ProviderError:
    with pytest.raises(ProviderError) as failed:
        deltas(raw, streamed=streamed)
    return failed.value


def test_a_stream_of_everything() -> None:
    assert stream(*EVERYTHING) == WANTED


def test_a_whole_response_of_everything() -> None:
    assert whole(response("completed", REASONING, SAID, CALL, {"type": "web_search_call"}, usage=USAGE)) == WANTED


def test_items_that_no_delta_told_are_told_when_they_are_done() -> None:
    done = [event("output_item.done", output_index=i, item=item) for i, item in enumerate((REASONING, SAID, CALL))]
    end = event("completed", response=response("completed", REASONING, SAID, CALL, usage=USAGE))
    assert stream(event("created", response=response("in_progress")), *done, end) == WANTED
    assert stream(end) == WANTED
    late = event("output_item.added", output_index=2, item={**CALL, "arguments": ""})
    assert stream(*done[:2], late, done[2], end).tool_calls == WANTED.tool_calls


def test_an_answer_goes_back_as_it_came() -> None:
    assert items(Role.ASSISTANT, *stream(*EVERYTHING).message().parts) == [
        {
            "type": "reasoning",
            "id": "rs_1",
            "summary": [{"type": "summary_text", "text": "a\n\nb"}],
            "encrypted_content": "enc",
        },
        {"type": "message", "role": "assistant", "content": "né 🌍"},
        {"type": "function_call", "call_id": "c1", "name": "f", "arguments": '{"a":1}'},
    ]


BYTES = sse(*EVERYTHING)


@given(st.lists(st.integers(0, len(BYTES)), max_size=8))
def test_the_deltas_are_the_same_wherever_the_bytes_are_cut(cuts: list[int]) -> None:
    places = sorted({0, len(BYTES), *cuts})
    assert deltas(*(BYTES[a:b] for a, b in itertools.pairwise(places))) == deltas(BYTES)


@pytest.mark.parametrize(
    ("status", "why", "finish"),
    [
        ("completed", None, FinishReason.STOP),
        ("incomplete", "max_output_tokens", FinishReason.LENGTH),
        ("incomplete", "content_filter", FinishReason.CONTENT_FILTER),
        ("incomplete", None, FinishReason.LENGTH),
        ("queued", None, FinishReason.PAUSED),
        ("in_progress", None, FinishReason.PAUSED),
        ("cancelled", None, FinishReason.ERROR),
    ],
)
def test_how_it_ended(status: str, why: str | None, finish: FinishReason) -> None:
    said = response(status, SAID, incomplete_details={"reason": why} if why else None)
    assert whole(said).finish_reason is finish
    assert stream(event("completed" if status == "completed" else "incomplete", response=said)).finish_reason is finish


def test_a_refusal_is_not_an_ordinary_stop() -> None:
    part = {"type": "message", "content": [{"type": "refusal", "refusal": "no"}]}
    assert (whole(response("completed", part)).refusal, whole(response("completed", part)).finish_reason) == (
        "no",
        FinishReason.REFUSAL,
    )
    got = stream(
        event("refusal.delta", output_index=0, delta="no"), event("completed", response=response("completed", part))
    )
    assert (got.refusal, got.finish_reason) == ("no", FinishReason.REFUSAL)


def test_failures_are_errors_of_their_class() -> None:
    error = {"code": "server_error", "message": "m"}
    assert failure(sse(event("failed", response=response("failed", error=error)))).kind is ErrorKind.SERVER
    assert failure(json.dumps(response("failed")).encode(), streamed=False).message == "the response failed"
    assert failure(sse({"type": "error", "code": "rate_limit_exceeded", "message": "m"})).kind is ErrorKind.RATE_LIMIT
    assert (
        failure(
            json.dumps(response("failed", error={"code": "insufficient_quota", "message": "m"})).encode(),
            streamed=False,
        ).kind
        is ErrorKind.QUOTA
    )


def test_only_the_last_event_is_an_end() -> None:
    assert failure(sse(*EVERYTHING[:-1])).kind is ErrorKind.INCOMPLETE
    assert failure(sse(EVERYTHING[0])).kind is ErrorKind.INCOMPLETE


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{}",
        b"null",
        sse({"type": "keepalive"}),
        json.dumps(response()).encode(),
        sse(event("completed", response=response())),
    ],
)
def test_what_is_no_answer_is_a_bad_response(raw: bytes) -> None:
    assert failure(raw).kind is ErrorKind.BAD_RESPONSE


def test_pieces_of_nothing_known_are_passed_over() -> None:
    odd = [
        event("function_call_arguments.delta", output_index=7, delta="{}"),
        event("output_text.delta", output_index=0, delta=""),
        event("output_item.done", output_index=9, item={"type": "reasoning"}),
        event("output_item.done", output_index=8, item={"type": "function_call", "name": "f"}),
        event("output_item.done", output_index=6, item={"type": "computer_call"}),
    ]
    got = stream(
        EVERYTHING[0],
        *odd,
        event(
            "completed", response=response("completed", usage={"output_tokens": 1, "cost_in_usd_ticks": 10_000_000_000})
        ),
    )
    assert got.tool_calls == (ToolCall("call_resp_1_0", "f", ""),)
    assert got.usage == Usage(output_tokens=1, cost_usd=1.0)


def test_a_body_with_an_error_status_is_classified() -> None:
    assert wire_for(WireFormat.RESPONSES).classify(401, {}, b"", now=0).kind is ErrorKind.AUTH


NAMES = st.sampled_from(
    ["type", "output_index", "delta", "item", "response", "status", "output", "content", "text", "summary",
    "encrypted_content", "id", "call_id",
     "name", "arguments", "error", "usage", "output_tokens", "annotation", "annotations", "logprobs", "refusal",
     "incomplete_details", "reason", "model"]
)  # fmt: skip
VALUES = st.sampled_from(
    [one["type"] for one in EVERYTHING] + ["message", "function_call", "reasoning", "completed", "incomplete", "failed"]
)
JSONISH = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 3) | VALUES | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=5),
    max_leaves=20,
)


@given(st.lists(JSONISH, max_size=5))
def test_any_json_in_any_place_raises_nothing_but_provider_errors(values: list[Any]) -> None:
    streams = b"".join(b"data: " + json.dumps(value).encode() + b"\n\n" for value in values)
    for raw, streamed in ((streams, True), *((json.dumps(value).encode(), False) for value in values)):
        with contextlib.suppress(ProviderError):
            ChatResponse.from_deltas(deltas(raw, streamed=streamed))
