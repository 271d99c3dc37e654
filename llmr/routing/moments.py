"""When somebody who is refused now may be asked: wall-clock seconds, `inf` where time does not mend it."""

import math

from llmr.routing.selection import Rejected


def first_moment(rejected: Rejected) -> float:
    """When the candidate may be asked or probed."""
    return min((moment for moment in (rejected.retry_at, rejected.early_at) if moment is not None), default=math.inf)


def moment_of_retry(rejected: Rejected) -> float:
    """When it may be asked without haste."""
    return math.inf if rejected.retry_at is None else rejected.retry_at


def longest_silent(rejected: Rejected) -> tuple[float, ...]:
    """Among those that may be probed early: tier and favour first, then who has been left alone for longest."""
    candidate = rejected.candidate
    return candidate.tier, candidate.favour, rejected.early_at or 0.0, candidate.position


def moment(rejected: Rejected, early_at: float) -> float | None:
    """When it may be asked, for people, where early probes are sent from `early_at` on: None where time does not mend it."""
    at = min(moment_of_retry(rejected), math.inf if rejected.early_at is None else early_at)
    return at if math.isfinite(at) else None
