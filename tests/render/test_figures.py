"""Figures for people: one unit, few digits, and something is never written as nothing."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmr.render import figures
from llmr.render.figures import (
    count,
    dollars,
    dollars_alike,
    left,
    megabytes,
    milliseconds,
    per_million,
    seconds,
    share,
)

UNITS = {"": 1.0, "k": 1e3, "M": 1e6, "G": 1e9}
AMOUNTS = st.floats(1e-12, 1e6)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (0.0, "0 s"),
        (-1.0, "0 s"),
        (0.01, "0.1 s"),
        (4.46, "4.5 s"),
        (9.94, "9.9 s"),
        (9.96, "10 s"),
        (66, "66 s"),
        (900, "15 min"),
    ],
)
def test_what_is_left_is_told_in_one_unit_and_is_never_nothing(value: float, said: str) -> None:
    assert left(value) == said


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (None, "–"), (0.0, "$0.00"), (12.345, "$12.35"), (1234.5, "$1,234.50"), (0.25, "$0.25"), (0.0125, "$0.013"),
        (0.00015, "$0.00015"), (0.000_012, "$0.000012"), (3e-7, "<$0.000001"), (5e-7, "<$0.000001"), (-0.5, "-$0.50"),
    ],
)  # fmt: skip
def test_money_is_told_to_the_cent_or_to_two_digits(value: float | None, said: str) -> None:
    assert dollars(value) == said


def test_an_estimated_amount_is_marked() -> None:
    assert dollars(0.25, estimated=True) == "~$0.25"
    assert dollars(None, estimated=True) == "–"


@given(AMOUNTS)
def test_an_amount_that_is_something_is_never_written_as_nothing_nor_with_an_exponent(usd: float) -> None:
    said = dollars(usd)
    assert "e" not in said
    assert re.search("[1-9]", said), said
    if not said.startswith("<"):
        assert float(said.lstrip("$").replace(",", "")) == pytest.approx(usd, rel=0.06, abs=6e-7)


@given(st.lists(st.none() | st.just(0.0) | AMOUNTS, max_size=8))
def test_a_column_of_amounts_has_one_number_of_digits_and_hides_none(column: list[float | None]) -> None:
    said = dollars_alike(column)
    assert len({len(text.rpartition(".")[2]) for text in said if text}) <= 1
    for usd, text in zip(column, said, strict=True):
        assert (text == "") == (usd is None)
        assert bool(re.search("[1-9]", text)) == bool(usd)


def test_a_duration_and_what_is_left_of_one_are_said_alike() -> None:
    assert [milliseconds(value) for value in (120, 150, 300, 590)] == ["2 min", "2.5 min", "5 min", "9.8 min"]
    assert [left(value) for value in (119, 120, 300)] == [milliseconds(value) for value in (119, 120, 300)]


@given(st.floats(0, 1e9))
def test_a_duration_has_one_unit_and_is_nothing_only_where_it_is(value: float) -> None:
    said = milliseconds(value)
    assert re.fullmatch(r"<1 ms|\d{1,3} ms|\d{1,2}\.\d s|1[01]\d s|\d\.\d min|\d+ (min|h|d)", said), said
    assert (said == "0 ms") == (value == 0)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (0.9994, "999 ms"),
        (0.9996, "1.0 s"),
        (99.94, "99.9 s"),
        (99.96, "100 s"),
        (119.4, "119 s"),
        (119.6, "2 min"),
        (599.6, "10 min"),
        (7_300, "2 h"),
    ],
)
def test_a_duration_never_rounds_up_to_a_larger_unit_of_its_own(value: float, said: str) -> None:
    assert milliseconds(value) == seconds(value) == said


@given(st.floats(0, 1))
def test_a_share_is_all_or_nothing_only_where_it_is(value: float) -> None:
    said = share(value)
    assert (said == "100%") == (value == 1)
    assert (said == "0%") == (value == 0)
    assert abs(float(said.strip("<%")) / 100 - value) <= 0.01


@given(st.floats(0, 1e12))
def test_a_count_is_short_and_within_a_twentieth(value: float) -> None:
    said = count(value)
    found = re.fullmatch(r"([\d,]+(?:\.\d)?)([kMG]?)", said)
    assert found is not None
    assert len(said) <= 6
    assert float(found[1].replace(",", "")) * UNITS[found[2]] == pytest.approx(value, rel=0.05, abs=0.5)


@pytest.mark.parametrize(
    ("value", "said"),
    [(9_999.4, "9,999"), (9_999.6, "10.0k"), (99_960, "100k"), (999_400, "999k"), (999_700, "1.0M"), (2.5e9, "2.5G")],
)
def test_a_count_never_says_a_thousand_of_a_unit(value: float, said: str) -> None:
    assert count(value) == said


@given(st.floats(0, 1e6))
def test_a_price_has_no_exponent_and_is_nothing_only_where_it_is(usd: float) -> None:
    said = per_million(usd)
    assert "e" not in said
    assert bool(re.search("[1-9]", said)) == (usd > 0)


def test_a_few_bytes_are_not_no_megabytes() -> None:
    assert [megabytes(value) for value in (0, 1, 49_999, 50_000, 1_234_567_890)] == [
        "0.0 MB", "<0.1 MB", "<0.1 MB", "0.1 MB", "1,234.6 MB",
    ]  # fmt: skip


def test_there_is_one_home_for_figures() -> None:
    assert sorted(figures.__all__) == figures.__all__
    assert all(hasattr(figures, name) for name in figures.__all__)
