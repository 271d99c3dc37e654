"""Markdown on a terminal, as pyte shows it: drawn once, the same however it came, harmless."""

import random
import re

import pytest
from fake_terminal import PIECES, FakeTerminal, pieces_of
from hypothesis import example, given, settings
from hypothesis import strategies as st

from llmr.render.columns import cells, is_certain
from llmr.render.markdown.block import Block, Kind
from llmr.render.markdown.blocks import Splitter
from llmr.render.markdown.draw import Drawer
from llmr.render.markdown.rows import tail_rows
from llmr.render.markdown.screen import MOST_ROWS, MarkdownScreen
from llmr.render.neutralize import neutralize

RICH = """\
# Heading with `code`

A **bold statement** about *things*, with a [link](https://example.org/x) and more words so that it wraps
at any width. It goes on, **with bold text that is rather long and spans lines of the terminal**, and ends.

1. First item with a text that has to be wrapped because it is long, surely
   - nested **two**

   ```python
   def f(x: int) -> str:
       return f"{x}"  # comment
   ```
- [x] done

> A quote that is long enough to wrap, because it has many words and no end in sight.

| Name | Count |
|:-----|------:|
| apple | 1 |
| 日本語 | 22 |

日本語の文章は単語の間に空白がないので、折り返しは文字単位で行われます。これは長い文章ですから、端末の幅を超えるはずです。

---
The end.
"""


# The same, however it came


@pytest.mark.parametrize("columns", [80, 40, 17, 10])
@pytest.mark.parametrize("size", [1, 2, 7, 50])
def test_the_screen_is_the_same_whatever_came_in_one_chunk(columns: int, size: int) -> None:
    whole = FakeTerminal(columns).show([RICH])
    assert FakeTerminal(columns).show(pieces_of(RICH, size)) == whole


@settings(max_examples=100, deadline=None)
@given(
    st.lists(PIECES.filter(is_certain), max_size=25).map("".join), st.integers(0, 2**32), st.sampled_from([80, 23, 10])
)
def test_no_text_and_no_cut_leaves_a_trace_of_what_was_taken_back(text: str, seed: int, columns: int) -> None:
    chance, pieces, rest = random.Random(seed), list[str](), text
    while rest:
        size = chance.randint(1, 30)
        pieces.append(rest[:size])
        rest = rest[size:]
    marks = re.compile("[\u0300-\u036f]")  # pyte has its own ideas of where they belong
    whole = FakeTerminal(columns).show([text])
    assert [marks.sub("", line) for line in FakeTerminal(columns).show(pieces)] == [
        marks.sub("", line) for line in whole
    ]


# Each line once


def test_the_first_token_is_shown_at_once() -> None:
    terminal = FakeTerminal()
    screen = terminal.markdown()
    screen.feed("He")
    screen.paint()
    assert terminal.written == ["He"]


def test_a_growing_paragraph_costs_its_new_characters_and_no_escape() -> None:
    terminal = FakeTerminal(40)
    text = "Only words, one after the other, that take some rows of this terminal and no more."
    terminal.show(re.findall(r"\s*\S+", text))  # whole words: none begins on one row and then belongs on the next
    assert "\x1b" not in "".join(terminal.written)
    assert terminal.plain.replace("\n", " ").split() == terminal.plain.split()
    assert terminal.plain.count("terminal") == 1


def test_a_finished_line_is_never_written_again() -> None:
    """Numbered words: each is written once as it comes, and at most once more when its block is drawn."""
    words = [f"w{number}" for number in range(2_000)]
    text = "".join(f"{word}{' ' if number % 97 else chr(10) * 2}" for number, word in enumerate(words, 1))
    terminal = FakeTerminal(60, 24)
    terminal.show(pieces_of(text.replace("w100 ", "**w100** "), 4))
    counts = {word: len(re.findall(rf"\b{word}\b", terminal.plain)) for word in words}
    assert min(counts.values()) >= 1
    assert max(counts.values()) <= 3


def test_ten_thousand_lines_are_written_in_less_than_twice_their_length() -> None:
    text = "".join(f"- item **{number}** with some words\n" for number in range(10_000))
    terminal = FakeTerminal(80, 24)
    written: list[str] = []
    screen = MarkdownScreen(written.append, lambda: terminal.size, color=False)
    for piece in pieces_of(text, 200):
        screen.feed(piece)
        screen.paint()
    screen.end()
    assert len("".join(written)) < 2 * len(text)


def test_what_takes_something_back_is_one_synchronised_update() -> None:
    terminal = FakeTerminal()
    terminal.show(pieces_of(RICH, 5), color=True)
    for text in terminal.written:
        if re.search(r"\x1b\[\d*[AJ]", text):
            assert text.startswith("\x1b[?2026h")
            assert text.endswith("\x1b[?2026l")


@pytest.mark.parametrize("columns", [120, 80, 40, 10])
def test_no_line_ends_in_blanks_and_none_is_padded(columns: int) -> None:
    terminal = FakeTerminal(columns)
    screen = terminal.markdown(color=True)
    screen.feed(RICH)
    screen.end()
    for line in terminal.plain.split("\n"):
        assert line == line.rstrip(" ")


# Small, dumb and changing terminals


@pytest.mark.parametrize(("columns", "rows"), [(1, 1), (1, 24), (2, 5), (9, 24), (80, 1), (80, 3)])
def test_a_terminal_too_small_to_take_rows_back_gets_finished_lines_only(columns: int, rows: int) -> None:
    terminal = FakeTerminal(columns, rows)
    terminal.show(pieces_of(RICH, 3))
    assert not re.search(r"\x1b\[[^m]*[A-Za-ln-z]", "".join(terminal.written))
    assert "".join(terminal.plain.split()).endswith("Theend.")


def test_fewer_rows_are_open_than_the_screen_has() -> None:
    for rows in (4, 6, 24):
        terminal = FakeTerminal(20, rows)

        def nothing_scrolled_from_under_us(terminal: FakeTerminal = terminal) -> None:
            ups = [int(up or 1) for up in re.findall(r"\x1b\[(\d*)A", "".join(terminal.written))]
            assert max(ups, default=0) <= min(MOST_ROWS, terminal.size[1] - 2)

        terminal.show(
            pieces_of("日本語の文章" * 60 + "\n\n**x**\n" + "word " * 90, 3), after=nothing_scrolled_from_under_us
        )


@pytest.mark.parametrize("columns", [20, 200])
def test_after_a_resize_that_may_have_wrapped_a_row_nothing_is_taken_back_and_nothing_comes_twice(columns: int) -> None:
    terminal = FakeTerminal(240, 40)
    screen = terminal.markdown()
    screen.feed("one **two** three " + "x" * 200 + " ")
    screen.paint()
    terminal.resize(columns, 40)
    before = len(terminal.written)
    for piece in ("four", " five\nsix\n", "\nseven **eight**\n\n"):
        screen.feed(piece)
        screen.paint()
    screen.end()
    after = "".join(terminal.written[before:])
    assert after.startswith(" four five\nsix\n")
    assert re.findall(r"\w+", re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", after))[:5] == [
        "four",
        "five",
        "six",
        "seven",
        "eight",
    ]
    assert [line for line in terminal.lines if "eight" in line] == ["seven eight"]


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.sampled_from(["{} ", "{}\n\n", "\n- {} ", "**{}** ", "\n1. {}\n", "\n> {} ", "`{}`\n", "\n\n# {}\n", "{}\n",
                              "\n| {} | b |\n|---|---|\n| 1 | 2 |\n", "| {} | x |\n", "- "]),
             min_size=5, max_size=60),
    st.dictionaries(st.integers(0, 59), st.tuples(st.integers(12, 90), st.integers(3, 40)), max_size=4),
)  # fmt: skip
@example(["{}\n", "\n- {} ", "\n| {} | b |\n|---|---|\n| 1 | 2 |\n", "{} ", "{}"], {0: (12, 6), 2: (12, 4)})
@example(["- ", "\n- {} ", "\n| {} | b |\n|---|---|\n| 1 | 2 |\n", "- "], {1: (12, 6), 2: (13, 3), 3: (14, 6)})
def test_no_resize_loses_a_word(pieces: list[str], sizes: dict[int, tuple[int, int]]) -> None:
    terminal = FakeTerminal(60, 30)
    screen = terminal.markdown()
    for number, piece in enumerate(pieces):
        screen.feed(piece.format(f"w{number}x"))
        screen.paint()
        if number in sizes:
            terminal.resize(*sizes[number])
    screen.end()
    joined = "".join(terminal.plain.split())
    words = [f"w{number}x" for number, piece in enumerate(pieces) if "{}" in piece]
    assert [word for word in words if word not in joined] == []


@pytest.mark.parametrize(
    "text",
    ["```\n" + "{} " * 300, "- {}\n  | {} |\n  |---|\n" + "  | {} |\n" * 6 + "  | {} ", "{} " * 300 + "**{}"],
    ids=["a line of code", "bars in an item", "a paragraph"],
)
@pytest.mark.parametrize("size", [(50, 10), (40, 9), (30, 4), (30, 3), (9, 3)])
def test_what_was_not_shown_of_an_open_block_is_written_after_a_resize(text: str, size: tuple[int, int]) -> None:
    words = [f"w{number}x" for number in range(text.count("{}"))]
    terminal = FakeTerminal(40, 10)
    screen = terminal.markdown()
    screen.feed(text.format(*words))
    screen.paint()
    terminal.resize(*size)
    screen.paint()
    screen.end()
    seen = terminal.plain.split()
    assert [word for word in words if not any(word in piece for piece in seen)] == []


_SHELL = "\n[1]+  Stopped\n$ fg\n"


def test_what_is_open_when_a_shell_writes_below_it_goes_on_there_once() -> None:
    terminal = FakeTerminal(60, 60)
    screen = terminal.markdown()
    screen.feed("done\n\nhalf a **sentence** of")
    screen.paint()
    terminal.put(_SHELL)
    screen.moved()
    for piece in (" words\n", "\n**last**\n"):
        screen.feed(piece)
        screen.paint()
    screen.end()
    shown = ["done", "", "half a **sentence** of", "[1]+  Stopped", "$ fg", " words", "", "last"]
    assert terminal.lines == shown


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.sampled_from(["{} ", "{}\n\n", "\n- {} ", "**{}** ", "\n> {} ", "`{}`\n", "\n\n# {}\n", "{}\n"]), max_size=20
    ),
    st.sets(st.integers(0, 20)),
)
def test_no_shell_that_writes_below_loses_a_word_or_a_line_of_its_own(pieces: list[str], stops: set[int]) -> None:
    terminal = FakeTerminal(60, 400)
    screen = terminal.markdown()
    for number, piece in enumerate(pieces):
        screen.feed(piece.format(f"w{number}x"))
        screen.paint()
        if number in stops:
            terminal.put(_SHELL)
            screen.moved()
    screen.end()
    words = [f"w{number}x" for number, piece in enumerate(pieces) if "{}" in piece]
    assert [word for word in words if word not in "".join(terminal.lines)] == []
    assert terminal.lines.count("$ fg") == len([stop for stop in stops if stop < len(pieces)])


def test_a_resize_in_a_list_repeats_no_item() -> None:
    terminal = FakeTerminal(60, 60)
    screen = terminal.markdown()
    for piece in ("intro\n\n- one\n- tw", "o\n- three\n\nend **x**\n"):
        screen.feed(piece)
        screen.paint()
        terminal.resize(50, 60)
    screen.end()
    assert terminal.lines == ["intro", "", "• one", "• two", "• three", "", "end x"]


def test_a_resize_while_a_table_is_held_leaves_nothing_of_its_placeholder() -> None:
    terminal = FakeTerminal(60, 60)
    screen = terminal.markdown()
    for piece in ("| a | b |\n|---|---|\n| 1", "| 2 |\n\nend\n"):
        screen.feed(piece)
        screen.paint()
        terminal.resize(40, 60)
    screen.end()
    assert [line.split() for line in terminal.lines if "─" not in line] == [["a", "b"], ["1", "2"], [], ["end"]]


@pytest.mark.parametrize("title", ["Name", "N" * 80])
@pytest.mark.parametrize("sizes", [(70, 100), (70, 70), (30, 30)])
def test_a_resize_in_the_header_of_a_table_loses_no_row(title: str, sizes: tuple[int, int]) -> None:
    terminal = FakeTerminal(100, 60)
    screen = terminal.markdown()
    pieces = (f"Intro.\n\n| {title} ", "| Q |\n|--", "-|---|\n| row0 | 0 |\n| ro", "w1 | 1 |\n\nAfter.\n")
    for piece, columns in zip(pieces, (*sizes, *sizes), strict=True):
        screen.feed(piece)
        screen.paint()
        terminal.resize(columns, 60)
    screen.end()
    shown = "\n".join(terminal.lines)
    assert all(words in shown for words in ("row0", "row1", "After."))
    assert "─" in shown


@pytest.mark.parametrize(
    ("before", "after", "lines"),
    [
        ("-", " an item\n", ["• an item"]),
        ("> sa", "id\n", ["▌ said"]),
        ("> one\n> t", "wo\n", ["▌ one", "▌ two"]),
    ],
)
def test_a_resize_behind_half_a_mark_leaves_nothing_of_it(before: str, after: str, lines: list[str]) -> None:
    terminal = FakeTerminal(60, 40)
    screen = terminal.markdown()
    screen.feed(before)
    screen.paint()
    terminal.resize(50, 40)
    screen.feed(after)
    screen.end()
    assert terminal.lines == lines


def test_on_a_cleared_screen_nothing_is_erased_that_tmux_would_keep_as_history() -> None:
    terminal = FakeTerminal(60)
    lines = terminal.show(["#", " Heading that\n", "text ", "more\n- i", "tem **x** ", "\n"])
    assert lines == ["Heading that", "text more", "• item x"]
    seen = FakeTerminal(60)
    for write in terminal.written:
        before, erases, _ = write.partition("\x1b[J")
        seen.put(before)
        assert not erases or (seen.screen.cursor.x, seen.screen.cursor.y) != (0, 0)
        seen.put(write[len(before) :])


def test_a_quote_looks_like_one_while_it_comes() -> None:
    terminal = FakeTerminal(60)
    screen = terminal.markdown()
    screen.feed("> one\n> tw")
    screen.paint()
    assert terminal.lines == ["▌ one", "▌ tw"]


def test_an_item_and_a_heading_look_like_themselves_while_they_come() -> None:
    terminal = FakeTerminal(20)
    screen = terminal.markdown()
    screen.feed("# He")
    screen.paint()
    assert terminal.lines == ["He"]
    screen.feed("ad\n1. one item that wraps in the m")
    screen.paint()
    assert terminal.lines == ["Head", "1. one item that", "   wraps in the m"]


def test_a_resize_between_two_blocks_draws_the_next_to_the_new_width() -> None:
    terminal = FakeTerminal(60, 40)
    screen = terminal.markdown()
    screen.feed("done\n\n")
    screen.paint()
    terminal.resize(20, 40)
    screen.feed("word " * 8 + "\n")
    screen.end()
    assert terminal.lines == ["done", "", "word word word word", "word word word word"]


# What is open


def test_a_table_is_held_behind_one_line_until_it_ends() -> None:
    terminal = FakeTerminal(40)
    screen = terminal.markdown()
    screen.feed("| a | b |\n|---|---|\n| 1 | 2 |\n| 3 ")
    screen.paint()
    assert terminal.lines == ["▦ a table, 1 rows so far …"]
    screen.feed("| 4 |\n\n")
    screen.paint()
    assert [line.split() for line in terminal.lines if "─" not in line] == [["a", "b"], ["1", "2"], ["3", "4"]]


def test_of_a_line_of_code_without_end_the_last_rows_are_shown_while_it_comes() -> None:
    block = Block(Kind.CODE, "x" * 100_000 + "END")
    rows, whole = tail_rows([block], 80, 0, 8)
    assert not whole
    assert len(rows) <= 8
    assert rows[-1].endswith("END")


def test_a_long_line_of_code_is_left_to_the_terminal_to_wrap() -> None:
    line = "x" * 200
    terminal = FakeTerminal(40)
    terminal.show([f"```\n{line}\n```\n"])
    assert line in terminal.plain


# Harmless


def drawn(text: str, columns: int = 80, *, color: bool = True) -> tuple[str, list[str]]:
    terminal = FakeTerminal(columns)
    lines = terminal.show(pieces_of(neutralize(text), 3), color=color)
    return "".join(terminal.written), lines


HOSTILE = st.sampled_from(
    ["\x1b[2J", "\x1b]52;c;eA==\x07", "&#27;[2J", "&#x9b;2J", "\x9b", "\r", "&#8;", "\x1b[?2026h"]
)
ONLY_OURS = re.compile(
    r"\x1b\[[0-9;]*m|\x1b\[\?2026h(?:\x1b\[\d*A)?\r(?:\x1b\[\d+C)?\x1b\[K"
    r"(?:\x1b\[B\r\x1b\[J\x1b\[A\r(?:\x1b\[\d+C)?)?|\x1b\[\?2026l"
)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.one_of(PIECES, HOSTILE), max_size=20).map("".join))
def test_b01_b03_b05_no_escape_sequence_but_our_own_reaches_the_terminal(text: str) -> None:
    written, _ = drawn(text)
    rest = ONLY_OURS.sub("", written)
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f]", rest)


def test_b01_a_character_reference_cannot_smuggle_an_escape_past_the_neutraliser() -> None:
    written, lines = drawn("a &#27;]52;c;eA==&#7; b &#x9b;2J c")
    assert "\x1b]" not in written
    assert "]52;c;eA==" in lines[0]


def test_b06_a_character_reference_cannot_smuggle_a_writing_direction_either() -> None:
    for text in (
        "a &#x202e;gnp.exe",
        "`x` **&#x202e;gnp**",
        "[&#x202e;x](http://y)",
        "| a &#x200b; |\n|---|\n| &#x202e; |\n",
    ):
        written, lines = drawn(text)
        assert "\u202e" not in written
        assert "⟨U+202E⟩" in "".join(lines)


def test_b07_rich_markup_and_emoji_codes_are_text() -> None:
    for text in ("[/]", "[bold]x", "[link=http://e]b[/link]", ":smile:", "[/path/x]"):
        assert drawn(text)[1] == [text]
        assert drawn(f"- {text}")[1] == [f"• {text}"]
        assert text in drawn(f"| {text} |\n|---|\n| {text} |\n")[1][0]


def test_b08_a_link_shows_where_it_leads_and_is_not_a_hidden_one() -> None:
    written, lines = drawn("[https://bank](https://evil) and ![pic](https://pixel)")
    assert lines == ["https://bank (https://evil) and pic (https://pixel)"]
    assert "\x1b]8" not in written


# What blocks look like


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("**a** *b* `c` ~~d~~", ["a b c d"]),
        ("<b>x</b> &amp; y", ["<b>x</b> & y"]),
        (r"\(x^2\) \[y\] \*z\* `\(w\)`", [r"\(x^2\) \[y\] *z* \(w\)"]),
        ("<https://x.y>", ["https://x.y"]),
        ("line one\nline two", ["line one", "line two"]),
        ("- [ ] a\n- [x] b", ["• ☐ a", "• ☑ b"]),
        ("10. ten\n11. eleven", ["10. ten", "11. eleven"]),
        ("> a\n> > b", ["▌ a", "▌ ▌ b"]),
        ("a\n\n\n\nb", ["a", "", "b"]),
        ("\n\n\na", ["a"]),
        ("```\n\ta\n```", ["```", "    a", "```"]),
    ],
)
def test_a_block_looks_like(text: str, lines: list[str]) -> None:
    assert drawn(text)[1] == lines


def test_a_table_too_wide_for_its_columns_is_told_row_by_row() -> None:
    assert drawn("| a | b | c |\n|---|---|---|\n| 1 | 2 | 3 |\n| 4 | 5 | 6 |\n", columns=12)[1] == [
        "a: 1", "b: 2", "c: 3", "", "a: 4", "b: 5", "c: 6",
    ]  # fmt: skip


def test_a_table_without_rows_is_its_header_however_narrow() -> None:
    assert drawn("| a | b |\n|---|---|\n", columns=10)[1][0].split() == ["a", "b"]


def test_a_bar_behind_a_backslash_is_text_in_a_cell() -> None:
    assert "x|y" in drawn("| a |\n|---|\n| x\\|y |\n")[1][2]


def test_code_is_coloured_line_by_line_with_what_went_before() -> None:
    def colours(text: str) -> list[str]:
        drawer, splitter = Drawer(color=True), Splitter(300)
        return [line for block in [*splitter.feed(text), *splitter.end()] for line in drawer.lines(block, 80, 0)]

    comment = colours("```c\n/* a\nb */ int x;\n```\n")
    assert comment[1] == comment[1].replace("/* a", "/* a")
    assert "\x1b[3;90m/* a" in comment[1]
    assert "\x1b[3;90mb */" in comment[2]
    assert colours("```no-such-language\nif x\n```\n")[1] == "if x"


def test_without_colour_weight_remains() -> None:
    written, _ = drawn("**a** `b`\n\n```py\nif x: pass\n```\n", color=False)
    assert "\x1b[1ma" in written
    assert not re.search(r"\x1b\[[0-9;]*3[0-7]", written)


@pytest.mark.parametrize(("text", "most"), [("abc", 3), ("日本", 4), ("é", 1), ("☁️", 2), ("👍🏽", 4), ("👨‍👩‍👧", 6)])
def test_a_character_counts_as_the_widest_that_a_terminal_may_draw(text: str, most: int) -> None:
    assert cells(text) == most


@pytest.mark.parametrize("open_text", ["some **bold", "x" * 39, "word " * 12, ""])
def test_an_echoed_interrupt_is_taken_back_with_the_open_rows(open_text: str) -> None:
    terminal = FakeTerminal(40)
    screen = terminal.markdown()
    screen.feed("before\n\n" + open_text)
    screen.paint()
    terminal.put("^C")
    screen.disturbed()
    screen.end()
    text = "".join(terminal.lines)
    assert text.count("^C") <= 1
    assert terminal.lines[0] == "before"
    if 0 < len(open_text) < 30:
        assert terminal.lines[-1] == open_text
