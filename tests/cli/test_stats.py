"""`llmr stats`: options, files and exit codes."""

import time
from typing import Any

import pytest

from llmr.cli.stats import since_when
from llmr.errors import UsageError
from llmr.lab import Behavior

DOWN = Behavior(status=500, error_message="on fire")
SPEC = Behavior(text="Once upon a time")
NOON = 1_795_435_200.0


@pytest.mark.parametrize(("said", "ago_s"), [("30m", 1800), ("12h", 43_200), ("7d", 604_800), ("4w", 2_419_200)])
def test_since_is_a_length_of_time(said: str, ago_s: float) -> None:
    assert since_when(said, NOON) == NOON - ago_s


def test_since_is_a_date_or_all() -> None:
    assert time.localtime(since_when("2026-11-01", NOON))[:5] == (2026, 11, 1, 0, 0)
    assert since_when("all", NOON) == 0.0
    assert since_when("999999w", NOON) == 0.0


@pytest.mark.parametrize("said", ["", "7", "0d", "d", "-1d", "7y", "2026-13-01", "2027-01-01", "٧d", "9999999d"])
def test_what_is_no_time_is_refused_with_examples(said: str) -> None:
    with pytest.raises(UsageError, match=r"--since"):
        since_when(said, NOON)


def test_what_was_asked_is_added_up(shell: Any) -> None:
    shell.serve(a=[DOWN, DOWN], b=[SPEC])
    shell("chat", "x")
    said = shell("stats")
    assert said.code == 0
    assert said.out.startswith("last 7 days: 1 request, 100% answered, 1 of them by a fallback\n")
    assert "\x1b" not in said.out
    document = shell("stats", "--by", "provider", "--json", "--since", "all").json
    assert {group["provider"]: group["whole"] for group in document["groups"]} == {"a": 0, "b": 1}


def test_before_the_first_request_there_is_nothing(shell: Any) -> None:
    shell.serve(a=[SPEC])
    said = shell("stats")
    assert (said.code, said.out) == (0, "nothing was asked in the last 7 days\n")


def test_the_page_is_written_whole_and_nothing_is_printed(shell: Any) -> None:
    shell.serve(a=[SPEC])
    shell("chat", "x")
    said = shell("stats", "--html", "out.html")
    assert (said.code, said.out) == (0, "")
    assert (shell.home / "out.html").read_text().endswith("</html>\n")
    assert [path.name for path in shell.home.iterdir() if "out.html" in path.name] == ["out.html"]
    assert shell("stats", "--html", "-").out.startswith("<!doctype html>")


def test_a_page_that_cannot_be_written_is_exit_code_12_and_leaves_nothing(shell: Any) -> None:
    shell.serve(a=[SPEC])
    (shell.home / "there").mkdir()
    for target in ("nowhere/out.html", "there"):
        said = shell("stats", "--html", target)
        assert said.code == 12
        assert f"{target} cannot be written" in said.err
    assert not [path.name for path in shell.home.iterdir() if path.name.startswith(".there")]


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("--by", "modle"), "did you mean model?"),
        (("--since", "soon"), "is no time"),
        (("--json", "--html", "x"), "take one of them"),
    ],
)
def test_what_cannot_be_used_is_one_line(shell: Any, arguments: tuple[str, ...], word: str) -> None:
    said = shell("stats", *arguments)
    assert (said.code, said.out) == (2, "")
    assert word in said.err
    assert len(said.err_lines) == 1
