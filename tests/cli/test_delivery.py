"""Where an answer goes when it does not just stream to stdout: -x, -o, --copy, --json, --jsonl."""

import json
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from llmr.cli.clipboard import MOST_BYTES, copied
from llmr.cli.delivery import extracted
from llmr.cli.file_target import FileTarget
from llmr.config.environment import Environment
from llmr.errors import OutputError
from llmr.lab import Behavior, Fault

CODE = "Do this:\n\n```sh\nls -l\n```\n\nand then:\n\n```py\nx = 1\n```\n"
CUT = Behavior(text="one two three four", fault=Fault.CUT, fault_at=3)
DOWN = Behavior(status=500)


# -x


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (CODE, "ls -l\n"),
        ("```\na\n\n  b\n```", "a\n\n  b\n"),
        ("~~~~ c\n```\n~~~~", "```\n"),
        ("- x\n  ```\n  in an item\n  ```\n", "in an item\n"),
        ("```\nnever closed", "never closed\n"),
        ("```\r\nwindows\r\n```\r\n", "windows\n"),
        ("```\n```", ""),
        ("`code` and no block", None),
        ("", None),
    ],
)
def test_the_first_code_block_is_found(text: str, code: str | None) -> None:
    assert extracted(text) == code


def test_a_long_paragraph_before_the_code_hides_nothing() -> None:
    assert extracted("word " * 9_000 + "\n```\n" + "x" * 9_000 + "\n```\n") == "x" * 9_000 + "\n"


def test_extract_prints_the_code_and_nothing_else(shell) -> None:
    shell.serve(a=[Behavior(text=CODE)])
    said = shell("chat", "-x", "hi")
    assert (said.code, said.out, said.err) == (0, "ls -l\n", "")


def test_extract_prints_everything_and_says_so_where_there_is_no_code(shell) -> None:
    shell.serve(a=[Behavior(text="no code here")])
    said = shell("chat", "-x", "hi")
    assert (said.code, said.out) == (0, "no code here")
    assert said.err_lines == ["llmr: no code block in the answer: this is all of it"]


def test_extract_keeps_what_came_of_a_broken_answer(shell) -> None:
    shell.serve(a=[CUT])
    said = shell("chat", "-x", "hi")
    assert (said.code, said.out.split()) == (8, ["one", "two", "three"])


# -o


def test_the_answer_goes_to_the_file_byte_for_byte_and_not_to_stdout(shell) -> None:
    shell.serve(a=[Behavior(text="Grüße\x1b[1m\r\n")])
    said = shell("chat", "-o", "answer.md", "hi")
    assert (said.code, said.out, said.err) == (0, "", "")
    assert (shell.home / "answer.md").read_bytes() == "Grüße\x1b[1m\r\n".encode()
    assert [path.name for path in shell.home.iterdir() if path.name.startswith(".answer")] == []


def test_extract_and_json_go_to_the_file_too(shell) -> None:
    shell.serve(a=[Behavior(text=CODE)])
    assert shell("chat", "-x", "-o", "run.sh", "hi").code == 0
    assert (shell.home / "run.sh").read_text() == "ls -l\n"
    assert shell("chat", "--json", "-o", "a.json", "hi").code == 0
    assert json.loads((shell.home / "a.json").read_text())["text"] == CODE


def test_a_broken_answer_leaves_the_file_as_it_was_and_is_kept_beside_it(shell) -> None:
    shell.serve(a=[CUT])
    (shell.home / "answer.md").write_text("before")
    said = shell("chat", "-o", "answer.md", "hi")
    assert said.code == 8
    assert (shell.home / "answer.md").read_text() == "before"
    assert (shell.home / "answer.md.part").read_text().split() == ["one", "two", "three"]
    assert "llmr: what came is kept as answer.md.part" in said.err_lines


def test_a_failure_without_a_word_writes_no_file(shell) -> None:
    shell.serve(a=[DOWN])
    assert shell("chat", "-o", "answer.md", "hi").code == 5
    assert not (shell.home / "answer.md").exists()
    assert not (shell.home / "answer.md.part").exists()


@pytest.mark.parametrize("where", ["no/such/dir/x", ".", "/proc/nothing/x"])
def test_a_file_that_cannot_be_written_is_told_before_anybody_is_asked(shell, where: str) -> None:
    lab = shell.serve(a=[Behavior()])
    said = shell("chat", "-o", where, "hi")
    assert said.code == 12
    assert where in said.err
    assert lab.provider("a").requests == ()


def test_the_file_behind_a_link_is_replaced_and_keeps_its_mode(tmp_path: Path) -> None:
    real, link = tmp_path / "real", tmp_path / "link"
    real.write_text("old")
    real.chmod(0o640)
    link.symlink_to(real)
    FileTarget(str(link)).write(b"new")
    assert link.is_symlink()
    assert (real.read_text(), stat.S_IMODE(real.stat().st_mode)) == ("new", 0o640)


def test_a_new_file_has_the_mode_that_the_umask_leaves(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        FileTarget(str(tmp_path / "new")).write(b"x")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o640


def test_a_pipe_is_written_to_and_not_replaced(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    FileTarget(str(fifo)).write(b"through")
    assert os.read(reader, 100) == b"through"
    assert FileTarget(str(fifo)).write_part(b"half") == str(fifo)
    assert os.read(reader, 100) == b"half"
    os.close(reader)
    assert list(tmp_path.iterdir()) == [fifo]
    assert stat.S_ISFIFO(fifo.stat().st_mode)


def test_a_full_disk_is_told_and_leaves_no_rest(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="No space left"):
        FileTarget("/dev/full").write(b"x" * 100_000)


def test_a_directory_that_went_away_in_the_meantime_is_told(tmp_path: Path) -> None:
    there = tmp_path / "dir"
    there.mkdir()
    target = FileTarget(str(there / "x"))
    there.rmdir()
    with pytest.raises(OutputError, match="cannot be written"):
        target.write(b"x")
    with pytest.raises(OutputError, match="cannot be written"):
        target.write_part(b"x")


# --copy


def test_nothing_is_copied_where_there_is_no_terminal(shell) -> None:
    shell.serve(a=[Behavior(text="x")])
    said = shell("chat", "--copy", "hi")
    assert (said.code, said.out) == (0, "x")
    assert said.err_lines == ["llmr: --copy: nothing was copied, for there is no terminal to ask"]


def world(**variables: str) -> Environment:
    return Environment.of(variables, cwd=None)


def test_too_long_a_text_is_not_copied_and_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("llmr.cli.clipboard._terminal", lambda: 1)
    assert "nothing was copied: 74,995 bytes" in copied("x" * (MOST_BYTES + 1), world(), ())
    assert "no terminal" in copied("x", world(TERM="dumb"), ())


def test_a_terminal_that_is_gone_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    full = os.open("/dev/full", os.O_WRONLY)
    monkeypatch.setattr("llmr.cli.clipboard._terminal", lambda: full)
    assert "No space left" in copied("x", world(), ())
    os.close(full)


def test_of_a_terminal_it_is_said_that_it_was_asked_and_not_that_it_did(
    monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    monkeypatch.setattr("llmr.cli.clipboard._terminal", lambda: 1)
    assert copied("hi", world(TERM="xterm"), ()) == "asked the terminal to copy 2 characters (OSC 52)"
    assert capfdbinary.readouterr().out == b"\x1b]52;c;aGk=\x07"
    assert "with `set-clipboard on` only" in copied("hi", world(TERM="tmux-256color"), ())
    capfdbinary.readouterr()
    assert "nothing was copied: GNU screen" in copied("hi", world(TERM="screen", STY="1.pts"), ())
    assert capfdbinary.readouterr().out == b""


@pytest.fixture
def tmux(tmp_path: Path) -> Callable[..., Environment]:
    """The environment within a tmux that keeps what it is given in `buffer`."""

    def make(*, features: str = "", code: int = 0) -> Environment:
        program = tmp_path / "tmux"
        program.write_text(
            f"#!/bin/sh\ncd {tmp_path}\necho $@ > said\ncat > buffer\nenv > given\necho {features}\nexit {code}\n"
        )
        program.chmod(0o700)
        return world(
            PATH=f"{tmp_path}:{os.environ['PATH']}",
            TMUX="/tmp/tmux,1,0",
            TERM="screen",
            OPENAI_API_KEY="sk-1",
            WORK="sk-2",
        )

    return make


@pytest.mark.parametrize(
    ("features", "size", "words"),
    [
        ("256,clipboard", 3, "copied 3 characters to tmux's buffer, and asked its terminal to copy them"),
        ("256", 3, "its terminal is not known to have a clipboard"),
        ("256,clipboard", MOST_BYTES + 1, "terminals take 74,994 bytes of them at most"),
    ],
)
def test_within_tmux_it_is_tmux_that_copies(tmux, tmp_path: Path, capfd, features: str, size: int, words: str) -> None:
    text = "\x1b]" + "é" * (size - 2)
    assert words in copied(text, tmux(features=features), {"WORK"})
    assert (tmp_path / "buffer").read_text() == text
    assert "sk-" not in (tmp_path / "given").read_text()
    assert (tmp_path / "said").read_text().startswith("load-buffer -w - ; display-message")
    assert capfd.readouterr().out == ""


def test_where_tmux_knows_no_such_thing_the_terminal_is_asked(tmux, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("llmr.cli.clipboard._terminal", lambda: None)
    assert "no terminal to ask" in copied("hi", tmux(code=1), ())
    assert "no terminal to ask" in copied("hi", world(TMUX="/tmp/tmux,1,0", PATH="/nowhere"), ())


# --json, --jsonl


def test_every_event_is_a_line_with_its_time(shell) -> None:
    shell.serve(a=[DOWN], b=[Behavior(text="two words", reasoning="hm")])
    said = shell("chat", "--jsonl", "hi")
    lines = [json.loads(line) for line in said.out.splitlines()]
    kinds = [line["event"] for line in lines]
    assert kinds[:3] == ["start", "attempt", "fallback"]
    assert {"reasoning", "delta", "usage"} <= set(kinds)
    assert kinds[-1] == "end"
    assert "".join(line["text"] for line in lines if line["event"] == "delta") == "two words"
    times = [line["t_ms"] for line in lines]
    assert times == sorted(times)
    assert lines[-1]["provider"] == "b"


def test_a_failure_is_the_last_event(shell) -> None:
    shell.serve(a=[DOWN])
    said = shell("chat", "--jsonl", "hi")
    last = json.loads(said.out.splitlines()[-1])
    assert (said.code, last["event"], last["error"]["exit_code"]) == (5, "error", 5)


def test_a_failure_before_anything_was_asked_is_an_event_too(shell) -> None:
    said = shell("chat", "--jsonl", "--strategy", "nonsense", "hi")
    (line,) = said.out.splitlines()
    assert (said.code, json.loads(line)["event"]) == (2, "error")


@pytest.mark.parametrize(
    "options",
    [["--json", "--jsonl"], ["--jsonl", "-o", "x"], ["-x", "--json"], ["--color", "blue"], ["--safe-output", "no"]],
)
def test_wishes_that_contradict_each_other_are_refused(shell, options: list[str]) -> None:
    lab = shell.serve(a=[Behavior()])
    said = shell("chat", *options, "hi")
    assert said.code == 2
    assert said.err.startswith("llmr: ")
    assert lab.provider("a").requests == ()
