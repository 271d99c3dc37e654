"""A decision as history keeps it: what goes in comes out, and what is damaged is nothing."""

import json
from dataclasses import replace

import pytest
from fakes import NOON, model

from llmr.catalog import Price, Strategy
from llmr.routing.decision_record import DecisionRecord, PassedOver, Rival, Weighed, terms_s
from llmr.routing.estimate import estimate
from llmr.routing.latency_row import LatencyStats
from llmr.routing.rules import Candidate, RuleTrace
from llmr.routing.score import Score
from llmr.routing.selection import Barrier, Ranked, Rejected, Selection

SCORE = Score(0.61, 0.05, 0.02, 0.1, 0.45, 0.3, price_usd=0.0009, price_assumed=False, quality=0.5)


def _selection() -> Selection:
    known = estimate([LatencyStats()], NOON, 0)
    first = Ranked(Candidate(model("a"), "m", 0, 0), SCORE, known, known)
    dear = replace(SCORE, price_s=2.0)
    second = Ranked(Candidate(model("b", price=Price(2.0, 8.0)), "m", 0, 1, -1), dear, known, known)
    second = replace(second, candidate=replace(second.candidate, favour=0))
    rejected = (Rejected(Candidate(model("c"), "m", 1, 2), Barrier.CIRCUIT, "provider c: open (server)"),)
    trace = (RuleTrace("home", matched=True, because="x"), RuleTrace("night", matched=False, because="y"))
    return Selection("m", Strategy.BALANCED, (first, second), rejected, trace, 123)


def test_what_is_kept_comes_back_to_four_digits() -> None:
    record = DecisionRecord.of(_selection())
    again = DecisionRecord.from_text(record.to_text())
    assert again is not None
    assert again.rejected == record.rejected == (PassedOver("c/m", "circuit", "provider c: open (server)"),)
    assert (again.rules, again.prompt_tokens, again.explored) == (("home",), 123, False)
    assert [each.key for each in again.ranked] == ["a/m", "b/m"]
    assert again.ranked[0].terms_s == pytest.approx(record.ranked[0].terms_s, rel=1e-3)
    assert again.rivals[0].margin_s == pytest.approx(1.55)
    assert again.rivals[0].input_usd_below == pytest.approx(0.45)
    assert DecisionRecord.from_text(again.to_text()) == again


def test_the_terms_add_up_to_the_index_whatever_the_strategy_counts() -> None:
    for score in (SCORE, replace(SCORE, time_weight=0.0)):
        assert sum(terms_s(score)) == pytest.approx(score.index_s)


def test_what_an_older_version_kept_is_read() -> None:
    old = '{"ranked":[["a/m",0.78]],"rejected":[["b/m","circuit"]]}'
    assert DecisionRecord.from_text(old) == DecisionRecord(
        ranked=(Weighed("a/m", 0.78),), rejected=(PassedOver("b/m", "circuit"),)
    )


@pytest.mark.parametrize(
    "text", [None, "", "x", "[]", "{}", '{"ranked":[["a"]],"rejected":[]}', '{"ranked":[["a",1,2]],"rejected":[]}', "1"]
)
def test_what_cannot_be_read_is_nothing(text: str | None) -> None:
    assert DecisionRecord.from_text(text) is None


def test_a_candidate_takes_some_two_hundred_bytes() -> None:
    record = DecisionRecord.of(_selection())
    assert len(record.to_text()) < 800
    assert json.loads(record.to_text())["rivals"][0][0] == "b/m"
    assert isinstance(record.rivals[0], Rival)
