"""The worlds are what shared/design/worlds.md says, to the figure."""

import math
from itertools import pairwise

import pytest

from llmr.simulation.luck import arrivals, normal, uniform
from llmr.simulation.network import AnswerKind, Network
from llmr.simulation.random_worlds import random_world, stretched
from llmr.simulation.world import Incident, IncidentKind, Steady, World, condition
from llmr.simulation.worlds import CLI, PROVIDERS, SERVE, WORLDS

K = IncidentKind
A, B, C, D, E, F = range(6)


def world(*incidents: Incident, duration_s: float = 1_000.0) -> World:
    return World("w", duration_s, PROVIDERS, incidents, Steady(0.5))


def test_the_six_providers() -> None:
    assert [
        (p.name, p.median_s, p.spread, p.failure, p.hang_share, p.usd_per_1000) for p in PROVIDERS
    ] == [
        ("A-fast", 0.35, 0.45, 0.015, 0.2, 4.0), ("B-solid", 0.60, 0.40, 0.004, 0.2, 5.0),
        ("C-cheap", 1.1, 0.60, 0.010, 0.3, 1.5), ("D-premium", 0.80, 0.30, 0.002, 0.2, 9.0),
        ("E-aggr", 0.90, 0.90, 0.020, 0.3, 3.0), ("F-slow", 2.0, 0.50, 0.010, 0.3, 1.0),
    ]  # fmt: skip


def test_the_serve_timeline_and_the_same_twelve_times_as_long_without_flapping() -> None:
    told = [
        (600, 1200, "A", K.DOWN, 1), (1500, 2100, "A", K.SLOW, 6), (2400, 3000, "B", K.ERRORS, 1),
        (3000, 3600, "A", K.RATE, 1), (3600, 4200, "ABC", K.SLOW, 3), (4200, 4500, "A", K.HANG, 1),
        (4620, 5400, "A", K.FLAP, 1), (5400, 6600, "D", K.SLOW, 0.4), (5400, 6600, "A", K.SLOW, 2),
    ]  # fmt: skip
    found = [(i.start_s, i.end_s, "".join(n[0] for n in i.providers), i.kind, i.factor) for i in SERVE.incidents]
    assert found == told
    stretched_ = [
        (i.start_s / 12, i.end_s / 12, "".join(n[0] for n in i.providers), i.kind, i.factor) for i in CLI.incidents
    ]
    assert stretched_ == [one for one in told if one[3] is not K.FLAP]
    errors, rate = SERVE.incidents[2], SERVE.incidents[3]
    assert (errors.share, rate.per_minute, rate.burst, rate.retry_after_s) == (0.4, 6, 3, 20)
    assert (SERVE.duration_s, CLI.duration_s) == (7_200, 86_400)


@pytest.mark.parametrize("name", WORLDS)
def test_every_built_in_world_names_its_providers_and_ends_after_its_incidents(name: str) -> None:
    one = WORLDS[name]
    known = {profile.name for profile in one.providers}
    assert one.about
    for incident in one.incidents:
        assert set(incident.providers) <= known
        assert incident.start_s < incident.end_s < one.duration_s


def test_serve_arrivals_are_poisson_and_cli_arrivals_come_in_bursts_of_eight() -> None:
    times = [at for seed in range(5) for at in arrivals(SERVE, seed)]
    assert len(times) / 5 == pytest.approx(3_600, rel=0.03)
    sizes: list[int] = []
    for seed in range(20):
        for before, after in pairwise([-math.inf, *arrivals(CLI, seed)]):
            if after - before > 150:  # 20 s apart within a burst: e^(−7.5) of the gaps are longer
                sizes.append(0)
            sizes[-1] += 1
    assert sum(sizes) / len(sizes) == pytest.approx(8, rel=0.25), "gaps shorter than 150 s join bursts"
    assert list(arrivals(CLI, 3)) == list(arrivals(CLI, 3)) != list(arrivals(CLI, 4))


# Physics


def test_the_luck_of_an_attempt_belongs_to_request_provider_and_attempt_whoever_asks_and_when() -> None:
    one, other = Network(world(), 7), Network(world(), 7)
    asked = [(request, provider, attempt) for request in range(40) for provider in range(6) for attempt in range(2)]
    first = {key: one.ask(*key, at_s=5.0) for key in asked}
    assert {key: other.ask(*key, at_s=900.0) for key in reversed(asked)} == first
    assert len({answer.after_s for answer in first.values() if answer.kind is AnswerKind.OK}) > 400
    assert Network(world(), 8).ask(0, 0, 0, 5.0) != first[0, 0, 0]


def test_draws_are_uniform_and_normal() -> None:
    draws = [uniform(1, n) for n in range(4_000)]
    assert sum(draws) / 4_000 == pytest.approx(0.5, abs=0.02)
    assert sum(d < 0.1 for d in draws) / 4_000 == pytest.approx(0.1, abs=0.02)
    normals = [normal(2, n) for n in range(4_000)]
    assert sum(normals) / 4_000 == pytest.approx(0, abs=0.06)
    assert sum(n * n for n in normals) / 4_000 == pytest.approx(1, abs=0.08)


def answers(network: Network, provider: int, at_s: float, count: int = 3_000) -> list[tuple[AnswerKind, float]]:
    return [((a := network.ask(n, provider, 0, at_s)).kind, a.after_s) for n in range(count)]


def median(values: list[float]) -> float:
    return sorted(values)[len(values) // 2]


def test_a_good_day_has_the_profiles_median_failures_and_hangs() -> None:
    found = answers(Network(world(), 1), E, 5.0, 20_000)
    assert median([after for kind, after in found if kind is AnswerKind.OK]) == pytest.approx(0.9, rel=0.05)
    failed = sum(kind is not AnswerKind.OK for kind, _ in found) / 20_000
    hung = sum(kind is AnswerKind.NEVER for kind, _ in found) / 20_000
    assert failed == pytest.approx(0.02, rel=0.2)
    assert hung == pytest.approx(0.006, rel=0.35)


def test_down_is_an_error_after_a_third_of_a_second_and_slow_multiplies() -> None:
    network = Network(world(Incident(0, 10, ("A-fast",), K.DOWN), Incident(20, 30, ("A-fast",), K.SLOW, factor=6)), 1)
    down = answers(network, A, 5.0)
    assert {kind for kind, _ in down} == {AnswerKind.ERROR}
    assert median([after for _, after in down]) == pytest.approx(0.3, rel=0.05)
    slow = [after for kind, after in answers(network, A, 25.0) if kind is AnswerKind.OK]
    assert median(slow) == pytest.approx(0.35 * 6, rel=0.05)
    assert network.ask(1, A, 0, 10.0).kind is AnswerKind.OK, "an incident's end is not part of it"


def test_a_limited_provider_has_a_bucket_of_three_and_says_429_after_150_ms() -> None:
    network = Network(world(Incident(0, 600, ("B-solid",), K.RATE)), 1)
    kinds = [network.ask(n, B, 0, 1.0) for n in range(5)]
    assert [answer.kind is AnswerKind.LIMITED for answer in kinds] == [False, False, False, True, True]
    assert (kinds[3].after_s, kinds[3].retry_after_s) == (0.15, 20)
    assert network.ask(9, B, 0, 11.0).kind is not AnswerKind.LIMITED, "six a minute: one every ten seconds"
    assert network.ask(10, B, 0, 11.0).kind is AnswerKind.LIMITED
    assert network.ask(11, B, 0, 600.0).kind is not AnswerKind.LIMITED


def test_a_hang_never_answers_and_flapping_is_down_for_the_first_half_of_each_period() -> None:
    network = Network(world(Incident(0, 10, ("A-fast",), K.HANG), Incident(100, 200, ("A-fast",), K.FLAP)), 1)
    assert network.ask(1, A, 0, 5.0).after_s == math.inf
    assert [network.condition(A, at).down for at in (100, 119, 120, 139, 140, 199, 200)] == [
        True, True, False, False, True, True, False,
    ]  # fmt: skip


def test_incidents_together_multiply_slowness_and_take_the_worst_failure() -> None:
    both = (
        Incident(0, 10, ("A-fast",), K.SLOW, factor=3), Incident(0, 10, ("A-fast",), K.SLOW, factor=2),
        Incident(0, 10, ("A-fast",), K.ERRORS, share=0.4), Incident(0, 10, ("A-fast",), K.ERRORS, share=0.001),
    )  # fmt: skip
    now = condition(PROVIDERS[A], both, 5.0)
    assert (now.slow, now.failure) == (6, 0.4)


# Worlds by seed


def test_a_random_world_belongs_to_its_seed_and_stays_within_its_ranges() -> None:
    assert random_world(5) == random_world(5) != random_world(6)
    kinds: list[IncidentKind] = []
    for seed in range(60):
        one = random_world(seed)
        assert len(one.providers) == 6
        for p in one.providers:
            assert 0.3 <= p.median_s <= 2.5
            assert 0.3 <= p.spread <= 0.9
            assert 0.001 <= p.failure <= 0.03
            assert 0.1 <= p.hang_share <= 0.4
            assert 1.0 <= p.usd_per_1000 <= math.exp(2.3)
        for i in one.incidents:
            assert 0 <= i.start_s < i.end_s
            kinds += [i.kind] if len(i.providers) == 1 else []
    shares = {kind: kinds.count(kind) / len(kinds) for kind in K}
    told = {K.DOWN: 0.2, K.SLOW: 0.3, K.ERRORS: 0.2, K.RATE: 0.15, K.HANG: 0.05, K.FLAP: 0.1}
    assert all(shares[kind] == pytest.approx(told[kind], abs=0.06) for kind in K)


def test_a_stretched_world_lasts_twelve_times_as_long_and_is_asked_in_bursts() -> None:
    one, longer = random_world(3), stretched(random_world(3))
    assert longer.duration_s == 12 * one.duration_s
    assert [i.end_s for i in longer.incidents] == [12 * i.end_s for i in one.incidents]
    assert longer.arrivals == CLI.arrivals
