"""What would flip a decision: the margin of the winner, and the figure at which each other candidate would win instead.

"Why that one?" is half an answer; "what would have to change?" is the other half. The index (score.py) is solved for one
term at a time with all others held:

    time     mean, p95 and p50 scale together with e^μ, so  time(e^μ) = e^μ·k,  k = m + ρ·max(0, e^(1.645σ) − m),  m = e^(σ²/2)
    price    price(f) = f·price, f the factor on all of its prices

Candidates are compared within one tier and favour only: no figure makes a fallback model overtake the model asked for. Where
nobody knows a rival's price, its index holds that of the dearest one: the figure is then what a known price would have to be.
"""

import math
from collections.abc import Sequence
from typing import Final

from llmr.catalog import Price, Strategy
from llmr.dataclass import dataclass
from llmr.routing.estimate import Z95, Estimate
from llmr.routing.score import TAIL_AVERSION, Score
from llmr.routing.selection import Ranked, Selection

BY_INDEX: Final = frozenset({Strategy.BALANCED, Strategy.LATENCY, Strategy.COST})
_LEAST_S: Final = 0.001  # a first token faster than that is no figure to name


@dataclass(frozen=True, slots=True)
class Flip:
    """What would put one candidate first. None: no value of that figure alone would.

    `p50_below_s` is its median first token in seconds; `price_below` its prices in dollars per million tokens; `margin_s`
    what it lacks, in seconds of the index. `price_unknown`: nobody knows what it costs now.
    """

    key: str
    margin_s: float
    p50_below_s: float | None
    price_below: Price | None
    price_unknown: bool = False


@dataclass(frozen=True, slots=True)
class Sensitivity:
    """`winner` leads by `margin_s` over the best of the others; `flips` are in the order of the ranking."""

    winner: str
    margin_s: float
    flips: tuple[Flip, ...]


def sensitivity(selection: Selection) -> Sensitivity | None:
    """What would flip this decision; None where nobody competes, or the order is not made by the index."""
    if selection.strategy not in BY_INDEX or not selection.ranked:
        return None
    winner, *others = selection.ranked
    rivals = [rival for rival in others if _place(rival) == _place(winner)]
    if not rivals:
        return None
    dearest = _dearest(selection.ranked)
    flips = tuple(_flip(winner, rival, dearest) for rival in rivals)
    return Sensitivity(winner.candidate.key, min(flip.margin_s for flip in flips), flips)


def _place(ranked: Ranked) -> tuple[int, int]:
    return ranked.candidate.tier, ranked.candidate.favour


def _dearest(ranked: Sequence[Ranked]) -> Price | None:
    """The price that stands in for those that nobody knows."""
    known = [one for one in ranked if not one.score.price_assumed and one.score.price_usd is not None]
    dearest = max(known, key=lambda one: one.score.price_usd or 0.0, default=None)
    return None if dearest is None else dearest.candidate.model.price


def _flip(winner: Ranked, rival: Ranked, dearest: Price | None) -> Flip:
    margin_s = rival.score.index_s - winner.score.index_s
    unknown = rival.score.price_assumed
    price = dearest if unknown else rival.candidate.model.price
    return Flip(
        rival.candidate.key,
        margin_s,
        _p50_below_s(rival, margin_s),
        _price_below(rival.score, price, margin_s),
        price_unknown=unknown,
    )


def _p50_below_s(rival: Ranked, margin_s: float) -> float | None:
    score, estimate = rival.score, rival.estimate
    now_s = score.first_token_s + score.tail_s
    wanted_s = now_s - margin_s
    if score.time_weight == 0:
        return None
    p50_s = wanted_s / _scale(estimate)
    return p50_s if p50_s >= _LEAST_S else None


def _scale(estimate: Estimate) -> float:
    """k of the header: the index's seconds per second of median."""
    mean, p95 = math.exp(estimate.variance / 2), math.exp(Z95 * math.sqrt(estimate.variance))
    return mean + TAIL_AVERSION * max(0.0, p95 - mean)


def _price_below(score: Score, price: Price | None, margin_s: float) -> Price | None:
    if price is None or score.price_s <= margin_s or score.price_s <= 0:
        return None
    factor = 1 - margin_s / score.price_s
    cached_usd = None if price.cached_input_usd is None else price.cached_input_usd * factor
    return Price(price.input_usd * factor, price.output_usd * factor, cached_usd)
