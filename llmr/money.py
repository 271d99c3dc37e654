"""How an amount of money is written, everywhere: on the bottom floor, because routing's own reasons name amounts too.

An amount that is something is never written as nothing: neither `$0.00` nor `1e-05`.
"""

from collections.abc import Sequence
from typing import Final

NOTHING: Final = "–"
_MOST_DIGITS: Final = 6  # a millionth of a dollar: a few tokens of the cheapest model
_MOST_ALIKE: Final = 4  # of a whole column


def dollars(value: float | None, *, estimated: bool = False) -> str:
    """An amount, or a dash: to the cent from a dollar on, to two digits below, without noughts behind the cents. `estimated`:
    nobody has billed it."""
    if value is None:
        return NOTHING
    whole, point, decimals = _written(value, _digits(value)).partition(".")
    return f"{'~' if estimated else ''}{whole}{point}{decimals[:2]}{decimals[2:].rstrip('0')}"


def exactly(value: float) -> str:
    """An amount that somebody wrote into a file, with all of his digits."""
    whole, _, decimals = f"{value:,.9f}".partition(".")
    return f"${whole}.{decimals[:2]}{decimals[2:].rstrip('0')}"


def dollars_above(value: float, bound: float) -> str:
    """An amount that is more than `bound`, with as many digits as show it."""
    digits = next((n for n in range(_digits(value), 10) if round(value, n) > bound), 10)
    return _written(value, digits)


def dollars_alike(values: Sequence[float | None]) -> list[str]:
    """Amounts of one column, all to the digits that the least of them needs, four at most; "" for what nobody knows."""
    least = min((abs(value) for value in values if value), default=1.0)
    digits = next((digits for digits in range(2, _MOST_ALIKE) if least >= 10.0 ** (1 - digits)), _MOST_ALIKE)
    return ["" if value is None else _written(value, digits) for value in values]


def _digits(value: float) -> int:
    """The decimals of two significant digits."""
    if value == 0 or abs(value) >= 1:
        return 2
    return next((digits for digits in range(2, _MOST_DIGITS) if abs(value) >= 10.0 ** (1 - digits)), _MOST_DIGITS)


def _written(value: float, digits: int) -> str:
    least = 10.0**-digits
    sign = "-" if value < 0 else ""
    if 0 < abs(value) <= least / 2:
        return f"<{sign}${least:.{digits}f}"
    return f"{sign}${abs(value):,.{digits}f}"
