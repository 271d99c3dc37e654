"""The lab's Anthropic messages dialect: named events, blocks that open and close, `message_stop` at the end.

Usage comes twice, the input with `message_start` and the cumulative output with `message_delta`; an error event may be the
only event of a 200 (wire.md §B.1). Here `Behavior.done` is `message_stop`, and `finish_reason` is the stop reason.
"""

import json
from collections.abc import Iterator
from typing import Any, Final, final

from llmr.lab.behavior import Behavior
from llmr.lab.dialect import Asked, Frame, halves, input_token_count, member, text_tokens, token_count, words

_STOP: Final = "end_turn"
_ERROR_TYPES: Final = {  # wire.md §A.2
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}


@final
class AnthropicDialect:
    """`POST {base}/messages`."""

    base_path = "/v1"

    def is_streamed(self, asked: Asked) -> bool:
        return member(asked.body, "stream") is True

    def stream(self, behavior: Behavior, asked: Asked) -> Iterator[Frame]:
        start: dict[str, Any] = {
            **_message(asked),
            "content": [],
            "stop_reason": None,
            "usage": _input_usage(behavior, asked),
        }
        yield Frame(_event("message_start", message=start))
        yield Frame(_event("ping"))
        for index, (block, deltas) in enumerate(_blocks(behavior)):
            yield Frame(_event("content_block_start", index=index, content_block=block))
            for delta in deltas:
                counted = delta["type"] != "signature_delta"
                yield Frame(_event("content_block_delta", index=index, delta=delta), is_token=counted)
            yield Frame(_event("content_block_stop", index=index))
        if behavior.finish_reason is not None:
            usage = {"output_tokens": token_count(behavior)} if behavior.usage else {}
            delta = {"stop_reason": _stop_reason(behavior), "stop_sequence": None}
            yield Frame(_event("message_delta", delta=delta, usage=usage))
        if behavior.done:
            yield Frame(_event("message_stop"))

    def whole(self, behavior: Behavior, asked: Asked) -> bytes:
        content: list[dict[str, Any]] = []
        if behavior.reasoning:
            content.append({"type": "thinking", "thinking": behavior.reasoning, "signature": "lab"})
        if text := "".join(text_tokens(behavior)):
            content.append({"type": "text", "text": text})
        for call in behavior.tool_calls:
            arguments = json.loads(call.arguments)
            content.append({"type": "tool_use", "id": call.id, "name": call.name, "input": arguments})
        answer = {**_message(asked), "content": content, "stop_reason": _stop_reason(behavior)}
        if behavior.usage:
            answer["usage"] = {**_input_usage(behavior, asked), "output_tokens": token_count(behavior)}
        return json.dumps(answer).encode()

    def error(self, behavior: Behavior, asked: Asked) -> bytes:
        return json.dumps({**_error(behavior), "request_id": asked.reply_id}).encode()

    def error_event(self, behavior: Behavior, asked: Asked) -> bytes:  # noqa: ARG002 - every dialect has this signature
        return _event(**_error(behavior))

    def models(self, ids: tuple[str, ...]) -> bytes:
        entries = [
            {"type": "model", "id": id_, "display_name": id_, "created_at": "2026-01-01T00:00:00Z"} for id_ in ids
        ]
        return json.dumps({"data": entries, "has_more": False, "first_id": ids[0], "last_id": ids[-1]}).encode()


def _blocks(behavior: Behavior) -> Iterator[tuple[dict[str, Any], list[dict[str, Any]]]]:
    """Each block as it opens, and what is added to it."""
    if behavior.reasoning:
        thoughts = [{"type": "thinking_delta", "thinking": word} for word in words(behavior.reasoning)]
        opening = {"type": "thinking", "thinking": "", "signature": ""}
        yield opening, [*thoughts, {"type": "signature_delta", "signature": "lab"}]
    if tokens := text_tokens(behavior):
        yield {"type": "text", "text": ""}, [{"type": "text_delta", "text": word} for word in tokens]
    for call in behavior.tool_calls:
        pieces = [{"type": "input_json_delta", "partial_json": piece} for piece in halves(call.arguments)]
        yield {"type": "tool_use", "id": call.id, "name": call.name, "input": {}}, pieces


def _message(asked: Asked) -> dict[str, Any]:
    return {"id": asked.reply_id, "type": "message", "role": "assistant", "model": asked.model, "stop_sequence": None}


def _stop_reason(behavior: Behavior) -> str | None:
    if behavior.finish_reason != "stop":
        return behavior.finish_reason
    return "tool_use" if behavior.tool_calls else _STOP


def _input_usage(behavior: Behavior, asked: Asked) -> dict[str, Any]:
    if not behavior.usage:
        return {}
    cached = {"cache_creation_input_tokens": 0, "cache_read_input_tokens": 0}
    return {"input_tokens": input_token_count(behavior, asked), **cached, "output_tokens": 1}


def _event(type: str, **fields: Any) -> bytes:  # noqa: A002 - the wire's own name
    return f"event: {type}\ndata: {json.dumps({'type': type, **fields})}\n\n".encode()


def _error(behavior: Behavior) -> dict[str, Any]:
    kind = behavior.error_type or _ERROR_TYPES.get(behavior.status, "api_error")
    return {"type": "error", "error": {"type": kind, "message": behavior.error_message}}
