"""The books never fail a request, and hold neither a prompt nor a key."""

import json
from dataclasses import asdict
from typing import Any

import pytest
from fakes import (
    KEY,
    NOON,
    PROMPT,
    Answer,
    FakeClock,
    FaultyStore,
    Price,
    RateLimit,
    breaks_off,
    event,
    fails,
    hangs,
    model,
    provider,
    request,
    says,
    token,
)

from llmr.errors import AllAttemptsFailed, StateBusy, StateUnusable, StreamInterrupted
from llmr.routing.circuit import Phase
from llmr.routing.policy import BreakerPolicy, Policy

BUSY, BROKEN = StateBusy("another process holds the lock"), StateUnusable("the disk is full")


@pytest.fixture
def faulty(clock: FakeClock) -> FaultyStore:
    return FaultyStore(clock.now)


@pytest.mark.parametrize("error", [BUSY, BROKEN])
@pytest.mark.parametrize("methods", [{"transact"}, {"read"}, {"read", "transact", "scan"}])
def test_a_store_that_fails_never_fails_a_request(
    rig: Any, run: Any, faulty: FaultyStore, error: Exception, methods: set[str]
) -> None:
    faulty.fault = lambda method: error if method in methods else None
    told = run(rig({"a": fails(500), "b": says("still here")}, store=faulty).ask())
    assert told.text == "still here"


@pytest.mark.parametrize("failing_call", range(1, 8))
def test_a_store_that_fails_once_never_fails_a_request(
    rig: Any, run: Any, faulty: FaultyStore, failing_call: int
) -> None:
    calls = 0

    def fault(_: str) -> Exception | None:
        nonlocal calls
        calls += 1
        return BUSY if calls == failing_call else None

    faulty.fault = fault
    rigged = rig({"a": fails(500), "b": says("still here")}, store=faulty)
    assert run(rigged.ask()).text == "still here"
    rigged.registry.flush()
    assert len(faulty.attempts()) == 2, "what had to wait was written at the end"
    assert len(faulty.requests()) == 1
    assert rigged.registry.notices == ()


def test_a_failed_request_with_a_failing_store_says_what_failed_and_not_the_store(
    rig: Any, run: Any, faulty: FaultyStore
) -> None:
    faulty.fault = lambda _: BUSY
    told = run(rig({"a": fails(401)}, store=faulty).ask())
    assert isinstance(told.error, AllAttemptsFailed)
    assert "nobody else can be asked" in str(told.error)


def test_samples_wait_for_a_busy_store_and_are_counted_once(rig: Any, run: Any, faulty: FaultyStore) -> None:
    faulty.fault = lambda method: BUSY if method == "transact" else None
    rigged = rig({"a": says("x")}, store=faulty)
    run(rigged.ask())
    assert list(faulty.attempts()) == []
    faulty.fault = lambda _: None
    rigged.registry.flush()
    rigged.registry.flush()
    assert [attempt.outcome for attempt in faulty.attempts()] == ["ok"]
    (status,) = rigged.registry.status(rigged.models, now=NOON)
    assert status.attempts == 1


def test_samples_that_cannot_be_written_in_the_end_are_dropped_and_counted(
    rig: Any, run: Any, faulty: FaultyStore
) -> None:
    faulty.fault = lambda method: BUSY if method == "transact" else None
    rigged = rig({"a": says("x")}, store=faulty)
    run(rigged.ask())
    assert rigged.registry.notices == (), "nothing is lost yet"
    rigged.registry.flush()
    assert rigged.registry.notices == ("2 records could not be written: another process holds the lock",)


def test_an_unusable_store_is_not_tried_again(rig: Any, run: Any, faulty: FaultyStore) -> None:
    faulty.fault = lambda method: BROKEN if method == "transact" else None
    rigged = rig({"a": says("x")}, store=faulty)
    run(rigged.ask())
    assert rigged.registry.notices == ("2 records could not be written: the disk is full",)


def test_no_answer_waits_longer_than_a_quarter_of_a_second_for_the_store(
    rig: Any, run: Any, faulty: FaultyStore
) -> None:
    rigged = rig({"a": fails(500), "b": says("x")}, store=faulty)
    run(rigged.ask())
    assert set(faulty.waits) <= {None, 0.25}  # None: the store's own patience, the same


def test_without_a_writable_store_a_would_be_probe_is_told_as_the_reason(
    rig: Any, run: Any, clock: FakeClock, faulty: FaultyStore
) -> None:
    fragile = Policy(exploration=0.0, breaker=BreakerPolicy(failure_threshold=1))
    rigged = rig({"a": fails(401)}, store=faulty, policy=fragile)
    run(rigged.ask())
    clock.advance(1_000)
    faulty.fault = lambda method: BROKEN if method == "transact" else None
    told = run(rigged.ask())
    assert told.tried == []
    assert [(f.candidate, f.reason) for f in told.gave_up.failures] == [
        ("a/m", "it would be a probe, and the state file cannot be written (the disk is full)")
    ]


def test_a_probe_whose_first_token_cannot_be_booked_closes_the_circuit_at_its_end(
    rig: Any, run: Any, clock: FakeClock, faulty: FaultyStore
) -> None:
    fragile = Policy(exploration=0.0, breaker=BreakerPolicy(failure_threshold=1))
    rigged = rig({"a": [fails(500), says("well")], "b": says("b")}, store=faulty, policy=fragile)
    run(rigged.ask())
    clock.advance(60)

    def on(told: Any) -> None:
        if type(told).__name__ == "AttemptStarted":
            faulty.fault = lambda method: BUSY if method == "transact" else None
        if type(told).__name__ == "Answering":
            faulty.fault = lambda _: None

    assert run(rigged.ask(on=on)).text == "well"
    assert rigged.circuit("a").phase is Phase.CLOSED
    assert rigged.store.attempts()[-1].probe


def _everything(rigged: Any) -> str:
    """All that the store holds, as text."""
    records = [asdict(record) for record in (*rigged.store.attempts(), *rigged.store.requests())]
    return json.dumps([dict(rigged.store.scan("")), records])


def test_no_key_and_no_prompt_is_in_the_store(rig: Any, run: Any) -> None:
    """The provider knows both, and says both back wherever it can."""
    echo = f"you said {PROMPT!r} with {KEY}"
    answers = [
        fails(400, echo, code=PROMPT),
        fails(401, echo, code=KEY),
        fails(500, echo, code=f"key-{KEY}"),
        fails(429, echo, code=KEY.replace("-", "_"), retry_after="1"),
        fails(503, PROMPT + "x" * 100_000),
        Answer(pieces=((0.1, event({"error": {"message": echo, "type": KEY, "code": KEY}})),)),
        Answer(pieces=((0.1, f"<html><title>{echo}</title>".encode()),)),
        Answer(pieces=((0.1, event({"model": KEY, "choices": [{"delta": {"content": echo}}]})),)),
        breaks_off(echo),
        says(echo),
    ]
    for answer in answers:
        rigged = rig({"a": answer}, clock=FakeClock())
        told = run(rigged.ask(request(tags=("t",))))
        assert told.events
        kept = _everything(rigged)
        assert "Rosebud" not in kept
        assert KEY not in kept
        assert "secret" not in kept.replace(KEY.replace("-", "_"), "")


def test_no_key_is_in_an_error(rig: Any, run: Any) -> None:
    told = run(rig({"a": fails(401), "b": fails(500), "c": hangs()}).ask())
    assert KEY not in str(told.error)
    assert KEY not in repr(told.gave_up.failures)
    assert KEY not in repr(told.events)


def test_the_key_leaves_only_as_a_credential(rig: Any, run: Any) -> None:
    rigged = rig({"a": says("x")})
    run(rigged.ask())
    (sent,) = rigged.transport.requests
    assert KEY not in repr(sent)
    assert sent.credential is not None
    assert sent.credential.secret.reveal() == KEY


def test_a_broken_stream_is_a_failure_of_its_provider(rig: Any, run: Any) -> None:
    rigged = rig({"a": breaks_off("x")})
    assert isinstance(run(rigged.ask()).error, StreamInterrupted)
    (status,) = rigged.registry.status(rigged.models, now=NOON)
    assert (status.attempts, status.success) == (1, 0.0)
    assert status.last_error == "incomplete"
    assert rigged.circuit("a").fails == 1


@pytest.mark.parametrize("absurd", [10**400, 1e308, 2**70, -1, "many"])
def test_absurd_usage_from_a_provider_breaks_nothing(rig: Any, run: Any, absurd: Any) -> None:
    usage = {"prompt_tokens": absurd, "completion_tokens": absurd, "cost": absurd}
    end = event({"choices": [{"delta": {}, "finish_reason": "stop"}], "usage": usage})
    limited = provider("a", rate_limit=RateLimit(tokens_per_minute=1000))
    priced = model(limited, price=Price(1.0, 2.0))
    rigged = rig({"a": Answer(pieces=((0.1, token("x")), (0.5, end)))}, models=[priced])
    told = run(rigged.ask())
    assert told.text == "x"
    assert rigged.outcomes() == ["ok"]
    json.dumps(told.finished.cost_usd, allow_nan=False)
