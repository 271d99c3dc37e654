"""How many columns of a terminal a text takes, and words in rows of so many.

Terminals disagree about emoji that are joined, coloured or flags: some draw them as one, others as each part. Here a character
counts as the widest that any of them draws, so a row may end early and never runs over.
"""

import re
import unicodedata
from functools import cache
from typing import Final

_EMOJI_VARIATION: Final = "\ufe0f"  # makes a narrow character before it wide
_WORD: Final = re.compile(r"\s*\S+")

# Letters of Latin alphabets; dashes, quotes and the ellipsis; arrows, mathematics, boxes, bars, dots: what llmr itself draws
# with. Of these Python's own table says all that there is to know, so a view without foreign text spares itself wcwidth, 20 ms.
_PLAIN: Final = ((0xA1, 0x300), (0x2010, 0x2028), (0x2030, 0x205F), (0x2190, 0x2600), (0x2700, 0x2900))
_WIDE: Final = frozenset({"W", "F"})
_NOT_DRAWN: Final = frozenset({"Cf", "Cn"})  # the soft hyphen; what has no character yet


def cells(text: str) -> int:
    """Columns that `text` takes at most."""
    if text.isascii():
        return len(text)
    return sum(map(cell, text))


@cache
def cell(character: str) -> int:
    """Columns that one character takes at most: 0, 1 or 2."""
    if character.isascii() or character == _EMOJI_VARIATION:
        return 1
    code = ord(character)
    if any(first <= code < end for first, end in _PLAIN) and unicodedata.category(character) not in _NOT_DRAWN:
        return 2 if unicodedata.east_asian_width(character) in _WIDE else 1
    from wcwidth import wcwidth

    return max(0, wcwidth(character))


def is_certain(text: str) -> bool:
    """Whether all terminals agree on how wide it is."""
    return text.isascii() or not any(
        character in "\u200d\ufe0f" or 0x1F1E6 <= ord(character) <= 0x1F1FF or 0x1F3FB <= ord(character) <= 0x1F3FF
        for character in text
    )


def has_marks(text: str) -> bool:
    """Whether there is a character without a column of its own."""
    return not text.isascii() and any(cell(character) == 0 for character in text)


def rows_of_words(text: str, width: int, first: int = 0, others: int = 0) -> list[str]:
    """Words in rows of at most `width` columns, of which so many are taken already in the first and in the others. A word that
    is wider stays whole: a path or a URL is copied."""
    rows: list[str] = []
    row, used = "", first
    for word in _WORD.findall(text):
        if not row or used + cells(word) <= width:
            row, used = row + word, used + cells(word)
        else:
            rows.append(row)
            row, used = word.lstrip(), others + cells(word.lstrip())
    return [*rows, row]
