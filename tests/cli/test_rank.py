"""`llmr rank` decides about the request that `chat` would send, and ends as it would."""

import json
from typing import Any

import pytest

from llmr.lab import Behavior

SPEC = Behavior()
PNG = b"\x89PNG\r\n\x1a\n" + bytes(64)
WINDOWS = """
[providers.a.models.lab-model]
context_window_tokens = 128000
images = false
json = true
[providers.b.models.lab-model]
context_window_tokens = 1000000
images = true
json = false
"""


def places(said: Any) -> list[str]:
    return [place["candidate"] for place in said.json["ranked"]]


@pytest.fixture
def two(shell: Any) -> Any:
    shell.serve(a=[SPEC], b=[SPEC])
    file = shell.home / ".config/llmr/routing.toml"
    file.write_text(file.read_text() + WINDOWS)
    return shell


def test_a_file_of_200k_tokens_leaves_only_the_large_window(two: Any) -> None:
    (two.home / "book.txt").write_text("word " * 160_000)
    for said in (
        two("rank", "--json", "summarize", "@book.txt"),
        two("rank", "--json", "--prompt-file", "book.txt"),
        two("rank", "--json", "-a", "book.txt", "summarize"),
        two("rank", "--json", "summarize", stdin=b"word " * 160_000),
        two("rank", "--json", "summarize", "-", stdin=b"word " * 160_000),
        two("rank", "--json", "-s", "word " * 160_000, "summarize"),
    ):
        assert said.code == 0
        assert places(said) == ["b/lab-model"]
        assert said.json["prompt_tokens"] >= 200_000
    assert places(two("rank", "--json", "summarize")) == ["a/lab-model", "b/lab-model"]


def test_a_picture_and_a_schema_leave_whoever_can_take_them(two: Any) -> None:
    (two.home / "photo.png").write_bytes(PNG)
    assert places(two("rank", "--json", "what is it?", "-a", "photo.png")) == ["b/lab-model"]
    assert places(two("rank", "--json", "-a", "-", stdin=PNG)) == ["b/lab-model"]
    assert places(two("rank", "--json", "--schema", '{"type": "object"}', "what?")) == ["a/lab-model"]
    assert "--attach-urls" in two("rank", "-a", "https://example.com/x.png").err


def test_a_template_says_what_is_asked(two: Any) -> None:
    assert two("templates", "save", "long", "word " * 160_000 + "$input").code == 0
    assert places(two("rank", "--json", "-t", "long", "x")) == ["b/lab-model"]


def test_nothing_need_be_said(two: Any) -> None:
    assert two("rank").code == 0


DENY = """
[[rules]]
name = "first"
when = { tags = ["never"] }
only = ["a/*"]
[[rules]]
name = "night"
when = { stream = true }
deny = "go to bed"
[[rules]]
name = "after"
strategy = "cost"
"""


def test_a_refusal_is_told_with_every_rule(shell: Any) -> None:
    shell.serve(DENY, a=[SPEC])
    said = shell("rank", "-v", "x")
    assert said.code == 3
    assert [line.split(":")[0] for line in said.out.splitlines()] == [
        "  · rule 'first'", "  ✓ rule 'night'", "  · rule 'after'",
    ]  # fmt: skip
    assert "deny: go to bed" in said.out
    assert said.err_lines[0] == "llmr: rule 'night' refuses this request: go to bed"
    document = shell("rank", "--json", "x").json
    assert [rule["matched"] for rule in document["rules"]] == [False, True, False]
    assert (document["error"]["kind"], document["error"]["exit_code"]) == ("denied", 3)
    assert document["ranked"] == []


def test_a_refusal_can_be_told_from_a_broken_configuration(shell: Any) -> None:
    shell.serve(DENY, a=[SPEC])
    said = shell("chat", "--json", "x")
    assert (said.code, said.json["error"]["kind"]) == (3, "denied")
    shell.configure("strategy = 3")
    said = shell("chat", "--json", "x")
    assert (said.code, said.json["error"]["kind"]) == (3, "not_configured")


def test_a_rule_that_leaves_nobody_is_told_as_that(shell: Any) -> None:
    shell.serve('[[rules]]\nname = "home"\nonly = ["ollama/*"]', a=[SPEC])
    said = shell("chat", "x")
    assert said.code == 3
    assert said.err == (
        "llmr: rule 'home' allows only ollama/*: that leaves nobody for 'm' (candidates: a/lab-model)\n"
    )
    assert shell("rank", "--json", "x").json["error"]["kind"] == "denied"


@pytest.mark.parametrize(
    ("head", "behavior", "code"),
    [
        ("[circuit_breaker]\nfailure_threshold = 1\n[fallback]\nmax_wait_s = 0", Behavior(status=429), 6),
        ("[circuit_breaker]\nfailure_threshold = 1\n[fallback]\nmax_wait_s = 0", Behavior(status=500), 5),
        ("[fallback]\nmax_wait_s = 0", Behavior(status=401), 4),
        ("[[rules]]\nname = 'thrift'\nmax_price_usd = 0.1", SPEC, 11),
        ("[[rules]]\nname = 'home'\nonly = ['ollama/*']", SPEC, 3),
    ],
)
def test_with_nobody_to_ask_rank_ends_as_chat_does(shell: Any, head: str, behavior: Behavior, code: int) -> None:
    shell.serve(head, a=[behavior] * 4)
    shell("chat", "x")
    ranked, asked = shell("rank", "--json", "x"), shell("chat", "--json", "x")
    assert ranked.json["ranked"] == []
    assert (ranked.code, asked.code) == (code, code)
    assert ranked.json["error"]["kind"] == asked.json["error"]["kind"]


def test_an_effect_that_the_command_line_outranks_is_marked(shell: Any) -> None:
    rule = '[[rules]]\nname = "r"\nstrategy = "cost"\nhedge = true\non_break = "restart"'
    shell.serve(rule, a=[SPEC])
    assert "strategy cost, hedge, on_break restart" in shell("rank", "-v", "x").out
    said = shell("rank", "-v", "--strategy", "latency", "--no-hedge", "x").out
    assert "strategy cost (the request says otherwise), hedge (the request says otherwise), on_break restart" in said
    assert json.loads(shell("rank", "--json", "--strategy", "latency", "x").out)["strategy"] == "latency"
