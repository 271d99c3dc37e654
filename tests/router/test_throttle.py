"""The throttle in the loop: who is turned away, and what never counts against anybody."""

from collections.abc import Callable
from contextlib import aclosing
from typing import Any

import pytest
from fakes import Dice, FakeClock, breaks_off, fails, request, says

from llmr.chat import ChatRequest
from llmr.errors import StreamInterrupted
from llmr.router import AttemptStarted
from llmr.router.throttle import Throttle
from llmr.routing.policy import FallbackPolicy, Policy
from llmr.routing.throttle import turned_away_share

MANY = 14  # more failures than are spared
AT_ONCE = Policy(exploration=0.0, fallback=FallbackPolicy(max_wait_s=0.0))


@pytest.fixture
def throttled(rig: Any, clock: FakeClock) -> Callable[..., Any]:
    """A rig whose throttle turns away whenever there is a chance of it; `dice` 1: never."""

    def make(answer: Any, dice: float = 0.0, **more: Any) -> Any:
        return rig({"a": answer, **more}, policy=AT_ONCE, throttle=Throttle(clock.monotonic, Dice(dice)))

    return make


def ask(run: Any, rigged: Any, asked: ChatRequest | None = None, times: int = 1) -> Any:
    """The last of so many answers."""
    for _ in range(times):
        told = run(rigged.ask(asked))
    return told


def was_turned_away(told: Any) -> bool:
    return told.error is not None and "turned away unasked" in str(told.error)


def test_after_many_failures_one_is_turned_away_and_nothing_is_asked_or_written(run, throttled):
    rigged = throttled(fails(503))
    assert not was_turned_away(ask(run, rigged, times=11))
    before = len(rigged.transport.requests), len(rigged.store.requests())
    told = ask(run, rigged)
    assert was_turned_away(told)
    assert (told.events, told.gave_up.failures) == ([], ())
    assert told.gave_up.retry_after_s >= 1.0
    assert (len(rigged.transport.requests), len(rigged.store.requests())) == before


def test_it_says_to_come_back_when_the_first_may_be_asked_again(run, throttled, clock):
    rigged = throttled(fails(503, **{"retry-after": "120"}))
    last = ask(run, rigged, times=11).gave_up.retry_after_s
    assert last > 30
    clock.advance(5.0)
    assert ask(run, rigged).gave_up.retry_after_s == pytest.approx(last - 5.0, abs=1.0)


def test_chance_lets_some_through_and_their_answers_open_the_door(run, throttled, clock):
    rigged = throttled([*[fails(503)] * 5, says("back")], dice=1.0)
    ask(run, rigged, times=MANY)  # five that failed opened the circuit, and the others had nobody to ask
    (shut,) = rigged.router._throttle._loads.values()
    clock.advance(61.0)  # it may be probed
    assert ask(run, rigged, times=9).text == "back"
    (load,) = rigged.router._throttle._loads.values()
    assert turned_away_share(shut) > turned_away_share(load) == 0
    rigged.router._throttle._chance.says = 0.0
    assert ask(run, rigged).text == "back"


@pytest.mark.parametrize("status", [400, 404])
def test_what_the_request_itself_is_to_blame_for_turns_nobody_away(run, throttled, status):
    assert not was_turned_away(ask(run, throttled(fails(status)), times=2 * MANY))


def test_an_answer_that_breaks_off_was_an_answer(run, throttled):
    rigged = throttled(breaks_off("one "))
    assert isinstance(ask(run, rigged).error, StreamInterrupted)
    (load,) = rigged.router._throttle._loads.values()
    assert (load.requests, load.accepts) == (1, 1)


def test_who_leaves_before_a_word_came_was_not_accepted(run, throttled):
    """Of a provider that hangs, callers with time-outs of their own see no more than that."""
    rigged = throttled(fails(503))

    async def leave() -> None:
        async with aclosing(rigged.router.stream(request())) as events:
            async for event in events:
                if isinstance(event, AttemptStarted):
                    return

    for _ in range(3 * MANY):
        run(leave())
    assert was_turned_away(ask(run, rigged, times=12))


def test_who_insists_on_a_dead_provider_does_not_shut_out_the_others(run, throttled):
    rigged = throttled(fails(503), b=says("fine"))
    ask(run, rigged, request(provider="a"), times=MANY)
    assert was_turned_away(ask(run, rigged, request(provider="a")))
    assert ask(run, rigged).text == "fine"


def test_without_a_throttle_everybody_is_tried(run, rig):
    rigged = rig({"a": fails(503)}, policy=AT_ONCE)
    assert not was_turned_away(ask(run, rigged, times=3 * MANY))


def test_what_is_remembered_is_bounded_and_the_newest_of_it_stays(run, throttled):
    rigged = throttled(fails(503))
    for number in range(1500):
        ask(run, rigged, request(tags=(f"t{number}",)))
    throttle = rigged.router._throttle
    assert len(throttle._loads) <= 1024
    assert ("t1499",) in {tags for _, _, tags in throttle._loads}


def test_requests_under_way_are_no_failures(throttled, clock):
    """A burst of slow answers is no outage: it was taken for one when a request counted from its beginning."""
    throttle, plan = Throttle(clock.monotonic, Dice(0.0)), throttled(says("hi")).router.plan(request())
    for _ in range(200):
        throttle.enter(request(), plan)
