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
_STDERR: Final = 2


def say(line: str, redact: Redactor = _SHAPES_ONLY) -> None:
    """Write one line to stderr."""
    if sys.stderr is None:  # pyright: ignore[reportUnnecessaryComparison] - after `2>&-`; descriptor 2 may be the state file now
        return
    text = neutralize(redact(line)).replace("\n", " ") + "\n"
    with contextlib.suppress(OSError):  # unbuffered: what a full disk left in a buffer would spoil the exit code
        os.write(_STDERR, text.encode("utf-8", "replace"))


def complain(error: LlmrError, redact: Redactor = _SHAPES_ONLY) -> None:
    """Tell of an error that ends the run."""
    say(f"llmr: {error}", redact)
