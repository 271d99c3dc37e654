"""Requests as pydantic models: which fields there are, of what type, in what range. Checked once, at the edge.

A field that is not listed is an error that names it: what a client believes it said and nobody reads is a bug that costs days,
and a field that some provider would take for a URL (`base_url`, `api_base`, `mcp_servers`) has no way in (trust.md T16, B63).
What the fields mean is read in wire/serving/, from the same JSON, which has been parsed once.

`hide_input_in_errors` and the printer below keep what was sent out of what is answered.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import PydanticCustomError

from llmr.wire.json_text import list_of, object_of
from llmr.wire.serving import RequestUnfit

_EXPLAINED: Final = {
    "extra_forbidden": "is not known here, or not passed on",
    "too_short": "is empty",
    "string_too_short": "is empty",
    "missing": "is missing",
    "union_tag_invalid": "is of a type that is not known here",
    "union_tag_not_found": "has no type",
}
_PLACE_LIMIT: Final = 200  # characters of a field's place


class Shape(BaseModel):
    """No unknown fields, no coercion, no input in errors."""

    model_config = ConfigDict(extra="forbid", strict=True, hide_input_in_errors=True, allow_inf_nan=False)


class OpenShape(BaseModel):
    """For what comes back from clients in an assistant's turn: they send what they were given, and more."""

    model_config = ConfigDict(extra="ignore", strict=True, hide_input_in_errors=True, allow_inf_nan=False)


_Model = TypeVar("_Model", bound=BaseModel)


def check_shape(shape: type[_Model], body: Mapping[str, Any], *, passes: frozenset[str] | None = None) -> _Model:
    """The body as the model reads it, but for the fields in `passes`, which nobody reads here; None: nothing may pass so.
    Raises RequestUnfit for the first thing that is wrong."""
    try:
        return shape.model_validate(
            {name: value for name, value in body.items() if name not in passes} if passes else body
        )
    except ValidationError as error:
        raise _first_fault(error, body, may_pass=passes is not None) from None


def _first_fault(error: ValidationError, body: Mapping[str, Any], *, may_pass: bool) -> RequestUnfit:
    """The first fault, in words that quote nothing of what was sent."""
    faults = error.errors(include_url=False, include_context=False, include_input=False)
    fault = faults[0]
    told = _EXPLAINED.get(fault["type"]) or _plain(fault["msg"])
    if may_pass and fault["type"] == "extra_forbidden" and len(fault["loc"]) == 1:
        told += " (`llmr serve --pass NAME` lets a field through)"
    more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
    return RequestUnfit(f"{told}{more}", param=_place(fault["loc"], body)[:_PLACE_LIMIT] or None)


def _plain(message: str) -> str:
    """pydantic's own words, after the name of the field."""
    return message.replace("Input should be", "must be").replace("Value error, ", "")


def _place(steps: tuple[int | str, ...], body: Mapping[str, Any]) -> str:
    """The steps that are in the JSON: pydantic puts the names of a union's branches between them. The last one may be
    what is missing."""
    kept: list[str] = []
    at: Any = body
    for number, step in enumerate(steps):
        known, inner = _inside(at, step)
        if known:
            at = inner
        elif number < len(steps) - 1 or not isinstance(at, dict):
            continue
        kept.append(str(step))
    return ".".join(kept)


def _inside(at: Any, step: int | str) -> tuple[bool, Any]:
    """Whether the JSON has this step, and what is there."""
    if isinstance(step, str):
        return step in object_of(at), object_of(at).get(step)
    items = list_of(at)
    return step < len(items), items[step] if step < len(items) else None


def no_path(name: str) -> str:
    """The name. Raises PydanticCustomError for one that steps about in paths."""
    if not name.isprintable() or any(part in (".", "..") for part in name.split("/")):
        raise PydanticCustomError("name", "must be a name, not a path")
    return name


ModelName = Annotated[str, Field(min_length=1, max_length=512), AfterValidator(no_path)]


class CacheControl(OpenShape):
    """A mark for the provider's prompt cache."""

    type: Literal["ephemeral"]
    ttl: Annotated[str, Field(pattern="^[0-9]{1,4}[smhd]$")] | None = None
