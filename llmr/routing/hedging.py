"""Hedging: when the first one is late, ask a second and take whoever answers first (Dean & Barroso, "The tail at scale").

    first ──────────────────────┬──── token? ──▶ it wins, the second's socket is closed
                                │ p95 of the first one, at most 10 s
    second                      └──── token? ──▶ it wins, the first one's is closed

Pure: this module says when to start the second and whom to ask; budget.py says whether it may be; the loop does it. The
moment is the first one's own p95, so that one request in twenty is hedged while all is well, and every one that has met a
brownout before the estimate has. The partner has to be healthy beyond doubt: a hedge is no probe and no last resort. Nor may
it stand for less than the first: another model, somebody whom a rule avoids, or the same failure domain.
"""

from collections.abc import Collection, Sequence
from typing import Final

from llmr.routing.fate import share_fate
from llmr.routing.latency import Estimate
from llmr.routing.rules import Candidate
from llmr.routing.selector import Ranked

MOST_S: Final = 10.0  # routing.md §4


def hedge_after_s(estimate: Estimate) -> float:
    """Seconds without a first token after which a second request is worth its price."""
    return min(estimate.p95_s, MOST_S)


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
