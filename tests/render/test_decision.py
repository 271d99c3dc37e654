"""The decision as people and scripts read it: each term, each candidate that is not in it, each rule."""

import json
import re
from dataclasses import replace

import pytest
from fakes import NOON, model

from llmr.catalog import Price, Strategy
from llmr.errors import ErrorKind
from llmr.render.decision import decision_lines, decision_view, key_view, rule_lines, why_lines
from llmr.render.decision_json import decision_json
from llmr.render.flips import flip_lines, unflipped_view
from llmr.render.ink import plain
from llmr.routing.decision_record import DecisionRecord
from llmr.routing.estimate import estimate
from llmr.routing.latency_row import LatencyStats
from llmr.routing.rules import Candidate, Clause, RuleTrace
from llmr.routing.score import Score
from llmr.routing.selection import Barrier, Ranked, Rejected, Selection

SCORE = Score(
    first_token_s=0.61, reading_s=0.0, failure_s=0.02, tail_s=0.1, price_s=0.45, quality_s=0.3, price_usd=0.0009,
    price_assumed=False, quality=0.5,
)  # fmt: skip
UNMEASURED = estimate([LatencyStats()], NOON, 0)
MEASURED = replace(UNMEASURED, samples=30.0, outcomes=30.0)


def ranked(name: str = "a", *, tier: int = 0, favour: int = 0, measured: bool = True, score: Score = SCORE) -> Ranked:
    known = MEASURED if measured else UNMEASURED
    return Ranked(Candidate(model(name), "best", tier, 0, favour), score, known, known)


def selection(*order: Ranked, **facts: object) -> Selection:
    base = Selection("best", Strategy.BALANCED, order, (), (), 1_234)
    return replace(base, **facts)  # type: ignore[arg-type]


def cells(line: str) -> list[str]:
    """Cells are two or more blanks apart."""
    return re.split(r"  +", line.strip())


def test_the_index_is_told_term_by_term_in_one_table() -> None:
    lines = decision_lines(selection(ranked("a"), ranked("bcd", measured=False)), None)
    assert lines[0] == "best: balanced order for ~1,234 prompt tokens"
    assert cells(lines[1]) == "candidate p50 p95 ok samples cost first risk tail price quality index".split()
    assert cells(lines[2]) == "1.|a/m|800 ms|1.8 s|98%|30|$0.0009|0.61|+0.02|+0.10|+0.45|-0.30|0.88 s".split("|")
    assert {len(line) for line in lines[1:]} == {len(lines[1])}, "every column is set to the right"


def test_what_nobody_measured_does_not_look_measured() -> None:
    (_, _, line) = decision_lines(selection(ranked("a", measured=False)), None)
    assert cells(line)[2:6] == ["~800 ms", "~1.8 s", "~98%", "none"]


@pytest.mark.parametrize("width", [40, 50])
def test_a_narrow_screen_does_without_columns_and_breaks_none(width: int) -> None:
    names = ["openrouter/meta-llama/llama-3.3-70b-instruct", "b"]
    lines = decision_lines(selection(*map(ranked, names)), width)
    assert all(len(line) <= width for line in lines), lines
    (head,) = (line for line in lines if "index" in line)
    assert "first" in head


@pytest.mark.parametrize("width", [64, 80, 100, 120])
def test_no_line_is_wider_than_the_screen_and_no_term_is_lost(width: int) -> None:
    names = ("a", "a-provider-with-a-long-name", "c")
    lines = decision_lines(selection(*map(ranked, names)), width)
    assert all(len(line) <= width for line in lines), lines
    heads = " ".join(line for line in lines if "candidate" in line)
    assert all(title in heads for title in ("p50", "p95", "ok", "cost", "first", "risk", "tail", "price", "quality"))
    assert sum(line.endswith("0.88 s") for line in lines) == 3


def test_terms_that_are_nothing_are_left_out_and_a_slow_reader_is_not() -> None:
    bare = replace(SCORE, price_s=0.0, quality_s=0.0, reading_s=0.5)
    (_, head, line) = decision_lines(selection(ranked(score=bare)), None)
    assert cells(head)[-5:] == ["first", "read", "risk", "tail", "index"]
    assert cells(line)[-5:] == ["0.61", "+0.50", "+0.02", "+0.10", "1.23 s"]


def test_under_a_strategy_that_counts_no_time_no_time_is_shown() -> None:
    by_price = replace(SCORE, time_weight=0.0, quality_s=0.0)
    (_, head, line) = decision_lines(selection(ranked(score=by_price)), None)
    assert cells(head)[-2:] == ["price", "index"]
    assert cells(line)[-2:] == ["+0.45", "0.45 s"]
    (place,) = decision_json(selection(ranked(score=by_price)))["ranked"]
    assert sum(place["terms_s"].values()) == pytest.approx(place["index_s"])


def test_an_assumed_price_is_said_to_be_one() -> None:
    (_, _, line) = decision_lines(selection(ranked(score=replace(SCORE, price_assumed=True))), None)
    assert "unknown" in cells(line)
    assert "~0.45" in cells(line)


@pytest.mark.parametrize(
    ("place", "said"),
    [
        (ranked(favour=-1), "preferred"),
        (ranked(favour=1), "avoided"),
    ],
)
def test_what_moved_a_candidate_is_said(place: Ranked, said: str) -> None:
    assert said == cells(decision_lines(selection(place), None)[-1])[-1]
    assert any(said in line for line in decision_lines(selection(place), 80))


@pytest.mark.parametrize("width", [None, 80])
def test_where_a_fallback_begins_a_line_says_so(width: int | None) -> None:
    lines = decision_lines(selection(ranked("a"), ranked("b", tier=1), ranked("c", tier=1)), width)
    (at, *_) = [number for number, line in enumerate(lines) if line == "  fallback best"]
    assert "a/m" in lines[at - 1]
    assert "b/m" in lines[at + 1]
    assert "c/m" in lines[at + 2]


def test_whoever_is_not_asked_is_listed_with_the_reason() -> None:
    out = Rejected(
        Candidate(model("b"), "best", 0, 1), Barrier.CIRCUIT, "provider b: rate-limited", ErrorKind.SERVER, 9.0
    )
    lines = decision_lines(selection(rejected=(out,)))
    assert lines[1:] == ["  nobody can be asked now", "  ✗ b/m: provider b: rate-limited"]


def test_an_exploring_request_says_so() -> None:
    assert ", exploring" in decision_lines(selection(explored=True))[0]


@pytest.mark.parametrize(("strategy", "told"), [("quality", True), ("priority", False), ("round_robin", False)])
def test_where_no_draw_changes_the_order_nobody_says_that_it_is_exploring(strategy: str, told: bool) -> None:
    said = decision_lines(selection(explored=True, strategy=Strategy(strategy)))[0]
    assert (", exploring" in said) is told


@pytest.mark.parametrize("strategy", Strategy)
def test_why_says_what_decides_and_nothing_that_contradicts_it(strategy: Strategy) -> None:
    told = why_lines(selection(ranked("a"), ranked("b"), strategy=strategy), 120)[4:]
    by_index = strategy in {Strategy.BALANCED, Strategy.COST, Strategy.LATENCY}
    assert any("least first" in line for line in told) is by_index
    assert any(f"({strategy})" in line for line in told) is not by_index


def test_each_rule_says_whether_it_matched_and_why() -> None:
    trace = (
        RuleTrace("home", matched=True, because="tags: t", effects=("only a/*", "no hedge")),
        RuleTrace("tag", matched=True, because="it asks nothing"),
        RuleTrace("x", matched=False, because="tags: none, wanted t", unmet=Clause("tags", "t", "none", holds=False)),
    )
    assert rule_lines(trace) == [
        "  ✓ rule 'home': tags: t → only a/*, no hedge",
        "  ✓ rule 'tag': it asks nothing → nothing",
        "  · rule 'x': tags: none, wanted t",
    ]


def test_the_json_says_all_of_it() -> None:
    out = Rejected(Candidate(model("b"), "best", 0, 1), Barrier.LIMIT, "full", ErrorKind.RATE_LIMIT, 9.0)
    trace = (
        RuleTrace("home", matched=True, because="tags: t", effects=("no hedge",)),
        RuleTrace("x", matched=False, because="tags: none, wanted t", unmet=Clause("tags", "t", "none", holds=False)),
    )
    first = ranked("a")
    document = json.loads(json.dumps(decision_json(selection(first, rejected=(out,), trace=trace)), allow_nan=False))
    assert (document["schema"], document["model"], document["strategy"]) == ("llmr.rank/1", "best", "balanced")
    (place,) = document["ranked"]
    assert (place["place"], place["candidate"], place["provider"], place["model"]) == (1, "a/m", "a", "m")
    assert sum(place["terms_s"].values()) == pytest.approx(place["index_s"]) == pytest.approx(0.88)
    assert place["price_usd"] == 0.0009
    assert document["rejected"] == [{"candidate": "b/m", "barrier": "limit", "reason": "full", "retry_at": 9.0}]
    unmet = {"condition": "tags", "wanted": "t", "actual": "none"}
    assert document["rules"] == [
        {"rule": "home", "matched": True, "because": "tags: t", "unmet": None, "effects": ["no hedge"]},
        {"rule": "x", "matched": False, "because": "tags: none, wanted t", "unmet": unmet, "effects": []},
    ]


def _rivals(**facts: float) -> Selection:
    dear = replace(SCORE, price_s=2.0, price_usd=0.004, **facts)
    rival = Ranked(Candidate(model("b", price=Price(2.0, 8.0)), "best", 0, 1), dear, MEASURED, MEASURED)
    return selection(ranked("a"), rival)


def test_the_lead_is_told_and_what_would_put_another_first() -> None:
    lead, flip = flip_lines(_rivals())
    assert lead == "  a/m leads by 1.55 s"
    assert flip.startswith("  b/m wins if ")
    assert "its price < $0.45/M in, $1.80/M out" in flip


def test_a_candidate_that_no_figure_of_its_own_puts_first_is_said_to_be_one() -> None:
    hopeless = replace(SCORE, failure_s=50.0)
    lines = flip_lines(selection(ranked("a"), ranked("b", score=hopeless)))
    assert lines[1:] == ["  no figure of its own puts b/m first"]


def test_equals_lead_by_nothing() -> None:
    assert flip_lines(selection(ranked("a"), ranked("b")))[0] == "  a/m leads by nothing"


def test_equals_that_no_figure_tells_apart_are_asked_as_they_are_listed() -> None:
    """As where cost decides and neither price is known."""
    timeless = replace(SCORE, time_weight=0.0)
    assert flip_lines(selection(ranked("a", score=timeless), ranked("b", score=timeless))) == [
        "  a/m leads by nothing",
        "  b/m is its equal by every figure that counts here: the one that is listed first is asked first",
    ]


def test_a_lone_candidate_leads_nobody() -> None:
    assert flip_lines(selection(ranked("a"))) == []
    assert decision_json(selection(ranked("a")))["flips"] is None


def test_the_json_says_what_would_flip_it() -> None:
    (other,) = decision_json(_rivals())["flips"]["others"]
    assert other["margin_s"] == pytest.approx(1.55)
    assert other["input_usd_below"] == pytest.approx(0.45)
    (hopeless,) = decision_json(selection(ranked("a"), ranked("b", score=replace(SCORE, failure_s=50.0))))["flips"][
        "others"
    ]
    assert (hopeless["p50_below_s"], hopeless["input_usd_below"], hopeless["output_usd_below"]) == (None, None, None)


def test_an_assumed_price_is_null_in_the_json() -> None:
    assumed = ranked(score=replace(SCORE, price_assumed=True))
    assert decision_json(selection(assumed))["ranked"][0]["price_usd"] is None


def test_how_long_still_is_said_of_whom_time_gives_back_and_no_name_twice() -> None:
    own = Rejected(
        Candidate(model("b"), "best", 0, 1), Barrier.CIRCUIT, "rate-limited", ErrorKind.RATE_LIMIT, NOON + 66
    )
    for_good = replace(own, reason="no key", retry_at=None)
    lines = [plain(line) for line in decision_view(selection(rejected=(own, for_good)), 80, now=NOON)]
    assert lines[-2:] == ["  ✗ b/m: rate-limited, 66 s left", "  ✗ b/m: no key"]


def test_a_moment_that_only_says_when_to_look_again_is_not_shown_as_time_left() -> None:
    polled = Rejected(
        Candidate(model("b"), "best", 0, 1), Barrier.LIMIT, "1 request under way", ErrorKind.RATE_LIMIT, NOON + 0.25
    )
    lines = [plain(line) for line in decision_view(selection(rejected=(polled,)), 80, now=NOON)]
    assert lines[-1] == "  ✗ b/m: 1 request under way"


def test_of_an_unknown_price_it_says_what_a_known_one_would_have_to_be() -> None:
    assumed = replace(SCORE, failure_s=0.2, price_assumed=True)
    known = replace(ranked("a"), candidate=Candidate(model("a", price=Price(1.0, 4.0)), "best", 0, 0))
    lines = flip_lines(selection(known, ranked("b", score=assumed)))
    assert lines[1].startswith("  b/m wins if its p50 first token < ")
    assert "; a known price of < $" in lines[1]
    assert lines[1].endswith("/M out would put it first, too")
    by_price = replace(assumed, time_weight=0.0, price_s=0.6)
    lines = flip_lines(selection(replace(known, score=replace(SCORE, time_weight=0.0)), ranked("b", score=by_price)))
    assert lines[1].startswith("  a known price of < $")
    assert lines[1].endswith("/M out would put b/m first")


@pytest.mark.parametrize(
    ("strategy", "second", "why"),
    [
        (Strategy.PRIORITY, ranked("b"), "the order is your own list's"),
        (Strategy.QUALITY, ranked("b"), "the judged quality decides first"),
        (Strategy.ROUND_ROBIN, ranked("b"), "whose turn it is decides"),
        (Strategy.WEIGHTED, ranked("b"), "chance by weight decides"),
        (Strategy.BALANCED, ranked("b", tier=1), "the others are fallbacks"),
        (Strategy.BALANCED, ranked("b", favour=1), "a rule's prefer or avoid decides"),
    ],
)
def test_where_no_figure_flips_the_decision_one_line_says_why(strategy: Strategy, second: Ranked, why: str) -> None:
    record = DecisionRecord.of(replace(selection(ranked("a"), second), strategy=strategy))
    (line,) = unflipped_view(strategy, record, None)
    assert plain(line).startswith(f"  {why}")
    assert unflipped_view(strategy, DecisionRecord.of(selection(ranked("a"))), None) == []
    assert unflipped_view("balanced", DecisionRecord.of(selection(ranked("a"), ranked("b"))), None) == []


def test_a_share_is_as_measured_as_the_attempts_behind_it_not_as_the_times() -> None:
    failing = Ranked(
        Candidate(model("a"), "best", 0, 0, 0), SCORE, *(replace(UNMEASURED, success=0.06, outcomes=16.0),) * 2
    )
    (_, _, line) = decision_lines(selection(failing), None)
    assert cells(line)[2:6] == ["~800 ms", "~1.8 s", "6%", "16"], "sixteen failures are sixteen samples, and no time"


@pytest.mark.parametrize("width", [60, 80, 120])
def test_one_line_says_how_the_table_is_read(width: int) -> None:
    (line,) = key_view(DecisionRecord.of(selection(ranked("a", measured=False))).ranked, "balanced", width)
    assert plain(line).startswith("  ~ assumed, not measured" + ("; index: " if width >= 80 else ""))
    assert len(plain(line)) <= width


def test_the_key_explains_no_mark_that_is_not_there() -> None:
    (line,) = key_view(DecisionRecord.of(selection(ranked("a"))).ranked, "balanced", 80)
    assert "~" not in plain(line)


def test_what_an_older_llmr_kept_of_a_decision_says_nothing_of_outcomes() -> None:
    kept = json.loads(DecisionRecord.of(selection(ranked("a"))).to_text())
    kept["ranked"] = [cells[:-1] for cells in kept["ranked"]]
    read = DecisionRecord.from_text(json.dumps(kept))
    assert read is not None
    assert read.ranked[0].outcomes == read.ranked[0].samples
