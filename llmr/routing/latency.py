"""The latency tracker: what one attempt adds to the rows of latency_row.py. What they say of the next one is estimate.py.

A hedge loser was cancelled before it answered, so all that is known is that it would have taken longer. To count the bound
itself, as if it had answered at that moment, is to believe that everybody who is slow is just about to speak: brownouts were
hedged instead of left. It counts as three of its σ beyond, because who passes its p95 is more often in trouble than out of
luck. Hedged p99 / waste, serve seeds 200–219 and 300–339, CLI 200–279 and 300–459: CLI 1.88 s, 3.4 % counting the bound;
1.82 s, 3.3 % one σ beyond; 1.81 s, 3.1 % two; 1.79 s, 3.0 % three. Serve 1.66 s, 2.8 %; 1.62, 2.7; 1.62, 2.5; 1.61, 2.4.

What "the first token" is, is decided by the decoder (chat.Delta.has_content); here it is a number of seconds.
"""

import math
from typing import Final

from llmr.dataclass import dataclass, replace
from llmr.routing.estimate import MOST_LN, estimate
from llmr.routing.latency_row import LatencyStats, decayed

LONG_MOST: Final = 300.0  # routing.md §2
OUTPACED_BEYOND: Final = 3.0  # σ: see the header
_LEAST_SECONDS: Final = 1e-6  # ln of less would let one clock quirk outweigh a day


@dataclass(frozen=True, slots=True)
class Sample:
    """What one attempt showed. `ttft_s` None: it failed, after `total_s` seconds. `output_tokens` None: not told.
    `cached_share` (0 to 1) of its prompt came from the provider's cache.

    `total_s` counts from the request to its end; tokens/s is (output_tokens − 1)/(total_s − ttft_s). `outpaced`: it was
    cancelled at `total_s` because its hedge was faster, so its own first token would have taken longer than that. `acquits`: it
    was the probe that closed a circuit, so what failed before is over and forgotten.
    """

    ttft_s: float | None
    total_s: float
    output_tokens: int | None = None
    cached_share: float = 0.0
    outpaced: bool = False
    acquits: bool = False

    @property
    def tokens_per_s(self) -> float | None:
        """Speed after the first token; None where it cannot be told: unstreamed, too short, or unknown."""
        if self.ttft_s is None or self.output_tokens is None or self.output_tokens < 8:
            return None
        took_s = self.total_s - self.ttft_s
        return (self.output_tokens - 1) / took_s if took_s > 0.02 else None


STREAMED_CLASSES: Final = ("s0", "s1", "s2", "s0r", "s1r", "s2r")


def latency_class(*, streamed: bool, prompt_tokens: int, reasoning: bool) -> str:
    """{stream, block} × {<2k, 2–16k, >16k prompt tokens} × reasoning, as a short key such as "s0" or "b2r"."""
    size = 0 if prompt_tokens < 2_000 else 1 if prompt_tokens <= 16_000 else 2
    return f"{'s' if streamed else 'b'}{size}{'r' if reasoning else ''}"


def record(stats: LatencyStats, sample: Sample, now: float, seq: float) -> LatencyStats:
    """Add one sample at (`now`, `seq`)."""
    row = decayed(stats, now, seq)
    if sample.outpaced:
        return _capped(_with_lower_bound(row, max(sample.total_s, _LEAST_SECONDS)))
    if sample.ttft_s is None:
        return _capped(
            replace(row, bad=row.bad + 1, fsum=row.fsum + max(0.0, sample.total_s), long_bad=row.long_bad + 1)
        )
    y = math.log(max(sample.ttft_s, _LEAST_SECONDS))
    speed = sample.tokens_per_s
    kept = 0.0 if sample.acquits else 0.5
    return _capped(
        replace(
            row,
            n=row.n + 1, s1=row.s1 + y, s2=row.s2 + y * y, ok=row.ok + 1, bad=row.bad * kept, fsum=row.fsum * kept,
            long_n=row.long_n + 1, long_s1=row.long_s1 + y, long_s2=row.long_s2 + y * y, long_ok=row.long_ok + 1,
            speed_n=row.speed_n + (speed is not None), speed_s1=row.speed_s1 + (math.log(speed) if speed else 0.0),
            out_n=row.out_n + (sample.output_tokens is not None), out_s1=row.out_s1 + (sample.output_tokens or 0),
            cached_s1=row.cached_s1 + (0.0 if sample.output_tokens is None else sample.cached_share),
        )
    )  # fmt: skip


def _with_lower_bound(row: LatencyStats, seconds: float) -> LatencyStats:
    """The row with a right-censored sample: its bound is news only where it lies above the mean (routing.md §2). What is added
    is y = ln bound + OUTPACED_BEYOND·σ: see the header."""
    known = estimate((row,), row.at, row.seq)
    if seconds <= known.mean_s:
        return row
    y = min(math.log(seconds) + OUTPACED_BEYOND * math.sqrt(known.variance), MOST_LN)
    return replace(
        row,
        n=row.n + 1, s1=row.s1 + y, s2=row.s2 + y * y,
        long_n=row.long_n + 1, long_s1=row.long_s1 + y, long_s2=row.long_s2 + y * y,
    )  # fmt: skip


def _capped(stats: LatencyStats) -> LatencyStats:
    """The long memory holds at most 300 samples' worth, so that a day's habit can still be unlearnt."""
    if stats.long_n <= LONG_MOST:
        return stats
    scale = LONG_MOST / stats.long_n
    return replace(
        stats,
        long_n=LONG_MOST, long_s1=stats.long_s1 * scale, long_s2=stats.long_s2 * scale,
        long_ok=stats.long_ok * scale, long_bad=stats.long_bad * scale,
    )  # fmt: skip
