"""`[[rules]]` as pydantic models; what each condition and effect means to routing stands in routing/rules/."""

from typing import Annotated

from pydantic import Discriminator, Field, Tag

from llmr.config.schema_types import (
    DAY,
    AutoSeconds,
    BreakName,
    Count,
    Dollars,
    HoursText,
    PhaseNames,
    Seconds,
    StrategyName,
    StrategyNames,
    Table,
    Words,
    truth_or_table,
)


class TokenRangeTable(Table):
    """A number of tokens, strictly between two bounds."""

    over: Count | None = Field(None, description="More tokens than this.")
    under: Count | None = Field(None, description="Fewer tokens than this.")


class DollarRangeTable(Table):
    """An amount of US dollars, strictly between two bounds."""

    over: Dollars | None = Field(None, description="More dollars than this.")
    under: Dollars | None = Field(None, description="Fewer dollars than this.")


class WhenTable(Table):
    """When a rule holds: everything that is said must."""

    model: Words | None = Field(None, description="The name asked for: one or several globs, any of which may match.")
    prompt_tokens: TokenRangeTable | None = Field(
        None, description="How long the prompt is, as far as can be estimated."
    )
    output_tokens: TokenRangeTable | None = Field(
        None, description="How long the answer may be (--max-tokens); if nobody said, how long the model's answers are."
    )
    tools: bool | None = Field(None, description="Whether the request offers tools.")
    images: bool | None = Field(None, description="Whether an image is attached.")
    json_: bool | None = Field(None, alias="json", description="Whether the answer must be JSON.")
    stream: bool | None = Field(None, description="Whether the answer is to stream.")
    tags: Words | None = Field(None, description="Tags that must all be on the request: --tag private.")
    metadata: Annotated[dict[str, Words], Field(max_length=100)] | None = Field(
        None, description='Keys with globs for their values: { team = "search" } holds for --tag team=search.'
    )
    hours: HoursText | None = Field(
        None, description='Local time of day, end excluded; may pass midnight: "22:00-06:00".'
    )
    weekdays: Words | None = Field(
        None,
        description='Local days of the week, "sat" or "mon-fri"; each ends at midnight.',
        json_schema_extra={"examples": ["mon-fri", ["sat", "sun"]], "pattern": f"^{DAY}(?:-{DAY})?$"},
    )
    strategy: StrategyNames | None = Field(
        None, description="The strategy asked for with the request: --strategy cost."
    )
    circuit: Annotated[dict[str, PhaseNames], Field(max_length=100)] | None = Field(
        None,
        description='Globs on provider/model-id with states: { "openai/*" = "open" } holds while every such model is so.',
    )
    budget_left_usd: DollarRangeTable | None = Field(
        None, description="What [budget] leaves for today or this month, whichever is less."
    )


class RuleTimeouts(Table):
    """Time-outs of the requests that a rule matches; they lie over the provider's own."""

    connect_s: Seconds | None = Field(None, description="Seconds to connect.")
    first_token_s: AutoSeconds = Field(None, description='Seconds to the first token, or "auto": from its history.')
    stall_s: Seconds | None = Field(None, description="Seconds of silence between two tokens.")
    deadline_s: Seconds | None = Field(None, description="Seconds to the first token, over all attempts.")


class HedgeTable(Table):
    """A second candidate after a set time."""

    after_s: Seconds = Field(description="Seconds without a token after which a second candidate is asked.")


Hedge = Annotated[
    Annotated[bool, Tag("truth")] | Annotated[HedgeTable, Tag("table")],
    Discriminator(truth_or_table),
]


class RuleTable(Table):
    """`[[rules]]`: the first that matches decides, unless it says continue = true."""

    name: str | None = Field(None, description="What the rule is called in `llmr rank -v` and in messages.")
    when: WhenTable | None = Field(None, description="When the rule holds; left out: always.")
    prefer: Words | None = Field(None, description="Globs on provider/model-id: these first.")
    only: Words | None = Field(None, description="Globs on provider/model-id: nobody else.")
    avoid: Words | None = Field(None, description="Globs on provider/model-id: these last.")
    models: Words | None = Field(None, description="Names to ask instead of the one asked for.")
    strategy: StrategyName | None = Field(None, description="How candidates are put in order.")
    max_price_usd: Dollars | None = Field(
        None, description="What the request may be expected to cost; whose price is not known is not asked."
    )
    allow_unknown_price: bool | None = Field(
        None, description="Ask also, under max_price_usd, whose price is not known. What runs on this machine is free."
    )
    timeouts: RuleTimeouts | None = Field(None, description="Other time-outs for these requests.")
    hedge: Hedge | None = Field(
        None, description="Ask a second candidate while the first is slow: true, false or { after_s = 0.8 }."
    )
    on_break: BreakName | None = Field(None, description="What to do when the answer breaks off.")
    cache: bool | None = Field(None, description="Whether the answer may come from the cache, and be kept in it.")
    tags: Words | None = Field(None, description="Tags put on the request, plain or k=v, for the rules after this one.")
    deny: str | None = Field(None, description="Refuse, with this message.")
    then_continue: bool | None = Field(
        None, alias="continue", description="Let the rules after this one speak too; of two words the later counts."
    )
