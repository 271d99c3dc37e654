"""The lab's dialect of OpenAI's Responses API: numbered events, items that open and close, the whole response at the end.

There is no `[DONE]` (wire.md §B.1), so `Behavior.done` says nothing here. `finish_reason` "length" and "content_filter" make
the response incomplete; None leaves its last event out.
"""

import json
from collections.abc import Iterator
from typing import Any, Final, final

from llmr.lab.behavior import Behavior, LabToolCall
from llmr.lab.dialect import Asked, Frame, halves, input_token_count, member, text_tokens, token_count, words
from llmr.lab.openai import error_document, model_list

_CREATED: Final = 1_767_225_600  # 2026-01-01: the same in every run
_INCOMPLETE: Final = {"length": "max_output_tokens", "content_filter": "content_filter"}


@final
class ResponsesDialect:
    """`POST {base}/responses`."""

    base_path = "/v1"

    def is_streamed(self, asked: Asked) -> bool:
        return member(asked.body, "stream") is True

    def stream(self, behavior: Behavior, asked: Asked) -> Iterator[Frame]:
        for number, (event, is_token) in enumerate(_events(behavior, asked)):
            yield Frame(_sse({**event, "sequence_number": number}), is_token=is_token)

    def whole(self, behavior: Behavior, asked: Asked) -> bytes:
        return json.dumps(_response(behavior, asked)).encode()

    def error(self, behavior: Behavior, asked: Asked) -> bytes:  # noqa: ARG002 - every dialect has this signature
        return json.dumps(error_document(behavior)).encode()

    def error_event(self, behavior: Behavior, asked: Asked) -> bytes:  # noqa: ARG002 - every dialect has this signature
        kind = behavior.error_code or behavior.error_type or "server_error"
        return _sse({"type": "error", "code": kind, "message": behavior.error_message, "param": None})

    def models(self, ids: tuple[str, ...]) -> bytes:
        return model_list(ids)


def _events(behavior: Behavior, asked: Asked) -> Iterator[tuple[dict[str, Any], bool]]:
    """Each event, and whether it is a token."""
    begun: dict[str, Any] = {**_response(behavior, asked), "status": "in_progress", "output": [], "usage": None}
    yield {"type": "response.created", "response": begun}, False
    yield {"type": "response.in_progress", "response": begun}, False
    for index, item in enumerate(_items(behavior)):
        emptied: dict[str, Any] = {"summary": [], "content": [], "arguments": "", "status": "in_progress"}
        opened = {key: emptied.get(key, value) for key, value in item.items()}
        yield {"type": "response.output_item.added", "output_index": index, "item": opened}, False
        for kind, delta in _deltas(behavior, item):
            yield {"type": f"response.{kind}.delta", "output_index": index, "item_id": item["id"], "delta": delta}, True
        yield {"type": "response.output_item.done", "output_index": index, "item": item}, False
    if behavior.finish_reason is not None:
        response = _response(behavior, asked)
        yield {"type": f"response.{response['status']}", "response": response}, False


def _deltas(behavior: Behavior, item: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """What is told of an item, piece by piece: the kind of the delta, and its text."""
    match item["type"]:
        case "reasoning":
            yield from (("reasoning_summary_text", word) for word in words(behavior.reasoning))
        case "message":
            yield from (("output_text", word) for word in text_tokens(behavior))
        case _:
            yield from (("function_call_arguments", piece) for piece in halves(item["arguments"]))


def _items(behavior: Behavior) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    if behavior.reasoning:
        summary = [{"type": "summary_text", "text": behavior.reasoning}]
        items.append({"type": "reasoning", "id": "rs_lab", "summary": summary})
    if text := "".join(text_tokens(behavior)):
        content: list[dict[str, Any]] = [{"type": "output_text", "text": text, "annotations": []}]
        items.append(
            {"type": "message", "id": "msg_lab", "role": "assistant", "status": "completed", "content": content}
        )
    items += [_call(call) for call in behavior.tool_calls]
    return items


def _call(call: LabToolCall) -> dict[str, Any]:
    names = {"name": call.name, "arguments": call.arguments, "call_id": call.id}
    return {"type": "function_call", "id": f"fc_{call.id}", "status": "completed", **names}


def _response(behavior: Behavior, asked: Asked) -> dict[str, Any]:
    reason = _INCOMPLETE.get(behavior.finish_reason or "")
    return {
        "id": asked.reply_id,
        "object": "response",
        "created_at": _CREATED,
        "model": asked.model,
        "status": "completed" if reason is None else "incomplete",
        "incomplete_details": None if reason is None else {"reason": reason},
        "error": None,
        "output": _items(behavior),
        "usage": _usage(behavior, asked) if behavior.usage else None,
    }


def _usage(behavior: Behavior, asked: Asked) -> dict[str, Any]:
    given, made = input_token_count(behavior, asked), token_count(behavior)
    return {
        "input_tokens": given,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": made,
        "output_tokens_details": {"reasoning_tokens": len(words(behavior.reasoning))},
        "total_tokens": given + made,
    }


def _sse(event: dict[str, Any]) -> bytes:
    return f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode()
