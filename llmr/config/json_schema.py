"""A JSON Schema of routing.toml, from the very models that read it: what an editor completes and explains.

JSON Schema 2020-12, as taplo (Even Better TOML) and others read it. TOML has no null, so nothing may be null here: a key is
there or it is not. The defaults that are shown are the frozen values' own.
"""

from collections.abc import Mapping
from dataclasses import fields
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from llmr.config.schema import (
    BreakerTable,
    CacheTable,
    FallbackTable,
    HedgingTable,
    RoutingFile,
    SemanticTable,
    TimeoutsTable,
)
from llmr.config.schema_types import Table
from llmr.routing.policy import BreakerPolicy, CachePolicy, FallbackPolicy, HedgingPolicy, Policy, SemanticPolicy

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"

_DEFAULTS: Final[Mapping[type[Table], object]] = MappingProxyType(
    {
        BreakerTable: BreakerPolicy(),
        CacheTable: CachePolicy(),
        FallbackTable: FallbackPolicy(),
        HedgingTable: HedgingPolicy(),
        SemanticTable: SemanticPolicy(),
        TimeoutsTable: Policy().timeouts,
    }
)
"""Tables whose keys are the fields of a frozen value."""


class _WithoutNull(GenerateJsonSchema):
    """What is left out is absent, never null."""

    schema_dialect = DIALECT

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002 - pydantic asks per type
        """No titles: a key is its own."""
        return False

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        """Only what may be written."""
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        """Without pydantic's own defaults, which only say that nobody set the key."""
        return self.generate_inner(schema["schema"])


def routing_schema() -> dict[str, Any]:
    """The schema, as JSON."""
    schema = RoutingFile.model_json_schema(by_alias=True, schema_generator=_WithoutNull)
    definitions: dict[str, Any] = schema["$defs"]
    for table, values in _DEFAULTS.items():
        _set_defaults(definitions[table.__name__]["properties"], values)
    _set_defaults(schema["properties"], Policy())
    return {"$schema": DIALECT, "title": "routing.toml", **{k: v for k, v in schema.items() if k != "title"}}


def _set_defaults(properties: dict[str, Any], values: object) -> None:
    for field in fields(values):  # type: ignore[arg-type]  # a frozen value
        default = getattr(values, field.name)
        if field.name == "first_token_s":
            default = "auto"
        if field.name in properties and isinstance(default, str | int | float):
            properties[field.name]["default"] = default.value if isinstance(default, StrEnum) else default
