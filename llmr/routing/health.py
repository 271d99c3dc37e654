"""What the router knows of each candidate at one moment: one read of the store, as values.

`ProviderRegistry.snapshot` builds it, `ModelSelector` judges by it; nothing here changes.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from llmr.routing.breaker import BreakerState
from llmr.routing.latency import Estimate
from llmr.routing.rate_limit import LimiterState


@dataclass(frozen=True, slots=True)
class Circuit:
    """One breaker that a candidate passes. `scope` is what people are told: "provider openai", "openai/gpt-4o"."""

    scope: str
    state: BreakerState


@dataclass(frozen=True, slots=True)
class CandidateHealth:
    """One candidate. `last_used_seq` is the request count when it was last tried, 0: never."""

    circuits: tuple[Circuit, ...]
    limiter: LimiterState
    estimate: Estimate
    last_used_seq: float


@dataclass(frozen=True, slots=True)
class Health:
    """All candidates of a plan, by key. `seq` counts the requests of this machine; `at` is wall-clock seconds."""

    candidates: Mapping[str, CandidateHealth]
    seq: float
    at: float
