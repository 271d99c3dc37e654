"""Columns that line up, as plain text: the same on a terminal and in a pipe, narrow, without boxes or trailing blanks."""

from collections.abc import Sequence

from llmr.render.neutralize import neutralize

_GAP = "  "


def table_lines(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """The lines of a table. Foreign text in a cell is neutralised; a table without rows is its head."""
    cells = [[_cell(text) for text in row] for row in (head, *rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(head))]
    return [_GAP.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells]


def _cell(text: str) -> str:
    return neutralize(text).replace("\n", " ").replace("\t", " ")
