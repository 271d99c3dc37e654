"""The query of `/v1/rank`: a request in brief."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from llmr.server.schema import Shape, no_path


class RankQuery(Shape):
    """`model` "": the default one. `stream`: whether the answer would be wanted in pieces. `x-llmr-*` headers steer it."""

    model: Annotated[str, Field(max_length=512), AfterValidator(no_path)] = ""
    prompt: Annotated[str, Field(max_length=20_000)] = ""
    stream: Literal["true", "false"] = "true"
