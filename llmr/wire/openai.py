"""OpenAI chat completions: the dialect that some thirty providers speak, each a little differently.

Where they differ in what they *take*, the difference is a fact in `catalog.Dialect` (a field's name, a role, a header).
Where they differ in what they *send*, nothing needs to be configured: `openai_answer` accepts every form that was recorded.
So a new compatible endpoint is a TOML table and no code.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from llmr.catalog import Model
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
from llmr.errors import ProviderError
from llmr.wire import errors, json_text
from llmr.wire.contract import Decoder, HttpRequest
from llmr.wire.decoding import AnswerDecoder
from llmr.wire.openai_answer import ChatCompletionReader
from llmr.wire.parts import (
    SOUND_FORMATS,
    base64_of,
    credential_for,
    headers_for,
    marks_left_out,
    refuse,
    refuse_a_call_of_nothing,
    result_text,
    url_for,
    url_of,
)

# These answer `max_tokens` with 400 unsupported_parameter (recorded); the vendor prefix of a router's id does not matter.
_COMPLETION_TOKENS_MODEL: Final = r"(?:.*/)?(?:o\d|gpt-(?:[5-9]|\d\d))"
_OURS: Final = frozenset(
    {"model", "messages", "stream"}
)  # `extra` may set anything but what was asked and how it comes


_SUMMARIZED: Final = (
    "responses-v1"  # origins at OpenRouter whose reasoning is shown as a summary: OpenAI, xAI, their hosts
)


class OpenAIWire:
    """Chat completions."""

    def encode(self, request: ChatRequest, model: Model) -> HttpRequest:
        """POST {base_url}{chat_path}. Raises ProviderError(UNSUPPORTED) for what chat completions cannot say."""
        body = _body(request, model)
        try:
            content = json_text.encode(body)
        except ValueError as error:
            refuse(model, f"a value that has no JSON form ({error})")
        return HttpRequest(
            "POST",
            url_for(model, "/chat/completions"),
            headers_for(model, stream=request.stream),
            content,
            credential_for(model, "authorization", "Bearer "),
            marks_left_out(request),
        )

    def decoder(self, model: Model, *, streamed: bool) -> Decoder:
        """A decoder for one answer of `model`."""
        reader = ChatCompletionReader(reasoning_excluded=model.provider.dialect.reasoning_excluded_from_output)
        return AnswerDecoder(reader, streamed=streamed)

    def classify(self, status: int, headers: Mapping[str, str], body: bytes, *, now: float) -> ProviderError:
        """The error that an answer with this status means."""
        return errors.classify(status, headers, body, now=now)


def _body(request: ChatRequest, model: Model) -> dict[str, Any]:
    refuse_a_call_of_nothing(request, model)
    dialect = model.provider.dialect
    body: dict[str, Any] = {
        "model": model.id,
        "messages": list(_said(request, model)),
    }
    if request.max_output_tokens is not None:
        body[_max_tokens_field(model)] = request.max_output_tokens
    plain = {
        "temperature": request.temperature,
        "top_p": request.top_p,
        dialect.seed_field: request.seed,
        "reasoning_effort": request.reasoning_effort,
        "stop": list(request.stop) or None,
    }
    body |= {field: value for field, value in plain.items() if value is not None}
    if request.logprobs is not None:
        body["logprobs"] = True
        if request.logprobs > 0:
            body["top_logprobs"] = request.logprobs
    if request.tools:
        body["tools"] = [_tool(tool) for tool in request.tools]
        body |= _tool_choice(request.tool_choice)
    body |= _response_format(request.output)
    if request.stream:
        body["stream"] = True
        if dialect.usage_in_stream:
            body["stream_options"] = {"include_usage": True}
    body |= {field: value for field, value in request.extra.items() if field not in _OURS}
    return body


def _max_tokens_field(model: Model) -> str:
    field = model.provider.dialect.max_tokens_field
    return "max_completion_tokens" if field == "max_tokens" and re.match(_COMPLETION_TOKENS_MODEL, model.id) else field


def _said(request: ChatRequest, model: Model) -> Iterator[dict[str, Any]]:
    """All messages. A tool's message holds text only, so what tools showed beside it is the user's next word: behind the
    last of the results, for nothing may stand between those of one turn."""
    shown: list[dict[str, Any]] = []
    for message in request.messages:
        if shown and message.role is not Role.TOOL:
            yield {"role": "user", "content": shown}
            shown = []
        yield from _messages(message, model)
        results = (part for part in message.parts if isinstance(part, ToolResult))
        shown += [_media(media, model) for result in results for media in result.media]
    if shown:
        yield {"role": "user", "content": shown}


def _messages(message: Message, model: Model) -> Iterator[dict[str, Any]]:
    """One turn in chat completions' words: each tool result is a message of its own."""
    rest = [part for part in message.parts if not isinstance(part, ToolResult)]
    for part in message.parts:
        if isinstance(part, ToolResult):
            yield {"role": "tool", "tool_call_id": part.call_id, "content": result_text(part)}
    if not rest and message.parts:
        return
    match message.role:
        case Role.SYSTEM:
            yield {"role": model.provider.dialect.system_role, "content": _content(message, model)}
        case Role.USER:
            yield {"role": "user", "content": _content(message, model)}
        case Role.ASSISTANT:
            yield _assistant(message, model)
        case Role.TOOL:  # pragma: no branch - the set is closed
            refuse(model, "a tool's turn with something other than tool results")


def _content(message: Message, model: Model) -> str | list[dict[str, Any]]:
    """A string for plain text, which every server takes; else a list of parts."""
    parts = [part for part in message.parts if not isinstance(part, ToolResult)]
    if not parts:
        return ""
    if len(parts) == 1 and isinstance(parts[0], Text):
        return parts[0].text
    said: list[dict[str, Any]] = []
    for part in parts:
        match part:
            case Text(text):
                said.append({"type": "text", "text": text})
            case Media():
                said.append(_media(part, model))
            case ToolCall() | Thinking():  # pragma: no branch - the set is closed
                refuse(model, f"{type(part).__name__} in a turn of the {message.role}")
    return said


def _media(media: Media, model: Model) -> dict[str, Any]:
    match media.kind:
        case MediaKind.IMAGE:
            image = {"url": url_of(media)} if media.detail is None else {"url": url_of(media), "detail": media.detail}
            return {"type": "image_url", "image_url": image}
        case MediaKind.AUDIO:
            sound = SOUND_FORMATS.get(media.media_type)
            if media.content is None or sound is None:
                refuse(model, f"sound by URL or of type {media.media_type}")
            return {"type": "input_audio", "input_audio": {"data": base64_of(media), "format": sound}}
        case MediaKind.DOCUMENT:  # pragma: no branch - the set is closed
            if media.content is None:
                refuse(model, "a document by URL")
            return {"type": "file", "file": {"filename": media.name or "document", "file_data": url_of(media)}}


def _assistant(message: Message, model: Model) -> dict[str, Any]:
    text: list[str] = []
    calls: list[dict[str, Any]] = []
    thoughts: list[Thinking] = []
    signature: str | None = None
    for part in message.parts:
        match part:
            case Text():
                text.append(part.text)
                signature = part.signature or signature
            case ToolCall():
                calls.append(_call(part, model))
            case Thinking():
                thoughts.append(part)
            case Media() | ToolResult():  # pragma: no branch - the set is closed
                refuse(model, f"{type(part).__name__} in a turn of the assistant")
    said: dict[str, Any] = {"role": "assistant", "content": "".join(text) if text or not calls else None}
    if calls:
        said["tool_calls"] = calls
    said |= _signed(signature, model)
    return said | _reasoning(thoughts, model.provider.dialect.reasoning_field)


def _call(call: ToolCall, model: Model) -> dict[str, Any]:
    said = {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments or "{}"}}
    return said | _signed(call.signature, model)


def _signed(signature: str | None, model: Model) -> dict[str, Any]:
    """Where Google's OpenAI-compatible endpoint keeps the signature of a text or of a call; nobody else knows the field."""
    if signature is None or model.provider.dialect.reasoning_field != "thought_signature":
        return {}
    return {"extra_content": {"google": {"thought_signature": signature}}}


def _reasoning(thoughts: list[Thinking], field: str) -> dict[str, Any]:
    """Earlier reasoning, for the providers that want it back; the others reject the field, so it stays out."""
    if not thoughts or field in ("", "thought_signature"):
        return {}
    if field != "reasoning_details":
        return {field: "".join(thought.text for thought in thoughts)}
    details: list[dict[str, Any]] = []
    for index, thought in enumerate(thoughts):
        detail: dict[str, Any] = {"type": "reasoning.text", "text": thought.text}
        if thought.redacted is not None:
            detail = {"type": "reasoning.encrypted", "data": thought.redacted}
            detail |= {} if thought.signature is None else {"id": thought.signature}
        elif (thought.format or "").endswith(_SUMMARIZED):
            detail = {"type": "reasoning.summary", "summary": thought.text}
        elif thought.signature is not None:
            detail["signature"] = thought.signature
        if thought.format is not None:
            detail["format"] = thought.format
        details.append({**detail, "index": index})
    return {field: details}


def _tool(tool: Tool) -> dict[str, Any]:
    function: dict[str, Any] = {"name": tool.name}
    if tool.description:
        function["description"] = tool.description
    function["parameters"] = dict(tool.parameters) or {"type": "object", "properties": {}}
    if tool.strict is not None:
        function["strict"] = tool.strict
    return {"type": "function", "function": function}


def _tool_choice(choice: ToolChoice) -> dict[str, Any]:
    """AUTO is what providers do unasked, and some reject the word; it is not said."""
    said: dict[str, Any] = {}
    match choice.mode:
        case ToolChoiceMode.AUTO:
            pass
        case ToolChoiceMode.NONE | ToolChoiceMode.REQUIRED:
            said["tool_choice"] = choice.mode.value
        case ToolChoiceMode.NAMED:  # pragma: no branch - the set is closed
            said["tool_choice"] = {"type": "function", "function": {"name": choice.name}}
    if choice.parallel is not None:
        said["parallel_tool_calls"] = choice.parallel
    return said


def _response_format(output: OutputFormat) -> dict[str, Any]:
    match output.format:
        case ResponseFormat.TEXT:
            return {}
        case ResponseFormat.JSON:
            return {"response_format": {"type": "json_object"}}
        case ResponseFormat.JSON_SCHEMA:  # pragma: no branch - the set is closed
            schema: dict[str, Any] = {"name": output.name, "schema": dict(output.schema)}
            if output.description:
                schema["description"] = output.description
            if output.strict is not None:
                schema["strict"] = output.strict
            return {"response_format": {"type": "json_schema", "json_schema": schema}}
