"""Hedging: when a second request is worth it, and whom it may go to."""

import math
from collections.abc import Collection
from dataclasses import replace
from typing import Any

import pytest

from llmr.catalog import Model, Provider, WireFormat
from llmr.routing.hedging import hedge_after_s, partner
from llmr.routing.latency import estimate
from llmr.routing.rules import Candidate
from llmr.routing.score import Score
from llmr.routing.selector import Ranked

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


def test_a_hedge_starts_at_the_firsts_own_95th_percentile_but_not_after_ten_seconds() -> None:
    assert hedge_after_s(UNKNOWN) == pytest.approx(UNKNOWN.p95_s)
    assert hedge_after_s(replace(UNKNOWN, mu=math.log(20))) == 10


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
