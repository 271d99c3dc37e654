"""Reading OpenAI's Responses API, streamed or whole (wire.md §B.1).

    response.created → … → output_item.added(i) → its deltas → output_item.done(i) → … → response.completed|incomplete|failed

The last event carries the whole response, and it is the end: there is no `[DONE]`. Deltas make the answer; what came
without deltas (a gateway may send only `done` events) is taken from the item once it is done. Tools that OpenAI runs itself
are no calls for us.
"""

from typing import Any, Final

from llmr.chat import Delta, FinishReason, ToolCallDelta, Usage
from llmr.dataclass import dataclass
from llmr.wire import json_text
from llmr.wire.decoding import incomplete
from llmr.wire.errors import bad_response, error_inside
from llmr.wire.json_text import count_of, list_of, object_of, objects_in, text_of
from llmr.wire.openai_usage import cost_usd
from llmr.wire.parts import call_id

FORMAT: Final = "openai-responses-v1"  # OpenRouter's name for reasoning of this origin
_INCOMPLETE: Final = {
    "max_output_tokens": FinishReason.LENGTH,
    "content_filter": FinishReason.CONTENT_FILTER,
}
_FINISH: Final = {
    "completed": FinishReason.STOP,
    "queued": FinishReason.PAUSED,
    "in_progress": FinishReason.PAUSED,
    "incomplete": FinishReason.LENGTH,
    "cancelled": FinishReason.ERROR,
}
_REASONING_DELTAS: Final = ("response.reasoning_summary_text.delta", "response.reasoning_text.delta")
_ENDS: Final = ("response.completed", "response.incomplete", "response.failed", "response.cancelled")


@dataclass(slots=True)
class _Item:
    """An output item under way: what has been said of it."""

    call_number: int | None = None
    said: bool = False


class ResponseReader:
    """`AnswerReader` for the Responses API."""

    __slots__ = (
        "_answer_id",
        "_call_count",
        "_finish",
        "_items",
        "_refused",
        "_said",
        "_served",
        "_summaries",
        "_usage",
    )

    def __init__(self) -> None:
        self._answer_id = ""
        self._call_count = 0
        self._finish: FinishReason | None = None
        self._items: dict[int | None, _Item] = {}  # by output index
        self._refused = False
        self._said = False
        self._served = ""
        self._summaries = 0
        self._usage: Usage | None = None

    def event(self, name: str, value: Any, out: list[Delta]) -> None:
        """One event. Its data repeats its name as `type`; the name alone serves where it does not."""
        event = _checked(value, is_error=name == "error")
        kind = text_of(event.get("type")) or name
        if kind == "response.output_text.delta":
            self._tell(event, Delta(text_of(event.get("delta")), logprobs=_logprobs(event)), out)
        elif kind in _REASONING_DELTAS:
            self._tell(event, Delta(reasoning=text_of(event.get("delta")), reasoning_format=FORMAT), out)
        elif kind == "response.refusal.delta":
            self._refused = True
            self._tell(event, Delta(refusal=text_of(event.get("delta"))), out)
        elif kind == "response.function_call_arguments.delta":
            self._arguments(event, out)
        else:
            self._rarer(kind, event, out)

    def whole(self, value: Any, out: list[Delta]) -> None:
        """One response."""
        response = _checked(value, is_error=False)
        if "output" not in response and "status" not in response:
            raise bad_response("the answer holds no response")
        self._close(response, out)

    def finish(self) -> None:
        """The end."""
        if self._finish is None and not self._said and not self._answer_id:
            raise bad_response("the answer holds no response")
        if self._finish is None:
            raise incomplete("response.completed")
        billed = self._usage is not None and bool(self._usage.output_tokens)
        if self._finish is FinishReason.STOP and not self._said and not billed:
            raise bad_response("the answer is empty")

    def _rarer(self, kind: str, event: dict[str, Any], out: list[Delta]) -> None:
        if kind in _ENDS:
            self._close(object_of(event.get("response")), out)
        elif kind in ("response.created", "response.in_progress"):
            self._open(object_of(event.get("response")), out)
        elif kind == "response.output_item.added":
            item = object_of(event.get("item"))
            if item.get("type") == "function_call":
                self._call(count_of(event, "output_index"), {**item, "arguments": ""}, out)
        elif kind == "response.output_item.done":
            self._done(count_of(event, "output_index"), object_of(event.get("item")), out)
        elif kind == "response.reasoning_summary_part.added":
            self._summaries += 1
            if self._summaries > 1:  # a summary is a list of paragraphs
                out.append(Delta(reasoning="\n\n", reasoning_format=FORMAT))
        elif kind == "response.output_text.annotation.added":
            citation = object_of(event.get("annotation"))
            if citation:
                out.append(Delta(citations=(citation,)))

    def _item(self, index: int | None) -> _Item:
        return self._items.setdefault(index, _Item())

    def _tell(self, event: dict[str, Any], delta: Delta, out: list[Delta]) -> None:
        self._item(count_of(event, "output_index")).said = True
        if delta.has_content or delta.logprobs:
            self._said = True
            out.append(delta)

    def _arguments(self, event: dict[str, Any], out: list[Delta]) -> None:
        item = self._item(count_of(event, "output_index"))
        arguments = text_of(event.get("delta"))
        if item.call_number is not None and arguments:
            item.said = True
            out.append(Delta(tool_calls=(ToolCallDelta(item.call_number, arguments=arguments),)))

    def _call(self, index: int | None, said: dict[str, Any], out: list[Delta]) -> None:
        item = self._item(index)
        item.call_number = self._call_count
        self._call_count += 1
        self._said = True
        arguments = text_of(said.get("arguments"))
        item.said = bool(arguments)
        given = text_of(said.get("call_id")) or text_of(said.get("id")) or call_id(self._answer_id, item.call_number)
        out.append(Delta(tool_calls=(ToolCallDelta(item.call_number, given, text_of(said.get("name")), arguments),)))

    def _done(self, index: int | None, said: dict[str, Any], out: list[Delta]) -> None:
        """An item is whole: what no delta has told is told now."""
        item = self._item(index)
        match said.get("type"):
            case "function_call":
                if item.call_number is None:
                    self._call(index, said, out)
                elif not item.said:
                    self._arguments({"output_index": index, "delta": said.get("arguments")}, out)
            case "message":
                if not item.said:
                    self._message(index, said, out)
            case "reasoning":
                self._reasoning(item, said, out)
            case _:  # tools that OpenAI runs, and items of the future
                pass

    def _message(self, index: int | None, said: dict[str, Any], out: list[Delta]) -> None:
        for content in map(object_of, list_of(said.get("content"))):
            citations = objects_in(content.get("annotations"))
            refusal = text_of(content.get("refusal"))
            self._refused = self._refused or bool(refusal)
            delta = Delta(text_of(content.get("text")), refusal=refusal, logprobs=_logprobs(content))
            self._tell({"output_index": index}, delta, out)
            if citations:
                out.append(Delta(citations=citations))

    def _reasoning(self, item: _Item, said: dict[str, Any], out: list[Delta]) -> None:
        """The id and the encrypted content close the block; both go back together, or not at all."""
        texts = [
            text_of(object_of(part).get("text"))
            for part in (*list_of(said.get("summary")), *list_of(said.get("content")))
        ]
        if not item.said and any(texts):
            item.said = self._said = True
            out.append(Delta(reasoning="\n\n".join(filter(None, texts)), reasoning_format=FORMAT))
        encrypted = text_of(said.get("encrypted_content"))
        if encrypted:
            out.append(Delta(reasoning_signature=text_of(said.get("id")), reasoning_format=FORMAT))
            out.append(Delta(redacted_reasoning=encrypted, reasoning_format=FORMAT))

    def _open(self, response: dict[str, Any], out: list[Delta]) -> None:
        self._answer_id = self._answer_id or text_of(response.get("id"))
        served = text_of(response.get("model"))
        if served and not self._served:
            self._served = served
            out.append(Delta(served_model=served))

    def _close(self, response: dict[str, Any], out: list[Delta]) -> None:
        """The whole response: items that no event has told, usage, and how it ended."""
        if response.get("status") == "failed" or response.get("error"):
            raise error_inside({"error": response.get("error") or "the response failed"}, json_text.dump(response))
        self._open(response, out)
        if not self._items:
            for index, item in enumerate(list_of(response.get("output"))):
                self._done(index, object_of(item), out)
        self._usage = usage_of(object_of(response.get("usage"))) if response.get("usage") else None
        self._finish = self._finish_of(response)
        out.append(Delta(finish_reason=self._finish, usage=self._usage))

    def _finish_of(self, response: dict[str, Any]) -> FinishReason:
        finish = _FINISH.get(text_of(response.get("status")), FinishReason.STOP)
        if finish is FinishReason.LENGTH:
            return _INCOMPLETE.get(text_of(object_of(response.get("incomplete_details")).get("reason")), finish)
        if finish is FinishReason.STOP and self._call_count:
            return FinishReason.TOOL_CALLS
        return FinishReason.REFUSAL if finish is FinishReason.STOP and self._refused else finish


def usage_of(said: dict[str, Any]) -> Usage:
    """Usage in our terms (wire.md §B.5)."""
    return Usage(
        input_tokens=count_of(said, "input_tokens"),
        output_tokens=count_of(said, "output_tokens"),
        reasoning_tokens=count_of(object_of(said.get("output_tokens_details")), "reasoning_tokens"),
        cached_tokens=count_of(object_of(said.get("input_tokens_details")), "cached_tokens"),
        cache_write_tokens=count_of(object_of(said.get("input_tokens_details")), "cache_write_tokens"),  # OpenRouter
        cost_usd=cost_usd(said),
    )


def _logprobs(said: dict[str, Any]) -> tuple[dict[str, Any], ...]:
    return objects_in(said.get("logprobs"))


def _checked(value: Any, *, is_error: bool) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise bad_response("a part of the answer is not a JSON object", json_text.dump(value))
    event = object_of(value)
    if is_error or event.get("type") == "error" or event.get("error"):
        raise error_inside(event, json_text.dump(event))
    return event
