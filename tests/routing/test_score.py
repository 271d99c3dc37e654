"""The index: its formula, its terms, and what an answer cost."""

import math
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmr.catalog import Price, Strategy
from llmr.chat import Usage
from llmr.routing.estimate import Estimate
from llmr.routing.score import WEIGHTS, Score, expected_price_usd, reading_s, request_cost_usd, score

ESTIMATE = Estimate(
    mu=math.log(0.5), variance=0.16, samples=50, short_samples=9, success=0.9, failure_s=4.0,
    tokens_per_s=60, output_tokens=300,
)  # fmt: skip


def scored(estimate: Estimate = ESTIMATE, strategy: Strategy = Strategy.BALANCED, **more: Any) -> Score:
    given_: dict[str, Any] = {
        "second_is_worth_usd": 0.002, "quality_is_worth_usd": 0.004, "price_usd": 0.001, "price_assumed": False,
        "quality": 0.8, "streamed": True, "output_tokens": 300.0,
    }  # fmt: skip
    return score(estimate, weights=WEIGHTS[strategy], **{**given_, **more})


def test_each_term_is_what_the_design_says() -> None:
    terms = scored()
    mean, p95 = 0.5 * math.exp(0.08), 0.5 * math.exp(1.645 * 0.4)
    assert terms.first_token_s == pytest.approx(mean)
    assert terms.reading_s == 0.0
    assert terms.failure_s == pytest.approx(0.1 / 0.9 * 4.0)
    assert terms.tail_s == pytest.approx(0.4 * (p95 - mean))
    assert terms.price_s == pytest.approx(0.001 / 0.9 / 0.002)
    assert terms.quality_s == pytest.approx(0.8 * 0.004 / 0.002)
    assert (terms.price_usd, terms.price_assumed, terms.quality) == (0.001, False, 0.8)


logs, variances, shares, waits = st.floats(-5, 5), st.floats(0.02, 3), st.floats(0, 1), st.floats(0, 60)


@settings(max_examples=60, deadline=None)
@given(logs, variances, shares, waits, st.none() | st.floats(0, 10), st.sampled_from(Strategy))
def test_the_terms_add_up_to_the_index(
    mu: float, variance: float, success: float, failure_s: float, price: float | None, strategy: Strategy
) -> None:
    e = replace(ESTIMATE, mu=mu, variance=variance, success=success, failure_s=failure_s)
    t = scored(e, strategy, price_usd=price)
    assert t.time_s == pytest.approx(t.first_token_s + t.reading_s + t.failure_s + t.tail_s)
    assert t.index_s == pytest.approx(WEIGHTS[strategy].time * t.time_s + t.price_s - t.quality_s)
    assert math.isfinite(t.index_s)
    assert min(t.first_token_s, t.reading_s, t.failure_s, t.tail_s, t.price_s, t.quality_s) >= 0


@pytest.mark.parametrize(
    ("strategy", "price", "quality"),
    [
        (Strategy.LATENCY, False, False),
        (Strategy.COST, True, False),
        (Strategy.BALANCED, True, True),
        (Strategy.QUALITY, True, False),
    ],
)
def test_a_strategy_is_a_setting_of_the_weights(strategy: Strategy, price: bool, quality: bool) -> None:
    terms = scored(strategy=strategy)
    assert (terms.price_s > 0, terms.quality_s > 0) == (price, quality)


def test_every_strategy_has_weights() -> None:
    assert set(WEIGHTS) == set(Strategy)


def test_one_who_has_only_failed_has_a_finite_index() -> None:
    assert scored(replace(ESTIMATE, success=0.0)).failure_s == pytest.approx(99 * 4.0)


def test_an_unknown_quality_is_middling_and_an_unknown_price_costs_nothing_here() -> None:
    assert scored(quality=None).quality == 0.5
    assert scored(quality=0.0).quality == 0.0
    assert scored(price_usd=None).price_s == 0.0


def test_a_second_that_is_worth_nothing_divides_nothing_by_zero() -> None:
    terms = scored(second_is_worth_usd=0.0)
    assert math.isfinite(terms.index_s)
    assert terms.price_s > 1_000 * terms.time_s


def test_reading_is_held_up_only_by_an_answer_slower_than_one_reads() -> None:
    assert reading_s(15, 300) == 0
    assert reading_s(200, 300) == 0
    assert reading_s(5, 300) == pytest.approx(60 - 20)
    slow = replace(ESTIMATE, tokens_per_s=5)
    assert scored(slow).reading_s == pytest.approx(40)
    assert scored(slow, streamed=False).reading_s == 0, "a whole answer's time is in its first token"


def test_a_very_wide_distribution_has_no_negative_tail() -> None:
    assert scored(replace(ESTIMATE, variance=20.0)).tail_s == 0


def test_the_expected_price_is_both_ways() -> None:
    assert expected_price_usd(Price(3, 15), prompt_tokens=2_000, output_tokens=100) == pytest.approx(0.0075)
    assert expected_price_usd(None, prompt_tokens=1, output_tokens=1) is None


def test_what_the_cache_will_hold_is_expected_at_the_price_of_the_cache() -> None:
    known = Price(3, 15, cached_input_usd=0.3)
    price_usd = expected_price_usd(known, prompt_tokens=1_000, output_tokens=0, cached_share=0.75)
    assert price_usd == pytest.approx((250 * 3 + 750 * 0.3) / 1e6)
    same = expected_price_usd(Price(3, 15), prompt_tokens=1_000, output_tokens=0, cached_share=0.75)
    assert same == pytest.approx(0.003), "without a price of its own it costs what input costs"


@pytest.mark.parametrize(
    ("price", "usage", "cost"),
    [
        (Price(3, 15), Usage(1_000, 100), 0.0045),
        (Price(3, 15, cached_input_usd=0.3), Usage(1_000, 100, cached_tokens=400), (600 * 3 + 400 * 0.3 + 1_500) / 1e6),
        (Price(3, 15), Usage(1_000, 100, cached_tokens=400), 0.0045),
        (Price(3, 15, cache_write_usd=3.75), Usage(1_000, 0, cache_write_tokens=200), (800 * 3 + 200 * 3.75) / 1e6),
        (Price(3, 15, cached_input_usd=0.0), Usage(10, 0, cached_tokens=50), 0.0),
        (Price(3, 15), Usage(1_000, 100, cost_usd=0.5), 0.5),
        (None, Usage(1_000, 100, cost_usd=0.0), 0.0),
        (None, Usage(1_000, 100), None),
        (Price(3, 15), None, None),
        (Price(3, 15), Usage(output_tokens=5), None),
        (Price(3, 15), Usage(input_tokens=5), None),
    ],
)
def test_what_an_answer_cost(price: Price | None, usage: Usage | None, cost: float | None) -> None:
    assert request_cost_usd(price, usage) == (None if cost is None else pytest.approx(cost))
