"""Chat completions as clients ask for them → ChatRequest: what `wire/openai.py` says, read.

Fields with a meaning of their own become fields of the request; the rest goes on to providers as it came (`extra`), where
each wire decides what it can say. `metadata` steers the rules and stays here, unless the client wants the completion stored:
most providers reject the field. Nulls are what a client's SDK writes for "not said", and are.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

from llmr.chat import (
    ChatRequest,
    Media,
    MediaKind,
    Message,
    OutputFormat,
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
from llmr.wire.json_text import list_of, object_of, objects_in, text_of
from llmr.wire.parts import SOUND_FORMATS
from llmr.wire.serving import Asked, RequestUnfit
from llmr.wire.serving.marks import mark_of
from llmr.wire.serving.media import content_of, media_at

_ROLES: Final = {
    "system": Role.SYSTEM,
    "developer": Role.SYSTEM,
    "user": Role.USER,
    "assistant": Role.ASSISTANT,
    "tool": Role.TOOL,
}
_OUTPUTS: Final = {
    "text": ResponseFormat.TEXT,
    "json_object": ResponseFormat.JSON,
    "json_schema": ResponseFormat.JSON_SCHEMA,
}
_MEDIA_TYPE_OF_SOUND: Final = {"wav": "audio/wav", "mp3": "audio/mpeg"} | {
    short: media_type for media_type, short in SOUND_FORMATS.items() if short not in ("wav", "mp3")
}
_READ: Final = frozenset({
    "model", "messages", "stream", "stream_options", "max_tokens", "max_completion_tokens", "temperature", "top_p", "stop",
    "seed", "reasoning_effort", "logprobs", "top_logprobs", "tools", "tool_choice", "parallel_tool_calls", "response_format",
    "metadata", "n",
})  # fmt: skip


def asked(body: Mapping[str, Any]) -> Asked:
    """The request. Raises RequestUnfit."""
    said = {name: value for name, value in body.items() if value is not None}
    metadata = {name: text_of(value) for name, value in object_of(said.get("metadata")).items()}
    extra = {name: value for name, value in said.items() if name not in _READ}
    if metadata and said.get("store"):
        extra["metadata"] = metadata
    stop = said.get("stop", ())
    request = ChatRequest(
        messages=tuple(_messages(list_of(said.get("messages")))),
        model=text_of(said.get("model")),
        stream=said.get("stream") is True,
        max_output_tokens=said.get("max_completion_tokens", said.get("max_tokens")),
        temperature=said.get("temperature"),
        top_p=said.get("top_p"),
        stop=(stop,) if isinstance(stop, str) else tuple(stop),
        seed=said.get("seed"),
        reasoning_effort=said.get("reasoning_effort"),
        logprobs=said.get("top_logprobs", 0) if said.get("logprobs") else None,
        tools=tuple(map(_tool, objects_in(said.get("tools")))),
        tool_choice=_tool_choice(said.get("tool_choice"), said.get("parallel_tool_calls")),
        output=_output(object_of(said.get("response_format"))),
        extra=extra,
        metadata=metadata,
    )
    return Asked(request, usage_in_stream=object_of(said.get("stream_options")).get("include_usage") is True)


def _messages(said: list[Any]) -> Iterator[Message]:
    names: dict[str, str] = {}  # of called tools, by the call's id: a result says the id alone
    for number, item in enumerate(said):
        message = object_of(item)
        place = f"messages.{number}"
        role = _ROLES[text_of(message.get("role"))]
        match role:
            case Role.TOOL:
                call_id = text_of(message.get("tool_call_id"))
                texts = tuple(_texts(message.get("content"), f"{place}.content"))
                mark = next((part.mark for part in texts if part.mark is not None), mark_of(message))
                content = "".join(part.text for part in texts)
                yield Message(role, (ToolResult(call_id, names.get(call_id, ""), content, mark=mark),))
            case Role.ASSISTANT:
                calls = tuple(_call(call) for call in objects_in(message.get("tool_calls")))
                names |= {call.id: call.name for call in calls}
                yield Message(role, (*_thoughts(message), *_answer_text(message, f"{place}.content"), *calls))
            case Role.SYSTEM | Role.USER:  # pragma: no branch - the set is closed
                yield Message(role, tuple(_parts(message.get("content"), f"{place}.content")))


def _parts(content: Any, place: str) -> Iterator[Text | Media]:
    if isinstance(content, str):
        if content:
            yield Text(content)
        return
    for number, item in enumerate(list_of(content)):
        part = object_of(item)
        yield replace(_part(part, f"{place}.{number}"), mark=mark_of(part))


def _part(part: dict[str, Any], place: str) -> Text | Media:
    match part.get("type"):
        case "image_url":
            image = object_of(part.get("image_url"))
            return media_at(
                MediaKind.IMAGE, text_of(image.get("url")), f"{place}.image_url.url", detail=image.get("detail")
            )
        case "input_audio":
            sound = object_of(part.get("input_audio"))
            media_type = _MEDIA_TYPE_OF_SOUND[text_of(sound.get("format"))]
            return Media(
                MediaKind.AUDIO, media_type, content=content_of(text_of(sound.get("data")), f"{place}.input_audio.data")
            )
        case "file":
            file = object_of(part.get("file"))
            data = text_of(file.get("file_data"))
            return media_at(MediaKind.DOCUMENT, data, f"{place}.file.file_data", name=file.get("filename"))
        case "refusal":
            return Text(text_of(part.get("refusal")))
        case _:
            return Text(text_of(part.get("text")))


def _texts(content: Any, place: str) -> Iterator[Text]:
    for part in _parts(content, place):
        if not isinstance(part, Text):
            raise RequestUnfit("may hold text only", param=place)
        yield part


def _answer_text(message: dict[str, Any], place: str) -> Iterator[Text]:
    """What the assistant said; a signature of Google's belongs to its last text."""
    said = [*_texts(message.get("content"), place), *([Text(refused)] if (refused := message.get("refusal")) else [])]
    signature = _signature(message)
    if signature is not None:
        last = said.pop() if said else Text("")
        said.append(Text(last.text, signature))
    yield from said


def _thoughts(message: dict[str, Any]) -> Iterator[Thinking]:
    """Earlier reasoning, in the forms in which answers carry it (openai_answer.py)."""
    details = objects_in(message.get("reasoning_details"))
    for detail in details:
        origin = detail.get("format") if detail.get("format") != "unknown" else None
        if detail.get("data") is not None:
            yield Thinking("", redacted=text_of(detail.get("data")), format=origin)
        else:
            text = text_of(detail.get("text")) or text_of(detail.get("summary"))
            yield Thinking(text, detail.get("signature"), format=origin)
    plain = text_of(message.get("reasoning_content")) or text_of(message.get("reasoning"))
    if plain and not details:
        yield Thinking(plain)


def _call(call: dict[str, Any]) -> ToolCall:
    function = object_of(call.get("function"))
    return ToolCall(
        text_of(call.get("id")), text_of(function.get("name")), text_of(function.get("arguments")), _signature(call)
    )


def _signature(said: dict[str, Any]) -> str | None:
    google = object_of(object_of(said.get("extra_content")).get("google"))
    return text_of(google.get("thought_signature")) or None


def _tool(tool: dict[str, Any]) -> Tool:
    function = object_of(tool.get("function"))
    return Tool(
        text_of(function.get("name")),
        text_of(function.get("description")),
        object_of(function.get("parameters")),
        function.get("strict"),
        mark_of(tool),
    )


def _tool_choice(choice: Any, parallel: bool | None) -> ToolChoice:
    if isinstance(choice, str):
        return ToolChoice(ToolChoiceMode(choice), parallel=parallel)
    name = text_of(object_of(object_of(choice).get("function")).get("name"))
    return ToolChoice(ToolChoiceMode.NAMED, name, parallel) if name else ToolChoice(parallel=parallel)


def _output(said: dict[str, Any]) -> OutputFormat:
    shape = object_of(said.get("json_schema"))
    return OutputFormat(
        _OUTPUTS[text_of(said.get("type")) or "text"],
        object_of(shape.get("schema")),
        text_of(shape.get("name")) or "answer",
        shape.get("strict"),
        text_of(shape.get("description")),
    )
