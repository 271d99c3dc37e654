"""Spend limits: how many dollars a calendar day and month may cost, per provider and in all. Pure; one row a month and purse.

    hold    before an attempt    its expected price, so that fifty processes at once cannot each spend the last dollar
    settle  after it             the hold is gone, and what it did cost is booked on its day

A hold has an end, since its holder may be killed. What is booked is what usage says times price, or the provider's own
figure; where nobody counted, an estimate by length (score.py). So a limit can be passed by the error of one estimate per
request under way, and no more. An answer whose price nobody knows books nothing: as long as anything is left it may be
asked, and once nothing is, it may not, for unknown is not free.

Days and months are local time, as people's are; the caller says which it is, this module knows no calendar.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Final

from llmr.catalog import SpendLimits

CLOCK_SKEW_S: Final = 5.0  # as in breaker.py
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
    """One month. `days` dollars by day of the month; `holds` are (token, usd, began_at, ends_at) of attempts under way."""

    days: Mapping[int, float] = field(default_factory=lambda: _NOTHING)
    holds: tuple[tuple[str, float, float, float], ...] = ()

    @property
    def month_usd(self) -> float:
        """Booked this month."""
        return math.fsum(self.days.values())

    def day_usd(self, day: int) -> float:
        """Booked on one day."""
        return self.days.get(day, 0.0)

    def held_usd(self, now: float) -> float:
        """What attempts under way may yet cost. A hold from the future is from before the clock went back."""
        return math.fsum(usd for _, usd, began_at, ends_at in self.holds if began_at - CLOCK_SKEW_S <= now < ends_at)

    def to_row(self) -> list[Any]:
        """JSON values in field order."""
        return [{str(day): usd for day, usd in self.days.items()}, [list(hold) for hold in self.holds]]

    @staticmethod
    def from_row(row: Any) -> "Purse":
        """The purse in `row`; a missing or unreadable one is new."""
        try:
            days, holds = row
            booked = {int(day): float(usd) for day, usd in days.items()}
            held = tuple((str(token), float(usd), float(began), float(ends)) for token, usd, began, ends in holds)
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


def left_usd(purse: Purse, limits: SpendLimits, today: Today, now: float) -> float | None:
    """Dollars that the strictest limit leaves, holds deducted; never below 0. None: there is no limit."""
    return min((left for left, *_ in _lefts(purse, limits, today, now)), default=None)


def over(purse: Purse, limits: SpendLimits, usd: float | None, today: Today, now: float, *, whose: str) -> Over | None:
    """Why `usd` more may not be spent, None: they may. `usd` None: nobody knows. `whose` limit it is, for people."""
    for left, spent, limit, period, ends_at in _lefts(purse, limits, today, now):
        if usd == 0 or (left > 0 and (usd is None or usd <= left)):
            continue
        more = "" if usd is None else f", this would be ~${usd:.4f} more"
        return Over(f"{whose} limit of ${limit:g} a {period}: ${spent:.4f} spent or under way{more}", ends_at)
    return None


def hold(purse: Purse, token: str, usd: float, now: float, *, lease_s: float) -> Purse:
    """Set `usd` aside for the attempt `token`, for at most `lease_s` seconds."""
    alive = tuple(held for held in purse.holds if held[2] - CLOCK_SKEW_S <= now < held[3])
    return replace(purse, holds=(*alive, (token, usd, now, now + lease_s)))


def settle(purse: Purse, token: str, usd: float | None, day: int) -> Purse:
    """The attempt `token` is over and did cost `usd` (None: nobody knows). The purse itself where nothing changes."""
    holds = tuple(held for held in purse.holds if held[0] != token)
    if not usd:
        return purse if holds == purse.holds else replace(purse, holds=holds)
    return Purse({**purse.days, day: purse.day_usd(day) + usd}, holds)


def _lefts(purse: Purse, limits: SpendLimits, today: Today, now: float) -> list[tuple[float, float, float, str, float]]:
    """Per limit: what is left, what is spent or held, the limit, its period and when that ends."""
    held_usd = purse.held_usd(now)
    found: list[tuple[float, float, float, str, float]] = []
    for limit, booked, period, ends_at in (
        (limits.per_day_usd, purse.day_usd(today.day), "day", today.day_ends_at),
        (limits.per_month_usd, purse.month_usd, "month", today.month_ends_at),
    ):
        if limit is not None:
            spent = booked + held_usd
            found.append((max(0.0, limit - spent), spent, limit, period, ends_at))
    return found
