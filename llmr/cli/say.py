"""stderr: one line per event, redacted and neutralised, whatever text it carries.

stderr is for people even when nobody looks, so it is always neutralised (trust.md T5). A closed or full stderr never
fails a run.
"""

import contextlib
import os
import sys
from typing import Final

from llmr.errors import LlmrError
from llmr.render.neutralize import neutralize
from llmr.secret import Redactor

_SHAPES_ONLY: Final = Redactor()
STDERR: Final = 2


def say(line: str, redact: Redactor = _SHAPES_ONLY) -> None:
    """Write one line to stderr; on a terminal that is narrower, several, broken between words."""
    text = _harmless(line, redact)
    width = terminal_width()
    if width is not None and len(text) > width // 2:  # characters may be two columns wide
        from llmr.render.wrapping import rows_of

        text = "\n".join(rows_of(text, width))
    _write(f"{text}\n")


def say_as_it_is(line: str, redact: Redactor = _SHAPES_ONLY) -> None:
    """Write one line to stderr that may be copied from there: it stays one, whatever the terminal's width."""
    _write(f"{_harmless(line, redact)}\n")


def terminal_width() -> int | None:
    """The columns of the terminal that stderr is; None: it is none."""
    try:
        return os.get_terminal_size(STDERR).columns or None
    except OSError:
        return None


def _harmless(line: str, redact: Redactor) -> str:
    return neutralize(redact(line)).replace("\n", " ")


def _write(text: str) -> None:
    if sys.stderr is None:  # pyright: ignore[reportUnnecessaryComparison] - after `2>&-`; descriptor 2 may be the state file now
        return
    with contextlib.suppress(OSError):  # unbuffered: what a full disk left in a buffer would spoil the exit code
        os.write(STDERR, text.encode("utf-8", "replace"))


def complain(error: LlmrError, redact: Redactor = _SHAPES_ONLY) -> None:
    """Tell of an error that ends the run."""
    say(f"llmr: {error}", redact)
