"""Long views, one screen at a time, as git shows them: LLMR_PAGER, PAGER, else `less` with -F -R -X where LESS says nothing.

Only on a terminal, only what does not fit it, and never an answer that streams. The pager is the person's own command, run
without a shell and without keys in its environment (trust.md T29); what it is given is neutralised already. `--no-pager`, an
empty variable or `cat` turn it off, and one that cannot be run is no reason to show nothing.

A SIGTERM or SIGHUP that is sent to us alone ends the pager too: one left behind would keep a terminal that the shell has again.
It is told by the end of what it is given, then by a SIGTERM; and the terminal is given back for one that does not.
"""

import os
import shlex
import signal
import termios
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from types import FrameType
from typing import TYPE_CHECKING, Any, Final

from llmr.cli.exit_codes import ExitCode
from llmr.cli.output import STDOUT, ClosedPipe, print_line, write_stdout
from llmr.cli.screen import Screen, as_written, show
from llmr.config.environment import Environment
from llmr.config.named_keys import named_keys
from llmr.render.ink import Line

if TYPE_CHECKING:
    import subprocess

unpaged: ContextVar[bool] = ContextVar("unpaged", default=False)
"""What `--no-pager` sets for this run."""

_OTHERWISE: Final = "less"
_NONE: Final = frozenset({"", "cat"})
_LESS: Final = "FRX"  # git's: leave at once where it fits, show colours, leave the screen as it was
_USUAL_ROWS: Final = 24
_ENDS: Final = {signal.SIGTERM: ExitCode.TERMINATED, signal.SIGHUP: ExitCode.HANGUP}
_LEAVES_WITHIN_S: Final = 0.5  # after the end of what it is given, and again after a SIGTERM


def show_paged(lines: Sequence[Line], on: Screen, config_file: str | None) -> None:
    """As `show`, a screen at a time where it is a terminal's and too long for it. `config_file`, as `--config` has it,
    names the keys that the pager is not given. Raises OutputError, ClosedPipe."""
    if not on.terminal or not _tried(as_written(lines, on), config_file):
        show(lines, on)


def print_paged(text: str, on: Screen, config_file: str | None) -> None:
    """Text that is drawn and neutralised already, and in a pipe plain lines as they are. Raises OutputError, ClosedPipe."""
    if not on.terminal:
        for line in text.split("\n"):
            print_line(line)
    elif not _tried(f"{text}\n".encode("utf-8", "replace"), config_file):
        write_stdout(f"{text}\n".encode("utf-8", "replace"))


def _tried(content: bytes, config_file: str | None) -> bool:
    """Whether a pager has shown it."""
    environment = Environment.from_process()
    command = _command(environment)
    if command is None or unpaged.get() or environment.dumb_terminal or content.count(b"\n") < _rows():
        return False
    import subprocess

    from llmr.cli.editor import interrupts_left_to_it

    keys = named_keys(environment, config_file)
    variables = {"LESS": _LESS, "LV": "-c", **environment.for_programs(keys)}
    try:
        with interrupts_left_to_it(), _ends_heard() as heard:
            modes = _modes()
            # Unbuffered: else closing it would wait until the pager has read what it was to be given
            pager = subprocess.Popen(command, stdin=subprocess.PIPE, env=variables, bufsize=0)  # noqa: S603 - the person's own
            try:
                heard.raises()
                _give(pager, content)
                pager.wait()
            except ClosedPipe:
                _end(pager, modes)
                raise
    except OSError:
        return False
    return pager.returncode not in {126, 127}  # as `env` and shells say that there is no such program


class _Heard:
    """The first signal that says to end, as the exit code; raised once, and only where there is a pager to end."""

    def __init__(self) -> None:
        self._code: ExitCode | None = None
        self._raising = False

    def raises(self) -> None:
        """From here on, and for what has been heard before. Raises ClosedPipe."""
        self._raising = True
        self._raise()

    def received(self, number: int, _frame: FrameType | None) -> None:
        """Python's handler. Raises ClosedPipe."""
        if self._code is None:
            self._code = _ENDS[signal.Signals(number)]
        self._raise()

    def _raise(self) -> None:
        if self._raising and self._code is not None:
            self._raising = False
            raise ClosedPipe("a signal said to end the pager", self._code)


@contextmanager
def _ends_heard() -> Generator[_Heard]:
    """While the block lasts, what ends us is heard; but what somebody has us ignore stays so: nohup means it."""
    heard = _Heard()
    before = {n: handler for n in _ENDS if (handler := signal.getsignal(n)) is not signal.SIG_IGN}
    try:
        for number in before:
            signal.signal(number, heard.received)
        yield heard
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _give(pager: "subprocess.Popen[bytes]", content: bytes) -> None:
    assert pager.stdin is not None  # noqa: S101 - it was asked for
    left = memoryview(content)
    with suppress(BrokenPipeError), pager.stdin as pipe:  # one that leaves early has been read enough
        while left:
            left = left[pipe.write(left) :]


def _end(pager: "subprocess.Popen[bytes]", modes: list[Any] | None) -> None:
    """Close the pipe, wait a moment, and make an end; then the terminal is as it was."""
    from subprocess import TimeoutExpired

    if pager.stdin is not None:
        pager.stdin.close()
    for send in (pager.terminate, pager.kill):
        try:
            pager.wait(_LEAVES_WITHIN_S)
        except TimeoutExpired:
            send()
    pager.wait()
    with suppress(OSError, termios.error):  # it has gone
        if modes is not None and os.tcgetpgrp(STDOUT) == os.getpgrp():  # else somebody else's
            termios.tcsetattr(STDOUT, termios.TCSANOW, modes)


def _modes() -> list[Any] | None:
    """Those of the terminal that the pager takes."""
    try:
        return termios.tcgetattr(STDOUT)
    except termios.error:
        return None


def _command(environment: Environment) -> list[str] | None:
    """None: none is wished, or what is said is no command."""
    said = next((v for n in ("LLMR_PAGER", "PAGER") if (v := environment.variable(n)) is not None), _OTHERWISE).strip()
    try:
        return None if said in _NONE else shlex.split(said)
    except ValueError:
        return None


def _rows() -> int:
    try:
        return os.get_terminal_size(STDOUT).lines or _USUAL_ROWS
    except OSError:
        return _USUAL_ROWS
