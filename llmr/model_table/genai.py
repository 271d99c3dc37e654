"""Prices from the installed genai-prices, as they are on one day.

Its prices may depend on the day and on the time of day. The day is the one on which the table is made. Of prices by time of
day (DeepSeek) the one without a time is taken: a flat table cannot say both, and that one holds for most of the week. Prices
for batch, flex and priority tiers, for pages, pictures and hours of sound are not for what llmr asks. Where the package
lists a model without any price, it is unknown here, unless it is a `:free` one: no price is not a price of nothing.

Importing the package costs 0.2–0.5 s and a hundred MB, so only what makes the table imports this module.
"""

from collections.abc import Iterable, Mapping
from datetime import date
from importlib import import_module
from importlib.metadata import version
from types import MappingProxyType
from typing import Any, Final

from llmr.catalog import Capabilities, LongContext, Price
from llmr.model_table.offer import Listed, Offer, Rule, Source, SourceMissing

PROVIDERS: Final[Mapping[str, str]] = MappingProxyType({"xai": "x-ai"})
"""Where genai-prices calls a provider otherwise than data/providers.toml does."""

_UNITS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "input_usd": "input_mtok",
        "output_usd": "output_mtok",
        "cached_input_usd": "cache_read_mtok",
        "cache_write_usd": "cache_write_mtok",
        "reasoning_usd": "output_reasoning_mtok",
        "audio_input_usd": "input_audio_mtok",
        "audio_output_usd": "output_audio_mtok",
    }
)
_THOUSANDS: Final[Mapping[str, str]] = MappingProxyType(
    {"request_usd": "requests_kcount", "web_search_usd": "web_searches_kcount"}  # dollars per thousand
)
_CLAUSES: Final = ("starts_with", "ends_with", "contains", "equals", "regex")

Foreign = Any
"""A value of the package's own types, which are not installed everywhere."""


def read(names: Iterable[str], day: date) -> Source:
    """What genai-prices knows of these providers on that day. Raises SourceMissing."""
    try:
        snapshot: Foreign = import_module("genai_prices.data_snapshot").get_snapshot()
    except ImportError as error:
        raise SourceMissing("genai-prices is not installed: pip install 'genai-prices>=0.2.3,<0.3'") from error
    known: dict[str, Foreign] = {provider.id: provider for provider in snapshot.providers}
    offers = {name: _offer(known[its], day) for name in names if (its := PROVIDERS.get(name, name)) in known}
    return Source(
        name="genai-prices",
        version=version("genai-prices"),
        url="https://github.com/pydantic/genai-prices",
        notice="Copyright (c) Pydantic Services Inc. 2025 to present",
        offers=offers,
    )


def _offer(provider: Foreign, day: date) -> Offer:
    return Offer({model.id: _listed(model, day) for model in provider.models})


def _listed(model: Foreign, day: date) -> Listed:
    clauses = list(_alternatives(_rule(model.match)))
    return Listed(
        price=_price(model, day),
        capabilities=Capabilities(context_window_tokens=model.context_window or None),
        names=tuple(dict.fromkeys(rule[1] for rule in clauses if rule[0] == "equals")),
        rules=tuple(rule for rule in clauses if rule[0] != "equals"),
    )


def _price(model: Foreign, day: date) -> Price | None:
    prices = _fields(_on(model.prices, day))
    said = {key: value for key, value in prices.items() if value is not None}
    if not said:
        return Price(0.0, 0.0) if model.id.endswith(":free") else None
    if "input_mtok" not in said or "output_mtok" not in said:
        return None
    starts = sorted({tier.start for value in said.values() for tier in getattr(value, "tiers", ())}, reverse=True)
    longer: LongContext | None = None
    for start in starts:
        longer = LongContext(start, _flat(said, start, longer))
    return _flat(said, None, longer)


def _flat(said: Mapping[str, Foreign], above: int | None, longer: LongContext | None) -> Price:
    """The price of prompts of more than `above` tokens, None: of the shortest."""
    per_million = {name: _figure(said[unit], above) for name, unit in _UNITS.items() if unit in said}
    per_thousand = {name: _figure(said[unit], above) * 1000 for name, unit in _THOUSANDS.items() if unit in said}
    return Price(**per_million, **per_thousand, long_context=longer)


def _figure(value: Foreign, above: int | None) -> float:
    """Decimal, or TieredPrices: the highest tier that starts at or below `above` (types.py, calc_unit_price)."""
    if not hasattr(value, "tiers"):
        return float(value)
    reached = [tier.price for tier in value.tiers if above is not None and tier.start <= above]
    return float(reached[-1] if reached else value.base)


def _on(prices: Foreign, day: date) -> Foreign:
    """The prices of that day, whatever the time (types.py, ModelInfo.get_prices: the last that applies)."""
    if not isinstance(prices, list):
        return prices
    conditional: list[Foreign] = [*prices]  # pyright: ignore[reportUnknownVariableType] - foreign
    for one in reversed(conditional):
        start: date | None = getattr(one.constraint, "start_date", None)
        if one.constraint is None or (start is not None and start <= day):
            return one.prices
    return conditional[0].prices


def _fields(prices: Foreign) -> Mapping[str, Foreign]:
    """A ModelPrice keeps what it says as attributes (types.py)."""
    said: Mapping[str, Foreign] = prices.__dict__
    return said


def _rule(clause: Foreign) -> Rule:
    for kind in ("or_", "and_"):
        if hasattr(clause, kind):
            return [kind.rstrip("_"), *(_rule(part) for part in getattr(clause, kind))]
    for kind in _CLAUSES:
        if hasattr(clause, kind):
            said: str = getattr(clause, kind)
            return [kind, said if kind == "regex" else said.lower()]
    raise SourceMissing(
        f"genai-prices {version('genai-prices')} matches by {type(clause).__name__}, which llmr cannot read"
    )


def _alternatives(rule: Rule) -> Iterable[Rule]:
    if rule[0] != "or":
        yield rule
        return
    for part in rule[1:]:
        yield from _alternatives(part)
