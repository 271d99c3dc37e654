"""OpenAI's Responses API: requests, for the models that chat completions do not serve.

It fits as one more wire: a provider table with `wire = "responses"` asks for it. What differs from chat completions: calls,
results and reasoning are items beside the messages, not parts of them; nothing is stored with OpenAI (`store: false`), so
reasoning travels with us, encrypted, and goes back with the id it came with. No words exist for a seed and for stop
sequences.
"""

import re
from collections.abc import Iterator, Mapping
from itertools import groupby
from typing import Any, Final

from llmr.catalog import Model
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
from llmr.wire import errors, json_text
from llmr.wire.contract import Decoder, HttpRequest
from llmr.wire.decoding import AnswerDecoder
from llmr.wire.parts import (
    credential_for,
    headers_for,
    marks_left_out,
    refuse,
    refuse_a_call_of_nothing,
    result_text,
    url_for,
    url_of,
)
from llmr.wire.responses_answer import FORMAT, ResponseReader

_REASONS: Final = (
    r"(?:.*/)?(?:o\d|gpt-(?:[5-9]|\d\d)(?!.*-chat))"  # the others answer 400 to reasoning.encrypted_content
)
_OURS: Final = frozenset({"model", "input", "stream", "messages"})


class ResponsesWire:
    """The Responses API."""

    def encode(self, request: ChatRequest, model: Model) -> HttpRequest:
        """POST {base_url}/responses. Raises ProviderError(UNSUPPORTED) for what it cannot say."""
        try:
            content = json_text.encode(_body(request, model))
        except ValueError as error:
            refuse(model, f"a value that has no JSON form ({error})")
        return HttpRequest(
            "POST",
            url_for(model, "/responses"),
            headers_for(model, stream=request.stream),
            content,
            credential_for(model, "authorization", "Bearer "),
            marks_left_out(request),
        )

    def decoder(self, model: Model, *, streamed: bool) -> Decoder:  # noqa: ARG002 - `Wire` says so
        """A decoder for one answer."""
        return AnswerDecoder(ResponseReader(), streamed=streamed)

    def classify(self, status: int, headers: Mapping[str, str], body: bytes, *, now: float) -> ProviderError:
        """The error that an answer with this status means."""
        return errors.classify(status, headers, body, now=now)


def _body(request: ChatRequest, model: Model) -> dict[str, Any]:
    for asked, what in ((request.seed, "a seed"), (request.stop or None, "stop sequences")):
        if asked is not None:
            refuse(model, what)
    refuse_a_call_of_nothing(request, model)
    body: dict[str, Any] = {
        "model": model.id,
        "input": [item for message in request.messages for item in _items(message, model)],
        "store": False,
    }
    include: list[str] = []
    plain = {
        "max_output_tokens": request.max_output_tokens,
        "temperature": request.temperature,
        "top_p": request.top_p,
        "stream": request.stream or None,
    }
    body |= {field: value for field, value in plain.items() if value is not None}
    if request.reasoning_effort is not None:
        body["reasoning"] = {"effort": request.reasoning_effort}
    if re.match(_REASONS, model.id):
        include.append("reasoning.encrypted_content")
    if request.logprobs is not None:
        body["top_logprobs"] = request.logprobs
        include.append("message.output_text.logprobs")
    if include:
        body["include"] = include
    if request.tools:
        body["tools"] = [_tool(tool) for tool in request.tools]
        body |= _tool_choice(request.tool_choice)
    body |= _text_format(request.output)
    return body | {field: value for field, value in request.extra.items() if field not in _OURS}


def _items(message: Message, model: Model) -> Iterator[dict[str, Any]]:
    """One turn as items, in its own order: runs of text and attachments are a message, runs of thinking are reasoning."""
    for kind, run in groupby(message.parts, key=_kind):
        parts = list(run)
        if kind is ToolResult and message.role in (Role.TOOL, Role.USER):
            yield from (_result(part, model) for part in parts if isinstance(part, ToolResult))
        elif kind is Text and message.role is not Role.TOOL:
            yield _message(message, parts, model)
        elif kind is Thinking and message.role is Role.ASSISTANT:
            yield from _reasoning([part for part in parts if isinstance(part, Thinking)])
        elif kind is ToolCall and message.role is Role.ASSISTANT:
            yield from (_call(part) for part in parts if isinstance(part, ToolCall))
        else:
            refuse(model, f"{kind.__name__} in a turn of the {message.role}")


def _kind(part: Part) -> type[Part]:
    return Text if isinstance(part, Media) else type(part)


def _message(message: Message, parts: list[Part], model: Model) -> dict[str, Any]:
    """Plain text is a string: every server takes it, and OpenAI's own document takes a list of one for two things at once.

    An assistant's earlier words always are: their list form asks for ids that only OpenAI's own store has.
    """
    if message.role is not Role.USER and any(isinstance(part, Media) for part in parts):
        refuse(model, f"Media in a turn of the {message.role}")
    if message.role is Role.ASSISTANT:
        spoken = "".join(part.text for part in parts if isinstance(part, Text))
        return {"type": "message", "role": "assistant", "content": spoken}
    content = [
        _media(part, model) if isinstance(part, Media) else {"type": "input_text", "text": part.text}
        for part in parts
        if isinstance(part, Media | Text)
    ]
    role = model.provider.dialect.system_role if message.role is Role.SYSTEM else message.role.value
    alone = len(parts) == 1 and isinstance(parts[0], Text)
    return {"type": "message", "role": role, "content": content[0]["text"] if alone else content}


def _call(call: ToolCall) -> dict[str, Any]:
    return {"type": "function_call", "call_id": call.id, "name": call.name, "arguments": call.arguments or "{}"}


def _result(result: ToolResult, model: Model) -> dict[str, Any]:
    """Text is a string; a list where the tool showed something beside it."""
    said: str | list[dict[str, Any]] = result_text(result)
    if result.media:
        text = [{"type": "input_text", "text": said}] if said else []
        said = [*text, *(_media(media, model) for media in result.media)]
    return {"type": "function_call_output", "call_id": result.call_id, "output": said}


def _reasoning(thoughts: list[Thinking]) -> Iterator[dict[str, Any]]:
    """Reasoning items: the summary with the item's id, then its encrypted content, are two of our blocks.

    Without the encrypted content there is nothing to send back: nothing is stored under the id. Some come without an id.
    """
    opened: Thinking | None = None
    for thought in thoughts:
        if thought.format != FORMAT:
            continue
        if thought.redacted is None:
            opened = thought
            continue
        said: dict[str, Any] = {"type": "reasoning", "summary": [], "encrypted_content": thought.redacted}
        if opened is not None and opened.text:
            said["summary"] = [{"type": "summary_text", "text": opened.text}]
        item_id = thought.signature or (opened.signature if opened is not None else None)
        if item_id:
            said["id"] = item_id
        yield said
        opened = None


def _media(media: Media, model: Model) -> dict[str, Any]:  # noqa: RET503 - `refuse` never returns
    match media.kind:
        case MediaKind.IMAGE:
            return {"type": "input_image", "image_url": url_of(media), "detail": media.detail or "auto"}
        case MediaKind.DOCUMENT if media.content is None:
            return {"type": "input_file", "file_url": media.url}
        case MediaKind.DOCUMENT:
            return {"type": "input_file", "filename": media.name or "document", "file_data": url_of(media)}
        case MediaKind.AUDIO:  # pragma: no branch - the set is closed
            refuse(model, "sound")


def _tool(tool: Tool) -> dict[str, Any]:
    said: dict[str, Any] = {"type": "function", "name": tool.name}
    if tool.description:
        said["description"] = tool.description
    said["parameters"] = dict(tool.parameters) or {"type": "object", "properties": {}}
    return {**said, "strict": bool(tool.strict)}  # here strict is the default, in chat completions it is not


def _tool_choice(choice: ToolChoice) -> dict[str, Any]:
    said: dict[str, Any] = {}
    match choice.mode:
        case ToolChoiceMode.AUTO:
            pass
        case ToolChoiceMode.NONE | ToolChoiceMode.REQUIRED:
            said["tool_choice"] = choice.mode.value
        case ToolChoiceMode.NAMED:  # pragma: no branch - the set is closed
            said["tool_choice"] = {"type": "function", "name": choice.name}
    if choice.parallel is not None:
        said["parallel_tool_calls"] = choice.parallel
    return said


def _text_format(output: OutputFormat) -> dict[str, Any]:
    match output.format:
        case ResponseFormat.TEXT:
            return {}
        case ResponseFormat.JSON:
            return {"text": {"format": {"type": "json_object"}}}
        case ResponseFormat.JSON_SCHEMA:  # pragma: no branch - the set is closed
            schema: dict[str, Any] = {"type": "json_schema", "name": output.name, "schema": dict(output.schema)}
            if output.description:
                schema["description"] = output.description
            if output.strict is not None:
                schema["strict"] = output.strict
            return {"text": {"format": schema}}
