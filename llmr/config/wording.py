"""How a message speaks of what it found: foreign text made harmless and short, and the nearest word that is known.

A message about a setting is read on a terminal and pasted into issues, so text from a file is shown escaped, cut, and with
everything that is shaped like a key masked (trust.md T1, T8).
"""

from collections.abc import Iterable
from typing import Final

from llmr.secret import Redactor

_SHOWN_CHARACTERS: Final = 80
_LISTED: Final = 8  # more names than that are no help on one line


def show(text: str) -> str:
    """`text` quoted, control and invisible characters escaped, key-shaped parts masked, at most 80 characters."""
    quoted = Redactor()(repr(text[: _SHOWN_CHARACTERS * 2]))
    return quoted if len(quoted) <= _SHOWN_CHARACTERS else quoted[: _SHOWN_CHARACTERS - 2] + "…'"


def plain(text: str) -> str:
    """Like `show`, without the quotes where the text is ordinary: for key paths and file names."""
    return text if text.isprintable() and len(text) <= 4 * _SHOWN_CHARACTERS else show(text)


def did_you_mean(word: str, known: Iterable[str]) -> str | None:
    """The known word that is nearest to `word`, None where none is near."""
    from difflib import get_close_matches  # 11 ms: paid only by whoever mistyped

    by_lower = {name.lower(): name for name in known}
    nearest = get_close_matches(word.lower()[:_SHOWN_CHARACTERS], by_lower, n=1)
    return by_lower[nearest[0]] if nearest else None


def suggestion(word: str, known: Iterable[str]) -> str:
    """`did you mean x?`, else `known: a, b, c`, else nothing: the tail of a message about an unknown word."""
    names = list(known)
    nearest = did_you_mean(word, names)
    if nearest is not None:
        return f"; did you mean {plain(nearest)}?"
    if not names:
        return ""
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return f"; known: {', '.join(plain(name) for name in names[:_LISTED])}{more}"


def kind_of(value: object) -> str:
    """What a TOML value is, in words; numbers and truth values show themselves, text never does."""
    match value:
        case bool():
            return "true" if value else "false"
        case int() | float():
            shown = str(value) if not isinstance(value, int) or abs(value) < 10**18 else "a huge number"
            return f"{shown}"
        case str():
            return "a string"
        case list() | tuple():
            return "a list"
        case dict():
            return "a table"
        case _:
            return "a date or time"
