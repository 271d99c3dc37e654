"""What is kept of a provider's latency: one row of sums, which the past fades out of.

What is kept, per row, are *sufficient statistics* of y = ln(ttft), not samples: a row is a dozen numbers, updates are sums,
and two processes that add to it lose nothing. Each row has two memories and two clocks:

    short   n, s1, s2, ok   × exp(−Δt/1200 s − Δseq/40)      what it is like now
    faults  bad, fsum       × exp(−Δt/3600 s − Δseq/75)      failures and how long they took; each success halves them,
                                                             that of a circuit's probe ends them
    long    N, S1, S2, OK, BAD × exp(−Δt/24 h), N ≤ 300      the row's own baseline

seq counts all requests on this machine: a burst of forty prompts ages yesterday's news as an hour would. So an idle
estimate relaxes to its *own* baseline, neither to "unknown" nor to "fast" (LiteLLM's mean of ten, without decay and with
a time-out booked as 1000 s, stayed on the slow target for ever: shared/design/routing.md §2).

The short memory is half as long as routing.md §2 proposes (1800 s, 100 requests), because a brownout that is over has to be
forgotten within five minutes (seeds 1–6, slowest return after one: 405 s with 1800 s and 100). Over seeds 200–399, with what
is said in estimate.py, traffic is back later than that in 20 brownouts of 200 with 50 requests, in 11 with 40; below nothing is
won.
"""

import math
from collections.abc import Callable
from operator import attrgetter
from typing import Any, Final

from llmr.dataclass import dataclass

SHORT_S: Final = 1200.0  # see the header: routing.md §2 has 1800 s and 100 requests
SHORT_REQUESTS: Final = 40.0
FAULT_S: Final = 3600.0  # routing.md §2, as every constant down to LONG_S
FAULT_REQUESTS: Final = 75.0
LONG_S: Final = 86_400.0
CLOCK_SKEW_S: Final = 5.0  # as BreakerPolicy.clock_skew_s: routing.md §1


@dataclass(frozen=True, slots=True)
class LatencyStats:
    """One row. `at` wall-clock seconds and `seq` requests at the last update; the rest are decayed sums, see the header."""

    at: float = 0.0
    seq: float = 0.0
    n: float = 0.0
    s1: float = 0.0
    s2: float = 0.0
    ok: float = 0.0
    bad: float = 0.0
    fsum: float = 0.0
    long_n: float = 0.0
    long_s1: float = 0.0
    long_s2: float = 0.0
    long_ok: float = 0.0
    long_bad: float = 0.0
    speed_n: float = 0.0  # ln tokens/s, long memory
    speed_s1: float = 0.0
    out_n: float = 0.0  # output tokens, long memory
    out_s1: float = 0.0
    cached_s1: float = 0.0  # the share of the prompt that a cache held, of the same samples

    def to_row(self) -> list[float]:
        """The numbers in field order."""
        return list(_FIELDS(self))

    @staticmethod
    def from_row(row: Any) -> "LatencyStats":
        """The statistics in `row`; a missing or unreadable row is one without samples. One from before there was a cached
        share lacks just that."""
        try:
            numbers = tuple(map(float, row))
            stats = LatencyStats(*numbers)
            whole = len(numbers) >= _LEAST_FIELDS and math.isfinite(sum(map(abs, _FIELDS(stats))))
        except (TypeError, ValueError, OverflowError):
            return LatencyStats()
        weights = (stats.n, stats.ok, stats.bad, stats.fsum, stats.long_n, stats.long_ok, stats.long_bad, stats.speed_n)
        return stats if whole and min(*weights, stats.out_n, stats.cached_s1) >= 0 else LatencyStats()


_LEAST_FIELDS: Final = 17
_FIELDS: Final[Callable[[LatencyStats], tuple[float, ...]]] = attrgetter(*LatencyStats.__slots__)


def decayed(stats: LatencyStats, now: float, seq: float) -> LatencyStats:
    """The row as of (`now`, `seq`). An earlier `now` ages nothing; one that is earlier by more than two processes can differ
    means that the clock went back, and the row goes on from there: else it would not age until the clock catches up."""
    dt, dseq = max(0.0, now - stats.at), max(0.0, seq - stats.seq)
    went_back = stats.at - now > CLOCK_SKEW_S
    if dt == 0.0 and dseq == 0.0 and not went_back:
        return stats
    short = math.exp(-dt / SHORT_S - dseq / SHORT_REQUESTS)
    fault = math.exp(-dt / FAULT_S - dseq / FAULT_REQUESTS)
    long = math.exp(-dt / LONG_S)
    return LatencyStats(
        at=now if went_back else max(now, stats.at),
        seq=max(seq, stats.seq),
        n=stats.n * short, s1=stats.s1 * short, s2=stats.s2 * short, ok=stats.ok * short,
        bad=stats.bad * fault, fsum=stats.fsum * fault,
        long_n=stats.long_n * long, long_s1=stats.long_s1 * long, long_s2=stats.long_s2 * long,
        long_ok=stats.long_ok * long, long_bad=stats.long_bad * long,
        speed_n=stats.speed_n * long, speed_s1=stats.speed_s1 * long,
        out_n=stats.out_n * long, out_s1=stats.out_s1 * long, cached_s1=stats.cached_s1 * long,
    )  # fmt: skip
