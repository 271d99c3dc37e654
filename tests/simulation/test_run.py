"""Virtual time, money and figures; the policies that llmr is compared with; llmr itself on short bad days."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from llmr.catalog import Catalog, Provider, RateLimit, Strategy, WireFormat
from llmr.routing.policy import Policy as RoutingPolicy
from llmr.routing.rules import Rule
from llmr.simulation.comparison import LiteLlm
from llmr.simulation.figures import figures
from llmr.simulation.network import Answer, AnswerKind
from llmr.simulation.policies import ABOUT, HEDGED, PRODUCTION, Configured, policies
from llmr.simulation.production import NoNetwork, catalog_of
from llmr.simulation.recovery import back_after_s
from llmr.simulation.run import Served, VirtualClock, run
from llmr.simulation.side_by_side import measured, scene
from llmr.simulation.world import Incident, IncidentKind, Profile, Steady, World
from llmr.simulation.worlds import PROVIDERS, WORLDS
from llmr.wire.contract import HttpRequest

K = IncidentKind
SURE = tuple(replace(profile, failure=0.0) for profile in PROVIDERS)


def world(*incidents: Incident, providers: Sequence[Profile] = SURE, duration_s: float = 600.0) -> World:
    return World("w", duration_s, tuple(providers), incidents, Steady(0.5))


def shares(served: Sequence[Served], provider: int, start_s: float, end_s: float) -> float:
    within = [one for one in served if start_s <= one.at_s < end_s]
    return sum(one.asked_first == provider for one in within) / len(within)


ALL = policies(Configured())


@pytest.mark.parametrize("name", ALL)
def test_the_same_seed_gives_the_same_run_to_the_last_digit(name: str) -> None:
    day = world(Incident(100, 200, ("A-fast",), K.DOWN), providers=PROVIDERS, duration_s=300)
    assert run(day, ALL[name], 3) == run(day, ALL[name], 3)  # 31
    assert run(day, ALL[name], 3) != run(day, ALL[name], 4)


def test_every_policy_has_a_line_about_it_and_serves_every_request() -> None:
    assert list(ABOUT) == list(ALL)
    day = world(duration_s=100)
    counts = {name: len(run(day, policy, 1)) for name, policy in ALL.items()}
    assert len(set(counts.values())) == 1


# Money and figures


def test_a_timed_out_attempt_costs_30_per_cent_and_that_is_waste() -> None:
    day = world(Incident(0, 600, ("A-fast",), K.HANG), providers=SURE[:2])
    one = run(day, ALL["static"], 1)[0]
    assert (one.attempts, one.asked_first, one.answered) == (2, 0, 1)
    assert one.waste_usd == pytest.approx(0.3 * 0.004)
    assert one.spend_usd == pytest.approx(0.3 * 0.004 + 0.005)
    assert one.ttft_s > 10
    for served in run(day, ALL[PRODUCTION], 1)[:20]:
        timed_out = served.attempts - 1
        assert served.waste_usd == pytest.approx(0.3 * 0.004 * timed_out)


def test_a_cancelled_hedge_loser_costs_40_per_cent() -> None:
    hedged = [one for one in run(world(duration_s=2_000), ALL[HEDGED], 1) if one.attempts == 2]
    assert len(hedged) > 10
    for one in hedged:
        assert one.answered is not None
        loser = [0.4 * p.usd_per_1000 / 1000 for place, p in enumerate(SURE) if place != one.answered]
        assert any(one.waste_usd == pytest.approx(usd) for usd in loser)


def test_a_request_that_nobody_answers_is_charged_a_minute() -> None:
    day = world(Incident(0, 60, tuple(p.name for p in SURE), K.DOWN), duration_s=20)
    for name in ("static", "litellm", "oracle"):
        for one in run(day, ALL[name], 1):
            assert (one.ttft_s, one.answered) == (60, None)
            assert one.attempts <= 6


def test_figures_are_those_of_the_requests() -> None:
    served = [Served(n, n / 10, 1 + (n % 10 == 0), 0, None if n == 99 else 0, 0.002, 0.0001) for n in range(100)]
    found = figures(served)
    assert (found.requests, found.extra_per_1000, found.success) == (100, 100, 0.99)
    assert found.mean_s == pytest.approx(4.95)
    assert (found.p50_s, found.p99_s) == (pytest.approx(4.95), pytest.approx(9.801))
    assert found.waste_share == pytest.approx(0.05)
    assert found.usd_per_1000 == pytest.approx(2.0)


def test_a_provider_is_back_when_it_has_more_than_half_of_the_last_minute() -> None:
    served = [Served(2.0 * n, 0.5, 1, 0 if n >= 60 else 1, 0, 0, 0) for n in range(200)]
    assert back_after_s(served, 0, 100.0) == pytest.approx(2 * 60 + 30 - 100)
    assert back_after_s(served, 2, 100.0) is None


def test_a_scene_pools_its_seeds() -> None:
    day = world(duration_s=60)
    ((name, found),) = measured(scene(day, (1, 2)), {"static": ALL["static"]})
    assert name == "static"
    assert found is not None
    assert found.requests == sum(len(run(day, ALL["static"], seed)) for seed in (1, 2))
    empty = replace(day, arrivals=Steady(1e-9))
    assert list(measured(scene(empty, (1,)), {"static": ALL["static"]})) == [("static", None)]


# The others


def test_litellm_asks_the_unseen_first_and_then_by_the_mean_of_the_last_ten() -> None:
    ranker = LiteLlm(world(providers=SURE[:3]))
    ranker.heard(0, Answer(AnswerKind.OK, 0.4), 0.4, 1.0)
    assert list(ranker.order(2.0)) == [1, 2, 0]
    for took_s in (9.0, *[0.3] * 10):
        ranker.heard(1, Answer(AnswerKind.OK, took_s), took_s, 3.0)
    ranker.heard(2, Answer(AnswerKind.OK, 9.0), 9.0, 3.0)
    ranker.heard(1, None, 10.0, 3.0)
    assert list(ranker.order(4.0)) == [1, 0, 2], "the eleventh has pushed the first out, and a time-out says nothing"
    assert list(ranker.order(3_600.0)) == [0, 1, 2], "an hour later nothing is known"


def test_litellm_benches_for_a_429_and_for_half_the_minute_failed() -> None:
    ranker = LiteLlm(world(providers=SURE[:2]))
    ranker.heard(0, Answer(AnswerKind.LIMITED, 0.15, 20), 0.15, 1.0)
    assert [ranker.admit(0, at) for at in (20.9, 21.0)] == [False, True]
    for n in range(5):
        ranker.heard(1, Answer(AnswerKind.ERROR, 0.3), 0.3, 61.0 + n)
    assert [ranker.admit(1, at) for at in (69.9, 70.0)] == [False, True]


def test_the_oracle_asks_whoever_is_best_at_that_moment() -> None:
    day = world(Incident(100, 200, ("A-fast",), K.DOWN), Incident(200, 300, ("A-fast", "B-solid"), K.SLOW, factor=9))
    served = run(day, ALL["oracle"], 1)
    assert [shares(served, p, *span) for p, span in ((0, (0, 100)), (1, (100, 200)), (3, (200, 300)), (0, (300, 600)))] == [
        1, 1, 1, 1,
    ]  # fmt: skip


# llmr


def test_a_provider_that_turns_slow_loses_its_traffic_and_gets_it_back() -> None:
    served = run(WORLDS["brownout"], ALL[PRODUCTION], 2)
    assert shares(served, 0, 300, 600) > 0.7
    assert shares(served, 0, 660, 1_200) < 0.25
    assert shares(served, 0, 1_500, 1_800) > 0.7


def test_an_outage_costs_little_and_is_over_soon() -> None:
    served = run(WORLDS["outage"], ALL[PRODUCTION], 2)
    during = [one for one in served if 600 <= one.at_s < 1_200]
    assert all(one.answered is not None for one in during)
    assert sum(one.attempts - 1 for one in during) < 30
    assert shares(served, 0, 1_400, 1_800) > 0.7


def test_nearly_everybody_who_comes_in_a_blackout_is_answered_in_the_end() -> None:
    served = run(WORLDS["blackout"], ALL[PRODUCTION], 2)
    assert sum(one.answered is None for one in served) <= 14
    assert all(one.attempts <= 6 for one in served)
    assert all(one.ttft_s <= 60 for one in served)


def test_llmr_beats_the_static_list_and_litellms_rule_on_a_bad_day() -> None:
    day = world(Incident(60, 240, ("A-fast",), K.HANG), providers=PROVIDERS)
    means = {name: figures(run(day, ALL[name], 1)).mean_s for name in ("static", "litellm", PRODUCTION)}
    assert means[PRODUCTION] < min(means["static"], means["litellm"])


def production(day: World, **how: object) -> list[Served]:
    return run(day, policies(Configured(**how))[PRODUCTION], 1)  # type: ignore[arg-type]


def test_the_users_own_settings_are_obeyed() -> None:
    by_cost = production(world(), policy=RoutingPolicy(strategy=Strategy.COST, exploration=0.0))
    assert shares(by_cost, 5, 0, 600) > 0.9, "the cheapest"
    by_list = production(world(), policy=RoutingPolicy(strategy=Strategy.PRIORITY))
    assert shares(by_list, 0, 0, 600) == 1
    only = Rule("only the premium one", only=("D-premium/*",), models=("gpt-4o",))
    assert shares(production(world(), rules=(only,)), 3, 0, 600) == 1


def test_the_users_own_limits_hold_for_providers_of_the_same_name() -> None:
    mine = Provider("A-fast", WireFormat.OPENAI, "https://a.example", rate_limit=RateLimit(requests_per_minute=6))
    found = catalog_of(world(), Catalog({"A-fast": mine}, {}, {}))
    assert found.providers["A-fast"].rate_limit == mine.rate_limit
    served = production(
        world(), policy=RoutingPolicy(strategy=Strategy.LATENCY), catalog=Catalog({"A-fast": mine}, {}, {})
    )
    assert 40 <= sum(one.answered == 0 for one in served) <= 66, "six at once, and six a minute for ten minutes"


def test_what_a_simulation_has_for_a_network_and_a_clock_sends_nothing_and_never_sleeps() -> None:
    somebody, clock = catalog_of(world()).providers["A-fast"], VirtualClock()
    with pytest.raises(RuntimeError, match="asks nobody, not A-fast either"):
        NoNetwork().stream(HttpRequest("POST", "", (), b""), somebody, connect_s=1)
    with pytest.raises(RuntimeError, match="virtual time"):
        clock.sleep(1).send(None)
    with pytest.raises(RuntimeError, match="virtual time"):
        clock.timeout(1)
