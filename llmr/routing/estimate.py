"""What to expect of the next request, from the rows that latency_row.py keeps: how long, how often, and how sure we are.

Rows form a chain, class ⊂ model ⊂ provider. Each level's baseline is shrunk towards its parent's with the weight of one
sample, the parent counted *without* the child's own samples (decayed sums subtract), so that evidence is not used twice and
a lone model is judged by itself. What a parent has drifted lately is the child's expectation of drift. A provider is shrunk
towards the prior of .8 s and not towards the mean of all providers: that mean is of those who happen to be asked, so one
slow first choice made everybody unknown look as slow, and nobody else was tried. (Seeds 1–6, mean to the first token with
and without the mean of all: serve .614, .601 s; CLI .689, .612 s; regret in 12 random CLI worlds 16 %, 10 %.) The row of
everything counts requests.

One prior sample each, for the time and for the success, where routing.md §2 has two. Of a provider that has answered thirty
times, the first failure then counts for more: CLI seeds 200–279 and 300–459, 26.6 extra requests per 1,000 with one, 33.9
with two; serve 27.8 and 30.0.
"""

import math
from collections.abc import Sequence
from typing import Final

from llmr.dataclass import dataclass
from llmr.routing.latency_row import LatencyStats, decayed

PRIOR_TTFT_S: Final = 0.8  # routing.md §2
PRIOR_VARIANCE: Final = 0.25  # of ln ttft: σ = .5, the middle of the simulated providers (worlds.md)
PRIOR_WEIGHT: Final = 1.0  # routing.md §2 has 2: see the header
PRIOR_SPEED_WEIGHT: Final = 2.0
LEAST_VARIANCE: Final = 0.02  # routing.md §2
MOST_VARIANCE: Final = 16.0  # σ = 4: beyond every honest row; a damaged one must not overflow the exponential
MOST_LN: Final = 14.0  # e^14 s is a fortnight
PRIOR_FAILURES: Final = 0.02  # .4 of 20
PRIOR_FAILURE_WEIGHT: Final = 20.0
PRIOR_FAILURE_S: Final = 1.0
Z95: Final = 1.645
Z99: Final = 2.33
PRIOR_TOKENS_PER_S: Final = 60.0  # between a hosted small and large model of 2026; two samples outweigh it
PRIOR_OUTPUT_TOKENS: Final = 300.0
MEASURED_FROM: Final = 0.5  # half a sample, for they decay: what less stands behind is shown as assumed


@dataclass(frozen=True, slots=True)
class Estimate:
    """What to expect of the next request. Seconds; `mean_s`, `p50_s`, `p95_s`, `p99_s` are of the first token.

    `mu` and `variance` are of ln ttft; `samples` is the weight behind them (short + long), `outcomes` the one
    behind `success`, which lies in (0, 1); 0: it is assumed, nobody has measured it.
    `failure_s` is how long a failure takes; `usual_success` is 1 − q0, what it comes back to once the latest failures are
    forgotten; `cached_share` of the prompt is what its cache will probably hold.
    """

    mu: float
    variance: float
    samples: float
    short_samples: float
    success: float
    failure_s: float
    tokens_per_s: float
    output_tokens: float
    usual_success: float = 1.0 - PRIOR_FAILURES
    cached_share: float = 0.0
    outcomes: float = 0.0

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
    speed, out, cached = math.log(PRIOR_TOKENS_PER_S), PRIOR_OUTPUT_TOKENS, 0.0
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
        cached = (PRIOR_SPEED_WEIGHT * cached + row.cached_s1) / (row.out_n + PRIOR_SPEED_WEIGHT)
    own = rows[-1]
    return Estimate(
        mu=min(max(mu, -MOST_LN), MOST_LN),
        variance=min(max(LEAST_VARIANCE, moment - mu * mu), MOST_VARIANCE),
        samples=own.long_n,
        short_samples=own.n,
        success=(PRIOR_WEIGHT * (1 - q0) + own.ok) / (PRIOR_WEIGHT + own.ok + own.bad),
        failure_s=(PRIOR_FAILURE_S + own.fsum) / (1 + own.bad),
        tokens_per_s=math.exp(min(max(speed, -MOST_LN), MOST_LN)),
        output_tokens=out,
        usual_success=1 - q0,
        cached_share=min(max(0.0, cached), 1.0),
        outcomes=own.long_ok + own.long_bad,
    )


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
        cached_s1=parent.cached_s1 - child.cached_s1 if out else 0.0,
    )
