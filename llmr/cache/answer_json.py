"""An answer as JSON text and back: its deltas, so that a hit streams as the answer once did, in fewer and larger pieces.

A part that says nothing is left out. What cannot be read is None, never a guess: the request is then asked anew. Dollars
are not kept in the usage: giving an answer again costs nothing.
"""

import json
from collections.abc import Iterable
from dataclasses import asdict, fields, replace
from typing import Any, Final

from llmr.chat import Delta, FinishReason, ToolCallDelta, Usage

_PIECE: Final = 48  # characters of text in one piece: some ten tokens, small enough to stream
_TEXT_ALONE: Final = Delta()
_DELTA_FIELDS: Final = frozenset(field.name for field in fields(Delta))


def answer_text(deltas: Iterable[Delta]) -> str:
    """JSON, in ASCII."""
    return json.dumps([_said(delta) for delta in merged(deltas)], separators=(",", ":"))


def answer_of(text: str) -> tuple[Delta, ...] | None:
    """The deltas that `answer_text` was given, merged; None for text that is none of ours."""
    try:
        rows: Any = json.loads(text)
        return tuple(_delta(row) for row in rows)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None


def merged(deltas: Iterable[Delta]) -> tuple[Delta, ...]:
    """Neighbours that are nothing but text become one piece, up to a length."""
    pieces: list[Delta] = []
    for delta in deltas:
        last = pieces[-1] if pieces else None
        if last is not None and _only_text(delta) and _only_text(last) and len(last.text) < _PIECE:
            pieces[-1] = Delta(text=last.text + delta.text)
        elif delta != _TEXT_ALONE:
            pieces.append(delta)
    return tuple(pieces)


def _only_text(delta: Delta) -> bool:
    return replace(delta, text="") == _TEXT_ALONE


def _said(delta: Delta) -> dict[str, Any]:
    said = {field.name: value for field in fields(delta) if (value := getattr(delta, field.name)) not in ("", None, ())}
    if delta.tool_calls:
        said["tool_calls"] = [asdict(call) for call in delta.tool_calls]
    for name in ("citations", "logprobs"):
        if name in said:
            said[name] = [dict(one) for one in said[name]]
    if delta.usage is not None:
        usage = asdict(replace(delta.usage, cost_usd=None))
        said["usage"] = {name: value for name, value in usage.items() if value is not None}
    return said


def _delta(row: dict[str, Any]) -> Delta:
    said = dict(row)
    if not said.keys() <= _DELTA_FIELDS:
        raise ValueError("a newer llmr kept this")
    if "tool_calls" in said:
        said["tool_calls"] = tuple(ToolCallDelta(**call) for call in said["tool_calls"])
    for name in ("citations", "logprobs", "left_out"):
        if name in said:
            said[name] = tuple(said[name])
    if "usage" in said:
        said["usage"] = Usage(**said["usage"])
    if "finish_reason" in said:
        said["finish_reason"] = FinishReason(said["finish_reason"])
    return Delta(**said)
