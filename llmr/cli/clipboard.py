"""The clipboard of the terminal, which may be at the other end of an ssh connection: OSC 52.

The text goes through base64, so nothing in it is a sequence of its own. Terminals cut or drop what is too long, silently: then
nothing is sent and that is said. Whether the terminal obeys cannot be seen from here; tmux does with `set-clipboard on`.
"""

import base64
import os
import sys
from typing import Final

from llmr.cli.output import STDOUT, stdout_is_terminal, utf8

MOST_BYTES: Final = 74_994  # 100,000 bytes with the sequence around it: what xterm, kitty and others take
_STDERR: Final = 2


def copied(text: str, *, dumb: bool) -> str:
    """Hand `text` to the terminal's clipboard; what to say of it."""
    descriptor = _terminal()
    if descriptor is None or dumb:
        return "--copy: nothing was copied, for there is no terminal to ask"
    content = utf8(text)
    if len(content) > MOST_BYTES:
        return f"--copy: nothing was copied: {len(content):,} bytes, and terminals take {MOST_BYTES:,}"
    sequence = b"\x1b]52;c;" + base64.b64encode(content) + b"\x07"
    try:
        while sequence:
            sequence = sequence[os.write(descriptor, sequence) :]
    except OSError as error:
        return f"--copy: nothing was copied: {error.strerror}"
    return f"copied {len(text):,} characters (OSC 52)"


def _terminal() -> int | None:
    if sys.stderr is not None and sys.stderr.isatty():  # pyright: ignore[reportUnnecessaryComparison] - after `2>&-`
        return _STDERR
    return STDOUT if stdout_is_terminal() else None
