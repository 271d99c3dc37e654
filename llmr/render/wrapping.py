"""A line for a person in as many rows as a terminal needs for it, broken between words: a terminal breaks between letters."""

import re

from llmr.render.columns import cells
from llmr.render.markdown.rows import wrapped

_HEAD = re.compile(r" *\S.*?\S? {2,}(?=\S)")  # of a line of a list: what it is about, a gap, what there is to say


def rows_of(line: str, width: int) -> list[str]:
    """The rows, those after the first behind an indentation: below the text of a list's line, else two columns."""
    if cells(line) <= width:
        return [line]
    text = line.lstrip(" ")
    lead = line[: len(line) - len(text)]
    head = _HEAD.match(line) if lead else None
    others = " " * (cells(head[0]) if head and cells(head[0]) <= width // 2 else len(lead) + 2)
    return wrapped(text, width, 0, lead, others)
