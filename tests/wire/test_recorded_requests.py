"""Real requests, said again: every recorded chat request that our types can express is re-encoded and compared.

The same requests are then said in all four wires and shown to the official SDKs' own request types, where those are
installed (`pip install openai anthropic google-genai`; they are no dependency of ours, so without them that part is skipped).
"""

import base64
import binascii
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest

from llmr.catalog import Capabilities, Dialect, Model, Provider, WireFormat
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
from llmr.errors import ProviderError
from llmr.wire import wire_for

TRAFFIC: Final = Path(__file__).parents[2].parent / "shared" / "wire" / "recorded"
pytestmark = pytest.mark.skipif(not TRAFFIC.is_dir(), reason=f"no recorded traffic at {TRAFFIC}")

REASONING_FIELDS: Final = ("reasoning_details", "reasoning_content", "reasoning")
OUTPUTS: Final = {
    "text": ResponseFormat.TEXT,
    "json_object": ResponseFormat.JSON,
    "json_schema": ResponseFormat.JSON_SCHEMA,
}
MODES: Final = {**{mode.value: mode for mode in ToolChoiceMode}, "any": ToolChoiceMode.REQUIRED}  # any: Mistral
TYPED: Final = {
    "messages", "model", "stream", "stream_options", "max_tokens", "max_completion_tokens", "temperature", "top_p", "stop",
    "seed",
    "random_seed", "reasoning_effort", "logprobs", "top_logprobs", "tools", "tool_choice", "parallel_tool_calls",
    "response_format",
}  # fmt: skip


DEFAULTS: Final = {
    "stream": False,
    "tool_choice": "auto",
    "response_format": {"type": "text"},
    "stop": [],
    "tools": [],
    "logprobs": False,
    "top_logprobs": 0,
}


class CannotSay(Exception):
    """Our types have no place for it."""


def media_of(kind: MediaKind, url: str, **more: Any) -> Media:
    if not url.startswith("data:"):
        return Media(kind, "image/png", url=url, **more)
    head, _, data = url.partition(",")
    try:
        content = base64.b64decode(data, validate=True)
    except binascii.Error as error:
        raise CannotSay("the recording cut the base64 text") from error
    return Media(kind, head.removeprefix("data:").removesuffix(";base64"), content=content, **more)


def part_of(item: dict[str, Any]) -> Part:
    match item:
        case {"type": "text", "text": text, **rest} if not rest:
            return Text(text)
        case {"type": "image_url", "image_url": {"url": url, **rest}} if set(rest) <= {"detail"}:
            return media_of(MediaKind.IMAGE, url, **rest)
        case {"type": "input_audio", "input_audio": {"data": data, "format": sound}}:
            return media_of(MediaKind.AUDIO, f"data:audio/{'mpeg' if sound == 'mp3' else sound};base64,{data}")
        case {"type": "file", "file": {"filename": name, "file_data": url}}:
            return media_of(MediaKind.DOCUMENT, url, name=name)
    raise CannotSay(f"content of type {item.get('type')}")


def parts_of(content: Any) -> Iterator[Part]:
    if isinstance(content, str):
        if content:
            yield Text(content)
    elif isinstance(content, list):
        yield from map(part_of, content)
    elif content is not None:
        raise CannotSay("content that is an object")


def message_of(said: dict[str, Any]) -> Message:
    beyond = said.keys() - {"role", "content", "tool_calls", "tool_call_id", "name", *REASONING_FIELDS}
    if beyond:
        raise CannotSay(f"{beyond} in a message")
    content = said.get("content")
    match said["role"]:
        case "tool":
            if not isinstance(content, str):
                raise CannotSay("a tool result that is a list")
            return Message(Role.TOOL, (ToolResult(said["tool_call_id"], said.get("name", ""), content),))
        case "assistant":
            calls = [
                ToolCall(c["id"], c["function"]["name"], c["function"].get("arguments", ""))
                for c in said.get("tool_calls") or ()
            ]
            return Message(Role.ASSISTANT, (*thoughts_of(said), *parts_of(content), *calls))
        case "system" | "developer":
            return Message(Role.SYSTEM, tuple(parts_of(content)))
        case "user":
            return Message(Role.USER, tuple(parts_of(content)))
    raise CannotSay(f"role {said['role']}")


def thoughts_of(said: dict[str, Any]) -> Iterator[Thinking]:
    details = said.get("reasoning_details")
    if details:
        for item in details:
            yield Thinking(item.get("text", ""), item.get("signature"), item.get("data"), item.get("format"))
    elif said.get("reasoning_content") or said.get("reasoning"):
        yield Thinking(said.get("reasoning_content") or said["reasoning"])


def request_of(body: dict[str, Any]) -> tuple[ChatRequest, Dialect]:
    """The recorded body in our types, and the dialect that its client must have known."""
    body = {field: value for field, value in body.items() if value is not None}
    messages = body["messages"]
    if not all(set(tool) == {"type", "function"} for tool in body.get("tools", ())):
        raise CannotSay("a tool that is no function")
    choice = body.get("tool_choice", "auto")
    named = choice["function"]["name"] if isinstance(choice, dict) else None
    schema = body.get("response_format", {}).get("json_schema", {})
    request = ChatRequest(
        messages=tuple(map(message_of, messages)),
        stream=body.get("stream", False),
        max_output_tokens=body.get("max_tokens", body.get("max_completion_tokens")),
        temperature=body.get("temperature"),
        top_p=body.get("top_p"),
        stop=tuple([body["stop"]] if isinstance(body.get("stop"), str) else body.get("stop") or ()),
        seed=body.get("seed", body.get("random_seed")),
        reasoning_effort=body.get("reasoning_effort"),
        logprobs=body.get("top_logprobs", 0) if body.get("logprobs") else None,
        tools=tuple(
            Tool(f["name"], f.get("description", ""), f.get("parameters", {}), f.get("strict"))
            for f in (tool["function"] for tool in body.get("tools", ()))
        ),
        tool_choice=ToolChoice(
            ToolChoiceMode.NAMED if named else MODES[choice], named, parallel=body.get("parallel_tool_calls")
        ),
        output=OutputFormat(
            OUTPUTS[body.get("response_format", {"type": "text"})["type"]],
            schema.get("schema", {}),
            schema.get("name", "answer"),
            strict=schema.get("strict"),
            description=schema.get("description", ""),
        ),
        extra={name: value for name, value in body.items() if name not in TYPED},
    )
    dialect = Dialect(
        max_tokens_field="max_completion_tokens" if "max_completion_tokens" in body else "max_tokens",
        seed_field="random_seed" if "random_seed" in body else "seed",
        system_role="developer" if any(m["role"] == "developer" for m in messages) else "system",
        usage_in_stream="stream_options" in body,
        reasoning_field=next((field for field in REASONING_FIELDS if any(m.get(field) for m in messages)), ""),
    )
    return request, dialect


def plain(body: dict[str, Any]) -> dict[str, Any]:
    """The body without the liberties that the protocol leaves its clients."""
    said: dict[str, Any] = json.loads(json.dumps({field: value for field, value in body.items() if value is not None}))
    said["messages"] = [
        {field: value for field, value in message.items() if value is not None} for message in said["messages"]
    ]
    for message in said["messages"]:
        content = message.get("content")
        if isinstance(content, list) and len(content) == 1 and content[0].get("type") == "text":
            message["content"] = content[0]["text"]
        if message["role"] == "assistant":
            if not message.get("content"):
                message.pop("content", None)
            for call in message.get("tool_calls") or ():
                call.pop("index", None)
                call["function"]["arguments"] = call["function"].get("arguments") or "{}"
            spoken = next((field for field in REASONING_FIELDS if message.get(field)), None)
            for field in REASONING_FIELDS:
                if field != spoken:
                    message.pop(field, None)
            if not message.get("tool_calls"):
                message.pop("tool_calls", None)
        if message["role"] == "tool":
            message.pop("name", None)
    for tool in said.get("tools", ()):
        function = tool["function"]
        function["parameters"] = function.get("parameters") or {"type": "object", "properties": {}}
        function.setdefault("description", "")
    schema = said.get("response_format", {}).get("json_schema", {})
    if not schema.get("description"):
        schema.pop("description", None)
    if isinstance(said.get("stop"), str):
        said["stop"] = [said["stop"]]
    if said.get("tool_choice") == "any":
        said["tool_choice"] = "required"
    for field, default in DEFAULTS.items():
        if said.get(field) in (default, None):
            said.pop(field, None)
    return said


def recorded() -> Iterator[dict[str, Any]]:
    for path in sorted((TRAFFIC / "openai-chat").glob("*.json")):
        recording = json.loads(path.read_text())
        if isinstance(recording["request"]["body"], dict):
            yield recording


def model_for(body: dict[str, Any], wire_format: WireFormat, dialect: Dialect) -> Model:
    provider = Provider("recorded", wire_format, "https://api.example/v1", dialect=dialect)
    return Model(provider, body["model"], capabilities=Capabilities(max_output_tokens=64_000))


EXPRESSIBLE: list[tuple[str, dict[str, Any], ChatRequest, Dialect]] = []
INEXPRESSIBLE: dict[str, str] = {}
for _recording in recorded() if TRAFFIC.is_dir() else ():
    try:
        EXPRESSIBLE.append(
            (_recording["id"], _recording["request"]["body"], *request_of(_recording["request"]["body"]))
        )
    except CannotSay as _reason:
        INEXPRESSIBLE[_recording["id"]] = str(_reason)


def test_few_requests_are_beyond_our_types() -> None:
    assert len(INEXPRESSIBLE) <= 0.12 * (len(INEXPRESSIBLE) + len(EXPRESSIBLE)), INEXPRESSIBLE


@pytest.mark.parametrize(("name", "body", "request_", "dialect"), EXPRESSIBLE, ids=[item[0] for item in EXPRESSIBLE])
def test_a_recorded_request_is_said_again_as_it_was(
    name: str, body: dict[str, Any], request_: ChatRequest, dialect: Dialect
) -> None:
    wire = wire_for(WireFormat.OPENAI)
    said = json.loads(wire.encode(request_, model_for(body, WireFormat.OPENAI, dialect)).body)
    assert plain(said) == plain(body)


def test_openai_s_document_accepts_what_we_say_where_it_accepts_the_original(accepted_by) -> None:
    accepts = accepted_by("openai.openapi.json", "CreateChatCompletionRequest")
    fit = [item for item in EXPRESSIBLE if accepts(item[1])]
    wire = wire_for(WireFormat.OPENAI)
    refused = []
    for name, body, request, dialect in fit:
        said = json.loads(wire.encode(request, model_for(body, WireFormat.OPENAI, dialect)).body)
        if not accepts(said):
            refused.append(name)
    assert refused == []
    assert len(fit) >= len(EXPRESSIBLE) / 2


def consumed(value: Any) -> None:
    """pydantic checks an Iterable only while it is read: read everything."""
    if isinstance(value, dict):
        for item in value.values():
            consumed(item)
    elif not isinstance(value, (str, bytes)) and hasattr(value, "__iter__"):
        for item in value:
            consumed(item)


def said_in(wire_format: WireFormat) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every expressible request in this wire's words; what it refuses, it refuses before anything is sent."""
    for name, body, request, dialect in EXPRESSIBLE:
        stripped = replace(request, extra={})
        own = dialect if wire_format is WireFormat.OPENAI else Dialect()
        try:
            yield name, json.loads(wire_for(wire_format).encode(stripped, model_for(body, wire_format, own)).body)
        except ProviderError:
            continue


def test_what_we_say_is_what_openais_own_types_allow() -> None:
    pytest.importorskip("openai", reason="the openai SDK is not installed")
    from openai.types.chat.completion_create_params import (
        CompletionCreateParamsNonStreaming,
        CompletionCreateParamsStreaming,
    )
    from pydantic import TypeAdapter

    whole, streamed = TypeAdapter(CompletionCreateParamsNonStreaming), TypeAdapter(CompletionCreateParamsStreaming)
    said = list(said_in(WireFormat.OPENAI))
    for _, body in said:
        consumed((streamed if body.get("stream") else whole).validate_python(body))
    assert len(said) >= 0.95 * len(EXPRESSIBLE)


def test_what_we_say_is_what_the_responses_types_allow() -> None:
    pytest.importorskip("openai", reason="the openai SDK is not installed")
    from openai.types.responses.response_create_params import (
        ResponseCreateParamsNonStreaming,
        ResponseCreateParamsStreaming,
    )
    from pydantic import TypeAdapter

    whole, streamed = TypeAdapter(ResponseCreateParamsNonStreaming), TypeAdapter(ResponseCreateParamsStreaming)
    said = list(said_in(WireFormat.RESPONSES))
    for _, body in said:
        consumed((streamed if body.get("stream") else whole).validate_python(body))
    assert len(said) >= 0.8 * len(EXPRESSIBLE)


def test_what_we_say_is_what_anthropics_own_types_allow() -> None:
    pytest.importorskip("anthropic", reason="the anthropic SDK is not installed")
    from anthropic.types.message_create_params import MessageCreateParamsNonStreaming, MessageCreateParamsStreaming
    from pydantic import TypeAdapter

    whole, streamed = TypeAdapter(MessageCreateParamsNonStreaming), TypeAdapter(MessageCreateParamsStreaming)
    said = list(said_in(WireFormat.ANTHROPIC))
    for _, body in said:
        consumed((streamed if body.get("stream") else whole).validate_python(body))
    assert len(said) >= 0.8 * len(EXPRESSIBLE)


def test_what_we_say_is_what_googles_own_types_allow() -> None:
    pytest.importorskip("google.genai", reason="the google-genai SDK is not installed")
    from google.genai import types

    said = list(said_in(WireFormat.GEMINI))
    for _, body in said:
        for content in body["contents"]:
            types.Content.model_validate(content)
        for tool in body.get("tools", ()):
            types.Tool.model_validate(tool)
        types.GenerationConfig.model_validate(body.get("generationConfig", {}))
        if "toolConfig" in body:
            types.ToolConfig.model_validate(body["toolConfig"])
        if "systemInstruction" in body:
            types.Content.model_validate(body["systemInstruction"])
        assert body.keys() <= {"contents", "tools", "generationConfig", "toolConfig", "systemInstruction"}
    assert len(said) >= 0.9 * len(EXPRESSIBLE)
