"""The lab's Gemini dialect: whole responses as events, cumulative usage in each, CRLF, and no end mark.

The model is in the path, and so is whether to stream. Tool calls arrive whole and without an id. `Behavior.done` says
nothing here: there is nothing to leave out (wire.md §B.1). `error_type` is the `status`, `error_code` a `reason`.
"""

import json
from collections.abc import Iterator
from typing import Any, Final, final

from llmr.lab.behavior import Behavior
from llmr.lab.dialect import Asked, Frame, input_token_count, text_tokens, token_count, words

_STATUSES: Final = {  # wire.md §A.2
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}


@final
class GeminiDialect:
    """`POST {base}/models/MODEL:generateContent`, or `:streamGenerateContent?alt=sse`."""

    base_path = "/v1beta"

    def is_streamed(self, asked: Asked) -> bool:
        return ":streamGenerateContent" in asked.target

    def stream(self, behavior: Behavior, asked: Asked) -> Iterator[Frame]:
        for count, part in enumerate(_parts(behavior, pieces=True), start=1):
            yield Frame(_sse(_response(behavior, asked, [part], None, count)), is_token=True)
        if behavior.finish_reason is not None:
            yield Frame(_sse(_response(behavior, asked, [], behavior.finish_reason.upper(), token_count(behavior))))

    def whole(self, behavior: Behavior, asked: Asked) -> bytes:
        finish = None if behavior.finish_reason is None else behavior.finish_reason.upper()
        parts = list(_parts(behavior, pieces=False))
        return json.dumps(_response(behavior, asked, parts, finish, token_count(behavior))).encode()

    def error(self, behavior: Behavior, asked: Asked) -> bytes:  # noqa: ARG002 - every dialect has this signature
        return json.dumps(_error(behavior, behavior.status)).encode()

    def error_event(self, behavior: Behavior, asked: Asked) -> bytes:  # noqa: ARG002 - every dialect has this signature
        return _sse(_error(behavior, 503))

    def models(self, ids: tuple[str, ...]) -> bytes:
        methods = ["generateContent", "countTokens"]
        entries = [{"name": f"models/{id_}", "displayName": id_, "supportedGenerationMethods": methods} for id_ in ids]
        return json.dumps({"models": entries}).encode()


def _parts(behavior: Behavior, *, pieces: bool) -> Iterator[dict[str, Any]]:
    """The answer's parts: one for each token, or one for each kind."""
    thoughts, texts = words(behavior.reasoning), text_tokens(behavior)
    for text in thoughts if pieces else filter(None, ["".join(thoughts)]):
        yield {"text": text, "thought": True}
    for text in texts if pieces else filter(None, ["".join(texts)]):
        yield {"text": text}
    for call in behavior.tool_calls:
        yield {"functionCall": {"name": call.name, "args": json.loads(call.arguments)}, "thoughtSignature": "bGFi"}


def _response(
    behavior: Behavior, asked: Asked, parts: list[dict[str, Any]], finish_reason: str | None, output_tokens: int
) -> dict[str, Any]:
    candidate: dict[str, Any] = {
        "content": {"parts": parts, "role": "model"} if parts else {"role": "model"},
        "index": 0,
    }
    if finish_reason is not None:
        candidate["finishReason"] = finish_reason
    response: dict[str, Any] = {
        "candidates": [candidate],
        "modelVersion": _model(asked.target),
        "responseId": asked.reply_id,
    }
    if behavior.usage:
        response["usageMetadata"] = _usage(behavior, asked, output_tokens)
    return response


def _model(target: str) -> str:
    """The model's name in `…/models/MODEL:method?…`."""
    return target.rpartition("/models/")[2].partition(":")[0]


def _usage(behavior: Behavior, asked: Asked, output_tokens: int) -> dict[str, int]:
    prompt = input_token_count(behavior, asked)
    thoughts = min(len(words(behavior.reasoning)), output_tokens)
    return {
        "promptTokenCount": prompt,
        "candidatesTokenCount": output_tokens - thoughts,
        "thoughtsTokenCount": thoughts,
        "totalTokenCount": prompt + output_tokens,
    }


def _sse(document: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(document).encode() + b"\r\n\r\n"


def _error(behavior: Behavior, status: int) -> dict[str, Any]:
    error: dict[str, Any] = {"code": status, "message": behavior.error_message}
    error["status"] = behavior.error_type or _STATUSES.get(status, "INTERNAL")
    if behavior.error_code is not None:
        reason = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": behavior.error_code}
        error["details"] = [reason]
    return {"error": error}
