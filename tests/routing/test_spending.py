"""Spend limits: what is booked, what is held for attempts under way, and when the answer is no."""

import math
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmr.catalog import SpendLimits
from llmr.routing.spending import Purse, Today, hold, left_usd, over, settle

NOON = 1_795_435_200.0
TODAY = Today("2026-11", 23, NOON + 43_200, NOON + 600_000)
DAY = SpendLimits(per_day_usd=1.0)
MONTH = SpendLimits(per_month_usd=5.0)
BOTH = SpendLimits(per_day_usd=1.0, per_month_usd=5.0)
USD = st.floats(0.0001, 2.0)


def asked(purse: Purse, limits: SpendLimits, usd: float | None, today: Today = TODAY) -> str | None:
    no = over(purse, limits, usd, today, whose="your")
    return no.reason if no else None


def test_what_fits_into_the_day_may_be_spent_and_what_does_not_may_not() -> None:
    purse = Purse({23: 0.75})
    assert asked(purse, DAY, 0.25) is None
    assert (
        asked(purse, DAY, 0.2501) == "your limit of $1.00 a day: $0.75 spent or set aside, this would be ~$0.2501 more"
    )


def test_yesterday_counts_for_the_month_and_not_for_the_day() -> None:
    purse = Purse({22: 4.9})
    assert asked(purse, DAY, 0.5) is None
    assert asked(purse, MONTH, 0.5) is not None
    assert left_usd(purse, BOTH, TODAY) == pytest.approx(0.1)


def test_it_may_be_asked_again_when_the_strictest_reached_limits_period_is_over() -> None:
    day, month = (
        over(Purse({23: 1.0}), BOTH, 0.1, TODAY, whose="x"),
        over(Purse({22: 5.0}), BOTH, 0.1, TODAY, whose="x"),
    )
    assert day is not None
    assert month is not None
    assert (day.retry_at, month.retry_at) == (TODAY.day_ends_at, TODAY.month_ends_at)


def test_without_a_limit_everything_may_be_spent() -> None:
    assert left_usd(Purse({23: 1e6}), SpendLimits(), TODAY) is None
    assert asked(Purse({23: 1e6}), SpendLimits(), 1e6) is None


def test_what_is_free_is_never_refused() -> None:
    assert asked(Purse({23: 9.0}), BOTH, 0.0) is None


def test_an_unknown_price_passes_while_anything_is_left_and_not_after() -> None:
    assert asked(Purse({23: 0.99}), DAY, None) is None
    assert asked(Purse({23: 1.0}), DAY, None) == "your limit of $1.00 a day: $1.00 spent or set aside"


def test_what_is_under_way_counts_on_its_day_and_in_its_month_until_it_is_settled() -> None:
    held = hold(Purse(), "a", 0.9, 23)
    tomorrow = replace(TODAY, day=24)
    assert asked(held, DAY, 0.2) is not None
    assert asked(held, DAY, 0.2, tomorrow) is None
    assert asked(held, MONTH, 4.2, tomorrow) is not None
    assert asked(settle(held, "a", 0.05, 23), DAY, 0.2) is None


def test_what_a_killed_process_held_stays_spent() -> None:
    purse = hold(Purse(), "killed", 0.9, 23)
    for number in range(100):
        purse = settle(hold(purse, str(number), 0.0001, 23), str(number), 0.0, 23)
    assert (purse.day_usd(23), purse.month_usd) == (pytest.approx(0.9), pytest.approx(0.9))
    assert purse.day_usd(24) == 0.0


def test_the_holds_of_an_older_llmr_are_over_and_what_it_booked_is_kept() -> None:
    assert Purse.from_row([{"23": 0.25}, [["old", 0.5, NOON, NOON + 600], ["new", 0.125, 23]]]) == Purse(
        {23: 0.25}, (("new", 0.125, 23),)
    )


def test_settling_books_what_it_did_cost_and_nothing_where_nobody_knows() -> None:
    held = hold(hold(Purse({23: 0.1}), "a", 0.5, 23), "b", 0.2, 23)
    assert settle(held, "a", 0.3, 23).days == {23: pytest.approx(0.4)}
    assert settle(held, "a", None, 23).days == {23: 0.1}
    assert [token for token, *_ in settle(held, "a", 0.3, 23).holds] == ["b"]


def test_settling_what_was_never_held_and_costs_nothing_changes_nothing() -> None:
    purse = Purse({23: 0.1})
    assert settle(purse, "x", None, 23) is purse
    assert settle(purse, "x", 0.0, 23) is purse


def test_a_purse_survives_its_row() -> None:
    purse = hold(Purse({1: 0.5, 23: 0.25}), "t", 0.125, 23)
    assert Purse.from_row(purse.to_row()) == purse


@pytest.mark.parametrize(
    "row",
    [None, [], "x", [{}, 3], [{"x": 1}, []], [{"1": math.nan}, []], [{"1": -1}, []], [[], []], [{"1": 1}, [["t"]]]],
)
def test_a_damaged_row_is_a_new_purse(row: Any) -> None:
    assert Purse.from_row(row) == Purse()


@given(st.lists(st.tuples(USD, USD), max_size=30))
def test_many_at_once_never_pass_the_limit_by_more_than_their_estimates_were_wrong(
    costs: list[tuple[float, float]],
) -> None:
    """Each asks first, holds its estimate, and settles at the end; all overlap."""
    purse, admitted = Purse(), []
    for number, (estimate, actual) in enumerate(costs):
        if over(purse, DAY, estimate, TODAY, whose="x") is None:
            purse = hold(purse, str(number), estimate, TODAY.day)
            admitted.append((str(number), estimate, actual))
    for token, _, actual in admitted:
        purse = settle(purse, token, actual, TODAY.day)
    wrong_by = sum(max(0.0, actual - estimate) for _, estimate, actual in admitted)
    assert purse.day_usd(TODAY.day) <= 1.0 + wrong_by + 1e-9


@given(st.lists(USD, max_size=20), USD)
def test_what_is_left_never_grows_by_spending(spent: list[float], more: float) -> None:
    purse = Purse()
    for usd in spent:
        purse = settle(purse, "t", usd, TODAY.day)
    before, after = (left_usd(one, BOTH, TODAY) for one in (purse, settle(purse, "t", more, TODAY.day)))
    assert before is not None
    assert after is not None
    assert 0 <= after <= before
