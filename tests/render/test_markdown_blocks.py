"""Markdown text into blocks: what they are, and that no cut of the text changes them."""

import sys
from types import FrameType

import pytest
from fake_terminal import PIECES
from hypothesis import given, settings
from hypothesis import strategies as st

from llmr.render.markdown.block import Block, Kind
from llmr.render.markdown.blocks import TABLE_ROWS, Splitter

WINDOW = 60


def split(text: str, *, window: int = WINDOW) -> list[Block]:
    splitter = Splitter(window)
    return [*splitter.feed(text), *splitter.end()]


def kinds(text: str) -> list[tuple[str, str]]:
    return [(block.kind.value, block.text) for block in split(text)]


TEXTS = st.lists(PIECES, max_size=30).map("".join)


@settings(max_examples=300, deadline=None)
@given(TEXTS, st.data())
def test_however_the_text_is_cut_the_same_blocks_come_out(text: str, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.sets(st.integers(0, len(text)), max_size=20)))
    splitter = Splitter(WINDOW)
    blocks: list[Block] = []
    for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True):
        blocks += splitter.feed(text[start:end])
    assert [*blocks, *splitter.end()] == split(text)


@settings(max_examples=200, deadline=None)
@given(TEXTS)
def test_no_word_is_lost_and_none_comes_twice(text: str) -> None:
    def letters(of: str) -> list[str]:
        return [character for character in of if character.isalpha()]

    blocks = split(text.replace("```py", "```"))
    tables = [block for block in blocks if block.kind is Kind.TABLE]
    assert len(tables) < TABLE_ROWS  # none was long enough to have its header twice
    assert letters("".join(block.text for block in blocks)) == letters(text.replace("```py", "```"))


@settings(max_examples=200, deadline=None)
@given(TEXTS)
def test_what_is_open_stays_small(text: str) -> None:
    splitter = Splitter(WINDOW)
    longest_line = max(map(len, text.split("\n")))
    for character in text:
        splitter.feed(character)
        for block in splitter.open:
            if block.kind not in {Kind.TABLE, Kind.CODE}:
                assert len(block.text) <= 2 * WINDOW + min(WINDOW, longest_line) + 1


def test_blocks_are_told_apart() -> None:
    text = "# Title #\n\nText\nmore\n\n- a\n- b\n\n> said\n\n***\n\n| h | i |\n|---|---|\n| 1 | 2 |\n"
    assert kinds(text) == [
        ("heading", "Title"),
        ("paragraph", "Text\nmore"),
        ("item", "a"),
        ("item", "b"),
        ("paragraph", "said"),
        ("rule", ""),
        ("table", "| h | i |\n|---|---|\n| 1 | 2 |"),
    ]
    assert [block.gap for block in split(text)] == [False, True, True, False, True, True, True]


def test_a_fence_is_finished_line_by_line_and_shut_by_its_own_kind_only() -> None:
    splitter = Splitter(WINDOW)
    assert [block.kind for block in splitter.feed("````python\nx = 1\n```\n~~~\n")] == [
        Kind.CODE_BEGIN,
        *[Kind.CODE] * 3,
    ]
    assert [block.kind for block in splitter.feed("`````\nafter\n\n")] == [Kind.CODE_END, Kind.PARAGRAPH]


def test_a_fence_in_an_item_loses_the_items_indentation_and_no_more() -> None:
    code = [block for block in split("1. do\n   ```\n   a:\n     b\n   ```\n") if block.kind is Kind.CODE]
    assert [(block.text, block.indent) for block in code] == [("a:", 3), ("  b", 3)]


def test_a_fence_that_an_item_begins_with_is_a_fence() -> None:
    assert kinds("- ```sh\n  ls\n  ```\n") == [("item", ""), ("code_begin", "sh"), ("code", "ls"), ("code_end", "")]


def test_a_quote_ends_the_code_inside_it() -> None:
    blocks = split("> ```\n> a\nb\n")
    assert [(block.kind, block.quote) for block in blocks] == [
        (Kind.CODE_BEGIN, 1),
        (Kind.CODE, 1),
        (Kind.PARAGRAPH, 0),
    ]


def test_lists_nest_by_indentation() -> None:
    text = "1. a\n   - b\n     - c\n\n       of c\n   - d\n2. e\n\nout\n"
    assert [(block.text, block.indent) for block in split(text)] == [
        ("a", 0), ("b", 3), ("c", 5), ("of c", 7), ("d", 3), ("e", 0), ("out", 0),
    ]  # fmt: skip


def test_a_year_at_the_beginning_of_a_line_begins_no_list() -> None:
    assert kinds("It was in\n1986. A good year.\n") == [("paragraph", "It was in\n1986. A good year.")]


def test_a_line_of_dashes_makes_a_heading_of_the_text_above_and_is_a_rule_elsewhere() -> None:
    assert kinds("Title\n---\n\n---\n") == [("heading", "Title"), ("rule", "")]


def test_bars_without_a_delimiter_row_are_text() -> None:
    assert kinds("a | b\nc | d\n") == [("paragraph", "a | b\nc | d")]
    assert kinds("a | b\n---\n")[0][0] == "heading"


def test_a_table_below_text_is_a_table_of_its_own() -> None:
    assert kinds("So:\na | b\n--|--\n1 | 2\n\n") == [("paragraph", "So:"), ("table", "a | b\n--|--\n1 | 2")]


def test_a_long_table_comes_in_parts_each_with_its_header() -> None:
    tables = split("|a|\n|-|\n" + "|1|\n" * (TABLE_ROWS + 3))
    assert [block.text.count("\n") - 1 for block in tables] == [TABLE_ROWS, 3]
    assert tables[1].text.startswith("|a|\n|-|\n")


def test_a_long_paragraph_is_cut_at_words_and_outside_of_emphasis() -> None:
    text = "word " * 8 + "**bold " + "word " * 6 + "end** and so it goes on for a good while yet, to its end."
    pieces = split(text)
    assert "".join(piece.text for piece in pieces) == text
    assert len(pieces) > 1
    for piece in pieces:
        assert piece.text.count("**") % 2 == 0
    assert [piece.begins for piece in pieces] == [True, *[False] * (len(pieces) - 1)]
    assert [piece.ends for piece in pieces] == [*[False] * (len(pieces) - 1), True]


def test_text_without_blanks_is_cut_between_characters_never_inside_one() -> None:
    family = "👨‍👩‍👧‍👦"
    pieces = split(family * 40)
    assert "".join(piece.text for piece in pieces) == family * 40
    assert len(pieces) > 1
    assert all(piece.text.startswith("👨") and piece.text.endswith("👦") for piece in pieces)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("para\nmore", [("paragraph", "para\nmore")]),
        ("para\n- ite", [("paragraph", "para"), ("item", "ite")]),
        ("- a\n  - b", [("item", "a"), ("item", "b")]),
        ("para\n-", [("paragraph", "para\n-")]),
        ("```\nx = ", [("code", "x = ")]),
        ("# Hea", [("heading", "Hea")]),
        ("#", [("paragraph", "#")]),
        ("> quo", [("paragraph", "quo")]),
        ("* * ", [("item", "* ")]),
        ("* * *", [("paragraph", "* * *")]),
        ("|a|\n|-|\n|1", [("table", "|a|\n|-|")]),
        ("done\n\n", []),
        ("```\n", []),
        ("\n\n  ", []),
    ],
)
def test_what_is_open_can_be_looked_at(text: str, shown: list[tuple[str, str]]) -> None:
    splitter = Splitter(WINDOW)
    splitter.feed(text)
    assert [(block.kind.value, block.text) for block in splitter.open] == shown


def test_cost_does_not_grow_with_the_answer() -> None:
    """Linear: four times the text is four times the calls and four times the characters that they are called with."""

    def spent(lines: int) -> int:
        splitter, total = Splitter(320), 0

        def count(frame: FrameType, event: str, _: object) -> None:
            nonlocal total
            total += 1
            if event == "call":
                total += sum(len(value) for value in frame.f_locals.values() if isinstance(value, str))

        sys.setprofile(count)
        try:
            for _ in range(lines):
                splitter.feed("some words of a line, **bold** and ")
                splitter.feed("`code`, and so on\n")
            splitter.feed("x" * 200 * lines)
        finally:
            sys.setprofile(None)
        return total

    assert spent(1_000) < 4.2 * spent(250)
