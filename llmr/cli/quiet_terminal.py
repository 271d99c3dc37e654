"""A terminal that does not echo what is typed while an answer comes: echoed, it would stand in the middle of the answer.
The interactive client keeps it so from its beginning to its end; the prompt, an editor and a command lift it.

What was typed waits for whoever reads next, the shell or the client's prompt. The terminal is given back whatever ends the
answer: its end, an exception, a signal that ends us, a second one that ends us at once (signals.py), Ctrl-Z. In the
background it is somebody else's, and is left alone: a job that sets it from there would be stopped (SIGTTOU, tty_ioctl(4)).
Several runs may share one terminal (`xargs -P2`): each gives back the bits that it flipped itself, and nothing else.

    typed into      quiet ──Ctrl-Z──▶ given back, stopped ──fg──▶ quiet, and what was shown has moved
                                                          ──bg──▶ somebody else's ──fg──▶ quiet at the next event

`fg` of a job that runs tells it nothing: so `told_to_end.take_back` looks, whenever something has come.
"""

import os
import signal
import termios
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager, suppress
from types import FrameType, TracebackType
from typing import Any, Final, Self, final

from llmr.cli.output import nothing, told_to_end

# Places in what termios.tcgetattr gives: https://docs.python.org/3/library/termios.html#termios.tcgetattr
_INPUT_MODES: Final = 0
_LOCAL_MODES: Final = 3
_CHANGED: Final = (_INPUT_MODES, _LOCAL_MODES)
_HANDLED: Final = (signal.SIGTSTP, signal.SIGQUIT, signal.SIGCONT)

Modes = list[Any]
Flip = tuple[int, int, int]
"""The place of a mode, bits of it, and what they were."""
Change = Callable[[Modes], None]
"""Makes of the modes that a terminal has those that it is to have."""


def unechoed(modes: Modes) -> None:
    """Typed lines wait for whoever reads lines, as they would under any program."""
    modes[_LOCAL_MODES] &= ~termios.ECHO


def held_for_the_prompt(modes: Modes) -> None:
    """What is typed waits for a prompt that is edited on as it was typed: Enter stays Enter (ICRNL would make a Ctrl-J of it),
    Ctrl-D stays Ctrl-D (ICANON would eat it), and Ctrl-C throws nothing away."""
    modes[_INPUT_MODES] &= ~termios.ICRNL
    modes[_LOCAL_MODES] = modes[_LOCAL_MODES] & ~(termios.ECHO | termios.ICANON) | termios.NOFLSH


@final
class QuietTerminal:
    """While the block lasts, the terminal at `descriptor` is as `change` has it; where it is none, or not ours, nothing
    happens. `moved` is called when somebody else wrote on it meanwhile."""

    def __init__(self, descriptor: int, change: Change, moved: Callable[[], object]) -> None:
        self._descriptor = descriptor
        self._change = change
        self._moved = moved
        self._flipped: frozenset[Flip] | None = None  # what to give back; None: it is not ours
        self._away = False  # in the background, as far as we know
        self._handlers: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        self._take()
        if self._flipped is not None:
            told_to_end.give_back, told_to_end.take_back = self.give_back, self._take_back
            for number in _HANDLED:
                if signal.getsignal(number) is not signal.SIG_IGN:
                    handler = self._resumed if number is signal.SIGCONT else self._stopped
                    self._handlers[number] = signal.signal(number, handler)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        self.give_back()
        told_to_end.give_back = told_to_end.take_back = nothing

    @contextmanager
    def heard(self, moved: Callable[[], object]) -> Generator[None]:
        """While the block lasts, `moved` is called in place of what was."""
        before, self._moved = self._moved, moved
        try:
            yield
        finally:
            self._moved = before

    @contextmanager
    def lifted(self) -> Generator[None]:
        """While the block lasts, the terminal is as it was."""
        self.give_back()
        try:
            yield
        finally:
            self._take()

    def give_back(self) -> None:
        """What we flipped, as it was; the rest as it is by now: others may have set it meanwhile."""
        flipped, self._flipped = self._flipped, None
        if flipped:
            self._set(lambda modes: _put_back(modes, flipped))

    def _take(self) -> None:
        flipped = self._set(self._change)
        if flipped is not None:
            self._flipped = flipped.union(self._flipped or ())

    def _set(self, change: Change) -> frozenset[Flip] | None:
        """What that flipped, None: it is not ours to set. Where it is so already, somebody else made it so, and undoes it.
        Somebody may take it between the look and the deed: then that fails, and stops nobody."""
        with suppress(OSError, termios.error):  # no terminal, or it has gone
            if os.tcgetpgrp(self._descriptor) == os.getpgrp():
                before = termios.tcgetattr(self._descriptor)
                modes = [*before]
                change(modes)
                bits = ((place, before[place] ^ modes[place]) for place in _CHANGED)
                flipped = frozenset((place, mask, before[place] & mask) for place, mask in bits if mask)
                if not flipped:
                    return flipped
                handler = signal.signal(signal.SIGTTOU, lambda _number, _frame: None)
                try:
                    termios.tcsetattr(self._descriptor, termios.TCSANOW, modes)
                finally:
                    signal.signal(signal.SIGTTOU, signal.SIG_DFL if handler is None else handler)
                return flipped
        return None

    def _stopped(self, number: int, _frame: FrameType | None) -> None:
        """Ctrl-Z or Ctrl-\\: what it does to any program, with the terminal as it was."""
        self.give_back()
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
        signal.signal(number, self._stopped)  # here we go on
        self._resumed(number, None)

    def _resumed(self, _number: int, _frame: FrameType | None) -> None:
        given_back = self._flipped is None  # else by a signal that nobody hears of: the shell has set the terminal
        self._take()
        self._away = self._flipped is None
        if given_back:
            self._moved()

    def _take_back(self) -> None:
        """Look whether it is ours again."""
        if self._away:
            self._take()
            self._away = self._flipped is None
            if not self._away:
                self._moved()


def _put_back(modes: Modes, flipped: Iterable[Flip]) -> None:
    for place, mask, were in flipped:
        modes[place] = modes[place] & ~mask | were
