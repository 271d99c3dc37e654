"""The person's own editor: `--edit`, Ctrl-X Ctrl-E, `llmr templates edit`, `llmr config edit`.

The editor gets the terminal, even where stdin and stdout are pipes, and an environment without keys (trust.md T29): it runs
plugins and shells that have no business with them.
"""

import os
import shlex
import signal
import subprocess
import sys
import tempfile
from collections.abc import Collection, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from llmr.attachments import read_file, text_in
from llmr.config.environment import Environment
from llmr.errors import OutputError, UsageError

_OTHERWISE: Final = "vi"  # POSIX has it


def edited(text: str, environment: Environment, keys: Collection[str], *, suffix: str) -> str:
    """`text` as the person left it. `keys`: variables that the editor is not given.

    Raises UsageError where the editor failed or there is no terminal for it.
    """
    try:
        descriptor, name = tempfile.mkstemp(prefix="llmr-", suffix=suffix)  # 0600
    except OSError as error:
        raise OutputError(f"no file for the editor: {error.strerror}") from error
    path = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(text.encode("utf-8", "replace"))
        edit_file(path, environment, keys)
        content = read_file(path)
        return text_in(content, "the edited text").rstrip("\n") if content.strip() else ""
    finally:
        path.unlink(missing_ok=True)


def edit_file(path: Path, environment: Environment, keys: Collection[str]) -> None:
    """Open the editor on `path`, at the terminal, and wait for it. Raises UsageError."""
    try:
        terminal = os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY)
    except OSError as error:
        raise UsageError("there is no terminal to edit on") from error
    try:
        run_editor(path, environment, terminal, keys)
    finally:
        os.close(terminal)


def run_editor(path: Path, environment: Environment, terminal: int | None, keys: Collection[str]) -> None:
    """Open the editor on `path` and wait for it; `terminal` None: with our own streams. Raises UsageError where it cannot be
    run or says that it failed."""
    if terminal is None and environment.editor is None and not _on_terminal():  # vi would wait for ever
        raise UsageError("there is no terminal to edit on; set LLMR_EDITOR to a program that needs none")
    said = environment.editor or _OTHERWISE
    try:
        words = shlex.split(said)
    except ValueError as error:
        raise UsageError(f"the editor {said!r} cannot be read as a command; set LLMR_EDITOR") from error
    try:
        with interrupts_left_to_it():
            done = subprocess.run(  # noqa: S603 - the person's own editor
                [*words, str(path)],
                stdin=terminal,
                stdout=terminal,
                stderr=terminal,
                env=environment.for_programs(keys),
                check=False,
            )
    except OSError as error:
        why = (error.strerror or "unknown error").lower()
        raise UsageError(f"the editor {said!r} cannot be run: {why}; set LLMR_EDITOR") from error
    if done.returncode != 0:
        raise UsageError(f"the editor {said!r} ended with code {done.returncode}; nothing was changed or sent")


def _on_terminal() -> bool:
    return sys.stdin is not None and sys.stdin.isatty()  # pyright: ignore[reportUnnecessaryComparison] - after `<&-`


@contextmanager
def interrupts_left_to_it() -> Generator[None]:
    """Ctrl-C in an editor is the editor's, but the terminal sends it to us as well; taken, it would end the editor and
    throw away what was written. A handler, for SIG_IGN would be inherited; no wake-up, for an event loop would hear of it."""
    before = signal.signal(signal.SIGINT, lambda _number, _frame: None)
    wakeup = signal.set_wakeup_fd(-1)
    try:
        yield
    finally:
        signal.set_wakeup_fd(wakeup)
        signal.signal(signal.SIGINT, before)
