"""How wide text is, and words in rows."""

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wcwidth import wcwidth

from llmr.render.columns import cell, cells, rows_of_words


def test_what_pythons_own_table_says_is_what_wcwidth_says() -> None:
    differing = [
        hex(code)
        for code in range(0x20, sys.maxunicode + 1)
        if chr(code) != "\ufe0f" and cell(chr(code)) != max(0, wcwidth(chr(code)), chr(code).isascii())
    ]
    assert differing == []


@pytest.mark.parametrize(
    ("text", "columns"), [("", 0), ("ab", 2), ("日本", 4), ("e\u0301", 1), ("⚠\ufe0f", 2), ("🇩🇪", 2)]
)
def test_a_character_counts_as_the_widest_that_a_terminal_draws(text: str, columns: int) -> None:
    assert cells(text) >= columns


WORDS = st.lists(st.text("ab日👍é", min_size=1, max_size=6), min_size=1, max_size=30)


@given(WORDS, st.integers(12, 40), st.integers(0, 12), st.integers(0, 12))
def test_rows_keep_every_word_and_run_over_for_no_word_that_fits(
    words: list[str], width: int, first: int, others: int
) -> None:
    rows = rows_of_words(" ".join(words), width, first, others)
    assert [word for row in rows for word in row.split()] == words
    for number, row in enumerate(rows):
        taken = others if number else first
        assert taken + cells(row) <= width or len(row.split()) == 1
