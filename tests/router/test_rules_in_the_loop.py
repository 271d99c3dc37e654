"""What a rule decides is what the loop does: time-outs, broken answers, prices, circuits, hedges."""

from dataclasses import replace
from typing import Any

import pytest
from fakes import breaks_off, fails, hangs, model, provider, request, says

from llmr.catalog import Price, SpendLimits, TimeoutOverrides, Timeouts
from llmr.errors import ErrorKind, StreamInterrupted
from llmr.router import BrokeOff
from llmr.routing.circuit import Forced, Phase
from llmr.routing.policy import BreakerPolicy, OnBreak, Policy
from llmr.routing.rules import Condition, Range, Rule
from llmr.routing.selection import Barrier

ONE_FAILURE = Policy(exploration=0.0, breaker=BreakerPolicy(failure_threshold=1))


def test_a_rules_first_token_time_lies_over_the_providers_own(rig: Any, run: Any) -> None:
    patient = model(provider("a", timeouts=TimeoutOverrides(first_token_s=9.0)))
    rule = Rule("quick", timeouts=TimeoutOverrides(first_token_s=1.5))
    rigged = rig({"a": hangs(), "b": says("b")}, models=[patient, model("b")], rules=[rule])
    assert run(rigged.ask()).text == "b"
    assert rigged.transport.asked_at_s == pytest.approx([0.0, 1.5])


def test_a_rules_deadline_ends_the_request(rig: Any, run: Any) -> None:
    policy = Policy(exploration=0.0, timeouts=Timeouts(deadline_s=50))
    rule = Rule("soon", timeouts=TimeoutOverrides(deadline_s=4))
    told = run((rigged := rig({"a": hangs()}, policy=policy, rules=[rule])).ask())
    assert told.gave_up
    assert rigged.clock.monotonic() == pytest.approx(4.0)


def test_a_rule_says_what_to_do_when_an_answer_breaks_and_the_user_outranks_it(rig: Any, run: Any) -> None:
    rule = Rule("whole", on_break=OnBreak.RESTART)
    told = run(rig({"a": breaks_off("half"), "b": says("whole")}, rules=[rule]).ask())
    assert [event.then for event in told.events if isinstance(event, BrokeOff)] == [OnBreak.RESTART]
    strict = replace(request(), on_break="fail")
    told = run(rig({"a": breaks_off("half"), "b": says("whole")}, rules=[rule]).ask(strict))
    assert isinstance(told.error, StreamInterrupted)


def test_where_a_price_cap_leaves_nobody_nothing_is_sent_and_that_is_what_is_told(rig: Any, run: Any) -> None:
    dear = model("a", price=Price(1e6, 1e6))
    rigged = rig({"a": says("never")}, models=[dear], rules=[Rule("thrift", max_price_usd=0.01)])
    (failure,) = run(rigged.ask()).gave_up.failures
    assert (failure.kind, failure.error) == (ErrorKind.BUDGET, None)
    assert "the cap of $0.01 (rule 'thrift')" in failure.reason
    assert rigged.transport.asked_at_s == []


def test_a_price_cap_holds_for_every_hop(rig: Any, run: Any) -> None:
    models = [model("a", price=Price(1, 1)), model("b", price=Price(1e6, 1e6)), model("c", price=Price(1, 1))]
    rigged = rig({"a": fails(401), "b": says("b"), "c": says("c")}, models=models, rules=[Rule("r", max_price_usd=1)])
    told = run(rigged.ask())
    assert (told.text, told.tried) == ("c", ["a", "c"])


WHILE_A_IS_OPEN = Rule("a is out", Condition(circuit=(("a/*", (Phase.OPEN,)),)), only=("c/*",))


def test_a_rule_holds_while_a_circuit_is_open_and_no_longer(rig: Any, run: Any) -> None:
    rigged = rig(
        {"a": [fails(500), says("back")], "b": says("b"), "c": says("c")}, policy=ONE_FAILURE, rules=[WHILE_A_IS_OPEN]
    )
    assert run(rigged.ask()).tried == ["a", "b"], "closed when the request began"
    ranked = rigged.router.rank(request())
    assert ranked.trace[0].because == "circuit of a/*: open"
    assert [r.candidate.key for r in ranked.rejected if r.barrier is Barrier.RULE] == ["a/m", "b/m"]
    assert run(rigged.ask()).tried == ["c"]
    rigged.clock.elapsed_s += 40  # past the cooldown: the next request is the probe, and the rule lets it through
    assert rigged.router.rank(request()).trace[0].because == "circuit of a/*: half_open, wanted open"
    assert run(rigged.ask()).tried == ["a"]
    assert rigged.router.rank(request()).trace[0].because == "circuit of a/*: closed, wanted open"


def test_a_circuit_held_open_by_hand_is_open_to_a_rule(rig: Any) -> None:
    rigged = rig({"a": says("a"), "c": says("c")}, rules=[WHILE_A_IS_OPEN])
    rigged.registry.force(rigged.models[0].provider, Forced.OPEN)
    assert rigged.router.rank(request()).trace[0].matched


def test_how_long_answers_usually_are_is_learnt(rig: Any, run: Any) -> None:
    rules = [Rule("long", Condition(output_tokens=Range(over=1_000)), avoid=("a/*",))]
    rigged = rig({"a": says("a")}, rules=rules)
    assert rigged.router.rank(request()).trace[0].because.startswith("output_tokens: ~")
    told = rigged.router.rank(replace(request(), max_output_tokens=2_000)).trace[0]
    assert (told.matched, told.because) == (True, "output_tokens: at most 2,000")


def test_what_is_left_of_the_budget_is_what_the_limits_leave_now(rig: Any, run: Any) -> None:
    rule = Rule("thrift", Condition(budget_left_usd=Range(under=0.9)), only=("b/*",))
    policy = Policy(exploration=0.0, spend=SpendLimits(per_day_usd=5, per_month_usd=1))
    models = [model("a", price=Price(1_000, 1_000)), model("b", price=Price(1, 1))]
    rigged = rig({"a": says("a", usage=(100, 100)), "b": says("b")}, models=models, policy=policy, rules=[rule])
    assert rigged.router.rank(request()).trace[0].because == "budget_left_usd: 1.00, wanted under 0.9"
    assert run(rigged.ask()).text == "a"
    assert rigged.router.rank(request()).trace[0].because == "budget_left_usd: 0.80"
    assert run(rigged.ask()).text == "b"


def test_without_a_limit_nothing_is_known_to_be_left(rig: Any) -> None:
    rigged = rig({"a": says("a")}, rules=[Rule("r", Condition(budget_left_usd=Range(under=0.9)))])
    assert rigged.router.rank(request()).trace[0].because == "budget_left_usd: not known, wanted under 0.9"
