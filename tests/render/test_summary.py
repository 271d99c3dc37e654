"""History added up: what counts as what, by group, by slot of time, by day."""

import time
from collections.abc import Iterator
from typing import Any

import pytest
from fakes import NOON

from llmr.render.pictures import Slot
from llmr.render.summary import SLOTS_MOST, By, Summary, percentile, summarized
from llmr.state import AttemptRecord

DAY = 86_400.0


@pytest.fixture(autouse=True)
def utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def attempt(
    name: str = "a", outcome: str = "ok", at: float = NOON - 60, request: str = "r", **more: Any
) -> AttemptRecord:
    facts = {"ttft_s": 0.5 if outcome == "ok" else None, **more}
    return AttemptRecord(
        request, at, name, "m", outcome, facts.pop("streamed", True), facts.pop("total_s", 1.5), **facts
    )


def summary(*records: AttemptRecord, since: float = NOON - 7 * DAY, by: By = By.MODEL) -> Summary:
    return summarized(records, since=since, now=NOON, by=by)


def test_success_is_the_share_of_whole_answers_and_the_user_s_cancelling_is_neither() -> None:
    total = summary(attempt(), attempt(outcome="server"), attempt(outcome="cancelled", cost_usd=0.5)).total
    assert (total.asked, total.whole, total.success) == (2, 1, 0.5)
    assert total.failures == {"server": 1}
    assert total.cost_usd == 0.5


def test_what_nobody_priced_is_not_free() -> None:
    total = summary(attempt(cost_usd=0.25), attempt(), attempt(outcome="server")).total
    assert (total.cost_usd, total.unpriced) == (0.25, 1)
    assert summary(attempt()).total.cost_usd is None


def test_only_streamed_answers_are_measured_and_short_ones_have_no_speed() -> None:
    total = summary(
        attempt(ttft_s=0.4, output_tokens=101, total_s=1.4),
        attempt(ttft_s=9.0, streamed=False, output_tokens=101),
        attempt(ttft_s=0.6, output_tokens=7),
    ).total
    assert total.ttfts_s == [0.4, 0.6]
    assert total.tokens_per_s == pytest.approx(100.0)


def test_a_request_is_answered_by_a_fallback_where_somebody_failed_it_first() -> None:
    found = summary(
        attempt("a", "server", request="1"), attempt("b", request="1"),
        attempt("a", request="2"),
        attempt("a", "server", request="3"),
        attempt("a", "cancelled", request="4"),
    )  # fmt: skip
    assert (found.requests, found.answered, found.by_fallback) == (3, 2, 1)


def test_groups_stand_in_the_order_of_use_and_days_in_that_of_time() -> None:
    records = [attempt("a"), attempt("b", at=NOON - DAY), attempt("b", at=NOON - DAY)]
    assert [g.name for g in summary(*records).groups] == ["b/m", "a/m"]
    assert [g.name for g in summary(*records, by=By.PROVIDER).groups] == ["b", "a"]
    assert [g.name for g in summary(*records, by=By.DAY).groups] == ["2026-11-22", "2026-11-23"]
    assert [g.name for g in summary(*records, by=By.HOUR).groups] == ["11:00", "12:00"]


def test_days_are_local(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Kathmandu")  # UTC + 5:45
    time.tzset()
    late = attempt(at=NOON - 18 * 3600 + 1800)  # 18:30 UTC, the day after in Kathmandu
    assert list(summary(late).days) == ["2026-11-23"]


@pytest.mark.parametrize("span", [60.0, 3600.0, DAY, 7 * DAY, 31 * DAY, 900 * DAY])
def test_the_slots_end_now_and_are_not_too_many(span: float) -> None:
    found = summary(attempt(at=NOON - 1), attempt(at=NOON - span), since=NOON - span)
    assert 1 <= len(found.slots) <= SLOTS_MOST + 1
    assert len(found.slots) * found.slot_s >= span
    assert found.slots[-1].asked >= 1
    assert sum(slot.asked for slot in found.slots) == 2


def test_a_clock_that_went_back_puts_nothing_beyond_the_last_slot() -> None:
    assert summary(attempt(at=NOON + 5 * DAY)).slots[-1].asked == 1


def test_a_slot_tells_its_commonest_failure() -> None:
    found = summary(*[attempt(outcome="server")] * 2, attempt(outcome="stall"), attempt())
    assert found.slots[-1].slot == Slot(4, 3, "server")
    assert found.slots[0].slot == Slot(0, 0)


def test_every_way_through_adds_up_to_the_same() -> None:
    records = [attempt("ab"[n % 2], at=NOON - n * 7000, cost_usd=0.5, ttft_s=0.1 + n) for n in range(60)]
    for by in By:
        found = summary(*records, by=by)
        for parts in (found.slots, found.days.values(), [group.total for group in found.groups]):
            assert sum(each.asked for each in parts) == 60
            assert sum(each.spent_usd for each in parts) == pytest.approx(30.0)
            assert sorted(t for each in parts for t in each.ttfts_s) == found.total.ttfts_s


def test_nothing_at_all_is_a_summary_too() -> None:
    empty = summary(since=0.0)
    assert (empty.requests, empty.total.success, empty.groups, dict(empty.days)) == (0, None, (), {})


def test_from_the_first_attempt_where_all_of_history_is_wanted() -> None:
    assert summary(attempt(at=NOON - 3 * DAY), attempt(), since=0.0).since == NOON - 3 * DAY


def test_percentiles_are_by_nearest_rank() -> None:
    assert percentile([], 0.5) is None
    assert percentile([1.0], 0.95) == 1.0
    assert percentile([1.0, 2.0, 3.0, 4.0], 0.5) == 3.0
    assert percentile(list(map(float, range(100))), 0.95) == 95.0
