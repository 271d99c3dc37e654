"""The cases B01–B64 of trust.md §9, and what shows each: an index that cannot rot, as that of the invariants.

A test whose name carries the number is found by itself; the table names those that show a case under a name of their own.
"""

import re
from functools import cache
from pathlib import Path

import pytest

HERE = Path(__file__).parent

ALSO: dict[int, tuple[str, ...]] = {
    1: (
        "e2e/test_chat.py::an_escape_sequence_never_reaches_a_terminal",
        "render/test_neutralize.py::nothing_that_a_terminal_obeys_gets_through",
    ),
    2: ("render/test_neutralize.py::what_a_terminal_would_obey_becomes_visible",),
    3: ("render/test_neutralize.py::what_a_terminal_would_obey_becomes_visible",),
    4: ("render/test_neutralize.py::however_a_stream_is_cut_it_reads_the_same",),
    5: ("render/test_neutralize.py::only_a_return_is_ever_kept_back",),
    6: ("render/test_neutralize.py::what_a_terminal_would_obey_becomes_visible",),
    11: (
        "wire/test_sse.py::a_character_cut_between_chunks_is_whole_again",
        "wire/test_sse.py::invalid_utf8_is_replaced",
    ),
    12: ("wire/test_sse.py::separators_of_other_standards_do_not_end_a_line",),
    13: ("wire/test_sse.py::any_stream_cut_anywhere_means_what_the_standard_says",),
    14: ("wire/test_openai_decode.py::a_last_event_without_its_blank_line_did_not_happen",),
    15: ("wire/test_openai_decode.py::a_finish_reason_is_enough_without_done",),
    16: (
        "wire/test_sse.py::an_endless_line_is_given_up_at_the_limit_and_not_kept",
        "transport/test_transport_faults.py::an_answer_without_end_costs_no_memory",
    ),
    17: (
        "transport/test_transport_cancel.py::an_answer_cancelled_in_its_middle_is_closed",
        "wire/test_sse.py::an_endless_flood_of_comments_is_no_event_and_is_not_kept",
    ),
    18: ("transport/test_transport_cancel.py::an_answer_cancelled_in_its_middle_is_closed",),
    19: ("transport/test_transport_cancel.py::a_request_cancelled_before_its_headers_is_closed",),
    20: (
        "transport/test_content_coding.py::a_bomb_is_abandoned_at_a_hundred_times_its_size",
        "transport/test_transport_faults.py::an_answer_without_end_costs_no_memory",
    ),
    21: (
        "transport/test_content_coding.py::what_was_not_asked_for_is_refused",
        "transport/test_content_coding.py::noise_never_raises_anything_but_our_own_error",
    ),
    22: (
        "wire/test_json_text.py::hostile_or_broken_text_is_refused",
        "wire/test_json_text.py::depth_is_limited_at_a_defined_place",
        "wire/test_openai_decode.py::any_json_in_any_place_raises_nothing_but_provider_errors",
    ),
    23: ("wire/test_openai_decode.py::what_is_no_answer_is_a_bad_response",),
    24: ("wire/test_openai_decode.py::a_200_that_holds_an_error_is_an_error",),
    27: (
        "transport/test_transport_faults.py::without_headers_there_is_no_answer",
        "transport/test_transport_faults.py::an_answer_that_breaks_is_never_a_whole_one",
    ),
    28: ("wire/test_retry_delay.py::*",),
    43: ("config/test_config_keys.py::b43_an_error_elsewhere_shows_no_key",),
    47: (
        "state/test_store_faults.py::a_truncated_database_is_set_aside",
        "state/test_store_faults.py::a_flipped_page_costs_at_most_one_call_and_then_a_new_file_is_in_use",
    ),
    48: ("state/test_store_faults.py::a_newer_schema_is_never_written_not_even_its_log",),
    50: ("e2e/test_memory.py::fifty_processes_at_once_lose_no_row",),
    51: ("state/test_store_faults.py::a_disk_too_full_to_begin_is_a_notice",),
    52: ("state/test_store_files.py::whatever_the_umask_directories_are_0700_and_files_0600",),
    55: (
        "state/test_store_faults.py::a_clock_that_is_years_off_breaks_nothing",
        "routing/test_breaker.py::a_clock_jump_costs_at_most_one_extra_probe",
    ),
    56: ("e2e/test_chat.py::a_reader_that_leaves_ends_it_silently_and_the_stream_is_closed",),
    57: (
        "e2e/test_chat.py::ctrl_c_keeps_the_partial_closes_the_stream_and_is_held_against_nobody",
        "e2e/test_chat.py::sigterm_and_sighup_have_their_own_codes",
        "state/test_store_processes.py::a_process_killed_at_any_moment_of_its_writing_leaves_all_it_had_finished",
    ),
}
CASES = range(1, 65)


@cache
def every_test() -> frozenset[str]:
    """`path::name` of every test, without its `test_`."""
    found = re.compile(r"^(?:async )?def test_(\w+)", re.MULTILINE)
    return frozenset(
        f"{path.relative_to(HERE)}::{name}"
        for path in HERE.rglob("test_*.py")
        for name in found.findall(path.read_text())
    )


def numbers(name: str) -> set[int]:
    """The cases that a test's name says it shows: `b01_b04_…`, and `b30_to_b34_…` for all between."""
    ranges = re.findall(r"b(\d\d)_to_b(\d\d)_", name)
    return {int(n) for n in re.findall(r"(?:^|(?<=_))b(\d\d)(?=_)", name)} | {
        number for first, last in ranges for number in range(int(first), int(last) + 1)
    }


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"B{case:02}")
def test_every_case_is_shown(case: int) -> None:
    by_name = [place for place in every_test() if case in numbers(place.partition("::")[2])]
    assert by_name or ALSO.get(case)


@pytest.mark.parametrize("case", ALSO, ids=lambda case: f"B{case:02}")
def test_what_shows_a_case_is_there(case: int) -> None:
    for place in ALSO[case]:
        path, _, name = place.partition("::")
        assert place in every_test() or (name == "*" and any(test.startswith(f"{path}::") for test in every_test())), (
            place
        )
