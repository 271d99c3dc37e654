"""The rate limiter: what GCRA grants and when, whatever clocks, processes and estimates do."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmr.catalog import RateLimit
from llmr.routing.rate_limit import CONCURRENCY_POLL_S, LimiterState, head_room, release, renew, take

NOON = 1_795_435_200.0
LEASE_S = 600.0


def grants(
    limit: RateLimit, state: LimiterState, now: float, *, tokens: int = 0, most: int = 10_000
) -> tuple[LimiterState, int]:
    """The state after as many requests as are granted at `now`."""
    for count in range(most):
        state, full = take(state, limit, tokens, now, token=f"t{now}.{count}", lease_s=LEASE_S)
        if full is not None:
            return state, count
    return state, most


def test_without_limits_everything_is_granted_and_nothing_is_written() -> None:
    state = LimiterState()
    assert head_room(state, RateLimit(), 10**9, NOON) is None
    assert take(state, RateLimit(), 10**9, NOON, token="a", lease_s=LEASE_S) == (state, None)


def test_a_tenth_of_a_minute_may_come_at_once_and_the_rest_evenly() -> None:
    limit = RateLimit(requests_per_minute=600)
    state, at_once = grants(limit, LimiterState(), NOON)
    assert at_once == 60
    full = head_room(state, limit, 0, NOON)
    assert full is not None
    assert full.reason == "paced to 600 a minute: 60 at once, then one every 0.1 s"
    assert full.retry_at == pytest.approx(NOON + 0.1)
    assert grants(limit, state, NOON + 0.1)[1] == 1
    assert grants(limit, state, NOON + 0.3)[1] == 3
    assert grants(limit, state, NOON + 3_600)[1] == 60, "credit does not pile up"


@pytest.mark.parametrize(
    ("per_minute", "at_once"), [(0.5, 1), (1, 1), (3, 3), (10, 10), (60, 10), (100, 10), (101, 10)]
)
def test_a_small_limit_may_be_used_at_once_up_to_ten(per_minute: float, at_once: int) -> None:
    limit = RateLimit(requests_per_minute=per_minute)
    state, granted = grants(limit, LimiterState(), NOON)
    assert granted == at_once
    full = head_room(state, limit, 0, NOON)
    assert full is not None
    assert full.reason == f"paced to {per_minute:g} a minute: {at_once} at once, then one every {60 / per_minute:.3g} s"
    assert full.retry_at == pytest.approx(
        NOON + (at_once + 1 - max(1.0, min(per_minute, max(10, per_minute / 10)))) * 60 / per_minute
    )


def test_a_whole_minutes_tokens_may_come_at_once_and_flow_back_evenly() -> None:
    limit = RateLimit(tokens_per_minute=6_000)
    state, _ = take(LimiterState(), limit, 6_000, NOON, token="a", lease_s=LEASE_S)
    full = head_room(state, limit, 1_000, NOON)
    assert full is not None
    assert (full.reason, full.retry_at) == ("6,000 tokens a minute used up", pytest.approx(NOON + 10))
    assert head_room(state, limit, 1_000, NOON + 10) is None


def test_a_request_larger_than_a_minutes_tokens_never_fits() -> None:
    full = head_room(LimiterState(), RateLimit(tokens_per_minute=1_000), 1_001, NOON)
    assert full is not None
    assert full.retry_at is None
    assert head_room(LimiterState(), RateLimit(tokens_per_minute=1_000), 1_000, NOON) is None


def test_requests_under_way_hold_their_slots_until_released() -> None:
    limit = RateLimit(concurrent=2)
    state, count = grants(limit, LimiterState(), NOON)
    assert count == 2
    full = head_room(state, limit, 0, NOON)
    assert full is not None
    assert (full.reason, full.retry_at) == (
        "2 requests under way, a slot is free when one ends",
        NOON + CONCURRENCY_POLL_S,
    )
    state = release(state, limit, state.leases[0][0], NOON + 1)
    assert grants(limit, state, NOON + 1)[1] == 1


def test_the_slot_of_a_killed_process_comes_free_when_its_lease_ends() -> None:
    limit = RateLimit(concurrent=1)
    state, _ = grants(limit, LimiterState(), NOON)
    assert grants(limit, state, NOON + LEASE_S - 1)[1] == 0
    state, again = grants(limit, state, NOON + LEASE_S)
    assert again == 1
    assert len(state.leases) == 1, "the dead lease is swept out"


def test_a_clock_that_went_back_frees_the_slot_of_a_killed_process_too() -> None:
    limit = RateLimit(concurrent=1)
    state, _ = grants(limit, LimiterState(), NOON)
    assert grants(limit, state, NOON - 4)[1] == 0
    assert grants(limit, state, NOON - 86_400)[1] == 1


def test_whoever_renews_its_slot_keeps_it_and_nobody_renews_what_is_gone() -> None:
    limit = RateLimit(concurrent=1)
    state, _ = take(LimiterState(), limit, 0, NOON, token="a", lease_s=10)
    assert renew(state, "b", NOON, lease_s=99) is state
    state = renew(state, "a", NOON + 9, lease_s=10)
    assert head_room(state, limit, 0, NOON + 18) is not None
    assert head_room(state, limit, 0, NOON + 19) is None


def test_a_request_that_never_left_gives_its_place_in_the_minute_back() -> None:
    limit = RateLimit(requests_per_minute=3)
    state, _ = grants(limit, LimiterState(), NOON)
    assert grants(limit, release(state, limit, "x", NOON, requests_over=-1), NOON)[1] == 1
    assert release(LimiterState(), limit, "x", NOON, requests_over=-1).requests_tat == NOON, "and no more"


def test_releasing_what_is_not_held_changes_nothing() -> None:
    state = LimiterState(leases=(("a", NOON, NOON + 1),))
    assert release(state, RateLimit(concurrent=1), "b", NOON) is state


def test_a_request_that_took_more_tokens_than_estimated_is_charged_for_them_even_if_it_took_long() -> None:
    limit = RateLimit(tokens_per_minute=6_000)
    state, _ = take(LimiterState(), limit, 1_000, NOON, token="a", lease_s=LEASE_S)
    after = release(state, limit, "a", NOON + 50, tokens_over=5_000)
    full = head_room(after, limit, 2_000, NOON + 50)
    assert full is not None
    assert full.retry_at == pytest.approx(NOON + 60)


def test_a_request_that_took_fewer_tokens_gives_the_rest_back_but_no_more() -> None:
    limit = RateLimit(tokens_per_minute=6_000)
    state, _ = take(LimiterState(), limit, 6_000, NOON, token="a", lease_s=LEASE_S)
    assert head_room(release(state, limit, "a", NOON, tokens_over=-3_000), limit, 3_000, NOON) is None
    assert release(state, limit, "a", NOON, tokens_over=-(10**9)).tokens_tat == NOON


def test_an_enormous_answer_blocks_for_a_minute_not_for_an_hour() -> None:
    limit = RateLimit(tokens_per_minute=6_000)
    state, _ = take(LimiterState(), limit, 10, NOON, token="a", lease_s=LEASE_S)
    after = release(state, limit, "a", NOON, tokens_over=10**9)
    assert head_room(after, limit, 1, NOON) is not None
    assert head_room(after, limit, 6_000, NOON + 59) is not None
    assert head_room(after, limit, 6_000, NOON + 60) is None


def test_usage_is_no_business_of_an_account_without_a_token_limit() -> None:
    state = LimiterState()
    assert release(state, RateLimit(requests_per_minute=1), "a", NOON, tokens_over=500) is state


@pytest.mark.parametrize(
    "row",
    [
        None,
        [],
        7,
        "x",
        [1, 2],
        [0, 0, [["a", 1]]],
        [0, 0, 7],
        [float("inf"), 0, []],
        [0, float("nan"), []],
        [0, 0, [["a", 0, float("inf")]]],
        [10**400, 0, []],
    ],
)
def test_an_unreadable_row_is_nothing_used(row: Any) -> None:
    assert LimiterState.from_row(row) == LimiterState()


def test_a_state_is_equal_after_a_restart() -> None:
    state = LimiterState(NOON, NOON + 1, (("a", NOON, NOON + 600),))
    assert LimiterState.from_row(json.loads(json.dumps(state.to_row()))) == state


rates = st.floats(0.5, 6_000)
gaps = st.lists(st.floats(0, 40), min_size=1, max_size=60)


@settings(max_examples=120, deadline=None)
@given(rates, gaps)
def test_in_any_interval_it_grants_at_most_the_burst_and_what_flowed_back(
    per_minute: float, waits: list[float]
) -> None:
    limit, state, now = RateLimit(requests_per_minute=per_minute), LimiterState(), NOON
    moments: list[float] = []
    for wait in waits:
        now += wait
        state, count = grants(limit, state, now, most=30)
        moments += [now] * count
    burst, period_s = max(1.0, min(per_minute, max(10.0, per_minute / 10))), 60 / per_minute
    for i, start in enumerate(moments):
        for j in range(i, len(moments)):
            assert j - i + 1 <= burst + (moments[j] - start) / period_s + 1e-4  # 17


@settings(max_examples=120, deadline=None)
@given(st.floats(100, 1e6), st.lists(st.tuples(st.floats(0, 90), st.floats(0, 1.2)), max_size=40))
def test_in_any_interval_tokens_stay_within_a_minutes_worth_and_what_flowed_back(
    per_minute: float, asks: list[tuple[float, float]]
) -> None:
    limit, state, now = RateLimit(tokens_per_minute=per_minute), LimiterState(), NOON
    taken: list[tuple[float, int]] = []
    for wait, share in asks:
        now += wait
        tokens = int(share * per_minute)
        state, full = take(state, limit, tokens, now, token="a", lease_s=LEASE_S)
        if full is None:
            taken.append((now, tokens))
        elif full.retry_at is not None:
            assert head_room(state, limit, tokens, full.retry_at + 1e-3) is None, "retry_at is kept"
    for i, (start, _) in enumerate(taken):
        for j in range(i, len(taken)):
            used = sum(tokens for _, tokens in taken[i : j + 1])
            assert used <= per_minute * (1 + (taken[j][0] - start) / 60) + 1


@settings(max_examples=120, deadline=None)
@given(rates, st.integers(1, 80), st.floats(0, 1e8))
def test_a_clock_that_goes_back_never_blocks_for_longer_than_the_burst_and_a_tolerance(
    per_minute: float, asked: int, back_s: float
) -> None:
    limit = RateLimit(requests_per_minute=per_minute)
    state, _ = grants(limit, LimiterState(), NOON, most=asked)
    now = NOON - back_s
    longest_s = max(1.0, min(per_minute, max(10.0, per_minute / 10))) * 60 / per_minute + 5
    waited_s = 0.0
    while (full := head_room(state, limit, 0, now + waited_s)) is not None:  # as someone who obeys retry_at sees it
        assert full.retry_at is not None
        waited_s = full.retry_at - now + 1e-6
        assert waited_s <= longest_s + 1e-3  # 17
