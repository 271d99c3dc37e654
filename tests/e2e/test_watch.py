"""`providers status --watch` on a real terminal: painted in place, left by a key or a signal, the terminal given back."""

import fcntl
import os
import select
import signal
import struct
import subprocess
import termios
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from llmr.lab import LabProvider

ENTER, LEAVE = b"\x1b[?1049h", b"\x1b[?25h\x1b[?1049l"
PATIENCE_S = 30


@dataclass
class Screen:
    """A terminal of 80 × 12, and what llmr has written to it."""

    process: "subprocess.Popen[bytes]"
    ours: int
    theirs: int
    before: list[Any]
    seen: bytes = b""

    def until(self, text: bytes) -> None:
        while text not in self.seen:
            readable, _, _ = select.select([self.ours], [], [], PATIENCE_S)
            assert readable, self.seen
            self.seen += os.read(self.ours, 65536)

    def ended(self) -> int:
        code = self.process.wait(PATIENCE_S)
        while select.select([self.ours], [], [], 0)[0]:
            self.seen += os.read(self.ours, 65536)
        return code

    @property
    def given_back(self) -> bool:
        return termios.tcgetattr(self.theirs) == self.before


@pytest.fixture
def watching(box: Any) -> Iterator[Screen]:
    here = box([LabProvider("a"), LabProvider("b")])
    assert here.run("chat", "hi").code == 0
    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 12, 80, 0, 0))
    before = termios.tcgetattr(theirs)
    here.variables["TERM"] = "xterm-256color"
    process = here.start(
        "providers",
        "status",
        "--watch",
        stdin=theirs,
        stdout=theirs,
        stderr=subprocess.DEVNULL,
        preexec_fn=lambda: _own_terminal(theirs),
    )
    yield Screen(process, ours, theirs, before)
    process.kill()
    process.wait()
    os.close(ours)
    os.close(theirs)


def _own_terminal(descriptor: int) -> None:
    os.setsid()
    fcntl.ioctl(descriptor, termios.TIOCSCTTY, 0)


def test_q_leaves_and_the_last_view_stays_behind(watching: Screen) -> None:
    watching.until(b"q leaves")
    assert ENTER in watching.seen
    assert b"a/lab-model" in watching.seen
    os.write(watching.ours, b"q")
    assert watching.ended() == 0
    _, _, after = watching.seen.partition(LEAVE)
    assert b"a/lab-model" in after
    assert b"q leaves" not in after
    assert watching.given_back


def test_ctrl_c_leaves_as_q_does(watching: Screen) -> None:
    watching.until(b"q leaves")
    os.write(watching.ours, b"\x03")
    assert watching.ended() == 0
    assert LEAVE in watching.seen
    assert watching.given_back


def test_a_signal_gives_the_terminal_back_too(watching: Screen) -> None:
    watching.until(b"q leaves")
    watching.process.send_signal(signal.SIGTERM)
    assert watching.ended() == 143
    assert LEAVE in watching.seen
    assert watching.given_back


def test_ctrl_z_gives_it_back_until_it_goes_on(watching: Screen) -> None:
    watching.until(b"q leaves")
    watching.process.send_signal(signal.SIGTSTP)
    watching.until(LEAVE)
    _, status = os.waitpid(watching.process.pid, os.WUNTRACED)
    assert os.WIFSTOPPED(status)
    assert watching.given_back
    watching.seen = b""
    watching.process.send_signal(signal.SIGCONT)
    watching.until(b"q leaves")
    assert watching.seen.startswith(ENTER)
    os.write(watching.ours, b"q")
    assert watching.ended() == 0
    assert watching.given_back


def test_it_is_painted_again_in_one_update_and_no_line_is_wider_than_the_screen(watching: Screen) -> None:
    watching.until(b"\x1b[?2026l")
    watching.seen = b""
    watching.until(b"\x1b[?2026l")
    assert watching.seen.count(b"\x1b[?2026h") == watching.seen.count(b"\x1b[H") == 1
    assert watching.seen.count(b"\r\n") < 12
    os.write(watching.ours, b"q")
    assert watching.ended() == 0


def test_in_a_pipe_it_says_what_to_do(box: Any) -> None:
    said = box([LabProvider("a")]).run("providers", "status", "--watch")
    assert (said.code, said.out) == (2, "")
    assert "--watch paints on a terminal" in said.err
