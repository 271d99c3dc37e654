"""Lines for a person on a narrow terminal: broken between words, and none lost."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmr.render.columns import cells
from llmr.render.wrapping import rows_of


def test_a_line_that_fits_is_left_as_it_is() -> None:
    assert rows_of("  a  b ", 7) == ["  a  b "]


def test_a_longer_one_is_broken_between_words_and_goes_on_behind_an_indentation() -> None:
    assert rows_of("llmr: one two three four", 14) == ["llmr: one two", "  three four"]
    assert rows_of("  1. one two three", 12) == ["  1. one two", "    three"]


def test_what_there_is_to_say_of_a_list_s_entry_stays_below_itself() -> None:
    assert rows_of("  /new   begin a new conversation", 22) == ["  /new   begin a new", "         conversation"]
    assert rows_of("  a long entry   begin it", 20) == ["  a long entry", "    begin it"]  # no room below


@pytest.mark.parametrize("text", ["日本語のテキストは" * 5, "x" * 50])
def test_a_word_that_is_wider_than_the_terminal_is_broken_all_the_same(text: str) -> None:
    assert "".join(row.strip() for row in rows_of(text, 20)) == text


@given(st.text(st.sampled_from("ab  日👍-/"), max_size=200), st.integers(4, 60))
def test_no_word_is_lost_and_no_row_too_wide(line: str, width: int) -> None:
    rows = rows_of(line, width)
    assert "".join("".join(rows).split()) == "".join(line.split())
    assert all(cells(row) <= width for row in rows)
