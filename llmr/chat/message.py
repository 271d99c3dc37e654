"""What is said, and by whom: messages, and the parts they are made of."""

from enum import StrEnum

from llmr.dataclass import dataclass


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
