"""Hedging: when a second request is worth it, and whom it may go to."""

import math
from collections.abc import Collection
from dataclasses import replace
from typing import Any

import pytest

from llmr.catalog import Model, Provider, Strategy, WireFormat
from llmr.routing.estimate import estimate
from llmr.routing.hedging import hedge_after_s, partner
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


def ranking(*known: tuple[Candidate, float], explored: bool = False, probes: Collection[str] = ()) -> Selection:
    """Candidates with their median first token, in seconds."""
    ranked = tuple(
        Ranked(one, SCORE, UNKNOWN, replace(UNKNOWN, mu=math.log(p50_s)), one.model.provider.name in probes)
        for one, p50_s in known
    )
    return Selection("m", Strategy.BALANCED, ranked, (), (), 9, explored)


def p95_s(p50_s: float) -> float:
    return replace(UNKNOWN, mu=math.log(p50_s)).p95_s


def test_a_hedge_starts_at_the_firsts_own_95th_percentile_but_not_after_ten_seconds() -> None:
    quick = (candidate("quick"), 0.1)
    assert hedge_after_s(ranking((FIRST, 1.0), quick), FIRST) == pytest.approx(p95_s(1.0))
    assert hedge_after_s(ranking((FIRST, 20.0), quick), FIRST) == 10
    assert hedge_after_s(ranking(quick), FIRST) is None, "nobody knows"


def test_who_explores_does_not_wait_for_the_tail_of_a_slow_one() -> None:
    usual = [(FIRST, 3.0), (candidate("b"), 0.5), (candidate("c"), 0.8)]
    assert hedge_after_s(ranking(*usual), FIRST) == pytest.approx(p95_s(3.0))
    assert hedge_after_s(ranking(*usual, explored=True), FIRST) == pytest.approx(p95_s(0.5))
    assert hedge_after_s(ranking(*usual, explored=True, probes=["b"]), FIRST) == pytest.approx(p95_s(0.8))


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
