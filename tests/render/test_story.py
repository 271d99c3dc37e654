"""One request's story, told from what history keeps."""

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from fakes import NOON

from llmr.render.ink import plain, width_of
from llmr.render.pictures import UNICODE
from llmr.render.story import Story
from llmr.routing.decision_record import DecisionRecord, PassedOver, Rival, Weighed
from llmr.state import AttemptRecord, RequestRecord

TERMS = (0.41, 0.0, 0.01, 0.1, 0.2, -0.1)
FIRST = Weighed("a/m", 0.62, TERMS, 0.38, 1.1, 0.99, 30.0, 0.0004, "best")
SECOND = Weighed("b/m", 0.78, TERMS, 0.8, 1.8, 0.98, 0.0, None, "best")
DECISION = DecisionRecord(
    12, False, (FIRST, SECOND), (PassedOver("c/m", "circuit", "provider c: open"),), ("home",),
    (Rival("b/m", 0.16, 0.38),),
)  # fmt: skip
REQUEST = RequestRecord(
    "3f2a9c1b5d7e8f90", NOON, "best", "balanced", "ok", 1.9, 2, "b", "m", 0.41, DECISION.to_text()
)  # fmt: skip


def attempt(at: float, name: str, outcome: str = "ok", total_s: float = 0.2, **facts: Any) -> AttemptRecord:
    return AttemptRecord(REQUEST.id, at, name, "m", outcome, True, total_s, **facts)


FAILED = attempt(NOON, "a", "rate_limit", status=429, code="tokens_per_min")
WHOLE = attempt(NOON + 1.2, "b", total_s=0.7, ttft_s=0.41, input_tokens=12, output_tokens=45, cost_usd=0.0005)


@pytest.fixture(autouse=True)
def utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def told(story: Story, width: int | None = None) -> list[str]:
    return [plain(line) for line in story.lines(NOON + 120, width, UNICODE)]


def test_a_sum_with_an_estimate_in_it_is_marked_as_one() -> None:
    broken = replace(FAILED, outcome="stall", cost_usd=0.0005, cost_estimated=True)
    assert told(Story.of(REQUEST, [broken, WHOLE]))[2] == "answered by b/m, 1.9 s in all, ~$0.001"


def test_a_story_is_told_in_a_dozen_lines() -> None:
    lines = told(Story.of(REQUEST, [FAILED, WHOLE]))
    assert lines == [
        "request 3f2a9c1b5d7e8f90  Mon 23 Nov 12:00:00, 2 min ago",
        "asked for best: balanced order, ~12 prompt tokens, rule 'home'",
        "answered by b/m, 1.9 s in all, $0.0005",
        "      candidate      p50  first   risk   tail  price  quality   index",
        "  1.  a/m         380 ms   0.41  +0.01  +0.10  +0.20    -0.10  0.62 s",
        "  2.  b/m        ~800 ms   0.41  +0.01  +0.10  ~0.20    -0.10  0.78 s",
        "  ✗ c/m: provider c: open",
        "      tried  outcome                        first token  in all         tokens     cost",
        "  1.  a/m    rate limit 429 tokens_per_min               200 ms",
        "     waited 1.0 s",
        "  2.  b/m    ok                                  410 ms  700 ms  12 in, 45 out  $0.0005",
        "  a/m leads by 0.16 s",
        "  b/m wins if its p50 first token < 380 ms",
    ]


@pytest.mark.parametrize("width", [66, 80, 100])
def test_no_line_of_it_is_wider_than_the_screen(width: int) -> None:
    story = Story.of(REQUEST, [FAILED, replace(WHOLE, provider="a-provider-with-a-long-name")])
    lines = story.lines(NOON + 120, width, UNICODE)
    assert all(width_of(line) <= width for line in lines), [plain(line) for line in lines]


def test_a_hedge_is_no_wait_and_is_said_to_be_one() -> None:
    slow = attempt(NOON, "a", "cancelled", total_s=1.5)
    hedge = attempt(NOON + 0.8, "b", total_s=0.6, ttft_s=0.3, hedge=True, cost_usd=0.01, cost_estimated=True)
    story = Story.of(REQUEST, [hedge, slow])
    assert story.waits_s == (0.0, 0.0)
    after_both = attempt(NOON + 1.7, "c")
    assert Story.of(REQUEST, [hedge, slow, after_both]).waits_s[2] == pytest.approx(0.2)
    lines = told(story)
    assert any(line.split()[:4] == ["1.", "a/m", "cancelled", "(outpaced)"] for line in lines)
    (line,) = [line for line in lines if "(hedge)" in line]
    assert "~$0.01" in line
    assert not any("waited" in line for line in lines)


def test_a_request_that_nobody_answered_says_so() -> None:
    story = Story.of(replace(REQUEST, outcome="rate_limit", provider=None, model=None), [FAILED])
    assert told(story)[2] == "no whole answer: rate limit after 1.9 s"


def test_a_broken_answer_names_who_broke_off() -> None:
    assert told(Story.of(replace(REQUEST, outcome="incomplete"), [FAILED]))[2].startswith("no whole answer by b/m")


def test_nobody_asked_and_no_decision_are_a_story_too() -> None:
    story = Story.of(replace(REQUEST, outcome="refused", provider=None, decision="garbage"), [])
    assert told(story)[3:] == ["  nobody was asked"]
    assert story.document()["decision"] is None


def test_many_candidates_are_cut_to_the_first_and_those_that_were_tried() -> None:
    many = tuple(replace(FIRST, key=f"p{n}/m") for n in range(9))
    rejected = tuple(PassedOver(f"q{n}/m", "off", "no key") for n in range(5))
    record = replace(DECISION, ranked=many, rejected=rejected)
    story = Story.of(replace(REQUEST, decision=record.to_text()), [replace(WHOLE, provider="p7")])
    lines = told(story)
    assert [line.split()[0] for line in lines if "/m " in line and "s" in line][:4] == ["1.", "2.", "3.", "8."]
    assert "  and 5 more in the order, 2 more not to be asked" in lines


def test_foreign_text_in_it_is_harmless() -> None:
    evil = attempt(NOON, "a\x1b[2J", "ser\x07ver", code="x\x9b")
    lines = told(Story.of(replace(REQUEST, asked_model="m\x1b]0;t\x07"), [evil]))
    assert not any(ord(character) < 32 or ord(character) in range(127, 160) for line in lines for character in line)


def test_the_document_says_all_of_it() -> None:
    document = json.loads(json.dumps(Story.of(REQUEST, [FAILED, WHOLE]).document(), allow_nan=False))
    assert (document["schema"], document["id"], document["outcome"]) == ("llmr.explain/1", REQUEST.id, "ok")
    first, second = document["attempts"]
    assert (first["outcome"], first["http"], first["code"], first["after_s"]) == (
        "rate_limit", 429, "tokens_per_min", 0.0,
    )  # fmt: skip
    assert second["waited_s"] == pytest.approx(1.0)
    assert (document["cost_usd"], document["decision"]["rules"]) == (0.0005, ["home"])
    assert document["decision"]["flips"][0]["p50_below_s"] == 0.38
    assert document["decision"]["ranked"][0]["terms_s"]["price"] == 0.2
