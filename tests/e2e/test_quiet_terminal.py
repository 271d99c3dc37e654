"""What is typed while an answer comes is not echoed into it, and the terminal is given back however the answer ends."""

import os
import signal
import sysconfig
import termios
import time
from pathlib import Path

import pexpect
import pytest

from llmr.lab import Behavior, LabProvider

LLMR = str(Path(sysconfig.get_path("scripts")) / "llmr")
PATIENCE_S = 40
ANSWER = Behavior(text="one two three four five", gate="go", gate_at=2)


@pytest.fixture
def box_with_answer(box):
    return box([LabProvider("a", [ANSWER, ANSWER])])


@pytest.fixture
def spawned(box_with_answer):
    """Starts programs on a terminal of their own; whatever is left is ended."""
    children = []

    def start(*command):
        environment = {"TERM": "xterm", "PS1": "$ ", **box_with_answer.environment}
        child = pexpect.spawn(
            command[0], [*command[1:]], env=environment, cwd=str(box_with_answer.home), timeout=PATIENCE_S
        )
        children.append(child)
        return child

    yield start
    for child in children:
        child.close(force=True)


def echoes(child):
    """Whether the terminal echoes what is typed; both ends of a pseudo-terminal have the same modes."""
    return bool(termios.tcgetattr(child.child_fd)[3] & termios.ECHO)


def until(happened):
    deadline = time.monotonic() + PATIENCE_S
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_what_is_typed_is_not_in_the_answer_and_waits_for_the_shell(box_with_answer, spawned):
    child = spawned(LLMR, "chat", "hi")
    child.expect("two")
    until(lambda: not echoes(child))
    child.send("typed ahead\n")
    box_with_answer.lab.provider("a").release("go")
    child.expect("five")
    child.expect(pexpect.EOF)
    assert b"typed" not in child.before
    assert echoes(child)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGQUIT])
@pytest.mark.parametrize("arguments", [[], ["--raw"], ["--compare", "a/lab-model,a/lab-model"]])
def test_b57_a_signal_gives_the_terminal_back(spawned, number, arguments):
    child = spawned("/bin/sh", "-c", '"$@"; echo "code $?"', "sh", LLMR, "chat", *arguments, "hi")
    child.expect("two")
    until(lambda: not echoes(child))
    (llmr,) = Path(f"/proc/{child.pid}/task/{child.pid}/children").read_text().split()
    os.kill(int(llmr), number)
    child.expect(f"code {128 + number}")
    assert echoes(child)


def test_a_request_that_fails_gives_the_terminal_back(box_with_answer, spawned):
    box_with_answer.lab.provider("a").follow([Behavior(status=400)])
    child = spawned("/bin/sh", "-c", '"$@"; echo "code $?"', "sh", LLMR, "chat", "hi")
    child.expect("code 9")
    assert echoes(child)


@pytest.mark.parametrize("arguments", ["", "--raw"])
def test_ctrl_z_gives_it_back_and_fg_takes_it_again(box_with_answer, spawned, arguments):
    shell = spawned("/bin/bash", "--norc", "--noediting", "-i")
    shell.expect_exact("$ ")
    shell.sendline(f"{LLMR} chat {arguments} hi")
    shell.expect("two")
    until(lambda: not echoes(shell))
    shell.send("\x1a")
    shell.expect("Stopped")
    shell.expect_exact("$ ")
    assert echoes(shell)
    shell.sendline("fg")
    until(lambda: not echoes(shell))
    box_with_answer.lab.provider("a").release("go")
    shell.expect("three four five")
    assert b"one two" not in shell.before
    shell.expect_exact("$ ")
    assert echoes(shell)


def test_bg_leaves_it_alone_and_fg_takes_it_again(box_with_answer, spawned):
    box_with_answer.lab.provider("a").follow([Behavior(text="word " * 2000, token_s=0.05)])
    shell = spawned("/bin/bash", "--norc", "--noediting", "-i")
    shell.expect_exact("$ ")
    shell.sendline(f"{LLMR} chat --raw hi")
    shell.expect("word word")
    until(lambda: not echoes(shell))
    shell.send("\x1a")
    shell.expect("Stopped")
    shell.sendline("bg")
    shell.expect("word word")
    assert echoes(shell)
    shell.sendline("fg")
    until(lambda: not echoes(shell))


def test_in_the_background_it_is_left_alone_and_stops_nobody(box_with_answer, spawned):
    shell = spawned("/bin/bash", "--norc", "--noediting", "-i")
    shell.expect_exact("$ ")
    shell.sendline(f"{LLMR} chat hi &")
    shell.expect("two")
    assert echoes(shell)
    box_with_answer.lab.provider("a").release("go")
    shell.expect("five")
    shell.sendline("wait; jobs; echo all done")
    shell.expect("all done\r\n")
    assert b"Stopped" not in shell.before
    assert echoes(shell)


def test_two_runs_on_one_terminal_give_it_back_in_whatever_order_they_end(box_with_answer, spawned):
    a = box_with_answer.lab.provider("a")
    a.follow([Behavior(text="one two", gate="first", gate_at=1), Behavior(text="six ten", gate="second", gate_at=1)])
    child = spawned("/bin/sh", "-c", '"$0" chat x & read _; "$0" chat x & wait', LLMR)
    child.expect("one")
    until(lambda: not echoes(child))
    child.send("\n")
    child.expect("six")
    a.release("first")
    until(lambda: echoes(child))
    a.release("second")
    child.expect("ten")
    child.expect(pexpect.EOF)
    assert echoes(child)


def test_what_others_set_meanwhile_stays(box_with_answer, spawned):
    child = spawned(LLMR, "chat", "hi")
    child.expect("two")
    until(lambda: not echoes(child))
    modes = termios.tcgetattr(child.child_fd)
    modes[0] ^= termios.IXON
    termios.tcsetattr(child.child_fd, termios.TCSANOW, modes)
    box_with_answer.lab.provider("a").release("go")
    child.expect(pexpect.EOF)
    assert echoes(child)
    assert termios.tcgetattr(child.child_fd)[0] == modes[0]
