"""A view that stays: painted again every second until `q` or Ctrl-C, on a terminal only.

It lives on the terminal's other screen, so that the scroll-back stays as it was; the last view is left behind on the main one.
Each painting is one write inside a synchronised update (`CSI ?2026`), from the top, each line cleared to its end: nothing
flickers and no line is drawn twice. What does not fit the height is cut, and said to be. Whatever ends it, the terminal is
given back as it was.
"""

import contextlib
import os
import select
import signal
import sys
import termios
import tty
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Final

from llmr.cli.exit_codes import ExitCode
from llmr.cli.output import stdout_is_terminal, write_stdout
from llmr.cli.screen import Screen, screen, show
from llmr.config.environment import Environment
from llmr.errors import OutputError, UsageError
from llmr.render.ink import Line, Tone, clipped, ink, painted

EVERY_S: Final = 1.0
_STDOUT: Final = 1
_ENTER: Final = "\x1b[?1049h\x1b[?25l"  # xterm: the other screen, no cursor
_LEAVE: Final = "\x1b[?25h\x1b[?1049l"
_BEGIN: Final = "\x1b[?2026h\x1b[H"
_END: Final = "\x1b[J\x1b[?2026l"
_HINT: Final = "q leaves"

View = Callable[[Screen], Sequence[Line]]


class _Ended(Exception):
    """A signal that ends the run; `code` is the process's exit code."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.code = ExitCode.HANGUP if number == signal.SIGHUP else ExitCode.TERMINATED


def watch(view: View) -> int:
    """Show `view` until it is left. Raises UsageError where there is no terminal to paint on, and what `view` raises."""
    if not stdout_is_terminal() or Environment.from_process().dumb_terminal:
        raise UsageError("--watch paints on a terminal, and standard output is none; without it, one view is printed")
    code = ExitCode.OK
    with _terminal() as keys:
        try:
            while True:
                on = screen()
                _paint(view(on), on)
                if _pressed(keys, EVERY_S) in (b"q", b"Q", b"\x03", b"\x04", b"\x1b"):
                    break
        except KeyboardInterrupt:
            pass
        except _Ended as end:
            code = end.code
    if code is ExitCode.OK:
        on = screen()
        show(view(on), on)
    return int(code)


def _paint(lines: Sequence[Line], on: Screen) -> None:
    height = _height()
    shown = list(lines[: height - 1])
    hidden = len(lines) - len(shown)
    hint = f"{hidden} lines more than the screen has; {_HINT}" if hidden else _HINT
    shown.append(ink(hint, Tone.FAINT))
    text = "\r\n".join(painted(clipped(line, on.width or 80), color=on.color) + "\x1b[K" for line in shown)
    write_stdout(f"{_BEGIN}{text}{_END}".encode())


def _height() -> int:
    try:
        return max(2, os.get_terminal_size(_STDOUT).lines)
    except OSError:
        return 24


def _pressed(keys: int | None, seconds: float) -> bytes:
    """The key that is pressed within `seconds`; b"" for none."""
    if keys is None:
        select.select([], [], [], seconds)
        return b""
    readable, _, _ = select.select([keys], [], [], seconds)
    if not readable:
        return b""
    return os.read(keys, 1) or b"\x04"  # the terminal is gone


@contextmanager
def _terminal() -> Generator[int | None]:
    """The other screen, keys as they are pressed: their descriptor, None where nobody can type. Given back at the end, and
    while Ctrl-Z has stopped us."""
    keys = _keyboard()
    before = termios.tcgetattr(keys) if keys is not None else None

    def take() -> None:
        if keys is not None:
            tty.setcbreak(keys)
        write_stdout(_ENTER.encode())

    def give_back() -> None:
        if keys is not None and before is not None:
            termios.tcsetattr(keys, termios.TCSADRAIN, before)
        with contextlib.suppress(OutputError):  # the terminal is gone
            write_stdout(_LEAVE.encode())

    def pause(_number: int, _frame: FrameType | None) -> None:
        give_back()
        os.kill(os.getpid(), signal.SIGSTOP)
        take()

    wanted = {signal.SIGTERM: _end, signal.SIGHUP: _end, signal.SIGTSTP: pause}
    handlers = {
        number: signal.signal(number, handler)
        for number, handler in wanted.items()
        if signal.getsignal(number) is not signal.SIG_IGN
    }
    try:
        take()
        yield keys
    finally:
        give_back()
        for number, handler in handlers.items():
            signal.signal(number, handler)


def _keyboard() -> int | None:
    try:
        descriptor = sys.stdin.fileno()
        return descriptor if os.isatty(descriptor) else None
    except (AttributeError, OSError, ValueError):  # closed, or not a file at all
        return None


def _end(number: int, _frame: FrameType | None) -> None:
    raise _Ended(number)
