"""routing.toml as pydantic models: which keys there are, of what type, in what range.

Types only. What a name refers to, which URL is fit, whether a rule can ever match, is checks.py's business; defaults are
the frozen values' own (catalog.py, routing/policy.py), so nothing is said twice: a key that nobody sets stays unset here.

Importing this module costs 100 ms and more, so load.py does it only when something changed. Errors are phrased here
and never by pydantic: its messages and `errors()` hold the input, which may be a secret (trust.md, item 7).
`environment.disable_pydantic_plugins()` must have been called before.
"""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, Tag, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails, PydanticCustomError
from pydantic_settings import BaseSettings, EnvSettingsSource, SettingsConfigDict, SettingsError

from llmr.catalog import Strategy, WireFormat
from llmr.config.origin import Fault, KeyPath, TomlTable, exists
from llmr.config.wording import kind_of, show
from llmr.routing.policy import OnBreak


class Table(BaseModel):
    """A TOML table: no unknown keys, no coercion, no input in errors."""

    model_config = ConfigDict(extra="forbid", strict=True, hide_input_in_errors=True, allow_inf_nan=False)


def _kind(value: object) -> str:
    return "table" if isinstance(value, dict) else "list" if isinstance(value, list) else "string"


def _listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def _auto(value: object) -> object:
    if value == "auto":
        return None
    if isinstance(value, str) or value is None:
        raise PydanticCustomError("expected", 'a number of seconds or "auto"')
    return value


def _known(choices: type[Strategy | WireFormat | OnBreak]) -> AfterValidator:
    names = [choice.value for choice in choices]

    def check(value: str) -> str:
        if value not in names:
            raise PydanticCustomError("unknown", "unknown", {"known": names})
        return value

    return AfterValidator(check)


class FromVariable(Table):
    """`{ env = "NAME" }`: the whole value of a variable, read on every run; `append` follows it."""

    env: str
    append: str = ""


Words = Annotated[
    Annotated[str, Tag("string")] | Annotated[list[str], Field(max_length=100), Tag("list")],
    Discriminator(_kind),
    AfterValidator(_listed),
]
"""One string, or a list of them."""

TextOrVariable = Annotated[Annotated[str, Tag("string")] | Annotated[FromVariable, Tag("table")], Discriminator(_kind)]

StrategyName = Annotated[str, _known(Strategy)]
Seconds = Annotated[float, Field(gt=0, le=86_400)]
AutoSeconds = Annotated[Annotated[float, Field(gt=0, le=86_400)] | None, BeforeValidator(_auto)]
Dollars = Annotated[float, Field(ge=0, le=1e6)]
Fraction = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=0, le=2**53)]


class PriceTable(Table):
    """US dollars per million tokens."""

    input_usd: Dollars
    output_usd: Dollars
    cached_input_usd: Dollars | None = None
    cache_write_usd: Dollars | None = None


class ModelFacts(Table):
    """`[providers.NAME.models."ID"]`: what is known of one model at one provider."""

    price: PriceTable | None = None
    context_window_tokens: Annotated[int, Field(ge=1, le=2**53)] | None = None
    max_output_tokens: Annotated[int, Field(ge=1, le=2**53)] | None = None
    tools: bool | None = None
    images: bool | None = None
    json_: Annotated[bool | None, Field(alias="json")] = None
    reasoning: bool | None = None
    documents: bool | None = None
    audio: bool | None = None
    quality: Fraction | None = None


class RateLimitTable(Table):
    """What the account allows."""

    requests_per_minute: Annotated[float, Field(gt=0, le=1e9)] | None = None
    tokens_per_minute: Annotated[float, Field(gt=0, le=1e12)] | None = None
    concurrent: Annotated[int, Field(ge=1, le=100_000)] | None = None


class ProviderTimeouts(Table):
    """A provider's own time-outs."""

    connect_s: Seconds | None = None
    first_token_s: AutoSeconds = None
    stall_s: Seconds | None = None


class DialectTable(Table):
    """Where the provider differs from OpenAI; see catalog.Dialect."""

    max_tokens_field: Literal["max_tokens", "max_completion_tokens"] | None = None
    usage_in_stream: bool | None = None
    system_role: Literal["system", "developer"] | None = None
    auth_header: str | None = None
    auth_prefix: str | None = None
    query: dict[str, str] | None = None
    chat_path: str | None = None
    reasoning_excluded_from_output: bool | None = None
    reasoning_field: Literal["", "reasoning", "reasoning_content", "reasoning_details"] | None = None


ModelList = Annotated[
    Annotated[list[str], Tag("list")] | Annotated[dict[str, ModelFacts], Tag("table")],
    Discriminator(lambda value: "table" if isinstance(value, dict) else "list"),  # pyright: ignore[reportUnknownLambdaType] - untyped input
]


class ProviderTable(Table):
    """`[providers.NAME]`."""

    enabled: bool | None = None
    wire: Annotated[str, _known(WireFormat)] | None = None
    base_url: TextOrVariable | None = None
    api_key_env: Words | None = None
    key_origins: list[str] | None = None
    allow_plaintext: bool | None = None
    shares: str | None = None
    weight: Annotated[float, Field(ge=0, le=1e6)] | None = None
    rate_limit: RateLimitTable | None = None
    timeouts: ProviderTimeouts | None = None
    headers: dict[str, TextOrVariable] | None = None
    dialect: DialectTable | None = None
    models: ModelList | None = None
    local: bool | None = None
    tls_ca: str | None = None


class NameTable(Table):
    """`[models.NAME]`: a name to ask for."""

    candidates: Annotated[list[str], Field(min_length=1, max_length=100)]
    fallback: Annotated[list[str], Field(max_length=100)] | None = None
    strategy: StrategyName | None = None
    quality: Fraction | None = None


class TokenRangeTable(Table):
    """Both bounds are exclusive."""

    over: Count | None = None
    under: Count | None = None


class WhenTable(Table):
    """`when = { … }` of a rule."""

    model: Words | None = None
    prompt_tokens: TokenRangeTable | None = None
    tools: bool | None = None
    images: bool | None = None
    json_: Annotated[bool | None, Field(alias="json")] = None
    stream: bool | None = None
    tags: Words | None = None
    hours: str | None = None
    strategy: (
        Annotated[
            Annotated[StrategyName, Tag("string")] | Annotated[list[StrategyName], Tag("list")],
            Discriminator(_kind),
            AfterValidator(_listed),
        ]
        | None
    ) = None


class RuleTable(Table):
    """`[[rules]]`."""

    name: str | None = None
    when: WhenTable | None = None
    prefer: Words | None = None
    only: Words | None = None
    avoid: Words | None = None
    models: Words | None = None
    strategy: StrategyName | None = None
    tags: Words | None = None
    deny: str | None = None
    then_continue: Annotated[bool | None, Field(alias="continue")] = None


class BreakerTable(Table):
    """`[circuit_breaker]`; see policy.BreakerPolicy."""

    failure_threshold: Annotated[int, Field(ge=1, le=1000)] | None = None
    cooldown_s: Seconds | None = None
    cooldown_cap_s: Seconds | None = None
    jitter: Annotated[float, Field(ge=0, le=0.9)] | None = None
    stable_s: Seconds | None = None
    lease_s: Seconds | None = None
    rate_backoff_s: Seconds | None = None
    rate_backoff_cap_s: Seconds | None = None
    retry_after_cap_s: Seconds | None = None
    hard_s: Seconds | None = None
    early_probe_s: Seconds | None = None
    clock_skew_s: Seconds | None = None


class FallbackTable(Table):
    """`[fallback]`; see policy.FallbackPolicy."""

    max_candidates: Annotated[int, Field(ge=1, le=100)] | None = None
    retries_per_candidate: Annotated[int, Field(ge=0, le=20)] | None = None
    max_attempts: Annotated[int, Field(ge=1, le=100)] | None = None
    backoff_base_s: Seconds | None = None
    backoff_cap_s: Seconds | None = None
    max_wait_s: Annotated[float, Field(ge=0, le=86_400)] | None = None
    on_break: Annotated[str, _known(OnBreak)] | None = None


class TimeoutsTable(Table):
    """`[timeouts]`; see catalog.Timeouts."""

    connect_s: Seconds | None = None
    first_token_s: AutoSeconds = None
    stall_s: Seconds | None = None
    deadline_s: Seconds | None = None
    total_s: Seconds | None = None


class StateTable(Table):
    """`[state]`."""

    path: str | None = None


class RoutingFile(Table):
    """The whole of routing.toml, all sources laid over each other."""

    strategy: StrategyName | None = None
    second_is_worth_usd: Dollars | None = None
    quality_is_worth_usd: Dollars | None = None
    exploration: Fraction | None = None
    default_model: str | None = None
    # More of these than anybody has: what is looked through on every request stays short.
    providers: Annotated[dict[str, ProviderTable], Field(max_length=500)] = {}
    models: Annotated[dict[str, NameTable], Field(max_length=2000)] = {}
    rules: Annotated[list[RuleTable], Field(max_length=500)] = []
    circuit_breaker: BreakerTable | None = None
    fallback: FallbackTable | None = None
    timeouts: TimeoutsTable | None = None
    state: StateTable | None = None


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
    return tuple(name.removeprefix("LLMR_").lower().split("__"))


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
