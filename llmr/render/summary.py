"""History added up: what `stats` shows, in one pass over the attempts.

Two ways through the same attempts: by group (model, provider, day, hour of the day) and by slot of time, for the pictures. A
hundred thousand attempts take 0.2 s, so nothing is kept beside the history itself that could disagree with it. Percentiles
are exact: the durations themselves are sorted. Days and hours are local, as whoever reads them lives.

What the user cancelled, and a hedge that lost, neither succeeded nor failed; it counts in tokens and money only. The first
token of an unstreamed answer is its last, so only streamed ones are measured. A request is answered by a *fallback* where
somebody failed it before somebody answered it.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import field
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from llmr.dataclass import dataclass
from llmr.errors import ErrorKind
from llmr.render.pictures import Slot
from llmr.state import AttemptRecord

SLOTS_MOST: Final = 48
_SLOT_WIDTHS_S: Final = tuple(60.0 * m for m in (1, 5, 15, 30, 60, 120, 240, 360, 720, 1440, 2880, 10_080))
_DAY_S: Final = 86_400.0
_SPEED_TOKENS: Final = 8  # as in latency.Sample: shorter answers have no speed
_SPEED_S: Final = 0.02
_QUARTER_S: Final = 900.0  # every time zone's offset is a multiple of it


class By(StrEnum):
    """What attempts are grouped by."""

    MODEL = "model"
    PROVIDER = "provider"
    DAY = "day"
    HOUR = "hour"  # of the day


@dataclass(slots=True)
class Sum:
    """Attempts, added up. `ttfts_s` and `speeds` (tokens per second) in the order of arrival until `sort`; `unpriced` answers
    whose cost nobody knows."""

    asked: int = 0
    whole: int = 0
    failures: Counter[str] = field(default_factory=Counter[str])
    ttfts_s: list[float] = field(default_factory=list[float])
    speeds: list[float] = field(default_factory=list[float])
    input_tokens: int = 0
    output_tokens: int = 0
    spent_usd: float = 0.0
    priced: int = 0
    unpriced: int = 0

    def add(self, record: AttemptRecord) -> None:
        """One more."""
        if record.cost_usd is not None:
            self.spent_usd += record.cost_usd
            self.priced += 1
        self.input_tokens += record.input_tokens or 0
        self.output_tokens += record.output_tokens or 0
        if record.outcome == _CANCELLED:
            return
        self.asked += 1
        if record.outcome != "ok":
            self.failures[record.outcome] += 1
            return
        self.whole += 1
        if record.cost_usd is None:
            self.unpriced += 1
        if record.streamed and record.ttft_s is not None:
            self.ttfts_s.append(record.ttft_s)
            reading_s, output = record.total_s - record.ttft_s, record.output_tokens
            if output is not None and output >= _SPEED_TOKENS and reading_s > _SPEED_S:
                self.speeds.append((output - 1) / reading_s)

    def merge(self, other: "Sum") -> None:
        """All of `other`, too."""
        self.asked += other.asked
        self.whole += other.whole
        self.failures.update(other.failures)
        self.ttfts_s += other.ttfts_s
        self.speeds += other.speeds
        self.input_tokens += other.input_tokens
        self.output_tokens += other.output_tokens
        self.spent_usd += other.spent_usd
        self.priced += other.priced
        self.unpriced += other.unpriced

    def sort(self) -> None:
        """Once all are in: what the percentiles are read from."""
        self.ttfts_s.sort()
        self.speeds.sort()

    @property
    def success(self) -> float | None:
        """The share of whole answers, None without attempts."""
        return self.whole / self.asked if self.asked else None

    @property
    def cost_usd(self) -> float | None:
        """Dollars, None where no cost is known."""
        return self.spent_usd if self.priced else None

    def ttft_s(self, share: float) -> float | None:
        """A percentile of the first token, in seconds. After `sort`."""
        return percentile(self.ttfts_s, share)

    @property
    def tokens_per_s(self) -> float | None:
        """The median speed after the first token. After `sort`."""
        return percentile(self.speeds, 0.5)

    @property
    def slot(self) -> Slot:
        """As the strip draws it."""
        worst = self.failures.most_common(1)
        return Slot(self.asked, self.asked - self.whole, worst[0][0] if worst else "")


@dataclass(frozen=True, slots=True)
class Group:
    """The attempts of one name, all of them and by slot of time."""

    name: str
    total: Sum
    slots: Mapping[int, Sum]


@dataclass(frozen=True, slots=True)
class Summary:
    """What happened from `since` to `now`, wall-clock seconds. `slots` are `slot_s` long and end at `now`; `groups` are in the
    order of use, days and hours in that of time. `requests` that asked somebody, `answered`, and of those by a fallback."""

    since: float
    now: float
    by: By
    slot_s: float
    total: Sum
    slots: tuple[Sum, ...]
    groups: tuple[Group, ...]
    days: Mapping[str, Sum]
    requests: int
    answered: int
    by_fallback: int


def summarized(records: Iterable[AttemptRecord], *, since: float, now: float, by: By) -> Summary:
    """Add the records up. `since` 0: from the first of them."""
    records = [*records]
    since = since or min((record.at for record in records), default=now - _DAY_S)
    slot_s = _slot_width_s(now - since)
    count = max(1, round((now - since) / slot_s + 0.499))
    begin = now - count * slot_s
    cells: dict[tuple[str, str, int], Sum] = {}  # added up once, then put together: a third of the time
    name_of, day_of = _NAMES[by](), _ByQuarter(_day)
    answered: set[str] = set()
    failed: set[str] = set()
    for record in records:
        place = min(count - 1, max(0, int((record.at - begin) / slot_s)))
        key = (name_of(record), day_of(record), place)
        cell = cells.get(key)
        if cell is None:
            cell = cells[key] = Sum()
        cell.add(record)
        if record.outcome == "ok":
            answered.add(record.request_id)
        elif record.outcome != _CANCELLED:
            failed.add(record.request_id)
    total = Sum()
    slots = [Sum() for _ in range(count)]
    groups: dict[str, tuple[Sum, dict[int, Sum]]] = {}
    days: dict[str, Sum] = {}
    for (name, day, place), cell in cells.items():
        own, own_slots = groups.setdefault(name, (Sum(), {}))
        for each in (total, slots[place], own, own_slots.setdefault(place, Sum()), days.setdefault(day, Sum())):
            each.merge(cell)
    for each in (total, *slots, *days.values()):
        each.sort()
    return Summary(
        since=since,
        now=now,
        by=by,
        slot_s=slot_s,
        total=total,
        slots=tuple(slots),
        groups=_ordered(groups, by),
        days=dict(sorted(days.items())),
        requests=len(answered | failed),
        answered=len(answered),
        by_fallback=len(answered & failed),
    )


def percentile(ordered: Sequence[float], share: float) -> float | None:
    """The value below which `share` (0–1) of an ordered sequence lie (nearest rank); None where it is empty."""
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else None


_CANCELLED: Final = ErrorKind.CANCELLED.value


def _ordered(groups: Mapping[str, tuple[Sum, dict[int, Sum]]], by: By) -> tuple[Group, ...]:
    for total, slots in groups.values():
        for each in (total, *slots.values()):
            each.sort()
    made = [Group(name, total, slots) for name, (total, slots) in groups.items()]
    match by:
        case By.MODEL | By.PROVIDER:
            return tuple(sorted(made, key=lambda group: (-group.total.asked, group.name)))
        case By.DAY | By.HOUR:  # pragma: no branch - one of the four
            return tuple(sorted(made, key=lambda group: group.name))


def _slot_width_s(span_s: float) -> float:
    return next((width for width in _SLOT_WIDTHS_S if span_s / width <= SLOTS_MOST), span_s / SLOTS_MOST)


class _ByQuarter:
    """A name made from local time: one look at the time zone per quarter of an hour, not per attempt."""

    def __init__(self, name: Callable[[time.struct_time], str]) -> None:
        self._name = name
        self._known: dict[int, str] = {}

    def __call__(self, record: AttemptRecord) -> str:
        quarter = int(record.at // _QUARTER_S)
        name = self._known.get(quarter)
        if name is None:
            name = self._known[quarter] = self._name(time.localtime(quarter * _QUARTER_S))
        return name


def _day(local: time.struct_time) -> str:
    return time.strftime("%Y-%m-%d", local)


def _hour(local: time.struct_time) -> str:
    return time.strftime("%H:00", local)


_NAMES: Final[Mapping[By, Callable[[], Callable[[AttemptRecord], str]]]] = MappingProxyType(
    {
        By.MODEL: lambda: lambda record: f"{record.provider}/{record.model}",
        By.PROVIDER: lambda: lambda record: record.provider,
        By.DAY: lambda: _ByQuarter(_day),
        By.HOUR: lambda: _ByQuarter(_hour),
    }
)
