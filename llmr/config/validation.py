"""Has pydantic and pydantic-settings read the settings, and says in llmr's own words what was wrong.

pydantic's messages and `errors()` hold the input, which may be a secret (trust.md, item 7), so no text of its own gets out:
each error type is phrased here, showing a kind ("a string"), a number, or a word where only a few words are possible.
"""

from collections.abc import Iterator, Mapping
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, EnvSettingsSource, SettingsConfigDict, SettingsError

from llmr.config.environment import PREFIX
from llmr.config.origin import Fault, TomlTable, exists
from llmr.config.schema import RoutingFile
from llmr.config.toml_lines import KeyPath
from llmr.config.wording import kind_of, show


class EnvironmentSettings(RoutingFile, BaseSettings):
    """The same keys as `LLMR_*` variables, `__` between the levels. Never instantiated: it would read files and variables by
    itself; only its source is asked."""

    model_config = SettingsConfigDict(
        extra="forbid", strict=True, hide_input_in_errors=True, env_prefix="LLMR_", env_nested_delimiter="__"
    )


class _VariablesSource(EnvSettingsSource):
    """pydantic-settings' reading of variables, from a mapping instead of the process."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        self._variables = variables
        super().__init__(EnvironmentSettings)

    def _load_env_vars(self) -> Mapping[str, str | None]:
        return {name.lower(): value for name, value in self._variables.items()}


def variables_table(variables: Mapping[str, str]) -> TomlTable:
    """What the `LLMR_*` variables say, as a table like a file's. Raises ValueError for a list or table that is no JSON."""
    try:
        return dict(_VariablesSource(variables)())
    except SettingsError as error:
        raise ValueError("is no valid JSON") from error


def variable_path(name: str) -> KeyPath:
    """The key path that a variable's name means: `LLMR_TIMEOUTS__STALL_S` → `("timeouts", "stall_s")`."""
    return tuple(name.removeprefix(PREFIX).lower().split("__"))


def keys_at(path: KeyPath) -> tuple[str, ...] | None:
    """The keys that a table at `path` may have; None: any, or no such table."""
    here: list[Any] = [RoutingFile]
    for step in path:
        here = [inner for annotation in here for inner in _stepped(annotation, step)]
    tables = [annotation for annotation in here if _is_model(annotation)]
    if not tables:
        return None
    return tuple(field.alias or name for table in tables for name, field in table.model_fields.items())


def is_known(path: KeyPath) -> bool:
    """Whether the schema has a place for `path`."""
    here: list[Any] = [RoutingFile]
    for step in path:
        here = [inner for annotation in here for inner in _stepped(annotation, step)]
    return bool(here)


def validated(table: TomlTable) -> RoutingFile | tuple[Fault, ...]:
    """The settings as models, or all that is wrong with them."""
    try:
        return RoutingFile.model_validate(table)
    except ValidationError as error:
        faults = {(fault := _fault(detail, table)).path: fault for detail in reversed(error.errors(include_url=False))}
        return tuple(faults.values())


_EXPECTED: Mapping[str, str] = {
    "string_type": "a string",
    "string_unicode": "text in UTF-8",
    "float_type": "a number",
    "float_parsing": "a number",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "int_parsing": "a whole number",
    "int_parsing_size": "a smaller whole number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "list_type": "a list",
    "dict_type": "a table",
    "model_type": "a table",
    "model_attributes_type": "a table",
    "finite_number": "a finite number",
}
"""What pydantic's error types ask for; ranges and choices are phrased in `_message`."""


def _fault(detail: ErrorDetails, table: TomlTable) -> Fault:
    path: KeyPath = ()
    for step in detail["loc"]:  # union members are named in it too: only what is in the file counts
        if exists(table, (*path, step)):
            path = (*path, step)
    if detail["type"] == "missing":
        return Fault((*path, detail["loc"][-1]), "is missing")
    match detail["type"]:
        case "extra_forbidden":
            return Fault(path, "unknown key", word=str(detail["loc"][-1]), known=keys_at(path[:-1]) or ())
        case "unknown":
            found = str(detail["input"])
            return Fault(path, f"found {show(found)}", word=found or " ", known=tuple(detail.get("ctx", {})["known"]))
        case _:
            return Fault(path, _message(detail))


def _message(detail: ErrorDetails) -> str:
    kind, bounds, found = detail["type"], detail.get("ctx", {}), detail["input"]
    match kind:
        case "expected":
            return f"expected {detail['msg']}, found {kind_of(found)}"
        case "greater_than":
            return f"expected more than {bounds['gt']:g}, found {kind_of(found)}"
        case "greater_than_equal":
            return f"expected {bounds['ge']:g} or more, found {kind_of(found)}"
        case "less_than_equal":
            return f"expected at most {bounds['le']:g}, found {kind_of(found)}"
        case "less_than":
            return f"expected less than {bounds['lt']:g}, found {kind_of(found)}"
        case "too_short":
            return "is empty"
        case "too_long":
            return f"expected at most {bounds['max_length']} entries"
        case "literal_error":
            return f"expected {bounds['expected']}, found {show(str(found))}"
        case _:
            return f"expected {_EXPECTED.get(kind, 'something else')}, found {kind_of(found)}"


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _stepped(annotation: Any, step: str | int) -> Iterator[Any]:
    """The types that may stand one step inside a type; nothing where there is no such step."""
    if _is_model(annotation):
        field: FieldInfo | None = next(
            (field for name, field in annotation.model_fields.items() if (field.alias or name) == step), None
        )
        if field is not None:
            yield from _members(field.annotation)
        return
    arguments = get_args(annotation)
    if not arguments:
        return
    origin = getattr(annotation, "__origin__", None)
    if (origin is dict and isinstance(step, str)) or (origin is list and isinstance(step, int)):
        yield from _members(arguments[-1])


def _members(annotation: Any) -> Iterator[Any]:
    """A union's members, an annotated type's own type, and so on down."""
    if hasattr(annotation, "__metadata__"):
        yield from _members(annotation.__origin__)
    elif getattr(annotation, "__origin__", None) in {dict, list} or not get_args(annotation):
        yield annotation
    else:
        for member in get_args(annotation):
            yield from _members(member)
