"""Who is asked next, and when: the loop before the commit point."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from random import Random
from typing import Any

import pytest
from fakes import (
    KEY,
    Answer,
    Capabilities,
    FakeClock,
    Price,
    RateLimit,
    TimeoutOverrides,
    catalog,
    completion,
    event,
    fails,
    finish,
    hangs,
    hangs_before_head,
    model,
    provider,
    request,
    says,
    unreachable,
)

from llmr.catalog import Catalog, NamedModel, Strategy, Timeouts
from llmr.errors import ErrorKind, NoProviderReady, ProviderError, RequestDenied, TrustError, UsageError
from llmr.registry import Attempt
from llmr.render.pictures import ASCII
from llmr.render.story import Story
from llmr.router import AttemptFailed, AttemptStarted, Decided, Waiting
from llmr.routing.budget import Budget
from llmr.routing.circuit import Forced, Phase
from llmr.routing.decision_record import DecisionRecord
from llmr.routing.policy import BreakerPolicy, Policy
from llmr.routing.rules import Rule
from llmr.routing.tokens import estimate_tokens
from llmr.state import Change

CERTAIN = Policy(exploration=0.0)


def test_the_first_candidate_answers_and_nobody_else_is_asked(rig: Any, run: Any) -> None:
    told = run(rig({"a": says("Hel", "lo"), "b": says("no")}).ask())
    assert (told.text, told.tried, told.failed, told.waits) == ("Hello", ["a"], [], [])
    done = told.finished
    assert (done.attempts, done.candidate.key, done.response.text) == (1, "a/m", "Hello")
    assert done.ttft_s == pytest.approx(0.5)
    assert done.attempt_s == done.total_s == pytest.approx(0.52)
    assert isinstance(told.events[0], Decided)


@pytest.mark.parametrize(
    ("broken", "kind"),
    [
        (fails(500), "server"),
        (fails(503), "server"),
        (fails(529), "overloaded"),
        (fails(408), "server"),
        (fails(425), "server"),
        (fails(429), "rate_limit"),
        (fails(429, retry_after="600"), "rate_limit"),
        (fails(401), "auth"),
        (fails(402), "quota"),
        (fails(404, "model not found"), "model_not_found"),
        (unreachable(), "connect"),
        (unreachable(ErrorKind.CONNECT_TIMEOUT), "connect_timeout"),
        (unreachable(ErrorKind.TLS), "tls"),
        (hangs_before_head(), "first_token_timeout"),
        (hangs(), "first_token_timeout"),
        (Answer(pieces=((0.1, b"<html><title>Bad gateway</title></html>"),)), "bad_response"),
        (Answer(), "bad_response"),
        (Answer(pieces=((0.1, event({"error": {"message": "overloaded", "code": 529}})),)), "overloaded"),
        (Answer(pieces=((0.1, b'{"error":{"message":"boom","code":500}}'),)), "server"),
        (Answer(pieces=((0.1, finish("stop")),)), "bad_response"),
        (Answer(pieces=((0.1, finish("error")),)), "server"),
        (Answer(status=302, headers={"location": "https://elsewhere.example/"}), "bad_response"),
    ],
)
def test_whatever_fails_before_the_first_token_the_next_candidate_is_asked_at_once(
    rig: Any, run: Any, clock: FakeClock, broken: Answer, kind: str
) -> None:
    told = run(rig({"a": broken, "b": says("fine")}).ask())
    assert (told.text, told.tried, told.failed) == ("fine", ["a", "b"], [kind])
    assert clock.slept == []
    assert told.finished.attempts == 2


def test_a_lone_candidate_is_asked_once_more_after_a_jittered_pause(rig: Any, run: Any, clock: FakeClock) -> None:
    told = run(rig({"a": [fails(500), says("second time")]}).ask())
    assert (told.text, told.tried) == ("second time", ["a", "a"])
    assert told.waits == clock.slept
    assert len(clock.slept) == 1
    assert 0 < clock.slept[0] <= 0.5


def test_the_pause_differs_with_chance(rig: Any, run: Any) -> None:
    pauses = {
        tuple(run(rig({"a": [fails(500), says("ok")]}, clock=FakeClock(), seed=seed).ask()).waits) for seed in range(5)
    }
    assert len(pauses) == 5


def test_a_lone_candidate_that_keeps_failing_is_asked_twice_and_no_more(rig: Any, run: Any) -> None:
    told = run(rig({"a": fails(500, "the disk is full")}).ask())
    assert told.tried == ["a", "a"]
    assert [(f.candidate, f.kind, f.reason) for f in told.gave_up.failures] == [
        ("a/m", ErrorKind.SERVER, "the disk is full")
    ] * 2
    assert str(told.error) == "no answer for 'best': nobody else can be asked, 2 attempts"


def test_a_provider_that_says_do_not_retry_is_not_retried(rig: Any, run: Any) -> None:
    assert run(rig({"a": fails(500, x_should_retry="false")}).ask()).tried == ["a"]


def test_a_long_retry_after_moves_on_instead_of_waiting(rig: Any, run: Any, clock: FakeClock) -> None:
    told = run(rig({"a": fails(429, retry_after="12"), "b": says("here")}).ask())
    assert (told.text, clock.slept) == ("here", [])


def test_a_short_retry_after_is_waited_for_when_nobody_else_is_there(rig: Any, run: Any, clock: FakeClock) -> None:
    told = run(rig({"a": [fails(429, retry_after="2"), says("now")]}).ask())
    assert (told.text, told.tried) == ("now", ["a", "a"])
    assert sum(clock.slept) == pytest.approx(2.0, abs=0.05)


def test_a_long_retry_after_ends_the_request_when_nobody_else_is_there(rig: Any, run: Any, clock: FakeClock) -> None:
    told = run(rig({"a": fails(429, retry_after="600")}).ask())
    assert told.tried == ["a"]
    assert clock.slept == []
    assert told.gave_up.retry_after_s == pytest.approx(600.0)


def test_a_retry_after_beyond_reason_is_clamped(rig: Any, run: Any) -> None:
    told = run(rig({"a": fails(429, retry_after="1000000000")}).ask())
    assert told.gave_up.retry_after_s == pytest.approx(900.0)


def test_a_prompt_too_long_for_one_goes_to_larger_windows_only(rig: Any, run: Any) -> None:
    too_long = fails(400, "maximum context length is 8192 tokens", code="context_length_exceeded")
    windows = {"a": 8_192, "same": 8_192, "smaller": 4_096, "unknown": None, "larger": 200_000}
    models = [model(name, capabilities=Capabilities(context_window_tokens=size)) for name, size in windows.items()]
    script = {name: too_long if name == "a" else says(name) for name in windows}
    told = run(rig(script, models=models).ask())
    assert (told.tried, told.text) == (["a", "larger"], "larger")


def test_a_bad_request_is_bad_everywhere(rig: Any, run: Any) -> None:
    told = run(rig({"a": fails(400, "temperature must be below 2"), "b": says("never")}).ask())
    assert told.tried == ["a"]
    assert "the request itself was rejected" in str(told.gave_up)


@pytest.mark.parametrize(
    "filtered",
    [fails(400, "flagged", code="content_filter"), Answer(pieces=((0.1, finish("content_filter")),)),
     Answer(pieces=((0.1, finish("refusal")),))],
)  # fmt: skip
def test_what_one_policy_refuses_is_not_carried_to_the_next(rig: Any, run: Any, filtered: Answer) -> None:
    told = run(rig({"a": filtered, "b": says("never")}).ask())
    assert (told.tried, told.text) == (["a"], "")
    assert told.gave_up.failures[0].kind is ErrorKind.CONTENT_FILTER


def test_an_answer_whose_whole_limit_went_into_thinking_says_to_raise_the_limit(rig: Any, run: Any) -> None:
    told = run(rig({"a": Answer(pieces=((0.1, finish("length")),))}).ask())
    assert told.tried == ["a"]
    failure = told.gave_up.failures[0]
    assert failure.kind is ErrorKind.UNSUPPORTED
    assert "raise the token limit" in failure.reason


def test_a_rejected_key_moves_on_and_benches_the_whole_provider(rig: Any, run: Any, clock: FakeClock) -> None:
    account = provider("a")
    models = [model(account, "m"), model(account, "n"), model("b")]
    rigged = rig({"a": fails(401), "b": says("fine")}, models=models)
    assert run(rigged.ask()).tried == ["a", "b"], "its other model was not asked"
    assert rigged.circuit("a").phase is Phase.OPEN
    assert rigged.circuit("a").open_until - clock.now() == pytest.approx(900.0, abs=2)
    assert run(rigged.ask()).tried == ["b"]


def test_a_model_that_is_gone_does_not_bench_its_siblings(rig: Any, run: Any) -> None:
    account = provider("a")
    models = [model(account, "old"), model(account, "new")]
    rigged = rig({"a": [fails(404, "model not found"), says("new")]}, models=models)
    assert run(rigged.ask()).text == "new"
    assert rigged.circuit("a").phase is Phase.CLOSED
    assert rigged.circuit("a", "m", "old").phase is Phase.OPEN


def test_a_request_that_a_wire_has_no_words_for_goes_to_the_next(rig: Any, run: Any) -> None:
    told = run(rig({"a": says("x"), "b": says("y")}).ask(request(extra={"bad": float("nan")})))
    assert told.gave_up.failures[0].kind is ErrorKind.UNSUPPORTED
    assert told.tried == ["a", "b"]


def test_at_most_four_candidates_are_asked(rig: Any, run: Any) -> None:
    told = run(rig({name: fails(401) for name in "abcdef"}).ask())
    assert told.tried == ["a", "b", "c", "d"]


def test_at_most_six_attempts_are_made_in_all(rig: Any, run: Any) -> None:
    rigged = rig({name: unreachable(after_s=0.01) for name in "abcd"})
    told = run(rigged.ask())
    assert len(told.tried) == 6
    assert "enough has been tried" in str(told.gave_up)
    assert rigged.transport.asked == told.tried


def test_nobody_is_asked_after_the_deadline(rig: Any, run: Any) -> None:
    policy = replace(CERTAIN, timeouts=Timeouts(first_token_s=25.0))
    rigged = rig({name: hangs() for name in "abcd"}, policy=policy)
    told = run(rigged.ask())
    assert rigged.transport.asked_at_s == pytest.approx([0.0, 25.0, 50.0])
    assert rigged.clock.monotonic() == pytest.approx(60.0), "the last one had what was left"
    assert "the deadline is over" in str(told.gave_up)


@pytest.mark.parametrize("seed", range(8))
def test_no_wait_goes_beyond_the_deadline(rig: Any, run: Any, seed: int) -> None:
    chance = Random(seed)
    waits = [fails(429, after_s=chance.uniform(0, 4), retry_after=f"{chance.uniform(0, 12):.2f}") for _ in range(9)]
    policy = replace(CERTAIN, timeouts=Timeouts(deadline_s=chance.choice((3.0, 8.0, 20.0))))
    rigged = rig({name: list(waits) for name in "ab"}, policy=policy, seed=seed)
    run(rigged.ask())
    assert all(at_s <= policy.timeouts.deadline_s for at_s in rigged.transport.asked_at_s)
    assert sum(rigged.clock.slept) <= policy.timeouts.deadline_s
    assert len(rigged.transport.asked) <= 6


def test_after_each_failure_the_rest_is_ranked_anew(rig: Any, run: Any, clock: FakeClock) -> None:
    """While a was being asked, somebody else found out that b is down."""
    rigged = rig({"a": fails(500), "b": says("b"), "c": says("c")})

    def meanwhile(told: object) -> None:
        if isinstance(told, AttemptStarted) and told.number == 1:
            rigged.registry.force(rigged.models[1].provider, Forced.OPEN)

    assert run(rigged.ask(on=meanwhile)).tried == ["a", "c"]


def test_a_candidate_whose_admission_is_refused_is_passed_over(rig: Any, run: Any) -> None:
    """Between the ranking and the admission another process took the last free slot."""
    one_at_a_time = provider("a", rate_limit=RateLimit(concurrent=1))
    rigged = rig({"a": says("a"), "b": says("b")}, models=[model(one_at_a_time), model("b")])

    def meanwhile(told: object) -> None:
        if isinstance(told, Decided):
            taken = rigged.admit_theirs()
            assert not hasattr(taken, "retry_at")

    told = run(rigged.ask(on=meanwhile))
    assert (told.tried, told.text) == (["b"], "b")
    assert rigged.transport.asked == ["b"]


def test_a_lone_candidate_whose_admission_is_refused_is_waited_for(rig: Any, run: Any) -> None:
    one_at_a_time = provider("a", rate_limit=RateLimit(concurrent=1))
    rigged = rig({"a": says("a")}, models=[model(one_at_a_time)])
    theirs: list[Any] = []

    def meanwhile(told: object) -> None:
        if isinstance(told, Decided):
            theirs.append(rigged.admit_theirs())
        if isinstance(told, Waiting) and len(theirs) == 1:
            theirs.append(None)
            from llmr.registry import Attempt

            rigged.registry.report(theirs[0], Attempt("theirs", rigged.clock.now(), True, 1.0, 0.5))

    told = run(rigged.ask(on=meanwhile))
    assert told.text == "a"
    assert told.waits == [0.25]


def test_with_every_circuit_open_the_one_that_may_be_probed_early_is(rig: Any, run: Any, clock: FakeClock) -> None:
    impatient = replace(CERTAIN, breaker=BreakerPolicy(failure_threshold=1))
    rigged = rig({"a": [fails(500), says("back")]}, policy=impatient)
    told = run(rigged.ask())
    assert told.text == "back"
    assert [event.probe for event in told.events if isinstance(event, AttemptStarted)] == [False, True]
    assert sum(clock.slept) == pytest.approx(2.0), "an early probe, two seconds after the circuit opened"


def test_everyone_cooling_down_for_long_is_an_error_that_says_who_why_and_until_when(
    rig: Any, run: Any, clock: FakeClock
) -> None:
    rigged = rig({"a": fails(401), "b": fails(429, retry_after="120")})
    run(rigged.ask())
    clock.advance(5)
    told = run(rigged.ask())
    assert told.tried == []
    reasons = {failure.candidate: failure.reason for failure in told.gave_up.failures}
    assert reasons == {"a/m": "provider a: out of service (auth)", "b/m": "rate-limited"}
    assert told.gave_up.retry_after_s == pytest.approx(115.0, abs=1)
    assert rigged.store.requests()[-1].outcome == "refused"


def test_nobody_set_up_is_an_error_that_names_the_missing_keys(rig: Any, run: Any) -> None:
    off = [
        model(provider("a", key=None, off_reason="A_API_KEY is not set", missing_key="A_API_KEY")),
        model(provider("b", key=None, off_reason="B_API_KEY is not set", missing_key="B_API_KEY")),
        model(provider("c", key=None, api_key_env=None, off_reason="no endpoint")),
        model(provider("d", off_reason="switched off")),
    ]
    rigged = rig({name: says("x") for name in "abcd"}, models=off)
    told = run(rigged.ask())
    assert isinstance(told.error, NoProviderReady)
    assert told.error.missing == ("A_API_KEY", "B_API_KEY")
    assert "c/m: no endpoint; d/m: switched off" in str(told.error), "what is in the way but for a key is spelt out"
    assert KEY not in str(told.error)
    assert told.events == []
    assert list(rigged.store.requests()) == []


def test_whom_a_rule_leaves_out_nobody_is_asked_to_find_a_key_for(rig: Any, run: Any) -> None:
    """The rule's reason once, however many it leaves out; keys only of those that the rule would let be asked."""
    keyless = {"key": None, "off_reason": "no key"}
    models = [
        model(provider("a", missing_key="A_API_KEY", **keyless)),
        model(provider("b", missing_key="B_API_KEY", **keyless)),
        model("c"),
        model(provider("ollama", missing_key="OLLAMA_KEY", **keyless)),
    ]
    rigged = rig({"a": says("x")}, models=models, rules=[Rule("at home", only=("ollama/*",))])
    told = run(rigged.ask())
    assert isinstance(told.error, NoProviderReady)
    assert told.error.missing == ("OLLAMA_KEY",)
    assert str(told.error) == "no provider is ready for 'best' (rule 'at home' allows only ollama/*)"


def test_what_our_own_side_cannot_send_is_held_against_nobody_and_the_next_one_is_asked(rig: Any, run: Any) -> None:
    unfit = Answer(refused=TrustError("its authority cannot be read"))  # type: ignore[arg-type] - no provider said it
    rigged = rig({"a": unfit, "b": says("fine")}, policy=replace(CERTAIN, breaker=BreakerPolicy(failure_threshold=1)))
    told = run(rigged.ask())
    assert (told.text, told.tried, told.failed) == ("fine", ["a", "b"], ["not_sent"])
    assert (rigged.circuit("a").phase, rigged.circuit("a", "m").phase) == (Phase.CLOSED, Phase.CLOSED)
    (failed,) = [event.error for event in told.events if isinstance(event, AttemptFailed)]
    assert failed.message == "its authority cannot be read"
    assert isinstance(failed.__cause__, TrustError)


def test_a_lone_failure_is_one_attempt(rig: Any, run: Any) -> None:
    told = run(rig({"a": fails(401)}).ask())
    assert str(told.error) == "no answer for 'best': nobody else can be asked, 1 attempt"


def test_whom_a_rule_leaves_out_is_no_failure_of_the_request(rig: Any, run: Any) -> None:
    rigged = rig({"a": fails(401), "b": says("never")}, rules=[Rule("only a", only=("a/*",))])
    told = run(rigged.ask())
    assert [failure.candidate for failure in told.gave_up.failures] == ["a/m"]


def test_when_to_ask_again_is_when_an_early_probe_is_possible(rig: Any, run: Any, clock: FakeClock) -> None:
    policy = replace(CERTAIN, breaker=BreakerPolicy(failure_threshold=1, early_probe_s=20.0))
    rigged = rig({"a": fails(500)}, policy=policy)
    run(rigged.ask())
    opened_at = rigged.circuit("a").opened_at
    told = run(rigged.ask())
    assert told.tried == []
    assert told.gave_up.retry_after_s == pytest.approx(opened_at + 20.0 - clock.now())


def test_the_verdict_of_another_process_s_probe_is_waited_for_a_second_at_a_time(
    rig: Any, run: Any, clock: FakeClock
) -> None:
    """Its lease is 45 s: to wait for the end of that would be to give up."""
    impatient = replace(CERTAIN, breaker=BreakerPolicy(failure_threshold=1))
    rigged = rig({"a": [fails(401), says("back")]}, policy=impatient)
    run(rigged.ask())
    clock.advance(901)
    theirs = rigged.admit_theirs()
    waited: list[float] = []

    def meanwhile(told: object) -> None:
        if isinstance(told, Waiting):
            waited.append(told.seconds)
            if len(waited) == 3:
                rigged.registry.first_token(theirs, lasts_s=600.0)

    told = run(rigged.ask(on=meanwhile))
    assert told.text == "back"
    assert waited == pytest.approx([1.0, 1.0, 1.0])
    assert [event.goes_on for event in told.events if isinstance(event, Waiting)] == [False, True, True]


def test_the_decision_carries_the_id_that_the_books_have(rig: Any, run: Any) -> None:
    rigged = rig({"a": fails(400)})
    told = run(rigged.ask())
    assert isinstance(told.events[0], Decided)
    assert told.events[0].request_id == rigged.store.requests()[-1].id


def test_a_rule_that_leaves_nobody_is_told_with_its_name(rig: Any, run: Any) -> None:
    told = run(rig({"a": says("x")}, rules=[Rule("at home", only=("ollama/*",))]).ask())
    assert isinstance(told.error, RequestDenied)
    assert "rule 'at home' allows only ollama/*" in str(told.error)


def test_a_request_that_fits_nobody_is_rejected_with_the_reason_and_not_as_missing_keys(rig: Any, run: Any) -> None:
    small = model("a", capabilities=Capabilities(context_window_tokens=10))
    told = run(rig({"a": says("x")}, models=[small]).ask(request("word " * 100)))
    assert told.gave_up.failures[0].kind is ErrorKind.CONTEXT_LENGTH
    assert told.tried == []


@pytest.mark.parametrize("asked", [request(model="nobody-knows"), request(provider="stranger")])
def test_an_unknown_name_is_a_usage_error_before_anyone_is_asked(rig: Any, run: Any, asked: Any) -> None:
    told = run(rig({"a": says("x")}).ask(asked))
    assert isinstance(told.error, UsageError)
    assert told.events == []


def test_a_rule_may_refuse_the_request(rig: Any, run: Any) -> None:
    told = run(rig({"a": says("x")}, rules=[Rule("no", deny="not on Sundays")]).ask())
    assert isinstance(told.error, RequestDenied)
    assert "not on Sundays" in str(told.error)


def test_another_model_is_asked_only_when_no_candidate_of_the_first_is_left(rig: Any, run: Any) -> None:
    big, small = model("a", "big"), model("b", "small")
    other = NamedModel("small", (small.key,))
    knows = catalog(big, name="big", fallback=("small",), more=[other])
    knows = Catalog({**knows.providers, "b": small.provider}, knows.names, {**knows.models, small.key: small}, "big")
    told = run(rig({"a": fails(401), "b": says("small")}, models=[big, small], knows=knows).ask())
    assert told.tried == ["a", "b"]
    assert (told.finished.candidate.name, told.finished.candidate.tier) == ("small", 1)


def test_the_model_id_survives_from_the_request_into_the_history(rig: Any, run: Any) -> None:
    router = provider("or")
    told_rig = rig({"or": says("hi")}, models=[model(router, "x")])
    run(told_rig.ask(request(model="or/openai/gpt-4o:free")))
    assert b'"model":"openai/gpt-4o:free"' in told_rig.transport.requests[0].body
    attempt, asked = told_rig.store.attempts()[-1], told_rig.store.requests()[-1]
    assert (attempt.provider, attempt.model) == ("or", "openai/gpt-4o:free")
    assert (asked.asked_model, asked.provider, asked.model) == ("or/openai/gpt-4o:free", "or", "openai/gpt-4o:free")
    assert attempt.request_id == asked.id


def test_the_record_of_a_request_says_how_it_went(rig: Any, run: Any) -> None:
    priced = model("b", price=Price(1.0, 10.0))
    rigged = rig({"a": fails(500, code="boom"), "b": says("x", usage=(1000, 100))}, models=[model("a"), priced])
    told = run(rigged.ask())
    assert told.finished.cost_usd == pytest.approx(0.002)
    failed, answered = rigged.store.attempts()
    assert (failed.outcome, failed.status, failed.code, failed.ttft_s) == ("server", 500, "boom", None)
    assert (answered.outcome, answered.status, answered.input_tokens, answered.output_tokens) == ("ok", 200, 1000, 100)
    assert answered.cost_usd == pytest.approx(0.002)
    (asked,) = rigged.store.requests()
    assert (asked.outcome, asked.attempts, asked.strategy) == ("ok", 2, "priority")
    assert asked.ttft_s == pytest.approx(0.5), "of the attempt that answered"
    assert asked.total_s == pytest.approx(0.61)
    assert asked.id == told.finished.request_id


def test_rank_gives_the_order_and_changes_nothing(rig: Any, run: Any) -> None:
    rigged = rig({"a": says("x"), "b": says("y")})
    selection = rigged.router.rank(request())
    assert [ranked.candidate.key for ranked in selection.ranked] == ["a/m", "b/m"]
    assert not selection.explored
    assert rigged.store.scan("") == {}
    assert rigged.transport.asked == []


def test_an_unstreamed_answer_is_a_stream_of_one_delta(rig: Any, run: Any) -> None:
    told = run(rig({"a": completion("Hello", after_s=3.0)}).ask(request(stream=False)))
    assert told.text == told.finished.response.text == "Hello"
    assert told.finished.ttft_s == pytest.approx(3.0)


def test_an_unstreamed_answer_has_longer_than_a_first_token_has(rig: Any, run: Any) -> None:
    """Its first token is its last: the five seconds of a stream would cut off every long answer."""
    told = run(rig({"a": completion("Long", after_s=20.0), "b": completion("no")}).ask(request(stream=False)))
    assert told.tried == ["a"]


def test_a_lone_slow_candidate_has_all_the_time_that_is_left(rig: Any, run: Any) -> None:
    told = run(rig({"a": says("at last", ttft_s=50.0)}).ask())
    assert told.text == "at last"


@pytest.mark.parametrize(("words", "limit_s"), [(1, 5.0), (20_000, 5.0)])
def test_one_of_two_has_five_seconds_while_nothing_is_known_of_it_and_time_to_read_the_prompt(
    rig: Any, run: Any, words: int, limit_s: float
) -> None:
    asked = request("word " * words)
    told = run(rig({"a": says("slow", ttft_s=50.0), "b": says("quick")}).ask(asked))
    assert (told.text, told.failed) == ("quick", ["first_token_timeout"])
    (after_s,) = [e.after_s for e in told.events if isinstance(e, AttemptFailed)]
    assert after_s == pytest.approx(limit_s + estimate_tokens(asked) / 2_000)


@pytest.mark.parametrize(("deadline_s", "failed"), [(60.0, ["first_token_timeout"]), (180.0, [])])
def test_a_reasoning_model_has_a_minute_but_no_more_than_half_of_what_is_left(
    rig: Any, run: Any, deadline_s: float, failed: list[str]
) -> None:
    thinker = model("a", capabilities=Capabilities(reasoning=True))
    policy = replace(CERTAIN, timeouts=Timeouts(deadline_s=deadline_s))
    script = {"a": says("hm", ttft_s=40.0), "b": says("quick")}
    rigged = rig(script, models=[thinker, model("b")], policy=policy)
    assert run(rigged.ask()).failed == failed
    assert rigged.clock.monotonic() < 41


def test_whoever_hangs_leaves_half_of_the_time_to_the_others(rig: Any, run: Any) -> None:
    policy = replace(CERTAIN, timeouts=Timeouts(deadline_s=6.0))
    rigged = rig({"a": hangs(), "b": hangs(), "c": says("just in time", ttft_s=0.7)}, policy=policy)
    told = run(rigged.ask())
    assert (told.text, told.tried) == ("just in time", ["a", "b", "c"])
    assert rigged.transport.asked_at_s == pytest.approx([0.0, 3.0, 4.5])


def test_a_configured_first_token_time_is_obeyed_even_when_nobody_else_is_there(rig: Any, run: Any) -> None:
    strict = model(provider("a", timeouts=TimeoutOverrides(first_token_s=3.0)))
    rigged = rig({"a": hangs()}, models=[strict])
    run(rigged.ask())
    assert rigged.store.attempts()[0].total_s == pytest.approx(3.0)


def test_what_ends_a_request_keeps_every_failure_in_order(rig: Any, run: Any) -> None:
    closed = model(provider("off", key=None, off_reason="no key"))
    rigged = rig(
        {"a": fails(401, "bad key"), "b": unreachable(), "off": says("x")}, models=[model("a"), model("b"), closed]
    )
    told = run(rigged.ask())
    assert [(f.candidate, f.kind) for f in told.gave_up.failures] == [
        ("a/m", ErrorKind.AUTH),
        ("b/m", ErrorKind.CONNECT),
        ("b/m", ErrorKind.CONNECT),
        ("off/m", None),
    ]
    assert all(isinstance(f.error, ProviderError) for f in told.gave_up.failures[:3])
    assert rigged.store.requests()[-1].outcome == "connect"


def _trace(rig: Any, run: Callable[..., Any], seed: int, **how: Any) -> list[str]:
    shaky = {name: [fails(500), unreachable(), says(name), fails(429)] * 9 for name in "abc"}
    rigged = rig(shaky, clock=FakeClock(), seed=seed, policy=replace(CERTAIN, exploration=0.5), **how)
    return [repr(event) for _ in range(8) for event in run(rigged.ask()).events]


def test_the_same_seed_gives_the_same_trace(rig: Any, run: Any) -> None:
    assert _trace(rig, run, 11) == _trace(rig, run, 11)


def test_another_seed_gives_another_trace(rig: Any, run: Any) -> None:
    assert _trace(rig, run, 11) != _trace(rig, run, 12)


def test_an_explored_order_says_so(rig: Any, run: Any) -> None:
    told = run(rig({"a": says("x")}, policy=replace(CERTAIN, exploration=1.0)).ask())
    assert isinstance(told.events[0], Decided)
    assert told.events[0].selection.explored


def test_after_a_failure_a_stranger_is_asked_before_a_sibling_of_the_one_that_failed(
    rig: Any, run: Any, clock: FakeClock
) -> None:
    """Two models of one account, and somebody else who is a little slower than either."""
    one, sibling, stranger = model("a", "x"), model("a", "y"), model("b")
    by_time = replace(CERTAIN, strategy=Strategy.LATENCY)
    at = rig({"a": says("a"), "b": says("b")}, models=[one, sibling, stranger], policy=by_time)
    asked = partial(request, strategy="latency")
    for known, ttft_s in ((one, 0.3), (sibling, 0.4), (stranger, 0.6)):
        for _ in range(30):
            permit = at.admit_theirs(known)
            at.registry.report(permit, Attempt("r", clock.now(), True, 1.0, ttft_s=ttft_s))
    ranked = [r.candidate.key for r in at.router.rank(asked()).ranked]
    assert ranked == ["a/x", "a/y", "b/m"]
    at.transport._script["a"] = [fails(500)]
    assert run(at.ask(asked())).tried == ["a", "b"]


def test_with_the_retry_budget_spent_a_told_moment_is_told_on_and_not_waited_for(rig: Any, run: Any) -> None:
    rigged = rig({"a": fails(429, **{"retry-after": "7"})})
    spent = Budget(tokens=0.0)
    rigged.store.transact({"q:a#0badcafe"}, lambda rows, now: Change(None, {"q:a#0badcafe": spent.to_row()}))
    told = run(rigged.ask())
    assert (told.tried, told.waits) == (["a"], [])
    assert told.gave_up.retry_after_s == pytest.approx(7.0, abs=0.2)
    assert "retry budget spent" in str(told.error)
    (kept,) = rigged.store.requests()
    assert DecisionRecord.from_text(kept.decision).ended == "budget"
    story = Story.of(kept, rigged.store.attempts())
    lines = ["".join(span.text for span in line) for line in story.lines(rigged.clock.now(), 200, ASCII)]
    assert any("retry budget spent" in line for line in lines)
    assert story.document()["ended"] == "budget"


def test_two_told_moments_of_seven_seconds_are_not_waited_for_one_after_the_other(rig: Any, run: Any) -> None:
    limited = fails(429, **{"retry-after": "7"})
    rigged = rig({"a": limited, "b": limited})
    run(rigged.ask())
    told = run(rigged.ask())  # both circuits are open when it comes
    assert told.tried == ["a", "b"]
    assert 6.0 < sum(told.waits) <= 10.0
    assert told.gave_up.retry_after_s > 6.0
