"""The page at `/`: open and empty without the token; with it, the live state, in a real browser where there is one."""

import re
from pathlib import Path

import pytest
from browser import MISSING, Browser
from served import TOKEN, Served, eventually

from llmr.lab import Behavior, LabProvider

EVIL = "<img src=x onerror=window.hacked=1>"
in_a_browser = pytest.mark.skipif(bool(MISSING), reason=MISSING or "there is one")


def used(serve) -> Served:
    """A server with a past: answers, a failure, a hit."""
    served = serve(
        LabProvider("good", [Behavior(text="fine", ttft_s=0.01)]),
        LabProvider("bad", [Behavior(status=503, error_message=EVIL)]),
        extra="[cache]\nenabled = true",
    )
    for _ in range(2):
        served.chat("one")
    served.chat("two", stream=True)
    assert served.chat("three", headers={"x-llmr-provider": "bad"}).status_code == 503
    eventually(lambda: len(served.on_loop(served.app.store.requests)) == 4)
    return served


def test_the_page_is_open_holds_nothing_and_may_load_nothing(serve):
    served = serve(LabProvider("a"))
    reply = served.get("/", authorization="")
    assert reply.status_code == 200
    assert reply.headers["content-type"] == "text/html; charset=utf-8"
    policy = reply.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert not re.search(r"(?:src|href)=|url\(|@import|https?://(?!www\.w3\.org/2000/svg)", reply.text)
    assert not re.search(r"innerHTML|outerHTML|insertAdjacent|document\.write|\beval\b|\son\w+=", reply.text)
    assert TOKEN not in reply.text
    assert len(reply.content) < 24_000
    assert served.raw(b"GET / HTTP/1.1\r\nhost: evil.example\r\nconnection: close\r\n\r\n").startswith(b"HTTP/1.1 421")


def test_what_the_page_shows_is_behind_the_token_and_tells_decisions_with_their_reasons(serve):
    served = used(serve)
    assert served.get("/v1/status", authorization="Bearer wrong-token-wrong-token").status_code == 401
    status = served.get("/v1/status").json()
    assert status["schema"] == "llmr.status/1"
    failed, streamed, hit, asked = status["decisions"]
    assert [one["outcome"] for one in (failed, streamed, hit, asked)][1:] == ["ok"] * 3
    assert (hit["cached"], asked["cached"], hit["tried"]) == (True, False, [])
    assert asked["tried"][0]["candidate"] == asked["by"] == "good/lab-model"
    assert [one["candidate"] for one in asked["ranked"]] == ["good/lab-model", "bad/lab-model"]
    assert failed["rejected"][0]["reason"] == "--provider bad was asked for"
    assert {p["name"] for p in status["providers"]} >= {"good", "bad"}
    for secret in ("fine", "three", TOKEN):  # an answer, a prompt, the token
        assert f'"{secret}' not in served.get("/v1/status").text


@in_a_browser
def test_the_page_asks_for_the_token_and_then_shows_how_things_are(serve, tmp_path: Path):
    served = used(serve)
    with Browser(tmp_path / "profile") as browser:
        browser.open(f"{served.origin}/")
        browser.until("return !document.getElementById('door').hidden")
        browser.type("#token", "not-the-token-at-all")
        browser.click("#entry button")
        browser.until("return document.getElementById('refused').textContent === 'That is not the token.'")
        assert browser.run("return sessionStorage.length") == 0
        browser.type("#token", TOKEN)
        browser.click("#entry button")
        browser.until("return document.querySelectorAll('#order li').length === 2")
        assert browser.run("return location.href") == f"{served.origin}/"
        assert browser.run("return document.cookie + localStorage.length") == "0"
        names = browser.run("return [...document.querySelectorAll('.row.name')].map(e => e.textContent)")
        assert names == ["good/lab-model", "bad/lab-model"]
        assert browser.run("return document.querySelectorAll('.spark path').length") >= 2
        browser.click("#decisions details:nth-child(4) summary")
        told = browser.run("return document.querySelector('#decisions details:nth-child(4)').innerText")
        assert "1. good/lab-model: weighs" in told
        assert "asked good/lab-model: ok after" in told
        # what a provider says is text
        assert browser.run("return window.hacked === undefined && document.images.length === 0")
        # it goes on by itself: another request shows up without anybody's doing, and what was opened stays open
        served.chat("four")
        browser.until("return document.querySelectorAll('#decisions details').length === 5")
        assert browser.run("return document.querySelector('#decisions details:nth-child(5)').open")
        blocked = [line for line in browser.complaints() if "401" not in line]
        assert blocked == []  # nothing against the policy, no error in the script
        browser.click("#leaving button")
        browser.until("return !document.getElementById('door').hidden && sessionStorage.length === 0")


@in_a_browser
def test_the_same_failure_again_and_again_is_one_line_and_the_order_follows_it(serve, tmp_path: Path):
    served = serve(
        LabProvider("good"), LabProvider("bad", [Behavior(status=503)]), extra="[fallback]\nmax_wait_s = 0\n"
    )
    served.chat()
    for _ in range(3):
        assert served.chat(headers={"x-llmr-provider": "bad"}).status_code == 503
    served.stored("requests", 4)
    with Browser(tmp_path / "profile") as browser:
        browser.open(f"{served.origin}/")
        browser.run(f"sessionStorage.setItem('llmr.token', '{TOKEN}')")
        browser.open(f"{served.origin}/")
        browser.until("return document.querySelectorAll('#decisions details').length === 2")
        assert "× 3" in browser.run("return document.querySelector('#decisions summary').innerText")
        browser.until("return document.querySelectorAll('#order li').length === 2")
        for _ in range(3):
            served.chat(headers={"x-llmr-provider": "bad"})
        browser.until("return document.querySelectorAll('#order li.out').length === 1")  # its circuit is open
        assert "bad/lab-model" in browser.run("return document.querySelector('#order li.out').innerText")


@in_a_browser
@pytest.mark.parametrize(("width", "dark"), [(400, True), (1100, False)])
def test_it_is_readable_by_day_and_night_on_a_phone_and_a_desk(serve, tmp_path: Path, width, dark):
    served = used(serve)
    with Browser(tmp_path / "profile", width, 900, dark) as browser:
        browser.open(f"{served.origin}/")
        browser.run(f"sessionStorage.setItem('llmr.token', '{TOKEN}')")
        browser.open(f"{served.origin}/")
        browser.until("return document.querySelectorAll('#order li').length === 2")
        assert browser.run("return document.documentElement.scrollWidth <= innerWidth")
        paper = browser.run("return getComputedStyle(document.body).backgroundColor")
        assert (paper == "rgb(20, 24, 29)") is dark
        assert browser.screenshot(tmp_path / "page.png").stat().st_size > 10_000


@in_a_browser
def test_a_server_that_is_gone_is_told(serve, tmp_path: Path):
    served = used(serve)
    with Browser(tmp_path / "profile") as browser:
        browser.open(f"{served.origin}/")
        browser.type("#token", TOKEN)
        browser.click("#entry button")
        browser.until("return document.getElementById('pulse').textContent === 'live'")
        served.server.should_exit = True
        browser.until("return document.getElementById('pulse').className === 'lost'")
