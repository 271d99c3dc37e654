"""Anthropic messages as clients ask for them → ChatRequest: what `wire/anthropic.py` says, read, for any provider.

Thinking is asked for in tokens or in words; either becomes an effort, which every wire knows how to say. One cache mark for
the whole request means its last block that can bear one, and becomes that block's; where there is none, it is told as unsaid.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

from llmr.chat import (
    CacheMark,
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
from llmr.wire import json_text
from llmr.wire.anthropic_answer import FORMAT
from llmr.wire.json_text import list_of, object_of, objects_in, text_of
from llmr.wire.parts import THINKING_BUDGET_TOKENS
from llmr.wire.serving import Asked, RequestUnfit
from llmr.wire.serving.marks import mark_of
from llmr.wire.serving.media import content_of, media_at

_CHOICES: Final = {
    "auto": ToolChoiceMode.AUTO,
    "none": ToolChoiceMode.NONE,
    "any": ToolChoiceMode.REQUIRED,
    "tool": ToolChoiceMode.NAMED,
}
_EFFORTS: Final = ("low", "medium", "high", "xhigh")  # weakest first, with the budgets of parts.py
_OWN_MACHINES: Final = ("context_management", "service_tier")
_EXTRA: Final = ("top_k",)  # what goes on to providers as it came


def asked(body: Mapping[str, Any]) -> Asked:
    """The request. Raises RequestUnfit."""
    said = {name: value for name, value in body.items() if value is not None}
    system = tuple(_blocks(said.get("system"), "system", {}))
    turns = tuple(_turns(list_of(said.get("messages"))))
    whole = mark_of(said)
    marked = None if whole is None else _marked_at_the_end(turns, whole)
    choice = object_of(said.get("tool_choice"))
    parallel = choice.get("disable_parallel_tool_use")
    request = ChatRequest(
        messages=((Message(Role.SYSTEM, system),) if system else ()) + (marked or turns),
        model=text_of(said.get("model")),
        stream=said.get("stream") is True,
        max_output_tokens=said.get("max_tokens"),
        temperature=said.get("temperature"),
        top_p=said.get("top_p"),
        stop=tuple(list_of(said.get("stop_sequences"))),
        reasoning_effort=_effort(said),
        tools=tuple(_tool(tool) for tool in objects_in(said.get("tools"))),
        tool_choice=ToolChoice(
            _CHOICES[text_of(choice.get("type")) or "auto"],
            choice.get("name"),
            None if parallel is None else not parallel,
        ),
        output=_output(said),
        extra={name: said[name] for name in _EXTRA if name in said},
        metadata={name: text_of(value) for name, value in object_of(said.get("metadata")).items()},
    )
    lost = () if whole is None or marked is not None else ("cache_control",)
    return Asked(request, unsaid=(*_unsaid(said), *lost))


def _unsaid(said: Mapping[str, Any]) -> Iterator[str]:
    """What was said and stays here: it concerns Anthropic's own machines."""
    yield from (name for name in _OWN_MACHINES if name in said)


def _effort(said: Mapping[str, Any]) -> str | None:
    """The effort asked for, else the smallest whose budget covers the one asked for; None: no thinking."""
    thinking = object_of(said.get("thinking"))
    if thinking.get("type") in (None, "disabled"):
        return None
    effort = object_of(said.get("output_config")).get("effort")
    if isinstance(effort, str):
        return effort
    budget = json_text.count_of(thinking, "budget_tokens")
    if budget is None:
        return "medium"  # `adaptive`, and no word on how hard
    return next((word for word in _EFFORTS if budget <= THINKING_BUDGET_TOKENS[word]), _EFFORTS[-1])


def _output(said: Mapping[str, Any]) -> OutputFormat:
    shape = object_of(object_of(said.get("output_config")).get("format")) or object_of(said.get("output_format"))
    schema = object_of(shape.get("schema"))
    return OutputFormat(ResponseFormat.JSON_SCHEMA, schema) if schema else OutputFormat()


def _tool(tool: dict[str, Any]) -> Tool:
    return Tool(
        text_of(tool.get("name")),
        text_of(tool.get("description")),
        object_of(tool.get("input_schema")),
        tool.get("strict"),
        mark_of(tool),
    )


def _marked_at_the_end(turns: tuple[Message, ...], mark: CacheMark) -> tuple[Message, ...] | None:
    """The turns with a mark on the last part that can bear one, unless that has its own; None: none of them can. Nothing is
    marked in thinking, nor in a text that is blank and so is not sent."""
    for number, turn in reversed(tuple(enumerate(turns))):
        for place, part in reversed(tuple(enumerate(turn.parts))):
            if isinstance(part, Thinking) or (isinstance(part, Text) and not part.text.strip()):
                continue
            bearing = replace(part, mark=part.mark or mark)
            parts = (*turn.parts[:place], bearing, *turn.parts[place + 1 :])
            return (*turns[:number], Message(turn.role, parts), *turns[number + 1 :])
    return None


def _turns(said: list[Any]) -> Iterator[Message]:
    """The turns; a user's tool results become a tool's turn, which stands before the rest of what he says."""
    names: dict[str, str] = {}
    for number, item in enumerate(said):
        turn = object_of(item)
        role = Role(text_of(turn.get("role")))
        parts = tuple(_blocks(turn.get("content"), f"messages.{number}.content", names))
        results = tuple(part for part in parts if isinstance(part, ToolResult))
        rest = tuple(part for part in parts if not isinstance(part, ToolResult))
        if results:
            yield Message(Role.TOOL, results)
        if rest or not results:
            yield Message(role, rest)


def _blocks(content: Any, place: str, names: dict[str, str]) -> Iterator[Part]:
    """Parts of a text or a list of blocks; `names` of called tools by the call's id, which a result does not repeat."""
    if isinstance(content, str):
        if content:
            yield Text(content)
        return
    for number, item in enumerate(list_of(content)):
        block = object_of(item)
        here = f"{place}.{number}"
        match block.get("type"):
            case "tool_use":
                arguments = json_text.dump(object_of(block.get("input")))
                call = ToolCall(text_of(block.get("id")), text_of(block.get("name")), arguments, mark=mark_of(block))
                names[call.id] = call.name
                yield call
            case "tool_result":
                yield _result(block, here, names)
            case "image" | "document":
                yield replace(_media(block, here), mark=mark_of(block))
            case "thinking":
                yield Thinking(text_of(block.get("thinking")), block.get("signature") or None, format=FORMAT)
            case "redacted_thinking":
                yield Thinking("", redacted=text_of(block.get("data")), format=FORMAT)
            case _:
                yield Text(text_of(block.get("text")), mark=mark_of(block))


def _result(block: dict[str, Any], place: str, names: dict[str, str]) -> ToolResult:
    """A tool's result: its text, and what it holds besides. A mark inside it is its own: there is one end to it."""
    call_id = text_of(block.get("tool_use_id"))
    inside = tuple(_blocks(block.get("content"), f"{place}.content", names))
    marks = (part.mark for part in inside if isinstance(part, Text | Media) and part.mark is not None)
    return ToolResult(
        call_id,
        names.get(call_id, ""),
        "".join(part.text for part in inside if isinstance(part, Text)),
        is_error=block.get("is_error") is True,
        media=tuple(replace(part, mark=None) for part in inside if isinstance(part, Media)),
        mark=mark_of(block) or next(marks, None),
    )


def _media(block: dict[str, Any], place: str) -> Media:
    kind = MediaKind(text_of(block.get("type")))
    source = object_of(block.get("source"))
    name = block.get("title")
    match source.get("type"):
        case "url":
            return media_at(kind, text_of(source.get("url")), f"{place}.source.url", name=name)
        case "base64":
            content = content_of(text_of(source.get("data")), f"{place}.source.data")
            return Media(kind, text_of(source.get("media_type")), content=content, name=name)
        case "text":
            return Media(kind, "text/plain", content=text_of(source.get("data")).encode("utf-8", "replace"), name=name)
        case _:
            raise RequestUnfit("is no source that every provider could read", param=f"{place}.source.type")
