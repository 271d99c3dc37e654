"""The throttle's arithmetic, and a herd in virtual time: what it asks of providers that are down, and how soon it lets go."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from llmr.routing.throttle import FADES_S, SPARE, Load, turned_away_share

counts = st.floats(0, 1e6)


@given(counts, counts)
def test_the_share_is_the_book_s(requests: float, accepts: float) -> None:
    share = turned_away_share(Load(requests, accepts), spare=0)
    assert share == max(0.0, (requests - 2 * accepts) / (requests + 1))
    assert 0 <= share < 1


@given(counts, counts)
def test_nobody_is_turned_away_while_half_are_accepted(requests: float, accepts: float) -> None:
    if 2 * accepts >= requests:
        assert turned_away_share(Load(requests, accepts)) == 0


@given(counts, counts)
def test_more_failures_turn_more_away_and_an_answer_turns_fewer(requests: float, accepts: float) -> None:
    load = Load(requests, accepts)
    assert turned_away_share(load.asked()) >= turned_away_share(load)
    assert turned_away_share(load.accepted()) <= turned_away_share(load)


def test_a_few_failures_are_nobody_s_pattern() -> None:
    assert turned_away_share(Load(SPARE, 0)) == 0
    assert turned_away_share(Load(SPARE + 1, 0)) > 0


def test_what_was_counted_fades_to_a_third() -> None:
    faded = Load(100, 50, at_s=10).as_of(10 + FADES_S)
    assert round(faded.requests, 1) == 36.8
    assert round(faded.accepts, 1) == 18.4
    assert faded.as_of(1000).is_forgotten
    assert Load(100, 50, at_s=10).as_of(9) == Load(100, 50, at_s=9)  # a clock never un-counts


def herd(*, down_from_s: float, up_again_s: float, until_s: float, a_second: int) -> tuple[list[int], list[int]]:
    """Requests that got through and that were answered, per second, of a herd that always comes back."""
    chance, load = Random(7), Load()
    through, answered = [0] * int(until_s), [0] * int(until_s)
    for number in range(int(until_s * a_second)):
        now_s = number / a_second
        load = load.as_of(now_s)
        share = turned_away_share(load)
        load = load.asked()
        if chance.random() < share:
            continue
        through[int(now_s)] += 1
        if not down_from_s <= now_s < up_again_s:
            answered[int(now_s)] += 1
            load = load.accepted()
    return through, answered


def test_of_a_herd_before_dead_providers_a_hundredth_gets_through_and_all_of_it_soon_after_they_are_back() -> None:
    through, answered = herd(down_from_s=60, up_again_s=420, until_s=660, a_second=50)
    assert through[:60] == answered[:60] == [50] * 60  # in good days nobody is turned away
    assert sum(through[300:420]) <= 0.02 * 120 * 50
    first_second_with_all = next(at for at in range(420, 660) if answered[at] == 50)
    assert first_second_with_all < 420 + 120
    assert answered[600:] == [50] * 60


def test_of_half_broken_providers_nobody_is_turned_away() -> None:
    load = Load()
    for number in range(5000):
        load = load.as_of(number / 50)
        assert turned_away_share(load) == 0
        load = load.asked()
        load = load.accepted() if number % 2 == 0 else load
