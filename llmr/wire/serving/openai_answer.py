"""Answers in chat completions' words: what `wire/openai_answer.py` reads, said.

Beyond what OpenAI itself sends, an answer carries what other providers want back in the next turn, in the fields that
gateways use for it: `reasoning_content` (DeepSeek), `reasoning_details` with signatures (OpenRouter) and
`extra_content.google.thought_signature` (Google). A client that knows none of them loses nothing.

The finish reason comes last and once, when the whole answer is there: a stream that broke has none, and no `[DONE]`.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final, final

from llmr.chat import ChatResponse, Delta, FinishReason, Thinking, ToolCall, ToolCallDelta, Usage
from llmr.wire import json_text
from llmr.wire.serving import AnswerHead, Asked, Problem, comment, openai_request

FINISH: Final[Mapping[FinishReason, str]] = {
    FinishReason.STOP: "stop",
    FinishReason.LENGTH: "length",
    FinishReason.TOOL_CALLS: "tool_calls",
    FinishReason.CONTENT_FILTER: "content_filter",
    FinishReason.REFUSAL: "stop",  # `refusal` beside it says the rest
    FinishReason.PAUSED: "length",  # there is more to come: the nearest of the five words that clients know
    FinishReason.ERROR: "stop",  # never reaches a client: the router makes a failure of it
}
_TYPES: Final[Mapping[int, str]] = {429: "rate_limit_error"}  # by status; else by its hundred
_DONE: Final = b"data: [DONE]\n\n"


@final
class OpenAIDialect:
    """Chat completions."""

    name = "openai"

    def request(self, body: Mapping[str, Any]) -> Asked:
        """The request."""
        return openai_request.asked(body)

    def whole(self, response: ChatResponse, head: AnswerHead) -> bytes:
        """A `chat.completion`."""
        message: dict[str, Any] = {
            "role": "assistant",
            "content": response.text or None,
            "refusal": response.refusal or None,
        }
        if response.tool_calls:
            message["tool_calls"] = [_call(call) for call in response.tool_calls]
        elif response.text == "" and not response.refusal:
            message["content"] = ""
        message |= _reasoning(response.reasoning, response.thinking)
        message |= _annotations(response.citations) | _signed(response.text_signature)
        choice = {
            "index": 0,
            "message": message,
            "logprobs": {"content": response.logprobs, "refusal": None} if response.logprobs else None,
            "finish_reason": FINISH[response.finish_reason or FinishReason.STOP],
        }
        return json_text.encode(
            {**_frame(head, "chat.completion"), "choices": [choice], "usage": usage_of(response.usage)}
        )

    def writer(self, head: AnswerHead, *, usage: bool) -> "ChatCompletionWriter":
        """`chat.completion.chunk`s."""
        return ChatCompletionWriter(head, usage=usage)

    def error(self, problem: Problem, *, request_id: str) -> bytes:  # noqa: ARG002 - OpenAI says the id in a header only
        """`{"error": …}`."""
        return json_text.encode(_error(problem))


@final
class ChatCompletionWriter:
    """A stream of chunks."""

    __slots__ = ("_finish", "_frame", "_plain", "_roled", "_usage", "_usage_wanted")

    def __init__(self, head: AnswerHead, *, usage: bool) -> None:
        self._frame = _frame(head, "chat.completion.chunk")
        before, after = json_text.dump(
            {
                **self._frame,
                "choices": [{"index": 0, "delta": {"content": _HERE}, "logprobs": None, "finish_reason": None}],
            }
        ).split(json_text.dump(_HERE))
        self._plain = ("data: " + before, after + "\n\n")
        self._finish = FinishReason.STOP
        self._usage: Usage | None = None
        self._usage_wanted = usage
        self._roled = False

    def delta(self, delta: Delta) -> bytes:
        """One chunk, or none for a delta that says nothing a client would read."""
        self._finish = delta.finish_reason or self._finish
        self._usage = delta.usage or self._usage
        if self._roled and delta == Delta(delta.text):
            before, after = self._plain
            return json_text.utf8(before + json_text.dump(delta.text) + after) if delta.text else b""
        said = _said(delta)
        if not said and not delta.logprobs:
            return b""
        if not self._roled:
            self._roled = True
            said = {"role": "assistant", "content": None if "tool_calls" in said else ""} | said
        return self._chunk(said, logprobs=delta.logprobs)

    def note(self, text: str) -> bytes:
        """A comment."""
        return comment(text)

    def end(self) -> bytes:
        """The finish reason, usage where it was wanted, `[DONE]`."""
        last = self._chunk({} if self._roled else {"role": "assistant", "content": ""}, finish=FINISH[self._finish])
        if not self._usage_wanted:
            return last + _DONE
        return last + _event({**self._frame, "choices": [], "usage": usage_of(self._usage)}) + _DONE

    def failed(self, problem: Problem) -> bytes:
        """OpenAI's error, as it sends it within a stream."""
        return _event(_error(problem))

    def _chunk(self, said: dict[str, Any], *, logprobs: Iterable[Any] = (), finish: str | None = None) -> bytes:
        entries = list(logprobs)
        choice = {
            "index": 0,
            "delta": said,
            "logprobs": {"content": entries, "refusal": None} if entries else None,
            "finish_reason": finish,
        }
        return _event({**self._frame, "choices": [choice]})


_HERE: Final = "\uf8ff here \uf8ff"  # stands for a text while the frame around it is made


def usage_of(usage: Usage | None) -> dict[str, Any] | None:
    """Usage as OpenAI counts it; None where nobody counted."""
    if usage is None or (usage.input_tokens is None and usage.output_tokens is None):
        return None
    prompt, completion = usage.input_tokens or 0, usage.output_tokens or 0
    inside = {
        "cached_tokens": usage.cached_tokens,
        "cache_write_tokens": usage.cache_write_tokens,
        "audio_tokens": usage.audio_input_tokens,
    }
    outside = {"reasoning_tokens": usage.reasoning_tokens, "audio_tokens": usage.audio_output_tokens}
    said: dict[str, Any] = {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {name: count for name, count in inside.items() if count is not None},
        "completion_tokens_details": {name: count for name, count in outside.items() if count is not None},
    }
    if usage.cost_usd is not None:
        said["cost"] = usage.cost_usd
    return said


def _frame(head: AnswerHead, kind: str) -> dict[str, Any]:
    return {"id": f"chatcmpl-{head.id}", "object": kind, "created": head.created, "model": head.model}


def _event(value: dict[str, Any]) -> bytes:
    return b"data: " + json_text.encode(value) + b"\n\n"


def _said(delta: Delta) -> dict[str, Any]:
    """The `delta` of a chunk; {} for one that says nothing."""
    said: dict[str, Any] = {}
    if delta.text:
        said["content"] = delta.text
    if delta.refusal:
        said["refusal"] = delta.refusal
    if delta.tool_calls:
        said["tool_calls"] = [_piece(piece) for piece in delta.tool_calls]
    return said | _thought(delta) | _annotations(delta.citations) | _signed(delta.text_signature)


def _thought(delta: Delta) -> dict[str, Any]:
    said: dict[str, Any] = {"reasoning_content": delta.reasoning} if delta.reasoning else {}
    details: list[dict[str, Any]] = []
    if delta.reasoning_signature is not None or (delta.reasoning and delta.reasoning_format is not None):
        details.append(_detail(Thinking(delta.reasoning, delta.reasoning_signature, format=delta.reasoning_format)))
    if delta.redacted_reasoning is not None:
        details.append(_detail(Thinking("", redacted=delta.redacted_reasoning, format=delta.reasoning_format)))
    return {**said, "reasoning_details": details} if details else said


def _reasoning(text: str, blocks: Iterable[Thinking]) -> dict[str, Any]:
    said: dict[str, Any] = {"reasoning_content": text} if text else {}
    details = [_detail(block) for block in blocks]
    telling = any(detail.keys() - {"type", "text"} for detail in details)
    return {**said, "reasoning_details": details} if telling else said


def _detail(block: Thinking) -> dict[str, Any]:
    """A block of reasoning as OpenRouter has it."""
    said: dict[str, Any] = {"type": "reasoning.text", "text": block.text}
    if block.redacted is not None:
        said = {"type": "reasoning.encrypted", "data": block.redacted}
    elif block.signature is not None:
        said["signature"] = block.signature
    return said if block.format is None else {**said, "format": block.format}


def _call(call: ToolCall) -> dict[str, Any]:
    said = {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments or "{}"}}
    return said | _signed(call.signature)


def _piece(piece: ToolCallDelta) -> dict[str, Any]:
    function = {"name": piece.name} if piece.name else {}
    said: dict[str, Any] = {"index": piece.index, "function": {**function, "arguments": piece.arguments}}
    if piece.id:
        said = {"index": piece.index, "id": piece.id, "type": "function", "function": said["function"]}
    return said | _signed(piece.signature)


def _signed(signature: str | None) -> dict[str, Any]:
    return {} if signature is None else {"extra_content": {"google": {"thought_signature": signature}}}


def _annotations(citations: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    said = [_annotation(citation) for citation in citations]
    return {"annotations": said} if said else {}


def _annotation(citation: Mapping[str, Any]) -> Mapping[str, Any]:
    """OpenAI's own as it is; another's, where it names a page, as one of OpenAI's."""
    url = citation.get("url")
    if "type" in citation and not isinstance(url, str):
        return citation
    cited = {"url": url or "", "title": citation.get("title") or "", "start_index": 0, "end_index": 0}
    return {"type": "url_citation", "url_citation": cited}


def _error(problem: Problem) -> dict[str, Any]:
    kind = _TYPES.get(problem.status, "invalid_request_error" if problem.status < 500 else "server_error")
    return {"error": {"message": problem.message, "type": kind, "param": problem.param, "code": problem.code}}
