"""One request and one answer, whoever gives it: the values that every other part exchanges.

A `ChatRequest` is what the user wants, in no provider's dialect. An answer is a stream of `Delta`s; an unstreamed reply is
a stream of one. `ChatResponse` is what the deltas add up to: there is one way to build it, `from_deltas`.
JSON that belongs to someone else (tool schemas, tool arguments) is kept as JSON text, untouched.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import field
from enum import StrEnum
from itertools import groupby
from operator import attrgetter
from types import MappingProxyType
from typing import Any, Final

from llmr.dataclass import dataclass

EMPTY: Final[Mapping[str, Any]] = MappingProxyType({})


class Role(StrEnum):
    """Who speaks. A tool's result is spoken by TOOL."""

    SYSTEM = "system"
    USER = "user"
    ASSISTANT = "assistant"
    TOOL = "tool"


class MediaKind(StrEnum):
    """What an attachment is, by content."""

    IMAGE = "image"
    DOCUMENT = "document"
    AUDIO = "audio"


@dataclass(frozen=True, slots=True)
class CacheMark:
    """The prompt as far as here is worth keeping at the provider, who will be asked more of the kind. `ttl` is how long, in
    Anthropic's words ("5m", "1h"); None: as long as it keeps anything. It changes what an answer costs, not what it says."""

    ttl: str | None = None


@dataclass(frozen=True, slots=True)
class Text:
    """Plain text. `signature` is Gemini's thoughtSignature, echoed unchanged."""

    text: str
    signature: str | None = None
    mark: CacheMark | None = None


@dataclass(frozen=True, slots=True)
class Media:
    """An image, document or sound: exactly one of `content` (raw bytes) and `url`.

    `detail` is a hint how closely to look (OpenAI: low, high, auto), for the wires that take one.
    """

    kind: MediaKind
    media_type: str
    content: bytes | None = None
    url: str | None = None
    name: str | None = None
    detail: str | None = None
    mark: CacheMark | None = None


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call that the model asks for. `arguments` is JSON text as the model wrote it; "" means none were given."""

    id: str
    name: str
    arguments: str
    signature: str | None = None  # Gemini's thoughtSignature: echoed unchanged
    mark: CacheMark | None = None


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What a tool returned, for the call `call_id`: text, and what it showed beside it."""

    call_id: str
    name: str
    content: str
    is_error: bool = False
    media: tuple[Media, ...] = ()
    mark: CacheMark | None = None


@dataclass(frozen=True, slots=True)
class Thinking:
    """Reasoning that some providers want back unchanged. `redacted` is opaque content that replaces the text; its `signature`
    is the id that OpenAI gives such a block.

    `format` names the origin of a block that passed through a gateway (OpenRouter's `anthropic-claude-v1`).
    """

    text: str
    signature: str | None = None
    redacted: str | None = None
    format: str | None = None


Part = Text | Media | ToolCall | ToolResult | Thinking


@dataclass(frozen=True, slots=True)
class Message:
    """One turn."""

    role: Role
    parts: tuple[Part, ...]

    @staticmethod
    def text(role: Role, text: str) -> "Message":
        """A turn of nothing but text."""
        return Message(role, (Text(text),))


@dataclass(frozen=True, slots=True)
class Tool:
    """A function the model may call. `parameters` is its JSON Schema."""

    name: str
    description: str = ""
    parameters: Mapping[str, Any] = field(default_factory=lambda: EMPTY)
    strict: bool | None = None
    mark: CacheMark | None = None


class ToolChoiceMode(StrEnum):
    """Whether a tool must be called."""

    AUTO = "auto"
    NONE = "none"
    REQUIRED = "required"
    NAMED = "named"


@dataclass(frozen=True, slots=True)
class ToolChoice:
    """`name` is set exactly for NAMED. `parallel` None leaves it to the provider."""

    mode: ToolChoiceMode = ToolChoiceMode.AUTO
    name: str | None = None
    parallel: bool | None = None


class ResponseFormat(StrEnum):
    """The shape asked of the answer."""

    TEXT = "text"
    JSON = "json"
    JSON_SCHEMA = "json_schema"


@dataclass(frozen=True, slots=True)
class OutputFormat:
    """`schema`, `name` and `description` belong to JSON_SCHEMA."""

    format: ResponseFormat = ResponseFormat.TEXT
    schema: Mapping[str, Any] = field(default_factory=lambda: EMPTY)
    name: str = "answer"
    strict: bool | None = None
    description: str = ""


@dataclass(frozen=True, slots=True)
class CacheWish:
    """What is wished of the answer cache. `use` None: as it is configured; `fresh`: nothing that is kept will do; `keep` False:
    nothing of this is kept; `max_age_s`: what is older will not do."""

    use: bool | None = None
    fresh: bool = False
    keep: bool = True
    max_age_s: float | None = None


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """What to ask. `model` is the name the user asked for, or "" for the configured default; None means "not said".

    `max_output_tokens` counts tokens; `temperature` is the provider's own scale. `tags`, `metadata`, `strategy`, `on_break`,
    `hedge` and `provider` steer routing and never leave the machine; a tag `k=v` and metadata `{k: v}` are the same to a
    rule. `max_price_usd` caps what it may be expected to cost, `deadline_s` how long it may take. `extra` is passed through to
    an OpenAI-wire provider as it is. `accept` judges a whole answer: what is wrong with it, None: nothing. Until it has judged
    nothing is shown, and an answer it refuses is a failure: the next candidate is asked. `enough_characters`: the rest of a
    longer answer is not waited for; that is no failure, and counts as an answer. None: it is heard to its end.
    """

    messages: tuple[Message, ...]
    model: str = ""
    stream: bool = True
    max_output_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    stop: tuple[str, ...] = ()
    seed: int | None = None
    reasoning_effort: str | None = None
    logprobs: int | None = None
    tools: tuple[Tool, ...] = ()
    tool_choice: ToolChoice = ToolChoice()
    output: OutputFormat = OutputFormat()
    extra: Mapping[str, Any] = field(default_factory=lambda: EMPTY)
    provider: str | None = None
    strategy: str | None = None
    on_break: str | None = None
    tags: tuple[str, ...] = ()
    metadata: Mapping[str, str] = field(default_factory=lambda: EMPTY)
    hedge: bool | None = None
    accept: "Callable[[ChatResponse], str | None] | None" = None
    max_price_usd: float | None = None
    deadline_s: float | None = None
    cache: CacheWish = CacheWish()
    enough_characters: int | None = None

    @property
    def wants_images(self) -> bool:
        """Whether an image is attached anywhere in the conversation, or a tool showed one."""
        return any(media.kind is MediaKind.IMAGE for media in self.media)

    @property
    def media(self) -> Iterator[Media]:
        """All that is attached, in order, what tools returned included."""
        for message in self.messages:
            for part in message.parts:
                if isinstance(part, Media):
                    yield part
                elif isinstance(part, ToolResult):
                    yield from part.media

    @property
    def is_marked(self) -> bool:
        """Whether a CacheMark stands anywhere."""
        parts = (part for message in self.messages for part in message.parts)
        return any(part.mark is not None for part in (*parts, *self.tools) if not isinstance(part, Thinking))

    @property
    def wants_json(self) -> bool:
        """Whether the answer must be JSON."""
        return self.output.format is not ResponseFormat.TEXT


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
