"""Where the text of an answer goes while it comes.

    a pipe      the bytes as they came                          AnswerText
    a terminal  Markdown, neutralised, line by line             MarkdownAnswer
                the text itself, neutralised (--raw, TERM=dumb,
                a terminal too small to take rows back)         AnswerText
    held        nothing yet: JSON, -x, -o, --schema             NoAnswer

`--color=always` is the one way to Markdown in a pipe, for `less -R`: it is asked for in so many words. FORCE_COLOR, which many
CI systems set for everyone, never adds a byte to an answer.
"""

import os
from enum import StrEnum
from typing import Final, Protocol, final

from llmr.cli.color import ColorWish, colored
from llmr.cli.output import STDOUT, stdout_is_terminal, utf8, write_stdout
from llmr.config.environment import Environment
from llmr.render.neutralize import Neutralizer
from llmr.router import BrokeOff
from llmr.routing.policy import OnBreak

_PIPE_COLUMNS: Final = 80


class SafeOutput(StrEnum):
    """Whether control characters in an answer are made visible: on a terminal, everywhere, nowhere."""

    AUTO = "auto"
    ALWAYS = "always"
    NEVER = "never"


class Answer(Protocol):
    """Where the answer goes."""

    def write(self, text: str) -> None:
        """A piece of it. Raises OutputError, ClosedPipe."""
        ...

    def seam(self, event: BrokeOff) -> None:
        """The answer broke; what follows is another's. Raises OutputError, ClosedPipe."""
        ...

    def disturbed(self) -> None:
        """Somebody else wrote where the answer is: the terminal, which echoes `^C`. Raises OutputError, ClosedPipe."""
        ...

    def moved(self) -> None:
        """Somebody else wrote below it while we were stopped; the cursor is at the beginning of a line."""
        ...

    def end(self) -> None:
        """No more comes. Raises OutputError, ClosedPipe."""
        ...


@final
class AnswerText:
    """The answer's text on stdout. `safe`: neutralise. `terminal`: end the last line."""

    def __init__(self, *, terminal: bool, safe: bool) -> None:
        self._neutralizer = Neutralizer() if safe else None
        self._terminal = terminal
        self._open_line = False

    def write(self, text: str) -> None:
        """Write now; the first token is never held back."""
        self._put(self._neutralizer.feed(text) if self._neutralizer else text)

    def seam(self, event: BrokeOff) -> None:
        """Mark the place. A continuation is marked on a terminal only: in a pipe the text must fit together. There stderr has a
        word to say about it, so the line ends. A new beginning is marked everywhere, or the two halves would read as one
        answer."""
        if event.then is not OnBreak.CONTINUE:
            self.write(seam_line(event))
        elif self._terminal:
            self.write(f"{seam_line(event)}\n")

    def disturbed(self) -> None:
        """It stands where it stands: nothing is taken back."""

    def moved(self) -> None:
        """It goes on where the cursor is."""
        self._open_line = False

    def end(self) -> None:
        """Flush, and on a terminal start a new line for the prompt."""
        self._put(self._neutralizer.end() if self._neutralizer else "")
        if self._open_line and self._terminal:
            self._put("\n")

    def _put(self, text: str) -> None:
        if text:
            write_stdout(utf8(text))
            self._open_line = not text.endswith("\n")


@final
class NoAnswer:
    """Nothing on stdout until the end."""

    def write(self, text: str) -> None:
        """Hold it: the transcript has it."""

    def seam(self, event: BrokeOff) -> None:
        """The transcript knows."""

    def disturbed(self) -> None:
        """Nothing of it is there."""

    def moved(self) -> None:
        """Nothing of it is there."""

    def end(self) -> None:
        """Nothing was begun."""


def streamed_answer(environment: Environment, *, raw: bool, wish: ColorWish, safe: SafeOutput) -> Answer:
    """The answer as it goes to stdout while it comes. Called within the event loop."""
    terminal = stdout_is_terminal()
    harmless = safe is SafeOutput.ALWAYS or (safe is SafeOutput.AUTO and terminal)
    drawn = wish is ColorWish.ALWAYS if not terminal else not environment.dumb_terminal
    if raw or not drawn or safe is SafeOutput.NEVER:
        return AnswerText(terminal=terminal, safe=harmless)
    from llmr.cli.markdown_answer import MarkdownAnswer
    from llmr.render.markdown.screen import MarkdownScreen, takes_rows_back

    in_pipe = (environment.columns or _PIPE_COLUMNS, 1)  # one row: there are none to take back

    def size() -> tuple[int, int]:
        return terminal_size(environment) if terminal else in_pipe

    if terminal and not takes_rows_back(*size()):
        return AnswerText(terminal=True, safe=True)
    return MarkdownAnswer(MarkdownScreen(_put, size, color=colored(wish, environment, terminal=terminal)))


def _put(text: str) -> None:
    write_stdout(utf8(text))


def seam_line(event: BrokeOff) -> str:
    """What marks the place where one answer broke and another goes on."""
    name = event.candidate.key
    if event.then is OnBreak.CONTINUE:
        return f"⟨{name} broke off⟩"
    return f"\n\n--- {name} broke off; from the beginning: ---\n\n"


def terminal_size(environment: Environment, descriptor: int = STDOUT) -> tuple[int, int]:
    """Columns and rows of the terminal at `descriptor`. COLUMNS may narrow it, never widen it: a row that the terminal breaks
    could not be taken back."""
    try:
        columns, rows = os.get_terminal_size(descriptor)
    except OSError:  # the terminal is gone; the next write says so
        columns, rows = 0, 0
    columns, rows = columns or _PIPE_COLUMNS, rows or 24  # a pty that nobody has sized says 0
    return min(columns, environment.columns or columns), rows
