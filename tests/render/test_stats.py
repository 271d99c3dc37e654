"""The stats view, its document and its page: whole, in the width there is, and safe from what it names."""

import base64
import hashlib
import json
import re
import time
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any

import pytest
from fakes import NOON

from llmr.render.ink import plain, width_of
from llmr.render.page import STYLE, stats_page
from llmr.render.pictures import ASCII, UNICODE, Glyphs
from llmr.render.stats import stats_json, stats_view
from llmr.render.summary import By, Summary, summarized
from llmr.state import AttemptRecord

DAY = 86_400.0


@pytest.fixture(autouse=True)
def utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def attempt(n: int, name: str = "a", outcome: str = "ok", model: str = "m", **more: Any) -> AttemptRecord:
    facts = (
        {"ttft_s": 0.2 * (1 + n % 5), "cost_usd": 0.01, "input_tokens": 10, "output_tokens": 20}
        if outcome == "ok"
        else {}
    )
    return AttemptRecord(f"{n}", NOON - n * 9000, name, model, outcome, True, 2.0, **{**facts, **more})


WEEK = [attempt(n, "ab"[n % 2], "rate_limit" if n % 9 == 4 else "ok") for n in range(60)]


def week(by: By = By.MODEL, *more: AttemptRecord) -> Summary:
    return summarized([*WEEK, *more], since=NOON - 7 * DAY, now=NOON, by=by)


def said(summary: Summary, width: int | None = None, glyphs: Glyphs = UNICODE) -> list[str]:
    return [plain(line) for line in stats_view(summary, width, glyphs)]


def test_it_begins_with_what_matters() -> None:
    assert said(week())[:2] == [
        "last 7 days: 60 requests, 88% answered",
        "60 attempts, 88% whole; 530 tokens in, 1,060 out; $0.53",
    ]


def test_the_rows_over_time_share_their_columns() -> None:
    lines = said(week())
    rows = {name: next(line for line in lines if line.startswith(name)) for name in ("asked", "whole", "first token")}
    drawn = {name: line[13 : 13 + 42] for name, line in rows.items()}
    for column in range(42):
        blanks = {name: text[column] == " " for name, text in drawn.items()}
        assert blanks["asked"] == blanks["whole"], column
    assert "L rate limit" in " ".join(lines)


def test_the_first_token_is_a_histogram_whose_counts_add_up() -> None:
    lines = [line for line in said(week()) if "≤" in line]
    assert [line.split("≤")[1].split()[:2] for line in lines] == [["250", "ms"], ["500", "ms"], ["1.0", "s"]]
    assert sum(int(line.split()[-1]) for line in lines) == 53


def test_money_is_shown_by_day_but_not_twice() -> None:
    assert sum(bool(re.search(r" 11-\d\d ", line)) for line in said(week())) == 7
    by_day = said(week(By.DAY))
    assert not any(re.search(r" 11-\d\d ", line) for line in by_day)
    assert sum(line.startswith("2026-11-") for line in by_day) == 7


@pytest.mark.parametrize("width", [66, 80, 100, 120])
@pytest.mark.parametrize("by", list(By))
@pytest.mark.parametrize("glyphs", [UNICODE, ASCII])
def test_no_line_is_wider_than_the_screen(width: int, by: By, glyphs: Glyphs) -> None:
    long = attempt(3, "a-provider-with-a-name-that-is-far-too-long", model="and/a-model-of-many-words-4.5-preview")
    lines = stats_view(week(by, long), width, glyphs)
    assert all(width_of(line) <= width for line in lines), [plain(line) for line in lines]


def test_nothing_is_said_to_be_nothing() -> None:
    assert said(summarized([], since=NOON - 7 * DAY, now=NOON, by=By.MODEL)) == ["nothing was asked in the last 7 days"]


def test_many_models_are_cut_and_counted() -> None:
    many = summarized([attempt(n, f"p{n}") for n in range(40)], since=NOON - 7 * DAY, now=NOON, by=By.MODEL)
    assert "and 16 more" in said(many)


def test_the_document_says_all_of_it() -> None:
    document = json.loads(json.dumps(stats_json(week()), allow_nan=False))
    assert (document["schema"], document["requests"], document["answered"]) == ("llmr.stats/1", 60, 53)
    assert document["total"]["failures"] == {"rate_limit": 7}
    assert sum(group["attempts"] for group in document["groups"]) == 60
    assert sum(slot["attempts"] for slot in document["slots"]) == 60
    assert sum(each["count"] for each in document["first_token_histogram"]) == 53
    assert sum(day["spent_usd"] for day in document["days"]) == pytest.approx(document["total"]["spent_usd"])


class Page(HTMLParser):
    """What a browser would see."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag != "meta":
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)


@pytest.mark.parametrize("by", list(By))
def test_the_page_is_well_formed_and_needs_nothing_else(by: By) -> None:
    page = Page(stats_page(week(by)))
    assert page.open == []
    names = {tag for tag, _ in page.tags}
    assert not names & {"script", "link", "img", "iframe", "object", "image", "use", "a", "form"}
    for _, attributes in page.tags:
        assert not {name for name in attributes if name.startswith("on") or name in {"style", "href", "src", "srcset"}}
    assert "url(" not in STYLE
    assert "@import" not in STYLE
    assert "http" not in stats_page(week(by)).replace("http-equiv", "")


def test_its_policy_allows_its_own_style_and_nothing_more() -> None:
    text = stats_page(week())
    (style,) = re.findall(r"<style>(.*?)</style>", text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"content=\"default-src 'none'; style-src 'sha256-{digest}'\"" in text


def test_a_name_cannot_leave_its_place_in_the_page() -> None:
    evil = 'm"><script>alert(1)</script><img src=x onerror=a>&\x1b[2J\u202e'
    page = Page(stats_page(week(By.MODEL, attempt(1, model=evil, outcome="<b>x</b>"))))
    assert page.open == []
    assert not {tag for tag, _ in page.tags} & {"script", "img", "b"}
    words = "".join(page.words)
    assert "<script>alert(1)</script>" in words
    assert "\x1b" not in words
    assert "\u202e" not in words


def test_every_class_of_the_page_has_a_style() -> None:
    used = {name for _, attributes in Page(stats_page(week())).tags for name in (attributes.get("class") or "").split()}
    assert used <= set(re.findall(r"\.([a-z]+)", STYLE))


def test_a_page_of_nothing_says_so() -> None:
    page = Page(stats_page(summarized([], since=NOON - DAY, now=NOON, by=By.MODEL)))
    assert page.open == []
    assert "Nothing was asked in this time." in page.words
