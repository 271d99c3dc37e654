"""Several answers while they come."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmr.render.columns import cells
from llmr.render.growing import LEAST_COLUMN, Growing, column_width, fits, growing_rows

ONE = Growing("one", "first token 1 ms", "some words that are wrapped at blanks and not in their middle " * 9)
TWO = Growing("two", "waiting", "")


def test_columns_need_room() -> None:
    assert fits(2, 2 * LEAST_COLUMN + 2)
    assert not fits(2, 2 * LEAST_COLUMN + 1)
    assert not fits(1, 500)


def test_wide_terminals_show_a_column_each_with_the_end_of_its_text() -> None:
    rows = growing_rows([ONE, TWO], 81, 6)
    second = column_width(2, 80) + 2
    assert rows[0] == "one".ljust(second) + "two"
    assert rows[1] == "first token 1 ms".ljust(second) + "waiting"
    assert len(rows) == 6
    words = set(ONE.text.split())
    assert all(set(row.split()) <= words for row in rows[2:])
    assert rows[-1].endswith("middle")


def test_narrow_terminals_and_pipes_of_many_show_a_row_each() -> None:
    first, second = growing_rows([ONE, TWO], 60, 6)
    assert first.startswith("one: first token 1 ms  ")
    assert first.endswith("in their middle")
    assert second == "two: waiting"


def test_b01_what_grows_is_harmless() -> None:
    evil = Growing("\x1b]0;t\x07", "\x1b[2J", "a\x1b[2J\rb\u202e" * 40)
    for width in (50, 120):
        assert not set("".join(growing_rows([evil, evil], width, 9))) & set("\x1b\x07\r\u202e")


TEXT = st.text(st.sampled_from("ab  \n\t日本👍\U0001f3fd\u0301⚠\ufe0f\u200d🇩🇪"), max_size=300)


@given(st.lists(TEXT, min_size=1, max_size=8), st.integers(5, 200), st.integers(1, 20))
def test_no_row_fills_the_width_and_there_are_no_more_than_wished(texts: list[str], width: int, height: int) -> None:
    rows = growing_rows([Growing(f"title {n}", "facts " * 9, text) for n, text in enumerate(texts)], width, height)
    assert len(rows) <= height
    assert all(cells(row) < width for row in rows)


@pytest.mark.parametrize("more", ["x", " more words", "\n"])
def test_rows_that_stand_stay_where_they_are_while_text_comes(more: str) -> None:
    """The place where the text is cut moves once per screenful, not with every token."""
    before = growing_rows([ONE, TWO], 81, 6)[2:]
    after = growing_rows([Growing("one", "", ONE.text + more), TWO], 81, 6)[2:]
    assert before[1:-1] == after[1:-1] or before[1:-1] == after[: len(before) - 2]
