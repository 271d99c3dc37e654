"""One model's facts as a short JSON array, and back.

    [window, most output, able, price]        price: [input, output, cached, written, reasoning, audio in, audio out,
     tokens  tokens       letters                     request, search, [over tokens, price]]

Arrays, because some 1,800 models must be read in about two milliseconds; what is unknown at the end is left out, elsewhere
it is null. In `able` a small letter is a yes, a capital a no, an absent one is unknown. Prices are US dollars per million
tokens, of `request` and `search` per million of those, so that one unit serves all.
"""

from collections.abc import Mapping
from dataclasses import field, fields
from math import isfinite
from types import MappingProxyType
from typing import Any, Final

from llmr.catalog import Capabilities, LongContext, Price
from llmr.dataclass import dataclass

Row = list[Any]
"""A JSON array as above."""

LETTERS: Final[Mapping[str, str]] = MappingProxyType(
    {"tools": "t", "images": "i", "json": "j", "reasoning": "r", "documents": "d", "audio": "a"}
)
_FLAT: Final = tuple(part.name for part in fields(Price) if part.name != "long_context")


@dataclass(frozen=True, slots=True)
class Facts:
    """What a table says of one model. `price` None: unknown, which is not free."""

    price: Price | None = None
    capabilities: Capabilities = field(default_factory=Capabilities)


def row_of(facts: Facts) -> Row:
    """The row that says these facts."""
    able = facts.capabilities
    letters = "".join(
        letter if said else letter.upper()
        for name, letter in LETTERS.items()
        if (said := getattr(able, name)) is not None
    )
    return _trimmed(
        [
            able.context_window_tokens,
            able.max_output_tokens,
            letters or None,
            _price_row(facts.price) if facts.price is not None else None,
        ]
    )


def facts_of(row: Row) -> Facts:
    """The facts that a row says. Raises ValueError for one that is not as drawn above."""
    window, most_output, letters, price = [*row, None, None, None, None][:4]
    if not isinstance(letters, str | None):
        raise ValueError("capabilities are letters")  # noqa: TRY004 - one kind of error for a row that is not as drawn
    return Facts(
        price=None if price is None else _price(price),
        capabilities=Capabilities(
            context_window_tokens=_tokens(window),
            max_output_tokens=_tokens(most_output),
            **{name: _said(letter, letters or "") for name, letter in LETTERS.items()},
        ),
    )


def _said(letter: str, letters: str) -> bool | None:
    return True if letter in letters else False if letter.upper() in letters else None


def _price_row(price: Price) -> Row:
    row: Row = [_short(getattr(price, name)) for name in _FLAT]
    longer = price.long_context
    return _trimmed([*row, [longer.over_tokens, _price_row(longer.price)] if longer is not None else None])


def _price(row: Row) -> Price:
    flat, longer = [*row, *[None] * len(_FLAT)][: len(_FLAT)], row[len(_FLAT)] if len(row) > len(_FLAT) else None
    figures = dict(zip(_FLAT, map(_dollars, flat), strict=True))
    if figures["input_usd"] is None or figures["output_usd"] is None:
        raise ValueError("a price has input and output")
    if longer is None:
        return Price(**figures)  # type: ignore[arg-type]
    over_tokens, above = longer
    tokens = _tokens(over_tokens)
    if tokens is None:
        raise ValueError("a tier has a threshold")
    return Price(**figures, long_context=LongContext(tokens, _price(above)))  # type: ignore[arg-type]


def _trimmed(row: Row) -> Row:
    length = next((index for index in range(len(row), 0, -1) if row[index - 1] is not None), 0)
    return row[:length]


def _short(figure: float | None) -> float | None:
    """2 instead of 2.0, and no trace of binary fractions: six digits are a ten-thousandth of a cent per million."""
    if figure is None:
        return None
    rounded = round(figure, 6)
    return int(rounded) if rounded == int(rounded) else rounded


def _dollars(figure: Any) -> float | None:
    if figure is None:
        return None
    if isinstance(figure, bool) or not isinstance(figure, int | float) or not isfinite(figure) or figure < 0:
        raise ValueError("a price is a number of dollars")
    return float(figure)


def _tokens(count: Any) -> int | None:
    if count is None:
        return None
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:
        raise ValueError("a size is a number of tokens")
    return count
