"""The latency tracker: how long the first token takes, how often it comes, and how sure we are.

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
is said below, traffic is back later than that in 20 brownouts of 200 with 50 requests, in 11 with 40; below nothing is won.

One prior sample each, for the time and for the success, where routing.md §2 has two. Of a provider that has answered thirty
times, the first failure then counts for more: CLI seeds 200–279 and 300–459, 26.6 extra requests per 1,000 with one, 33.9
with two; serve 27.8 and 30.0.

A hedge loser was cancelled before it answered, so all that is known is that it would have taken longer. To count the bound
itself, as if it had answered at that moment, is to believe that everybody who is slow is just about to speak: brownouts were
hedged instead of left. It counts as three of its σ beyond, because who passes its p95 is more often in trouble than out of
luck. Hedged p99 / waste, serve seeds 200–219 and 300–339, CLI as above: CLI 1.88 s, 3.4 % counting the bound; 1.82 s, 3.3 %
one σ beyond; 1.81 s, 3.1 % two; 1.79 s, 3.0 % three. Serve 1.66 s, 2.8 %; 1.62, 2.7; 1.62, 2.5; 1.61, 2.4.

Rows form a chain, class ⊂ model ⊂ provider. Each level's baseline is shrunk towards its parent's with the weight of one
sample, the parent counted *without* the child's own samples (decayed sums subtract), so that evidence is not used twice and
a lone model is judged by itself. What a parent has drifted lately is the child's expectation of drift. A provider is shrunk
towards the prior of .8 s and not towards the mean of all providers: that mean is of those who happen to be asked, so one
slow first choice made everybody unknown look as slow, and nobody else was tried. (Seeds 1–6, mean to the first token with
and without the mean of all: serve .614, .601 s; CLI .689, .612 s; regret in 12 random CLI worlds 16 %, 10 %.) The row of
everything counts requests.

What "the first token" is, is decided by the decoder (chat.Delta.has_content); here it is a number of seconds.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from operator import attrgetter
from typing import Any, Final

from llmr.catalog import Timeouts

SHORT_S: Final = 1200.0  # see the header: routing.md §2 has 1800 s and 100 requests
SHORT_REQUESTS: Final = 40.0
FAULT_S: Final = 3600.0  # routing.md §2, as every constant down to LONG_MOST
FAULT_REQUESTS: Final = 75.0
LONG_S: Final = 86_400.0
LONG_MOST: Final = 300.0
PRIOR_TTFT_S: Final = 0.8
PRIOR_VARIANCE: Final = 0.25  # of ln ttft: σ = .5, the middle of the simulated providers (worlds.md)
PRIOR_WEIGHT: Final = 1.0  # routing.md §2 has 2: see the header
PRIOR_SPEED_WEIGHT: Final = 2.0
LEAST_VARIANCE: Final = 0.02
MOST_VARIANCE: Final = 16.0  # σ = 4: beyond every honest row; a damaged one must not overflow the exponential
MOST_LN: Final = 14.0  # e^14 s is a fortnight
OUTPACED_BEYOND: Final = 3.0  # σ: see the header
PRIOR_FAILURES: Final = 0.02  # .4 of 20
PRIOR_FAILURE_WEIGHT: Final = 20.0
PRIOR_FAILURE_S: Final = 1.0
Z95: Final = 1.645
Z99: Final = 2.33
PRIOR_TOKENS_PER_S: Final = 60.0  # between a hosted small and large model of 2026; two samples outweigh it
PRIOR_OUTPUT_TOKENS: Final = 300.0
FIRST_TOKEN_UNSURE_S: Final = 5.0  # routing.md §4: until n ≥ 20
FIRST_TOKEN_LEAST_S: Final = 2.0
FIRST_TOKEN_MOST_S: Final = 30.0
FIRST_TOKEN_REASONING_S: Final = 60.0
SURE_AFTER: Final = 20.0
PREFILL_TOKENS_PER_S: Final = 2_000.0  # a slow hosted model; 40,000 tokens then take 20 s before the first one
CLOCK_SKEW_S: Final = 5.0  # as in breaker.py: routing.md §1
_LEAST_SECONDS: Final = 1e-6  # ln of less would let one clock quirk outweigh a day


@dataclass(frozen=True, slots=True)
class LatencyStats:
    """One row. `at` wall-clock seconds and `seq` requests at the last update; the rest are decayed sums, see above."""

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

    def to_row(self) -> list[float]:
        """The numbers in field order."""
        return list(_FIELDS(self))

    @staticmethod
    def from_row(row: Any) -> "LatencyStats":
        """The statistics in `row`; a missing or unreadable row is one without samples."""
        try:
            numbers = tuple(map(float, row))
            stats = LatencyStats(*numbers)
            whole = len(numbers) == len(_FIELDS(stats)) and math.isfinite(sum(map(abs, _FIELDS(stats))))
        except (TypeError, ValueError, OverflowError):
            return LatencyStats()
        weights = (stats.n, stats.ok, stats.bad, stats.fsum, stats.long_n, stats.long_ok, stats.long_bad, stats.speed_n)
        return stats if whole and min(*weights, stats.out_n) >= 0 else LatencyStats()


_FIELDS: Final[Callable[[LatencyStats], tuple[float, ...]]] = attrgetter(*LatencyStats.__slots__)


@dataclass(frozen=True, slots=True)
class Sample:
    """What one attempt showed. `ttft_s` None: it failed, after `total_s` seconds. `output_tokens` None: not told.

    `total_s` counts from the request to its end; tokens/s is (output_tokens − 1)/(total_s − ttft_s). `outpaced`: it was
    cancelled at `total_s` because its hedge was faster, so its own first token would have taken longer than that. `acquits`: it
    was the probe that closed a circuit, so what failed before is over and forgotten.
    """

    ttft_s: float | None
    total_s: float
    output_tokens: int | None = None
    outpaced: bool = False
    acquits: bool = False

    @property
    def tokens_per_s(self) -> float | None:
        """Speed after the first token; None where it cannot be told: unstreamed, too short, or unknown."""
        if self.ttft_s is None or self.output_tokens is None or self.output_tokens < 8:
            return None
        took_s = self.total_s - self.ttft_s
        return (self.output_tokens - 1) / took_s if took_s > 0.02 else None


@dataclass(frozen=True, slots=True)
class Estimate:
    """What to expect of the next request. Seconds; `mean_s`, `p50_s`, `p95_s`, `p99_s` are of the first token.

    `mu` and `variance` are of ln ttft; `samples` is the weight behind them (short + long); `success` lies in (0, 1);
    `failure_s` is how long a failure takes; `successes`, `failures` are the weights of the success posterior;
    `usual_success` is 1 − q0, what it comes back to once the latest failures are forgotten.
    """

    mu: float
    variance: float
    samples: float
    short_samples: float
    success: float
    successes: float
    failures: float
    failure_s: float
    tokens_per_s: float
    output_tokens: float
    usual_success: float = 1.0 - PRIOR_FAILURES

    @property
    def mean_s(self) -> float:
        """e^(μ + σ²/2), the log-normal's mean."""
        return math.exp(self.mu + self.variance / 2)

    @property
    def p50_s(self) -> float:
        """e^μ."""
        return math.exp(self.mu)

    @property
    def p95_s(self) -> float:
        """e^(μ + 1.645 σ)."""
        return math.exp(self.mu + Z95 * math.sqrt(self.variance))

    @property
    def p99_s(self) -> float:
        """e^(μ + 2.33 σ)."""
        return math.exp(self.mu + Z99 * math.sqrt(self.variance))


STREAMED_CLASSES: Final = ("s0", "s1", "s2", "s0r", "s1r", "s2r")


def latency_class(*, streamed: bool, prompt_tokens: int, reasoning: bool) -> str:
    """{stream, block} × {<2k, 2–16k, >16k prompt tokens} × reasoning, as a short key such as "s0" or "b2r"."""
    size = 0 if prompt_tokens < 2_000 else 1 if prompt_tokens <= 16_000 else 2
    return f"{'s' if streamed else 'b'}{size}{'r' if reasoning else ''}"


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
        out_n=stats.out_n * long, out_s1=stats.out_s1 * long,
    )  # fmt: skip


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


def estimate(chain: Sequence[LatencyStats], now: float, seq: float) -> Estimate:
    """What to expect, from rows ordered from the provider down to the class; each row's samples are among its parent's.

    Baseline: μL = (μL_parent + S1)/(N + 1), second moments likewise; then μ = (μL + δ_parent + s1)/(n + 1) where δ_parent
    is how far the parent is from its own baseline. q0 = (20·q_parent + BAD)/(OK + BAD + 20) and
    p = ((1 − q0) + ok)/(1 + ok + bad), f = (1 s + fsum)/(1 + bad), from the last row alone.
    """
    rows = [decayed(row, now, seq) for row in chain] or [LatencyStats()]
    mu_long = mu = math.log(PRIOR_TTFT_S)
    moment_long = PRIOR_VARIANCE + mu * mu
    q0, drift = PRIOR_FAILURES, 0.0
    speed, out = math.log(PRIOR_TOKENS_PER_S), PRIOR_OUTPUT_TOKENS
    moment = moment_long
    for parent, child in zip(rows, [*rows[1:], None], strict=True):
        row = parent if child is None else _without(parent, child)
        mu_long = (PRIOR_WEIGHT * mu_long + row.long_s1) / (row.long_n + PRIOR_WEIGHT)
        moment_long = (PRIOR_WEIGHT * moment_long + row.long_s2) / (row.long_n + PRIOR_WEIGHT)
        expected = mu_long + drift
        mu = (expected + row.s1) / (row.n + 1)
        moment = (_shifted(moment_long, mu_long, expected) + row.s2) / (row.n + 1)
        drift = mu - mu_long
        q0 = (PRIOR_FAILURE_WEIGHT * q0 + row.long_bad) / (row.long_ok + row.long_bad + PRIOR_FAILURE_WEIGHT)
        speed = (PRIOR_SPEED_WEIGHT * speed + row.speed_s1) / (row.speed_n + PRIOR_SPEED_WEIGHT)
        out = (PRIOR_SPEED_WEIGHT * out + row.out_s1) / (row.out_n + PRIOR_SPEED_WEIGHT)
    own = rows[-1]
    successes, failures = PRIOR_WEIGHT * (1 - q0) + own.ok, PRIOR_WEIGHT * q0 + own.bad
    return Estimate(
        mu=min(max(mu, -MOST_LN), MOST_LN),
        variance=min(max(LEAST_VARIANCE, moment - mu * mu), MOST_VARIANCE),
        samples=own.long_n,
        short_samples=own.n,
        success=successes / (successes + failures),
        successes=successes,
        failures=failures,
        failure_s=(PRIOR_FAILURE_S + own.fsum) / (1 + own.bad),
        tokens_per_s=math.exp(min(max(speed, -MOST_LN), MOST_LN)),
        output_tokens=out,
        usual_success=1 - q0,
    )


def first_token_timeout_s(estimate: Estimate | None, *, reasoning: bool) -> float:
    """How long the first token may take before someone else is asked: max(2 s, 1.5·p99), 5 s until 20 samples, ≤ 30 s.

    Reasoning models think before they speak: 60 s (routing.md §4).
    """
    if reasoning:
        return FIRST_TOKEN_REASONING_S
    if estimate is None or estimate.samples < SURE_AFTER:
        return FIRST_TOKEN_UNSURE_S
    return min(max(FIRST_TOKEN_LEAST_S, 1.5 * estimate.p99_s), FIRST_TOKEN_MOST_S)


def first_token_limit_s(
    timeouts: Timeouts,
    estimate: Estimate | None,
    *,
    reasoning: bool,
    alone: bool,
    left_s: float,
    prompt_tokens: int = 0,
) -> float:
    """How long one attempt's first token may take: what is configured, else what the model is known for and what reading
    the prompt may take; where nobody else could be asked (`alone`), all that is left of the deadline, `left_s`.

    While somebody else could, never more than half of that: or one who hangs would leave nothing to the others.
    """
    if timeouts.first_token_s is not None:
        return min(timeouts.first_token_s, left_s)
    if alone:
        return left_s
    usual_s = first_token_timeout_s(estimate, reasoning=reasoning) + prompt_tokens / PREFILL_TOKENS_PER_S
    return min(usual_s, left_s / 2)


def _shifted(moment: float, center: float, to: float) -> float:
    """The second moment of a distribution moved from mean `center` to mean `to`, its variance kept."""
    return moment - center * center + to * to


def _without(parent: LatencyStats, child: LatencyStats) -> LatencyStats:
    """The parent's sums less the child's, family by family; a parent that is mostly the child says nothing new.

    The bound of one half also bounds the error where the long memory's cap made the two sums incommensurable.
    """
    short = child.n <= parent.n / 2
    long = child.long_n <= parent.long_n / 2
    faults = child.long_ok + child.long_bad <= (parent.long_ok + parent.long_bad) / 2
    speed = child.speed_n <= parent.speed_n / 2
    out = child.out_n <= parent.out_n / 2
    return LatencyStats(
        at=parent.at,
        seq=parent.seq,
        n=parent.n - child.n if short else 0.0,
        s1=parent.s1 - child.s1 if short else 0.0,
        s2=parent.s2 - child.s2 if short else 0.0,
        long_n=parent.long_n - child.long_n if long else 0.0,
        long_s1=parent.long_s1 - child.long_s1 if long else 0.0,
        long_s2=parent.long_s2 - child.long_s2 if long else 0.0,
        long_ok=max(0.0, parent.long_ok - child.long_ok) if faults else 0.0,
        long_bad=max(0.0, parent.long_bad - child.long_bad) if faults else 0.0,
        speed_n=parent.speed_n - child.speed_n if speed else 0.0,
        speed_s1=parent.speed_s1 - child.speed_s1 if speed else 0.0,
        out_n=parent.out_n - child.out_n if out else 0.0,
        out_s1=parent.out_s1 - child.out_s1 if out else 0.0,
    )


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
