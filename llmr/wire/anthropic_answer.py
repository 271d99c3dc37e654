"""Reading Anthropic messages, streamed or whole (wire.md §B.1).

    message_start → content_block_start(i) → content_block_delta(i)… → content_block_stop(i) → …
        → message_delta → message_stop

The end is `message_stop`. An `error` event may be the first and only event of a 200 (recorded) or come after text. Usage in
`message_delta` is cumulative and may restate the input: it is laid over what `message_start` said, never added. Blocks of
tools that Anthropic runs itself (web search, code) are not calls for us and are passed over; their citations are kept.
"""

from typing import Any, Final

from llmr.chat import Delta, FinishReason, ToolCallDelta, Usage
from llmr.dataclass import dataclass
from llmr.wire import json_text
from llmr.wire.decoding import incomplete
from llmr.wire.errors import bad_response, error_inside
from llmr.wire.json_text import count_of, list_of, object_of, text_of

FORMAT: Final = "anthropic-claude-v1"  # OpenRouter's name for thinking blocks of this origin
_FINISH: Final = {  # wire.md §B.3
    "end_turn": FinishReason.STOP,
    "stop_sequence": FinishReason.STOP,
    "max_tokens": FinishReason.LENGTH,
    "model_context_window_exceeded": FinishReason.LENGTH,
    "tool_use": FinishReason.TOOL_CALLS,
    "refusal": FinishReason.REFUSAL,
    "pause_turn": FinishReason.PAUSED,
}


@dataclass(slots=True)
class _Call:
    """A tool call under way: its number among the calls, what it began with, and whether arguments came since."""

    number: int
    given: str
    begun: bool = False


class MessageReader:
    """`AnswerReader` for the messages API."""

    __slots__ = ("_call_count", "_calls", "_finish", "_said", "_started", "_stopped", "_usage", "_usage_said")

    def __init__(self) -> None:
        self._calls: dict[int | None, _Call] = {}  # by block index
        self._call_count = 0
        self._finish: FinishReason | None = None
        self._said = False
        self._started = False
        self._stopped = False
        self._usage: Usage | None = None
        self._usage_said: dict[str, Any] = {}

    def event(self, name: str, value: Any, out: list[Delta]) -> None:
        """One event. Its data repeats its name as `type`; the name alone serves where it does not."""
        event = _checked(value, is_error=name == "error")
        index = count_of(event, "index")
        match event.get("type", name):
            case "content_block_delta":
                self._piece(index, object_of(event.get("delta")), out)
            case "content_block_start":
                self._block(index, object_of(event.get("content_block")), out)
            case "content_block_stop":
                self._close(index, out)
            case "message_start":
                self._start(object_of(event.get("message")), out)
            case "message_delta":
                delta = object_of(event.get("delta"))
                self._end(delta, event.get("usage"), out)
            case "message_stop":
                self._stopped = True
            case _:  # ping, and events of the future
                pass

    def whole(self, value: Any, out: list[Delta]) -> None:
        """One message."""
        message = _checked(value, is_error=False)
        self._start({**message, "usage": None}, out)
        for index, item in enumerate(list_of(message.get("content"))):
            block = object_of(item)
            self._block(index, block, out)
            self._close(index, out)
        self._end(message, message.get("usage"), out)
        self._started = "content" in message
        self._stopped = self._finish is not None

    def finish(self) -> None:
        """The end."""
        if not self._started:
            raise bad_response("the answer holds no message")
        if not self._stopped:
            raise incomplete("message_stop")
        billed = self._usage is not None and bool(self._usage.output_tokens)
        if self._finish in (FinishReason.STOP, None) and not self._said and not billed:
            raise bad_response("the answer is empty")

    def _start(self, message: dict[str, Any], out: list[Delta]) -> None:
        self._started = True
        usage = self._new_usage(message.get("usage"))
        served = text_of(message.get("model")) or None
        if usage or served:
            out.append(Delta(usage=usage, served_model=served))

    def _block(self, index: int | None, block: dict[str, Any], out: list[Delta]) -> None:
        """A block begins, or is there whole. What it holds already is a piece of it."""
        match block.get("type"):
            case "text":
                for citation in list_of(block.get("citations")):
                    self._piece(index, {"type": "citations_delta", "citation": citation}, out)
                self._piece(index, {"type": "text_delta", "text": block.get("text")}, out)
            case "thinking":
                self._piece(index, {"type": "thinking_delta", "thinking": block.get("thinking")}, out)
                self._piece(index, {"type": "signature_delta", "signature": block.get("signature")}, out)
            case "redacted_thinking":
                self._said = True
                out.append(Delta(redacted_reasoning=text_of(block.get("data")), reasoning_format=FORMAT))
            case "tool_use":
                self._said = True
                given = block.get("input")
                call = _Call(self._call_count, json_text.dump(given) if given else "{}")
                self._call_count += 1
                self._calls[index] = call
                piece = ToolCallDelta(call.number, text_of(block.get("id")), text_of(block.get("name")))
                out.append(Delta(tool_calls=(piece,)))
            case _:  # a tool that Anthropic runs, its result, and blocks of the future
                pass

    def _piece(  # noqa: C901 - one case per kind of delta
        self, index: int | None, delta: dict[str, Any], out: list[Delta]
    ) -> None:
        match delta.get("type"):
            case "text_delta":
                text = text_of(delta.get("text"))
                if text:
                    self._said = True
                    out.append(Delta(text))
            case "input_json_delta":
                call = self._calls.get(index)
                arguments = text_of(delta.get("partial_json"))
                if call is not None and arguments:
                    call.begun = True
                    out.append(Delta(tool_calls=(ToolCallDelta(call.number, arguments=arguments),)))
            case "thinking_delta":
                text = text_of(delta.get("thinking"))
                if text:
                    self._said = True
                    out.append(Delta(reasoning=text, reasoning_format=FORMAT))
            case "signature_delta":
                signature = text_of(delta.get("signature"))
                if signature:
                    out.append(Delta(reasoning_signature=signature, reasoning_format=FORMAT))
            case "citations_delta":
                citation = object_of(delta.get("citation"))
                if citation:
                    out.append(Delta(citations=(citation,)))
            case _:
                pass

    def _close(self, index: int | None, out: list[Delta]) -> None:
        """The arguments that came in pieces are all of them; else those that the call began with, `{}` if it had none."""
        call = self._calls.get(index)
        if call is not None and not call.begun:
            call.begun = True
            out.append(Delta(tool_calls=(ToolCallDelta(call.number, arguments=call.given),)))

    def _end(self, said: dict[str, Any], usage_said: Any, out: list[Delta]) -> None:
        for index in self._calls:
            self._close(index, out)
        reason = text_of(said.get("stop_reason"))
        finish = _FINISH.get(reason, FinishReason.STOP) if reason else None
        self._finish = finish or self._finish
        refusal = text_of(object_of(said.get("stop_details")).get("explanation"))
        usage = self._new_usage(usage_said)
        if finish or usage:
            out.append(Delta(refusal=refusal, finish_reason=finish, usage=usage))

    def _new_usage(self, said: Any) -> Usage | None:
        """Usage after laying `said` over what was said before; None where that changes nothing."""
        self._usage_said |= {field: value for field, value in object_of(said).items() if value is not None}
        usage = usage_of(self._usage_said)
        if usage in (self._usage, Usage()):
            return None
        self._usage = usage
        return usage


def usage_of(said: dict[str, Any]) -> Usage:
    """Usage in our terms (wire.md §B.5): `input_tokens` excludes both kinds of cached ones, ours includes them."""
    fresh = count_of(said, "input_tokens")
    read, written = count_of(said, "cache_read_input_tokens"), count_of(said, "cache_creation_input_tokens")
    return Usage(
        input_tokens=None if fresh is None else fresh + (read or 0) + (written or 0),
        output_tokens=count_of(said, "output_tokens"),
        reasoning_tokens=count_of(object_of(said.get("output_tokens_details")), "thinking_tokens"),
        cached_tokens=read,
        cache_write_tokens=written,
        web_searches=count_of(object_of(said.get("server_tool_use")), "web_search_requests"),
    )


def _checked(value: Any, *, is_error: bool) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise bad_response("a part of the answer is not a JSON object", json_text.dump(value))
    event = object_of(value)
    if is_error or event.get("type") == "error" or event.get("error"):
        raise error_inside(event, json_text.dump(event))
    return event
