"""The lab's OpenAI chat dialect, shaped like the recordings that wire.md §B.1 counts.

The first chunk carries the role, the last one the finish reason, then comes one with `choices: []` and the
usage if it was asked for, then `[DONE]`. After an error event the stream still ends with `[DONE]`: that was
recorded, and is why `[DONE]` proves nothing.
"""

import json
from collections.abc import Iterator
from typing import Any, Final, final

from llmr.lab.behavior import Behavior
from llmr.lab.dialect import Asked, Frame, halves, input_token_count, member, text_tokens, token_count, words

_CREATED: Final = 1_767_225_600  # 2026-01-01: the same in every run
_DONE: Final = b"data: [DONE]\n\n"
_ERROR_TYPES: Final = {
    400: "invalid_request_error",
    401: "invalid_request_error",
    404: "invalid_request_error",
    429: "requests",
}


@final
class OpenAIDialect:
    """`POST {base}/chat/completions`."""

    base_path = "/v1"

    def is_streamed(self, asked: Asked) -> bool:
        return member(asked.body, "stream") is True

    def stream(self, behavior: Behavior, asked: Asked) -> Iterator[Frame]:
        yield Frame(_event(asked, {"role": "assistant", "content": ""}))
        for word in words(behavior.reasoning):
            yield Frame(_event(asked, {"reasoning_content": word}), is_token=True)
        for word in text_tokens(behavior):
            yield Frame(_event(asked, {"content": word}), is_token=True)
        for index, call in enumerate(behavior.tool_calls):
            first, rest = halves(call.arguments)
            opening = {
                "index": index,
                "id": call.id,
                "type": "function",
                "function": {"name": call.name, "arguments": first},
            }
            yield Frame(_event(asked, {"tool_calls": [opening]}), is_token=True)
            yield Frame(
                _event(asked, {"tool_calls": [{"index": index, "function": {"arguments": rest}}]}),
                is_token=True,
            )
        if behavior.finish_reason is not None:
            yield Frame(_event(asked, {}, finish_reason=_finish(behavior)))
        if behavior.usage and member(member(asked.body, "stream_options"), "include_usage") is True:
            yield Frame(_sse({**_head(asked), "choices": [], "usage": _usage(behavior, asked)}))
        if behavior.done:
            yield Frame(_DONE)

    def whole(self, behavior: Behavior, asked: Asked) -> bytes:
        message: dict[str, Any] = {
            "role": "assistant",
            "content": "".join(text_tokens(behavior)),
            "refusal": None,
        }
        if behavior.reasoning:
            message["reasoning_content"] = behavior.reasoning
        if behavior.tool_calls:
            message["tool_calls"] = [
                {
                    "id": call.id,
                    "type": "function",
                    "function": {"name": call.name, "arguments": call.arguments},
                }
                for call in behavior.tool_calls
            ]
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": _finish(behavior)}
        answer = {**_head(asked), "object": "chat.completion", "choices": [choice]}
        if behavior.usage:
            answer["usage"] = _usage(behavior, asked)
        return json.dumps(answer).encode()

    def error(self, behavior: Behavior, asked: Asked) -> bytes:  # noqa: ARG002 - every dialect has this signature
        return json.dumps(error_document(behavior)).encode()

    def error_event(self, behavior: Behavior, asked: Asked) -> bytes:  # noqa: ARG002 - every dialect has this signature
        return _sse(error_document(behavior)) + (_DONE if behavior.done else b"")

    def models(self, ids: tuple[str, ...]) -> bytes:
        return model_list(ids)


def _head(asked: Asked) -> dict[str, Any]:
    return {
        "id": asked.reply_id,
        "object": "chat.completion.chunk",
        "created": _CREATED,
        "model": asked.model,
    }


def _finish(behavior: Behavior) -> str | None:
    usual = behavior.finish_reason == "stop" and bool(behavior.tool_calls)
    return "tool_calls" if usual else behavior.finish_reason


def _event(asked: Asked, delta: dict[str, Any], finish_reason: str | None = None) -> bytes:
    return _sse({**_head(asked), "choices": [{"index": 0, "delta": delta, "finish_reason": finish_reason}]})


def _sse(document: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(document).encode() + b"\n\n"


def _usage(behavior: Behavior, asked: Asked) -> dict[str, Any]:
    prompt, completion = input_token_count(behavior, asked), token_count(behavior)
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": len(words(behavior.reasoning))},
    }


def error_document(behavior: Behavior) -> dict[str, Any]:
    """The error shape that both of OpenAI's dialects share."""
    kind = behavior.error_type or _ERROR_TYPES.get(behavior.status, "server_error")
    return {"error": {"message": behavior.error_message, "type": kind, "param": None, "code": behavior.error_code}}


def model_list(ids: tuple[str, ...]) -> bytes:
    """The list of models that both of OpenAI's dialects share."""
    entries = [{"id": id_, "object": "model", "created": _CREATED, "owned_by": "lab"} for id_ in ids]
    return json.dumps({"object": "list", "data": entries}).encode()
