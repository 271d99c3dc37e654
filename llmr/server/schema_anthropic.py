"""The shape of a messages request. Source: Anthropic's API reference (2023-06-01), and what its clients send.

Tools that Anthropic itself runs (web search, code execution, MCP servers) are refused: no other provider could stand in, and
an MCP server is a URL that a client would name.
"""

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from llmr.server.limits import LIMITS
from llmr.server.schema import CacheControl, ModelName, OpenShape, Shape

Name = Annotated[str, Field(min_length=1, max_length=512)]
Tokens = Annotated[int, Field(ge=1, le=LIMITS.output_tokens)]


class TextBlock(OpenShape):
    """Text; citations beside it are passed over."""

    type: Literal["text"]
    text: str
    cache_control: CacheControl | None = None


class UrlSource(Shape):
    """A URL that a provider may open; nothing here does."""

    type: Literal["url"]
    url: str


class Base64Source(Shape):
    """Content."""

    type: Literal["base64"]
    media_type: Annotated[str, Field(pattern=r"^[a-z0-9.+-]+/[a-z0-9.+-]+$", max_length=128)]
    data: str


class TextSource(Shape):
    """A document of plain text."""

    type: Literal["text"]
    media_type: str = "text/plain"
    data: str


class ImageBlock(OpenShape):
    """An image."""

    type: Literal["image"]
    source: Annotated[UrlSource | Base64Source, Discriminator("type")]
    cache_control: CacheControl | None = None


class DocumentBlock(OpenShape):
    """A document."""

    type: Literal["document"]
    source: Annotated[UrlSource | Base64Source | TextSource, Discriminator("type")]
    title: str | None = None
    cache_control: CacheControl | None = None


class ToolUseBlock(OpenShape):
    """A call that the assistant asked for."""

    type: Literal["tool_use"]
    id: str
    name: str
    input: dict[str, Any]
    cache_control: CacheControl | None = None


def _kind(value: object) -> str:
    return "list" if isinstance(value, list) else "text"


ResultBlock = Annotated[TextBlock | ImageBlock | DocumentBlock, Discriminator("type")]


class ToolResultBlock(OpenShape):
    """What a tool returned."""

    type: Literal["tool_result"]
    tool_use_id: str
    content: (
        Annotated[
            Annotated[str, Tag("text")] | Annotated[list[ResultBlock], Tag("list")],
            Discriminator(_kind),
        ]
        | None
    ) = None
    is_error: bool | None = None
    cache_control: CacheControl | None = None


class ThinkingBlock(OpenShape):
    """Earlier thinking, signed."""

    type: Literal["thinking"]
    thinking: str
    signature: str | None = None


class RedactedBlock(OpenShape):
    """Earlier thinking, withheld."""

    type: Literal["redacted_thinking"]
    data: str


Block = Annotated[
    TextBlock | ImageBlock | DocumentBlock | ToolUseBlock | ToolResultBlock | ThinkingBlock | RedactedBlock,
    Discriminator("type"),
]
Content = Annotated[Annotated[str, Tag("text")] | Annotated[list[Block], Tag("list")], Discriminator(_kind)]
System = Annotated[Annotated[str, Tag("text")] | Annotated[list[TextBlock], Tag("list")], Discriminator(_kind)]


class Turn(OpenShape):
    """One turn."""

    role: Literal["user", "assistant", "system"]
    content: Content


class MessagesTool(OpenShape):
    """A tool of the client's own."""

    name: Annotated[str, Field(min_length=1, max_length=128)]
    type: Literal["custom"] | None = None
    description: str | None = None
    input_schema: dict[str, Any]
    strict: bool | None = None
    cache_control: CacheControl | None = None


class AnyTool(Shape):
    """Whether a tool must be called."""

    type: Literal["auto", "any", "none"]
    disable_parallel_tool_use: bool | None = None


class MessagesNamedTool(Shape):
    """The tool that must be called."""

    type: Literal["tool"]
    name: Name
    disable_parallel_tool_use: bool | None = None


class Thinking(OpenShape):
    """Whether to think, and for how long."""

    type: Literal["enabled", "disabled", "adaptive"]
    budget_tokens: Annotated[int, Field(ge=1, le=LIMITS.output_tokens)] | None = None


class JsonFormat(OpenShape):
    """JSON by a schema."""

    type: Literal["json_schema"]
    schema_: Annotated[dict[str, Any], Field(alias="schema")]


class OutputConfig(Shape):
    """The shape of the answer, and how hard to think."""

    effort: Annotated[str, Field(pattern="^[a-z]{1,16}$")] | None = None
    format: JsonFormat | None = None


class CountTokensRequest(Shape):
    """`POST /v1/messages/count_tokens`: what makes a prompt long, and what may stand beside it."""

    model: ModelName
    messages: Annotated[list[Turn], Field(min_length=1, max_length=10_000)]
    system: System | None = None
    tools: Annotated[list[MessagesTool], Field(max_length=1024)] | None = None
    tool_choice: Annotated[AnyTool | MessagesNamedTool, Discriminator("type")] | None = None
    thinking: Thinking | None = None
    output_config: OutputConfig | None = None
    output_format: JsonFormat | None = None
    cache_control: CacheControl | None = None
    context_management: dict[str, Any] | None = None


class MessagesRequest(CountTokensRequest):
    """`POST /v1/messages`."""

    max_tokens: Tokens
    stream: bool | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(ge=0, le=1)] | None = None
    top_k: Annotated[int, Field(ge=0, le=10_000)] | None = None
    stop_sequences: Annotated[list[str], Field(max_length=16)] | None = None
    metadata: dict[Annotated[str, Field(max_length=64)], Annotated[str, Field(max_length=4096)] | None] | None = None
    service_tier: Literal["auto", "standard_only"] | None = None
