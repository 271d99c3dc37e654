"""Messages as JSON and back, without loss: thinking with its signatures and tool calls go back to their maker unchanged.

Kept, attachments stand outside, in a table by their hash: `{"type": "media", …, "sha256": …}`. How they stand in another
document is for whoever writes it to say (`Attachment`); all else is said once, here, so no document loses a field. What cannot
be read (a newer llmr's part) is left out, never guessed. Marks for a provider's cache are no part of what was said.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from llmr.chat import Media, MediaKind, Message, Part, Role, Text, Thinking, ToolCall, ToolResult

Attachment = Callable[[Media], Mapping[str, Any]]
"""How an attachment stands in a document; None is left out."""

Keep = Callable[[bytes], str]
"""Takes an attachment's bytes, gives the name to find them by."""

Fetch = Callable[[str], bytes | None]
"""Gives the bytes that were kept under a name, None: they are gone."""


def encoded(messages: Iterable[Message], keep: Keep) -> str:
    """The messages as JSON text, in ASCII: a lone surrogate survives."""
    document = [message_json(message, lambda media: _kept(media, keep)) for message in messages]
    return json.dumps(document, separators=(",", ":"))


def decoded(text: str, fetch: Fetch) -> tuple[Message, ...]:
    """The messages that `encoded` was given. Raises ValueError for text that is none of ours."""
    try:
        return tuple(
            Message(
                Role(one["role"]),
                tuple(part for said in one["parts"] if (part := _part(said, fetch)) is not None),
            )
            for one in json.loads(text)
        )
    except (KeyError, TypeError, RecursionError) as error:
        raise ValueError(f"not a message of ours: {error!r}") from error


def message_json(message: Message, attachment: Attachment) -> dict[str, Any]:
    """One message, whole but for what `attachment` leaves out."""
    return {"role": message.role.value, "parts": [_part_json(part, attachment) for part in message.parts]}


def _part_json(part: Part, attachment: Attachment) -> dict[str, Any]:
    match part:
        case Text():
            said: dict[str, Any] = {"type": "text", "text": part.text, "signature": part.signature}
        case Thinking():
            said = {
                "type": "thinking",
                "text": part.text,
                "signature": part.signature,
                "redacted": part.redacted,
                "format": part.format,
            }
        case ToolCall():
            said = {
                "type": "tool_call",
                "id": part.id,
                "name": part.name,
                "arguments": part.arguments,
                "signature": part.signature,
            }
        case ToolResult():
            said = {
                "type": "tool_result",
                "call_id": part.call_id,
                "name": part.name,
                "content": part.content,
                "is_error": part.is_error or None,
                "media": [_said(attachment(media)) for media in part.media] or None,
            }
        case Media():  # pragma: no branch - the set is closed
            said = {"type": "media", **attachment(part)}
    return _said(said)


def _said(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in fields.items() if value is not None}


def _kept(media: Media, keep: Keep) -> Mapping[str, Any]:
    return {
        "kind": media.kind.value,
        "media_type": media.media_type,
        "url": media.url,
        "name": media.name,
        "detail": media.detail,
        "sha256": keep(media.content) if media.content is not None else None,
    }


def _part(said: Mapping[str, Any], fetch: Fetch) -> Part | None:
    fields = {key: value for key, value in said.items() if key != "type"}
    match said["type"]:
        case "text":
            return Text(**fields)
        case "thinking":
            return Thinking(**fields)
        case "tool_call":
            return ToolCall(**fields)
        case "tool_result":
            return _result(fields, fetch)
        case "media":
            return _media(fields, fetch)
        case _:
            return None


def _result(fields: dict[str, Any], fetch: Fetch) -> ToolResult:
    shown = [_media(dict(one), fetch) for one in fields.pop("media", ())]
    gone = "".join(f"\n{part.text}" for part in shown if isinstance(part, Text))
    result = ToolResult(**fields, media=tuple(part for part in shown if isinstance(part, Media)))
    return replace(result, content=result.content + gone)


def _media(fields: dict[str, Any], fetch: Fetch) -> Media | Text:
    name = fields.pop("sha256", None)
    content = fetch(name) if name is not None else None
    if name is not None and content is None:
        return Text(f"[the attachment {fields.get('name') or name[:8]} is gone]")
    kind = MediaKind(fields.pop("kind"))
    return Media(kind, content=content, **fields)
