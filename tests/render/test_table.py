"""Tables: columns that line up, and what gives way where there is no room."""

import pytest

from llmr.render.ink import Keep, Tone, ink, plain
from llmr.render.table import Align, Column, table

NAME = Column("model", least=8, keep=Keep.ENDS)
FIGURE = Column("p50", Align.RIGHT)
EXTRA = Column("asked", Align.RIGHT, rank=2)
STRIP = Column("recent", least=4, keep=Keep.END, rank=1)
ROWS = [
    [ink("openrouter/openai/gpt-4o"), ink("412 ms"), ink("812"), ink("aaaabbbbccccdddd", Tone.GOOD)],
    [ink("ollama/llama"), ink("1.2 s"), ink("7"), ink("xyz")],
]


def shown(width: int | None) -> list[str]:
    return [plain(line) for line in table([NAME, FIGURE, EXTRA, STRIP], ROWS, width)]


def table_lines(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> list[str]:
    return [plain(line) for line in table([Column(title) for title in head], [[*map(ink, row)] for row in rows])]


def test_columns_line_up_without_trailing_blanks() -> None:
    assert table_lines(("a", "bb", "c"), [("1", "2", "3"), ("long", "", "")]) == ["a     bb  c", "1     2   3", "long"]


def test_a_table_without_rows_is_its_head() -> None:
    assert table_lines(("a", "b"), []) == ["a  b"]
    assert [plain(line) for line in table([NAME, FIGURE], [])] == ["model  p50"]


def test_foreign_text_in_a_cell_stays_in_its_cell_and_is_harmless() -> None:
    (_, line) = table_lines(("a", "b"), [("x\ny\tz\x1b[31m", "w")])
    assert line == "x y z␛[31m  w"


def test_wide_characters_take_two_columns() -> None:
    (_, wide, narrow) = table_lines(("a", "b"), [("模型", "x"), ("mode", "x")])
    assert wide == "模型  x"
    assert narrow == "mode  x"


def test_figures_are_set_to_the_right_and_names_to_the_left() -> None:
    assert shown(None) == [
        "model                        p50  asked  recent",
        "openrouter/openai/gpt-4o  412 ms    812  aaaabbbbccccdddd",
        "ollama/llama               1.2 s      7  xyz",
    ]


def test_time_that_has_passed_gives_way_first_then_the_middle_of_a_name() -> None:
    assert shown(47)[1] == "openrouter/openai/gpt-4o  412 ms    812  ccdddd"
    assert shown(40)[1] == "openroute…ai/gpt-4o  412 ms    812  dddd"


def test_the_least_important_column_goes_when_nothing_can_be_narrowed() -> None:
    assert shown(30)[0].split() == ["model", "p50", "asked", "rece"]
    assert shown(28)[0].split() == ["model", "p50", "rece"]
    assert shown(20)[0].split() == ["model", "p50"]


@pytest.mark.parametrize("width", range(16, 70))
def test_no_line_is_wider_than_asked_for(width: int) -> None:
    assert all(len(line) <= width for line in shown(width))


def test_more_room_than_is_wanted_is_left_free() -> None:
    assert shown(200) == shown(None)
    two = [row[:2] for row in ROWS]
    assert table([NAME, FIGURE], two, 200) == table([NAME, FIGURE], two)


def test_what_never_gives_way_is_shown_even_where_it_does_not_fit() -> None:
    assert shown(5)[1] == "open…-4o  412 ms"


def test_a_column_without_any_text_is_left_out() -> None:
    assert plain(table([NAME, FIGURE], [[ink("a"), ()]])[0]) == "model"
