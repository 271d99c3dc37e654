"""What rules may ask about the moment rather than about the request: time, circuits, habits, money left.

Rules are judged before anything is ranked, so these facts are gathered first, by whoever has them, and handed over as one
value. What is absent is unknown, and a condition on something unknown does not hold: a rule says so in its trace.
"""

from collections.abc import Mapping, Sequence
from dataclasses import field
from types import MappingProxyType
from typing import Any, Final

from llmr.dataclass import dataclass
from llmr.routing import breaker
from llmr.routing.breaker import Blocked
from llmr.routing.circuit import BreakerState, Forced, Phase
from llmr.routing.policy import BreakerPolicy

MINUTES_A_DAY: Final = 24 * 60
MINUTES_A_WEEK: Final = 7 * MINUTES_A_DAY
_NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Situation:
    """One moment. `minute_of_week` counts local minutes since Monday, 0:00.

    `circuits` and `output_tokens` (tokens that an answer usually has) are by model key and hold what rules watch, see
    RulesEngine.watched. `budget_left_usd`: the least that any general spend limit leaves, None: unknown or no limit.
    """

    minute_of_week: int
    circuits: Mapping[str, Phase] = field(default_factory=lambda: _NOTHING)
    output_tokens: Mapping[str, float] = field(default_factory=lambda: _NOTHING)
    budget_left_usd: float | None = None

    @property
    def minute_of_day(self) -> int:
        """Minutes after midnight."""
        return self.minute_of_week % MINUTES_A_DAY

    @property
    def weekday(self) -> int:
        """0 is Monday."""
        return self.minute_of_week // MINUTES_A_DAY


def phase_now(states: Sequence[BreakerState], now: float, policy: BreakerPolicy) -> Phase:
    """The state that several circuits in a row amount to at `now`.

    An open circuit whose time is over is half open: the next request is its probe. A rule that still took it for open would
    keep that request away, and with it the only thing that can close it.
    """
    answer = breaker.admit_all(states, now, policy, lease_s=policy.lease_s)
    if isinstance(answer, Blocked):
        refusing = states[answer.place]
        probing = refusing.forced is not Forced.OPEN and refusing.phase is Phase.HALF_OPEN
        return Phase.HALF_OPEN if probing else Phase.OPEN
    return Phase.HALF_OPEN if any(grant.probe for _, grant in answer) else Phase.CLOSED
