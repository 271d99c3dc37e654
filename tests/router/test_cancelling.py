"""Whoever leaves, at whatever moment: the connection closes, the books are kept, and it is held against nobody."""

import asyncio
import math
from dataclasses import replace
from typing import Any

import pytest
from fakes import Answer, FakeClock, RateLimit, fails, model, provider, request, says, token

from llmr.chat import Delta
from llmr.router import Answering, AttemptFailed, AttemptStarted, Decided, Finished, Waiting
from llmr.routing.circuit import Phase
from llmr.routing.policy import BreakerPolicy, Policy
from llmr.routing.rate_limit import LimiterState

FRAGILE = Policy(exploration=0.0, breaker=BreakerPolicy(failure_threshold=1))
LIMITED = RateLimit(concurrent=1, requests_per_minute=600)


def _rigged(rig: Any, script: dict[str, Any], **how: Any) -> Any:
    models = [model(provider(name, rate_limit=LIMITED)) for name in script]
    return rig(script, models=models, policy=how.pop("policy", FRAGILE), **how)


def _slots(rigged: Any, name: str) -> int:
    key = f"r:p:{name}#0badcafe"
    return len(LimiterState.from_row(rigged.store.read([key]).get(key)).leases)


@pytest.mark.parametrize("stage", [AttemptStarted, Answering, Delta])
def test_a_reader_that_leaves_is_held_against_nobody(rig: Any, run: Any, stage: type) -> None:
    rigged = _rigged(rig, {"a": says("Once ", "upon")})
    run(rigged.leave_at(stage))
    assert rigged.outcomes() == ["cancelled"]
    assert rigged.circuit("a").phase is Phase.CLOSED
    assert _slots(rigged, "a") == 0
    assert [asked.outcome for asked in rigged.store.requests()] == ["cancelled"]
    assert rigged.registry.status(rigged.models, now=rigged.clock.now())[0].attempts == 0


@pytest.mark.parametrize("stage", [AttemptStarted, Answering, Delta])
def test_a_reader_that_leaves_a_probe_gives_its_lease_back(rig: Any, run: Any, clock: FakeClock, stage: type) -> None:
    rigged = _rigged(rig, {"a": [fails(500), says("Once ", "upon")], "b": says("b")})
    run(rigged.ask())
    clock.advance(60)
    told = run(rigged.leave_at(stage))
    assert told.tried == ["a"]
    state = rigged.circuit("a")
    assert state.lease_until == 0.0
    assert state.phase is (Phase.HALF_OPEN if stage is AttemptStarted else Phase.CLOSED)
    assert _slots(rigged, "a") == 0
    assert run(rigged.ask()).tried == ["a"], "the next one may probe at once"


@pytest.mark.parametrize("stage", [Decided, AttemptFailed, Waiting])
def test_leaving_between_two_attempts_is_in_the_history(rig: Any, run: Any, stage: type) -> None:
    lone = _rigged(rig, {"a": [fails(429, retry_after="2"), says("x")]}, policy=Policy())
    run(lone.leave_at(stage))
    (asked,) = lone.store.requests()
    assert (asked.outcome, asked.provider) == ("cancelled", None)
    assert lone.outcomes() == ([] if stage is Decided else ["rate_limit"])


def test_leaving_after_the_end_changes_nothing(rig: Any, run: Any) -> None:
    rigged = _rigged(rig, {"a": says("x")})
    run(rigged.leave_at(Finished))
    assert rigged.outcomes() == ["ok"]
    assert [asked.outcome for asked in rigged.store.requests()] == ["ok"]


_STAGES = {
    "before the head": Answer(reached_before_head=True),
    "before the first token": Answer(),
    "between two tokens": Answer(pieces=((0.5, token("Once")),)),
}


@pytest.mark.parametrize("stage", _STAGES)
@pytest.mark.parametrize("probing", [False, True])
def test_a_cancelled_task_is_held_against_nobody(
    rig: Any, run: Any, clock: FakeClock, stage: str, probing: bool
) -> None:
    async def scenario() -> None:
        reached = asyncio.Event()
        rigged = _rigged(rig, {"a": [fails(500), replace(_STAGES[stage], reached=reached), says("fine")]})
        if probing:
            await rigged.leave_at(AttemptFailed)
            clock.advance(60)
        else:
            rigged.transport._script["a"].pop(0)
        task = asyncio.create_task(rigged.ask())
        await reached.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert rigged.transport.open == 0
        assert rigged.outcomes()[-1] == "cancelled"
        assert [asked.outcome for asked in rigged.store.requests()][-1] == "cancelled"
        assert _slots(rigged, "a") == 0
        state = rigged.circuit("a")
        assert state.lease_until == 0.0
        assert state.trips == int(probing)
        assert (await rigged.ask()).text == "fine"

    run(scenario())


def test_a_task_cancelled_while_it_waits_is_in_the_history(rig: Any, run: Any) -> None:
    async def scenario() -> None:
        rigged = _rigged(rig, {"a": [fails(429, retry_after="2"), says("x")]}, policy=Policy())
        started = asyncio.Event()

        async def for_ever(_: float) -> None:
            started.set()
            await asyncio.Event().wait()

        rigged.clock.sleep = for_ever
        task = asyncio.create_task(rigged.ask())
        await started.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert [asked.outcome for asked in rigged.store.requests()] == ["cancelled"]

    run(scenario())


def test_a_bug_under_an_attempt_gives_the_permit_back_and_is_not_hidden(rig: Any, run: Any) -> None:
    class Bug(Exception):
        pass

    def broken(_: object) -> Any:
        raise Bug

    rigged = _rigged(rig, {"a": says("x")}, wires=broken)
    with pytest.raises(Bug):
        run(rigged.ask())
    assert rigged.outcomes() == ["cancelled"]
    assert _slots(rigged, "a") == 0


def test_leaving_does_not_stop_a_neighbour(rig: Any, run: Any) -> None:
    """Two requests in one loop: one is left, the other goes on."""

    async def scenario() -> None:
        rigged = rig({"a": says("Once ", "upon ", "a time")})
        mine, theirs = rigged.router.stream(request()), rigged.router.stream(request())
        async for told in mine:
            if isinstance(told, Answering):
                break
        text = ""
        async for told in theirs:
            if isinstance(told, Delta):
                text += told.text
            if isinstance(told, Answering):
                await mine.aclose()
        assert text == "Once upon a time"
        await theirs.aclose()
        assert sorted(rigged.outcomes()) == ["cancelled", "ok"]

    run(scenario())


def test_a_hanging_attempt_that_is_left_costs_no_time(rig: Any, run: Any, clock: FakeClock) -> None:
    rigged = rig({"a": Answer(pieces=((0.5, token("x")),), tail_s=math.inf)})
    run(rigged.leave_at(Delta))
    assert clock.monotonic() == pytest.approx(0.5)
