"""Several answers to one question, side by side where the terminal is wide enough, each with what it took.

Every column is Markdown drawn to the column's width. What Rich's own columns would do, this does without frames: a row is as
long as its last text.
"""

import io
from collections.abc import Sequence
from itertools import zip_longest

from rich.console import Console
from rich.text import Text

from llmr.dataclass import dataclass
from llmr.render.growing import BETWEEN, column_width
from llmr.render.markdown.blocks import Splitter
from llmr.render.markdown.draw import Drawer
from llmr.render.markdown.inline import styled
from llmr.render.neutralize import neutralize


@dataclass(frozen=True, slots=True)
class Shown:
    """One answer: what it is called, what it took, its text."""

    title: str
    facts: str
    text: str


def columns(answers: Sequence[Shown], width: int, *, color: bool) -> list[str]:
    """The lines of the answers beside each other."""
    each = column_width(len(answers), width)
    drawn = [_column(answer, each, color=color) for answer in answers]
    console = _console(width, color=color)
    return [_ansi(console, _row(cells, each)) for cells in zip_longest(*drawn, fillvalue=Text())]


def below(answer: Shown, width: int, *, color: bool) -> list[str]:
    """The lines of one answer on its own."""
    console = _console(width, color=color)
    return [_ansi(console, line) for line in _column(answer, width, color=color)]


def _column(answer: Shown, width: int, *, color: bool) -> list[Text]:
    """An answer as lines that are no wider than `width`, code included: what a terminal wraps, it wraps to its own edge."""
    drawer, splitter = Drawer(color=color), Splitter(10 * width)
    lines: list[str] = [""]
    at = 0
    for block in [*splitter.feed(neutralize(answer.text)), *splitter.end()]:
        first, *others = drawer.lines(block, width, at)
        lines[-1] += first
        lines += others
        at = Text.from_ansi(lines[-1]).cell_len
        if block.ends:
            lines.append("")
            at = 0
    console = _console(width, color=color)
    head = [styled(neutralize(answer.title), "bold"), Text(neutralize(answer.facts), "dim"), Text()]
    rows = [*head, *(Text.from_ansi(line) for line in lines[:-1])]
    return [part for row in rows for part in row.wrap(console, width, overflow="fold") or [Text()]]


def _row(cells: Sequence[Text], each: int) -> Text:
    row = Text()
    for number, cell in enumerate(cells):
        cell.rstrip()
        if number:
            row.append(" " * (number * (each + len(BETWEEN)) - row.cell_len))
        row.append_text(cell)
    row.rstrip()
    return row


def _ansi(console: Console, row: Text) -> str:
    row.end = ""
    with console.capture() as captured:
        console.print(row, end="", soft_wrap=True)
    return captured.get()


def _console(width: int, *, color: bool) -> Console:
    return Console(
        file=io.StringIO(), force_terminal=True, color_system="standard", no_color=not color, width=width,
        markup=False, emoji=False, highlight=False, legacy_windows=False,
    )  # fmt: skip
