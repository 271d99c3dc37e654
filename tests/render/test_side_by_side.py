"""Answers beside each other."""

import re

import pytest

from llmr.render.side_by_side import Shown, below, columns

ONE = Shown("one", "1.0 s", "Some **bold** words that wrap in a narrow column, surely they do.\n\n- item\n")
TWO = Shown("two", "2.0 s", "```\n" + "x" * 50 + "\n```\n")


def plain(lines: list[str]) -> list[str]:
    return [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in lines]


@pytest.mark.parametrize("width", [80, 100])
def test_each_answer_keeps_to_its_column_and_no_line_is_padded(width: int) -> None:
    lines = plain(columns([ONE, TWO], width, color=False))
    second = (width - 2) // 2 + 2
    assert lines[0] == "one".ljust(second) + "two"
    assert lines[1] == "1.0 s".ljust(second) + "2.0 s"
    assert all(len(line) <= width and line == line.rstrip() for line in lines)
    assert "".join(line[second:] for line in lines).count("x") == 50
    left = " ".join(line[: second - 2].strip() for line in lines)
    assert "Some bold words that wrap in a narrow column, surely they do." in " ".join(left.split())


def test_one_below_the_other_where_it_is_narrow() -> None:
    assert plain(below(Shown("t", "f", "a\n\nb"), 20, color=False)) == ["t", "f", "", "a", "", "b"]


def test_b01_b08_columns_are_harmless() -> None:
    evil = Shown("\x1b]0;t\x07", "\x1b[2J", "a \x1b[2J &#27;[2J [https://bank](https://evil)")
    text = "".join(columns([evil, ONE], 120, color=True))
    assert "\x1b]" not in text
    assert "\x1b[2J" not in text
    assert "(https://evil)" in "".join(plain([text]))
