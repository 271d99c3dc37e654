"""The fallback handler: whom to ask next, how long to wait, when to stop."""

import math
from collections.abc import Sequence
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmr.catalog import Capabilities, Model, Provider, Strategy, Timeouts, WireFormat
from llmr.errors import ErrorKind, Failure, ProviderError
from llmr.routing.action import Awaited, Ending, GiveUp, Try, Wait
from llmr.routing.disposition import DISPOSITIONS, Onward
from llmr.routing.estimate import estimate
from llmr.routing.fallback import NOBODY_BACK, FallbackHandler
from llmr.routing.policy import FallbackPolicy
from llmr.routing.rules import Candidate
from llmr.routing.score import Score
from llmr.routing.selection import Barrier, Ranked, Rejected, Selection

NOON = 1_795_435_200.0
SCORE = Score(1, 0, 0, 0, 0, 0, None, price_assumed=False, quality=0.5)
UNKNOWN = estimate((), NOON, 0)
K = ErrorKind


def candidate(name: str, *, window: int | None = None, tier: int = 0, favour: int = 0, position: int = 0) -> Candidate:
    provider = Provider(name, WireFormat.OPENAI, f"https://{name}.example")
    return Candidate(Model(provider, "m", capabilities=Capabilities(window)), "m", tier, position, favour)


A, B, C, D, E, F = (candidate(name, position=place) for place, name in enumerate("abcdef"))


def selection(ranked: Sequence[Candidate], rejected: Sequence[Rejected] = (), *, prompt_tokens: int = 100) -> Selection:
    return Selection(
        asked="m",
        strategy=Strategy.BALANCED,
        ranked=tuple(Ranked(one, SCORE, UNKNOWN, UNKNOWN) for one in ranked),
        rejected=tuple(rejected),
        trace=(),
        prompt_tokens=prompt_tokens,
    )


def open_circuit(one: Candidate, *, retry_in_s: float | None, early_in_s: float | None = None) -> Rejected:
    def at(seconds: float | None) -> float | None:
        return None if seconds is None else NOON + seconds

    return Rejected(one, Barrier.CIRCUIT, "circuit open", K.SERVER, at(retry_in_s), at(early_in_s))


def handler(
    *ranked: Candidate, rejected: Sequence[Rejected] = (), deadline_s: float = 60.0, **policy: Any
) -> FallbackHandler:
    return FallbackHandler(
        selection(ranked, rejected), FallbackPolicy(**policy), Timeouts(deadline_s=deadline_s), Random(7)
    )


def fail(on: FallbackHandler, one: Candidate, kind: ErrorKind = K.SERVER, *, at_s: float = 0.0, **more: Any) -> None:
    on.failed(one, ProviderError(kind, f"{one.key} failed", **more), at_s)


def tried(on: FallbackHandler, elapsed_s: float = 0.0, *, now: float = NOON) -> Candidate:
    action = on.next_action(now + elapsed_s, elapsed_s)
    assert isinstance(action, Try), action
    return action.candidate


def waits(on: FallbackHandler, elapsed_s: float = 0.0) -> Wait:
    action = on.next_action(NOON + elapsed_s, elapsed_s)
    assert isinstance(action, Wait), action
    return action


def gives_up(on: FallbackHandler, elapsed_s: float = 0.0) -> GiveUp:
    action = on.next_action(NOON + elapsed_s, elapsed_s)
    assert isinstance(action, GiveUp), action
    return action


# WHO IS NEXT


def test_the_best_is_asked_first_and_the_next_one_at_once_after_it_failed() -> None:
    on = handler(A, B)
    assert tried(on) == A
    fail(on, A)
    assert tried(on) == B


def test_somebody_fresh_comes_before_a_retry_and_a_retry_before_the_end() -> None:
    on = handler(A, B)
    fail(on, A)
    fail(on, B)
    assert waits(on).reason == f"before asking {tried(on, 1).key} again", "whoever may be asked first"
    fail(on, A, at_s=1)
    assert tried(on, 2) == B
    fail(on, B, at_s=2)
    end = gives_up(on, 3)
    assert (end.ending, end.retry_at) == (Ending.EXHAUSTED, None)
    assert [failure.candidate for failure in end.failures] == ["a/m", "b/m", "a/m", "b/m"]


def test_after_a_new_ranking_its_order_counts() -> None:
    on = handler(A, B, C)
    fail(on, A)
    on.selection = selection([A, C, B])
    assert tried(on) == C


def test_no_more_than_four_candidates_and_six_attempts() -> None:
    everyone = (A, B, C, D, E, F)
    on = handler(*everyone)
    asked: list[Candidate] = []
    for second in range(10):
        action = on.next_action(NOON, float(second))
        if isinstance(action, GiveUp):
            assert action.ending is Ending.ATTEMPTS
            break
        assert isinstance(action, Try)
        asked.append(action.candidate)
        fail(on, action.candidate, at_s=float(second))
    assert asked[:4] == [A, B, C, D]
    assert len(asked) == 6
    assert {one.key for one in asked} == {"a/m", "b/m", "c/m", "d/m"}


def test_the_one_behind_whom_nobody_stands_is_told_so() -> None:
    on = handler(A, B)
    assert on.next_action(NOON, 0) == Try(A, alone=False)
    fail(on, A, K.AUTH)
    assert on.next_action(NOON, 0) == Try(B, alone=True)
    assert handler(A).next_action(NOON, 0) == Try(A, alone=True)


def test_one_who_may_be_asked_again_stands_behind_the_last_fresh_one() -> None:
    on = handler(A, B)
    fail(on, A, K.SERVER)
    assert on.next_action(NOON, 0) == Try(B, alone=False)


def test_whom_the_bounds_keep_from_being_asked_stands_behind_nobody() -> None:
    assert handler(A, B, max_candidates=1).next_action(NOON, 0) == Try(A, alone=True)
    assert handler(A, B, max_attempts=1).next_action(NOON, 0) == Try(A, alone=True)


def test_a_retry_is_alone_when_no_other_may_be_retried() -> None:
    on = handler(A)
    fail(on, A)
    assert on.next_action(NOON, 1) == Try(A, alone=True)
    on = handler(A, B)
    fail(on, A)
    fail(on, B)
    assert isinstance(action := on.next_action(NOON, 1), Try)
    assert not action.alone


def test_it_remembers_whose_domain_is_in_doubt() -> None:
    on = handler(A, B, C)
    fail(on, A)
    fail(on, B, K.CONTEXT_LENGTH)
    assert list(on.struck.values()) == [A.model]


# RETRIES


@pytest.mark.parametrize(
    "kind", [k for k, row in DISPOSITIONS.items() if not row.again and row.onward is Onward.ANYONE]
)
def test_what_cannot_heal_is_not_asked_again(kind: ErrorKind) -> None:
    on = handler(A)
    fail(on, A, kind)
    assert gives_up(on, 30).ending is Ending.EXHAUSTED


def test_a_provider_that_says_not_to_retry_is_obeyed() -> None:
    on = handler(A)
    fail(on, A, should_retry=False)
    assert gives_up(on, 30).ending is Ending.EXHAUSTED


def test_without_retries_configured_there_are_none() -> None:
    on = handler(A, retries_per_candidate=0)
    fail(on, A)
    assert gives_up(on, 30).ending is Ending.EXHAUSTED


def test_a_retry_that_fails_for_good_is_the_last() -> None:
    on = handler(A)
    fail(on, A)
    fail(on, A, K.AUTH, at_s=1)
    assert gives_up(on, 30).ending is Ending.EXHAUSTED


@given(st.integers(0, 2**32))
def test_a_retry_waits_a_random_time_up_to_half_a_second(seed: int) -> None:
    on = FallbackHandler(selection([A]), FallbackPolicy(), Timeouts(), Random(seed))
    fail(on, A, at_s=2)
    action = on.next_action(NOON, 2)
    if isinstance(action, Wait):
        assert 0 < action.seconds <= 0.5
        assert action.reason == "before asking a/m again"
        assert tried(on, 2 + action.seconds) == A


def test_the_random_wait_is_spread_over_its_whole_range() -> None:
    found: list[float] = []
    for seed in range(200):
        on = FallbackHandler(selection([A]), FallbackPolicy(), Timeouts(), Random(seed))
        fail(on, A)
        found.append(waits(on).seconds)
    assert min(found) < 0.05
    assert 0.45 < max(found) <= 0.5
    assert 0.2 < sum(found) / 200 < 0.3


def test_back_off_doubles_with_each_failure_and_has_a_cap() -> None:
    longest = [0.0] * 7
    for seed in range(100):
        policy = FallbackPolicy(retries_per_candidate=20, max_attempts=20)
        on = FallbackHandler(selection([A]), policy, Timeouts(), Random(seed))
        for attempt in range(7):
            fail(on, A)
            longest[attempt] = max(longest[attempt], waits(on).seconds)
    for found, bound in zip(longest, [0.5, 1, 2, 4, 8, 8, 8], strict=True):
        assert 0.9 * bound < found <= bound


@pytest.mark.parametrize("retries", [0, 1, 3])
def test_the_same_one_is_asked_again_as_often_as_the_user_says(retries: int) -> None:
    on = handler(A, retries_per_candidate=retries)
    for number in range(retries + 1):
        assert tried(on, 9.0 * number) == A
        fail(on, A, at_s=9.0 * number)
    assert gives_up(on, 9.0 * retries + 9).ending is Ending.EXHAUSTED


def test_a_short_retry_after_is_waited_for_when_nobody_else_can_serve() -> None:
    on = handler(A)
    fail(on, A, K.RATE_LIMIT, retry_after_s=7)
    assert waits(on).seconds == pytest.approx(7)
    assert tried(on, 7) == A


def test_a_long_retry_after_is_not_waited_for() -> None:
    on = handler(A)
    fail(on, A, K.RATE_LIMIT, retry_after_s=10.5)
    assert gives_up(on).ending is Ending.EXHAUSTED


def test_a_long_retry_after_moves_on_instead_of_waiting() -> None:
    on = handler(A, B)
    fail(on, A, K.RATE_LIMIT, retry_after_s=5)
    assert tried(on) == B


def test_no_wait_is_longer_than_half_of_what_is_left() -> None:
    on = handler(A, deadline_s=10)
    fail(on, A, K.RATE_LIMIT, retry_after_s=4)
    assert isinstance(on.next_action(NOON, 0), Wait)
    on = handler(A, deadline_s=10)
    fail(on, A, K.RATE_LIMIT, retry_after_s=4, at_s=3)
    assert isinstance(on.next_action(NOON, 3), GiveUp)


def test_told_moments_are_waited_for_no_longer_together_than_one_may_be() -> None:
    on = handler(A, B)
    fail(on, A, K.RATE_LIMIT, retry_after_s=7)
    fail(on, B, K.RATE_LIMIT, retry_after_s=7)
    wait = waits(on)
    assert (wait.seconds, wait.awaited) == (pytest.approx(7), Awaited.TOLD)
    fail(on, tried(on, 7), K.RATE_LIMIT, at_s=7, retry_after_s=7)
    fail(on, tried(on, 7), K.RATE_LIMIT, at_s=7, retry_after_s=7)
    assert gives_up(on, 7).ending is Ending.EXHAUSTED


def test_two_short_told_moments_are_both_waited_for() -> None:
    on = handler(A, retries_per_candidate=2)
    fail(on, A, K.RATE_LIMIT, retry_after_s=4)
    assert waits(on).seconds == pytest.approx(4)
    fail(on, tried(on, 4), K.RATE_LIMIT, at_s=4, retry_after_s=6)
    assert waits(on, 4).seconds == pytest.approx(6)


def test_nor_longer_together_than_half_of_the_deadline() -> None:
    limited = Rejected(B, Barrier.CIRCUIT, "rate-limited", K.RATE_LIMIT, retry_at=NOON + 3)
    on = handler(rejected=[limited], deadline_s=10)
    assert waits(on).seconds == pytest.approx(3)
    on.selection = selection([], [Rejected(B, Barrier.CIRCUIT, "rate-limited", K.RATE_LIMIT, retry_at=NOON + 6)])
    assert gives_up(on, 3).retry_at == NOON + 6


def test_looking_for_anothers_probe_is_no_told_moment() -> None:
    on = handler(rejected=[Rejected(A, Barrier.CIRCUIT, "probed", K.SERVER, retry_at=NOON + 1, probed=True)])
    for second in range(15):
        on.selection = selection(
            [], [Rejected(A, Barrier.CIRCUIT, "probed", K.SERVER, retry_at=NOON + second + 1, probed=True)]
        )
        assert (waits(on, second).seconds, waits(on, second).awaited) == (1, Awaited.PROBE)


def test_whom_the_budget_will_not_let_be_asked_again_is_not_waited_for() -> None:
    on = handler(A)
    fail(on, A, K.RATE_LIMIT, retry_after_s=7)
    on.may_retry = False
    on.selection = selection([], [Rejected(A, Barrier.CIRCUIT, "rate-limited", K.RATE_LIMIT, retry_at=NOON + 7)])
    end = gives_up(on)
    assert (end.ending, end.retry_at) == (Ending.BUDGET, NOON + 7)


def test_the_budget_is_named_only_where_it_is_what_is_in_the_way() -> None:
    on = handler(A, B)
    on.may_retry = False
    fail(on, A)
    assert tried(on) == B, "a first time costs nothing"
    fail(on, B, K.AUTH)
    assert gives_up(on).ending is Ending.BUDGET, "the first could be asked again"
    for kind, retry_after_s in ((K.AUTH, None), (K.RATE_LIMIT, 60)):
        on = handler(A)
        on.may_retry = False
        fail(on, A, kind, retry_after_s=retry_after_s)
        assert gives_up(on).ending is Ending.EXHAUSTED, kind


# WHAT ENDS A REQUEST


@pytest.mark.parametrize("kind", [k for k, row in DISPOSITIONS.items() if row.onward is Onward.NOBODY])
def test_the_requests_own_fault_ends_it_although_others_are_left(kind: ErrorKind) -> None:
    on = handler(A, B)
    fail(on, A, kind)
    end = gives_up(on)
    assert end.ending is Ending.FATAL
    assert [(f.candidate, f.kind) for f in end.failures] == [("a/m", kind)]


def test_nothing_is_tried_after_the_deadline() -> None:
    on = handler(A, B)
    fail(on, A, at_s=59)
    assert tried(on, 59.9) == B
    assert gives_up(on, 60).ending is Ending.DEADLINE


def test_a_prompt_too_long_for_one_goes_only_to_windows_known_to_be_larger() -> None:
    small, same, large, unknown = (
        candidate("small", window=1_000), candidate("same", window=8_000), candidate("large", window=9_000),
        candidate("unknown"),
    )  # fmt: skip
    eight = candidate("eight", window=8_000)
    on = handler(eight, unknown, small, same, large)
    fail(on, eight, K.CONTEXT_LENGTH)
    assert tried(on) == large
    fail(on, large, K.CONTEXT_LENGTH)
    assert gives_up(on).ending is Ending.EXHAUSTED


def test_a_window_nobody_told_is_taken_to_be_smaller_than_the_prompt_says() -> None:
    unknown, small, large = candidate("u"), candidate("s", window=5_000), candidate("l", window=6_000)
    on = FallbackHandler(
        selection([unknown, small, large], prompt_tokens=5_000), FallbackPolicy(), Timeouts(), Random(1)
    )
    fail(on, unknown, K.CONTEXT_LENGTH)
    assert tried(on) == large


def test_the_end_names_every_failure_and_everyone_who_could_not_be_asked() -> None:
    off = Rejected(C, Barrier.OFF, "no key")
    on = handler(A, rejected=[open_circuit(A, retry_in_s=300), open_circuit(B, retry_in_s=100), off])
    fail(on, A, K.AUTH)
    end = gives_up(on)
    assert [(f.candidate, f.reason, f.retry_at) for f in end.failures] == [
        ("a/m", "a/m failed", None),
        ("b/m", "circuit open", NOON + 100),
        ("c/m", "no key", None),
    ]
    assert end.retry_at == NOON + 100


def test_whom_a_rule_left_out_is_no_failure() -> None:
    ruled = Rejected(B, Barrier.RULE, "rule 'at home' allows only ollama/*")
    unfit = Rejected(C, Barrier.UNFIT, "its window is too small", K.CONTEXT_LENGTH)
    on = handler(A, rejected=[ruled, unfit])
    fail(on, A, K.AUTH)
    assert [failure.candidate for failure in gives_up(on).failures] == ["a/m", "c/m"]


def test_of_several_early_probes_none_is_sent_before_the_last_moment_of_them() -> None:
    rejected = [open_circuit(A, retry_in_s=30, early_in_s=-5), open_circuit(B, retry_in_s=30, early_in_s=2)]
    assert gives_up(handler(rejected=rejected, max_wait_s=0)).retry_at == NOON + 2


@pytest.mark.parametrize(
    ("retry_in_s", "early_in_s", "moment"), [(300, 20, 20), (20, 300, 20), (300, None, 300), (None, 20, 20)]
)
def test_when_to_ask_again_is_the_earlier_of_retry_and_early_probe(
    retry_in_s: float | None, early_in_s: float | None, moment: float
) -> None:
    end = gives_up(handler(rejected=[open_circuit(A, retry_in_s=retry_in_s, early_in_s=early_in_s)]))
    assert end.retry_at == NOON + moment
    assert end.failures[0].retry_at == NOON + moment


def test_the_last_attempt_of_all_has_all_the_time_whoever_it_goes_to() -> None:
    """Nobody can follow it, however many are left."""
    on = handler(A, B, max_attempts=3)
    fail(on, A)
    fail(on, B)
    assert isinstance(action := on.next_action(NOON + 1, 1), Try)
    assert action.alone
    both = [open_circuit(one, retry_in_s=30, early_in_s=0) for one in (A, B)]
    assert handler(rejected=both, max_attempts=1).next_action(NOON, 0) == Try(A, last_resort=True, alone=True)


# WHEN NOBODY CAN BE ASKED NOW


def test_with_every_circuit_open_the_earliest_one_is_waited_for() -> None:
    on = handler(rejected=[open_circuit(A, retry_in_s=9), open_circuit(B, retry_in_s=3)])
    assert waits(on) == Wait(3, "for b/m: circuit open", Awaited.TOLD)


def test_a_circuit_that_opens_too_late_is_not_waited_for() -> None:
    on = handler(rejected=[open_circuit(A, retry_in_s=10.1)])
    assert gives_up(on).retry_at == NOON + 10.1
    assert gives_up(handler(rejected=[open_circuit(A, retry_in_s=3)], max_wait_s=2)).ending is Ending.EXHAUSTED


def test_what_time_does_not_mend_is_not_waited_for() -> None:
    assert gives_up(handler(rejected=[open_circuit(A, retry_in_s=None)])).ending is Ending.EXHAUSTED
    assert gives_up(handler()).ending is Ending.EXHAUSTED


def test_an_early_probe_is_waited_for_and_then_made() -> None:
    on = handler(rejected=[open_circuit(A, retry_in_s=30, early_in_s=2)])
    assert waits(on).seconds == pytest.approx(2)
    assert on.next_action(NOON + 2, 2) == Try(A, last_resort=True, alone=True)


def test_of_several_early_probes_the_users_order_decides() -> None:
    late = candidate("late", tier=1)
    disliked = candidate("disliked", favour=1)
    rejected = [open_circuit(one, retry_in_s=30, early_in_s=0) for one in (late, disliked, B, A)]
    action = handler(rejected=rejected).next_action(NOON, 0)
    assert action == Try(A, last_resort=True, alone=False)


def test_the_last_one_to_fail_speaks_for_all_and_the_one_left_alone_longest_is_probed() -> None:
    """Six who are down together are not probed six times as often as one."""
    rejected = [open_circuit(A, retry_in_s=30, early_in_s=1.5), open_circuit(B, retry_in_s=30, early_in_s=-9)]
    on = handler(rejected=rejected)
    assert waits(on).seconds == pytest.approx(1.5)
    assert on.next_action(NOON + 1.5, 1.5) == Try(B, last_resort=True)


def test_who_has_used_up_most_attempts_waits_longest_and_looks_each_second_whether_others_got_through() -> None:
    rejected = [open_circuit(one, retry_in_s=60, early_in_s=0) for one in (A, B, C, D)]
    on = handler(rejected=rejected, max_wait_s=60)
    found, at_s = list[float](), 0.0
    for _ in range(4):
        paused_s = 0.0
        while isinstance(action := on.next_action(NOON + at_s, at_s), Wait):
            assert action.seconds <= 1
            at_s, paused_s = at_s + action.seconds, paused_s + action.seconds
        assert isinstance(action, Try)
        assert action.last_resort
        found.append(paused_s)
        fail(on, action.candidate, at_s=at_s)
    assert found == [0, 2, 4, 8]


def test_a_wait_for_any_of_several_says_how_often_and_how_long_it_may_go_on() -> None:
    rejected = [open_circuit(one, retry_in_s=60, early_in_s=0) for one in (A, B, C)]
    on = handler(rejected=rejected, max_attempts=5)
    fail(on, A)
    assert waits(on) == Wait(
        1, NOBODY_BACK, Awaited.PROBE, within_s=60, tries=4
    )  # of the five that B, C and A once more would be
    fail(on, B, K.AUTH)
    assert waits(on) == Wait(1, NOBODY_BACK, Awaited.PROBE, within_s=60, tries=3)


def test_a_wait_for_somebody_elses_verdict_may_go_on_and_one_for_a_known_moment_may_not() -> None:
    probed = Rejected(A, Barrier.CIRCUIT, "another process is probing it", K.SERVER, NOON + 1, probed=True)
    assert waits(handler(rejected=[probed])) == Wait(1, "for a/m: another process is probing it", Awaited.PROBE, 60, 2)
    on = handler(A)
    on.refused(A, NOON + 2, NOON, 0, reason="3 requests a minute are used up")
    assert waits(on) == Wait(2, "for a/m: 3 requests a minute are used up", Awaited.ROOM)


def test_who_gives_up_for_want_of_budget_says_so() -> None:
    on = handler(A)
    fail(on, A)
    on.refused(A, None, NOON, 0, reason="the budget is used up")
    assert gives_up(on).because == "the budget is used up"


def test_the_end_tells_of_no_moment_at_which_nobody_would_be_asked() -> None:
    """The last one to fail speaks for all, here too."""
    rejected = [open_circuit(A, retry_in_s=30, early_in_s=-5), open_circuit(B, retry_in_s=30, early_in_s=2)]
    assert gives_up(handler(rejected=rejected, max_wait_s=0)).retry_at == NOON + 2


def test_a_retry_comes_before_an_early_probe() -> None:
    on = handler(A, rejected=[open_circuit(B, retry_in_s=30, early_in_s=0)])
    fail(on, A)
    assert on.next_action(NOON + 1, 1) == Try(A, alone=True)


def test_one_who_may_not_be_retried_is_not_probed_early_either() -> None:
    on = handler(A)
    fail(on, A, K.AUTH)
    on.selection = selection([], [open_circuit(A, retry_in_s=5, early_in_s=0)])
    assert gives_up(on).ending is Ending.EXHAUSTED


def test_one_who_may_be_retried_is_probed_early_once_its_back_off_is_over() -> None:
    on = handler(A)
    fail(on, A, K.CONNECT, retry_after_s=1)
    on.selection = selection([], [open_circuit(A, retry_in_s=5, early_in_s=0)])
    assert waits(on).seconds == pytest.approx(1)
    assert on.next_action(NOON + 1, 1) == Try(A, last_resort=True, alone=True)


def test_a_wait_for_a_moment_that_has_passed_is_short_but_does_not_spin() -> None:
    assert waits(handler(rejected=[open_circuit(A, retry_in_s=-5)])).seconds == 0.02


# REFUSED AT THE DOOR


def test_one_refused_at_the_door_is_passed_over_and_asked_again_when_it_said() -> None:
    on = handler(A, B)
    on.refused(A, NOON + 3, NOON, 0)
    assert tried(on) == B
    fail(on, B, K.AUTH)
    assert waits(on) == Wait(3, "for a/m: another process was faster", Awaited.ROOM)
    assert tried(on, 3) == A


def test_one_refused_for_good_is_passed_over_for_the_rest_of_the_request() -> None:
    on = handler(A)
    on.refused(A, None, NOON, 0, reason="the state file cannot be written")
    end = gives_up(on, 50)
    assert end.failures == (Failure("a/m", "the state file cannot be written"),)


def test_a_refusal_that_names_this_very_moment_does_not_spin() -> None:
    on = handler(A)
    on.refused(A, NOON, NOON, 0)
    assert waits(on).seconds == 0.02


def test_nobody_waits_for_one_who_was_refused_and_may_not_be_asked_any_more() -> None:
    on = handler(A, B, max_candidates=1)
    on.refused(A, NOON + 3, NOON, 0)
    fail(on, B, K.AUTH)
    assert gives_up(on).ending is Ending.EXHAUSTED, "one candidate was enough"
    small, big = candidate("small", window=1_000), candidate("big", window=2_000)
    on = handler(small, big)
    on.refused(small, NOON + 3, NOON, 0)
    fail(on, big, K.CONTEXT_LENGTH)
    assert gives_up(on).ending is Ending.EXHAUSTED, "the window is too small"


def test_an_early_probe_that_was_refused_is_waited_for_without_spinning() -> None:
    """The provider's circuit allows an early probe, another circuit of the same candidate does not."""
    on = handler(rejected=[open_circuit(A, retry_in_s=8, early_in_s=-1)])
    assert tried(on) == A
    on.refused(A, NOON + 6, NOON, 0)
    assert waits(on).seconds == pytest.approx(6)
    on.refused(A, NOON + 600, NOON, 0)
    assert gives_up(on).ending is Ending.EXHAUSTED


# WHATEVER HAPPENS


names = st.sampled_from([A, B, C, D, E, F])
errors = st.builds(
    lambda kind, after, should: ProviderError(kind, "failed", retry_after_s=after, should_retry=should),
    st.sampled_from(ErrorKind) | st.sampled_from([K.SERVER, K.CONNECT, K.RATE_LIMIT]),
    st.none() | st.floats(0, 20) | st.just(1e9),
    st.sampled_from([None, None, None, True, False]),
)
rejections = st.builds(
    open_circuit, names, retry_in_s=st.none() | st.floats(-1, 40), early_in_s=st.none() | st.floats(-1, 5)
)


@settings(max_examples=60, deadline=None)
@given(st.data(), st.integers(0, 2**16), st.floats(0.01, 80), st.floats(0, 20))
def test_no_request_exceeds_its_bounds(data: st.DataObject, seed: int, deadline_s: float, max_wait_s: float) -> None:
    policy = FallbackPolicy(max_wait_s=max_wait_s)

    def ranking() -> Selection:
        ranked = data.draw(st.lists(names, unique_by=lambda one: one.key))
        rejected = data.draw(st.lists(rejections, unique_by=lambda r: r.candidate.key))
        return selection(ranked, [r for r in rejected if r.candidate not in ranked])

    on = FallbackHandler(ranking(), policy, Timeouts(deadline_s=deadline_s), Random(seed))
    elapsed_s, attempts, fatal = 0.0, 0, False
    asked: set[str] = set()
    for _ in range(40):
        action = on.next_action(NOON + elapsed_s, elapsed_s)
        match action:
            case GiveUp():
                assert len(action.failures) >= attempts
                return
            case Wait():
                assert not fatal
                assert 0 < action.seconds <= min(max_wait_s, (deadline_s - elapsed_s) / 2) + 1e-9  # 20
                assert math.isfinite(action.seconds)
                elapsed_s += action.seconds
            case Try():
                assert not fatal
                assert elapsed_s < deadline_s  # 19
                if data.draw(st.booleans()):
                    retry_at = data.draw(st.none() | st.floats(NOON - 5, NOON + 60))
                    on.refused(action.candidate, retry_at, NOON + elapsed_s, elapsed_s)
                else:
                    attempts += 1
                    asked.add(action.candidate.key)
                    assert attempts <= policy.max_attempts  # 19
                    elapsed_s += data.draw(st.floats(0, 8))
                    error = data.draw(errors)
                    fatal = DISPOSITIONS[error.kind].onward is Onward.NOBODY
                    on.failed(action.candidate, error, elapsed_s)
        on.selection = ranking()
        assert len(asked) <= policy.max_candidates


# WHAT IS TOLD AT THE END


def test_the_end_keeps_each_error_and_what_each_refusal_comes_down_to() -> None:
    no_money = Rejected(C, Barrier.SPEND, "over the limit", K.BUDGET, NOON + 900)
    on = handler(A, B, rejected=[no_money], retries_per_candidate=0)
    fail(on, A)
    on.refused(B, NOON + 700, NOON, 0.0, reason="no head-room", kind=K.RATE_LIMIT)
    end = gives_up(on)
    a, b, c = end.failures
    assert isinstance(a.error, ProviderError)
    assert (b.kind, b.reason, b.retry_at) == (K.RATE_LIMIT, "no head-room", NOON + 700)
    assert (c.kind, c.retry_at) == (K.BUDGET, NOON + 900)
    assert end.retry_at == NOON + 700


def test_an_attempt_that_was_outpaced_counts_as_one() -> None:
    on = handler(A, B, C, max_attempts=3)
    on.outpaced()
    on.outpaced()
    fail(on, A)
    assert gives_up(on).ending is Ending.ATTEMPTS


def test_the_last_but_one_attempt_is_not_the_last() -> None:
    on = handler(A, B, C, max_attempts=3)
    fail(on, A)
    action = on.next_action(NOON, 0.0)
    assert isinstance(action, Try)
    assert not action.alone


def test_a_retry_of_the_too_small_is_not_waited_for() -> None:
    small = candidate("small", window=100)
    on = handler(small)
    fail(on, small, K.CONTEXT_LENGTH)
    assert gives_up(on).ending is Ending.EXHAUSTED


def test_a_wait_of_exactly_what_is_allowed_is_waited() -> None:
    on = handler(A, rejected=[], max_wait_s=5.0)
    fail(on, A, K.RATE_LIMIT, retry_after_s=5.0)
    assert waits(on).seconds == pytest.approx(5.0)
