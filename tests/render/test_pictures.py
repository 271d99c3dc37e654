"""Pictures as values: what is drawn for which figures, with and without block characters."""

import pytest

from llmr.errors import ErrorKind
from llmr.render.ink import Span, Tone, painted, plain
from llmr.render.pictures import (
    ASCII,
    MARKS,
    UNICODE,
    Bin,
    Glyphs,
    Slot,
    bar,
    bins,
    legend,
    sparkline,
    strip,
    success_strip,
)


def test_a_sparkline_is_logarithmic_and_begins_at_the_least() -> None:
    assert plain(sparkline([0.1, 0.2, 0.4, 0.8, 1.6], UNICODE)) == "▁▃▅▇█"


def test_a_steady_model_looks_steady() -> None:
    assert plain(sparkline([0.50, 0.55, 0.52], UNICODE)) == "▁▁▁"


def test_a_gap_is_a_gap_and_one_slow_answer_does_not_flatten_the_others() -> None:
    assert plain(sparkline([0.2, None, 0.8, 30.0], UNICODE)) == "▁ ▃█"


@pytest.mark.parametrize("values", [[], [None], [0.0], [0.0, 0.0]])
def test_nothing_known_is_no_trouble(values: list[float | None]) -> None:
    assert plain(sparkline(values, UNICODE)) in ("", "▁", "▁▁")


def test_a_strip_has_heights_for_answers_and_letters_for_failures() -> None:
    line = strip([("ok", 0.2), ("rate_limit", None), ("ok", 1.6), ("ok", None), ("cancelled", None)], UNICODE)
    assert plain(line) == "▁L█▪c"
    assert [span.tone for span in line] == [Tone.GOOD, Tone.WARN, Tone.GOOD, Tone.FAINT]


def test_without_colour_a_strip_says_the_same() -> None:
    assert painted(strip([("ok", 0.2), ("stall", None)], ASCII), color=False) == "_T"


def test_every_kind_of_failure_has_a_mark_and_a_stranger_one_too() -> None:
    assert set(MARKS) == set(ErrorKind)
    assert plain(strip([("new_kind", None)], UNICODE)) == "?"
    assert legend(["ok", "rate_limit", "server", "overloaded"]) == "S server error, L rate limit"


def test_a_slot_is_small_where_most_went_well() -> None:
    slots = [Slot(9, 0), Slot(9, 2, "server"), Slot(2, 2, "rate_limit"), None, Slot(0, 0)]
    assert plain(success_strip([*slots, Slot(1, 0)], UNICODE)) == "▪sL  ▪"
    assert success_strip(slots, UNICODE)[1] == Span("s", Tone.WARN)


@pytest.mark.parametrize(
    ("share", "glyphs", "drawn"),
    [
        (1.0, UNICODE, "████"),
        (0.5, UNICODE, "██"),
        (0.53, UNICODE, "██▏"),
        (0.0001, UNICODE, "▏"),
        (0.0, UNICODE, ""),
        (7.0, UNICODE, "████"),
        (0.5, ASCII, "##"),
        (0.01, ASCII, "#"),
    ],
)
def test_a_bar_is_as_long_as_its_share_and_what_is_there_is_seen(share: float, glyphs: Glyphs, drawn: str) -> None:
    assert plain(bar(share, 4, glyphs)) == drawn


def test_bins_double_and_hold_their_upper_edge() -> None:
    assert bins({0.5: 2, 0.51: 1, 1.9: 3, 0.13: 1}) == [
        Bin(0.125, 0.25, 1), Bin(0.25, 0.5, 2), Bin(0.5, 1.0, 1), Bin(1.0, 2.0, 3),
    ]  # fmt: skip


def test_bins_without_a_value_have_none_and_wild_ones_are_kept_in() -> None:
    assert bins({}) == []
    assert len(bins({0.0: 1})) == 1
    assert sum(each.count for each in bins({1e-9: 1, 1e12: 2})) == 3


@pytest.mark.parametrize("glyphs", [UNICODE, ASCII])
def test_every_glyph_of_a_picture_is_one_column(glyphs: Glyphs) -> None:
    assert len(glyphs.heights) == 8
    assert all(len(each) == 1 for each in (glyphs.whole, glyphs.fine, glyphs.none, glyphs.closed, glyphs.cross))


def test_ascii_is_ascii() -> None:
    assert all(getattr(ASCII, name).isascii() for name in Glyphs.__slots__)
