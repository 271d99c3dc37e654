"""Hedging in the loop: a late attempt gets a second beside it, one of them wins, the other is closed and booked.

Two attempts are two tasks, so these run in an event loop whose time jumps (fakes.VirtualLoop).
"""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from fakes import (
    Answer,
    RacingClock,
    ScriptedTransport,
    breaks_off,
    catalog,
    fails,
    hangs,
    in_virtual_time,
    model,
    provider,
    request,
    says,
)

from llmr.catalog import NamedModel, Strategy
from llmr.errors import ErrorKind, StreamInterrupted
from llmr.router import Answering, AttemptStarted, BrokeOff, Outpaced
from llmr.routing.budget import Budget
from llmr.routing.estimate import estimate
from llmr.routing.hedging import late_after_s
from llmr.routing.latency import Sample, record
from llmr.routing.latency_row import LatencyStats
from llmr.routing.policy import FallbackPolicy, HedgingPolicy, OnBreak, Policy
from llmr.routing.rules import Rule

USUAL_S = 0.5
HEDGED = replace(request(), hedge=True)


@pytest.fixture
def clock() -> RacingClock:
    return RacingClock()


@pytest.fixture
def run() -> Callable[[Any], Any]:
    return in_virtual_time


def late_s(samples: int) -> float:
    """When a second one is asked beside a provider that took USUAL_S so often."""
    stats = LatencyStats()
    for _ in range(samples):
        stats = record(stats, Sample(USUAL_S, 1.0), 0.0, 0.0)
    return late_after_s(estimate((stats,), 0.0, 0.0))


def hedges(told: Any) -> list[str]:
    return [e.candidate.model.provider.name for e in told.events if isinstance(e, AttemptStarted) and e.hedge]


def outpaced(told: Any) -> list[str]:
    return [e.candidate.model.provider.name for e in told.events if isinstance(e, Outpaced)]


def budget(rig: Any, name: str) -> Budget:
    key = f"q:{name}#0badcafe"
    return Budget.from_row(rig.store.read([key]).get(key))


def test_a_late_attempt_gets_a_second_beside_it_and_the_faster_one_answers(rig: Any, run: Any) -> None:
    rigged = rig({"a": says("slow", ttft_s=20.0), "b": says("quick ", "one", ttft_s=0.3)})
    told = run(rigged.ask(HEDGED))
    assert (told.text, told.answered, hedges(told), outpaced(told)) == ("quick one", ["b"], ["b"], ["a"])
    assert rigged.transport.asked == ["a", "b"]


def test_the_second_starts_at_the_firsts_own_95th_percentile(rig: Any, run: Any) -> None:
    rigged = rig({"a": [says("x", ttft_s=USUAL_S), says("late", ttft_s=20.0)], "b": says("b", ttft_s=0.3)})
    run(rigged.ask())
    told = run(rigged.ask(HEDGED))
    first_s, second_s = rigged.transport.asked_at_s[1:]
    assert hedges(told) == ["b"]
    assert second_s - first_s == pytest.approx(late_s(1), rel=0.3)


def test_a_rule_asks_for_a_second_one_and_says_when_and_the_user_outranks_it(rig: Any, run: Any) -> None:
    rules = [Rule("hurry", hedge=True, hedge_after_s=0.8)]
    rigged = rig({"a": says("late", ttft_s=4.0), "b": says("b", ttft_s=0.3)}, rules=rules)
    assert hedges(run(rigged.ask())) == ["b"]
    assert rigged.transport.asked_at_s == pytest.approx([0.0, 0.8])
    alone = rig({"a": says("late", ttft_s=4.0), "b": says("b")}, rules=rules)
    assert hedges(run(alone.ask(replace(request(), hedge=False)))) == []


def test_a_rule_forbids_a_second_one(rig: Any, run: Any) -> None:
    policy = Policy(exploration=0.0, hedging=HedgingPolicy(enabled=True))
    rigged = rig({"a": says("late", ttft_s=4.0), "b": says("b")}, policy=policy, rules=[Rule("dear", hedge=False)])
    assert hedges(run(rigged.ask())) == []


def test_one_that_answers_in_time_is_asked_alone(rig: Any, run: Any) -> None:
    rigged = rig({"a": says("x", ttft_s=0.2), "b": says("y")})
    told = run(rigged.ask(HEDGED))
    assert (told.text, rigged.transport.asked) == ("x", ["a"])
    assert budget(rigged, "a").hedged == 0


def test_a_first_that_speaks_after_all_wins_and_the_hedge_is_given_up(rig: Any, run: Any) -> None:
    rigged = rig({"a": says("a", ttft_s=4.0), "b": says("b", ttft_s=30.0)})
    told = run(rigged.ask(HEDGED))
    assert (told.text, told.answered, outpaced(told)) == ("a", ["a"], ["b"])


def test_the_losers_connection_is_closed_before_the_second_piece_of_text(rig: Any, run: Any) -> None:
    rigged = rig({"a": says("slow", ttft_s=20.0), "b": says("quick ", "one", ttft_s=0.3, gap_s=5.0)})
    seen: list[int] = []
    run(rigged.ask(HEDGED, on=lambda event: seen.append(rigged.transport.open) if hasattr(event, "text") else None))
    assert seen[1:] == [1] * len(seen[1:])


def test_a_loser_is_held_against_nobody_and_its_silence_is_learnt(rig: Any, run: Any) -> None:
    rigged = rig({"a": says("slow", ttft_s=20.0), "b": says("b", ttft_s=0.3)})
    run(rigged.ask(HEDGED))
    lost, won = sorted(rigged.store.attempts(), key=lambda one: one.outcome)
    assert (lost.provider, lost.outcome, won.provider, won.outcome) == ("a", "cancelled", "b", "ok")
    assert (lost.hedge, won.hedge) == (False, True)
    assert rigged.circuit("a").fails == 0
    stats = LatencyStats.from_row(rigged.store.read(["l:a"])["l:a"])
    assert (stats.n, stats.ok) == (pytest.approx(1.0), 0.0)  # censored: longer than this, not a success


def test_a_first_that_fails_while_its_hedge_is_under_way_is_a_failure_like_any_other(rig: Any, run: Any) -> None:
    rigged = rig({"a": fails(500, after_s=4.0), "b": says("b", ttft_s=4.0)})
    told = run(rigged.ask(HEDGED))
    assert (told.text, told.failed, told.answered) == ("b", ["server"], ["b"])
    assert rigged.circuit("a").fails == 1


def test_when_both_fail_the_next_one_is_asked(rig: Any, run: Any) -> None:
    rigged = rig({"a": fails(500, after_s=4.0), "b": fails(503, after_s=3.0), "c": says("c")})
    told = run(rigged.ask(HEDGED))
    assert (told.text, sorted(told.failed), rigged.transport.asked) == ("c", ["server", "server"], ["a", "b", "c"])


def test_an_empty_answer_does_not_win(rig: Any, run: Any) -> None:
    empty = says("", ttft_s=3.0)
    rigged = rig({"a": empty, "b": says("b", ttft_s=3.0)})
    told = run(rigged.ask(HEDGED))
    assert (told.text, told.failed) == ("b", ["bad_response"])


def test_without_the_wish_nobody_is_hedged(rig: Any, run: Any) -> None:
    rigged = rig({"a": says("slow", ttft_s=4.0), "b": says("b")})
    told = run(rigged.ask())
    assert hedges(told) == []


@pytest.mark.parametrize(
    ("asked", "named", "general", "hedged"),
    [
        (None, None, True, True),
        (None, True, False, True),
        (None, False, True, False),
        (True, False, False, True),
        (False, True, True, False),
    ],
)
def test_the_users_word_goes_before_the_names_and_that_before_the_general_one(
    rig: Any, run: Any, asked: bool | None, named: bool | None, general: bool, hedged: bool
) -> None:
    best = NamedModel("best", ("a/m", "b/m"), (), Strategy.PRIORITY, hedge=named)
    rigged = rig(
        {"a": says("a", ttft_s=4.0), "b": says("b", ttft_s=0.2)},
        policy=Policy(hedging=HedgingPolicy(general), exploration=0.0),
        knows=catalog(model("a"), model("b"), more=[best]),
    )
    told = run(rigged.ask(replace(request(), hedge=asked)))
    assert bool(hedges(told)) is hedged


def test_the_budget_bounds_hedges_over_all_requests(rig: Any, run: Any) -> None:
    late = [Rule("late", hedge=True, hedge_after_s=1.0)]
    rigged = rig({"a": says("a", ttft_s=4.0), "b": says("b", ttft_s=0.2)}, rules=late)
    rigged.store.transact(
        {"q:a#0badcafe"}, lambda _rows, _now: _write("q:a#0badcafe", replace(Budget(), hedges=2.0).to_row())
    )
    hedged = 0
    for _ in range(8):
        told = run(rigged.ask(HEDGED))
        hedged += len(hedges(told))
    assert hedged == budget(rigged, "a").hedged == 2


def _write(key: str, row: Any) -> Any:
    from llmr.state import Change

    return Change(None, {key: row})


def test_a_hedge_never_shares_the_firsts_quota(rig: Any, run: Any) -> None:
    models = [model(provider("a", shares="x")), model(provider("b", shares="x")), model("c")]
    rigged = rig({"a": says("a", ttft_s=4.0), "b": says("b"), "c": says("c", ttft_s=0.2)}, models=models)
    assert hedges(run(rigged.ask(HEDGED))) == ["c"]


def test_six_attempts_are_the_most_hedges_included(rig: Any, run: Any) -> None:
    policy = Policy(fallback=FallbackPolicy(max_candidates=9, max_attempts=3), exploration=0.0)
    slow: dict[str, Answer] = {name: fails(500, after_s=4.0) for name in "abcdef"}
    rigged = rig(slow, policy=policy)
    told = run(rigged.ask(HEDGED))
    assert len(rigged.transport.asked) == len(told.tried) == 3
    assert told.gave_up


def test_an_interrupt_during_the_race_closes_both_and_blames_neither(rig: Any, run: Any) -> None:
    rigged = rig({"a": hangs(), "b": hangs()})

    async def interrupted() -> None:
        asking = asyncio.get_running_loop().create_task(rigged.ask(HEDGED))
        await asyncio.sleep(3.0)
        assert rigged.transport.open == 2
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        assert rigged.transport.open == 0

    run(interrupted())
    assert rigged.outcomes() == ["cancelled", "cancelled"]
    assert [record.outcome for record in rigged.store.requests()] == ["cancelled"]
    assert rigged.circuit("a").fails == rigged.circuit("b").fails == 0


def test_leaving_at_the_first_word_closes_and_books_both(rig: Any, run: Any) -> None:
    rigged = rig({"a": says("slow", ttft_s=20.0), "b": says("b", "c", ttft_s=0.2)})
    run(rigged.leave_at(Answering, HEDGED))
    assert sorted(rigged.outcomes()) == ["cancelled", "cancelled"]


def test_a_winner_that_breaks_off_is_an_interrupted_answer(rig: Any, run: Any) -> None:
    rigged = rig({"a": says("slow", ttft_s=20.0), "b": breaks_off("half", ttft_s=0.2)})
    told = run(rigged.ask(HEDGED))
    assert (told.text, type(told.error)) == ("half", StreamInterrupted)


def test_a_winner_that_breaks_off_can_be_continued_by_whom_it_outpaced(rig: Any, run: Any) -> None:
    rigged = rig({"a": [says("x", ttft_s=20.0), says(" whole", ttft_s=0.2)], "b": breaks_off("half", ttft_s=0.2)})
    told = run(rigged.ask(replace(HEDGED, on_break=OnBreak.CONTINUE.value)))
    assert told.text == "half whole"
    assert [type(event) for event in told.events].count(BrokeOff) == 1


def test_a_buffered_answer_is_hedged_too(rig: Any, run: Any) -> None:
    rigged = rig({"a": says("slow", ttft_s=20.0), "b": says("b", ttft_s=0.2)})
    told = run(rigged.ask(replace(HEDGED, on_break=OnBreak.BUFFER.value)))
    assert (told.text, outpaced(told)) == ("b", ["a"])


def test_a_probe_is_never_hedged(rig: Any, run: Any, clock: RacingClock) -> None:
    rigged = rig({"a": [fails(500)] * 5 + [says("a", ttft_s=4.0)], "b": says("b", ttft_s=0.1)})
    for _ in range(5):
        run(rigged.ask())
    clock.started_at += 40.0
    told = run(rigged.ask(HEDGED))
    assert (told.answered, hedges(told)) == (["a"], [])


def test_a_bug_in_one_of_two_is_not_hidden(rig: Any, run: Any) -> None:
    class Bug(Exception):
        pass

    rigged = rig({"a": says("slow", ttft_s=20.0), "b": says("b")})
    asked: list[str] = []
    stream = ScriptedTransport.stream

    def broken(http: Any, owner: Any, *, connect_s: float) -> Any:
        asked.append(owner.name)
        if owner.name == "b":
            raise Bug
        return stream(rigged.transport, http, owner, connect_s=connect_s)

    rigged.transport.stream = broken
    with pytest.raises(Bug):
        run(rigged.ask(HEDGED))
    assert (asked, rigged.transport.open) == (["a", "b"], 0)
    assert rigged.outcomes() == ["cancelled", "cancelled"]


def test_a_request_that_only_one_can_take_is_not_hedged(rig: Any, run: Any) -> None:
    rigged = rig({"a": says("a", ttft_s=4.0)})
    told = run(rigged.ask(HEDGED))
    assert (told.text, hedges(told)) == ("a", [])


def test_requests_of_other_kinds_are_not_disturbed(rig: Any, run: Any) -> None:
    rigged = rig({"a": fails(400, "bad"), "b": says("b")})
    told = run(rigged.ask(HEDGED))
    assert [failure.kind for failure in told.gave_up.failures] == [ErrorKind.BAD_REQUEST]
