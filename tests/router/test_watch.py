"""Many at once before providers that are down: who waits, who is sent away, and when each of them counts."""

from collections.abc import Callable
from typing import Any

import pytest
from fakes import Dice, RacingClock, RateLimit, fails, in_virtual_time, model, provider, says

from llmr.router import Waiting
from llmr.router.throttle import Throttle
from llmr.routing.policy import FallbackPolicy, Policy

AT_ONCE = Policy(exploration=0.0, fallback=FallbackPolicy(max_wait_s=0.0))


@pytest.fixture
def clock() -> RacingClock:
    return RacingClock()


@pytest.fixture
def run() -> Callable[[Any], Any]:
    return in_virtual_time


def was_turned_away(told: Any) -> bool:
    return told.error is not None and "turned away unasked" in str(told.error)


@pytest.fixture
def crowded(rig: Any, clock: RacingClock) -> Callable[..., Any]:
    """A rig of two with a throttle, where the dice never turn anybody away."""

    def make(answer: Any, dice: float = 1.0) -> Any:
        policy = Policy(exploration=0.0)
        return rig({"a": answer, "b": answer}, policy=policy, throttle=Throttle(clock.monotonic, Dice(dice)))

    return make


def test_before_dead_providers_one_keeps_watch_and_the_others_are_told_to_come_back(run, crowded):
    rigged = crowded(fails(500, after_s=0.001))
    ended = run(rigged.herd(30))
    assert sum(took_s > 4.0 for took_s, _ in ended) == 1
    assert all(1e-3 <= told.gave_up.retry_after_s <= 3.0 for _, told in ended)
    sent_away = [told for _, told in ended if "another request waits" in str(told.error)]
    assert len(sent_away) >= 24


def test_who_has_to_wait_counts_at_once_so_the_next_are_turned_away_while_the_first_still_wait(run, crowded):
    rigged = crowded(fails(500, after_s=0.001), dice=0.0)
    ended = run(rigged.herd(40))
    assert [was_turned_away(told) for _, told in ended[-15:]] == [True] * 15


def test_who_asks_alone_waits_and_is_answered_as_soon_as_somebody_is_back(run, crowded):
    rigged = crowded([*[fails(500, after_s=0.001)] * 5, says("back")])

    async def thrice() -> list[Any]:
        return [await rigged.ask() for _ in range(3)]

    *before, told = run(thrice())
    assert [each.gave_up.failures[0].kind for each in before] == [
        "server"
    ] * 2  # two of each a time, and no circuit open
    assert (told.tried, told.text) == (["a", "b", "a"], "back")
    assert sum(told.waits) == pytest.approx(4.0, abs=0.1), "the pause behind its own two attempts, and nothing else"
    assert not rigged.router._throttle._watch


def test_the_watch_is_handed_on_whatever_becomes_of_who_kept_it(run, crowded):
    rigged = crowded(fails(500, after_s=0.001))
    for _ in range(3):
        assert run(rigged.ask()).gave_up
        assert not rigged.router._throttle._watch
    run(rigged.leave_at(Waiting))
    assert not rigged.router._throttle._watch


def test_a_failure_that_the_next_one_makes_good_counts_against_nobody_while_it_is_made_good(run, rig, clock):
    throttle = Throttle(clock.monotonic, Dice(0.0))
    rigged = rig({"a": fails(500), "b": says("slow", ttft_s=4.0)}, policy=AT_ONCE, throttle=throttle)
    ended = run(rigged.herd(40))
    assert [told.text for _, told in ended] == ["slow"] * 40


def test_in_a_rate_limit_everybody_waits_his_turn(run, rig, clock):
    limited = model(provider("a", rate_limit=RateLimit(requests_per_minute=60)))
    throttle = Throttle(clock.monotonic, Dice(0.0))
    rigged = rig({"a": says("hi")}, models=[limited], policy=Policy(exploration=0.0), throttle=throttle)
    ended = run(rigged.herd(20))
    assert sum(told.error is None for _, told in ended) >= 15
    assert not any("another request" in str(told.error) or was_turned_away(told) for _, told in ended)
