"""Hedging: when the first one is late, ask a second and take whoever answers first (Dean & Barroso, "The tail at scale").

    first ──────────────────────┬──── token? ──▶ it wins, the second's socket is closed
                                │ e^(μ + zσ) of the first one, z = 2.2 − 1.5σ, at most 10 s
    second                      └──── token? ──▶ it wins, the first one's is closed

Pure: this module says when to start the second and whom to ask; budget.py says whether it may be; the loop does it. The partner
has to be healthy beyond doubt: a hedge is no probe and no last resort. Nor may it stand for less than the first: another model,
somebody whom a rule avoids, or the same failure domain.

routing.md §4 hedges at the first one's p95, z = 1.645, whoever it is. But who is late and usually regular is about to speak
(σ = .3: a second asked then loses nearly always), and who is late and erratic may take as long again. So the erratic are hedged
sooner and the regular later, and the same money buys more. Hedged CLI, p99 / p99.9 s and waste, over seeds 500–559 and 560–629:

    z = 1.645                        1.89 / 3.02, 3.0 %      1.83 / 2.84, 3.1 %
    the same, doubtful ones as below 1.85 / 2.73, 3.1 %
    z = 1.5, doubtful ones as below  1.84 / 2.91, 3.9 %
    z = 2 − σ, likewise              1.80 / 2.80, 3.4 %      1.78 / 2.72, 3.5 %
    z = 2.2 − 1.5σ, likewise         1.79 / 2.84, 3.6 %      1.75 / 2.60, 3.7 %

Who is asked although hardly anything is known of him lately, whether by exploring or for want of others, is late as soon as
anyone who could stand in for him would be: the user should not pay for what llmr learns with the tail of a slow one.
"""

import math
from collections.abc import Collection, Sequence
from typing import Final

from llmr.routing.estimate import Estimate
from llmr.routing.fate import share_fate
from llmr.routing.rules import Candidate
from llmr.routing.selection import Ranked, Selection

MOST_S: Final = 10.0  # routing.md §4
REGULAR_Z: Final = 2.2  # this and the next: see the header
ERRATIC_Z: Final = 1.5  # less, per unit of σ
LEAST_Z: Final = 1.0
DOUBTFUL_BELOW: Final = 6.0  # samples in the short memory; from 3 to 12 it makes no difference


def late_after_s(estimate: Estimate) -> float:
    """Seconds without a first token after which it is late, by its own habits."""
    sigma = math.sqrt(estimate.variance)
    return math.exp(estimate.mu + max(LEAST_Z, REGULAR_Z - ERRATIC_Z * sigma) * sigma)


def hedge_after_s(selection: Selection, first: Candidate) -> float | None:
    """Seconds without a first token after which a second request is worth its price. None: nobody knows."""
    habits = selection.habits_of(first.key)
    if habits is None:
        return None
    doubtful = selection.explored or habits.short_samples < DOUBTFUL_BELOW
    others = selection.ranked if doubtful else ()
    return min(
        MOST_S, late_after_s(habits), *(late_after_s(other.habits) for other in others if _may_help(other, first))
    )


def partner(ranked: Sequence[Ranked], first: Candidate, *, tried: Collection[str] = ()) -> Ranked | None:
    """Whom to ask beside `first`, None: nobody is fit for it.

    `ranked` is the ranking of this moment; `tried` are keys that were asked in this request already.
    """
    return next((other for other in ranked if _may_help(other, first) and other.candidate.key not in tried), None)


def _may_help(other: Ranked, first: Candidate) -> bool:
    """Whether `other` may answer instead of `first`, is beyond doubt, and would not fail together with it."""
    candidate = other.candidate
    together = share_fate(candidate.model, first.model)
    stands_for_it = candidate.tier == first.tier and candidate.favour <= max(first.favour, 0)
    return stands_for_it and not together and not other.probe
