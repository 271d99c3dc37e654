"""Hedging: when a second request is worth it, and whom it may go to."""

import math
from dataclasses import replace
from typing import Any

import pytest

from llmr.catalog import Model, Provider, WireFormat
from llmr.routing import breaker
from llmr.routing.breaker import BreakerState, Forced, Phase
from llmr.routing.health import CandidateHealth, Circuit, Health
from llmr.routing.hedging import hedge_after_s, partner
from llmr.routing.latency import estimate
from llmr.routing.rate_limit import LimiterState
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
    *others: Candidate, first: Candidate = FIRST, tried: tuple[str, ...] = (), **states: BreakerState
) -> str | None:
    """Who is asked beside `first`, all circuits closed but those named by provider."""
    ranked = [Ranked(one, SCORE, UNKNOWN) for one in (first, *others)]
    health = {
        r.candidate.key: CandidateHealth(
            (Circuit("c", states.get(r.candidate.model.provider.name, BreakerState())),), LimiterState(), UNKNOWN, 0
        )
        for r in ranked
    }
    found = partner(ranked, Health(health, 0, 0), first, tried=tried)
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


@pytest.mark.parametrize("phase", [Phase.OPEN, Phase.HALF_OPEN])
def test_a_hedge_is_no_probe(phase: Phase) -> None:
    assert chosen(candidate("a"), a=BreakerState(phase, open_until=-1)) is None


def test_what_a_person_holds_open_or_closed_is_obeyed() -> None:
    assert chosen(candidate("a"), a=breaker.force(BreakerState(), Forced.OPEN)) is None
    assert chosen(candidate("a"), a=breaker.force(BreakerState(Phase.OPEN), Forced.CLOSED)) == "a/m"
