"""`chat --cache` and `llmr cache`: the same question twice, what it saved, and how it is forgotten."""

import json

from llmr.lab import Behavior

ANSWER = Behavior(text="Rosebud-4711 it is.")
OTHER = Behavior(text="Something else.")


def test_the_same_question_is_answered_from_the_cache_and_nobody_is_asked(shell):
    shell.serve(a=[ANSWER, OTHER])
    first = shell("chat", "--cache", "hi")
    second = shell("chat", "--cache", "hi")
    assert (first.code, second.code) == (0, 0)
    assert first.out == second.out == "Rosebud-4711 it is."
    assert "from the cache" not in first.err
    assert any(line.startswith("llmr: from the cache: a/lab-model answered it ") for line in second.err_lines)


def test_without_the_option_everybody_is_asked_and_nothing_is_kept(shell):
    shell.serve(a=[ANSWER, OTHER])
    assert shell("chat", "hi").out != shell("chat", "hi").out
    assert not list(shell.home.rglob("cache.db"))


def test_json_and_jsonl_say_where_the_answer_is_from(shell):
    shell.serve(a=[ANSWER, OTHER])
    asked = shell("chat", "--cache", "--json", "hi").json
    again = shell("chat", "--cache", "--json", "hi").json
    assert asked["cached"] is None
    assert set(again["cached"]) == {"age_s", "likeness"}
    assert (again["text"], again["provider"], again["attempts"]) == (asked["text"], "a", [])
    assert (again["cost_usd"], again["fallback"], again["partial"]) == (0.0, False, False)
    lines = [json.loads(line) for line in shell("chat", "--cache", "--jsonl", "hi").out.splitlines()]
    names = [line["event"] for line in lines]
    assert names[:2] == ["start", "cached"]
    assert names[-1] == "end"
    assert lines[0]["id"] == lines[-1]["id"]


def test_an_answer_from_the_cache_is_explained_counted_and_saved_like_any(shell, monkeypatch):
    monkeypatch.setenv("LLMR_SAVE", "1")
    shell.serve(a=[ANSWER])
    shell("chat", "--cache", "hi")
    shell("chat", "--cache", "-v", "hi")
    explained = shell("explain")
    assert explained.code == 0
    assert "from the cache" in explained.out
    assert shell("stats").code == 0
    assert shell("stats", "--json").code == 0
    assert [turn["turns"] for turn in shell("log", "--json").json["conversations"]] == [1, 1]


def test_what_it_saved_is_told_and_what_it_holds_is_taken_away(shell):
    shell.serve(a=[ANSWER])
    nothing = shell("cache", "stats")
    assert (nothing.code, nothing.out) == (0, "")
    assert "nothing has been kept yet" in nothing.err
    for _ in range(3):
        shell("chat", "--cache", "hi")
    counts = shell("cache", "stats", "--json").json
    assert (counts["schema"], counts["entries"], counts["hits"], counts["misses"]) == ("llmr.cache/1", 1, 2, 1)
    told = shell("cache", "stats").out
    assert "kept    1 answer," in told
    assert "hits    2 of 3 look-ups (67%)" in told
    (path,) = shell.home.rglob("cache.db")
    assert b"Rosebud-4711" in b"".join(file.read_bytes() for file in path.parent.glob("cache.db*"))
    assert shell("cache", "purge").err_lines[-1] == "llmr: 1 kept answer removed"
    assert b"Rosebud-4711" not in b"".join(file.read_bytes() for file in path.parent.glob("cache.db*"))


def test_where_nothing_is_kept_the_option_says_so(shell):
    shell.serve('[state]\npath = ":memory:"', a=[ANSWER])
    said = shell("chat", "--cache", "hi")
    assert (said.code, said.out) == (0, "Rosebud-4711 it is.")
    assert any("--cache: nothing is kept here" in line for line in said.err_lines)


def test_a_rule_that_says_no_outranks_the_option(shell):
    shell.serve('[[rules]]\nname = "p"\nwhen = { tags = ["private"] }\ncache = false', a=[ANSWER, OTHER])
    answers = {shell("chat", "--cache", "--tag", "private", "hi").out for _ in range(2)}
    assert len(answers) == 2
