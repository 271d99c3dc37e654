"""Long views, one screen at a time, as git shows them: LLMR_PAGER, PAGER, else `less` with -F -R -X where LESS says nothing.

Only on a terminal, only what does not fit it, and never an answer that streams. The pager is the person's own command, run
without a shell and without keys in its environment (trust.md T29); what it is given is neutralised already. `--no-pager`, an
empty variable or `cat` turn it off, and one that cannot be run is no reason to show nothing.
"""

import os
import shlex
from collections.abc import Sequence
from contextvars import ContextVar
from typing import Final

from llmr.cli.output import STDOUT, print_line, write_stdout
from llmr.cli.screen import Screen, as_written, show
from llmr.config.environment import Environment
from llmr.config.named_keys import named_keys
from llmr.render.ink import Line

unpaged: ContextVar[bool] = ContextVar("unpaged", default=False)
"""What `--no-pager` sets for this run."""

_OTHERWISE: Final = "less"
_NONE: Final = frozenset({"", "cat"})
_LESS: Final = "FRX"  # git's: leave at once where it fits, show colours, leave the screen as it was
_USUAL_ROWS: Final = 24


def show_paged(lines: Sequence[Line], on: Screen, config_file: str | None) -> None:
    """As `show`, a screen at a time where it is a terminal's and too long for it. `config_file`, as `--config` has it,
    names the keys that the pager is not given. Raises OutputError, ClosedPipe."""
    if not on.terminal or not _tried(as_written(lines, on), config_file):
        show(lines, on)


def print_paged(text: str, on: Screen, config_file: str | None) -> None:
    """Text that is drawn and neutralised already, and in a pipe plain lines as they are. Raises OutputError, ClosedPipe."""
    if not on.terminal:
        for line in text.split("\n"):
            print_line(line)
    elif not _tried(f"{text}\n".encode("utf-8", "replace"), config_file):
        write_stdout(f"{text}\n".encode("utf-8", "replace"))


def _tried(content: bytes, config_file: str | None) -> bool:
    """Whether a pager has shown it."""
    environment = Environment.from_process()
    command = _command(environment)
    if command is None or unpaged.get() or environment.dumb_terminal or content.count(b"\n") < _rows():
        return False
    import subprocess

    from llmr.cli.editor import interrupts_left_to_it

    keys = named_keys(environment, config_file)
    variables = {"LESS": _LESS, "LV": "-c", **environment.for_programs(keys)}
    try:
        with interrupts_left_to_it():
            pager = subprocess.Popen(command, stdin=subprocess.PIPE, env=variables)  # noqa: S603 - the person's own
            pager.communicate(content)  # one that leaves early has been read enough: communicate minds no closed pipe
    except OSError:
        return False
    return pager.returncode not in {126, 127}  # as `env` and shells say that there is no such program


def _command(environment: Environment) -> list[str] | None:
    """None: none is wished, or what is said is no command."""
    said = next((v for n in ("LLMR_PAGER", "PAGER") if (v := environment.variable(n)) is not None), _OTHERWISE).strip()
    try:
        return None if said in _NONE else shlex.split(said)
    except ValueError:
        return None


def _rows() -> int:
    try:
        return os.get_terminal_size(STDOUT).lines or _USUAL_ROWS
    except OSError:
        return _USUAL_ROWS
