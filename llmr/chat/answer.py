"""What comes: deltas, and what they add up to."""

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from itertools import groupby
from operator import attrgetter
from typing import Any, Final

from llmr.chat.message import Message, Role, Text, Thinking, ToolCall
from llmr.dataclass import dataclass


class FinishReason(StrEnum):
    """Why the answer ended; the mapping per wire is wire.md §B.3."""

    STOP = "stop"
    LENGTH = "length"
    TOOL_CALLS = "tool_calls"
    CONTENT_FILTER = "content_filter"
    REFUSAL = "refusal"
    PAUSED = "paused"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens, normalised (wire.md §B.5): `input` includes cached and cache-written ones, `output` includes reasoning.

    None means the provider did not say, which is not 0. `web_searches` counts searches that the provider made and bills one
    by one. `cost_usd` is the provider's own figure where it gives one.
    """

    input_tokens: int | None = None
    output_tokens: int | None = None
    reasoning_tokens: int | None = None
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None
    audio_input_tokens: int | None = None
    audio_output_tokens: int | None = None
    web_searches: int | None = None
    cost_usd: float | None = None


@dataclass(frozen=True, slots=True)
class ToolCallDelta:
    """A piece of a tool call. Pieces with equal `index` belong together; id and name come once, arguments in pieces."""

    index: int
    id: str = ""
    name: str = ""
    arguments: str = ""
    signature: str | None = None


@dataclass(frozen=True, slots=True)
class Delta:
    """A piece of an answer. Empty fields say nothing; `usage` replaces what an earlier delta said, it is never added.

    `left_out` comes before the request leaves: what was said in it and this provider has no words for.
    """

    text: str = ""
    text_signature: str | None = None
    reasoning: str = ""
    reasoning_signature: str | None = None
    redacted_reasoning: str | None = None
    reasoning_format: str | None = None
    refusal: str = ""
    tool_calls: tuple[ToolCallDelta, ...] = ()
    citations: tuple[Mapping[str, Any], ...] = ()
    logprobs: tuple[Mapping[str, Any], ...] = ()
    finish_reason: FinishReason | None = None
    usage: Usage | None = None
    served_model: str | None = None
    left_out: tuple[str, ...] = ()

    @property
    def has_content(self) -> bool:
        """Whether this is a token of the answer: what stops the first-token clock and commits the router."""
        return bool(self.text or self.reasoning or self.refusal or self.tool_calls or self.redacted_reasoning)


_BESIDE_TEXT: Final = attrgetter(*(name for name in Delta.__slots__ if name not in ("text", "reasoning")))
_NOTHING_BESIDE: Final = _BESIDE_TEXT(Delta())


def merged(deltas: Sequence[Delta]) -> Sequence[Delta]:
    """The same answer in fewer pieces: neighbours that are text and nothing else become one, reasoning likewise.

    For deltas that came at one moment: whoever hands each of them on pays twenty times for what is seen at once.
    """
    if len(deltas) < 2:
        return deltas
    kept: list[Delta] = []
    for (text, reasoning), group in groupby(deltas, _is_only):
        if text:
            kept.append(Delta(text="".join(delta.text for delta in group)))
        elif reasoning:
            kept.append(Delta(reasoning="".join(delta.reasoning for delta in group)))
        else:
            kept.extend(group)
    return kept


def _is_only(delta: Delta) -> tuple[bool, bool]:
    """Whether the delta is text and nothing else, and whether it is reasoning and nothing else."""
    bare = _BESIDE_TEXT(delta) == _NOTHING_BESIDE
    return bare and not delta.reasoning, bare and not delta.text and bool(delta.reasoning)


@dataclass(frozen=True, slots=True)
class ChatResponse:
    """A whole answer, or as much of one as came."""

    text: str
    finish_reason: FinishReason | None
    reasoning: str = ""
    thinking: tuple[Thinking, ...] = ()
    refusal: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    citations: tuple[Mapping[str, Any], ...] = ()
    logprobs: tuple[Mapping[str, Any], ...] = ()
    usage: Usage | None = None
    served_model: str | None = None
    text_signature: str | None = None
    left_out: tuple[str, ...] = ()

    def message(self) -> Message:
        """The answer as the assistant's turn of a conversation that goes on."""
        text = (Text(self.text, self.text_signature),) if self.text or self.text_signature else ()
        return Message(Role.ASSISTANT, (*self.thinking, *text, *self.tool_calls))

    @staticmethod
    def from_deltas(deltas: Iterable[Delta]) -> "ChatResponse":
        """Add the deltas up, in order. The last usage, finish reason and model name win."""
        text: list[str] = []
        refusal: list[str] = []
        thinking = _ThinkingBlocks()
        calls: dict[int, ToolCall] = {}
        citations: list[Mapping[str, Any]] = []
        logprobs: list[Mapping[str, Any]] = []
        finish: FinishReason | None = None
        usage: Usage | None = None
        served: str | None = None
        text_signature: str | None = None
        left_out: tuple[str, ...] = ()
        for delta in deltas:
            text.append(delta.text)
            refusal.append(delta.refusal)
            thinking.add(delta)
            for piece in delta.tool_calls:
                calls[piece.index] = _join(calls.get(piece.index), piece)
            citations += delta.citations
            logprobs += delta.logprobs
            finish = delta.finish_reason or finish
            usage = delta.usage or usage
            served = delta.served_model or served
            text_signature = delta.text_signature or text_signature
            left_out = delta.left_out or left_out
        blocks = thinking.blocks()
        return ChatResponse(
            text="".join(text),
            finish_reason=finish,
            reasoning="".join(block.text for block in blocks),
            thinking=blocks,
            refusal="".join(refusal),
            tool_calls=tuple(call for _, call in sorted(calls.items())),
            citations=tuple(citations),
            logprobs=tuple(logprobs),
            usage=usage,
            served_model=served,
            text_signature=text_signature,
            left_out=left_out,
        )


class _ThinkingBlocks:
    """Collects reasoning; a signature or a redacted block closes the block it belongs to."""

    def __init__(self) -> None:
        self._done: list[Thinking] = []
        self._open: list[str] = []
        self._format: str | None = None

    def add(self, delta: Delta) -> None:
        if delta.reasoning_format is not None and (delta.redacted_reasoning is None or delta.reasoning):
            self._format = delta.reasoning_format  # a redacted block's own format is not the open block's
        if delta.reasoning:
            self._open.append(delta.reasoning)
        if delta.redacted_reasoning is None:
            if delta.reasoning_signature is not None:
                self._close(delta.reasoning_signature)
            return
        self._close(None)
        block = Thinking("", delta.reasoning_signature, delta.redacted_reasoning, delta.reasoning_format)
        self._done.append(block)
        self._format = None

    def _close(self, signature: str | None) -> None:
        if self._open or signature is not None:
            self._done.append(Thinking("".join(self._open), signature, format=self._format))
            self._open.clear()
            self._format = None

    def blocks(self) -> tuple[Thinking, ...]:
        self._close(None)
        return tuple(self._done)


def _join(call: ToolCall | None, piece: ToolCallDelta) -> ToolCall:
    if call is None:
        return ToolCall(piece.id, piece.name, piece.arguments, piece.signature)
    return ToolCall(
        piece.id or call.id,
        piece.name or call.name,
        call.arguments + piece.arguments,
        piece.signature or call.signature,
    )
