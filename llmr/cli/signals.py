"""Signals that end an answer: close the stream, keep the books, leave with the signal's own code.

The first one cancels the task, so that every `finally` on the way runs: socket closed, attempt booked as cancelled. A
second one within two seconds leaves at once, for the case that something on the way hangs; when the answer is over and its
books are being kept, it changes nothing. These are handlers of Python's own, which run in the middle of a write that waits for
its reader; the event loop's do not. That write learns it from `told_to_end` (output.py) and gives up.
"""

import asyncio
import os
import signal
from collections.abc import Callable, Generator, Iterable
from contextlib import AbstractContextManager, contextmanager, nullcontext
from types import FrameType, TracebackType
from typing import Any, Final, Self

from llmr.cli.exit_codes import ExitCode
from llmr.cli.output import STDOUT, stdout_is_terminal, told_to_end
from llmr.cli.say import say

SECOND_WITHIN_S: Final = 2.0  # cli.md, Streams
_ENDS: Final = {signal.SIGTERM: ExitCode.TERMINATED, signal.SIGHUP: ExitCode.HANGUP}
_CODES: Final = {signal.SIGINT: ExitCode.INTERRUPTED, **_ENDS}


class Signals:
    """While the block lasts, a signal cancels `task`; `code` is then the exit code, None before. `hangs_after_s`: what has not
    ended so long after it hangs, and a second one leaves; one before that is an impatient finger's."""

    def __init__(self, task: asyncio.Task[Any], *, hangs_after_s: float = 0.0) -> None:
        self._hangs_after_s = hangs_after_s
        self._task = task
        self._loop = task.get_loop()
        self._first_s = 0.0
        self._ours = _heard(_CODES)
        self.code: ExitCode | None = None

    def __enter__(self) -> Self:
        told_to_end.code = None
        for number in self._ours:
            signal.signal(number, self._received)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        told_to_end.code = None  # the client goes on after a Ctrl-C
        for number in self._ours:
            signal.signal(number, signal.default_int_handler if number is signal.SIGINT else signal.SIG_DFL)

    def _received(self, number: int, _frame: FrameType | None) -> None:
        now_s = self._loop.time()
        hangs = not self._task.done()  # else what is left are the books, and they take a moment
        since_s = now_s - self._first_s
        if self.code is not None and since_s < self._hangs_after_s and number == signal.SIGINT:
            return
        if self.code is not None and hangs and since_s < SECOND_WITHIN_S:
            told_to_end.give_back()
            if stdout_is_terminal():
                say("")  # the shell's prompt on a line of its own
            os._exit(int(self.code))
        self.code, self._first_s = _CODES[signal.Signals(number)], now_s
        told_to_end.code = self.code
        self._loop.call_soon_threadsafe(self._task.cancel)


@contextmanager
def ending(leave: Callable[[ExitCode], object]) -> Generator[None]:
    """Within an event loop, and without a task to cancel: while the block lasts, SIGTERM and SIGHUP call `leave`."""
    loop, ours = asyncio.get_running_loop(), _heard(_ENDS)
    for number in ours:
        loop.add_signal_handler(number, leave, _ENDS[number])
    try:
        yield
    finally:
        for number in ours:
            loop.remove_signal_handler(number)


def _heard(numbers: Iterable[signal.Signals]) -> list[signal.Signals]:
    """Those that nobody has us ignore: nohup, and `&` in a script, mean it."""
    return [number for number in numbers if signal.getsignal(number) is not signal.SIG_IGN]


def undisturbed(moved: Callable[[], object]) -> AbstractContextManager[object]:
    """Within an event loop: while the block lasts, a terminal that the answer goes to does not echo what is typed. `moved` is
    called in the loop when a shell has written on it meanwhile."""
    if not stdout_is_terminal():
        return nullcontext()
    from llmr.cli.quiet_terminal import QuietTerminal, unechoed

    loop = asyncio.get_running_loop()
    return QuietTerminal(STDOUT, unechoed, lambda: loop.call_soon_threadsafe(moved))
