"""`--compare a,b` and `--n N`: several answers to one question, asked at once."""

import json
import threading

import pytest

from llmr.lab import Behavior, Fault

A, B = "a/lab-model", "b/lab-model"


def test_answers_stand_below_each_other_in_a_pipe_in_the_order_of_their_names(shell) -> None:
    shell.serve(a=[Behavior(text="from a", ttft_s=0.2)], b=[Behavior(text="from b")])
    said = shell("chat", "--compare", f"{A},{B}", "hi")
    assert said.code == 0
    assert said.out == f"## {A}\n\nfrom a\n\n## {B}\n\nfrom b\n\n"
    assert [line.split(":")[1].strip() for line in said.err_lines] == [A, B]
    assert all("first token" in line and "cost unknown" in line for line in said.err_lines)


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


def test_when_all_fail_the_code_is_the_first_ones(shell) -> None:
    shell.serve(a=[Behavior(status=400)], b=[Behavior(status=500)])
    assert shell("chat", "--compare", f"{A},{B}", "hi").code == 9


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
