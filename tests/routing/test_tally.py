"""What people are shown of the past: counts and percentiles."""

import json
import math
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmr.routing.tally import Tally, counted, histogram_from_row, merged, percentile_s

NOON = 1_795_435_200.0


def histogram(values: list[float]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for value in values:
        counts = counted(counts, value)
    return counts


def true_percentile(values: list[float], share: float) -> float:
    return sorted(values)[math.floor(share * (len(values) - 1))]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(1e-3, 3_600), min_size=50, max_size=200), st.floats(0, 1))
def test_a_percentile_is_within_two_percent_of_the_truth(values: list[float], share: float) -> None:
    shown = percentile_s(histogram(values), share)
    assert shown == pytest.approx(true_percentile(values, share), rel=0.02)


def test_histograms_of_days_and_processes_add_up() -> None:
    chance = random.Random(7)
    values = [chance.lognormvariate(0, 1) for _ in range(400)]
    parts = merged(histogram(values[i::4]) for i in range(4))
    assert parts == histogram(values)
    assert merged([]) == {}


def test_below_fifty_samples_there_is_no_percentile() -> None:
    assert percentile_s({}, 0.5) is None
    assert percentile_s({"0": 49}, 0.5) is None
    assert percentile_s({"0": 50}, 0.5) is not None


def test_a_clocks_quirk_of_no_time_at_all_is_a_very_short_time() -> None:
    shown = percentile_s({next(iter(counted({}, 0.0))): 50}, 1.0)
    assert shown is not None
    assert 0 < shown < 1e-3


@pytest.mark.parametrize(
    "row",
    [
        None,
        [],
        "x",
        7,
        {"x": 1},
        {"1": "y"},
        {"1": None},
        {"1": float("inf")},
        {"1": float("nan")},
        {"99999999": 60},
        {"1": -3},
    ],
)
def test_an_unreadable_histogram_is_an_empty_one(row: Any) -> None:
    assert histogram_from_row(row) == {}


def test_a_histogram_is_equal_after_a_restart() -> None:
    counts = histogram([0.1, 0.1, 3.0])
    assert histogram_from_row(json.loads(json.dumps(counts))) == counts


def test_the_tally_counts_what_was_the_providers_doing() -> None:
    tally = Tally().with_success().with_error(NOON + 1, "server 500", counts=True)
    tally = tally.with_error(NOON + 2, "bad_request 400", counts=False)
    assert tally == Tally(2, 1, NOON + 2, "bad_request 400")
    assert Tally.from_row(json.loads(json.dumps(tally.to_row()))) == tally


@pytest.mark.parametrize(
    "row",
    [
        None,
        [],
        [1, 2, 3],
        ["x", 0, 0, ""],
        [float("inf"), 0, 0, ""],
        [1, 1, float("nan"), ""],
        [1, 1, "x", ""],
    ],
)
def test_an_unreadable_tally_is_an_empty_one(row: Any) -> None:
    assert Tally.from_row(row) == Tally()


def test_the_row_of_an_older_llmr_is_read_without_what_is_kept_no_more() -> None:
    assert Tally.from_row([3, 2, NOON - 9, NOON, "server 500"]) == Tally(3, 2, NOON, "server 500")
