"""What the server says, as pydantic models: the half of `/openapi.json` that nothing validates at run time.

Answers are written in wire/serving/ and listings.py, without these models: an answer is on the hot path and its writer is ours.
What keeps the two together is a test (Schemathesis, tests/server/test_openapi.py), which holds real answers against them; so
every model here forbids what it does not name. Documents of llmr's own (`llmr.rank/1`, `llmr.status/1`) are described to their
first level.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field

Json = dict[str, Any]
Count = Annotated[int, Field(ge=0)]


class Answer(BaseModel):
    """Nothing beyond what is named."""

    model_config = ConfigDict(extra="forbid")


class OpenAIFault(Answer):
    """`code` is for programs, `message` for people."""

    message: str
    type: Literal["invalid_request_error", "rate_limit_error", "server_error"]
    param: str | None
    code: str


class OpenAIError(Answer):
    """A refusal, as OpenAI says it."""

    error: OpenAIFault


class AnthropicFault(Answer):
    """What it is."""

    type: str
    message: str


class AnthropicError(Answer):
    """A refusal, as Anthropic says it."""

    type: Literal["error"]
    error: AnthropicFault
    request_id: str


class ToolCallFunction(Answer):
    """`arguments` is JSON text."""

    name: str
    arguments: str


class ToolCall(Answer):
    """A call that the model asks for."""

    id: str
    type: Literal["function"]
    function: ToolCallFunction
    extra_content: Json | None = None


class Logprobs(Answer):
    """As the provider gave them."""

    content: list[Json]
    refusal: None


class CompletionMessage(Answer):
    """The answer. Reasoning stands in the fields that other gateways use for it."""

    role: Literal["assistant"]
    content: str | None
    refusal: str | None
    tool_calls: list[ToolCall] | None = None
    reasoning_content: str | None = None
    reasoning_details: list[Json] | None = None
    annotations: list[Json] | None = None
    extra_content: Json | None = None


FinishReason = Literal["stop", "length", "tool_calls", "content_filter"]


class CompletionChoice(Answer):
    """The one choice."""

    index: Literal[0]
    message: CompletionMessage
    logprobs: Logprobs | None
    finish_reason: FinishReason


class CompletionUsage(Answer):
    """Tokens; `cost` in dollars, where the provider said one."""

    prompt_tokens: Count
    completion_tokens: Count
    total_tokens: Count
    prompt_tokens_details: dict[str, Count]
    completion_tokens_details: dict[str, Count]
    cost: float | None = None


class ChatCompletion(Answer):
    """A whole answer. `usage` null: nobody counted."""

    id: str
    object: Literal["chat.completion"]
    created: int
    model: str
    choices: Annotated[list[CompletionChoice], Field(min_length=1, max_length=1)]
    usage: CompletionUsage | None


class ChunkChoice(Answer):
    """A piece."""

    index: Literal[0]
    delta: Json
    logprobs: Logprobs | None
    finish_reason: FinishReason | None


class ChatCompletionChunk(Answer):
    """One event of a streamed answer; the last is `[DONE]`, and one that breaks off ends in an `OpenAIError` instead."""

    id: str
    object: Literal["chat.completion.chunk"]
    created: int
    model: str
    choices: Annotated[list[ChunkChoice], Field(max_length=1)]
    usage: CompletionUsage | None = None


class TextOut(Answer):
    """Text."""

    type: Literal["text"]
    text: str
    citations: list[Json] | None = None


class ThinkingOut(Answer):
    """Thinking, signed."""

    type: Literal["thinking"]
    thinking: str
    signature: str


class RedactedOut(Answer):
    """Thinking, withheld."""

    type: Literal["redacted_thinking"]
    data: str


class ToolUseOut(Answer):
    """A call that the model asks for."""

    type: Literal["tool_use"]
    id: str
    name: str
    input: Json


class MessageUsage(Answer):
    """Tokens; `input_tokens` without both kinds of cached ones."""

    input_tokens: Count
    output_tokens: Count
    cache_read_input_tokens: Count | None = None
    cache_creation_input_tokens: Count | None = None
    output_tokens_details: dict[str, Count] | None = None
    server_tool_use: dict[str, Count] | None = None


class MessageAnswer(Answer):
    """A whole answer."""

    id: str
    type: Literal["message"]
    role: Literal["assistant"]
    model: str
    content: list[Annotated[TextOut | ThinkingOut | RedactedOut | ToolUseOut, Discriminator("type")]]
    stop_reason: Literal["end_turn", "max_tokens", "tool_use", "refusal", "pause_turn"]
    stop_sequence: None
    usage: MessageUsage


class MessageEvent(BaseModel):
    """One event of a streamed answer, by its type."""

    model_config = ConfigDict(extra="allow")

    type: Literal[
        "message_start",
        "content_block_start",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
        "error",
    ]


class TokenCount(Answer):
    """An estimate."""

    input_tokens: Count


class Embedding(BaseModel):
    """A vector: numbers, or their bytes in base64. It is passed on as the provider gave it."""

    model_config = ConfigDict(extra="allow")

    object: Literal["embedding"]
    index: Count
    embedding: list[float] | str


class EmbeddingUsage(Answer):
    """Tokens."""

    prompt_tokens: Count
    total_tokens: Count


class EmbeddingList(Answer):
    """Vectors, in the order of their texts."""

    object: Literal["list"]
    data: list[Embedding]
    model: str
    usage: EmbeddingUsage


class ModelCard(Answer):
    """A model, as OpenAI's SDK reads it."""

    id: str
    object: Literal["model"]
    created: int
    owned_by: str


class ModelList(Answer):
    """All of them."""

    object: Literal["list"]
    data: list[ModelCard]


class AnthropicModel(Answer):
    """A model, as Anthropic's SDK reads it (to who sends `anthropic-version`)."""

    type: Literal["model"]
    id: str
    display_name: str
    created_at: str


class AnthropicModelList(Answer):
    """All of them."""

    data: list[AnthropicModel]
    has_more: Literal[False]
    first_id: str | None
    last_id: str | None


class RankAnswer(Answer):
    """As `llmr rank --json` has it."""

    schema_: Annotated[Literal["llmr.rank/1"], Field(alias="schema")]
    model: str
    strategy: str
    prompt_tokens: Count
    explored: bool
    ranked: list[Json]
    rejected: list[Json]
    flips: Json | None
    rules: list[Json]


class StatusAnswer(Answer):
    """What the page at / shows."""

    schema_: Annotated[Literal["llmr.status/1"], Field(alias="schema")]
    version: str
    now: float
    under_way: Count
    spent_1d_usd: float
    names: list[str]
    default_model: str | None
    providers: list[Json]
    decisions: list[Json]


class Health(Answer):
    """It serves."""

    status: Literal["ok"]


class OpenApiDocument(BaseModel):
    """This document."""

    model_config = ConfigDict(extra="allow")

    openapi: str
    info: Json
    paths: Json
    components: Json
