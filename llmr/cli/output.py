"""stdout: the answer and nothing else.

Not a terminal: the bytes of the answer as they came, nothing added, nothing taken; writes block, so that nothing is cut at
the pipe's 64 KiB. A terminal: neutralised, and closed with a line end. UTF-8 whatever the locale says. A full disk, a
closed stdout are OutputError; a reader that has gone is ClosedPipe, which nobody hears of.
"""

import os
import sys
from typing import Final, Protocol, final

from llmr.errors import OutputError
from llmr.render.neutralize import Neutralizer, neutralize
from llmr.router import BrokeOff
from llmr.routing.policy import OnBreak

_STDOUT: Final = 1


class ClosedPipe(OutputError):
    """The reader has gone: not an error, an end."""


class Answer(Protocol):
    """Where the answer goes."""

    def write(self, text: str) -> None:
        """A piece of it. Raises OutputError, ClosedPipe."""
        ...

    def seam(self, event: BrokeOff) -> None:
        """The answer broke; what follows is another's. Raises OutputError, ClosedPipe."""
        ...

    def end(self) -> None:
        """No more comes. Raises OutputError, ClosedPipe."""
        ...


@final
class AnswerText:
    """The answer's text on stdout. `terminal`: neutralise, and end the last line."""

    def __init__(self, *, terminal: bool) -> None:
        self._neutralizer = Neutralizer() if terminal else None
        self._open_line = False

    def write(self, text: str) -> None:
        """Write now; the first token is never held back."""
        self._put(self._neutralizer.feed(text) if self._neutralizer else text)

    def seam(self, event: BrokeOff) -> None:
        """Mark the place. A continuation is marked on a terminal only: in a pipe the text must fit together. A new beginning
        is marked everywhere, or the two halves would read as one answer."""
        name = event.candidate.key
        if event.then is OnBreak.CONTINUE:
            self.write(f"⟨{name} broke off⟩" if self._neutralizer else "")
        else:
            self.write(f"\n\n--- {name} broke off; from the beginning: ---\n\n")

    def end(self) -> None:
        """Flush, and on a terminal start a new line for the prompt."""
        if self._neutralizer is None:
            return
        self._put(self._neutralizer.end())
        if self._open_line:
            self._put("\n")

    def _put(self, text: str) -> None:
        if text:
            write_stdout(text.encode("utf-8", "replace"))
            self._open_line = not text.endswith("\n")


@final
class NoAnswer:
    """Nothing on stdout until the end: the JSON document."""

    def write(self, text: str) -> None:
        """Hold it: the transcript has it."""

    def seam(self, event: BrokeOff) -> None:
        """The transcript knows."""

    def end(self) -> None:
        """Nothing was begun."""


def answer_for(*, as_json: bool) -> Answer:
    """Where this run's answer goes. Raises OutputError where stdout is closed."""
    if not _is_open(_STDOUT):
        raise OutputError("standard output is closed: there is nowhere to write the answer")
    os.set_blocking(_STDOUT, True)  # a parent may have left it otherwise, and then long answers are cut
    return NoAnswer() if as_json else AnswerText(terminal=stdout_is_terminal())


def stdout_is_terminal() -> bool:
    """Whether a person reads stdout."""
    return _is_open(_STDOUT) and os.isatty(_STDOUT)


def write_stdout(content: bytes) -> None:
    """Write all of it. Raises OutputError, ClosedPipe."""
    rest = memoryview(content)
    try:
        while rest:
            rest = rest[os.write(_STDOUT, rest) :]
    except BrokenPipeError as error:
        raise ClosedPipe("the reader of standard output has gone") from error
    except OSError as error:
        raise OutputError(f"the answer cannot be written to standard output: {error.strerror}") from error


def print_line(line: str) -> None:
    """One line of a listing, neutralised on a terminal. Raises OutputError, ClosedPipe."""
    if sys.stdout is None:  # pyright: ignore[reportUnnecessaryComparison] - it is, after `>&-`
        raise OutputError("standard output is closed")
    text = neutralize(line) if stdout_is_terminal() else line
    write_stdout(text.encode("utf-8", "replace") + b"\n")


def _is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True
