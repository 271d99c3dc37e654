"""Columns that line up, as plain text: the same on a terminal and in a pipe, without boxes or trailing blanks.

The columns have manners: a table fits a given width by narrowing the columns that say they can be narrowed, the most patient
first, and then by leaving columns out, the least important first. A line never wraps, and what is left is never cut in the
middle of a figure.
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import Final

from llmr.dataclass import dataclass
from llmr.render.ink import Keep, Line, Span, Tone, clipped, ink, width_of

_GAP: Final = "  "


class Align(StrEnum):
    """To which side a column's cells are set: text to the left, figures to the right."""

    LEFT = "left"
    RIGHT = "right"


@dataclass(frozen=True, slots=True)
class Column:
    """How one column behaves. `least`: the columns of screen it can do with, None: it cannot be narrowed. `rank`: the higher,
    the sooner it is left out; 0: never. `keep`: which part of a narrowed cell stays."""

    title: str
    align: Align = Align.LEFT
    least: int | None = None
    keep: Keep = Keep.START
    rank: int = 0


def table(columns: Sequence[Column], rows: Sequence[Sequence[Line]], width: int | None = None) -> list[Line]:
    """The head and the rows, each in at most `width` columns where the columns' manners allow it; None: as wide as they are.

    A column without any text in its cells is left out, unless there are no rows at all.
    """
    kept = [i for i in range(len(columns)) if not rows or any(row[i] for row in rows)]
    wanted = {i: max(width_of(ink(columns[i].title)), *(width_of(row[i]) for row in rows), 0) for i in kept}
    widths = wanted if width is None else _fitted(columns, wanted, width)
    head = {i: clipped(ink(columns[i].title, Tone.FAINT), widths[i], ellipsis="") for i in widths}
    lines = [list(head.values()), *([row[i] for i in widths] for row in rows)]
    return [_line(cells, [columns[i] for i in widths], list(widths.values())) for cells in lines]


def _fitted(columns: Sequence[Column], wanted: dict[int, int], width: int) -> dict[int, int]:
    widths = dict(wanted)
    while True:
        over = _total(widths) - width
        for i in sorted(widths, key=lambda i: -columns[i].rank):
            least = columns[i].least
            if over > 0 and least is not None and widths[i] > least:
                taken = min(over, widths[i] - least)
                widths[i] -= taken
                over -= taken
        if over <= 0:
            return widths
        spare = max(widths, key=lambda i: columns[i].rank)
        if columns[spare].rank == 0:
            return widths
        widths = {i: wanted[i] for i in widths if i != spare}


def _total(widths: dict[int, int]) -> int:
    return sum(widths.values()) + len(_GAP) * (len(widths) - 1)


def _line(cells: Sequence[Line], columns: Sequence[Column], widths: Sequence[int]) -> Line:
    spans: list[Span] = []
    for cell, column, width in zip(cells, columns, widths, strict=True):
        shown = clipped(cell, width, column.keep)
        blank = Span(" " * (width - width_of(shown)))
        spans += [Span(_GAP)] if spans else []
        spans += [*shown, blank] if column.align is Align.LEFT else [blank, *shown]
    return tuple(spans)
