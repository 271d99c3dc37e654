"""Spend limits: how many dollars a calendar day and month may cost, per provider and in all. Pure; one row a month and purse.

    hold    before an attempt    its expected price, so that fifty processes at once cannot each spend the last dollar
    settle  after it             the hold is gone, and what it did cost is booked on its day

A hold counts as spent on the day on which it was made, until it is settled. It has no end: a process that is killed settles
nothing, but its provider answers and bills all the same, so its estimate stays booked. What settling books is what usage
says times price, or the provider's own figure; where nobody counted, an estimate by length (score.py). So a limit can be
passed by the error of one estimate per request, and no more. An answer whose price nobody knows books nothing: as long as
anything is left it may be asked, and once nothing is, it may not, for unknown is not free.

Days and months are local time, as people's are; the caller says which it is, this module knows no calendar.
"""

import math
from collections.abc import Mapping
from dataclasses import field
from types import MappingProxyType
from typing import Any, Final

from llmr.catalog import SpendLimits
from llmr.dataclass import dataclass, replace
from llmr.money import dollars, dollars_above, exactly

_NOTHING: Final[Mapping[int, float]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Today:
    """A local date. `month` is "2026-11", `day` 1–31; both ends are wall-clock seconds."""

    month: str
    day: int
    day_ends_at: float
    month_ends_at: float


@dataclass(frozen=True, slots=True)
class Purse:
    """One month. `days` dollars by day of the month; `holds` are (token, usd, day) of attempts that nobody has settled."""

    days: Mapping[int, float] = field(default_factory=lambda: _NOTHING)
    holds: tuple[tuple[str, float, int], ...] = ()

    @property
    def month_usd(self) -> float:
        """Spent this month: booked or held."""
        return math.fsum((*self.days.values(), *(usd for _, usd, _ in self.holds)))

    def day_usd(self, day: int) -> float:
        """Spent on one day: booked or held."""
        return math.fsum((self.days.get(day, 0.0), *(usd for _, usd, held_on in self.holds if held_on == day)))

    def to_row(self) -> list[Any]:
        """JSON values in field order."""
        return [{str(day): usd for day, usd in self.days.items()}, [list(hold) for hold in self.holds]]

    @staticmethod
    def from_row(row: Any) -> "Purse":
        """The purse in `row`; a missing or unreadable one is new. A hold of four is an older llmr's, which would have run out
        within ten minutes: it is over."""
        try:
            days, holds = row
            booked = {int(day): float(usd) for day, usd in days.items()}
            held = tuple((str(token), float(usd), int(day)) for token, usd, day in (h for h in holds if len(h) != 4))
        except (AttributeError, TypeError, ValueError, OverflowError):
            return Purse()
        numbers = [*booked.values(), *(number for _, *rest in held for number in rest)]
        return Purse(booked, held) if all(math.isfinite(number) and number >= 0 for number in numbers) else Purse()


NEW_PURSE: Final = Purse()


@dataclass(frozen=True, slots=True)
class Over:
    """A limit does not allow it. `retry_at` wall-clock seconds: when the day or month is over."""

    reason: str
    retry_at: float


def left_usd(purse: Purse, limits: SpendLimits, today: Today) -> float | None:
    """Dollars that the strictest limit leaves, holds deducted; never below 0. None: there is no limit."""
    return min((left for left, *_ in _lefts(purse, limits, today)), default=None)


def over(purse: Purse, limits: SpendLimits, usd: float | None, today: Today, *, whose: str) -> Over | None:
    """Why `usd` more may not be spent, None: they may. `usd` None: nobody knows. `whose` limit it is, for people."""
    for left, spent, limit, period, ends_at in _lefts(purse, limits, today):
        if usd == 0 or (left > 0 and (usd is None or usd <= left)):
            continue
        more = "" if usd is None else f", this would be ~{dollars_above(usd, left)} more"
        said = f"{whose} limit of {exactly(limit)} a {period}: {dollars(spent)} spent or set aside{more}"
        return Over(said, ends_at)
    return None


def hold(purse: Purse, token: str, usd: float, day: int) -> Purse:
    """Set `usd` aside for the attempt `token`."""
    return replace(purse, holds=(*purse.holds, (token, usd, day)))


def settle(purse: Purse, token: str, usd: float | None, day: int) -> Purse:
    """The attempt `token` is over and did cost `usd` (None: nobody knows). The purse itself where nothing changes."""
    holds = tuple(held for held in purse.holds if held[0] != token)
    if not usd:
        return purse if holds == purse.holds else replace(purse, holds=holds)
    return Purse({**purse.days, day: purse.days.get(day, 0.0) + usd}, holds)


def _lefts(purse: Purse, limits: SpendLimits, today: Today) -> list[tuple[float, float, float, str, float]]:
    """Per limit: what is left, what is spent or held, the limit, its period and when that ends."""
    found: list[tuple[float, float, float, str, float]] = []
    for limit, spent, period, ends_at in (
        (limits.per_day_usd, purse.day_usd(today.day), "day", today.day_ends_at),
        (limits.per_month_usd, purse.month_usd, "month", today.month_ends_at),
    ):
        if limit is not None:
            found.append((max(0.0, limit - spent), spent, limit, period, ends_at))
    return found
