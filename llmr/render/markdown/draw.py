"""Finished blocks as the lines of a terminal. Needs Rich: imported with the first finished block, not before.

Rich measures, wraps and lays out tables; what it would add for its own frames is left out, so that what is copied from the
screen is the text: nothing is padded, no line ends in blanks, code has no frame and its long lines are left to the terminal,
which does not put line ends into them.
"""

import io
from collections.abc import Iterable, Sequence
from typing import Final, Literal, final

from rich import box
from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from rich.table import Table
from rich.text import Text

from llmr.render.columns import cells
from llmr.render.markdown.block import Block, Kind
from llmr.render.markdown.code import CodePainter
from llmr.render.markdown.inline import styled
from llmr.render.markdown.rows import QUOTE_BAR, prefix_of

_HEADINGS: Final = {"#": "bold underline magenta", "##": "bold magenta"}
_LESSER_HEADING: Final = "bold"
_QUOTE: Final = "dim"
_MARKER: Final = "yellow"
_FENCE: Final = "dim"
_RULE_CELLS: Final = 40
_LEAST_COLUMN: Final = 6  # a table whose columns would be narrower is told row by row
_BOXES: Final = {"[ ]": "☐", "[x]": "☑", "[X]": "☑"}


@final
class Drawer:
    """Blocks in order, as text with the terminal's own colours. `color` False: weight and slant remain, colours go."""

    def __init__(self, *, color: bool) -> None:
        self._color = color
        self._console = Console(
            file=io.StringIO(), force_terminal=True, color_system="standard", no_color=not color, width=80,
            markup=False, emoji=False, highlight=False, legacy_windows=False,
        )  # fmt: skip
        self._code = CodePainter("")

    def lines(self, block: Block, width: int, column: int) -> list[str]:
        """The block's lines. A block that does not begin goes on in the first of them at `column`."""
        gap = [""] if block.gap else []
        match block.kind:
            case Kind.RULE:
                return [*gap, *self._prefixed([Text("─" * min(width, _RULE_CELLS), "dim")], block)]
            case Kind.CODE_BEGIN:
                self._code = CodePainter(block.text)
                return [*gap, *self._prefixed([Text(block.marker, _FENCE)], block)]
            case Kind.CODE_END:
                return self._prefixed([Text(block.marker, _FENCE)], block)
            case Kind.CODE:
                return [*gap, *self._prefixed([self._code.line(block.text.expandtabs(4))], block)]
            case Kind.TABLE:
                return [*gap, *self._table(block, width)]
            case Kind.PARAGRAPH | Kind.HEADING | Kind.ITEM:
                return [*gap, *self._prose(block, width, column)]

    def _prose(self, block: Block, width: int, column: int) -> list[str]:
        first, others = prefix_of(block)
        if cells(others) > width // 2:
            first = others = ""
        text = styled(
            _ticked(block), _HEADINGS.get(block.marker, _LESSER_HEADING) if block.kind is Kind.HEADING else ""
        )
        if not block.begins and not column:  # goes on, but on a row of its own
            text = text[len(text.plain) - len(text.plain.lstrip(" \n")) :]
            first = others
        before = Text("x" * max(0, column - cells(others)))  # what stands on the row already
        rows = list((before + text).wrap(self._console, width - cells(others), overflow="fold", tab_size=4))
        out = self._prefixed(rows, block, first, others)
        if column:
            out[0] = self._ansi(rows[0][len(before) :])
        return out

    def _prefixed(
        self, rows: Sequence[Text], block: Block, first: str | None = None, others: str | None = None
    ) -> list[str]:
        """The rows behind what stands before them: `first` before the first, `others` before the rest."""
        around = prefix_of(block)[1]
        first, others = around if first is None else first, around if others is None else others
        out: list[str] = []
        for number, row in enumerate(rows):
            prefix = Text(others if number else first)
            prefix.stylize(_QUOTE, 0, len(QUOTE_BAR) * block.quote)
            if block.kind is Kind.ITEM and not number:
                prefix.stylize(_MARKER, len(QUOTE_BAR) * block.quote + block.indent)
            out.append(self._ansi(prefix + row))
        return out

    def _table(self, block: Block, width: int) -> list[str]:
        head, align, *rows = [_cells_of(line) for line in block.text.split("\n")]
        around, _ = prefix_of(block)
        room = width - cells(around)
        if rows and room < _LEAST_COLUMN * len(head):
            shown = self._cards(head, rows, room)
        else:
            table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, header_style="bold")
            for title, how in zip(head, align, strict=False):
                table.add_column(styled(title), justify=_justify(how), overflow="fold")
            for row in rows:
                table.add_row(*(styled(cell) for cell in (*row, *[""] * len(head))[: len(head)]))
            options = self._console.options.update(width=room)
            shown = [self._of_segments(line) for line in self._console.render_lines(table, options, pad=False)]
        prefix = self._ansi(Text(around, _QUOTE)) if around.strip() else around
        return [prefix + line for line in shown]

    def _cards(self, head: Sequence[str], rows: Iterable[Sequence[str]], width: int) -> list[str]:
        """A table too wide for its columns: each row as lines of `title: value`."""
        out: list[str] = []
        for row in rows:
            if out:
                out.append("")
            for title, cell in zip(head, row, strict=False):
                text = styled(title, "bold").append(": ") + styled(cell)
                out += [self._ansi(line) for line in text.wrap(self._console, max(1, width), overflow="fold")]
        return out

    def _ansi(self, text: Text) -> str:
        text = text.copy()
        text.rstrip()
        text.end = ""
        return self._of_segments(list(text.render(self._console)))

    def _of_segments(self, line: Sequence[Segment]) -> str:
        segments = [segment for segment in line if segment.text and not segment.control]
        while segments and not segments[-1].text.rstrip(" "):
            segments.pop()
        if segments:
            segments[-1] = Segment(segments[-1].text.rstrip(" "), segments[-1].style)
        return "".join(self._shown(segment) for segment in segments)

    def _shown(self, segment: Segment) -> str:
        style = segment.style or Style.null()
        return (style if self._color else style.without_color).render(segment.text)


def _ticked(block: Block) -> str:
    """An item that begins with a box to tick shows one."""
    box_shown = _BOXES.get(block.text[:3]) if block.kind is Kind.ITEM and block.begins else None
    return block.text if box_shown is None else box_shown + block.text[3:]


def _cells_of(line: str) -> list[str]:
    """A row's cells. A bar behind a backslash or inside code is text (GFM §4.10)."""
    cells_: list[str] = [""]
    row = line.strip().removeprefix("|")
    row = row[:-1] if row.endswith("|") and not row.endswith("\\|") else row
    place = 0
    while place < len(row):
        if row.startswith("\\|", place):
            cells_[-1] += "|"
            place += 1
        elif row[place] == "|":
            cells_.append("")
        else:
            cells_[-1] += row[place]
        place += 1
    return [cell.strip() for cell in cells_]


def _justify(delimiter: str) -> Literal["left", "center", "right"]:
    left, right = delimiter.startswith(":"), delimiter.endswith(":")
    return "center" if left and right else "right" if right else "left"
