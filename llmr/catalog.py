"""Who can be asked, for what, at what price: facts about providers and models, as values.

`Provider` is an account at a URL; `Model` is one model at one provider, keyed `provider/model-id` (the id may itself hold
slashes: `openrouter/openai/gpt-4o`); `NamedModel` is a name that a user asks for. A provider that cannot be used is kept,
with the reason in `off_reason`, because "why not that one?" must have an answer.
"""

from collections.abc import Callable, Mapping
from dataclasses import field
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from llmr.dataclass import dataclass
from llmr.secret import Secret


class WireFormat(StrEnum):
    """The dialect a provider speaks."""

    OPENAI = "openai"
    ANTHROPIC = "anthropic"
    GEMINI = "gemini"
    RESPONSES = "responses"  # OpenAI's Responses API


class Strategy(StrEnum):
    """How candidates are put in order; settings of one formula, see routing/score.py."""

    PRIORITY = "priority"
    COST = "cost"
    LATENCY = "latency"
    BALANCED = "balanced"
    QUALITY = "quality"
    ROUND_ROBIN = "round_robin"
    WEIGHTED = "weighted"


class KeySource(StrEnum):
    """Where a provider's key was found, strongest first."""

    VARIABLE = "variable"  # of the process, or of --env-file
    COMMAND = "command"  # api_key_cmd
    KEYRING = "keyring"  # the operating system's
    FILE = "file"  # credentials.toml


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars per million tokens, of `request_usd` and `web_search_usd` per million of those. None: no price of its own.

    Cached, cache-written and audio tokens without one cost what input costs; reasoning and audio tokens, what output costs.
    """

    input_usd: float
    output_usd: float
    cached_input_usd: float | None = None
    cache_write_usd: float | None = None
    reasoning_usd: float | None = None
    audio_input_usd: float | None = None
    audio_output_usd: float | None = None
    request_usd: float | None = None
    web_search_usd: float | None = None
    long_context: "LongContext | None" = None

    def for_prompt(self, input_tokens: float) -> "Price":
        """What a request with so many input tokens costs: the whole of it, not only what lies above the threshold."""
        longer = self.long_context
        return longer.price.for_prompt(input_tokens) if longer and input_tokens > longer.over_tokens else self


@dataclass(frozen=True, slots=True)
class LongContext:
    """The price of requests with more than `over_tokens` input tokens. A third tier is the long context of the second."""

    over_tokens: int
    price: Price


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a model can take. None: unknown, which rejects nothing."""

    context_window_tokens: int | None = None
    max_output_tokens: int | None = None
    tools: bool | None = None
    images: bool | None = None
    json: bool | None = None
    reasoning: bool | None = None
    documents: bool | None = None
    audio: bool | None = None


@dataclass(frozen=True, slots=True)
class RateLimit:
    """What an account allows, over all processes on this machine. None: no limit known."""

    requests_per_minute: float | None = None
    tokens_per_minute: float | None = None
    concurrent: int | None = None


@dataclass(frozen=True, slots=True)
class Window:
    """A limit as the provider tells it: `left` of `most` (None: not told) now, all of it again in `full_in_s` seconds (None:
    not told)."""

    left: float
    most: float | None = None
    full_in_s: float | None = None


@dataclass(frozen=True, slots=True)
class LimitsTold:
    """What an answer's headers say of the limits on requests and on tokens. None: nothing."""

    requests: Window | None = None
    tokens: Window | None = None


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds, wall clock. `first_token_s` None is "auto": from the model's own history, see routing/first_token.py."""

    connect_s: float = 5.0
    first_token_s: float | None = None
    stall_s: float = 30.0
    deadline_s: float = 60.0
    total_s: float = 600.0


class FirstToken(StrEnum):
    """A first-token time-out that is no number."""

    AUTO = "auto"  # from the model's own history, whatever number is said in general


@dataclass(frozen=True, slots=True)
class TimeoutOverrides:
    """Time-outs of a provider's or a rule's own; None falls back to the more general ones."""

    connect_s: float | None = None
    first_token_s: float | FirstToken | None = None
    stall_s: float | None = None
    deadline_s: float | None = None
    total_s: float | None = None

    def over(self, general: Timeouts) -> Timeouts:
        """The general time-outs with these laid over them."""
        return Timeouts(
            connect_s=general.connect_s if self.connect_s is None else self.connect_s,
            first_token_s=self._first_token_over(general.first_token_s),
            stall_s=general.stall_s if self.stall_s is None else self.stall_s,
            deadline_s=general.deadline_s if self.deadline_s is None else self.deadline_s,
            total_s=general.total_s if self.total_s is None else self.total_s,
        )

    def laid_over(self, weaker: "TimeoutOverrides") -> "TimeoutOverrides":
        """`weaker`, with these in the places where these say something."""
        return TimeoutOverrides(
            connect_s=weaker.connect_s if self.connect_s is None else self.connect_s,
            first_token_s=weaker.first_token_s if self.first_token_s is None else self.first_token_s,
            stall_s=weaker.stall_s if self.stall_s is None else self.stall_s,
            deadline_s=weaker.deadline_s if self.deadline_s is None else self.deadline_s,
            total_s=weaker.total_s if self.total_s is None else self.total_s,
        )

    def _first_token_over(self, general_s: float | None) -> float | None:
        if self.first_token_s is None:
            return general_s
        return None if isinstance(self.first_token_s, FirstToken) else self.first_token_s


class OnLimit(StrEnum):
    """What a spend limit does to the request that would pass it."""

    REFUSE = "refuse"
    CHEAPER = "cheaper"  # whoever still fits into what is left


@dataclass(frozen=True, slots=True)
class SpendLimits:
    """US dollars that may be spent per calendar day and month, local time. None: no limit."""

    per_day_usd: float | None = None
    per_month_usd: float | None = None
    on_limit: OnLimit = OnLimit.REFUSE

    @property
    def limited(self) -> bool:
        """Whether there is any limit."""
        return self.per_day_usd is not None or self.per_month_usd is not None


FRAMING_HEADERS: Final = frozenset(
    {"host", "content-length", "transfer-encoding", "connection", "keep-alive", "proxy-connection", "te", "trailer"}
    | {"upgrade", "expect", "accept-encoding"}
)
"""What frames a message and who it is for is nobody's to say but the HTTP client's (trust.md T15). Lower case."""

CREDENTIAL_HEADERS: Final = frozenset(
    {"authorization", "proxy-authorization", "cookie", "x-api-key", "api-key", "x-goog-api-key"}
)
"""Headers that carry keys: a key is bound to an origin (trust.md C3), so it travels as one or not at all. Lower case."""

_NOTHING: Final[Mapping[str, str]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Dialect:
    """Where a provider differs from the maker of its wire, as facts (wire.md §B.2). "": the wire's own.

    `auth_prefix` belongs to `auth_header`; `chat_path` may hold `{model}`.
    """

    max_tokens_field: str = "max_tokens"
    seed_field: str = "seed"  # Mistral: random_seed
    usage_in_stream: bool = True  # ask with stream_options.include_usage
    system_role: str = "system"
    auth_header: str = ""
    auth_prefix: str = "Bearer "
    query: Mapping[str, str] = field(default_factory=lambda: _NOTHING)
    chat_path: str = ""
    reasoning_excluded_from_output: bool = False  # xAI counts reasoning beside completion_tokens
    # Where earlier reasoning goes back: reasoning_content, reasoning, reasoning_details, or thought_signature (Google's
    # OpenAI-compatible endpoint, on the tool calls). "": nowhere; most reject the field.
    reasoning_field: str = ""


NO_SPEND_LIMITS: Final = SpendLimits()


@dataclass(frozen=True, slots=True)
class Provider:
    """An account at a URL. `key_fingerprint` is 8 hex digits of the key's SHA-256, "" without a key.

    `missing_key` is the variable that would turn it on, None where it is on or a key is not what it lacks. `key_source`
    None: no key; `key_variables` are the names that one could be kept under. `insecure`: its certificate is not verified.
    `shares` names a quota or failure domain held in common with other providers. `off_reason` None: it may be asked.
    `proxy` is the proxy's URL for this origin, None for a direct connection.
    """

    name: str
    wire: WireFormat
    base_url: str
    key: Secret | None = None
    key_fingerprint: str = ""
    api_key_env: str | None = None
    off_reason: str | None = None
    shares: str | None = None
    weight: float = 1.0
    rate_limit: RateLimit = RateLimit()
    timeouts: TimeoutOverrides = TimeoutOverrides()
    headers: Mapping[str, str] = field(default_factory=lambda: _NOTHING, repr=False)  # may come from a variable
    dialect: Dialect = Dialect()
    models: tuple[str, ...] = ()
    local: bool = False
    tls_ca: str | None = None
    proxy: str | None = field(default=None, repr=False)  # may hold a password
    missing_key: str | None = None
    spend: SpendLimits = SpendLimits()
    key_source: KeySource | None = None
    key_variables: tuple[str, ...] = ()
    insecure: bool = False

    @property
    def account(self) -> str:
        """`name#fingerprint`: a changed key starts with a clean record."""
        return f"{self.name}#{self.key_fingerprint}"


@dataclass(frozen=True, slots=True)
class Model:
    """One model at one provider. `quality` is the user's judgement, 0–1, None when not given."""

    provider: Provider
    id: str
    price: Price | None = None
    capabilities: Capabilities = Capabilities()
    quality: float | None = None

    @property
    def key(self) -> str:
        """`provider/model-id`."""
        return f"{self.provider.name}/{self.id}"


@dataclass(frozen=True, slots=True)
class NamedModel:
    """A name to ask for. `candidates` are keys `provider/model-id` in the user's order; `fallback` are other names.

    `hedge` None: as configured in general.
    """

    name: str
    candidates: tuple[str, ...]
    fallback: tuple[str, ...] = ()
    strategy: Strategy | None = None
    quality: float | None = None
    hedge: bool | None = None


@dataclass(frozen=True, slots=True)
class Catalog:
    """All that can be asked. Keys of `models` are `provider/model-id`; of the others, names.

    `describe` makes the model that no configuration names, with what is known of it.
    """

    providers: Mapping[str, Provider]
    names: Mapping[str, NamedModel]
    models: Mapping[str, Model]
    default_model: str | None = None
    describe: Callable[[Provider, str], Model] = field(default=Model, repr=False, compare=False)

    @property
    def key_variables(self) -> frozenset[str]:
        """The variables that keys of these providers are kept under, whatever they are called."""
        return frozenset(variable for provider in self.providers.values() for variable in provider.key_variables)

    def model(self, key: str) -> Model | None:
        """The model for `provider/model-id`; one that nobody named is made on the spot. None: no such provider."""
        known = self.models.get(key)
        if known is not None:
            return known
        provider_name, _, model_id = key.partition("/")
        provider = self.providers.get(provider_name)
        return self.describe(provider, model_id) if provider is not None and model_id else None
