"""A request's bill: all that was paid, however it ended, and which part of that is an estimate."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from fakes import Answer, Price, breaks_off, fails, hangs, model, says, token

from llmr.router import Answering, Bill, Decided
from llmr.routing.policy import FallbackPolicy, Policy

DEAR = Price(1_000.0, 1_000.0)  # a tenth of a cent for each token
ONCE = Policy(fallback=FallbackPolicy(retries_per_candidate=0), exploration=0.0)


def bill_of(told: Any) -> Bill:
    (decided,) = (event for event in told.events if isinstance(event, Decided))
    return decided.bill


@pytest.mark.parametrize(
    ("answer", "estimated"),
    [(fails(400), False), (hangs(), True), (breaks_off("some ", "words"), True)],
    ids=["refused", "silent", "broken"],
)
def test_what_ended_in_an_exception_was_paid_for(rig: Any, run: Any, answer: Answer, estimated: bool) -> None:
    rigged = rig({"a": answer}, models=[model("a", price=DEAR)], policy=ONCE)
    told = run(rigged.ask())
    bill, booked = bill_of(told), rigged.store.attempts()[0]
    assert told.error is not None
    assert bill.cost_usd == (booked.cost_usd or 0.0)  # who refused has not worked on it
    assert bill.estimated_usd == (bill.cost_usd if estimated else 0.0)
    assert (bill.cost_usd > 0) == estimated


def test_what_the_caller_left_was_paid_for(rig: Any, run: Any) -> None:
    rigged = rig({"a": Answer(pieces=((0.1, token("Once")), (9.0, token("more"))))}, models=[model("a", price=DEAR)])
    told = run(rigged.leave_at(Answering))
    bill = bill_of(told)
    assert bill.cost_usd == bill.estimated_usd == rigged.store.attempts()[0].cost_usd > 0


def test_what_a_cancelled_task_had_asked_was_paid_for(rig: Any, run: Any) -> None:
    async def scenario() -> None:
        reached = asyncio.Event()
        rigged = rig({"a": replace(hangs(), reached=reached)}, models=[model("a", price=DEAR)])
        bills: list[Bill] = []
        asking = asyncio.create_task(
            rigged.ask(on=lambda event: bills.append(event.bill) if isinstance(event, Decided) else None)
        )
        await reached.wait()
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        assert bills[0].cost_usd == bills[0].estimated_usd > 0

    run(scenario())


def test_an_answer_behind_a_broken_one_says_which_part_is_estimated(rig: Any, run: Any) -> None:
    models = [model("a", price=DEAR), model("b", price=DEAR)]
    rigged = rig({"a": hangs(), "b": says("fine", usage=(10, 5))}, models=models, policy=ONCE)
    told = run(rigged.ask())
    bill = bill_of(told)
    assert bill.cost_usd == told.finished.cost_usd
    assert bill.cost_usd - bill.estimated_usd == pytest.approx(0.015)


def test_one_attempt_of_unknown_cost_makes_the_whole_unknown(rig: Any, run: Any) -> None:
    rigged = rig(
        {"a": hangs(), "b": says("fine")}, models=[model("a", price=None), model("b", price=DEAR)], policy=ONCE
    )
    assert bill_of(run(rigged.ask())).cost_usd is None
    assert Bill().cost_usd is None
