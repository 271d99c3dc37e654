"""The tool calls of a chat completion, which come in pieces that thirty providers number in their own ways (wire.md §B.2)."""

from typing import Any

from llmr.chat import ToolCallDelta
from llmr.wire import json_text
from llmr.wire.json_text import list_of, object_of, text_of
from llmr.wire.parts import call_id


class ToolCalls:
    """Tells the pieces of tool calls apart and numbers the calls in the order in which they appear."""

    __slots__ = ("_by_id", "_by_index", "_count", "_ids")

    def __init__(self) -> None:
        self._by_index: dict[int, int] = {}
        self._by_id: dict[str, int] = {}
        self._ids: list[str] = []
        self._count = 0

    def read(self, said: dict[str, Any], answer_id: str) -> tuple[ToolCallDelta, ...]:
        """The pieces in one message or delta. `answer_id` makes ids for calls that have none."""
        legacy = object_of(said.get("function_call"))
        items = list_of(said.get("tool_calls")) or ([{"index": 0, "function": legacy}] if legacy else [])
        return tuple(self._piece(object_of(item), answer_id) for item in items)

    def _piece(self, item: dict[str, Any], answer_id: str) -> ToolCallDelta:
        function = object_of(item.get("function"))
        name = text_of(function.get("name"))
        said_id = text_of(item.get("id"))
        number = self._known(item.get("index"), said_id, name)
        arguments = function.get("arguments")
        arguments = (
            arguments if isinstance(arguments, str) else json_text.dump(arguments) if arguments is not None else ""
        )
        if number is not None:
            return ToolCallDelta(number, name=name, arguments=arguments, signature=signature_of(item))
        number = self._count
        self._count += 1
        new_id = said_id or call_id(answer_id, number)
        self._ids.append(new_id)
        self._by_id[new_id] = number
        if isinstance(item.get("index"), int):
            self._by_index[item["index"]] = number
        return ToolCallDelta(number, new_id, name, arguments, signature_of(item))

    def _known(self, index: Any, said_id: str, name: str) -> int | None:
        """The number of the call that this piece continues, or None for a new call.

        A known index with another id and a name is a new call: Google's compatible endpoint gives every call the index 0.
        Without a name it goes on: some servers make up a new id for every piece.
        """
        if isinstance(index, int):
            number = self._by_index.get(index)
            another = number is not None and said_id and self._ids[number] != said_id
            return None if another and name else number
        if said_id:
            return self._by_id.get(said_id)
        return self._count - 1 if self._count and not name else None


def signature_of(said: dict[str, Any]) -> str | None:
    """Google's thought signature, of a message or of a call, at its OpenAI-compatible endpoint."""
    google = object_of(object_of(said.get("extra_content")).get("google"))
    return text_of(google.get("thought_signature")) or None
