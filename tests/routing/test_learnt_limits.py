"""Limits that providers tell: what is left at a later moment, who has to wait, and what is counted in between."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmr.catalog import LimitsTold, Window
from llmr.routing.learnt_limits import LONGEST_S, Bucket, LearntLimits, is_short, learn, learnt_room, used

NOON = 1_795_435_200.0


def told(left: float, most: float | None = None, full_in_s: float | None = None) -> LearntLimits:
    return learn(LimitsTold(requests=Window(left, most, full_in_s)), LearntLimits(), NOON)


def tokens(left: float, most: float | None = None, full_in_s: float | None = None) -> LearntLimits:
    return learn(LimitsTold(tokens=Window(left, most, full_in_s)), LearntLimits(), NOON)


def waits_s(limits: LearntLimits, size: int = 1, now: float = NOON) -> float | None:
    full = learnt_room(limits, size, now)
    return None if full is None else (full.retry_at or math.inf) - now


def test_what_was_never_told_limits_nobody() -> None:
    assert waits_s(LearntLimits(), 10**9) is None


def test_an_account_with_nothing_left_waits_until_one_request_is_refilled() -> None:
    empty = told(0, 60, 60.0)
    assert waits_s(empty) == pytest.approx(1.0)
    assert waits_s(empty, now=NOON + 1.01) is None


def test_tokens_wait_until_the_prompt_fits() -> None:
    limits = tokens(1_000, 10_000, 45.0)
    assert waits_s(limits, 900) is None
    assert waits_s(limits, 4_000) == pytest.approx(15.0)


def test_a_prompt_larger_than_the_whole_bucket_waits_for_a_full_one_and_not_for_ever() -> None:
    assert waits_s(tokens(1_000, 10_000, 45.0), 99_999) == pytest.approx(45.0)
    assert waits_s(tokens(10_000, 10_000, 45.0), 99_999) is None


def test_where_the_size_was_not_told_the_bucket_is_empty_until_its_reset() -> None:
    limits = told(0, None, 20.0)
    assert waits_s(limits, now=NOON + 19) == pytest.approx(1.0)
    assert waits_s(limits, now=NOON + 20) is None


def test_a_window_without_a_reset_is_a_minute() -> None:
    assert waits_s(told(0, None)) == pytest.approx(60.0)


def test_no_word_of_a_provider_benches_it_for_more_than_a_quarter_of_an_hour() -> None:
    assert waits_s(told(0, None, 86_400.0)) == LONGEST_S


def test_what_was_told_before_the_clock_went_back_counts_for_nothing() -> None:
    assert waits_s(told(0, None, 600.0), now=NOON - 3_600) is None


def test_the_reason_says_what_is_left_of_what() -> None:
    full = learnt_room(tokens(1_000, 10_000, 45.0), 4_000, NOON)
    assert full is not None
    assert full.reason == "it says 1,000 tokens left of 10,000"


def test_requests_are_counted_only_while_few_are_left() -> None:
    assert not is_short(told(400, 500, 10.0), 100, NOON)
    assert is_short(told(9, 500, 10.0), 100, NOON)
    assert is_short(tokens(900, 10_000, 10.0), 100, NOON)
    assert not is_short(LearntLimits(), 100, NOON)


def test_what_is_used_between_two_answers_is_not_there_for_the_next_one() -> None:
    limits = told(2, 60, 58.0)
    for _ in range(2):
        assert waits_s(limits) is None
        limits = used(limits, 1, NOON)
    assert waits_s(limits) == pytest.approx(1.0)


def test_a_full_bucket_of_few_is_counted_too() -> None:
    limits = told(3, 3, 0.0)
    for _ in range(3):
        limits = used(limits, 1, NOON + 10)
    assert waits_s(limits, now=NOON + 10) == pytest.approx(20.0)  # three a minute


def test_an_answer_that_is_silent_about_a_kind_leaves_it_as_it_was() -> None:
    both = learn(LimitsTold(tokens=Window(5, 10, 1.0)), told(0, 60, 60.0), NOON)
    assert both.requests == told(0, 60, 60.0).requests
    assert both.tokens == tokens(5, 10, 1.0).tokens


def test_an_older_answer_does_not_overrule_a_newer_one() -> None:
    newer = told(0, 60, 60.0)
    assert learn(LimitsTold(requests=Window(60, 60, 0.0)), newer, NOON - 30) == newer
    assert learn(LimitsTold(requests=Window(60, 60, 0.0)), newer, NOON + 30) != newer


def test_limits_survive_their_row() -> None:
    limits = learn(LimitsTold(Window(1, 2, 3.0), Window(4, None, None)), LearntLimits(), NOON)
    assert LearntLimits.from_row(limits.to_row()) == limits
    assert LearntLimits.from_row(LearntLimits().to_row()) == LearntLimits()


@pytest.mark.parametrize(
    "row", [None, [], "xy", [1, 2], [[1, 2, 3], None], [[math.nan, 1, 0, 1], None], [[1, 1, 5, 5], None]]
)
def test_a_damaged_row_knows_nothing(row: Any) -> None:
    assert LearntLimits.from_row(row) == LearntLimits()


LEFT = st.floats(0, 1e6)


@given(LEFT, st.floats(1, 1e6), st.floats(0.001, 900), st.lists(st.floats(0, 1_000), max_size=5))
def test_a_bucket_only_fills_with_time_and_never_over_its_brim(
    left: float, most: float, full_in_s: float, moments: list[float]
) -> None:
    bucket = Bucket(min(left, most), most, NOON, NOON + full_in_s)
    levels = [bucket.left_at(NOON + moment) for moment in sorted(moments)]
    assert levels == sorted(levels)
    assert all(min(left, most) <= level <= most for level in levels)


@given(LEFT, st.floats(1, 1e6), st.floats(0.001, 900), st.integers(1, 100_000), st.floats(0, 1_000))
def test_whoever_waits_as_told_gets_through(
    left: float, most: float, full_in_s: float, size: int, later: float
) -> None:
    limits = tokens(min(left, most), most, full_in_s)
    wait_s = waits_s(limits, size, NOON + later)
    if wait_s is not None and wait_s < LONGEST_S:
        assert waits_s(limits, size, NOON + later + wait_s + 1e-3) is None
