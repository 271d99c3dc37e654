"""The clipboard of the terminal, which may be at the other end of an ssh connection: OSC 52, or tmux's word for it.

    $TMUX      `tmux load-buffer -w`: tmux's own buffer, and the terminal's clipboard through tmux. What a program in a pane
               writes of OSC 52 tmux drops, unless `set-clipboard` is `on`; the default is `external`
    $STY       nothing: GNU screen hands no clipboard on
    otherwise  OSC 52. The text goes through base64, so nothing in it is a sequence of its own

Whether a terminal obeys cannot be seen from here, so what is said is what was asked of it. Terminals cut or drop what is too
long, silently: then they are not asked, and that is said.
"""

import base64
import os
import subprocess
import sys
from collections.abc import Collection
from typing import Final

from llmr.cli.output import STDOUT, stdout_is_terminal, utf8
from llmr.config.environment import Environment

MOST_BYTES: Final = 74_994  # 100,000 bytes with the sequence around it: what xterm, kitty and others take
_STDERR: Final = 2
_TMUX_ANSWERS_WITHIN_S: Final = 2.0
_TO_TMUX: Final = ("tmux", "load-buffer", "-w", "-", ";", "display-message", "-p", "#{client_termfeatures}")  # tmux 3.2


def copied(text: str, environment: Environment, keys: Collection[str]) -> str:
    """Hand `text` to the clipboard; what to say of it. `keys`: variables that tmux is not given."""
    content = utf8(text)
    said = _through_tmux(content, environment, keys) if environment.variable("TMUX") else None
    return said or _through_terminal(content, len(text), environment)


def _through_tmux(content: bytes, environment: Environment, keys: Collection[str]) -> str | None:
    """None: there is no tmux that could be asked."""
    try:
        done = subprocess.run(  # noqa: S603 - words of our own
            _TO_TMUX,
            input=content,
            capture_output=True,
            timeout=_TMUX_ANSWERS_WITHIN_S,
            env=environment.for_programs(keys),
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    if done.returncode != 0:
        return None
    size = f"{len(content.decode()):,} characters"
    if b"clipboard" not in done.stdout:  # of no client, of a terminal without it
        return f"copied {size} to tmux's buffer (prefix ] pastes them); its terminal is not known to have a clipboard"
    if len(content) > MOST_BYTES:
        return f"copied {size} to tmux's buffer (prefix ] pastes them); terminals take {MOST_BYTES:,} bytes of them at most"
    return f"copied {size} to tmux's buffer, and asked its terminal to copy them"


def _through_terminal(content: bytes, characters: int, environment: Environment) -> str:
    descriptor = _terminal()
    if descriptor is None or environment.dumb_terminal:
        return "--copy: nothing was copied, for there is no terminal to ask"
    if environment.variable("STY"):
        return "--copy: nothing was copied: GNU screen hands no clipboard on"
    if len(content) > MOST_BYTES:
        return f"--copy: nothing was copied: {len(content):,} bytes, and terminals take {MOST_BYTES:,}"
    sequence = b"\x1b]52;c;" + base64.b64encode(content) + b"\x07"
    try:
        while sequence:
            sequence = sequence[os.write(descriptor, sequence) :]
    except OSError as error:
        return f"--copy: nothing was copied: {error.strerror}"
    inside = (environment.variable("TERM") or "").startswith("tmux")  # of the machine that we were called from
    unless = "; tmux passes that on with `set-clipboard on` only" if inside else ""
    return f"asked the terminal to copy {characters:,} characters (OSC 52{unless})"


def _terminal() -> int | None:
    if sys.stderr is not None and sys.stderr.isatty():  # pyright: ignore[reportUnnecessaryComparison] - after `2>&-`
        return _STDERR
    return STDOUT if stdout_is_terminal() else None
