"""What the router knows of each candidate at one moment: one read of the store, as values.

`ProviderRegistry.snapshot` builds it, `ModelSelector` judges by it; nothing here changes.
"""

from collections.abc import Mapping

from llmr.dataclass import dataclass
from llmr.routing.circuit import BreakerState
from llmr.routing.estimate import Estimate
from llmr.routing.learnt_limits import UNTOLD, LearntLimits
from llmr.routing.rate_limit import LimiterState
from llmr.routing.spending import NEW_PURSE, Purse, Today


@dataclass(frozen=True, slots=True)
class Circuit:
    """One breaker that a candidate passes. `scope` is what people are told: "provider openai", "openai/gpt-4o"."""

    scope: str
    state: BreakerState


@dataclass(frozen=True, slots=True)
class CandidateHealth:
    """One candidate. `last_used_seq` is the request count when it was last tried, 0: never; `told` are the limits that its
    provider told of; `purse` is the provider's month, read only where it has a spend limit."""

    circuits: tuple[Circuit, ...]
    limiter: LimiterState
    estimate: Estimate
    last_used_seq: float
    told: LearntLimits = UNTOLD
    purse: Purse = NEW_PURSE


@dataclass(frozen=True, slots=True)
class Health:
    """All candidates of a plan, by key. `seq` counts the requests of this machine; `at` is wall-clock seconds. `purse` is the
    month over all providers; `today` None: no spend limit is set, so nobody looked."""

    candidates: Mapping[str, CandidateHealth]
    seq: float
    at: float
    purse: Purse = NEW_PURSE
    today: Today | None = None
