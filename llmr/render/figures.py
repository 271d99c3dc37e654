"""Figures for people: one unit each, as few digits as are true."""

import time
from collections.abc import Sequence
from typing import Final

NOTHING: Final = "–"


def milliseconds(seconds: float) -> str:
    """A duration, in milliseconds below a second."""
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"


def seconds(value: float | None, *, expected: bool = False) -> str:
    """A duration, or a dash; `expected`: nobody has measured it."""
    return NOTHING if value is None else f"{'~' if expected else ''}{milliseconds(value)}"


def share(value: float | None, *, expected: bool = False) -> str:
    """A share in per cent, or a dash; never rounded up to 100."""
    if value is None:
        return NOTHING
    percent = f"{value * 100:.1f}" if 0.99 < value < 1 else f"{value * 100:.0f}"
    return f"{'~' if expected else ''}{'99.9' if percent == '100.0' else percent}%"


def dollars(value: float | None) -> str:
    """An amount: to the cent from a dollar on, to two digits below."""
    if value is None:
        return NOTHING
    if value >= 1 or value == 0:
        return f"${value:,.2f}"
    for digits in (2, 3, 4, 5):
        if value >= 10.0 ** (1 - digits):
            return f"${value:.{digits}f}"
    return f"${value:.6f}" if value >= 0.000_001 else "<$0.000001"


def dollars_alike(values: Sequence[float | None]) -> list[str]:
    """Amounts of one column, all to the digits that the least of them needs, four at most; "" for what nobody knows."""
    least = min((value for value in values if value), default=1.0)
    digits = next((digits for digits in (2, 3) if least >= 10.0 ** (1 - digits)), 4)
    return ["" if value is None else f"${value:,.{digits}f}" for value in values]


def count(value: float) -> str:
    """A number of things: 812, 12.4k, 1.2M."""
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if value >= size:
            scaled = value / (1e3 if unit == "k" else size)
            return f"{scaled:.0f}{unit}" if scaled >= 100 else f"{scaled:.1f}{unit}"
    return f"{value:,.0f}"


def counted(value: float, what: str) -> str:
    """`1 request`, `812 requests`."""
    return f"{count(value)} {what}{'' if value == 1 else 's'}"


def left(value: float) -> str:
    """How long still, in one unit."""
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if value >= 2 * size:
            return f"{value / size:.0f} {unit}"
    if 0 < value < 9.95:
        return f"{max(0.1, value):.1f} s"  # never "0 s": something is left
    return f"{max(0.0, value):.0f} s"


def span(value: float) -> str:
    """A length of time in its largest whole unit: 7 days, 4 hours, 15 minutes."""
    for size, unit in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        if value >= size:
            number = round(value / size)
            return f"{number} {unit}{'' if number == 1 else 's'}"
    return f"{value:.0f} seconds"


def day_of(at: float) -> str:
    """A local day: `26 Nov`."""
    return time.strftime("%d %b", time.localtime(at)).lstrip("0")


def clock_of(at: float) -> str:
    """A local time of day: `14:02`."""
    return time.strftime("%H:%M", time.localtime(at))


def moment(at: float) -> str:
    """A wall-clock time, local, to the second: `Thu 26 Nov 14:02:11`."""
    return time.strftime("%a %d %b %H:%M:%S", time.localtime(at))
