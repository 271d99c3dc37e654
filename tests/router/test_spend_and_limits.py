"""Money and told limits in the loop: what is refused before it is sent, and what is booked after it."""

from dataclasses import replace
from typing import Any

import pytest
from fakes import NOON, Answer, breaks_off, event, fails, hangs, model, provider, request, says, unreachable

from llmr.catalog import OnLimit, Price, SpendLimits
from llmr.errors import AllAttemptsFailed, ErrorKind
from llmr.registry.calendar import local_day
from llmr.routing.policy import FallbackPolicy, Policy
from llmr.routing.selection import Barrier
from llmr.routing.spending import Purse

DEAR = Price(1_000.0, 1_000.0)  # a dollar for a thousand tokens
CHEAP = Price(1.0, 1.0)
MONTH = local_day(NOON).month


def purse(rig: Any, name: str = "") -> float:
    key = f"$:{MONTH}" + (f":{name}" if name else "")
    return Purse.from_row(rig.store.read([key]).get(key)).month_usd


def limited(per_day_usd: float, on_limit: OnLimit = OnLimit.REFUSE, **more: Any) -> Policy:
    return Policy(spend=SpendLimits(per_day_usd, None, on_limit), exploration=0.0, **more)


def spent(answer: Answer | None = None, tokens: int = 100) -> Answer:
    return answer or says("x", usage=(tokens, tokens))


def test_what_an_answer_cost_is_booked_for_its_provider_and_in_all(rig: Any, run: Any) -> None:
    rigged = rig({"a": spent()}, models=[model("a", price=DEAR)])
    run(rigged.ask())
    assert (purse(rigged), purse(rigged, "a")) == (pytest.approx(0.2), pytest.approx(0.2))


def test_a_request_over_the_days_limit_is_refused_before_it_is_sent(rig: Any, run: Any) -> None:
    rigged = rig({"a": spent()}, models=[model("a", price=DEAR)], policy=limited(0.5))
    assert run(rigged.ask()).text == "x"
    told = run(rigged.ask())
    assert told.text == "x"
    refused = run(rigged.ask())
    assert len(rigged.transport.asked) == 2
    (failure,) = refused.gave_up.failures
    assert failure.kind is ErrorKind.BUDGET
    assert failure.reason.startswith("your limit of $0.50 a day: $0.40 spent")
    assert refused.gave_up.retry_after_s == pytest.approx(local_day(NOON).day_ends_at - NOON, abs=60)


@pytest.mark.parametrize(("on_limit", "asked"), [(OnLimit.REFUSE, []), (OnLimit.CHEAPER, ["b"])])
def test_where_the_best_is_too_dear_the_request_is_refused_or_a_cheaper_one_is_asked(
    rig: Any, run: Any, on_limit: OnLimit, asked: list[str]
) -> None:
    models = [model("a", price=DEAR), model("b", price=CHEAP)]
    rigged = rig({"a": spent(), "b": spent()}, models=models, policy=limited(0.1, on_limit))
    told = run(rigged.ask())
    assert rigged.transport.asked == asked
    assert isinstance(told.error, AllAttemptsFailed) is not bool(asked)


def test_a_refused_request_says_for_whose_sake_and_what_would_let_another_in(rig: Any, run: Any) -> None:
    models = [model("a", price=DEAR), model("b", price=CHEAP)]
    rigged = rig({"a": spent(), "b": spent()}, models=models, policy=limited(0.1))
    first, second = run(rigged.ask()).gave_up.failures
    assert first.reason.startswith("your limit of $0.10 a day: $0.00 spent")
    assert second.reason == f'refused, since a/m comes first: {first.reason} (on_limit = "cheaper" asks whoever fits)'


def test_a_providers_own_limit_leaves_the_others_to_be_asked(rig: Any, run: Any) -> None:
    dear = model(provider("a", spend=SpendLimits(per_day_usd=0.01)), price=DEAR)
    rigged = rig({"a": spent(), "b": spent()}, models=[dear, model("b", price=DEAR)])
    assert run(rigged.ask()).answered == ["b"]
    rejected = rigged.router.rank(request()).rejected
    assert [(one.candidate.key, one.barrier, one.kind) for one in rejected] == [
        ("a/m", Barrier.SPEND, ErrorKind.BUDGET)
    ]
    assert rejected[0].reason.startswith("a's limit of $0.01 a day")


def test_what_runs_on_this_machine_is_asked_whatever_was_spent(rig: Any, run: Any) -> None:
    rigged = rig({"a": spent()}, models=[model(provider("a", local=True))], policy=limited(0.0))
    assert run(rigged.ask()).text == "x"


def test_an_unknown_price_is_asked_only_while_something_is_left(rig: Any, run: Any) -> None:
    models = [model("a", price=DEAR), model("b")]
    rigged = rig({"a": spent(), "b": spent()}, models=models, policy=limited(0.2, OnLimit.CHEAPER))
    assert run(rigged.ask()).answered == ["b"]  # a does not fit, and nothing is spent yet
    key = f"$:{MONTH}"
    day = local_day(NOON).day
    from llmr.state import Change

    rigged.store.transact({key}, lambda _rows, _now: Change(None, {key: Purse({day: 0.2}).to_row()}))
    told = run(rigged.ask())
    assert {failure.kind for failure in told.gave_up.failures} == {ErrorKind.BUDGET}


def test_two_at_once_do_not_both_spend_the_last_of_it(rig: Any) -> None:
    rigged = rig({"a": spent()}, models=[model("a", price=DEAR)], policy=limited(0.5))

    def admitted(token: str) -> Any:
        return rigged.admit_theirs(token=token, price_usd=0.3)

    assert not hasattr(admitted("one"), "retry_at")
    assert admitted("two").why == "budget"


@pytest.mark.parametrize(
    ("answer", "cost"),
    [
        (fails(500), None),  # it refused: nobody bills that
        (fails(429), None),
        (unreachable(), None),
        (hangs(), 0.02),  # ~20 prompt tokens
        (breaks_off("some ", "words", "and", "more"), 0.02),
        (Answer(pieces=((0.1, event({"error": {"message": "no", "code": 500}})),)), None),
    ],
    ids=["refused", "limited", "unreachable", "silent", "broken", "error event"],
)
def test_an_attempt_that_nobody_counted_is_priced_by_its_length_if_it_may_be_billed(
    rig: Any, run: Any, answer: Answer, cost: float | None
) -> None:
    policy = Policy(fallback=FallbackPolicy(retries_per_candidate=0), exploration=0.0)
    rigged = rig({"a": answer, "b": says("b")}, models=[model("a", price=DEAR), model("b")], policy=policy)
    run(rigged.ask())
    first = rigged.store.attempts()[0]
    if cost is None:
        assert not first.cost_usd
    else:
        assert first.cost_usd == pytest.approx(cost, rel=0.9)
        assert first.cost_estimated


def test_a_counted_answer_is_no_estimate(rig: Any, run: Any) -> None:
    rigged = rig({"a": spent()}, models=[model("a", price=DEAR)])
    run(rigged.ask())
    assert not rigged.store.attempts()[0].cost_estimated


# Limits that the provider tells


def told(answer: Answer, left: int, most: int, reset: str) -> Answer:
    headers = {
        "x-ratelimit-remaining-requests": str(left),
        "x-ratelimit-limit-requests": str(most),
        "x-ratelimit-reset-requests": reset,
    }
    return replace(answer, headers=headers)


def test_who_says_that_nothing_is_left_is_passed_over_until_something_is(rig: Any, run: Any, clock: Any) -> None:
    rigged = rig({"a": told(says("a"), 0, 6, "60s"), "b": says("b")})
    assert run(rigged.ask()).answered == ["a"]
    assert run(rigged.ask()).answered == ["b"]
    (passed,) = rigged.router.rank(request()).rejected
    assert (passed.barrier, passed.kind, passed.reason) == (
        Barrier.LIMIT, ErrorKind.RATE_LIMIT, "it says 0 requests left of 6",
    )  # fmt: skip
    clock.advance(10.0)
    assert run(rigged.ask()).answered == ["a"]


def test_an_error_tells_its_limits_too(rig: Any, run: Any) -> None:
    limited = told(fails(500), 0, 6, "60s")
    rigged = rig({"a": limited, "b": says("b")})
    run(rigged.ask())
    assert [one.barrier for one in rigged.router.rank(request()).rejected] == [Barrier.LIMIT]


def test_what_is_left_is_counted_down_between_two_answers(rig: Any) -> None:
    rigged = rig({"a": says("x")})
    owner = rigged.models[0]
    from llmr.catalog import LimitsTold, Window
    from llmr.registry import Attempt

    def admit(token: str) -> Any:
        return rigged.admit_theirs(owner, token=token)

    first = admit("0")
    told_limits = LimitsTold(Window(2, 120, 59.0))
    rigged.registry.report(first, Attempt("r", NOON, True, 1.0, 0.5, told=told_limits, told_at=rigged.clock.now()))
    assert [hasattr(admit(str(n)), "grants") for n in range(1, 4)] == [True, True, False]


def test_an_account_with_plenty_left_costs_no_write_before_a_request(rig: Any, run: Any) -> None:
    rigged = rig({"a": told(says("x"), 400, 500, "12s")})
    run(rigged.ask())
    key = next(iter(rigged.store.scan("w:")))
    before = rigged.store.read([key])
    rigged.admit_theirs()
    assert rigged.store.read([key]) == before
