"""A conversation as Markdown for people and as JSON for programs.

`llmr.conversation/1` is a promise, as chat's JSON is: keys are added, never changed. Markdown repeats what was said as it
is; the caller neutralises it for a terminal.
"""

from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from itertools import pairwise
from typing import Any, Final

from llmr.chat import Media, Message, Part, Text, Thinking, ToolCall, ToolResult
from llmr.conversations import NOT_ACCEPTED, Overview, Turn
from llmr.conversations.message_json import message_json
from llmr.render.figures import count, dollars, seconds

SCHEMA: Final = "llmr.conversation/1"


def markdown_lines(conversation_id: str, turns: Sequence[Turn]) -> Iterator[str]:
    """The turns, each with who said it, how it ended, when, in what time and at what cost.

    Where they are not one line, as after `/retry` and `/edit`, they are numbered, and whoever does not go on from the one above
    says from which.
    """
    began = local_time(turns[0].at) if turns else "never"
    yield f"# Conversation {conversation_id}, {began}"
    places = {turn.number: place for place, turn in enumerate(turns, 1)}
    branched = any(turn.parent != before.number for before, turn in pairwise(turns))
    system: str | None = None
    above: int | None = None
    for place, turn in enumerate(turns, 1):
        if turn.system is not None and turn.system != system:
            system = turn.system
            yield from ("", "## System", "", system)
        yield from (
            "",
            f"## {_number(place) if branched else ''}You{_branch(turn, above, places) if branched else ''}",
            "",
        )
        above = turn.number
        yield from _said(turn.asked)
        yield from ("", f"## {_number(place) if branched else ''}{_answered_by(turn)}", "")
        if turn.answer is not None:
            yield from _said([turn.answer])
        if not turn.whole:
            why = f"; `llmr explain {turn.request_id}` tells why" if turn.request_id else ""
            yield from ("" if turn.answer is not None else "*no answer*", f"*{how_it_ended(turn)}{why}*")
        yield from ("", f"*{' · '.join(_facts(turn))}*")


def _number(place: int) -> str:
    return f"{place}. "


def _branch(turn: Turn, above: int | None, places: Mapping[int, int]) -> str:
    """From which turn it goes on, where that is not the one above it."""
    if turn.parent == above:
        return ""
    place = places.get(turn.parent) if turn.parent is not None else None
    return ", beginning anew" if place is None else f", going on from {place}"


def _facts(turn: Turn) -> Iterator[str]:
    """When it was asked, in what time and at what cost."""
    yield local_time(turn.at)
    if turn.ttft_s is not None:
        yield f"{seconds(turn.ttft_s)} to the first token"
    if turn.total_s is not None:
        yield f"{seconds(turn.total_s)} in all"
    if turn.input_tokens is not None or turn.output_tokens is not None:
        yield f"{count(turn.input_tokens or 0)} tokens in, {count(turn.output_tokens or 0)} out"
    if turn.cost_usd is not None:
        yield dollars(turn.cost_usd, estimated=bool(turn.estimated_usd))


def how_it_ended(turn: Turn) -> str:
    """The outcome in words."""
    if turn.whole:
        return "whole"
    why = "interrupted" if turn.outcome == "cancelled" else turn.outcome.replace("_", " ")
    if turn.outcome == NOT_ACCEPTED and turn.answer is not None:
        return "not accepted: it is not what was asked for, and was not shown"
    return f"broken off: {why}" if turn.answer is not None else f"failed: {why}"


def document(conversation_id: str, title: str, turns: Sequence[Turn], *, content: bool) -> dict[str, Any]:
    """The JSON of a conversation with all its branches. `content`: attachments too, in base64."""
    return {
        "schema": SCHEMA,
        "id": conversation_id,
        "title": title,
        "turns": [_turn_json(turn, content=content) for turn in turns],
    }


def overview_json(overview: Overview) -> dict[str, Any]:
    """One conversation of a list."""
    return {
        "id": overview.id,
        "title": overview.title,
        "began_at": utc_time(overview.began_at),
        "at": utc_time(overview.at),
        "turns": overview.turns,
        "failed": overview.failed,
        "provider": overview.provider,
        "model": overview.model,
        "outcome": overview.outcome,
        "cost_usd": overview.cost_usd,
        "estimated_usd": overview.estimated_usd,
    }


def local_time(at: float) -> str:
    """A moment for people, to the minute."""
    try:
        return datetime.fromtimestamp(at, UTC).astimezone().strftime("%Y-%m-%d %H:%M")
    except (ValueError, OverflowError, OSError):  # a clock that was far off
        return "?"


def utc_time(at: float) -> str | None:
    """A moment for programs, ISO 8601; None where no calendar has it."""
    try:
        return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds")
    except (ValueError, OverflowError, OSError):
        return None


def _answered_by(turn: Turn) -> str:
    return f"{turn.provider}/{turn.model}" if turn.provider else "Nobody"


def _said(messages: Iterable[Message]) -> Iterator[str]:
    for message in messages:
        for part in message.parts:
            yield from _part_lines(part)


def _part_lines(part: Part) -> Iterator[str]:
    match part:
        case Text():
            yield part.text.removeprefix("\n")  # a text that went along stands apart; the line before it has ended
        case Media():
            yield f"*[{part.kind.value}: {part.name or part.url or part.media_type}]*"
        case ToolCall():
            yield f"*[calls {part.name} {part.arguments}]*"
        case ToolResult():
            yield f"*[{part.name} gave {part.content}]*"
            for media in part.media:
                yield from _part_lines(media)
        case Thinking():  # pragma: no branch - the set is closed
            return


def _turn_json(turn: Turn, *, content: bool) -> dict[str, Any]:
    return {
        "number": turn.number,
        "parent": turn.parent,
        "at": utc_time(turn.at),
        "outcome": turn.outcome,
        "partial": turn.answer is not None and not turn.whole and turn.outcome != NOT_ACCEPTED,
        "asked_model": turn.asked_model,
        "provider": turn.provider,
        "model": turn.model,
        "request_id": turn.request_id,
        "system": turn.system,
        "prompt": turn.prompt_text,
        "answer": turn.answer_text,
        "messages": [
            message_json(message, partial(_attachment, content=content))
            for message in (*turn.asked, *((turn.answer,) if turn.answer is not None else ()))
        ],
        "usage": {"input": turn.input_tokens, "output": turn.output_tokens},
        "cost_usd": turn.cost_usd,
        "estimated_usd": turn.estimated_usd,
        "timing_ms": {"first_token": _ms(turn.ttft_s), "total": _ms(turn.total_s)},
    }


def _attachment(media: Media, *, content: bool) -> Mapping[str, Any]:
    """What it is and how large; the bytes themselves only in an export."""
    data = media.content
    return {
        "type": media.kind.value,
        "media_type": media.media_type,
        "name": media.name,
        "url": media.url,
        "detail": media.detail,
        "bytes": len(data) if data is not None else None,
        "base64": b64encode(data).decode() if content and data is not None else None,
    }


def _ms(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds * 1000)
