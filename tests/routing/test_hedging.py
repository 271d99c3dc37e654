"""Hedging: when a second request is worth it, and whom it may go to."""

import math
from collections.abc import Collection
from dataclasses import replace
from typing import Any

import pytest

from llmr.catalog import Model, Provider, Strategy, WireFormat
from llmr.routing.estimate import Estimate, estimate
from llmr.routing.hedging import hedge_after_s, late_after_s, partner
from llmr.routing.rules import Candidate
from llmr.routing.score import Score
from llmr.routing.selection import Ranked, Selection

UNKNOWN = estimate((), 0, 0)
SCORE = Score(1, 0, 0, 0, 0, 0, None, price_assumed=False, quality=0.5)


def candidate(name: str, *, model: str = "m", tier: int = 0, favour: int = 0, **provider: Any) -> Candidate:
    at = Provider(name, WireFormat.OPENAI, f"https://{name}.example", **provider)
    return Candidate(Model(at, model), "m", tier, 0, favour)


FIRST = candidate("first")


def chosen(
    *others: Candidate, first: Candidate = FIRST, tried: tuple[str, ...] = (), probes: Collection[str] = ()
) -> str | None:
    """Who is asked beside `first`; asking one of `probes` would be a probe of its circuit."""
    ranked = [Ranked(one, SCORE, UNKNOWN, UNKNOWN, one.model.provider.name in probes) for one in (first, *others)]
    found = partner(ranked, first, tried=tried)
    return found.candidate.key if found else None


def known(p50_s: float, *, sigma: float = 0.5, samples: float = 50.0) -> Estimate:
    return replace(UNKNOWN, mu=math.log(p50_s), variance=sigma**2, short_samples=samples)


def ranking(*known: tuple[Candidate, Estimate], explored: bool = False, probes: Collection[str] = ()) -> Selection:
    """Candidates with what they are known for."""
    ranked = tuple(Ranked(one, SCORE, UNKNOWN, habits, one.model.provider.name in probes) for one, habits in known)
    return Selection("m", Strategy.BALANCED, ranked, (), (), 9, explored)


def late_s(p50_s: float, z: float = 1.45, sigma: float = 0.5) -> float:
    return p50_s * math.exp(z * sigma)


def test_a_hedge_starts_when_the_first_is_late_by_its_own_habits_but_not_after_ten_seconds() -> None:
    quick = (candidate("quick"), known(0.1))
    assert hedge_after_s(ranking((FIRST, known(1.0)), quick), FIRST) == pytest.approx(late_s(1.0))
    assert hedge_after_s(ranking((FIRST, known(20.0)), quick), FIRST) == 10
    assert hedge_after_s(ranking(quick), FIRST) is None, "nobody knows"


@pytest.mark.parametrize(("sigma", "z"), [(0.15, 1.975), (0.3, 1.75), (0.5, 1.45), (0.7, 1.15), (0.9, 1.0), (4.0, 1.0)])
def test_the_erratic_are_late_sooner_than_the_regular(sigma: float, z: float) -> None:
    assert late_after_s(known(0.5, sigma=sigma)) == pytest.approx(late_s(0.5, z, sigma))
    assert late_after_s(known(0.5, sigma=0.0)) == pytest.approx(0.5)


def test_who_explores_or_asks_somebody_unknown_does_not_wait_for_the_tail_of_a_slow_one() -> None:
    others = [(candidate("b"), known(0.5)), (candidate("c"), known(0.8))]
    usual, doubtful = (FIRST, known(3.0)), (FIRST, known(3.0, samples=5.9))
    assert hedge_after_s(ranking(usual, *others), FIRST) == pytest.approx(late_s(3.0))
    assert hedge_after_s(ranking(usual, *others, explored=True), FIRST) == pytest.approx(late_s(0.5))
    assert hedge_after_s(ranking(doubtful, *others), FIRST) == pytest.approx(late_s(0.5))
    assert hedge_after_s(ranking(doubtful, *others, probes=["b"]), FIRST) == pytest.approx(late_s(0.8))
    assert hedge_after_s(ranking((FIRST, known(0.3, samples=0)), *others), FIRST) == pytest.approx(late_s(0.3))


def test_the_best_of_the_others_is_asked() -> None:
    assert chosen(candidate("a"), candidate("b")) == "a/m"
    assert chosen() is None


def test_whoever_failed_in_this_request_is_not() -> None:
    assert chosen(candidate("a"), candidate("b"), tried=("a/m",)) == "b/m"


def test_the_same_provider_or_quota_would_fail_together() -> None:
    assert chosen(candidate("first", model="other")) is None
    shared = candidate("first", shares="azure")
    assert chosen(candidate("a", shares="azure"), candidate("b"), first=shared) == "b/m"
    assert chosen(candidate("a", shares="gcp"), first=shared) == "a/m"


def test_another_model_or_one_that_a_rule_avoids_does_not_stand_for_the_first() -> None:
    assert chosen(candidate("a", tier=1)) is None
    assert chosen(candidate("a", favour=1)) is None
    assert chosen(candidate("a", favour=1), first=candidate("first", favour=1)) == "a/m"
    assert chosen(candidate("a"), first=candidate("first", favour=-1)) == "a/m"


def test_a_hedge_is_no_probe() -> None:
    assert chosen(candidate("a"), probes=["a"]) is None
    assert chosen(candidate("a"), candidate("b"), probes=["a"]) == "b/m"
