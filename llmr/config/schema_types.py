"""The types of settings: words of a closed set, one or several strings, seconds, dollars.

Each type says twice what it takes: to pydantic, which checks a file, and to JSON Schema, by which an editor completes one.
"""

import shlex
from enum import StrEnum
from typing import Annotated, Any, Final

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    Tag,
    WithJsonSchema,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import PydanticCustomError, core_schema

from llmr.catalog import OnLimit, Strategy, WireFormat
from llmr.routing.circuit import Phase
from llmr.routing.policy import OnBreak, OnRejection

HOURS: Final = r"([01]\d|2[0-3]):([0-5]\d)-(?:([01]\d|2[0-3]):([0-5]\d)|24:00)"
DAY: Final = "(?:mon|tue|wed|thu|fri|sat|sun)"


class Table(BaseModel):
    """A TOML table: no unknown keys, no coercion, no input in errors."""

    model_config = ConfigDict(extra="forbid", strict=True, hide_input_in_errors=True, allow_inf_nan=False)


class OneOf:
    """A string that is one of an enum's values."""

    def __init__(self, choices: type[StrEnum]) -> None:
        self._names = [choice.value for choice in choices]

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        """pydantic's hook: the string first, then whether it is known."""
        return core_schema.no_info_after_validator_function(self._checked, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """pydantic's hook: the choices, for completion."""
        return {**handler(schema), "enum": self._names}

    def _checked(self, value: str) -> str:
        if value not in self._names:
            raise PydanticCustomError("unknown", "unknown", {"known": self._names})
        return value


def word_or_list(value: object) -> str:
    """Which member of a union a value is meant for, so that an error speaks of one type only; a string is the usual one."""
    return "list" if isinstance(value, list) else "string"


def word_or_table(value: object) -> str:
    """As `word_or_list`, where the other one is a table."""
    return "table" if isinstance(value, dict | Table) else "string"


def list_or_table(value: object) -> str:
    """As `word_or_list`, where a list is the usual one."""
    return "table" if isinstance(value, dict | Table) else "list"


def truth_or_table(value: object) -> str:
    """As `word_or_list`, where true or false is the usual one."""
    return "table" if isinstance(value, dict | Table) else "truth"


def listed(value: str | list[str]) -> list[str]:
    """One string is a list of one."""
    return [value] if isinstance(value, str) else value


def _words_of_command(value: str | list[str]) -> list[str]:
    try:
        words = shlex.split(value) if isinstance(value, str) else value
    except ValueError as error:
        raise PydanticCustomError("expected", "a command whose quotes are closed") from error
    if not words or not words[0] or any("\0" in word for word in words):
        raise PydanticCustomError("expected", "a program and its arguments")
    return words


def _auto(value: object) -> object:
    if value == "auto":
        return None
    if isinstance(value, str) or value is None:
        raise PydanticCustomError("expected", 'a number of seconds or "auto"')
    return value


Words = Annotated[
    Annotated[str, Tag("string")] | Annotated[list[str], Field(max_length=100), Tag("list")],
    Discriminator(word_or_list),
    AfterValidator(listed),
]
"""One string, or a list of them."""

Command = Annotated[
    Annotated[str, Tag("string")] | Annotated[list[str], Field(max_length=100), Tag("list")],
    Discriminator(word_or_list),
    AfterValidator(_words_of_command),
]
"""A program and its arguments: a list, or a string that is cut into words as a shell would, and no shell runs it."""

StrategyName = Annotated[str, OneOf(Strategy)]
WireName = Annotated[str, OneOf(WireFormat)]
BreakName = Annotated[str, OneOf(OnBreak)]
RejectionName = Annotated[str, OneOf(OnRejection)]
LimitName = Annotated[str, OneOf(OnLimit)]
PhaseName = Annotated[str, OneOf(Phase)]

StrategyNames = Annotated[
    Annotated[StrategyName, Tag("string")] | Annotated[list[StrategyName], Tag("list")],
    Discriminator(word_or_list),
    AfterValidator(listed),
]
PhaseNames = Annotated[
    Annotated[PhaseName, Tag("string")] | Annotated[list[PhaseName], Tag("list")],
    Discriminator(word_or_list),
    AfterValidator(listed),
]

Seconds = Annotated[float, Field(gt=0, le=86_400)]
AutoSeconds = Annotated[
    Annotated[float, Field(gt=0, le=86_400)] | None,
    BeforeValidator(_auto),
    WithJsonSchema({"anyOf": [{"type": "number", "exclusiveMinimum": 0, "maximum": 86_400}, {"const": "auto"}]}),
]
Dollars = Annotated[float, Field(ge=0, le=1e6)]
Fraction = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=0, le=2**53)]
HoursText = Annotated[str, WithJsonSchema({"type": "string", "pattern": f"^{HOURS}$", "examples": ["22:00-06:00"]})]
