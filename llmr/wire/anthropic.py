"""Anthropic messages: requests.

What differs from chat completions: the system prompt stands beside the turns; turns of one speaker in a row are one turn;
tool results are a user's turn and stand first in it; arguments are objects; `max_tokens` must be said; thinking is sent
back with its signature or not at all. No words exist for a seed, for logprobs, for sound, and for JSON without a schema.

`anthropic-version` is pinned: every recording speaks 2023-06-01, and 2026-10-21 rejects temperature, top_p and top_k
(wire.md §A.2). `[providers.x] headers` may say another one.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

from llmr.catalog import Model
from llmr.chat import (
    CacheMark,
    ChatRequest,
    Media,
    MediaKind,
    Message,
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
from llmr.wire.anthropic_answer import FORMAT, MessageReader
from llmr.wire.contract import Decoder, HttpRequest
from llmr.wire.decoding import AnswerDecoder
from llmr.wire.parts import (
    THINKING_BUDGET_TOKENS,
    arguments_of,
    base64_of,
    credential_for,
    extra_beyond,
    headers_for,
    left_out,
    refuse,
    refuse_a_call_of_nothing,
    schema_of,
    url_for,
)

VERSION: Final = "2023-06-01"
_MAX_TOKENS_UNKNOWN: Final = 4096  # the smallest maximum of any model still served (Claude 3)
_MAX_TOKENS_UNASKED: Final = 32_000  # of models that could write more; what takes longer than 10 minutes is cut anyway
_MIN_BUDGET_TOKENS: Final = 1024  # API reference, ThinkingConfigEnabled: ≥ 1024 and less than max_tokens
# Up to 4.5 a budget is the only way to think; 4.7 and later answer 400 to one and take an effort instead
# (platform.claude.com/docs/en/build-with-claude/extended-thinking, "Supported models").
_THINKS_IN_BUDGET: Final = r"claude-(?:[23]|instant|\w+-4(?:[-.][0-5])?(?:-\d{8}|@|$|:|-v\d|-latest))"
_CLAUDE: Final = "claude"  # others that speak this wire (DeepSeek, GLM, MiniMax) know the budget only
_EFFORTS: Final[Mapping[str, str]] = {"minimal": "low"}  # the others have the same names
_EXTRA: Final = frozenset({
    "cache_control", "container", "context_management", "inference_geo", "mcp_servers", "output_config", "thinking", "top_k",
})  # fmt: skip
_TIERS: Final = ("auto", "standard_only")  # API reference, service_tier
_CALL_ID_CHARACTERS: Final = r"[^A-Za-z0-9_-]"  # anything else is answered with 400


class AnthropicWire:
    """The messages API."""

    def encode(self, request: ChatRequest, model: Model) -> HttpRequest:
        """POST {base_url}/messages. Raises ProviderError(UNSUPPORTED) for what messages cannot say."""
        try:
            content = json_text.encode(_body(request, model))
        except ValueError as error:
            refuse(model, f"a value that has no JSON form ({error})")
        return HttpRequest(
            "POST",
            url_for(model, "/messages"),
            headers_for(model, stream=request.stream, more={"anthropic-version": VERSION}),
            content,
            credential_for(model, "x-api-key", ""),
            left_out(request, _extra_known(request.extra)),
        )

    def decoder(self, model: Model, *, streamed: bool) -> Decoder:  # noqa: ARG002 - `Wire` says so; Claude has no dialects
        """A decoder for one answer."""
        return AnswerDecoder(MessageReader(), streamed=streamed)

    def classify(self, status: int, headers: Mapping[str, str], body: bytes, *, now: float) -> ProviderError:
        """The error that an answer with this status means."""
        return errors.classify(status, headers, body, now=now)


def _body(request: ChatRequest, model: Model) -> dict[str, Any]:
    for asked, what in ((request.seed, "a seed"), (request.logprobs, "logprobs")):
        if asked is not None:
            refuse(model, what)
    if request.output.format is ResponseFormat.JSON:
        refuse(model, "JSON without a schema")
    refuse_a_call_of_nothing(request, model)
    system, turns = _turns(request, model)
    body: dict[str, Any] = {"model": model.id, "max_tokens": _max_tokens(request, model), "messages": turns}
    if system:
        body["system"] = system
    plain = {
        "temperature": request.temperature,
        "top_p": request.top_p,
        "stop_sequences": list(request.stop) or None,
        "stream": request.stream or None,
    }
    body |= {field: value for field, value in plain.items() if value is not None}
    if request.tools:
        body["tools"] = [_tool(tool) for tool in request.tools]
        body |= _tool_choice(request.tool_choice)
    body |= _thinking(request, model, body["max_tokens"])
    if request.output.format is ResponseFormat.JSON_SCHEMA:
        schema = {"format": {"type": "json_schema", "schema": schema_of(request.output)}}
        body["output_config"] = {**body.get("output_config", {}), **schema}
    return body | extra_beyond(request.extra, _extra_known(request.extra), model)


def _extra_known(extra: Mapping[str, Any]) -> frozenset[str]:
    """Two fields have a namesake at OpenAI; which of the two is meant shows in the value."""
    own = {
        "service_tier": extra.get("service_tier") in _TIERS,
        "metadata": isinstance(extra.get("metadata"), Mapping) and extra["metadata"].keys() == {"user_id"},
    }
    return _EXTRA | {name for name, is_own in own.items() if is_own}


def _max_tokens(request: ChatRequest, model: Model) -> int:
    """What was asked, else what the model can, within reason; plus room to think in."""
    if request.max_output_tokens is not None:
        return request.max_output_tokens
    most = model.capabilities.max_output_tokens
    if most is not None:
        return min(most, _MAX_TOKENS_UNASKED)
    return _MAX_TOKENS_UNKNOWN + (_budget(request.reasoning_effort, model) if _thinks_in_budget(model) else 0)


def _thinks_in_budget(model: Model) -> bool:
    return _CLAUDE not in model.id or re.search(_THINKS_IN_BUDGET, model.id) is not None


def _budget(effort: str | None, model: Model) -> int:
    if effort is None or effort == "none":
        return 0
    if effort not in THINKING_BUDGET_TOKENS:
        refuse(model, f"reasoning effort {effort!r}")
    return THINKING_BUDGET_TOKENS[effort]


def _thinking(request: ChatRequest, model: Model, max_tokens: int) -> dict[str, Any]:
    budget = _budget(request.reasoning_effort, model)
    if request.reasoning_effort is None:
        return {}
    if not budget:
        return {"thinking": {"type": "disabled"}}
    if not _thinks_in_budget(model):
        effort = _EFFORTS.get(request.reasoning_effort, request.reasoning_effort)
        return {"thinking": {"type": "adaptive"}, "output_config": {"effort": effort}}
    budget = min(budget, max_tokens // 2)  # the budget is part of max_tokens: leave half for the answer
    if budget < _MIN_BUDGET_TOKENS:
        refuse(model, f"reasoning within {max_tokens} output tokens (at least {2 * _MIN_BUDGET_TOKENS})")
    return {"thinking": {"type": "enabled", "budget_tokens": budget}}


def _turns(request: ChatRequest, model: Model) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The system prompt, and the turns: one speaker's messages in a row are one turn, tool results stand first in it."""
    system: list[dict[str, Any]] = []
    turns: list[tuple[str, list[dict[str, Any]]]] = []
    for message in request.messages:
        blocks = [block for part in message.parts for block in _blocks(part, message, model)]
        if message.role is Role.SYSTEM:
            system += blocks
            continue
        role = "assistant" if message.role is Role.ASSISTANT else "user"
        if not blocks:
            continue
        if turns and turns[-1][0] == role:
            turns[-1][1].extend(blocks)
        else:
            turns.append((role, blocks))
    return system, [{"role": role, "content": _results_first(blocks)} for role, blocks in turns]


def _results_first(blocks: list[dict[str, Any]]) -> str | list[dict[str, Any]]:
    if len(blocks) == 1 and blocks[0].keys() == {"type", "text"}:
        return str(blocks[0]["text"])
    return sorted(blocks, key=lambda block: block["type"] != "tool_result")


def _blocks(part: Part, message: Message, model: Model) -> list[dict[str, Any]]:  # noqa: RET503 - `refuse` never returns
    """The part as blocks; none for a text of nothing (the API rejects it) and for thinking that is not Claude's own."""
    match part:
        case Text(text):
            return [_marked({"type": "text", "text": text}, part.mark)] if text.strip() else []
        case Media() if message.role is Role.USER:
            return [_marked(_media(part, model), part.mark)]
        case ToolCall() if message.role is Role.ASSISTANT:
            call = {"type": "tool_use", "id": _id(part.id), "name": part.name, "input": arguments_of(part)}
            return [_marked(call, part.mark)]
        case ToolResult() if message.role in (Role.TOOL, Role.USER):
            return [_marked(_result(part, model), part.mark)]
        case Thinking() if message.role is Role.ASSISTANT:
            if part.format not in (None, FORMAT):
                return []
            if part.redacted is not None:
                return [{"type": "redacted_thinking", "data": part.redacted}]
            signed = part.signature is not None
            return [{"type": "thinking", "thinking": part.text, "signature": part.signature}] if signed else []
        case Media() | ToolCall() | ToolResult() | Thinking():  # pragma: no branch - the set is closed
            refuse(model, f"{type(part).__name__} in a turn of the {message.role}")


def _result(result: ToolResult, model: Model) -> dict[str, Any]:
    content: str | list[dict[str, Any]] = result.content
    if result.media:
        text = [{"type": "text", "text": content}] if result.content.strip() else []
        content = [*text, *(_media(media, model) for media in result.media)]
    said: dict[str, Any] = {"type": "tool_result", "tool_use_id": _id(result.call_id), "content": content}
    return {**said, "is_error": True} if result.is_error else said


def _marked(block: dict[str, Any], mark: CacheMark | None) -> dict[str, Any]:
    """The block with the mark behind it. At most four are taken; more is the client's own error."""
    if mark is None:
        return block
    ttl = {} if mark.ttl is None else {"ttl": mark.ttl}
    return {**block, "cache_control": {"type": "ephemeral", **ttl}}


def _id(call_id: str) -> str:
    """The same for a call and its result, in the characters that are taken."""
    return re.sub(_CALL_ID_CHARACTERS, "_", call_id)


def _media(media: Media, model: Model) -> dict[str, Any]:
    if media.kind is MediaKind.AUDIO:
        refuse(model, "sound")
    if media.content is None:
        source = {"type": "url", "url": media.url}
    elif media.media_type.startswith("text/"):
        source = {"type": "text", "media_type": "text/plain", "data": media.content.decode("utf-8", "replace")}
    else:
        source = {"type": "base64", "media_type": media.media_type, "data": base64_of(media)}
    block: dict[str, Any] = {"type": media.kind.value, "source": source}
    return {**block, "title": media.name} if media.kind is MediaKind.DOCUMENT and media.name else block


def _tool(tool: Tool) -> dict[str, Any]:
    said: dict[str, Any] = {"name": tool.name}
    if tool.description:
        said["description"] = tool.description
    said["input_schema"] = dict(tool.parameters) or {"type": "object", "properties": {}}
    return _marked(said if tool.strict is None else {**said, "strict": tool.strict}, tool.mark)


def _tool_choice(choice: ToolChoice) -> dict[str, Any]:
    said: dict[str, Any]
    match choice.mode:
        case ToolChoiceMode.AUTO:
            said = {"type": "auto"}
            if choice.parallel is None:
                return {}
        case ToolChoiceMode.NONE:
            return {"tool_choice": {"type": "none"}}
        case ToolChoiceMode.REQUIRED:
            said = {"type": "any"}
        case ToolChoiceMode.NAMED:  # pragma: no branch - the set is closed
            said = {"type": "tool", "name": choice.name}
    if choice.parallel is not None:
        said["disable_parallel_tool_use"] = not choice.parallel
    return {"tool_choice": said}
