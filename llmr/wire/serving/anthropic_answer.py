"""Answers in the words of Anthropic's messages: what `wire/anthropic_answer.py` reads, said.

    message_start → (content_block_start → content_block_delta… → content_block_stop)… → message_delta → message_stop

Text and thinking are one block each for as long as nothing else comes between. Tool calls stay open to the end: other wires
may go on with an earlier one. What other wires call a refusal is text here, with `stop_reason: refusal`. The usage in
`message_delta` is the whole of it, as in the original; at the start it is what is known by then.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final, final

from llmr.chat import ChatResponse, Delta, FinishReason, Thinking, ToolCall, ToolCallDelta, Usage
from llmr.wire import json_text
from llmr.wire.parts import arguments_of
from llmr.wire.serving import AnswerHead, Asked, Problem, anthropic_request, comment

STOP: Final[Mapping[FinishReason, str]] = {
    FinishReason.STOP: "end_turn",
    FinishReason.LENGTH: "max_tokens",
    FinishReason.TOOL_CALLS: "tool_use",
    FinishReason.CONTENT_FILTER: "refusal",
    FinishReason.REFUSAL: "refusal",
    FinishReason.PAUSED: "pause_turn",
    FinishReason.ERROR: "end_turn",  # never reaches a client: the router makes a failure of it
}
_TYPES: Final[Mapping[int, str]] = {  # https://docs.anthropic.com/en/api/errors
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
    """The messages API."""

    name = "anthropic"

    def request(self, body: Mapping[str, Any]) -> Asked:
        """The request."""
        return anthropic_request.asked(body)

    def whole(self, response: ChatResponse, head: AnswerHead) -> bytes:
        """A `message`."""
        blocks = [_thinking(block) for block in response.thinking]
        text = response.text + response.refusal
        if text:
            citations = [_citation(citation) for citation in response.citations]
            blocks.append({"type": "text", "text": text, **({"citations": citations} if citations else {})})
        blocks += [_tool_use(call) for call in response.tool_calls]
        message = _message(head, blocks, STOP[response.finish_reason or FinishReason.STOP])
        return json_text.encode({**message, "usage": usage_of(response.usage)})

    def writer(self, head: AnswerHead, *, usage: bool) -> "MessageWriter":  # noqa: ARG002 - usage is always said here
        """The events of a message."""
        return MessageWriter(head)

    def error(self, problem: Problem, *, request_id: str) -> bytes:
        """`{"type": "error", …}`."""
        return json_text.encode({**_error(problem), "request_id": request_id})


@final
class MessageWriter:
    """A stream of events. `_open` is the block under way: its kind and its index."""

    __slots__ = ("_blocks", "_calls", "_finish", "_head", "_open", "_started", "_usage")

    def __init__(self, head: AnswerHead) -> None:
        self._head = head
        self._started = False
        self._blocks = 0
        self._open: tuple[str, int] | None = None
        self._calls: dict[int, int] = {}  # a call's own index → its block's
        self._finish = FinishReason.STOP
        self._usage: Usage | None = None

    def delta(self, delta: Delta) -> bytes:
        """The events that this piece makes."""
        self._finish = delta.finish_reason or self._finish
        self._usage = delta.usage or self._usage
        if not (delta.has_content or delta.reasoning_signature or delta.citations):
            return b""
        out: list[bytes] = [] if self._started else [self._start()]
        if delta.reasoning or delta.reasoning_signature is not None:
            self._think(delta, out)
        if delta.redacted_reasoning is not None:
            self._close(out)
            self._block({"type": "redacted_thinking", "data": delta.redacted_reasoning}, out)
            self._open = ("redacted_thinking", self._blocks - 1)
        if delta.text or delta.refusal or delta.citations:
            self._speak(delta, out)
        for piece in delta.tool_calls:
            self._call(piece, out)
        return b"".join(out)

    def note(self, text: str) -> bytes:
        """A comment."""
        return comment(text)

    def end(self) -> bytes:
        """Every block closed, the reason, the usage, `message_stop`."""
        out: list[bytes] = [] if self._started else [self._start()]
        self._close(out)
        out += [_event({"type": "content_block_stop", "index": index}) for index in self._calls.values()]
        ending = {"stop_reason": STOP[self._finish], "stop_sequence": None}
        out.append(_event({"type": "message_delta", "delta": ending, "usage": usage_of(self._usage)}))
        out.append(_event({"type": "message_stop"}))
        return b"".join(out)

    def failed(self, problem: Problem) -> bytes:
        """An `error` event."""
        return _event(_error(problem))

    def _start(self) -> bytes:
        self._started = True
        message = {**_message(self._head, [], None), "usage": usage_of(self._usage)}
        return _event({"type": "message_start", "message": message})

    def _think(self, delta: Delta, out: list[bytes]) -> None:
        index = self._in("thinking", {"type": "thinking", "thinking": "", "signature": ""}, out)
        if delta.reasoning:
            out.append(_piece(index, {"type": "thinking_delta", "thinking": delta.reasoning}))
        if delta.reasoning_signature is not None:
            out.append(_piece(index, {"type": "signature_delta", "signature": delta.reasoning_signature}))
            self._close(out)  # the next thought is a block of its own

    def _speak(self, delta: Delta, out: list[bytes]) -> None:
        index = self._in("text", {"type": "text", "text": ""}, out)
        text = delta.text + delta.refusal
        if text:
            out.append(_piece(index, {"type": "text_delta", "text": text}))
        out += [_piece(index, {"type": "citations_delta", "citation": _citation(each)}) for each in delta.citations]

    def _call(self, piece: ToolCallDelta, out: list[bytes]) -> None:
        if piece.index not in self._calls:
            self._close(out)
            self._calls[piece.index] = self._blocks
            self._block({"type": "tool_use", "id": piece.id, "name": piece.name, "input": {}}, out)
        if piece.arguments:
            said = {"type": "input_json_delta", "partial_json": piece.arguments}
            out.append(_piece(self._calls[piece.index], said))

    def _in(self, kind: str, block: dict[str, Any], out: list[bytes]) -> int:
        """The index of the open block of this kind, begun where there is none."""
        if self._open is None or self._open[0] != kind:
            self._close(out)
            self._open = (kind, self._blocks)
            self._block(block, out)
        return self._open[1]

    def _block(self, block: dict[str, Any], out: list[bytes]) -> None:
        out.append(_event({"type": "content_block_start", "index": self._blocks, "content_block": block}))
        self._blocks += 1

    def _close(self, out: list[bytes]) -> None:
        if self._open is not None:
            out.append(_event({"type": "content_block_stop", "index": self._open[1]}))
            self._open = None


def usage_of(usage: Usage | None) -> dict[str, Any]:
    """Usage as Anthropic counts it: `input_tokens` without both kinds of cached ones. What nobody counted is 0 here: clients
    take no null."""
    if usage is None:
        return {"input_tokens": 0, "output_tokens": 0}
    read, written = usage.cached_tokens, usage.cache_write_tokens
    said: dict[str, Any] = {
        "input_tokens": max(0, (usage.input_tokens or 0) - (read or 0) - (written or 0)),
        "output_tokens": usage.output_tokens or 0,
    }
    if read is not None:
        said["cache_read_input_tokens"] = read
    if written is not None:
        said["cache_creation_input_tokens"] = written
    if usage.reasoning_tokens is not None:
        said["output_tokens_details"] = {"thinking_tokens": usage.reasoning_tokens}
    if usage.web_searches is not None:
        said["server_tool_use"] = {"web_search_requests": usage.web_searches}
    return said


def _message(head: AnswerHead, content: Iterable[dict[str, Any]], reason: str | None) -> dict[str, Any]:
    return {
        "id": f"msg_{head.id}",
        "type": "message",
        "role": "assistant",
        "model": head.model,
        "content": list(content),
        "stop_reason": reason,
        "stop_sequence": None,
    }


def _event(value: dict[str, Any]) -> bytes:
    return f"event: {value['type']}\ndata: ".encode() + json_text.encode(value) + b"\n\n"


def _piece(index: int, delta: dict[str, Any]) -> bytes:
    return _event({"type": "content_block_delta", "index": index, "delta": delta})


def _thinking(block: Thinking) -> dict[str, Any]:
    if block.redacted is not None:
        return {"type": "redacted_thinking", "data": block.redacted}
    return {"type": "thinking", "thinking": block.text, "signature": block.signature or ""}


def _tool_use(call: ToolCall) -> dict[str, Any]:
    return {"type": "tool_use", "id": call.id, "name": call.name, "input": arguments_of(call)}


def _citation(citation: Mapping[str, Any]) -> Mapping[str, Any]:
    """Anthropic's own as it is; another's as a page that was found."""
    if str(citation.get("type", "")).endswith("_location"):
        return citation
    page = json_text.object_of(citation.get("url_citation")) or citation
    return {
        "type": "web_search_result_location",
        "url": page.get("url") or "",
        "title": page.get("title") or None,
        "cited_text": "",
        "encrypted_index": "",
    }


def _error(problem: Problem) -> dict[str, Any]:
    kind = _TYPES.get(problem.status, "invalid_request_error" if problem.status < 500 else "api_error")
    return {"type": "error", "error": {"type": kind, "message": problem.message}}
