"""The loop at its edges: who leaves, pauses, cancels twice or is in a hurry. Each was a bug that a review proved."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from typing import Any

import fakes
import pytest
from fakes import (
    KEY,
    Answer,
    Capabilities,
    FakeClock,
    RacingClock,
    RateLimit,
    breaks_off,
    fails,
    finish,
    hangs,
    in_virtual_time,
    model,
    provider,
    request,
    says,
    token,
)

from llmr.catalog import Model, Price, Provider, SpendLimits, Timeouts, WireFormat
from llmr.chat import Delta
from llmr.errors import ErrorKind, ProviderError
from llmr.router import Answering, AttemptStarted
from llmr.routing.circuit import Phase
from llmr.routing.latency_row import LatencyStats
from llmr.routing.policy import BreakerPolicy, FallbackPolicy, OnRejection, Policy
from llmr.routing.rate_limit import LimiterState
from llmr.routing.rules import Rule
from llmr.routing.spending import Purse
from llmr.secret import Secret

HEDGED = replace(request(), hedge=True)
ONE_AT_ONCE = RateLimit(concurrent=1)
CALM = Policy(exploration=0.0)


@pytest.fixture
def race() -> Any:
    """Run in a loop whose time jumps."""

    return in_virtual_time


def slots(rigged: Any, name: str) -> int:
    key = f"r:p:{name}#0badcafe"
    return len(LimiterState.from_row(rigged.store.read([key]).get(key)).leases)


def held(rigged: Any) -> list[str]:
    return [key for key, row in rigged.store.scan("$:").items() if Purse.from_row(row).holds]


def closing_slowly(rigged: Any) -> None:
    """As TLS does, and a FIN that nobody acknowledges."""
    stream = rigged.transport.stream

    @asynccontextmanager
    async def slow(http: Any, owner: Any, *, connect_s: float) -> AsyncGenerator[Any]:
        async with stream(http, owner, connect_s=connect_s) as reply:
            try:
                yield reply
            finally:
                await asyncio.sleep(1.0)

    rigged.transport.stream = slow


# LEAVING AND CANCELLING


def test_leaving_when_the_hedge_starts_gives_everything_back(rig: Any, race: Any) -> None:
    models = [model(provider(name, rate_limit=ONE_AT_ONCE), price=Price(1.0, 1.0)) for name in "ab"]
    policy = replace(CALM, spend=SpendLimits(per_day_usd=1.0))
    rigged = rig({"a": says("slow", ttft_s=20.0), "b": says("b")}, clock=RacingClock(), models=models, policy=policy)

    async def leave() -> None:
        events = rigged.router.stream(HEDGED)
        async for event in events:
            if isinstance(event, AttemptStarted) and event.hedge:
                break
        await events.aclose()

    race(leave())
    assert rigged.outcomes() == ["cancelled", "cancelled"]
    assert (slots(rigged, "a"), slots(rigged, "b"), held(rigged)) == (0, 0, [])


def test_a_second_cancellation_while_sockets_close_loses_no_report(rig: Any, race: Any) -> None:
    models = [model(provider(name, rate_limit=ONE_AT_ONCE)) for name in "ab"]
    rigged = rig({"a": hangs(), "b": hangs()}, clock=RacingClock(), models=models)
    closing_slowly(rigged)

    async def interrupted() -> None:
        asking = asyncio.get_running_loop().create_task(rigged.ask(HEDGED))
        for after_s in (3.0, 0.1):
            await asyncio.sleep(after_s)
            asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking

    race(interrupted())
    assert rigged.outcomes() == ["cancelled", "cancelled"]
    assert (slots(rigged, "a"), slots(rigged, "b")) == (0, 0)


def test_a_cancellation_while_leaving_loses_no_report(rig: Any, race: Any) -> None:
    rigged = rig({"a": hangs("x")}, clock=RacingClock(), models=[model(provider("a", rate_limit=ONE_AT_ONCE))])
    closing_slowly(rigged)

    async def leave() -> None:
        async def reading() -> None:
            async with aclosing(rigged.router.stream(request())) as events:
                async for event in events:
                    if isinstance(event, Delta):
                        break

        task = asyncio.get_running_loop().create_task(reading())
        await asyncio.sleep(1.0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    race(leave())
    assert (rigged.outcomes(), slots(rigged, "a")) == (["cancelled"], 0)


def test_what_was_never_sent_costs_nothing(rig: Any, run: Any) -> None:
    rigged = rig({"a": says("x")}, models=[model("a", price=Price(1000.0, 1000.0))])
    run(rigged.leave_at(AttemptStarted))
    assert rigged.transport.asked == []
    assert not sum(rigged.store.spent().values())


# PAUSES


def test_a_probe_that_its_caller_kept_waiting_is_not_sent(rig: Any, run: Any, clock: FakeClock) -> None:
    policy = Policy(
        exploration=0.0, breaker=BreakerPolicy(failure_threshold=1), fallback=FallbackPolicy(retries_per_candidate=0)
    )
    rigged = rig({"a": [fails(500), says("x")]}, policy=policy)
    run(rigged.ask())
    clock.advance(60)
    asked = len(rigged.transport.asked)

    def pause(event: Any) -> None:
        if isinstance(event, AttemptStarted) and event.number == 1:
            assert event.probe
            clock.advance(20.0)  # somebody else may have its lease by the time it goes on

    told = run(rigged.ask(on=pause))
    assert told.failed == ["not_sent"]
    assert (told.text, len(rigged.transport.asked) - asked) == ("x", 1)  # sent with a permit of its own


def test_what_a_request_needs_is_at_hand_before_anything_is_admitted(rig: Any, run: Any) -> None:
    rigged = rig({"a": fails(500), "b": says("b")})
    told = run(rigged.ask())
    assert told.text == "b"
    assert rigged.transport.prepared == ["a", "b"]


def test_the_readers_pace_is_not_the_providers_speed(rig: Any, run: Any, clock: FakeClock) -> None:
    rigged = rig({"a": says(*["word"] * 20, usage=(7, 100))})
    run(rigged.ask(on=lambda event: clock.advance(6.0) if isinstance(event, Delta) else None))
    stats = LatencyStats.from_row(rigged.store.read(["l:a"])["l:a"])
    assert stats.speed_s1 / stats.speed_n > 4.0  # more than e⁴ tokens a second


# HASTE


@pytest.mark.parametrize(
    ("asked", "policy"),
    [
        (request(), replace(CALM, timeouts=Timeouts(deadline_s=1.0))),
        (request(deadline_s=0.2), CALM),
    ],
    ids=["a short deadline in general", "a client in a hurry"],
)
def test_a_callers_haste_opens_nobodys_circuit(rig: Any, run: Any, asked: Any, policy: Policy) -> None:
    rigged = rig({"a": says("a", ttft_s=0.8), "b": says("b", ttft_s=0.8)}, policy=policy)
    for _ in range(6):
        assert set(run(rigged.ask(asked)).failed) <= {"deadline"}
    assert [rigged.circuit(name).phase for name in "ab"] == [Phase.CLOSED, Phase.CLOSED]
    assert [rigged.circuit(name).fails for name in "ab"] == [0, 0]


def test_a_rules_short_patience_is_the_requests_own_affair(rig: Any, run: Any) -> None:
    from llmr.catalog import TimeoutOverrides

    rules = [Rule("hurry", timeouts=TimeoutOverrides(first_token_s=0.05))]
    rigged = rig({"a": says("a", ttft_s=0.2)}, rules=rules, policy=CALM)
    for _ in range(6):
        run(rigged.ask())
    assert rigged.circuit("a").phase is Phase.CLOSED


def test_an_end_that_the_callers_deadline_cut_off_is_no_stall(rig: Any, run: Any) -> None:
    rigged = rig({"a": says(*["w"] * 50, gap_s=0.1)})
    for _ in range(6):
        run(rigged.ask(request(deadline_s=3.0)))
    assert rigged.circuit("a").phase is Phase.CLOSED


def test_a_provider_that_hangs_in_an_ordinary_request_is_blamed(rig: Any, run: Any) -> None:
    rigged = rig({"a": hangs(), "b": says("b")}, policy=CALM)
    assert run(rigged.ask()).failed == ["first_token_timeout"]
    assert rigged.circuit("a").fails == 1


@pytest.mark.parametrize("first", [says("b"), hangs()], ids=["answered meanwhile", "hangs from the start"])
def test_nobody_gets_all_the_time_while_another_is_back_in_three_seconds(
    rig: Any, run: Any, clock: FakeClock, first: Answer
) -> None:
    rigged = rig({"a": [fails(429, retry_after="3"), says("a")], "b": [first, hangs()]})
    for _ in range(2):
        assert run(rigged.ask()).error is None
    assert clock.monotonic() < 20


# HEDGES WITHIN THE REQUEST'S BOUNDS


def test_a_hedge_counts_as_a_candidate(rig: Any, race: Any) -> None:
    policy = replace(CALM, fallback=FallbackPolicy(max_candidates=2))
    rigged = rig({"a": fails(500), "b": says("b", ttft_s=4.0), "c": says("c")}, clock=RacingClock(), policy=policy)
    assert set(race(rigged.ask(HEDGED)).tried) == {"a", "b"}


def test_a_hedge_is_fitted_anew_like_every_hop(rig: Any, race: Any) -> None:
    windows = {"a": 128_000, "b": 1_000_000, "c": 64_000, "d": None, "e": 2_000_000}
    models = [model(name, capabilities=Capabilities(context_window_tokens=size)) for name, size in windows.items()]
    too_long = fails(400, "too long", code="context_length_exceeded")
    script = {"a": too_long, "b": says("b", ttft_s=4.0), "c": says("c"), "d": says("d"), "e": says("e", ttft_s=0.1)}
    rigged = rig(script, clock=RacingClock(), models=models)
    assert race(rigged.ask(HEDGED)).tried == ["a", "b", "e"]


AFTER_A_SECOND = [Rule("late", hedge=True, hedge_after_s=1.0)]


def test_a_failure_in_the_moment_of_the_answer_is_a_failure(rig: Any, race: Any) -> None:
    script = {"a": says("a", ttft_s=4.0), "b": fails(401, after_s=3.0)}
    rigged = rig(script, clock=RacingClock(), rules=AFTER_A_SECOND)
    assert race(rigged.ask()).text == "a"
    assert sorted(rigged.outcomes()) == ["auth", "ok"]


def test_a_bug_in_the_moment_of_the_answer_is_not_hidden(rig: Any, race: Any) -> None:
    class Bug(Exception):
        pass

    clock = RacingClock()
    rigged = rig({"a": says("a", ttft_s=4.0), "b": says("b")}, clock=clock, rules=AFTER_A_SECOND)
    stream = rigged.transport.stream

    @asynccontextmanager
    async def broken(http: Any, owner: Any, *, connect_s: float) -> AsyncGenerator[Any]:
        if owner.name == "b":
            await clock.take(3.0)
            raise Bug
        async with stream(http, owner, connect_s=connect_s) as reply:
            yield reply

    rigged.transport.stream = broken
    with pytest.raises(Bug):
        race(rigged.ask())


def test_the_time_to_a_hedges_first_token_does_not_contain_its_callers_pause(rig: Any, race: Any) -> None:
    rigged = rig({"a": says("slow", ttft_s=20.0), "b": says("b", ttft_s=0.3)}, clock=RacingClock())

    async def slow_reader() -> float:
        async with aclosing(rigged.router.stream(HEDGED)) as events:
            async for event in events:
                if isinstance(event, AttemptStarted) and event.hedge:
                    await asyncio.sleep(2.0)
                if isinstance(event, Answering):
                    return event.ttft_s
        return 0.0

    assert race(slow_reader()) == pytest.approx(0.3, abs=0.1)


def test_what_a_request_costs_includes_whoever_lost(rig: Any, race: Any) -> None:
    models = [model(name, price=Price(1000.0, 1000.0)) for name in "ab"]
    rigged = rig({"a": says("slow", ttft_s=20.0), "b": says("b")}, clock=RacingClock(), models=models)
    told = race(rigged.ask(HEDGED))
    booked = sum(attempt.cost_usd or 0.0 for attempt in rigged.store.attempts())
    assert told.finished.cost_usd == pytest.approx(booked)
    assert booked > 0.01  # the answer alone


# WHAT THE USER WISHED, AND WHAT BROKE


@pytest.mark.parametrize(
    ("answer", "field"),
    [
        (fails(400, "bad"), "bad_request"),
        (Answer(pieces=((0.1, finish("content_filter")),)), "content_filter"),
        (fails(400, "no", code="content_filter"), "content_filter"),
    ],
    ids=["malformed", "withheld", "refused"],
)
@pytest.mark.parametrize("wish", OnRejection)
def test_after_a_rejection_somebody_else_is_asked_only_if_the_user_says_so(
    rig: Any, run: Any, answer: Answer, field: str, wish: OnRejection
) -> None:
    policy = replace(CALM, fallback=replace(FallbackPolicy(), **{field: wish}))
    told = run(rig({"a": answer, "b": says("b")}, policy=policy).ask())
    assert told.tried == (["a", "b"] if wish is OnRejection.NEXT else ["a"])


def test_whoever_is_too_small_is_named_at_the_end(rig: Any, run: Any) -> None:
    models = [model("a", capabilities=Capabilities(128_000)), model("b"), model("c", capabilities=Capabilities(64_000))]
    too_long = fails(400, "too long", code="context_length_exceeded")
    told = run(rig({"a": too_long, "b": says("b"), "c": says("c")}, models=models).ask())
    reasons = {failure.candidate: failure.reason for failure in told.gave_up.failures}
    assert reasons["b/m"] == "its window is not known to be larger (context_window_tokens in routing.toml says it)"
    assert reasons["c/m"] == "its window of 64,000 tokens is no larger"


def test_a_withheld_continuation_is_no_whole_answer(rig: Any, run: Any) -> None:
    rigged = rig({"a": breaks_off("Once upon a ti"), "b": Answer(pieces=((0.1, finish("content_filter")),))})
    assert run(rigged.ask(request(on_break="continue"))).error is not None


def test_the_end_of_a_seam_comes_before_the_finish_reason(rig: Any, run: Any) -> None:
    rigged = rig({"a": breaks_off("Once upon a ti"), "b": says("Once")})
    told = run(rigged.ask(request(on_break="continue")))
    deltas = [event for event in told.events if isinstance(event, Delta)]
    finished = next(place for place, delta in enumerate(deltas) if delta.finish_reason)
    assert all(not delta.text for delta in deltas[finished + 1 :])


def test_a_broken_answers_own_count_of_its_beginning_is_not_believed(rig: Any, run: Any) -> None:
    def event(kind: str, **facts: Any) -> bytes:
        return f"event: {kind}\ndata: {json.dumps({'type': kind, **facts})}\n\n".encode()

    usage = {"input_tokens": 10, "output_tokens": 1}
    start = event("message_start", message={"id": "m", "model": "x", "content": [], "usage": usage})
    block = event("content_block_start", index=0, content_block={"type": "text", "text": ""})
    words = event("content_block_delta", index=0, delta={"type": "text_delta", "text": "word " * 100})
    pieces = ((0.5, start), (0.0, block), *((0.01, words),) * 50)
    owner = Provider(
        "a", WireFormat.ANTHROPIC, "http://127.0.0.1:9/a", key=Secret(KEY), key_fingerprint="0badcafe", api_key_env="A"
    )
    broken = Answer(pieces=pieces, broken=ProviderError(ErrorKind.INCOMPLETE, "reset"))
    rigged = rig({"a": broken}, models=[Model(owner, "m", Price(0.0, 100.0))])
    run(rigged.ask())
    (attempt,) = rigged.store.attempts()
    assert attempt.cost_usd > 0.1
    assert attempt.cost_estimated


# SLOTS


def test_a_long_answer_keeps_its_slot_while_it_comes_and_a_killed_one_for_one_silence(rig: Any, run: Any) -> None:
    words = ["w"] * 12
    rigged = rig({"a": says(*words, gap_s=20.0)}, models=[model(provider("a", rate_limit=ONE_AT_ONCE))])
    held_until: list[float] = []

    def look(event: Any) -> None:
        if isinstance(event, Delta) and event.text:
            key = "r:p:a#0badcafe"
            ((_, _, until),) = LimiterState.from_row(rigged.store.read([key])[key]).leases
            held_until.append(until - rigged.clock.now())

    assert run(rigged.ask(on=look)).text == "w" * 12
    assert len(held_until) == 12
    assert all(0 < left_s <= 50.0 for left_s in held_until)  # stall 30 s · 1.5 + 5
    assert slots(rigged, "a") == 0


def test_a_raced_answer_is_told_in_the_order_of_an_ordinary_one(rig: Any, run: Any, race: Any) -> None:
    counted = fakes.event({"choices": [], "usage": {"prompt_tokens": 7}})
    script = {"a": Answer(pieces=((0.1, counted), (0.1, token("x")), (0.1, finish()))), "b": says("b")}
    plain = [type(each) for each in run(rig(script).ask()).events]
    raced = [type(each) for each in race(rig(script, clock=RacingClock()).ask(HEDGED)).events]
    assert plain == raced
    assert plain.index(Answering) < plain.index(Delta)
