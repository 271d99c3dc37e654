"""From the normal form to what routing obeys: rules, and the policy. The half of build.py that no variable has a say in."""

from typing import Any

from llmr.catalog import FirstToken, OnLimit, SpendLimits, Strategy, TimeoutOverrides, Timeouts
from llmr.routing.circuit import Phase
from llmr.routing.policy import (
    BreakerPolicy,
    CachePolicy,
    FallbackPolicy,
    HedgingPolicy,
    OnBreak,
    OnRejection,
    Policy,
    SemanticPolicy,
)
from llmr.routing.rules import Condition, Hours, Range, Rule

Json = dict[str, Any]


def rule_of(row: Json) -> Rule:
    """One `[[rules]]` table."""
    return Rule(
        name=row["name"],
        when=_condition(row["when"]),
        prefer=tuple(row.get("prefer") or ()),
        only=tuple(row.get("only") or ()),
        avoid=tuple(row.get("avoid") or ()),
        models=tuple(row.get("models") or ()),
        strategy=Strategy(row["strategy"]) if row.get("strategy") else None,
        max_price_usd=row.get("max_price_usd"),
        allow_unknown_price=bool(row.get("allow_unknown_price")),
        timeouts=overrides_of(row.get("timeouts") or {}),
        hedge=row.get("hedge"),
        hedge_after_s=row.get("hedge_after_s"),
        on_break=OnBreak(row["on_break"]) if row.get("on_break") else None,
        cache=row.get("cache"),
        tags=tuple(row.get("tags") or ()),
        deny=row.get("deny"),
        then_continue=bool(row.get("continue")),
    )


def _condition(when: Json) -> Condition:
    return Condition(
        model=tuple(when.get("model", ())),
        prompt_tokens=_range(when, "prompt_tokens"),
        output_tokens=_range(when, "output_tokens"),
        tools=when.get("tools"),
        images=when.get("images"),
        json=when.get("json"),
        stream=when.get("stream"),
        tags=tuple(when.get("tags", ())),
        metadata=tuple((key, tuple(globs)) for key, globs in when.get("metadata", {}).items()),
        hours=Hours(*when["hours"]) if "hours" in when else None,
        weekdays=tuple(when.get("weekdays", ())),
        strategy=tuple(Strategy(name) for name in when.get("strategy", ())),
        circuit=tuple((glob, tuple(map(Phase, phases))) for glob, phases in when.get("circuit", {}).items()),
        budget_left_usd=_range(when, "budget_left_usd"),
    )


def _range(when: Json, key: str) -> Range | None:
    return Range(**when[key]) if key in when else None


def policy_of(row: Json) -> Policy:
    """The tables that say how hard to try, how long to wait and what to spend."""
    fallback = dict(row["fallback"])
    for key, choices in (("on_break", OnBreak), ("content_filter", OnRejection), ("bad_request", OnRejection)):
        if key in fallback:
            fallback[key] = choices(fallback[key])
    general = {key: value for key, value in row.items() if not isinstance(value, dict)}
    if "strategy" in row:
        general["strategy"] = Strategy(row["strategy"])
    return Policy(
        **general,
        breaker=BreakerPolicy(**row["circuit_breaker"]),
        fallback=FallbackPolicy(**fallback),
        timeouts=Timeouts(**row["timeouts"]),
        hedging=HedgingPolicy(**row["hedging"]),
        spend=spend_of(row["budget"]),
        cache=_cache(row["cache"]),
    )


def _cache(row: Json) -> CachePolicy:
    said: Json = dict(row)
    likely: Json = said.pop("semantic", None) or {}
    return CachePolicy(**said, semantic=SemanticPolicy(**likely))


def spend_of(row: Json) -> SpendLimits:
    """`[budget]`, or a provider's `budget`."""
    said: Json = dict(row)
    if "on_limit" in said:
        said["on_limit"] = OnLimit(said["on_limit"])
    return SpendLimits(**said)


def overrides_of(row: Json) -> TimeoutOverrides:
    """A provider's or a rule's time-outs. In JSON "auto" is null, and what nobody said is absent."""
    said: Json = dict(row)
    if "first_token_s" in said and said["first_token_s"] is None:
        said["first_token_s"] = FirstToken.AUTO
    return TimeoutOverrides(**said)
