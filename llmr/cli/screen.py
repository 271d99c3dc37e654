"""What stdout is like, and how views are written to it: width, colours, characters.

A pipe has no width and no colours, so that `grep` and a file see whole lines and not one escape byte; COLUMNS and LLMR_COLOR
say otherwise to both. Where the locale's encoding has no block characters, pictures are drawn in ASCII.
"""

import os
import sys
from collections.abc import Iterable
from typing import Final

from llmr.cli.color import color_wish, colored
from llmr.cli.output import stdout_is_terminal, write_stdout
from llmr.config.environment import Environment
from llmr.dataclass import dataclass
from llmr.errors import OutputError
from llmr.render.ink import Line, painted
from llmr.render.pictures import ASCII, UNICODE, Glyphs

_STDOUT: Final = 1
_USUAL_WIDTH: Final = 80
_IN_ASCII: Final = str.maketrans("…–−≤✓·", ".--<+-")  # as wide as before
_LEAST_WIDTH: Final = 20  # below that nothing lines up anyway


@dataclass(frozen=True, slots=True)
class Screen:
    """`width` None: lines may have any length. `terminal`: a person reads it as it comes."""

    width: int | None
    color: bool
    glyphs: Glyphs
    terminal: bool = False


def screen() -> Screen:
    """Standard output, as it is now. Raises UsageError for a LLMR_COLOR that does not exist."""
    environment, terminal = Environment.from_process(), stdout_is_terminal()
    return Screen(
        width=_width(environment, terminal=terminal),
        color=colored(color_wish(None, environment), environment, terminal=terminal),
        glyphs=UNICODE if _speaks_unicode() else ASCII,
        terminal=terminal,
    )


def show(lines: Iterable[Line], on: Screen) -> None:
    """Write the lines. Raises OutputError, ClosedPipe."""
    if sys.stdout is None:  # pyright: ignore[reportUnnecessaryComparison] - it is, after `>&-`
        raise OutputError("standard output is closed")
    write_stdout(as_written(lines, on))


def as_written(lines: Iterable[Line], on: Screen) -> bytes:
    """The bytes of the lines, in the colours and characters that this screen has."""
    text = "".join(f"{painted(line, color=on.color)}\n" for line in lines)
    if on.glyphs is ASCII:  # what is written in words has a few characters more
        return text.translate(_IN_ASCII).encode("ascii", "replace")
    return text.encode("utf-8", "replace")


def _width(environment: Environment, *, terminal: bool) -> int | None:
    if environment.columns is not None:
        return max(environment.columns, _LEAST_WIDTH)
    if not terminal:
        return None
    try:
        return max(os.get_terminal_size(_STDOUT).columns or _USUAL_WIDTH, _LEAST_WIDTH)
    except OSError:
        return _USUAL_WIDTH


def _speaks_unicode() -> bool:
    """Whether the locale's encoding has the block characters; stdout may have been closed."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    return encoding.lower().replace("-", "").startswith("utf")
