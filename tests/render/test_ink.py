"""Text with a tone: colours where they are wanted, and never a foreign escape."""

import pytest

from llmr.render.ink import Keep, Span, Tone, clipped, ink, joined, painted, plain, width_of, wrapped_line


def test_without_colour_a_line_is_its_text() -> None:
    line = (*ink("ok", Tone.GOOD), *ink(" rest  "))
    assert painted(line, color=False) == plain(line) == "ok rest"


def test_with_colour_each_tone_is_opened_and_closed() -> None:
    line = (*ink("ok", Tone.GOOD), *ink(" rest"), *ink("   ", Tone.BAD))
    assert painted(line, color=True) == "\x1b[32mok\x1b[0m rest"


@pytest.mark.parametrize("color", [True, False])
def test_foreign_text_is_harmless_and_stays_on_its_line(color: bool) -> None:
    assert painted(ink("a\x1b[2J\nb\tc"), color=color) == "a␛[2J b c"


def test_blank_pieces_are_not_set_apart() -> None:
    assert plain(joined([ink("a"), ink(""), ink("b")], ", ")) == "a, b"


@pytest.mark.parametrize(("text", "width"), [("abc", 3), ("模型", 4), ("e\u0301", 1), ("", 0), ("▁█", 2)])
def test_the_width_is_that_of_the_screen(text: str, width: int) -> None:
    assert width_of(ink(text)) == width


@pytest.mark.parametrize(("keep", "shown"), [(Keep.START, "abcd…"), (Keep.END, "fghij"), (Keep.ENDS, "ab…ij")])
def test_what_is_cut_is_marked_but_for_time_that_has_passed(keep: Keep, shown: str) -> None:
    assert plain(clipped(ink("abcdefghij"), 5, keep)) == shown


def test_a_wide_character_is_never_cut_in_half() -> None:
    assert plain(clipped(ink("模型模型"), 4)) == "模…"
    assert width_of(clipped(ink("模型模型"), 4)) == 3


def test_a_cut_keeps_the_tones() -> None:
    line = (Span("aaa", Tone.GOOD), Span("bbb", Tone.BAD))
    assert clipped(line, 4, Keep.END) == (Span("a", Tone.GOOD), Span("bbb", Tone.BAD))
    assert clipped(line, 0) == ()


def test_a_long_line_is_broken_at_blanks_behind_its_sign() -> None:
    line = (Span("  "), Span("○", Tone.BAD), *ink(" provider a: open after server, may be probed now", Tone.FAINT))
    lines = wrapped_line(line, 30)
    assert [plain(each) for each in lines] == ["  ○ provider a: open after", "    server, may be probed now"]
    assert lines[0][1] == Span("○", Tone.BAD)
    assert lines[1][0].tone is Tone.FAINT


def test_a_line_keeps_its_own_indent_when_it_is_broken() -> None:
    assert [plain(each) for each in wrapped_line(ink("  one two three four"), 14)] == ["  one two", "    three four"]


def test_a_line_that_fits_is_left_alone() -> None:
    line = ink("one two")
    assert wrapped_line(line, 7) == wrapped_line(line, None) == [line]
    assert wrapped_line((), 1) == [()]
