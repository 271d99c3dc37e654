"""The circuit breaker: each row of its table as a fact, then its invariants under random histories.

Figures are the defaults: 5 failures, 30 s doubling to 120 s, 15 minutes for what does not heal, a lease of 45 s, a clock
tolerance of 5 s. The model checker beside this file walks every state of a small machine; here histories are long, times are
real numbers and several circuits are passed at once.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmr.errors import ErrorKind
from llmr.routing import breaker
from llmr.routing.breaker import Blocked, admit, admit_all, remaining_s, report
from llmr.routing.circuit import BreakerState, Cause, Forced, Grant, Outcome, Phase, Refusal, Verdict
from llmr.routing.policy import BreakerPolicy

POLICY = BreakerPolicy()
NOON = 1_795_435_200.0
LEASE_S = 45.0
OK, ERROR, HARD, NEUTRAL = (Verdict(o) for o in (Outcome.OK, Outcome.ERROR, Outcome.HARD, Outcome.NEUTRAL))
CLOSED = BreakerState()


def rate(retry_after_s: float | None = None) -> Verdict:
    return Verdict(Outcome.RATE, retry_after_s)


def ask(state: BreakerState, now: float, *, last_resort: bool = False) -> tuple[BreakerState, breaker.Admission]:
    return admit(state, now, POLICY, lease_s=LEASE_S, last_resort=last_resort)


def granted(state: BreakerState, now: float, *, last_resort: bool = False) -> tuple[BreakerState, Grant]:
    after, answer = ask(state, now, last_resort=last_resort)
    assert isinstance(answer, Grant)
    return after, answer


def refused(state: BreakerState, now: float, *, last_resort: bool = False) -> Refusal:
    after, answer = ask(state, now, last_resort=last_resort)
    assert isinstance(answer, Refusal)
    assert after is state, "a refusal writes nothing"
    return answer


def told(state: BreakerState, grant: Grant, verdict: Verdict, now: float) -> BreakerState:
    return report(state, grant, verdict, now, POLICY)


def failing(state: BreakerState, now: float, *, times: int = 5, verdict: Verdict = ERROR) -> BreakerState:
    for _ in range(times):
        _, grant = granted(state, now)
        state = told(state, grant, verdict, now)
    return state


def opened(now: float = NOON, verdict: Verdict = ERROR) -> BreakerState:
    return failing(CLOSED, now, times=5 if verdict.outcome is Outcome.ERROR else 1, verdict=verdict)


def probing(now: float = NOON) -> tuple[BreakerState, Grant]:
    """A circuit whose probe went out at `now`."""
    return granted(opened(now - 30), now)


# CLOSED


def test_a_closed_circuit_admits_without_writing() -> None:
    state, answer = ask(CLOSED, NOON)
    assert state is CLOSED
    assert answer == Grant(epoch=0, probe=False)


def test_a_success_ends_the_run_of_failures() -> None:
    state = failing(CLOSED, NOON, times=4)
    assert state.fails == 4
    assert told(state, Grant(0), OK, NOON).fails == 0


def test_four_failures_leave_it_closed_and_the_fifth_opens_it() -> None:
    assert failing(CLOSED, NOON, times=4).phase is Phase.CLOSED
    state = failing(CLOSED, NOON, times=5)
    assert (state.phase, state.cause, state.epoch, state.trips) == (Phase.OPEN, Cause.ERROR, 1, 1)
    assert (state.opened_at, state.open_until) == (NOON, NOON + 30)


def test_failures_need_not_be_close_together_but_in_a_row() -> None:
    state = failing(CLOSED, NOON, times=4)
    state = told(state, Grant(0), OK, NOON + 1)
    state = failing(state, NOON + 2, times=4)
    assert state.phase is Phase.CLOSED
    assert failing(state, NOON + 1_000, times=1).phase is Phase.OPEN


def test_each_further_trip_doubles_the_wait_up_to_the_cap() -> None:
    state, now, waits = CLOSED, NOON, []
    for _ in range(5):
        state = failing(state, now) if state.phase is Phase.CLOSED else told(*granted(state, now), ERROR, now)
        waits.append(state.open_until - now)
        now = state.open_until
    assert waits == [30, 60, 60, 60, 60]


def test_a_hundred_trips_do_not_overflow() -> None:
    state = told(replace(probing()[0], trips=100_000), probing()[1], ERROR, NOON)
    assert state.open_until == NOON + 60


@pytest.mark.parametrize(("draw", "wait_s"), [(-1.0, 27.0), (0.0, 30.0), (1.0, 33.0)])
def test_jitter_moves_the_wait_by_a_tenth(draw: float, wait_s: float) -> None:
    state = failing(failing(CLOSED, NOON, times=4), NOON, times=1, verdict=Verdict(Outcome.ERROR, jitter=draw))
    assert state.open_until - NOON == pytest.approx(wait_s)


def test_a_failure_that_says_when_to_come_back_opens_at_least_that_long_but_at_most_a_quarter_of_an_hour() -> None:
    four = failing(CLOSED, NOON, times=4)
    assert failing(four, NOON, times=1, verdict=Verdict(Outcome.ERROR, 100)).open_until == NOON + 100
    assert failing(four, NOON, times=1, verdict=Verdict(Outcome.ERROR, 1)).open_until == NOON + 30
    assert failing(four, NOON, times=1, verdict=Verdict(Outcome.ERROR, 1e9)).open_until == NOON + 900


def test_trips_are_forgotten_by_a_success_after_five_stable_minutes_and_not_before() -> None:
    state, grant = probing()
    state = told(state, grant, OK, NOON)
    assert state.trips == 1
    assert told(state, Grant(state.epoch), OK, NOON + 299).trips == 1
    assert told(state, Grant(state.epoch), OK, NOON + 300).trips == 0


@pytest.mark.parametrize(
    ("told_s", "wait_s"), [(20, 20), (0, 0), (-1, 0), (900, 900), (1e9, 900), (float("inf"), 900), (float("nan"), 0)]
)
def test_a_429_opens_for_as_long_as_it_says_within_a_quarter_of_an_hour(told_s: float, wait_s: float) -> None:
    state = opened(verdict=rate(told_s))
    assert (state.phase, state.cause, state.trips) == (Phase.OPEN, Cause.RATE, 0)
    assert state.open_until == NOON + wait_s


def test_429s_that_say_nothing_wait_5_s_doubling_to_60() -> None:
    state, now, waits = CLOSED, NOON, []
    for _ in range(6):
        after, grant = granted(state, now)
        state = told(after, grant, rate(), now)
        waits.append(state.open_until - now)
        now = state.open_until
    assert waits == [5, 10, 20, 40, 60, 60]
    assert state.trips == 0


def test_a_429_that_says_when_starts_the_doubling_anew() -> None:
    state = opened(verdict=rate())
    state = told(*granted(state, NOON + 5), rate(1), NOON + 5)
    state = told(*granted(state, NOON + 6), rate(), NOON + 6)
    assert state.open_until == NOON + 11


def test_what_does_not_heal_in_seconds_opens_for_a_quarter_of_an_hour_at_once() -> None:
    state = opened(verdict=HARD)
    assert (state.phase, state.cause, state.open_until) == (Phase.OPEN, Cause.HARD, NOON + 900)


def test_what_depends_on_the_request_changes_nothing() -> None:
    state = failing(CLOSED, NOON, times=3)
    assert told(state, Grant(0), NEUTRAL, NOON) == state


# OPEN


def test_an_open_circuit_refuses_and_says_until_when_and_why() -> None:
    state = failing(failing(CLOSED, NOON, times=4), NOON, times=1, verdict=Verdict(Outcome.ERROR, why=ErrorKind.SERVER))
    assert refused(state, NOON + 29.9) == Refusal(
        "circuit open after repeated failures", retry_at=NOON + 30, early_at=NOON + 2, why=ErrorKind.SERVER
    )
    assert refused(opened(verdict=rate(20)), NOON) == Refusal("rate-limited", retry_at=NOON + 20)
    assert refused(opened(verdict=HARD), NOON) == Refusal("out of service", retry_at=NOON + 900)


def test_when_its_time_is_up_exactly_one_probe_goes_out() -> None:
    state, grant = granted(opened(), NOON + 30)
    assert grant == Grant(epoch=2, probe=True)
    assert (state.phase, state.lease_from, state.lease_until) == (Phase.HALF_OPEN, NOON + 30, NOON + 75)
    assert refused(state, NOON + 30) == Refusal("another process is probing it", retry_at=NOON + 31, probed=True)


def test_while_another_process_probes_one_looks_again_every_second_until_its_lease_ends() -> None:
    """The probe's verdict may come at any moment: to sleep out the lease would be to miss it by most of a minute."""
    state, _ = granted(failing(CLOSED, NOON, verdict=Verdict(Outcome.ERROR, why=ErrorKind.SERVER)), NOON + 30)
    assert refused(state, NOON + 40) == Refusal(
        "another process is probing it", retry_at=NOON + 41, why=ErrorKind.SERVER, probed=True
    )
    assert refused(state, NOON + 74.5).retry_at == NOON + 75
    lazy = replace(POLICY, probe_poll_s=20)
    _, answer = admit(state, NOON + 40, lazy, lease_s=LEASE_S)
    assert isinstance(answer, Refusal)
    assert answer.retry_at == NOON + 60


def test_a_clock_that_went_back_ends_the_wait_but_a_small_step_does_not() -> None:
    refused(opened(), NOON - 5)
    assert granted(opened(), NOON - 5.1)[1].probe


def test_a_wait_that_no_honest_writer_stores_counts_as_expired_and_is_not_announced() -> None:
    damaged = replace(opened(), open_until=NOON + 1e12)
    assert refused(damaged, NOON).retry_at == NOON + 900
    assert granted(damaged, NOON + 900)[1].probe


def test_a_longer_back_off_than_the_other_caps_is_still_kept() -> None:
    patient = BreakerPolicy(rate_backoff_s=3_600, rate_backoff_cap_s=3_600)
    state = report(CLOSED, Grant(0), rate(), NOON, patient)
    assert isinstance(admit(state, NOON + 3_599, patient, lease_s=LEASE_S)[1], Refusal)


def test_as_a_last_resort_an_opening_by_failures_is_probed_after_two_seconds_and_still_only_once() -> None:
    refused(opened(), NOON + 1.9, last_resort=True)
    state, grant = granted(opened(), NOON + 2, last_resort=True)
    assert grant.probe
    refused(state, NOON + 2, last_resort=True)


@pytest.mark.parametrize("verdict", [rate(20), HARD])
def test_a_limit_or_a_bad_key_is_never_probed_early(verdict: Verdict) -> None:
    refused(opened(verdict=verdict), NOON + 19, last_resort=True)


@pytest.mark.parametrize("verdict", [OK, ERROR, HARD, NEUTRAL, rate(), rate(1)])
def test_a_stale_result_is_ignored_while_open(verdict: Verdict) -> None:
    state = opened()
    assert told(state, Grant(0), verdict, NOON + 1) == state


def test_a_stale_429_lengthens_an_opening_but_never_shortens_it() -> None:
    state = opened()
    longer = told(state, Grant(0), rate(100), NOON + 1)
    assert longer == replace(state, open_until=NOON + 101, cause=Cause.RATE)
    assert told(longer, Grant(0), rate(5), NOON + 2) == longer
    assert told(longer, Grant(0), rate(-5), NOON + 2) == longer


def test_stale_429s_do_not_add_up_beyond_a_quarter_of_an_hour_after_the_opening() -> None:
    state = opened()
    for second in range(0, 900, 50):
        state = told(state, Grant(0), rate(600), NOON + second)
    assert state.open_until == NOON + 900


# HALF OPEN


def test_the_probes_first_token_closes_the_circuit_and_keeps_the_memory_of_flapping() -> None:
    state, grant = probing()
    closed = told(state, grant, OK, NOON + 1)
    assert (closed.phase, closed.epoch, closed.fails, closed.trips) == (Phase.CLOSED, 3, 0, 1)
    assert (closed.closed_at, closed.lease_until, closed.cause, closed.rate_hits) == (NOON + 1, 0, None, 0)


def test_a_failed_probe_opens_again_for_longer() -> None:
    state = told(*probing(), ERROR, NOON + 1)
    assert (state.phase, state.epoch, state.trips, state.open_until) == (Phase.OPEN, 3, 2, NOON + 61)


def test_a_probe_sent_before_its_time_that_fails_does_not_double_the_wait() -> None:
    """One person's retries, with nobody else to ask, must not bench a provider for minutes."""
    state = opened()
    for second in (2, 5, 9, 14):
        state = told(*granted(state, NOON + second, last_resort=True), ERROR, NOON + second + 1)
        assert (state.phase, state.trips, state.open_until) == (Phase.OPEN, 1, NOON + second + 31)
    due = state.open_until
    assert told(*granted(state, due - 0.001, last_resort=True), ERROR, due).trips == 1
    doubled = told(*granted(state, due, last_resort=True), ERROR, due)
    assert (doubled.trips, doubled.open_until) == (2, due + 60), "that one was sent in time"


def test_a_probe_sent_before_its_time_keeps_what_was_doubled_before() -> None:
    state = told(*probing(), ERROR, NOON + 1)
    assert (state.trips, state.open_until) == (2, NOON + 61)
    state = told(*granted(state, NOON + 3, last_resort=True), ERROR, NOON + 4)
    assert (state.trips, state.open_until) == (2, NOON + 64)


def test_a_probe_made_because_the_clock_went_back_waits_the_base_period_though_nothing_had_tripped() -> None:
    limited = opened(verdict=rate(20))
    state = told(*granted(limited, NOON - 60), ERROR, NOON - 59)
    assert (state.cause, state.trips, state.open_until) == (Cause.ERROR, 0, NOON - 29)


def test_a_rate_limited_probe_opens_again_without_counting_as_a_trip() -> None:
    state = told(*probing(), rate(7), NOON + 1)
    assert (state.phase, state.cause, state.epoch, state.trips) == (Phase.OPEN, Cause.RATE, 3, 1)
    assert state.open_until == NOON + 8


def test_a_probe_with_a_bad_key_opens_for_a_quarter_of_an_hour_and_counts() -> None:
    state = told(*probing(), HARD, NOON + 1)
    assert (state.phase, state.cause, state.trips, state.open_until) == (Phase.OPEN, Cause.HARD, 2, NOON + 901)


def test_a_cancelled_probe_frees_the_slot_without_a_verdict() -> None:
    state = told(*probing(), NEUTRAL, NOON + 1)
    assert (state.phase, state.epoch, state.trips, state.lease_until) == (Phase.HALF_OPEN, 2, 1, 0)
    again, grant = granted(state, NOON + 1)
    assert grant == Grant(3, probe=True)
    assert again.lost == 0, "nobody died"


@pytest.mark.parametrize("verdict", [OK, ERROR, HARD, NEUTRAL, rate(), rate(100)])
@pytest.mark.parametrize("grant", [Grant(0), Grant(1), Grant(2, probe=False)])
def test_nobody_but_the_prober_ends_a_probe(grant: Grant, verdict: Verdict) -> None:
    state, _ = probing()
    assert told(state, grant, verdict, NOON + 1) == state


def test_a_dead_prober_costs_its_lease_and_no_more() -> None:
    state, first = probing()
    refused(state, NOON + 44.9)
    state, second = granted(state, NOON + 45)
    assert (second.epoch, state.lost, state.lease_until) == (first.epoch + 1, 1, NOON + 90)
    assert told(state, first, OK, NOON + 46) == state, "the first one's token is no longer good"


def test_a_lease_from_the_future_is_void() -> None:
    state, _ = probing()
    refused(state, NOON - 5)
    assert granted(state, NOON - 5.1)[1].probe


# BY HAND


def test_held_open_it_refuses_without_an_end() -> None:
    state = breaker.force(CLOSED, Forced.OPEN)
    assert refused(state, NOON, last_resort=True) == Refusal("held open by hand")
    assert remaining_s(state, NOON) is None


def test_held_closed_it_admits_whatever_the_phase() -> None:
    for state in (CLOSED, opened(), probing()[0]):
        held = breaker.force(state, Forced.CLOSED)
        assert granted(held, NOON) == (held, Grant(held.epoch))


def test_what_passes_a_circuit_that_is_held_closed_is_not_taken_for_its_probe() -> None:
    for phase in (opened(), probing()[0]):
        held = breaker.force(phase, Forced.CLOSED)
        for verdict in (OK, ERROR, HARD, NEUTRAL, rate(5)):
            assert told(held, Grant(held.epoch), verdict, NOON) == held


def test_forcing_and_resetting_make_answers_in_flight_stale() -> None:
    state, grant = probing()
    for after in (breaker.force(state, Forced.OPEN), breaker.force(state, None), breaker.reset(state)):
        assert after.epoch == state.epoch + 1
        assert told(after, grant, ERROR, NOON) == after


def test_auto_gives_the_judgement_back() -> None:
    state = breaker.force(breaker.force(opened(), Forced.CLOSED), None)
    assert refused(state, NOON).retry_at == NOON + 30


def test_reset_forgets_everything_but_the_epoch() -> None:
    assert breaker.reset(breaker.force(opened(), Forced.OPEN)) == BreakerState(epoch=3)


# SEVERAL CIRCUITS AT ONCE


def together(
    states: Sequence[BreakerState], now: float, **more: bool
) -> tuple[tuple[BreakerState, Grant], ...] | Blocked:
    return admit_all(states, now, POLICY, lease_s=LEASE_S, **more)


def test_several_circuits_grant_together() -> None:
    due = opened(NOON - 30)
    answer = together((CLOSED, due), NOON)
    assert not isinstance(answer, Blocked)
    assert [grant for _, grant in answer] == [Grant(0), Grant(2, probe=True)]


def test_of_several_that_refuse_the_longest_speaks_and_an_early_probe_waits_for_all() -> None:
    short, long, limited = opened(NOON - 20), opened(NOON - 1), opened(NOON, rate(15))
    answer = together((CLOSED, short, long), NOON)
    assert isinstance(answer, Blocked)
    assert (answer.place, answer.refusal.retry_at, answer.refusal.early_at) == (2, NOON + 29, NOON + 1)
    answer = together((short, limited), NOON)
    assert isinstance(answer, Blocked)
    assert (answer.place, answer.refusal.retry_at, answer.refusal.early_at) == (1, NOON + 15, None)
    answer = together((limited, breaker.force(CLOSED, Forced.OPEN)), NOON)
    assert isinstance(answer, Blocked)
    assert (answer.place, answer.refusal.retry_at) == (1, None)


def test_as_a_last_resort_several_are_probed_together() -> None:
    answer = together((opened(), opened()), NOON + 2, last_resort=True)
    assert not isinstance(answer, Blocked)
    assert all(grant.probe for _, grant in answer)


def test_a_circuit_held_closed_opens_the_way_through_its_siblings_but_not_through_one_held_open() -> None:
    held_closed, held_open = breaker.force(CLOSED, Forced.CLOSED), breaker.force(CLOSED, Forced.OPEN)
    down = opened()
    assert together((held_closed, down), NOON) == ((held_closed, Grant(1)), (down, Grant(1)))
    assert isinstance(together((held_closed, held_open), NOON), Blocked)


# FOR PEOPLE AND FOR THE STORE


def test_remaining_time_counts_down_to_the_probe_and_then_to_the_end_of_its_lease() -> None:
    assert remaining_s(CLOSED, NOON) is None
    assert remaining_s(opened(), NOON + 10) == 20
    assert remaining_s(opened(), NOON + 31) == 0
    assert remaining_s(probing()[0], NOON + 40) == 5


@pytest.mark.parametrize(
    "state", [CLOSED, opened(), opened(verdict=rate(9)), probing()[0], breaker.force(opened(), Forced.OPEN)]
)
def test_a_state_is_equal_after_a_restart(state: BreakerState) -> None:
    assert BreakerState.from_row(json.loads(json.dumps(state.to_row()))) == state


@pytest.mark.parametrize("field", range(14))
@pytest.mark.parametrize(
    "damage",
    [None, "x", [], {}, float("nan"), float("inf"), -1, 10**400],
    ids=["null", "text", "list", "object", "nan", "inf", "minus", "huge"],
)
def test_a_damaged_row_neither_crashes_nor_blocks_for_ever(field: int, damage: Any) -> None:
    row: list[Any] = breaker.force(probing()[0], None).to_row()
    row[field] = damage
    state = BreakerState.from_row(row)
    assert isinstance(ask(state, NOON + 10_000)[1], Grant)
    json.dumps(state.to_row(), allow_nan=False)


@pytest.mark.parametrize("row", [None, [], "closed", 7, {}, ["closed"], [None] * 14])
def test_an_unreadable_row_is_a_fresh_circuit(row: Any) -> None:
    assert BreakerState.from_row(row) == BreakerState()


# INVARIANTS UNDER RANDOM HISTORIES (shared/design/routing.md §7)


@dataclass
class Lab:
    """One circuit, the grants that are out, and what has to be true of it."""

    state: BreakerState = CLOSED
    now: float = NOON
    run: int = 0  # countable errors in a row, counted independently

    def step(self, event: tuple[Any, ...], out: list[Grant]) -> None:
        before = self.state
        match event:
            case ("wait", seconds):
                self.now += seconds
            case ("admit", last_resort):
                self.state, answer = ask(before, self.now, last_resort=last_resort)
                if isinstance(answer, Grant):
                    out.append(answer)
                else:
                    assert self.state is before  # 9
            case ("report", place, verdict):
                if out:
                    grant = out.pop(place % len(out))
                    self.state = told(before, grant, verdict, self.now)
                    self.check_report(before, grant, verdict)
            case ("force", forced):
                self.state = breaker.force(before, forced)
            case ("reset",):
                self.state = breaker.reset(before)
            case _:
                raise AssertionError(event)
        self.check(before, event)

    def check_report(self, before: BreakerState, grant: Grant, verdict: Verdict) -> None:
        after, current = self.state, grant.epoch == before.epoch
        if not current:
            same = replace(after, open_until=before.open_until, cause=before.cause, why=before.why)
            assert same == before  # 3
            assert after == before or (before.phase is Phase.OPEN and verdict.outcome is Outcome.RATE)
            assert after.open_until >= before.open_until
            return
        if verdict.outcome is Outcome.NEUTRAL:  # 10
            assert replace(after, lease_from=before.lease_from, lease_until=before.lease_until) == before
            assert not grant.probe or before.phase is not Phase.HALF_OPEN or after.lease_until == 0
        if before.phase is Phase.CLOSED:  # 11
            self.run = {Outcome.OK: 0, Outcome.ERROR: self.run + 1}.get(verdict.outcome, self.run)
            assert after.fails == self.run
        if before.phase is Phase.HALF_OPEN and after.phase is Phase.CLOSED:  # 2
            assert grant.probe
            assert verdict.outcome is Outcome.OK
            self.run = 0

    def check(self, before: BreakerState, event: tuple[Any, ...]) -> None:
        after = self.state
        assert after.epoch - before.epoch in (0, 1)  # 6
        if after.phase is not before.phase:
            assert after.epoch == before.epoch + 1
        if event[0] == "reset":
            self.run = 0
        elif before.phase is Phase.HALF_OPEN and after.phase is Phase.CLOSED:
            assert event[0] == "report"  # 2
        if before.phase is after.phase is Phase.OPEN:
            assert after.open_until >= before.open_until  # 4
        if after.phase is Phase.OPEN:
            assert after.open_until <= after.opened_at + 900 + 1e-6  # 5
        assert BreakerState.from_row(json.loads(json.dumps(after.to_row()))) == after  # 14, 15


seconds = st.sampled_from([0.0, 0.5, 2.0, 30.0, 45.0, 120.0, 900.0]) | st.floats(0, 1_000)
verdicts = st.builds(
    Verdict,
    st.sampled_from(Outcome),
    st.none() | st.floats(-10, 2_000) | st.sampled_from([0.0, 1e9]),
    st.floats(-1, 1),
    st.sampled_from(["", ErrorKind.SERVER.value]),
)
events = st.one_of(
    st.tuples(st.just("wait"), seconds),
    st.tuples(st.just("admit"), st.booleans()),
    st.tuples(st.just("report"), st.integers(0, 9), verdicts),
    st.tuples(st.just("report"), st.integers(0, 9), st.just(ERROR)),
)
by_hand = st.one_of(events, st.tuples(st.just("force"), st.sampled_from([None, *Forced])), st.just(("reset",)))


@settings(max_examples=150, deadline=None)
@given(st.lists(by_hand, max_size=60))
def test_no_history_breaks_an_invariant(history: list[tuple[Any, ...]]) -> None:
    lab, out = Lab(), list[Grant]()
    for event in history:
        lab.step(event, out)
    lab.state = lab.state if lab.state.forced is None else breaker.force(lab.state, None)
    lab.now += 905  # 7: everybody is dead, and the longest wait is over
    _, grant = granted(lab.state, lab.now)
    assert told(*granted(lab.state, lab.now), OK, lab.now).phase is Phase.CLOSED  # 8
    assert grant.epoch - lab.state.epoch in (0, 1)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.one_of(events, st.tuples(st.just("wait"), st.sampled_from([-1e7, -60.0, 60.0, 1e7]))), max_size=50))
def test_a_clock_jump_costs_at_most_one_extra_probe(history: list[tuple[Any, ...]]) -> None:
    lab, out = Lab(), list[Grant]()
    probes: list[tuple[Grant, float]] = []  # and when, by a clock that does not jump
    jumps, true_s = 0, 0.0
    for event in history:
        jump = event[0] == "wait" and abs(event[1]) >= 60
        jumps += jump
        true_s += event[1] if event[0] == "wait" and not jump else 0
        known = len(out)
        if event[0] == "report":
            ended = out[event[1] % known] if out else None
            probes = [(grant, at) for grant, at in probes if grant is not ended]
        lab.step(event, out)
        probes += [(grant, true_s) for grant in out[known:] if grant.probe]
        probes = [(grant, at) for grant, at in probes if true_s - at < LEASE_S]
        assert len(probes) <= 1 + jumps  # 1, 13


@given(st.integers(5, 40))
def test_concurrent_failures_of_many_processes_trip_once(processes: int) -> None:
    state, grants = CLOSED, [granted(CLOSED, NOON)[1] for _ in range(processes)]
    for grant in grants:
        state = told(state, grant, ERROR, NOON)
    assert (state.epoch, state.trips, state.fails) == (1, 1, 5)


scopes = st.sampled_from(["provider", "model a", "model b", "quota"])


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("wait"), seconds),
            st.tuples(st.just("admit"), st.sets(scopes, min_size=1), st.booleans()),
            st.tuples(st.just("report"), st.integers(0, 9), st.dictionaries(scopes, verdicts)),
            st.tuples(st.just("report"), st.integers(0, 9), st.just(dict.fromkeys(["provider", "model a"], ERROR))),
        ),
        max_size=60,
    )
)
def test_admission_to_several_circuits_leaks_no_lease(history: list[tuple[Any, ...]]) -> None:
    """Every probe of a circuit belongs to a permit that was handed out whole."""
    states = dict.fromkeys(["provider", "model a", "model b", "quota"], CLOSED)
    permits: list[dict[str, Grant]] = []
    handed_out: set[tuple[str, int]] = set()
    now = NOON
    for event in history:
        match event:
            case ("wait", wait_s):
                now += wait_s
            case ("admit", asked, last_resort):
                names = sorted(asked)
                before = dict(states)
                answer = together([states[name] for name in names], now, last_resort=last_resort)
                if isinstance(answer, Blocked):
                    assert states == before
                    continue
                states |= {name: after for name, (after, _) in zip(names, answer, strict=True)}
                permits.append({name: grant for name, (_, grant) in zip(names, answer, strict=True)})
                handed_out |= {(name, grant.epoch) for name, (_, grant) in zip(names, answer, strict=True)}
            case ("report", place, said):
                if permits:
                    for name, grant in permits.pop(place % len(permits)).items():
                        states[name] = told(states[name], grant, said.get(name, NEUTRAL), now)
            case _:
                raise AssertionError(event)
        for name, state in states.items():
            if state.phase is Phase.HALF_OPEN:
                assert (name, state.epoch) in handed_out
    for state in states.values():  # and with everybody dead each one opens again
        granted(state, now + 905)
