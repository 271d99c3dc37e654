"""What an answer is made of on a terminal: blocks, or pieces of one, as values. blocks.py finds them, draw.py draws them."""

from enum import StrEnum

from llmr.dataclass import dataclass


class Kind(StrEnum):
    """What a block is."""

    PARAGRAPH = "paragraph"
    HEADING = "heading"
    ITEM = "item"
    TABLE = "table"
    RULE = "rule"
    CODE_BEGIN = "code_begin"
    CODE = "code"
    CODE_END = "code_end"


@dataclass(frozen=True, slots=True)
class Block:
    """A block, or a piece of one. `text` is without the marks that say what it is; those are in `marker`: the hashes, the
    bullet, the fence and its info.

    `gap`: a blank line stands before it. `quote`: how many quotes it is in. `indent`: columns that its lists indent it by.
    `begins` False: it goes on where the block before it stops, on the same row. `ends` False: it is gone on with.
    """

    kind: Kind
    text: str = ""
    marker: str = ""
    gap: bool = False
    quote: int = 0
    indent: int = 0
    begins: bool = True
    ends: bool = True


def marker_cells(marker: str) -> int:
    """Columns that an item's marker takes: a bullet is one, whatever it was written as."""
    return (len(marker) if marker[0].isdigit() else 1) + 1
