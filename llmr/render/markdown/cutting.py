"""Where a paragraph that is still growing can be cut in two, so that its first part is drawn as it would be in the whole.

Only the text before the place decides, never how it arrived.
"""

import re
import unicodedata
from typing import Final

_CANDIDATES: Final = 8  # places that are looked at for a cut
_CODE_SPAN: Final = re.compile(r"(`+)[^`].*?(?<!`)\1(?!`)", re.DOTALL)
_ESCAPED: Final = re.compile(r"\\[\\`*_~\[\]]")


def place_to_cut(text: str, *, window: int) -> int | None:
    """Where to cut `text` in two, None: rather wait for more, which it does once."""
    places = _spaces_from_the_end(text)
    for place in places[:_CANDIDATES]:
        if _nothing_is_open(text[:place]):
            return place
    if len(text) < 2 * window:
        return None
    return places[0] if places else _between_characters(text)


def _spaces_from_the_end(text: str) -> list[int]:
    return [place for place in range(len(text) - 1, len(text) // 2, -1) if text[place] in " \n"]


def _nothing_is_open(text: str) -> bool:
    rest = _CODE_SPAN.sub("", _ESCAPED.sub("", text))
    return (
        "`" not in rest
        and all(rest.count(mark) % 2 == 0 for mark in ("**", "__", "~~"))
        and rest.replace("**", "").count("*") % 2 == 0
        and rest.count("[") == rest.count("]")
        and not re.search(r"\]\([^)]*$", rest)
    )


def _between_characters(text: str) -> int:
    """The last place that does not part what is drawn as one: a base and its marks, an emoji and what it is joined to."""
    for place in range(len(text) - 1, len(text) // 2, -1):
        if not (_joins(text[place]) or text[place - 1] == "\u200d"):
            return place
    return len(text) - 1


def _joins(character: str) -> bool:
    return (
        character in "\u200c\u200d"
        or unicodedata.category(character) in {"Mn", "Me"}
        or (0x1F3FB <= ord(character) <= 0x1F3FF or 0x1F1E6 <= ord(character) <= 0x1F1FF)
    )
