"""What is asked: messages, what may be answered with, and what steers routing."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import field
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final

from llmr.chat.answer import ChatResponse
from llmr.chat.message import CacheMark, Media, MediaKind, Message, Thinking, ToolResult
from llmr.dataclass import dataclass

_NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Tool:
    """A function the model may call. `parameters` is its JSON Schema."""

    name: str
    description: str = ""
    parameters: Mapping[str, Any] = field(default_factory=lambda: _NOTHING)
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
    schema: Mapping[str, Any] = field(default_factory=lambda: _NOTHING)
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
    extra: Mapping[str, Any] = field(default_factory=lambda: _NOTHING)
    provider: str | None = None
    strategy: str | None = None
    on_break: str | None = None
    tags: tuple[str, ...] = ()
    metadata: Mapping[str, str] = field(default_factory=lambda: _NOTHING)
    hedge: bool | None = None
    accept: Callable[[ChatResponse], str | None] | None = None
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
