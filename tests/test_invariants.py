"""The 32 invariants of routing.md §7, and where each is shown: by a property, a model checker, a race of processes, a kill.

This is an index that cannot rot: a test that is renamed or removed is missed here. The mutants of §7 are killed by the tests of
1–7, 10–13 and 16.
"""

import re
from functools import cache
from pathlib import Path

import pytest

HERE = Path(__file__).parent

SHOWN_BY: dict[int, tuple[str, ...]] = {
    1: (
        "routing/test_breaker_model.py::no_reachable_state_breaks_an_invariant",
        "registry/test_registry_processes.py::i01_of_many_processes_exactly_one_probes",
        "e2e/test_memory.py::after_the_cool_down_exactly_one_of_ten_processes_probes_and_its_success_closes_the_circuit",
    ),
    2: (
        "routing/test_breaker.py::nobody_but_the_prober_ends_a_probe",
        "routing/test_breaker.py::no_history_breaks_an_invariant",
    ),
    3: (
        "routing/test_breaker.py::a_stale_result_is_ignored_while_open",
        "routing/test_breaker.py::a_stale_429_lengthens_an_opening_but_never_shortens_it",
    ),
    4: ("routing/test_breaker.py::no_history_breaks_an_invariant",),
    5: (
        "routing/test_breaker.py::no_history_breaks_an_invariant",
        "routing/test_breaker.py::stale_429s_do_not_add_up_beyond_a_quarter_of_an_hour_after_the_opening",
    ),
    6: ("routing/test_breaker.py::no_history_breaks_an_invariant",),
    7: (
        "routing/test_breaker_model.py::no_reachable_state_breaks_an_invariant",
        "registry/test_registry_processes.py::i07_a_prober_that_is_killed_costs_its_lease_and_no_more",
    ),
    8: ("routing/test_breaker_model.py::no_reachable_state_breaks_an_invariant",),
    9: (
        "routing/test_breaker.py::an_open_circuit_refuses_and_says_until_when_and_why",
        "state/test_store_processes.py::what_writes_nothing_leaves_the_files_untouched",
    ),
    10: (
        "routing/test_breaker.py::what_depends_on_the_request_changes_nothing",
        "routing/test_breaker.py::a_cancelled_probe_frees_the_slot_without_a_verdict",
    ),
    11: ("routing/test_breaker.py::no_history_breaks_an_invariant",),
    12: (
        "routing/test_breaker.py::concurrent_failures_of_many_processes_trip_once",
        "registry/test_registry_processes.py::i12_failures_of_many_processes_trip_once",
    ),
    13: ("routing/test_breaker.py::a_clock_jump_costs_at_most_one_extra_probe",),
    14: ("routing/test_breaker.py::a_state_is_equal_after_a_restart",),
    15: ("e2e/test_memory.py::a_provider_held_open_by_hand_is_not_asked_until_reset",),
    16: (
        "routing/test_breaker.py::admission_to_several_circuits_leaks_no_lease",
        "registry/test_registry_processes.py::i16_an_admission_that_one_circuit_refuses_leaves_no_lease_in_the_other",
    ),
    17: (
        "routing/test_rate_limit.py::in_any_interval_it_grants_at_most_the_burst_and_what_flowed_back",
        "routing/test_rate_limit.py::a_clock_that_goes_back_never_blocks_for_longer_than_the_burst_and_a_tolerance",
        "registry/test_registry_processes.py::i17_grants_of_all_processes_stay_within_the_burst_and_what_flowed_back",
    ),
    18: (
        "routing/test_budget.py::retries_and_hedges_stay_within_ten_and_a_fifth_of_the_requests",
        "registry/test_registry_processes.py::i18_retries_and_hedges_of_all_processes_stay_within_the_budget",
        "e2e/test_judgement.py::three_processes_hedge_within_one_budget",
    ),
    19: (
        "routing/test_fallback.py::no_request_exceeds_its_bounds",
        "router/test_hedging_loop.py::six_attempts_are_the_most_hedges_included",
        "router/test_commit_point.py::an_answer_that_breaks_off_keeps_what_came_and_is_not_repeated",
    ),
    20: (
        "routing/test_fallback.py::no_request_exceeds_its_bounds",
        "router/test_fallback_loop.py::no_wait_goes_beyond_the_deadline",
    ),
    21: (
        "router/test_on_break.py::restart_begins_anew_behind_a_mark",
        "router/test_on_break.py::continue_gives_the_next_one_what_came_and_drops_what_it_repeats",
        "e2e/test_chat.py::on_break_restart_separates_the_two_visibly",
    ),
    22: (
        "router/test_hedging_loop.py::a_late_attempt_gets_a_second_beside_it_and_the_faster_one_answers",
        "router/test_hedging_loop.py::the_losers_connection_is_closed_before_the_second_piece_of_text",
    ),
    23: ("routing/test_selector.py::the_order_is_total_repeatable_and_blind_to_the_order_of_the_input",),
    24: ("routing/test_selector.py::getting_better_never_worsens_a_place",),
    25: ("routing/test_selector.py::the_order_is_the_cheapest_of_all_orders",),
    26: (
        "routing/test_latency.py::what_several_processes_add_at_one_moment_may_come_in_any_order",
        "routing/test_latency.py::nothing_between_a_microsecond_and_an_hour_makes_a_nan",
    ),
    27: ("routing/test_latency.py::an_idle_estimate_moves_steadily_to_its_own_baseline",),
    28: (
        "registry/test_registry.py::what_an_unusable_store_cannot_take_is_dropped_at_once_and_counted",
        "registry/test_registry_processes.py::i28_every_sample_of_every_process_is_counted_once",
        "e2e/test_memory.py::fifty_processes_at_once_lose_no_row",
    ),
    29: (
        "e2e/test_state_faults.py::b49_a_lock_held_by_another_process_does_not_stop_the_answer",
        "e2e/test_state_faults.py::b51_a_full_disk_does_not_stop_the_answer",
        "e2e/test_state_faults.py::b47_a_corrupt_file_is_set_aside_with_one_note_and_a_new_one_begun",
        "e2e/test_state_faults.py::b48_a_newer_schema_is_never_written",
    ),
    30: ("state/test_store_processes.py::forty_first_runs_at_once_make_one_schema_and_no_error",),
    31: (
        "router/test_fallback_loop.py::the_same_seed_gives_the_same_trace",
        "simulation/*.py::the_same_seed_gives_the_same_run_to_the_last_digit",
    ),
    32: (
        "router/test_books.py::no_key_and_no_prompt_is_in_the_store",
        "e2e/test_memory.py::no_prompt_and_no_answer_is_kept",
    ),
}


@cache
def names_in(pattern: str) -> frozenset[str]:
    """The tests in the files that match, without their `test_`."""
    texts = [path.read_text() for path in HERE.glob(pattern)]
    return frozenset(name for text in texts for name in re.findall(r"^(?:async )?def test_(\w+)", text, re.MULTILINE))


def test_every_invariant_of_the_design_is_listed() -> None:
    assert sorted(SHOWN_BY) == list(range(1, 33))


@pytest.mark.parametrize("number", SHOWN_BY)
def test_what_shows_an_invariant_is_there(number: int) -> None:
    for place in SHOWN_BY[number]:
        pattern, _, name = place.partition("::")
        assert name in names_in(pattern), place
