"""What several circuits in a row amount to, at one moment."""

from collections.abc import Sequence

import pytest

from llmr.routing import breaker
from llmr.routing.circuit import BreakerState, Cause, Forced, Phase
from llmr.routing.policy import BreakerPolicy
from llmr.routing.situation import phase_now

NOON = 1_795_435_200.0
CLOSED = BreakerState()
OPEN = BreakerState(Phase.OPEN, 1, 5, 1, 0, NOON - 10, NOON + 20, Cause.ERROR, why="server")
PROBED = BreakerState(Phase.HALF_OPEN, 2, lease_from=NOON - 1, lease_until=NOON + 40)


def phase(*states: BreakerState, now: float = NOON) -> Phase:
    return phase_now(states, now, BreakerPolicy())


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        ((CLOSED, CLOSED), Phase.CLOSED),
        ((CLOSED, OPEN), Phase.OPEN),
        ((OPEN, PROBED), Phase.OPEN),
        ((CLOSED, PROBED), Phase.HALF_OPEN),
        ((breaker.force(CLOSED, Forced.OPEN),), Phase.OPEN),
        ((breaker.force(PROBED, Forced.OPEN), CLOSED), Phase.OPEN),
        ((OPEN, breaker.force(OPEN, Forced.CLOSED)), Phase.CLOSED),
    ],
)  # fmt: skip
def test_the_worst_of_several_circuits_counts(states: Sequence[BreakerState], expected: Phase) -> None:
    assert phase(*states) is expected
    if all(state.forced is None for state in states) and Phase.HALF_OPEN not in {state.phase for state in states}:
        assert phase(*reversed(states)) is expected


def test_an_open_circuit_whose_time_is_over_is_half_open_so_that_a_rule_cannot_keep_its_probe_away() -> None:
    assert phase(OPEN, now=NOON + 19.9) is Phase.OPEN
    assert phase(OPEN, now=NOON + 20) is Phase.HALF_OPEN
    assert phase(PROBED, now=NOON + 40) is Phase.HALF_OPEN, "whose prober died"
