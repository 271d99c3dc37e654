"""`--compare a,b` and `--n N`: several answers to one question, asked at once."""

import json
import os
import signal
import threading

import pytest
from fakes import model

from llmr.chat import ChatRequest
from llmr.cli.compare_view import live_view
from llmr.cli.contender import Contender
from llmr.cli.keeping import Keeping
from llmr.lab import Behavior, Fault
from llmr.router import AttemptStarted, Waiting
from llmr.routing.rules import Candidate
from llmr.secret import Redactor

A, B = "a/lab-model", "b/lab-model"


def test_answers_stand_below_each_other_in_a_pipe_in_the_order_of_their_names(shell) -> None:
    shell.serve(a=[Behavior(text="from a", ttft_s=0.2)], b=[Behavior(text="from b")])
    said = shell("chat", "--compare", f"{A},{B}", "hi")
    assert said.code == 0
    assert said.out == f"## {A}\n\nfrom a\n\n## {B}\n\nfrom b\n\n"
    assert [line.split(":")[1].strip() for line in said.err_lines] == [A, B]
    assert all("first token" in line and "cost unknown" in line for line in said.err_lines)


@pytest.mark.parametrize("several", [("--compare", f"{A},{A}"), ("-m", A, "--n", "2")])
def test_no_control_character_of_an_answer_reaches_a_pipe_that_is_to_be_safe(shell, several) -> None:
    shell.serve(a=[Behavior(text="a\x1b]52;c;ZXZpbA==\x07b")])
    assert shell("chat", *several, "hi").out.count("\x1b]52;") == 2, "a pipe is given what came"
    said = shell("chat", *several, "--safe-output=always", "hi")
    assert said.code == 0
    assert said.out.count("␛]52;") == 2
    assert "\x1b" not in said.out


def test_answers_are_drawn_in_a_pipe_that_is_asked_for_colour_and_not_where_they_are_to_be_raw(shell) -> None:
    shell.serve(a=[Behavior(text="**bold**")])
    assert "**bold**" not in shell("chat", "--compare", f"{A},{A}", "--color=always", "hi").out
    assert "**bold**" in shell("chat", "--compare", f"{A},{A}", "--color=always", "--raw", "hi").out


def test_they_are_asked_at_the_same_time(shell) -> None:
    """Each answers only when both have been asked."""
    held = Behavior(text="x", gate="both")
    lab = shell.serve(a=[held], b=[held])

    def release_when_both_were_asked() -> None:
        if all(lab.provider(name).wait_for_requests(1) for name in "ab"):
            for name in "ab":
                lab.provider(name).release("both")

    releasing = threading.Thread(target=release_when_both_were_asked)
    releasing.start()
    assert shell("chat", "--compare", f"{A},{B}", "hi").code == 0
    releasing.join()


def test_one_that_fails_leaves_the_others_alone(shell) -> None:
    shell.serve(a=[Behavior(status=400, error_message="no such thing")], b=[Behavior(text="from b")])
    said = shell("chat", "--compare", f"{A},{B}", "hi")
    assert said.code == 0
    assert "from b" in said.out
    assert said.err_lines[0].startswith(f"llmr: {A}: no answer for")
    assert said.out.startswith(f"## {A}\n\n*no answer for")
    assert "no such thing" in said.out


def test_a_name_that_nobody_knows_is_refused_before_anybody_is_asked(shell) -> None:
    lab = shell.serve(a=[Behavior()])
    said = shell("chat", "--compare", f"{A},lab-modle", "hi")
    assert (said.code, said.out) == (2, "")
    assert "lab-modle" in said.err
    assert lab.provider("a").requests == ()


def test_what_came_of_a_broken_one_is_shown(shell) -> None:
    shell.serve(a=[Behavior(text="one two three four", fault=Fault.CUT, fault_at=2)], b=[Behavior(text="whole")])
    said = shell("chat", "--compare", f"{A},{B}", "hi")
    assert "one two" in said.out
    assert "broke off" in said.err_lines[0]


@pytest.mark.parametrize(
    ("first", "second", "code"),
    [
        (Behavior(status=400), Behavior(status=500), 5),
        (Behavior(status=500), Behavior(status=429), 6),
        (Behavior(status=401), Behavior(status=400), 4),
        (Behavior(status=429), Behavior(text="one two three", fault=Fault.CUT, fault_at=2), 8),
        (Behavior(text="one", finish_reason="content_filter"), Behavior(status=400), 9),
        (Behavior(text="one", finish_reason="content_filter"), Behavior(text="whole"), 0),
    ],
)
def test_when_none_is_whole_the_most_retryable_wins_whatever_the_order(shell, first, second, code: int) -> None:
    shell.serve(a=[first] * 3, b=[second] * 3)
    assert shell("chat", "--compare", f"{A},{B}", "hi").code == code
    assert shell("chat", "--compare", f"{B},{A}", "hi").code == code


def test_all_are_kept_beside_each_other_and_the_conversation_goes_on_from_the_first_whole_one(
    shell, monkeypatch
) -> None:
    monkeypatch.setenv("LLMR_SAVE", "1")
    broken = Behavior(text="half an answer", fault=Fault.CUT, fault_at=1)
    lab = shell.serve(a=[broken], b=[Behavior(text="from b"), Behavior(text="more of b")], c=[Behavior(text="from c")])
    said = shell("chat", "--compare", f"{A},{B},c/lab-model", "--json", "hi")
    assert f"`llmr chat -c` goes on from {B}" in said.err
    conversation = said.json["answers"][0]["conversation_id"]
    assert {answer["conversation_id"] for answer in said.json["answers"]} == {conversation}
    turns = shell("log", "show", conversation, "--json").json["turns"]
    assert [(turn["provider"], turn["outcome"], turn["parent"]) for turn in turns] == [
        ("a", "incomplete", None),
        ("c", "ok", None),
        ("b", "ok", None),
    ]
    assert shell("chat", "-c", "go on").out == "more of b"
    assert [m["content"] for m in lab.provider("b").requests[-1].json["messages"]] == ["hi", "from b", "go on"]
    assert shell("log", "show", conversation, "--json").json["turns"][-1]["parent"] == turns[-1]["number"]


def test_a_question_about_what_was_said_before_is_asked_of_all_with_its_history(shell, monkeypatch) -> None:
    monkeypatch.setenv("LLMR_SAVE", "1")
    lab = shell.serve(a=[Behavior(text="first")], b=[Behavior(text="second")])
    shell("chat", "-m", A, "one")
    shell("chat", "-c", "--compare", f"{A},{B}", "two")
    for name in "ab":
        assert [m["content"] for m in lab.provider(name).requests[-1].json["messages"]] == ["one", "first", "two"]
    assert [turn["prompt"] for turn in shell("log", "show", "last", "--json").json["turns"]] == ["one", "two", "two"]


def test_an_interrupt_while_whole_answers_are_kept_changes_nothing(shell, monkeypatch) -> None:
    monkeypatch.setenv("LLMR_SAVE", "1")
    shell.serve(a=[Behavior(text="from a")], b=[Behavior(text="from b")])
    keep = Keeping.keep

    def interrupted(*arguments, **more):
        os.kill(os.getpid(), signal.SIGINT)
        return keep(*arguments, **more)

    with monkeypatch.context() as patch:
        patch.setattr(Keeping, "keep", interrupted)
        assert shell("chat", "--compare", f"{A},{B}", "hi").code == 0
    assert [turn["outcome"] for turn in shell("log", "show", "last", "--all", "--json").json["turns"]] == ["ok", "ok"]


def test_nothing_is_kept_where_nothing_is_to_be(shell) -> None:
    shell.serve(a=[Behavior()], b=[Behavior()])
    said = shell("chat", "--compare", f"{A},{B}", "--json", "hi")
    assert said.err == ""
    assert [answer["conversation_id"] for answer in said.json["answers"]] == [None, None]


def test_the_receipt_is_of_each(shell) -> None:
    shell.serve(a=[Behavior()], b=[Behavior(status=400)])
    said = shell("chat", "--compare", f"{A},{B}", "-v", "hi").err
    assert f"  {A}\n    1. {A} ok" in said
    assert f"  {B}\n    1. {B} 400 bad request" in said


def test_the_same_one_can_be_asked_several_times(shell) -> None:
    lab = shell.serve(a=[Behavior(text="one"), Behavior(text="two"), Behavior(text="three")])
    said = shell("chat", "--n", "3", "hi")
    assert said.code == 0
    assert len(lab.provider("a").requests) == 3
    headings = [line for line in said.out.splitlines() if line.startswith("##")]
    assert headings == ["## answer 1", "## answer 2", "## answer 3"]
    assert {"one", "two", "three"} <= set(said.out.splitlines())


def test_the_json_holds_each_answer_as_chat_has_it(shell) -> None:
    shell.serve(a=[Behavior(text="from a")], b=[Behavior(status=400)])
    document = json.loads(shell("chat", "--compare", f"{A},{B}", "--json", "hi").out)
    assert document["schema"] == "llmr.compare/1"
    first, second = document["answers"]
    assert (first["title"], first["schema"], first["text"], first["error"]) == (A, "llmr.chat/1", "from a", None)
    assert second["error"]["exit_code"] == 9


@pytest.mark.parametrize(
    "options",
    [
        ["--compare", "one"],
        ["--compare", ",".join("abcdefghi")],
        ["--compare", "a,b", "--n", "2"],
        ["--compare", "a,b", "-m", "c"],
        ["--n", "2", "--jsonl"],
        ["--n", "2", "-x"],
        ["--n", "2", "--copy"],
        ["--n", "2", "-o", "x"],
        ["--n", "1"],
        ["--n", "9"],
    ],
)
def test_what_makes_no_sense_is_refused_before_anybody_is_asked(shell, options: list[str]) -> None:
    lab = shell.serve(a=[Behavior()])
    assert shell("chat", *options, "hi").code == 2
    assert lab.provider("a").requests == ()


def test_while_one_waits_its_reason_stands_there() -> None:
    one = Contender("best", ChatRequest(messages=()))
    assert _so_far(one) == "waiting, 2 s"
    one.take(Waiting(2.0, "for a/m: circuit open"))
    assert _so_far(one) == "waiting for a/m: circuit open, 2 s"
    one.take(AttemptStarted(Candidate(model("a"), "best", 0, 0), 1, probe=True))
    assert _so_far(one) == "asking a/m, 2 s"


def _so_far(one: Contender) -> str:
    rows = live_view([one], lambda: 2.0, Redactor())(80, 24)
    return rows[0].removeprefix("best: ")
