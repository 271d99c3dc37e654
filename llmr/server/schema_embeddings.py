"""The shape of an embeddings request. Source: OpenAI's API reference; `input_type` and `truncate` are NVIDIA's and Cohere's."""

from typing import Annotated, Literal

from pydantic import Field

from llmr.server.schema import ModelName, Shape

Text = Annotated[str, Field(min_length=1)]
Token = Annotated[int, Field(ge=0, le=10_000_000)]
Tokens = Annotated[list[Token], Field(min_length=1, max_length=100_000)]


class EmbeddingsRequest(Shape):
    """`POST /v1/embeddings`."""

    model: ModelName
    input: (
        Text
        | Annotated[list[Text], Field(min_length=1, max_length=2048)]
        | Tokens
        | Annotated[list[Tokens], Field(min_length=1, max_length=2048)]
    )
    dimensions: Annotated[int, Field(ge=1, le=100_000)] | None = None
    encoding_format: Literal["float", "base64"] | None = None
    user: str | None = None
    input_type: Annotated[str, Field(max_length=64)] | None = None
    truncate: Annotated[str, Field(max_length=64)] | None = None
