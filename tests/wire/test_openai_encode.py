"""Requests in chat completions' words."""

import json
from types import MappingProxyType
from typing import Any

import pytest

from llmr.catalog import Dialect, Model, Provider, WireFormat
from llmr.chat import (
    ChatRequest,
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
)
from llmr.errors import ErrorKind, ProviderError
from llmr.secret import Secret
from llmr.wire import wire_for
from llmr.wire.contract import HttpRequest

PLAIN = Dialect()
HELLO = (Message.text(Role.USER, "hi"),)


def encode(request: ChatRequest, model_id: str = "gpt-4o", dialect: Dialect = PLAIN, **provider: Any) -> HttpRequest:
    made = Provider("acme", WireFormat.OPENAI, "https://api.example/v1/", dialect=dialect, **provider)
    return wire_for(WireFormat.OPENAI).encode(request, Model(made, model_id))


def body(request: ChatRequest, model_id: str = "gpt-4o", dialect: Dialect = PLAIN) -> dict[str, Any]:
    said: dict[str, Any] = json.loads(encode(request, model_id, dialect).body)
    return said


def message(role: Role, *parts: Part, dialect: Dialect = PLAIN) -> list[dict[str, Any]]:
    said: list[dict[str, Any]] = body(ChatRequest((Message(role, parts),)), dialect=dialect)["messages"]
    return said


def refused(role: Role, *parts: Part) -> str:
    with pytest.raises(ProviderError) as failed:
        message(role, *parts)
    assert failed.value.kind is ErrorKind.UNSUPPORTED
    return failed.value.message


def test_the_smallest_request_says_nothing_that_was_not_asked() -> None:
    assert body(ChatRequest(HELLO, stream=False)) == {
        "model": "gpt-4o",
        "messages": [{"role": "user", "content": "hi"}],
    }


def test_url_headers_and_credential() -> None:
    made = encode(ChatRequest(HELLO), key=Secret("sk-test-key"), headers={"X-Team": "red"})
    assert (made.method, made.url) == ("POST", "https://api.example/v1/chat/completions")
    assert dict(made.headers) == {"content-type": "application/json", "accept": "text/event-stream", "x-team": "red"}
    assert made.credential is not None
    assert (made.credential.header, made.credential.prefix) == ("authorization", "Bearer ")
    assert "sk-test-key" not in repr(made)
    assert encode(ChatRequest(HELLO)).credential is None
    assert dict(encode(ChatRequest(HELLO, stream=False)).headers)["accept"] == "application/json"


def test_azure_is_a_dialect_and_not_a_class() -> None:
    azure = Dialect(auth_header="API-Key", auth_prefix="", query={"api-version": "2024-10-21"},
                    chat_path="/openai/deployments/{model}/chat/completions")  # fmt: skip
    made = encode(ChatRequest(HELLO), "my gpt/4", azure, key=Secret("k" * 32))
    assert made.url == "https://api.example/v1/openai/deployments/my%20gpt%2F4/chat/completions?api-version=2024-10-21"
    assert made.credential is not None
    assert (made.credential.header, made.credential.prefix) == ("api-key", "")


def test_usage_is_asked_for_where_the_dialect_takes_the_question() -> None:
    assert body(ChatRequest(HELLO))["stream_options"] == {"include_usage": True}
    assert "stream_options" not in body(ChatRequest(HELLO), dialect=Dialect(usage_in_stream=False))
    assert body(ChatRequest(HELLO), dialect=Dialect(usage_in_stream=False))["stream"] is True


@pytest.mark.parametrize(
    ("model_id", "dialect", "field"),
    [
        ("gpt-4o", Dialect(), "max_tokens"),
        ("o3-mini", Dialect(), "max_completion_tokens"),
        ("o1", Dialect(), "max_completion_tokens"),
        ("gpt-5-mini", Dialect(), "max_completion_tokens"),
        ("openai/gpt-5.5", Dialect(), "max_completion_tokens"),
        ("gpt-10", Dialect(), "max_completion_tokens"),
        ("gpt-oss-120b", Dialect(), "max_tokens"),
        ("olmo-2", Dialect(), "max_tokens"),
        ("gpt-4o", Dialect(max_tokens_field="max_completion_tokens"), "max_completion_tokens"),
        ("gpt-5", Dialect(max_tokens_field="max_output"), "max_output"),
    ],
)
def test_the_token_limit_goes_into_the_field_that_the_model_takes(model_id: str, dialect: Dialect, field: str) -> None:
    said = body(ChatRequest(HELLO, max_output_tokens=7), model_id, dialect)
    assert said[field] == 7
    assert sum("max" in key for key in said) == 1


def test_sampling_and_the_rest_are_passed_on() -> None:
    said = body(
        ChatRequest(HELLO, temperature=0.0, top_p=0.5, seed=0, stop=("a", "b"), reasoning_effort="low", logprobs=3)
    )
    assert said["temperature"] == 0.0
    assert (said["top_p"], said["seed"], said["stop"], said["reasoning_effort"]) == (0.5, 0, ["a", "b"], "low")
    assert (said["logprobs"], said["top_logprobs"]) == (True, 3)
    assert "top_logprobs" not in body(ChatRequest(HELLO, logprobs=0))


def test_the_seed_has_the_name_that_the_dialect_says() -> None:
    assert body(ChatRequest(HELLO, seed=7), dialect=Dialect(seed_field="random_seed"))["random_seed"] == 7


def test_extra_goes_through_but_cannot_change_what_is_asked() -> None:
    extra = MappingProxyType(
        {"n": 2, "temperature": 1, "model": "other", "messages": [], "stream": False, "x": MappingProxyType({})}
    )
    said = body(ChatRequest(HELLO, temperature=0.5, extra=extra))
    assert (said["n"], said["temperature"], said["x"]) == (2, 1, {})
    assert (said["model"], said["stream"], len(said["messages"])) == ("gpt-4o", True, 1)


def test_what_json_cannot_say_is_refused_before_it_leaves() -> None:
    with pytest.raises(ProviderError) as failed:
        body(ChatRequest(HELLO, extra={"x": float("nan")}))
    assert failed.value.kind is ErrorKind.UNSUPPORTED


def test_routing_fields_never_leave_the_machine() -> None:
    raw = encode(ChatRequest(HELLO, model="alias-7", tags=("tag-7",), strategy="cost-7", provider="prov-7")).body
    assert b"-7" not in raw


def test_a_lone_surrogate_leaves_as_the_replacement_character() -> None:
    assert body(ChatRequest((Message.text(Role.USER, "a\ud800"),)))["messages"][0]["content"] == "a\ufffd"


def test_turns_and_the_system_role_of_the_dialect() -> None:
    turns = (Message.text(Role.SYSTEM, "s"), *HELLO, Message.text(Role.ASSISTANT, "a"))
    said = body(ChatRequest(turns), dialect=Dialect(system_role="developer"))["messages"]
    assert said == [
        {"role": "developer", "content": "s"},
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": "a"},
    ]
    assert message(Role.USER) == [{"role": "user", "content": ""}]


def test_attachments_by_content_and_by_url() -> None:
    parts = (
        Text("look"),
        Media(MediaKind.IMAGE, "image/png", content=b"\x89PNG"),
        Media(MediaKind.IMAGE, "image/png", url="https://example.org/a.png"),
        Media(MediaKind.IMAGE, "image/png", url="https://example.org/a.png", detail="low"),
        Media(MediaKind.AUDIO, "audio/mpeg", content=b"ID3"),
        Media(MediaKind.DOCUMENT, "application/pdf", content=b"%PDF", name="a.pdf"),
        Media(MediaKind.DOCUMENT, "application/pdf", content=b"%PDF"),
    )
    assert message(Role.USER, *parts)[0]["content"] == [
        {"type": "text", "text": "look"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw=="}},
        {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}},
        {"type": "image_url", "image_url": {"url": "https://example.org/a.png", "detail": "low"}},
        {"type": "input_audio", "input_audio": {"data": "SUQz", "format": "mp3"}},
        {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERg=="}},
        {"type": "file", "file": {"filename": "document", "file_data": "data:application/pdf;base64,JVBERg=="}},
    ]


def test_what_chat_completions_cannot_say_is_refused_by_name() -> None:
    assert "sound" in refused(Role.USER, Media(MediaKind.AUDIO, "audio/wav", url="https://e.org/a.wav"))
    assert "audio/midi" in refused(Role.USER, Media(MediaKind.AUDIO, "audio/midi", content=b"x"))
    assert "document" in refused(Role.USER, Media(MediaKind.DOCUMENT, "application/pdf", url="https://e.org/a.pdf"))
    assert "ToolCall" in refused(Role.USER, ToolCall("1", "f", "{}"))
    assert "Thinking" in refused(Role.SYSTEM, Thinking("t"), Text("x"))
    assert "Media" in refused(Role.ASSISTANT, Media(MediaKind.IMAGE, "image/png", content=b"x"))
    assert "tool's turn" in refused(Role.TOOL, Text("x"))
    assert "acme/gpt-4o" in refused(Role.TOOL, Text("x"))


def test_tool_calls_and_their_results() -> None:
    assert message(Role.ASSISTANT, ToolCall("1", "f", '{"a":1}'), ToolCall("2", "g", "")) == [
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {"id": "1", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}},
                {"id": "2", "type": "function", "function": {"name": "g", "arguments": "{}"}},
            ],
        }
    ]
    assert message(Role.ASSISTANT, Text("a"), Text("b"), ToolCall("1", "f", "{}"))[0]["content"] == "ab"
    assert message(Role.TOOL, ToolResult("1", "f", "ok"), ToolResult("2", "g", "no", is_error=True)) == [
        {"role": "tool", "tool_call_id": "1", "content": "ok"},
        {"role": "tool", "tool_call_id": "2", "content": "Error: no"},
    ]
    assert message(Role.TOOL, ToolResult("2", "g", "Error 5", is_error=True))[0]["content"] == "Error 5"
    assert message(Role.USER, Text("and?"), ToolResult("1", "f", "ok")) == [
        {"role": "tool", "tool_call_id": "1", "content": "ok"},
        {"role": "user", "content": "and?"},
    ]
    assert "tool's turn" in refused(Role.TOOL)


def test_earlier_reasoning_goes_back_only_where_it_is_wanted() -> None:
    parts = (
        Thinking("why", signature="s", format="anthropic-claude-v1"),
        Thinking("", redacted="r"),
        Thinking("x"),
        Text("a"),
    )
    assert message(Role.ASSISTANT, *parts) == [{"role": "assistant", "content": "a"}]
    assert (
        message(Role.ASSISTANT, *parts, dialect=Dialect(reasoning_field="reasoning_content"))[0]["reasoning_content"]
        == "whyx"
    )
    assert message(Role.ASSISTANT, *parts, dialect=Dialect(reasoning_field="reasoning_details"))[0][
        "reasoning_details"
    ] == [
        {"type": "reasoning.text", "text": "why", "signature": "s", "format": "anthropic-claude-v1", "index": 0},
        {"type": "reasoning.encrypted", "data": "r", "index": 1},
        {"type": "reasoning.text", "text": "x", "index": 2},
    ]


def test_a_thought_signature_goes_back_to_googles_endpoint_alone() -> None:
    call = ToolCall("1", "f", "{}", "sig")
    google = Dialect(reasoning_field="thought_signature")
    plain = {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    assert message(Role.ASSISTANT, call)[0]["tool_calls"] == [plain]
    signed = {**plain, "extra_content": {"google": {"thought_signature": "sig"}}}
    assert message(Role.ASSISTANT, Thinking("x"), call, dialect=google) == [
        {"role": "assistant", "content": None, "tool_calls": [signed]}
    ]
    assert message(Role.ASSISTANT, ToolCall("1", "f", "{}"), dialect=google)[0]["tool_calls"] == [plain]
    text = {"role": "assistant", "content": "so"}
    assert message(Role.ASSISTANT, Text("so", "sig")) == [text]
    of_text = {"google": {"thought_signature": "sig"}}
    assert message(Role.ASSISTANT, Text("so", "sig"), dialect=google) == [{**text, "extra_content": of_text}]


def test_tools_and_their_choice() -> None:
    tools = (Tool("f", "does f", {"type": "object"}, strict=True), Tool("g"))
    said = body(ChatRequest(HELLO, tools=tools))
    assert said["tools"] == [
        {
            "type": "function",
            "function": {"name": "f", "description": "does f", "parameters": {"type": "object"}, "strict": True},
        },
        {"type": "function", "function": {"name": "g", "parameters": {"type": "object", "properties": {}}}},
    ]
    assert "tool_choice" not in said
    assert "parallel_tool_calls" not in said

    def choice(choice: ToolChoice) -> dict[str, Any]:
        return body(ChatRequest(HELLO, tools=tools, tool_choice=choice))

    assert choice(ToolChoice(ToolChoiceMode.NONE))["tool_choice"] == "none"
    assert choice(ToolChoice(ToolChoiceMode.REQUIRED, parallel=False))["parallel_tool_calls"] is False
    assert choice(ToolChoice(ToolChoiceMode.REQUIRED))["tool_choice"] == "required"
    assert choice(ToolChoice(ToolChoiceMode.NAMED, "g"))["tool_choice"] == {
        "type": "function",
        "function": {"name": "g"},
    }
    assert "tool_choice" not in body(ChatRequest(HELLO, tool_choice=ToolChoice(ToolChoiceMode.NONE)))


def test_the_shape_of_the_answer() -> None:
    def shape(output: OutputFormat) -> Any:
        return body(ChatRequest(HELLO, output=output)).get("response_format")

    assert shape(OutputFormat()) is None
    assert shape(OutputFormat(ResponseFormat.JSON)) == {"type": "json_object"}
    assert shape(OutputFormat(ResponseFormat.JSON_SCHEMA, {"type": "object"}, "n", strict=True, description="d")) == {
        "type": "json_schema",
        "json_schema": {"name": "n", "schema": {"type": "object"}, "description": "d", "strict": True},
    }
    assert "strict" not in shape(OutputFormat(ResponseFormat.JSON_SCHEMA, {}))["json_schema"]
