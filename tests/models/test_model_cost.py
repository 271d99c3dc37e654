"""What an answer cost: against the arithmetic, and against genai-prices' own on recorded usages."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmr.catalog import LongContext, Price
from llmr.chat import Usage
from llmr.config.model_files import SHIPPED
from llmr.model_table.table import ModelTable
from llmr.routing.score import expected_price_usd, request_cost_usd

ORACLE: Final = Path(__file__).parents[2].parent / "shared/wire/oracle.jsonl"
MILLION: Final = 1_000_000


def cost(price: Price, **usage: float) -> float | None:
    return request_cost_usd(price, Usage(**{"input_tokens": 0, "output_tokens": 0, **usage}))  # type: ignore[arg-type]


def test_the_providers_own_figure_outranks_every_price() -> None:
    assert cost(Price(2, 10), input_tokens=MILLION, cost_usd=0.25) == 0.25
    assert request_cost_usd(None, Usage(cost_usd=0.25)) == 0.25


def test_an_unknown_price_or_usage_is_unknown_and_never_nothing() -> None:
    assert request_cost_usd(None, Usage(10, 10)) is None
    assert request_cost_usd(Price(2, 10), None) is None
    assert request_cost_usd(Price(2, 10), Usage(input_tokens=10)) is None
    assert expected_price_usd(None, prompt_tokens=10, output_tokens=10) is None


def test_a_free_model_costs_nothing() -> None:
    assert cost(Price(0, 0), input_tokens=MILLION, output_tokens=MILLION) == 0


@pytest.mark.parametrize(
    ("price", "usage", "usd"),
    [
        (Price(2, 10, cached_input_usd=0.5), {"input_tokens": 4, "cached_tokens": 1}, 3 * 2 + 0.5),
        (Price(2, 10), {"input_tokens": 4, "cached_tokens": 1}, 4 * 2),
        (Price(2, 10, cached_input_usd=0), {"input_tokens": 4, "cached_tokens": 1}, 3 * 2),
        (Price(2, 10, cache_write_usd=2.5), {"input_tokens": 4, "cache_write_tokens": 2}, 2 * 2 + 2 * 2.5),
        (Price(2, 10, reasoning_usd=3), {"output_tokens": 4, "reasoning_tokens": 1}, 3 * 10 + 3),
        (Price(2, 10), {"output_tokens": 4, "reasoning_tokens": 1}, 4 * 10),
        (Price(2, 10, audio_input_usd=40), {"input_tokens": 4, "audio_input_tokens": 3}, 2 + 3 * 40),
        (Price(2, 10, audio_output_usd=80), {"output_tokens": 4, "audio_output_tokens": 4}, 4 * 80),
    ],
)
def test_each_kind_of_token_pays_its_own_price_if_it_has_one(price: Price, usage: dict[str, int], usd: float) -> None:
    assert cost(price, **{kind: count * MILLION for kind, count in usage.items()}) == pytest.approx(usd)


def test_requests_and_searches_are_billed_one_by_one() -> None:
    price = Price(0, 0, request_usd=12_000, web_search_usd=10_000)
    assert cost(price, web_searches=3) == pytest.approx(0.012 + 0.03)
    assert expected_price_usd(price, prompt_tokens=0, output_tokens=0) == pytest.approx(0.012)


def test_a_long_prompt_pays_the_long_price_for_everything() -> None:
    longest = Price(4, 30)
    price = Price(1, 10, long_context=LongContext(200_000, Price(2, 15, long_context=LongContext(500_000, longest))))
    assert cost(price, input_tokens=200_000, output_tokens=MILLION) == pytest.approx(0.2 + 10)
    assert cost(price, input_tokens=200_001, output_tokens=MILLION) == pytest.approx(0.400002 + 15)
    assert cost(price, input_tokens=600_000, output_tokens=MILLION) == pytest.approx(2.4 + 30)
    assert expected_price_usd(price, prompt_tokens=600_000, output_tokens=MILLION) == pytest.approx(2.4 + 30)


@given(st.tuples(*[st.integers(0, 10**9)] * 7))
def test_no_usage_makes_a_cost_negative(counts: tuple[int, ...]) -> None:
    price = Price(2, 10, 0.5, 2.5, 3, 40, 80, 12_000)
    found = request_cost_usd(price, Usage(*counts))
    assert found is not None
    assert found >= 0


def priced() -> list[dict[str, Any]]:
    lines = ORACLE.read_text().splitlines() if ORACLE.exists() else []
    return [row for line in lines if (row := json.loads(line)).get("genai_prices")]


def of(counts: dict[str, int]) -> Usage:
    return Usage(
        input_tokens=counts["input_tokens"],
        output_tokens=counts["output_tokens"],
        reasoning_tokens=counts.get("output_reasoning_tokens"),
        cached_tokens=counts.get("cache_read_tokens"),
        cache_write_tokens=counts.get("cache_write_tokens"),
        audio_input_tokens=counts.get("input_audio_tokens"),
        audio_output_tokens=counts.get("output_audio_tokens"),
        web_searches=counts.get("web_searches"),
    )


def test_costs_of_recorded_answers_are_those_of_genai_prices() -> None:
    rows = priced()
    if not rows:
        pytest.skip(f"no recorded usages at {ORACLE}")
    table = ModelTable.parsed(SHIPPED.read_bytes())
    apart: list[str] = []
    for row in rows:
        theirs = row["genai_prices"]
        facts = table.facts({"vertex": "google"}.get(row["provider"], row["provider"]), theirs["model"])
        ours = request_cost_usd(facts.price if facts is not None else None, of(theirs["usage"]))
        if theirs["usd"] == "0":
            assert ours is None, "no price is not a price of nothing"
        elif ours is None or abs(ours - float(theirs["usd"])) > 0.01 * float(theirs["usd"]):
            apart.append(f"{row['id']}: {ours} is not {theirs['usd']}")
    assert apart == []


def test_every_price_of_the_table_charges_as_genai_prices_does() -> None:
    """A usage with everything in it, short and long, priced by the package itself on the table's day."""
    genai = pytest.importorskip("genai_prices", reason="genai-prices is not installed")
    table = ModelTable.parsed(SHIPPED.read_bytes())
    if f"genai-prices {genai.__version__}" not in table.sources:
        pytest.skip(f"the table is of {table.sources}, installed is genai-prices {genai.__version__}")
    evening = datetime.combine(datetime.fromisoformat(table.made), time(20), UTC)  # outside DeepSeek's peak hours
    compared, apart = 0, list[str]()
    for provider, model_id in (*table, *other_names()):
        facts = table.facts(provider, model_id)
        for scale in (1, 1000):
            counts = {"input_tokens": 900 * scale, "cache_read_tokens": 300 * scale, "output_tokens": 70 * scale}
            theirs = charged(genai, counts, {"xai": "x-ai"}.get(provider, provider), model_id, evening)
            if theirs is None or facts is None or facts.price is None:
                continue
            ours = request_cost_usd(facts.price, of(counts))
            compared += 1
            if ours is None or abs(ours - theirs) > 0.01 * theirs:
                apart.append(f"{provider}/{model_id} × {scale}: {ours} is not {theirs}")
    assert compared > 2000
    assert apart == []


def other_names() -> Iterator[tuple[str, str]]:
    for provider, said in json.loads(SHIPPED.read_bytes())["providers"].items():
        for name in said.get("aliases", ()):
            yield provider, name


def charged(genai: Any, counts: dict[str, int], provider: str, model_id: str, when: datetime) -> float | None:
    """What the package charges; None where it knows no such model, or lists no price."""
    try:
        found = genai.calc_price(genai.Usage(**counts), model_id, provider_id=provider, genai_request_timestamp=when)
    except LookupError:
        return None
    return float(found.total_price) if found.total_price > Decimal(0) else None
