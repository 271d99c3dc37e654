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
from llmr.routing.rules import Candidate
from llmr.routing.selection import Ranked, Selection

MOST_S: Final = 10.0  # routing.md §4


def hedge_after_s(selection: Selection, first: Candidate) -> float | None:
    """Seconds without a first token after which a second request is worth its price: the p95 of `first`, and for a request
    that explores the soonest p95 of anyone who could stand in for it. None: nobody knows.

    Who explores asks somebody uncertain; the user should not pay for that with the tail of a slow one. (Seeds 1–6, p99 / p99.9
    and waste: serve 1.87 / 3.50 s, 2.7 % without this, 1.79 / 3.00 s, 2.9 % with it; CLI 2.45 / 3.23 s, 3.3 % and 2.08 /
    2.98 s, 3.7 %. For every request, not only for those that explore, waste would pass 4 %.)
    """
    habits = selection.habits_of(first.key)
    if habits is None:
        return None
    others = selection.ranked if selection.explored else ()
    return min(MOST_S, habits.p95_s, *(other.habits.p95_s for other in others if _may_help(other, first)))


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
