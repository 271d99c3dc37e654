"""Plain text in rows of a terminal.

The screen takes back rows that it has written, so it must know how many there are: a row is broken before it may be wider than
the terminal on any of them (columns.py).
"""

from collections.abc import Sequence
from typing import Final

from llmr.render.columns import cells, has_marks
from llmr.render.markdown.block import Block, Kind

_TAB: Final = 4
QUOTE_BAR: Final = "▌ "
BULLET: Final = "•"
HELD_TABLE: Final = "▦ a table, {rows} rows so far …"


def prefix_of(block: Block) -> tuple[str, str]:
    """What stands before the first row of a block and before its others: bars of quotes, indentation, a bullet."""
    around = QUOTE_BAR * block.quote + " " * block.indent
    if block.kind is not Kind.ITEM:
        return around, around
    marker = f"{block.marker if block.marker[0].isdigit() else BULLET} "
    return around + marker, around + " " * len(marker)


def tail_rows(blocks: Sequence[Block], width: int, column: int, most: int) -> tuple[list[str], bool]:
    """The open blocks as plain text in at most `most` rows, none wider than `width`; the first begins at `column`. And
    whether that is all of their text."""
    rows = [row for block in blocks for row in _rows(block, width, 0 if block.begins else column, most)]
    whole = len(rows) <= most and not any(_hidden(block, width, most) for block in blocks)
    return (rows if len(rows) <= most else rows[:1] + rows[1 - most :]), whole


def _hidden(block: Block, width: int, most: int) -> int:
    """Characters of a line of code as long as a book that stand before its last rows, which are all that is shown of it."""
    return max(0, (len(block.text) // width + 1 - most) * width) if block.kind is Kind.CODE else 0


def _rows(block: Block, width: int, column: int, most: int) -> list[str]:
    gap = [""] if block.gap else []
    if block.kind is Kind.TABLE:
        return [*gap, HELD_TABLE.format(rows=block.text.count("\n") - 1)[:width]]
    first, others = prefix_of(block)
    text = block.text[_hidden(block, width, most) :]
    if not block.begins and not column:
        text, first = text.lstrip(" \n"), others
    return [*gap, *wrapped(text, width, column, "" if column else first, others)]


def wrapped(text: str, width: int, column: int, first: str, others: str) -> list[str]:
    """Words in rows; a word that is wider than a row is broken. `first` and `others` stand before the first row and the rest;
    they are left out where they would leave no room."""
    if cells(others) > width // 2:
        first = others = ""
    if has_marks(text):
        width -= 1  # some terminals go to the next row for a mark that belongs to the last column
    rows: list[str] = []
    row, used = first, column + cells(first)
    for number, line in enumerate(text.expandtabs(_TAB).split("\n")):
        if number:
            rows.append(row.rstrip(" "))
            row, used = others, cells(others)
        for word in _words(line):
            size = cells(word)
            if used + size > width and used > cells(others):
                if not word.strip(" "):
                    continue
                rows.append(row.rstrip(" "))
                row, used = others, cells(others)
            for character in [word] if used + size <= width else word:
                size = cells(character)
                if used + size > width and used > cells(others):
                    rows.append(row)
                    row, used = others, cells(others)
                row, used = row + character, used + size
    return [*rows, row.rstrip(" ") if rows or row.strip(" ") else ""]


def _words(line: str) -> list[str]:
    """Words and the blanks between them, in order."""
    out: list[str] = []
    for piece in line.split(" "):
        out += [piece, " "] if piece else [" "]
    return out[:-1] if out else out
