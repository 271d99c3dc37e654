"""The shape of a chat completion request. Sources: OpenAI's API reference, and what clients of other gateways send."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Discriminator, Field, Tag
from pydantic_core import PydanticCustomError

from llmr.server.limits import LIMITS
from llmr.server.schema import CacheControl, ModelName, OpenShape, Shape

Number = Annotated[float, Field(ge=-2, le=2)]
Name = Annotated[str, Field(min_length=1, max_length=512)]
Tokens = Annotated[int, Field(ge=1, le=LIMITS.output_tokens)]
Sound = Literal["wav", "mp3", "flac", "ogg", "opus", "aac", "m4a"]


class TextPart(OpenShape):
    """Text."""

    type: Literal["text"]
    text: str
    cache_control: CacheControl | None = None


class RefusalPart(OpenShape):
    """An earlier refusal."""

    type: Literal["refusal"]
    refusal: str


class ImageUrl(Shape):
    """`data:` or http(s); nothing here opens it."""

    url: str
    detail: Literal["auto", "low", "high", "original"] | None = None


class ImagePart(OpenShape):
    """An image."""

    type: Literal["image_url"]
    image_url: ImageUrl
    cache_control: CacheControl | None = None


class InputAudio(Shape):
    """Sound, in base64."""

    data: str
    format: Sound


class AudioPart(OpenShape):
    """Sound."""

    type: Literal["input_audio"]
    input_audio: InputAudio
    cache_control: CacheControl | None = None


class File(Shape):
    """A document as a data URL. A `file_id` belongs to one provider, so it is not known here."""

    file_data: str
    filename: str | None = None


class FilePart(OpenShape):
    """A document."""

    type: Literal["file"]
    file: File
    cache_control: CacheControl | None = None


Part = Annotated[TextPart | RefusalPart | ImagePart | AudioPart | FilePart, Discriminator("type")]


def _kind(value: object) -> str:
    return "list" if isinstance(value, list) else "text"


Content = Annotated[Annotated[str, Tag("text")] | Annotated[list[Part], Tag("list")], Discriminator(_kind)]


class Called(OpenShape):
    """Name and arguments of a call."""

    name: str
    arguments: str = ""


class Call(OpenShape):
    """A call that the assistant asked for."""

    id: str
    type: Literal["function"] = "function"
    function: Called


class SystemMessage(OpenShape):
    """What the developer says."""

    role: Literal["system", "developer"]
    content: Content


class UserMessage(OpenShape):
    """What the user says."""

    role: Literal["user"]
    content: Content


class AssistantMessage(OpenShape):
    """An earlier answer, as it was given."""

    role: Literal["assistant"]
    content: Content | None = None
    refusal: str | None = None
    tool_calls: list[Call] | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    reasoning_details: list[dict[str, Any]] | None = None
    extra_content: dict[str, Any] | None = None


class ToolMessage(OpenShape):
    """A tool's result."""

    role: Literal["tool"]
    tool_call_id: str
    content: Content
    cache_control: CacheControl | None = None


ChatMessage = Annotated[SystemMessage | UserMessage | AssistantMessage | ToolMessage, Discriminator("role")]


class Function(Shape):
    """A function that may be called."""

    name: Annotated[str, Field(min_length=1, max_length=128)]
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class Tool(OpenShape):
    """A tool."""

    type: Literal["function"] = "function"
    function: Function
    cache_control: CacheControl | None = None


class NamedFunction(Shape):
    """Its name."""

    name: Name


class NamedTool(Shape):
    """The tool that must be called."""

    type: Literal["function"]
    function: NamedFunction


class JsonSchema(Shape):
    """The schema that the answer must meet."""

    name: Name
    description: str | None = None
    schema_: Annotated[dict[str, Any] | None, Field(alias="schema")] = None
    strict: bool | None = None


class PlainFormat(Shape):
    """Text, or any JSON."""

    type: Literal["text", "json_object"]


class SchemaFormat(Shape):
    """JSON by a schema."""

    type: Literal["json_schema"]
    json_schema: JsonSchema


class StreamOptions(Shape):
    """`include_obfuscation` is OpenAI's own padding: accepted, and not needed on loopback."""

    include_usage: bool | None = None
    include_obfuscation: bool | None = None


def _one_answer(value: object) -> object:
    """The value. Raises PydanticCustomError for more than one answer: only one can be routed, priced and read."""
    if value is not None and value != 1:
        raise PydanticCustomError(
            "one_answer", "can only be 1 here: ask several times instead, which may go to several providers"
        )
    return value


class ChatCompletionRequest(Shape):
    """`POST /v1/chat/completions`. What stands below the line is passed on to whoever is asked."""

    model: ModelName
    messages: Annotated[list[ChatMessage], Field(min_length=1, max_length=10_000)]
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    max_tokens: Tokens | None = None
    max_completion_tokens: Tokens | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(ge=0, le=1)] | None = None
    stop: str | Annotated[list[str], Field(max_length=16)] | None = None
    seed: int | None = None
    reasoning_effort: Annotated[str, Field(pattern="^[a-z]{1,16}$")] | None = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int, Field(ge=0, le=20)] | None = None
    tools: Annotated[list[Tool], Field(max_length=1024)] | None = None
    tool_choice: Literal["auto", "none", "required"] | NamedTool | None = None
    parallel_tool_calls: bool | None = None
    response_format: Annotated[PlainFormat | SchemaFormat, Discriminator("type")] | None = None
    metadata: dict[Annotated[str, Field(max_length=64)], Annotated[str, Field(max_length=512)]] | None = None
    n: Annotated[Literal[1] | None, BeforeValidator(_one_answer)] = None
    # ------------------------------------------------------------------------------------------------------------------
    frequency_penalty: Number | None = None
    presence_penalty: Number | None = None
    logit_bias: dict[str, float] | None = None
    user: str | None = None
    store: bool | None = None
    service_tier: str | None = None
    modalities: list[Literal["text"]] | None = None
    prediction: dict[str, Any] | None = None
    prompt_cache_key: str | None = None
    prompt_cache_retention: str | None = None
    safety_identifier: str | None = None
    verbosity: str | None = None
    web_search_options: dict[str, Any] | None = None
    top_k: int | None = None
    min_p: float | None = None
    repetition_penalty: float | None = None
    chat_template_kwargs: dict[str, Any] | None = None
    reasoning: dict[str, Any] | None = None  # OpenRouter's
    thinking: dict[str, Any] | None = None  # DeepSeek's, z.ai's
    enable_thinking: bool | None = None  # Qwen's
    usage: dict[str, Any] | None = None  # OpenRouter's
