"""routing.toml as pydantic models: which keys there are, of what type, in what range.

Types only. What a name refers to, which URL is fit, whether a rule can ever match, is checks.py's business; defaults are
the frozen values' own (catalog.py, routing/policy.py), so nothing is said twice: a key that nobody sets stays unset here.

Importing this module costs 100 ms and more, so load.py does it only when something changed, and after
`environment.disable_pydantic_plugins()`.
"""

import shlex
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, Tag
from pydantic_core import PydanticCustomError

from llmr.catalog import OnLimit, Strategy, WireFormat
from llmr.routing.policy import OnBreak, OnRejection


class Table(BaseModel):
    """A TOML table: no unknown keys, no coercion, no input in errors."""

    model_config = ConfigDict(extra="forbid", strict=True, hide_input_in_errors=True, allow_inf_nan=False)


def _kind(value: object) -> str:
    return "table" if isinstance(value, dict) else "list" if isinstance(value, list) else "string"


def _listed(value: str | list[str]) -> list[str]:
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


def _known(choices: type[Strategy | WireFormat | OnBreak | OnRejection | OnLimit]) -> AfterValidator:
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

Command = Annotated[
    Annotated[str, Tag("string")] | Annotated[list[str], Field(max_length=100), Tag("list")],
    Discriminator(_kind),
    AfterValidator(_words_of_command),
]
"""A program and its arguments: a list, or a string that is cut into words as a shell would, and no shell runs it."""

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


class SpendTable(Table):
    """`[budget]`, and `budget` of a provider; see catalog.SpendLimits."""

    per_day_usd: Dollars | None = None
    per_month_usd: Dollars | None = None
    on_limit: Annotated[str, _known(OnLimit)] | None = None


class ProviderTimeouts(Table):
    """A provider's own time-outs."""

    connect_s: Seconds | None = None
    first_token_s: AutoSeconds = None
    stall_s: Seconds | None = None


class DialectTable(Table):
    """Where the provider differs from OpenAI; see catalog.Dialect."""

    max_tokens_field: Literal["max_tokens", "max_completion_tokens"] | None = None
    seed_field: Literal["seed", "random_seed"] | None = None
    usage_in_stream: bool | None = None
    system_role: Literal["system", "developer"] | None = None
    auth_header: str | None = None
    auth_prefix: str | None = None
    query: dict[str, str] | None = None
    chat_path: str | None = None
    reasoning_excluded_from_output: bool | None = None
    reasoning_field: Literal["", "reasoning", "reasoning_content", "reasoning_details", "thought_signature"] | None = (
        None
    )


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
    api_key_cmd: Command | None = None
    key_origins: list[str] | None = None
    allow_plaintext: bool | None = None
    shares: str | None = None
    weight: Annotated[float, Field(ge=0, le=1e6)] | None = None
    rate_limit: RateLimitTable | None = None
    budget: SpendTable | None = None
    timeouts: ProviderTimeouts | None = None
    headers: dict[str, TextOrVariable] | None = None
    dialect: DialectTable | None = None
    models: ModelList | None = None
    local: bool | None = None
    tls_ca: str | None = None
    insecure: bool | None = None


class NameTable(Table):
    """`[models.NAME]`: a name to ask for."""

    candidates: Annotated[list[str], Field(min_length=1, max_length=100)]
    fallback: Annotated[list[str], Field(max_length=100)] | None = None
    strategy: StrategyName | None = None
    quality: Fraction | None = None
    hedge: bool | None = None


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
    probe_poll_s: Seconds | None = None
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
    content_filter: Annotated[str, _known(OnRejection)] | None = None
    bad_request: Annotated[str, _known(OnRejection)] | None = None


class HedgingTable(Table):
    """`[hedging]`; see policy.HedgingPolicy."""

    enabled: bool | None = None


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
    hedging: HedgingTable | None = None
    budget: SpendTable | None = None
    state: StateTable | None = None
