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

from llmr.routing.breaker import Forced, Phase
from llmr.routing.health import Circuit, Health
from llmr.routing.latency import Estimate
from llmr.routing.rules import Candidate
from llmr.routing.selector import Ranked

MOST_S: Final = 10.0  # routing.md §4


def hedge_after_s(estimate: Estimate) -> float:
    """Seconds without a first token after which a second request is worth its price."""
    return min(estimate.p95_s, MOST_S)


def partner(
    ranked: Sequence[Ranked], health: Health, first: Candidate, *, tried: Collection[str] = ()
) -> Ranked | None:
    """Whom to ask beside `first`, None: nobody is fit for it.

    `ranked` is the ranking of this moment; `tried` are keys that failed in this request already.
    """
    for other in ranked:
        candidate = other.candidate
        if candidate.key in tried or not _stands_for(candidate, first):
            continue
        if all(_closed(circuit) for circuit in health.candidates[candidate.key].circuits):
            return other
    return None


def _stands_for(other: Candidate, first: Candidate) -> bool:
    """Whether `other` may answer instead of `first`, and would not fail together with it."""
    a, b = other.model.provider, first.model.provider
    together = a.name == b.name or (a.shares is not None and a.shares == b.shares)
    return other.tier == first.tier and other.favour <= max(first.favour, 0) and not together


def _closed(circuit: Circuit) -> bool:
    match circuit.state.forced:
        case Forced.OPEN:
            return False
        case Forced.CLOSED:
            return True
        case None:
            return circuit.state.phase is Phase.CLOSED
