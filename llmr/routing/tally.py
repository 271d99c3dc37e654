"""What people are shown of a model's past: counts, the last error, and percentiles of the first token.

Percentiles come from a log-bucket histogram, after DDSketch (Masson, Rim & Lee, VLDB 2019): bucket i holds values in
(γ^(i−1), γ^i], so with γ = 1.04 any quantile is within 2 % of the truth, and histograms of several days or processes add
up bucket by bucket. Below 50 samples the log-normal fit of estimate.py is closer; `percentile_s` leaves that to its caller.
"""

import math
from collections.abc import Iterable, Mapping
from typing import Any, Final

from llmr.dataclass import dataclass, replace

GAMMA: Final = 1.04  # relative error (γ − 1)/(γ + 1) < 2 %
ENOUGH_SAMPLES: Final = 50  # routing.md §2
_LEAST_S: Final = 1e-4
_LAST_BUCKET: Final = 600  # γ^600 s is 500 years: a bucket beyond it is damage

Histogram = Mapping[str, int]
"""Bucket index (as JSON wants it, text) → samples."""


@dataclass(frozen=True, slots=True)
class Tally:
    """One model at one provider, since records began. `last_error_at` 0: never; `last_error` is a kind and a status."""

    attempts: int = 0
    successes: int = 0
    last_error_at: float = 0.0
    last_error: str = ""

    def to_row(self) -> list[Any]:
        """JSON values in field order."""
        return [self.attempts, self.successes, self.last_error_at, self.last_error]

    @staticmethod
    def from_row(row: Any) -> "Tally":
        """The tally in `row`; missing or unreadable: nothing yet."""
        try:
            attempts, successes, *_, last_error_at, last_error = row  # an older llmr kept one more time
            if not math.isfinite(last_error_at):
                return Tally()
            return Tally(int(attempts), int(successes), float(last_error_at), str(last_error))
        except (TypeError, ValueError, OverflowError):
            return Tally()

    def with_success(self) -> "Tally":
        """One more attempt, which answered."""
        return replace(self, attempts=self.attempts + 1, successes=self.successes + 1)

    def with_error(self, now: float, error: str, *, counts: bool) -> "Tally":
        """One that failed; `counts`: it was the provider's doing."""
        return replace(self, attempts=self.attempts + counts, last_error_at=now, last_error=error)


def histogram_from_row(row: Any) -> dict[str, int]:
    """The histogram in `row`; missing or unreadable: empty."""
    if not isinstance(row, dict):
        return {}
    try:
        histogram = {int(bucket): int(count) for bucket, count in row.items()}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType] - JSON
    except (TypeError, ValueError, OverflowError):
        return {}
    return {str(bucket): count for bucket, count in histogram.items() if abs(bucket) <= _LAST_BUCKET and count > 0}


def counted(histogram: Histogram, seconds: float) -> dict[str, int]:
    """The histogram with one more value."""
    bucket = str(math.ceil(math.log(max(seconds, _LEAST_S), GAMMA)))
    return {**histogram, bucket: histogram.get(bucket, 0) + 1}


def merged(histograms: Iterable[Histogram]) -> dict[str, int]:
    """The sum of several."""
    total: dict[str, int] = {}
    for histogram in histograms:
        for bucket, count in histogram.items():
            total[bucket] = total.get(bucket, 0) + count
    return total


def percentile_s(histogram: Histogram, share: float) -> float | None:
    """The value below which `share` (0–1) of the samples lie, in seconds; None below 50 samples."""
    total = sum(histogram.values())
    if total < ENOUGH_SAMPLES:
        return None
    rank, seen = share * (total - 1), 0
    for bucket in sorted(map(int, histogram)):
        seen += histogram[str(bucket)]
        if seen > rank:
            return 2 * GAMMA**bucket / (GAMMA + 1)  # the point whose relative distance to both edges is equal
    raise AssertionError("a histogram's counts add up to its total")  # pragma: no cover
