"""routing.toml as pydantic models: which keys there are, of what type, in what range, and what each is for.

Types only. What a name refers to, which URL is fit, whether a rule can ever match, is checks.py's business; defaults are
the frozen values' own (catalog.py, routing/policy.py), so nothing is said twice: a key that nobody sets stays unset here.
The descriptions are what an editor shows (json_schema.py); each key has one.

Importing this module costs 100 ms and more, so load.py does it only when something changed, and after
`environment.disable_pydantic_plugins()`.
"""

from typing import Annotated, Literal

from pydantic import Discriminator, Field, Tag

from llmr.config.schema_rules import RuleTable
from llmr.config.schema_types import (
    AutoSeconds,
    BreakName,
    Command,
    Dollars,
    Fraction,
    LimitName,
    RejectionName,
    Seconds,
    StrategyName,
    Table,
    WireName,
    Words,
    list_or_table,
    word_or_table,
)


class FromVariable(Table):
    """`{ env = "NAME" }`: the whole value of a variable, read on every run."""

    env: str = Field(description="The variable's name.")
    append: str = Field("", description="Follows the value.")


TextOrVariable = Annotated[
    Annotated[str, Tag("string")] | Annotated[FromVariable, Tag("table")], Discriminator(word_or_table)
]
Tokens = Annotated[int, Field(ge=1, le=2**53)]


class PriceTable(Table):
    """What a model costs."""

    input_usd: Dollars = Field(description="Per million tokens of the prompt.")
    output_usd: Dollars = Field(description="Per million tokens of the answer.")
    cached_input_usd: Dollars | None = Field(None, description="Per million tokens read from the provider's cache.")
    cache_write_usd: Dollars | None = Field(None, description="Per million tokens written to the provider's cache.")


class ModelFacts(Table):
    """What is known of one model at one provider."""

    price: PriceTable | None = Field(None, description="US dollars per million tokens.")
    context_window_tokens: Tokens | None = Field(None, description="The longest prompt and answer together.")
    max_output_tokens: Tokens | None = Field(None, description="The longest answer.")
    tools: bool | None = Field(None, description="Whether it can call tools.")
    images: bool | None = Field(None, description="Whether it can see images.")
    json_: bool | None = Field(None, alias="json", description="Whether it can be made to answer in JSON.")
    reasoning: bool | None = Field(None, description="Whether it thinks before it speaks.")
    documents: bool | None = Field(None, description="Whether it reads documents.")
    audio: bool | None = Field(None, description="Whether it hears.")
    quality: Fraction | None = Field(None, description="0 to 1, your judgement.")


class RateLimitTable(Table):
    """What the account allows, over all processes on this machine."""

    requests_per_minute: Annotated[float, Field(gt=0, le=1e9)] | None = Field(None, description="Requests a minute.")
    tokens_per_minute: Annotated[float, Field(gt=0, le=1e12)] | None = Field(None, description="Tokens a minute.")
    concurrent: Annotated[int, Field(ge=1, le=100_000)] | None = Field(None, description="Requests at the same time.")


class SpendTable(Table):
    """US dollars that may be spent."""

    per_day_usd: Dollars | None = Field(None, description="In a calendar day, local time.")
    per_month_usd: Dollars | None = Field(None, description="In a calendar month, local time.")
    on_limit: LimitName | None = Field(
        None, description="At the limit: refuse the request, or take a cheaper candidate that still fits."
    )


class ProviderTimeouts(Table):
    """A provider's own time-outs."""

    connect_s: Seconds | None = Field(None, description="Seconds to connect.")
    first_token_s: AutoSeconds = Field(None, description='Seconds to the first token, or "auto": from its history.')
    stall_s: Seconds | None = Field(None, description="Seconds of silence between two tokens.")


class DialectTable(Table):
    """Where the provider differs from the maker of its wire; what is not said is as the maker has it."""

    max_tokens_field: Literal["max_tokens", "max_completion_tokens"] | None = Field(
        None, description="Where the longest answer is said."
    )
    seed_field: Literal["seed", "random_seed"] | None = Field(None, description="Where the seed is said.")
    usage_in_stream: bool | None = Field(None, description="Whether a stream can be asked for its token counts.")
    system_role: Literal["system", "developer"] | None = Field(None, description="Who gives instructions.")
    auth_header: str | None = Field(None, description="The header that carries the key.")
    auth_prefix: str | None = Field(None, description='What stands before the key in it: "Bearer ".')
    query: dict[str, str] | None = Field(None, description="What follows the URL's question mark; never a key.")
    chat_path: str | None = Field(None, description="The path below base_url; {model} is replaced.")
    reasoning_excluded_from_output: bool | None = Field(
        None, description="Whether reasoning is counted beside the output tokens instead of in them."
    )
    reasoning_field: Literal["", "reasoning", "reasoning_content", "reasoning_details", "thought_signature"] | None = (
        Field(None, description="Where earlier reasoning is sent back; empty: nowhere.")
    )


ModelList = Annotated[
    Annotated[list[str], Tag("list")] | Annotated[dict[str, ModelFacts], Tag("table")], Discriminator(list_or_table)
]


class ProviderTable(Table):
    """`[providers.NAME]`: an account at a URL. Of a known provider, only what differs."""

    enabled: bool | None = Field(None, description="false: never asked.")
    wire: WireName | None = Field(None, description="The dialect it speaks; openai if nobody says.")
    base_url: TextOrVariable | None = Field(None, description='Where it is: "https://llm.corp.example/v1".')
    api_key_env: Words | None = Field(
        None, description="The variable that holds the key; of several, the first that is set. Empty: no key is sent."
    )
    api_key_cmd: Command | None = Field(
        None, description="A command that prints the key; no shell runs it. Only in your own file."
    )
    key_origins: list[str] | None = Field(
        None, description="Other origins that a known provider's key may be sent to. Only in your own file."
    )
    allow_plaintext: bool | None = Field(
        None, description="Send the key over http:// to another machine. Only in your own file."
    )
    shares: str | None = Field(None, description="One quota and one fate with others of that name.")
    weight: Annotated[float, Field(ge=0, le=1e6)] | None = Field(None, description='For the strategy "weighted".')
    rate_limit: RateLimitTable | None = Field(None, description="What the account allows; llmr keeps to it.")
    budget: SpendTable | None = Field(None, description="What may be spent at this provider.")
    timeouts: ProviderTimeouts | None = Field(None, description="Time-outs of its own.")
    headers: dict[str, TextOrVariable] | None = Field(None, description="Extra headers; never a key.")
    dialect: DialectTable | None = Field(None, description="Where it differs from the maker of its wire.")
    models: ModelList | None = Field(None, description="The models it offers: a list, or a table with what you know.")
    local: bool | None = Field(None, description="Runs on this machine and costs nothing.")
    tls_ca: str | None = Field(None, description="A file with the authority that its certificate is from.")
    insecure: bool | None = Field(
        None, description="Trust whoever answers, on this machine or a private network. Only in your own file."
    )

    @property
    def only_consents(self) -> bool:
        """Whether it is no provider: it says no more than where a project's file of that name may send a key."""
        return self.model_fields_set == {"key_origins"}


class NameTable(Table):
    """`[models.NAME]`: a name to ask for."""

    candidates: Annotated[list[str], Field(min_length=1, max_length=100)] = Field(
        description="provider/model-id, in your order: one model, wherever it is offered."
    )
    fallback: Annotated[list[str], Field(max_length=100)] | None = Field(
        None, description="Other names, asked when no candidate is left."
    )
    strategy: StrategyName | None = Field(None, description="How the candidates are put in order.")
    quality: Fraction | None = Field(None, description="0 to 1, your judgement.")
    hedge: bool | None = Field(None, description="Ask a second candidate while the first is slow.")


class BreakerTable(Table):
    """`[circuit_breaker]`: when nobody is asked for a while, and for how long."""

    failure_threshold: Annotated[int, Field(ge=1, le=1000)] | None = Field(
        None, description="Failures in a row that open a circuit."
    )
    cooldown_s: Seconds | None = Field(None, description="Seconds it stays open; doubled by each trip in a row.")
    cooldown_cap_s: Seconds | None = Field(None, description="It stays open no longer.")
    jitter: Annotated[float, Field(ge=0, le=0.9)] | None = Field(None, description="± this share of it.")
    stable_s: Seconds | None = Field(None, description="Closed for so long, earlier trips are forgotten.")
    lease_s: Seconds | None = Field(None, description="How long one probe may take.")
    rate_backoff_s: Seconds | None = Field(None, description="After a 429 that names no time; doubled each time.")
    rate_backoff_cap_s: Seconds | None = Field(None, description="But no longer than this.")
    retry_after_cap_s: Seconds | None = Field(None, description="The longest Retry-After that is believed.")
    hard_s: Seconds | None = Field(None, description="After a bad key, no money, no such model.")
    early_probe_s: Seconds | None = Field(None, description="With nobody else left, probe after this.")
    probe_poll_s: Seconds | None = Field(None, description="While another process probes, look again so often.")
    clock_skew_s: Seconds | None = Field(None, description="A clock that went back by more is recognised.")


class FallbackTable(Table):
    """`[fallback]`: how hard to try."""

    max_candidates: Annotated[int, Field(ge=1, le=100)] | None = Field(None, description="Candidates per request.")
    retries_per_candidate: Annotated[int, Field(ge=0, le=20)] | None = Field(
        None, description="How often the same one is asked again."
    )
    max_attempts: Annotated[int, Field(ge=1, le=100)] | None = Field(None, description="Attempts in all.")
    backoff_base_s: Seconds | None = Field(None, description="Before asking the same one again, doubled each time.")
    backoff_cap_s: Seconds | None = Field(None, description="But no longer than this.")
    max_wait_s: Annotated[float, Field(ge=0, le=86_400)] | None = Field(
        None, description="The longest wait inside a request."
    )
    on_break: BreakName | None = Field(None, description="What to do when a stream breaks after text was shown.")
    content_filter: RejectionName | None = Field(
        None, description="stop, or ask the next one, when a content policy refuses."
    )
    bad_request: RejectionName | None = Field(
        None, description="stop, or ask the next one, when the request is called malformed."
    )


class HedgingTable(Table):
    """`[hedging]`: a second request while the first is slow."""

    enabled: bool | None = Field(None, description="For every request, unless a model, a rule or you say otherwise.")


class TimeoutsTable(Table):
    """`[timeouts]`, in seconds."""

    connect_s: Seconds | None = Field(None, description="Seconds to connect.")
    first_token_s: AutoSeconds = Field(None, description='Seconds to the first token, or "auto": from its history.')
    stall_s: Seconds | None = Field(None, description="Seconds of silence between two tokens.")
    deadline_s: Seconds | None = Field(None, description="Seconds to the first token, over all attempts.")
    total_s: Seconds | None = Field(None, description="Seconds that one answer may take in all.")


class SemanticTable(Table):
    """`[cache.semantic]`: answers to prompts that are nearly the same."""

    enabled: bool | None = Field(None, description="Whether a prompt that is nearly the same will do; needs [cache].")
    model: str | None = Field(
        None, description="provider/model-id that turns prompts into vectors, or a name for such."
    )
    threshold: Annotated[float, Field(ge=0.8, le=1)] | None = Field(None, description="The least cosine likeness.")


class CacheTable(Table):
    """`[cache]`: answers that may be given again."""

    enabled: bool | None = Field(None, description="Whether `llmr serve` keeps answers and gives them again.")
    ttl_s: Seconds | None = Field(None, description="Seconds for which an answer may be given again.")
    max_mb: Annotated[float, Field(gt=0, le=1_000_000)] | None = Field(None, description="How large it may grow.")
    semantic: SemanticTable | None = Field(None, description="Answers to prompts that are nearly the same.")


class StateTable(Table):
    """`[state]`: what one run leaves to the next."""

    path: str | None = Field(None, description='The state file; ":memory:": nothing is remembered.')


class ConversationsTable(Table):
    """`[conversations]`: what was asked and answered."""

    save: bool | None = Field(None, description="Whether conversations are kept; true if nobody says.")
    path: str | None = Field(None, description="The file of conversations.")


class AttachmentsTable(Table):
    """`[attachments]`: what may be sent along."""

    urls: bool | None = Field(None, description="Whether -a may name URLs, which the provider fetches.")


class RoutingFile(Table):
    """llmr's routing.toml. Every key is optional; what you leave out is as shipped."""

    strategy: StrategyName | None = Field(None, description="How candidates are put in order.")
    second_is_worth_usd: Dollars | None = Field(None, description="What a second of waiting is worth to you.")
    quality_is_worth_usd: Dollars | None = Field(
        None, description="What quality 1 over quality 0 is worth, per request."
    )
    exploration: Fraction | None = Field(None, description="The share of requests that try what is uncertain.")
    default_model: str | None = Field(None, description="What is asked without --model.")
    # More of these than anybody has: what is looked through on every request stays short.
    providers: Annotated[dict[str, ProviderTable], Field(max_length=500)] = Field({}, description="Accounts, by name.")
    models: Annotated[dict[str, NameTable], Field(max_length=2000)] = Field({}, description="Names to ask for.")
    rules: Annotated[list[RuleTable], Field(max_length=500)] = Field([], description="Asked in this order.")
    circuit_breaker: BreakerTable | None = Field(None, description="When nobody is asked for a while.")
    fallback: FallbackTable | None = Field(None, description="How hard to try.")
    timeouts: TimeoutsTable | None = Field(None, description="How long to wait.")
    hedging: HedgingTable | None = Field(None, description="A second request while the first is slow.")
    budget: SpendTable | None = Field(None, description="What may be spent, over all providers.")
    cache: CacheTable | None = Field(None, description="Answers that may be given again.")
    state: StateTable | None = Field(None, description="What one run leaves to the next.")
    conversations: ConversationsTable | None = Field(None, description="What is kept of what you ask.")
    attachments: AttachmentsTable | None = Field(None, description="What may be sent along.")
