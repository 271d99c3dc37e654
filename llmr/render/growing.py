"""Several answers while they come, in a few rows: a column each where the terminal is wide enough, else a row each.

It is shown while one waits and taken back when the answers are there, so it is plain text, the end of each, wrapped at words:
what Markdown it will be is side_by_side.py's. Every row is narrower than the terminal, or nobody could take it back.
"""

from collections.abc import Sequence
from itertools import zip_longest
from typing import Final

from llmr.dataclass import dataclass
from llmr.render.columns import cells
from llmr.render.ink import Keep, clipped, ink, plain
from llmr.render.markdown.rows import wrapped
from llmr.render.neutralize import neutralize

LEAST_COLUMN: Final = 36  # narrower columns are harder to read than answers below each other
BETWEEN: Final = "  "
_HEAD: Final = 2  # rows of a column above its text
_LEAST_TAIL: Final = 12  # columns of text behind the facts that are worth it


@dataclass(frozen=True, slots=True)
class Growing:
    """One answer so far: what it is called, how far it is, its text."""

    title: str
    facts: str
    text: str


def column_width(count: int, width: int) -> int:
    """The columns that each of so many answers has beside the others."""
    return (width - len(BETWEEN) * (count - 1)) // count


def fits(count: int, width: int) -> bool:
    """Whether so many columns fit."""
    return count > 1 and column_width(count, width) >= LEAST_COLUMN


def growing_rows(answers: Sequence[Growing], width: int, height: int) -> list[str]:
    """At most `height` rows that show how far each is."""
    width -= 1  # a row that ends in the last column is broken by some terminals
    if not fits(len(answers), width) or height <= _HEAD:
        return [_row(answer, width) for answer in answers[:height]]
    each = column_width(len(answers), width)
    columns = [_column(answer, each, height) for answer in answers]
    rows: list[str] = []
    for row in zip_longest(*columns, fillvalue=""):
        line = ""
        for number, cell in enumerate(row):
            line += " " * (number * (each + len(BETWEEN)) - cells(line)) + cell
        rows.append(line.rstrip())
    return rows


def _column(answer: Growing, width: int, height: int) -> list[str]:
    head = [_clipped(answer.title, width), _clipped(answer.facts, width)]
    return [*head, *_tail(answer.text, width, height - len(head))]


def _row(answer: Growing, width: int) -> str:
    row = _clipped(f"{answer.title}: {answer.facts}", width)
    room = width - cells(row) - len(BETWEEN)
    if not answer.text or room < _LEAST_TAIL:
        return row
    text = " ".join(answer.text[-4 * room :].split())
    return f"{row}{BETWEEN}{plain(clipped(ink(text), room, Keep.END))}"


def _tail(text: str, width: int, height: int) -> list[str]:
    """The last rows of the text. It is cut where it was cut a moment ago, so that rows stay where they are while it grows."""
    room = width * height
    text = neutralize(text[max(0, len(text) // room - 1) * room :]).strip("\n")
    return wrapped(text, width, 0, "", "")[-height:] if text else []


def _clipped(text: str, width: int) -> str:
    return plain(clipped(ink(text), width))
