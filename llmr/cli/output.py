"""stdout: the answer and nothing else. How an answer is written to it is answers.py.

Writes block, so that nothing is cut at the pipe's 64 KiB. UTF-8 whatever the locale says. A full disk, a closed stdout are
OutputError; a reader that has gone is ClosedPipe, which nobody hears of.

A write to a pipe that nobody reads would never end, and with it neither would a run that was told to end: Python goes on
with a write that a signal broke into. So it waits for room first, and writes no more than that room takes for sure. A signal
(signals.py tells `told_to_end`) is obeyed where there is no room; a slow reader gets every byte.
"""

import os
import re
import select
import sys
from collections.abc import Callable
from typing import Final

from llmr.cli.exit_codes import ExitCode
from llmr.errors import OutputError
from llmr.render.neutralize import neutralize

STDOUT: Final = 1
_SURROGATES: Final = re.compile("[\ud800-\udfff]")
_TICK_S: Final = 0.1  # how late a signal may be obeyed while nobody reads


class ClosedPipe(OutputError):
    """The reader has gone, or reads no more and a signal said to end: not an error, an end. `code` is the exit code."""

    def __init__(self, message: str, code: ExitCode = ExitCode.CLOSED_PIPE) -> None:
        super().__init__(message)
        self.code = code


def nothing() -> None:
    """Do nothing."""


class Ending:
    """The signal that told this process to end, as an exit code, None: no one did; what is to be done before it ends at once,
    and when something has come. Facts of the process, as signal handlers are, and so the process has one."""

    def __init__(self) -> None:
        self.code: ExitCode | None = None
        self.give_back: Callable[[], object] = nothing
        self.take_back: Callable[[], object] = nothing


told_to_end: Final = Ending()


def open_stdout() -> None:
    """Make stdout ready for an answer. Raises OutputError where it is closed."""
    if _is_closed():
        raise OutputError("standard output is closed: there is nowhere to write the answer")
    os.set_blocking(STDOUT, True)  # a parent may have left it otherwise, and then long answers are cut


def stdout_is_terminal() -> bool:
    """Whether a person reads stdout."""
    return not _is_closed() and os.isatty(STDOUT)


def utf8(text: str) -> bytes:
    """The text in UTF-8. A lone surrogate, which no encoding has, is U+FFFD, as decoders have it; not the `?` of Python's own
    "replace", which somebody may have written."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        return _SURROGATES.sub("\ufffd", text).encode()


def write_stdout(content: bytes) -> None:
    """Write all of it. Raises OutputError, ClosedPipe."""
    rest = memoryview(content)
    try:
        while rest:
            if _has_room():
                rest = rest[os.write(STDOUT, rest[: select.PIPE_BUF]) :]
            elif told_to_end.code is not None:
                raise ClosedPipe("nobody reads standard output, and a signal said to end", told_to_end.code)
    except BrokenPipeError as error:
        raise ClosedPipe("the reader of standard output has gone") from error
    except OSError as error:
        raise OutputError(f"the answer cannot be written to standard output: {error.strerror}") from error


def print_line(line: str) -> None:
    """One line of a listing, neutralised on a terminal. Raises OutputError, ClosedPipe."""
    if _is_closed():
        raise OutputError("standard output is closed")
    text = neutralize(line) if stdout_is_terminal() else line
    write_stdout(utf8(text) + b"\n")


def _has_room() -> bool:
    """Whether PIPE_BUF bytes are taken at once: pipe(7) has no room for less. Waits for that, a little."""
    return bool(select.select([], [STDOUT], [], _TICK_S)[1])


def _is_closed() -> bool:
    """Whether it is, or was when the program began: then something else stands in its place (__main__.py)."""
    if sys.stdout is None:  # pyright: ignore[reportUnnecessaryComparison] - it is, after `>&-`
        return True
    try:
        os.fstat(STDOUT)
    except OSError:
        return True
    return False
