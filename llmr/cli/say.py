"""stderr: one line per event, redacted and neutralised, whatever text it carries.

stderr is for people even when nobody looks, so it is always neutralised (trust.md T5). A closed or full stderr never
fails a run.
"""

import contextlib
import sys
from typing import Final

from llmr.errors import LlmrError
from llmr.render.neutralize import neutralize
from llmr.secret import Redactor

_SHAPES_ONLY: Final = Redactor()


def say(line: str, redact: Redactor = _SHAPES_ONLY) -> None:
    """Write one line to stderr."""
    if sys.stderr is None:  # pyright: ignore[reportUnnecessaryComparison] - it is, after `2>&-`
        return
    text = neutralize(redact(line)).replace("\n", " ") + "\n"
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.buffer.write(text.encode("utf-8", "replace"))
        sys.stderr.buffer.flush()


def complain(error: LlmrError, redact: Redactor = _SHAPES_ONLY) -> None:
    """Tell of an error that ends the run."""
    say(f"llmr: {error}", redact)
