"""Figures for people: one unit each, as few digits as are true, and something is never written as nothing.

The one home of every way in which a duration, a share, a number or a moment is written; that of money is llmr/money.py, because
routing has to name amounts too.
"""

import time
from typing import Final

from llmr.money import NOTHING, dollars, dollars_alike

__all__ = [
    "ASSUMED",
    "NOTHING",
    "UNMEASURED",
    "ago",
    "clock_of",
    "count",
    "counted",
    "day_of",
    "dollars",
    "dollars_alike",
    "left",
    "megabytes",
    "milliseconds",
    "moment",
    "per_million",
    "per_second",
    "seconds",
    "share",
    "span",
    "tokens",
]

UNMEASURED: Final = f"{NOTHING} not measured"
ASSUMED: Final = "~ assumed, not measured"


def milliseconds(seconds: float) -> str:
    """A duration: in milliseconds below a second, in minutes from two of them on, as `left` has it, to a tenth below ten."""
    if seconds < 0.9995:
        return "<1 ms" if 0 < seconds <= 0.0005 else f"{seconds * 1000:.0f} ms"
    if seconds < 99.95:
        return f"{seconds:.1f} s"
    if seconds < 119.5:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.1f}".removesuffix(".0") + " min" if seconds < 597 else left(max(seconds, 600.0))


def seconds(value: float | None, *, expected: bool = False) -> str:
    """A duration, or a dash; `expected`: nobody has measured it."""
    return NOTHING if value is None else f"{'~' if expected else ''}{milliseconds(value)}"


def share(value: float | None, *, expected: bool = False) -> str:
    """A share in per cent, or a dash; never rounded up to 100 nor down to 0."""
    if value is None:
        return NOTHING
    percent = value * 100
    if 0 < percent <= 0.5:
        written = "<1"
    elif 99 < percent < 100:
        written = f"{min(percent, 99.9):.1f}".removesuffix(".0")
    else:
        written = f"{percent:.0f}"
    return f"{'~' if expected else ''}{written}%"


def count(value: float) -> str:
    """A number of things: 812, 12.4k, 1.2M."""
    if value < 9_999.5:
        return f"{value:,.0f}"
    size, unit = next((pair for pair in ((1e3, "k"), (1e6, "M")) if value < 999.5 * pair[0]), (1e9, "G"))
    scaled = value / size
    return f"{scaled:,.0f}{unit}" if scaled >= 99.95 else f"{scaled:.1f}{unit}"


def tokens(value: int | None) -> str:
    """A window, as its maker advertises it: 128k, 1.05M, or a dash."""
    if value is None:
        return NOTHING
    return f"{value / 1e6:.3g}M" if value >= 999_500 else f"{value / 1e3:.3g}k" if value >= 1000 else str(value)


def per_million(usd: float | None) -> str:
    """A price in dollars per million tokens, under a head that says so: 2.5, 0.075, or a dash."""
    if usd is None:
        return NOTHING
    return "<0.000001" if 0 < usd <= 0.000_000_5 else f"{usd:,.6f}".rstrip("0").rstrip(".")


def per_second(value: float | None) -> str:
    """Tokens a second, or a dash."""
    return NOTHING if value is None else f"{value:,.0f}" if value >= 9.95 else f"{value:.1f}"


def megabytes(value: float) -> str:
    """A number of bytes, in megabytes."""
    return "<0.1 MB" if 0 < value < 50_000 else f"{value / 1e6:,.1f} MB"


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


def ago(value: float) -> str:
    """How long ago, in one unit."""
    return f"{left(value)} ago"


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
