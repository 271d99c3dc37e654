"""The latency tracker, held against a straightforward computation from the samples themselves."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmr.catalog import Timeouts
from llmr.routing.estimate import Estimate, estimate
from llmr.routing.first_token import first_token_limit_s, first_token_timeout_s
from llmr.routing.latency import Sample, latency_class, record
from llmr.routing.latency_row import LatencyStats, decayed

NOON = 1_795_435_200.0
FRESH = LatencyStats()


@dataclass(frozen=True)
class Event:
    """One attempt: when, as which request, and how long its first token (or its failure) took."""

    at: float
    seq: float
    seconds: float
    failed: bool = False


def row_of(events: Sequence[Event]) -> LatencyStats:
    row = FRESH
    for e in events:
        row = record(row, Sample(None if e.failed else e.seconds, e.seconds), e.at, e.seq)
    return row


@dataclass(frozen=True)
class Sums:
    """What the design calls n, s1, s2, ok, bad, fsum, N, S1, S2, OK, BAD, from the samples one by one."""

    n: float
    s1: float
    s2: float
    bad: float
    fsum: float
    long_n: float
    long_s1: float
    long_s2: float
    long_bad: float


def sums(events: Sequence[Event], now: float, seq: float) -> Sums:
    def w(e: Event) -> float:
        return math.exp(-(now - e.at) / 1200 - (seq - e.seq) / 40)

    def wf(place: int, e: Event) -> float:
        later_successes = sum(not other.failed for other in events[place + 1 :])
        return math.exp(-(now - e.at) / 3600 - (seq - e.seq) / 75) * 0.5**later_successes

    def wl(e: Event) -> float:
        return math.exp(-(now - e.at) / 86_400)

    good = [e for e in events if not e.failed]
    bad = [(place, e) for place, e in enumerate(events) if e.failed]
    return Sums(
        n=sum(w(e) for e in good),
        s1=sum(w(e) * math.log(e.seconds) for e in good),
        s2=sum(w(e) * math.log(e.seconds) ** 2 for e in good),
        bad=sum(wf(place, e) for place, e in bad),
        fsum=sum(wf(place, e) * e.seconds for place, e in bad),
        long_n=sum(wl(e) for e in good),
        long_s1=sum(wl(e) * math.log(e.seconds) for e in good),
        long_s2=sum(wl(e) * math.log(e.seconds) ** 2 for e in good),
        long_bad=sum(wl(e) for _, e in bad),
    )


times = st.floats(0, 3_000)
histories = st.lists(
    st.tuples(times, st.integers(0, 40), st.floats(0.01, 60), st.sampled_from([False, False, True])), max_size=25
)


def events_of(history: Sequence[tuple[float, int, float, bool]]) -> list[Event]:
    at, seq, events = NOON, 0.0, list[Event]()
    for wait, requests, seconds, failed in history:
        at, seq = at + wait, seq + requests
        events.append(Event(at, seq, seconds, failed))
    return events


@settings(max_examples=150, deadline=None)
@given(histories, st.floats(0, 90_000), st.integers(0, 200))
def test_a_row_alone_is_what_the_formulas_say(
    history: list[tuple[float, int, float, bool]], idle_s: float, requests: int
) -> None:
    events = events_of(history)
    last = events[-1] if events else Event(NOON, 0, 1)
    now, seq = last.at + idle_s, last.seq + requests
    t, e = sums(events, now, seq), estimate([row_of(events)], now, seq)
    ln8 = math.log(0.8)
    mu_long = (ln8 + t.long_s1) / (t.long_n + 1)
    moment_long = (0.25 + ln8**2 + t.long_s2) / (t.long_n + 1)
    mu = (mu_long + t.s1) / (t.n + 1)
    variance = (moment_long + t.s2) / (t.n + 1) - mu**2
    q0 = (t.long_bad + 0.4) / (t.long_n + t.long_bad + 20)
    p = (1 - q0 + t.n) / (1 + t.n + t.bad)
    assert e.mu == pytest.approx(mu, abs=1e-9)
    assert e.variance == pytest.approx(min(max(0.02, variance), 16.0), abs=1e-9)
    assert e.success == pytest.approx(p)
    assert e.failure_s == pytest.approx((1 + t.fsum) / (1 + t.bad))
    assert e.usual_success == pytest.approx(1 - q0)
    assert (e.samples, e.short_samples) == (pytest.approx(t.long_n), pytest.approx(t.n))
    assert e.mean_s == pytest.approx(math.exp(e.mu + e.variance / 2))
    assert e.p50_s == pytest.approx(math.exp(e.mu))
    assert e.p95_s == pytest.approx(math.exp(e.mu + 1.645 * e.variance**0.5))
    assert e.p99_s == pytest.approx(math.exp(e.mu + 2.33 * e.variance**0.5))


def test_an_unknown_model_starts_at_its_prior() -> None:
    e = estimate((), NOON, 0)
    assert e == estimate([FRESH] * 4, NOON, 0)
    assert (e.p50_s, e.variance, e.samples) == (pytest.approx(0.8), pytest.approx(0.25), 0)
    assert (e.success, e.failure_s) == (pytest.approx(0.98), 1.0)
    assert (e.tokens_per_s, e.output_tokens) == (pytest.approx(60), 300)


def steady(seconds: float, count: int, *, at: float = NOON, first: int = 1) -> list[Event]:
    return [Event(at + 30 * i, first + i, seconds) for i in range(count)]


def test_a_lone_provider_is_judged_by_itself_and_its_evidence_counted_once() -> None:
    row = row_of(steady(0.3, 10))
    same = [row, replace(row), replace(row), replace(row)]
    e, alone = estimate(same, NOON + 300, 10), estimate([row], NOON + 300, 10)
    assert e.mu == pytest.approx(alone.mu)
    assert e.success == pytest.approx(alone.success)
    assert estimate([row] * 4, row.at, row.seq) == estimate(same, row.at, row.seq), "nor does it matter who is who"


def test_a_new_model_starts_from_what_its_provider_is_known_for() -> None:
    provider = row_of(steady(3.0, 100))
    now, seq = NOON + 3_000, 100.0
    fresh_here = estimate([provider, provider, FRESH, FRESH], now, seq)
    fresh_elsewhere = estimate([provider, FRESH, FRESH, FRESH], now, seq)
    assert 2.4 < fresh_here.p50_s < 3.1
    assert 2.4 < fresh_elsewhere.p50_s < 3.1, "with nothing else known, everybody is like everything"
    one_answer = row_of([Event(now, seq, 0.2)])
    assert estimate([provider, provider, one_answer, one_answer], now, seq).p50_s < fresh_here.p50_s


@settings(max_examples=60, deadline=None)
@given(histories, histories)
def test_the_chain_shrinks_towards_the_parent_without_the_childs_own_samples(
    own: list[tuple[float, int, float, bool]], others: list[tuple[float, int, float, bool]]
) -> None:
    """Two levels, the parent's other samples clearly more than the child's, against the formulas."""
    mine = [replace(e, failed=False) for e in events_of(own)[:3]]
    theirs = [replace(e, failed=False) for e in events_of(others)] + steady(1.5, 8, at=NOON + 80_000, first=1_500)
    everyone = sorted([*mine, *theirs], key=lambda e: (e.at, e.seq))
    everyone = [replace(e, seq=float(place)) for place, e in enumerate(everyone)]
    mine = [e for e in everyone if any(e.at == m.at and e.seconds == m.seconds for m in mine)]
    theirs = [e for e in everyone if e not in mine]
    now, seq = everyone[-1].at + 60, everyone[-1].seq + 1
    e = estimate([row_of(everyone), row_of(mine)], now, seq)
    a, b = sums(theirs, now, seq), sums(mine, now, seq)
    if not (b.n <= a.n and b.long_n <= a.long_n):
        return
    ln8 = math.log(0.8)
    parent_long = (ln8 + a.long_s1) / (a.long_n + 1)
    parent = (parent_long + a.s1) / (a.n + 1)
    mu_long = (parent_long + b.long_s1) / (b.long_n + 1)
    assert e.mu == pytest.approx((mu_long + (parent - parent_long) + b.s1) / (b.n + 1), abs=1e-6)


def test_what_a_provider_has_drifted_lately_is_expected_of_its_models() -> None:
    habit = steady(0.5, 200, at=NOON - 200 * 30, first=-200)
    now, seq = NOON + 100, 20.0
    slow_now = [*habit, *[Event(NOON + 5 * i, i, 3.0) for i in range(20)]]
    sibling = row_of(steady(0.5, 20, at=NOON - 6_000, first=-900))  # not asked lately
    calm = estimate([row_of(habit), row_of(habit), sibling], now, seq)
    drifted = estimate([row_of(slow_now), row_of(slow_now), sibling], now, seq)
    assert drifted.p50_s > 1.15 * calm.p50_s


# TIME


@settings(max_examples=60, deadline=None)
@given(histories, st.floats(0, 1e5), st.floats(0, 1e5), st.integers(0, 99), st.integers(0, 99))
def test_ageing_twice_is_ageing_once(
    history: list[tuple[float, int, float, bool]], a_s: float, b_s: float, a: int, b: int
) -> None:
    row = row_of(events_of(history))
    twice = decayed(decayed(row, row.at + a_s, row.seq + a), row.at + a_s + b_s, row.seq + a + b)
    once = decayed(row, row.at + a_s + b_s, row.seq + a + b)
    assert twice.to_row() == pytest.approx(once.to_row(), rel=1e-6, abs=1e-9)


def test_an_earlier_now_ages_nothing() -> None:
    row = row_of(steady(0.5, 3))
    assert decayed(row, row.at - 4, row.seq) is row
    assert decayed(row, row.at - 4, row.seq - 1) is row


def test_after_a_clock_that_went_back_a_row_goes_on_from_there() -> None:
    future = row_of(steady(0.5, 3, at=NOON + 3e8))
    row = decayed(future, NOON, future.seq)
    assert (row.at, row.n, row.long_n) == (NOON, future.n, future.long_n)
    assert decayed(row, NOON + 86_400, row.seq).long_n < 0.4 * row.long_n


@settings(max_examples=60, deadline=None)
@given(histories)
def test_an_idle_estimate_moves_steadily_to_its_own_baseline(history: list[tuple[float, int, float, bool]]) -> None:
    row = row_of(events_of(history))
    baseline = estimate([replace(row, n=0, s1=0, s2=0)], row.at, row.seq).mu
    distances = [abs(estimate([row], row.at, row.seq + step).mu - baseline) for step in range(0, 3_000, 50)]
    assert all(after <= before + 1e-12 for before, after in pairwise(distances))  # 27
    assert distances[-1] < 1e-6


def test_an_idle_night_leaves_the_habit_and_takes_the_mood() -> None:
    habit = steady(0.5, 250, at=NOON - 40_000, first=0)
    mood = [Event(NOON + 5 * i, 250 + i, 8.0) for i in range(10)]
    row = row_of([*habit, *mood])
    assert estimate([row], NOON + 50, 260).p50_s > 3
    assert estimate([row], NOON + 36_000, 260).p50_s == pytest.approx(0.55, abs=0.1)


def test_the_long_memory_holds_three_hundred_samples_so_that_a_habit_can_be_unlearnt() -> None:
    row = row_of([Event(NOON, i, 0.5) for i in range(2_000)])
    assert row.long_n == pytest.approx(300)
    assert row.long_s1 / row.long_n == pytest.approx(math.log(0.5))
    assert row.long_ok == pytest.approx(300)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(1e-3, 3_600), min_size=2, max_size=10), st.randoms(use_true_random=False), st.booleans())
def test_what_several_processes_add_at_one_moment_may_come_in_any_order(
    seconds: list[float], chance: Any, failed: bool
) -> None:
    events = [Event(NOON, 5, s, failed) for s in seconds]
    shuffled = list(events)
    chance.shuffle(shuffled)
    assert row_of(shuffled).to_row() == pytest.approx(row_of(events).to_row(), rel=1e-9)  # 26


# EXTREMES


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.tuples(times, st.integers(0, 40), st.floats(1e-6, 3_600), st.booleans()), max_size=25),
    st.floats(-1e9, 1e10), st.integers(0, 10**9), st.integers(1, 4),
)  # fmt: skip
def test_nothing_between_a_microsecond_and_an_hour_makes_a_nan(
    history: list[tuple[float, int, float, bool]], idle_s: float, requests: int, levels: int
) -> None:
    events = events_of(history)
    rows = [row_of(events[place:]) for place in range(levels)]
    e = estimate(rows, NOON + idle_s, requests)
    figures = [getattr(e, f.name) for f in fields(Estimate)] + [e.mean_s, e.p50_s, e.p95_s, e.p99_s]
    assert all(map(math.isfinite, figures))  # 26
    assert 0 < e.success <= 1
    assert e.failure_s > 0
    json.dumps(rows[0].to_row(), allow_nan=False)


@pytest.mark.parametrize("seconds", [0.0, -5.0])
def test_a_clocks_quirk_is_taken_for_very_fast(seconds: float) -> None:
    row = record(FRESH, Sample(seconds, 1.0), NOON, 1)
    assert row.s1 == math.log(1e-6)
    assert record(FRESH, Sample(None, -5.0), NOON, 1).fsum == 0


def test_an_outlier_does_not_lock_anybody_out() -> None:
    """LiteLLM's rule stayed with the slow one for ever after a single bad sample (routing.md §2)."""
    fast, slow = row_of(steady(0.018, 30)), row_of(steady(0.4, 30))
    at, seq = NOON + 900, 30.0
    fast = record(fast, Sample(10.0, 10.0), at, seq)
    choices: list[str] = []
    for _ in range(15):
        at, seq = at + 1, seq + 1
        if estimate([fast], at, seq).mean_s <= estimate([slow], at, seq).mean_s:
            choices.append("fast")
            fast = record(fast, Sample(0.018, 0.02), at, seq)
        else:
            choices.append("slow")
            slow = record(slow, Sample(0.4, 0.4), at, seq)
    assert choices.count("fast") == 15


def test_ten_bad_minutes_are_forgiven_within_two_hours_even_if_nobody_tries() -> None:
    fast, slow = row_of(steady(0.3, 100)), row_of(steady(0.8, 100))
    bad = [Event(NOON + 3_000 + 60 * i, 100 + i, 6.0) for i in range(10)]
    for e in bad:
        fast = record(fast, Sample(e.seconds, e.seconds), e.at, e.seq)
    now, seq = bad[-1].at, bad[-1].seq
    assert estimate([fast], now, seq).mean_s > estimate([slow], now, seq).mean_s
    assert estimate([fast], now + 7_200, seq + 120).mean_s < estimate([slow], now + 7_200, seq + 120).mean_s


# FAILURES, SPEED, HEDGES


def test_a_success_halves_what_failures_weigh() -> None:
    row = row_of([Event(NOON, 1, 4.0, failed=True), Event(NOON, 1, 2.0, failed=True)])
    assert (row.bad, row.fsum, row.long_bad) == (2, 6.0, 2)
    row = record(row, Sample(0.5, 0.5), NOON, 1)
    assert (row.bad, row.fsum, row.long_bad, row.ok, row.long_ok) == (1, 3.0, 2, 1, 1)


def test_the_success_of_a_probe_ends_what_failures_weigh() -> None:
    """The cool-down was their price; else one more failure after an outage would send everybody away again."""
    row = row_of([Event(NOON, n, 4.0, failed=True) for n in range(5)])
    row = record(row, Sample(0.5, 0.5, acquits=True), NOON, 5)
    assert (row.bad, row.fsum, row.long_bad) == (0, 0, 5)


def test_tokens_a_second_count_from_the_first_token_on() -> None:
    assert Sample(1.0, 3.0, 101).tokens_per_s == pytest.approx(50)
    for too_little in (Sample(None, 3.0, 101), Sample(1.0, 3.0, None), Sample(1.0, 3.0, 7), Sample(1.0, 1.01, 101)):
        assert too_little.tokens_per_s is None


def test_speed_and_length_are_learnt_from_answers_that_tell_them() -> None:
    row = FRESH
    for i in range(50):
        row = record(row, Sample(1.0, 3.0, 201), NOON, i)
    e = estimate([row], NOON, 50)
    assert e.tokens_per_s == pytest.approx(100, rel=0.03)
    assert e.output_tokens == pytest.approx((2 * 300 + 50 * 201) / 52)
    silent = record(FRESH, Sample(1.0, 3.0), NOON, 1)
    assert (silent.speed_n, silent.out_n) == (0, 0)


def test_the_share_of_the_prompt_that_a_cache_holds_is_learnt_from_answers_that_tell_their_tokens() -> None:
    row = FRESH
    assert estimate([row], NOON, 0).cached_share == 0
    for i in range(6):
        row = record(row, Sample(1.0, 3.0, 201, cached_share=0.8), NOON, i)
    assert estimate([row], NOON, 6).cached_share == pytest.approx(6 * 0.8 / 8)
    silent = record(row, Sample(1.0, 3.0, cached_share=0.8), NOON, 6)
    assert silent.cached_s1 == row.cached_s1
    for i in range(6):
        row = record(row, Sample(1.0, 3.0, 201), NOON, 6 + i)
    assert estimate([row], NOON, 12).cached_share == pytest.approx(6 * 0.8 / 14)
    later = estimate([row], NOON + 86_400, 12)
    assert later.cached_share == pytest.approx(6 * 0.8 / math.e / (12 / math.e + 2))
    other = estimate([row, FRESH], NOON, 12)
    assert other.cached_share == pytest.approx(6 * 0.8 / 14), "a new model is taken for one like its siblings"


def test_a_row_from_before_there_was_a_cached_share_keeps_everything_else() -> None:
    row = record(FRESH, Sample(1.0, 3.0, 201, cached_share=0.5), NOON, 1)
    assert LatencyStats.from_row(row.to_row()[:-1]) == replace(row, cached_s1=0.0)
    assert LatencyStats.from_row(row.to_row()[:-2]) == FRESH
    assert LatencyStats.from_row([*row.to_row(), 0.0]) == FRESH
    assert LatencyStats.from_row([*row.to_row()[:-1], -1.0]) == FRESH


def test_speed_and_length_pass_down_the_chain_without_being_counted_twice() -> None:
    mine, everyone = FRESH, FRESH
    for i in range(40):
        tokens, total = (401, 3.0) if i % 4 else (201, 3.0)
        everyone = record(everyone, Sample(1.0, total, tokens), NOON, i)
        mine = mine if i % 4 else record(mine, Sample(1.0, total, tokens), NOON, i)
    e = estimate([everyone, mine], NOON, 40)
    parent_out = (2 * 300 + 30 * 401) / 32
    assert e.output_tokens == pytest.approx((2 * parent_out + 10 * 201) / 12)
    parent_speed = (2 * math.log(60) + 30 * math.log(200)) / 32
    assert math.log(e.tokens_per_s) == pytest.approx((2 * parent_speed + 10 * math.log(100)) / 12)


def test_a_hedge_that_lost_late_is_a_lower_bound_and_one_that_lost_early_says_nothing() -> None:
    row = row_of(steady(0.5, 10))
    late = record(row, Sample(None, 5.0, outpaced=True), row.at, row.seq)
    beyond = 3 * math.sqrt(estimate([row], row.at, row.seq).variance)
    assert (late.n, late.s1) == (row.n + 1, pytest.approx(row.s1 + math.log(5) + beyond))
    assert (late.ok, late.bad, late.long_ok) == (row.ok, row.bad, row.long_ok), "neither a success nor a failure"
    assert record(row, Sample(None, 0.3, outpaced=True), row.at, row.seq) == row


# CLASSES AND TIME-OUTS


@pytest.mark.parametrize(
    ("streamed", "tokens", "reasoning", "name"),
    [
        (True, 0, False, "s0"),
        (True, 1_999, False, "s0"),
        (True, 2_000, False, "s1"),
        (True, 16_000, True, "s1r"),
        (False, 16_001, False, "b2"),
        (False, 16_001, True, "b2r"),
    ],
)
def test_requests_are_classed_by_stream_size_and_reasoning(
    streamed: bool, tokens: int, reasoning: bool, name: str
) -> None:
    assert latency_class(streamed=streamed, prompt_tokens=tokens, reasoning=reasoning) == name


def known(p50_s: float, *, samples: float = 20, variance: float = 0.25) -> Estimate:
    return replace(estimate((), NOON, 0), mu=math.log(p50_s), samples=samples, variance=variance)


def test_the_first_token_may_take_half_as_long_again_as_the_99th_percentile_within_bounds() -> None:
    one = known(1.0)
    assert first_token_timeout_s(one, reasoning=False) == pytest.approx(1.5 * one.p99_s)
    assert first_token_timeout_s(known(0.1), reasoning=False) == 2
    assert first_token_timeout_s(known(20.0), reasoning=False) == 30


def test_until_twenty_samples_it_may_take_five_seconds_and_a_reasoning_model_a_minute() -> None:
    assert first_token_timeout_s(None, reasoning=False) == 5
    assert first_token_timeout_s(known(0.1, samples=19.9), reasoning=False) == 5
    assert first_token_timeout_s(known(0.1), reasoning=True) == 60


def test_a_configured_limit_beats_the_habit_and_the_deadline_beats_both() -> None:
    ask = {"reasoning": False, "alone": False}
    assert first_token_limit_s(Timeouts(first_token_s=9), known(1.0), left_s=40, **ask) == 9
    assert first_token_limit_s(Timeouts(first_token_s=9), known(1.0), left_s=4, **ask) == 4
    assert first_token_limit_s(Timeouts(), known(0.1), left_s=40, **ask) == 2
    assert first_token_limit_s(Timeouts(), known(0.1), left_s=3, **ask) == 1.5
    assert first_token_limit_s(Timeouts(), known(0.1), left_s=40, reasoning=False, alone=True) == 40
    assert first_token_limit_s(Timeouts(first_token_s=9), known(0.1), left_s=40, reasoning=False, alone=True) == 9


@pytest.mark.parametrize("reasoning", [False, True])
@pytest.mark.parametrize("left_s", [0.5, 7.0, 60.0, 600.0])
def test_while_somebody_else_could_be_asked_nobody_has_more_than_half_of_what_is_left(
    left_s: float, reasoning: bool
) -> None:
    """Or one who hangs would leave nothing to the others."""
    for habit in (None, known(0.1), known(20.0)):
        shared = first_token_limit_s(Timeouts(), habit, reasoning=reasoning, alone=False, left_s=left_s)
        assert shared == min(first_token_timeout_s(habit, reasoning=reasoning), left_s / 2)
        assert first_token_limit_s(Timeouts(), habit, reasoning=reasoning, alone=True, left_s=left_s) == left_s


def test_reading_the_prompt_takes_a_second_for_two_thousand_tokens_on_top() -> None:
    ask = {"reasoning": False, "left_s": 100, "prompt_tokens": 40_000}
    assert first_token_limit_s(Timeouts(), None, alone=False, **ask) == 5 + 20
    assert first_token_limit_s(Timeouts(), known(0.1), alone=False, **ask) == 2 + 20
    assert first_token_limit_s(Timeouts(), None, alone=True, **ask) == 100
    assert first_token_limit_s(Timeouts(first_token_s=9), None, alone=False, **ask) == 9, "what was said is meant"
    assert first_token_limit_s(Timeouts(), None, alone=False, **{**ask, "prompt_tokens": 10**6}) == 50


# THE STORE


def test_a_row_is_equal_after_a_restart() -> None:
    row = row_of([*steady(0.5, 3), Event(NOON + 100, 9, 2.0, failed=True)])
    assert LatencyStats.from_row(json.loads(json.dumps(row.to_row()))) == row


@pytest.mark.parametrize(
    "row",
    [
        None, [], 7, "x", {}, ["x"] * 17, [0.0] * 16, [0.0] * 18, [float("nan")] * 17, [10**400] * 17,
        [0.0, 0.0, -1.0, *[0.0] * 14], [0.0] * 15 + [-1.0, 0.0],
    ],
)  # fmt: skip
def test_an_unreadable_row_is_one_without_samples(row: Any) -> None:
    assert LatencyStats.from_row(row) == FRESH
