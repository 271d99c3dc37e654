"""The circuit breaker field by field: what each transition leaves behind, and what people are told.

What test_breaker.py says of behaviour, this says of the stored row: a field that is left over from an earlier era would be
believed by a later one. Each of these was found by mutation testing.
"""

from dataclasses import replace

import pytest

from llmr.routing.breaker import Blocked, admit, admit_all, report
from llmr.routing.circuit import BreakerState, Cause, Grant, Outcome, Phase, Refusal, Verdict
from llmr.routing.policy import BreakerPolicy

POLICY = BreakerPolicy()
NOON = 1_795_435_200.0
OPEN = BreakerState(
    Phase.OPEN,
    epoch=3,
    fails=5,
    trips=2,
    rate_hits=1,
    opened_at=NOON,
    open_until=NOON + 60,
    cause=Cause.ERROR,
    why="server",
)
PROBING = replace(OPEN, phase=Phase.HALF_OPEN, lease_from=NOON, lease_until=NOON + 45, lost=2)
PROBE = Grant(3, probe=True)


def refusal(state: BreakerState, now: float, policy: BreakerPolicy = POLICY) -> Refusal:
    _, answer = admit(state, now, policy, lease_s=45)
    assert isinstance(answer, Refusal)
    return answer


def test_nobody_probes_early_without_being_told_that_nobody_else_is_left() -> None:
    assert isinstance(admit(OPEN, NOON + 3, POLICY, lease_s=45)[1], Refusal)
    assert isinstance(admit_all([OPEN], NOON + 3, POLICY, lease_s=45), Blocked)


@pytest.mark.parametrize("cause", [Cause.ERROR, Cause.RATE, Cause.HARD])
def test_a_refusal_says_what_opened_the_circuit(cause: Cause) -> None:
    assert refusal(replace(OPEN, cause=cause), NOON).why == "server"


@pytest.mark.parametrize(
    ("longest", "policy"),
    [
        (66.0, BreakerPolicy(rate_backoff_cap_s=1, retry_after_cap_s=1, hard_s=1)),
        (500.0, BreakerPolicy(rate_backoff_cap_s=500, retry_after_cap_s=1, hard_s=1)),
        (500.0, BreakerPolicy(retry_after_cap_s=500, hard_s=1)),
        (500.0, BreakerPolicy(retry_after_cap_s=1, hard_s=500)),
    ],
    ids=["cool-down", "back-off", "Retry-After", "hard"],
)
def test_a_damaged_opening_lasts_no_longer_than_the_longest_honest_one(longest: float, policy: BreakerPolicy) -> None:
    damaged = replace(OPEN, open_until=NOON + 1e9)
    assert refusal(damaged, NOON, policy).retry_at == pytest.approx(NOON + longest)
    assert isinstance(admit(damaged, NOON + longest - 0.5, policy, lease_s=45)[1], Refusal)
    assert isinstance(admit(damaged, NOON + longest + 0.5, policy, lease_s=45)[1], Grant)


def test_of_several_that_refuse_the_longest_speaks_wherever_it_stands() -> None:
    short, long = replace(OPEN, open_until=NOON + 10), replace(OPEN, open_until=NOON + 50, why="longest")
    for states, place in (([short, long], 1), ([long, short], 0)):
        blocked = admit_all(states, NOON, POLICY, lease_s=45)
        assert isinstance(blocked, Blocked)
        assert (blocked.place, blocked.refusal.why) == (place, "longest")


def test_who_is_not_a_matter_of_time_refuses_longer_than_who_is() -> None:
    held = admit_all(
        [OPEN, replace(OPEN, forced=None, cause=Cause.HARD, open_until=NOON + 900)], NOON, POLICY, lease_s=45
    )
    assert isinstance(held, Blocked)
    assert held.place == 1
    assert held.refusal.early_at is None  # one of them does not allow an early probe


def test_a_success_through_a_closed_circuit_forgets_429s_and_failures() -> None:
    closed = BreakerState(epoch=3, fails=4, rate_hits=2, trips=1, closed_at=NOON - 10)
    assert report(closed, Grant(3), Verdict(Outcome.OK), NOON, POLICY) == replace(closed, fails=0, rate_hits=0)


def test_a_probe_that_answers_leaves_a_clean_row_but_for_the_trips() -> None:
    after = report(PROBING, PROBE, Verdict(Outcome.OK), NOON + 9, POLICY)
    assert after == BreakerState(
        epoch=4, trips=2, opened_at=NOON, open_until=NOON + 60, closed_at=NOON + 9, why="server"
    )


def test_a_probe_that_proves_nothing_leaves_the_slot_free_and_the_rest_as_it_was() -> None:
    after = report(PROBING, PROBE, Verdict(Outcome.NEUTRAL), NOON + 9, POLICY)
    assert after == replace(PROBING, lease_from=0.0, lease_until=0.0)


def test_a_free_slot_is_no_lost_probe() -> None:
    freed = replace(PROBING, lease_from=0.0, lease_until=0.0)
    assert admit(freed, NOON + 10, POLICY, lease_s=45)[0].lost == PROBING.lost
    assert admit(PROBING, NOON + 45, POLICY, lease_s=45)[0].lost == PROBING.lost + 1


def test_a_probe_with_a_bad_key_opens_from_now_on_and_says_why() -> None:
    after = report(PROBING, PROBE, Verdict(Outcome.HARD, why="auth"), NOON + 9, POLICY)
    assert after == replace(
        PROBING, phase=Phase.OPEN, epoch=4, trips=3, opened_at=NOON + 9, open_until=NOON + 909, cause=Cause.HARD,
        why="auth", lease_from=0.0, lease_until=0.0,
    )  # fmt: skip


def test_a_probe_that_is_limited_opens_as_limited_and_holds_no_lease() -> None:
    after = report(PROBING, PROBE, Verdict(Outcome.RATE, why="rate_limit"), NOON + 9, POLICY)
    assert after == replace(
        PROBING, phase=Phase.OPEN, epoch=4, rate_hits=2, opened_at=NOON + 9, open_until=NOON + 19, cause=Cause.RATE,
        why="rate_limit", lease_from=0.0, lease_until=0.0,
    )  # fmt: skip


def test_a_cool_down_may_be_shorter_than_a_second() -> None:
    quick = BreakerPolicy(failure_threshold=1, cooldown_s=0.25, jitter=0.0)
    after = report(BreakerState(), Grant(0), Verdict(Outcome.ERROR), NOON, quick)
    assert after.open_until == NOON + 0.25


def test_a_stale_429_lengthens_by_what_it_says_however_little_and_says_why() -> None:
    nearly_over = replace(OPEN, open_until=NOON + 0.1)
    after = report(nearly_over, Grant(1), Verdict(Outcome.RATE, 0.5, why="rate_limit"), NOON, POLICY)
    assert after == replace(nearly_over, open_until=NOON + 0.5, cause=Cause.RATE, why="rate_limit")


def test_a_stale_429_that_adds_nothing_changes_nothing() -> None:
    assert report(OPEN, Grant(1), Verdict(Outcome.RATE, 60, why="rate_limit"), NOON, POLICY) is OPEN
