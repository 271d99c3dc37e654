"""The retry and hedge budget: extra load has to be earned by ordinary load."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmr.routing.budget import Budget, Extra, earn, spend


def spent(budget: Budget, *extras: Extra) -> Budget:
    for extra in extras:
        after = spend(budget, extra)
        assert after is not None
        budget = after
    return budget


def test_it_begins_full_and_earns_no_more_than_its_caps() -> None:
    budget = earn(Budget())
    assert (budget.tokens, budget.hedges, budget.requests) == (10, 10, 1)


def test_a_request_earns_a_fifth_of_a_retry_and_a_tenth_of_a_hedge() -> None:
    budget = earn(Budget(tokens=0, hedges=0))
    assert (budget.tokens, budget.hedges) == (pytest.approx(0.2), pytest.approx(0.1))


def test_a_retry_costs_one_and_is_refused_without() -> None:
    budget = spent(Budget(), *[Extra.RETRY] * 10)
    assert (budget.tokens, budget.retried, budget.hedges) == (0, 10, 10)
    assert spend(budget, Extra.RETRY) is None


def test_a_hedge_costs_both_and_is_refused_without_either() -> None:
    budget = spent(Budget(), Extra.HEDGE)
    assert (budget.tokens, budget.hedges, budget.hedged) == (9, 9, 1)
    assert spend(Budget(tokens=0.9), Extra.HEDGE) is None
    assert spend(Budget(hedges=0.9), Extra.HEDGE) is None


def test_the_first_fallback_is_free_but_counted_and_no_fallback_is_ever_refused() -> None:
    assert spent(Budget(), Extra.FIRST_FALLBACK) == Budget(fell_back=1)
    assert spent(Budget(tokens=0.5), Extra.FALLBACK) == Budget(tokens=0, fell_back=1)


@given(st.lists(st.sampled_from([*Extra, None, None, None]), max_size=300))
def test_retries_and_hedges_stay_within_ten_and_a_fifth_of_the_requests(history: list[Extra | None]) -> None:
    budget = Budget()
    for event in history:
        budget = earn(budget) if event is None else spend(budget, event) or budget
        assert budget.retried + budget.hedged <= 10 + 0.2 * budget.requests + 1e-9  # 18
        assert budget.hedged <= 10 + 0.1 * budget.requests + 1e-9
        assert 0 <= budget.tokens <= 10
        assert 0 <= budget.hedges <= 10
    assert Budget.from_row(json.loads(json.dumps(budget.to_row()))) == budget


@pytest.mark.parametrize("row", [None, [], 7, "x", ["x"] * 6, [1, 1, float("inf"), 0, 0, 0], [1, 1, 1, 1, 1]])
def test_an_unreadable_row_is_a_full_budget(row: Any) -> None:
    assert Budget.from_row(row) == Budget()


def test_what_no_honest_writer_stores_is_put_within_bounds() -> None:
    assert Budget.from_row([1e9, -5, 1, 0, 0, 0]) == Budget(10, 0, 1)
    assert Budget.from_row([float("nan"), 3, 0, 0, 0, 0]) == Budget(0, 3)
