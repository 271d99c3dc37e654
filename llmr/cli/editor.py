"""Text out of the person's own editor: `--edit`, Ctrl-X Ctrl-E, `llmr templates edit`.

The editor gets the terminal, even where stdin and stdout are pipes, and an environment without keys (trust.md T29): it runs
plugins and shells that have no business with them.
"""

import os
import shlex
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from llmr.attachments import read_file, text_in
from llmr.config.environment import Environment
from llmr.errors import OutputError, UsageError

_OTHERWISE: Final = "vi"  # POSIX has it
_KEY_ENDINGS: Final = ("_API_KEY", "_API_TOKEN", "_SECRET_KEY", "_SECRET_ACCESS_KEY")


def edited(text: str, environment: Environment, *, suffix: str) -> str:
    """`text` as the person left it. Raises UsageError where the editor failed or there is no terminal for it."""
    try:
        descriptor, name = tempfile.mkstemp(prefix="llmr-", suffix=suffix)  # 0600
    except OSError as error:
        raise OutputError(f"no file for the editor: {error.strerror}") from error
    path = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(text.encode("utf-8", "replace"))
        edit_file(path, environment)
        content = read_file(path)
        return text_in(content, "the edited text").rstrip("\n") if content.strip() else ""
    finally:
        path.unlink(missing_ok=True)


def edit_file(path: Path, environment: Environment) -> None:
    """Open the editor on `path` and wait for it. Raises UsageError."""
    command = environment.editor or _OTHERWISE
    try:
        words = shlex.split(command)
        terminal = os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY)
    except ValueError as error:
        raise UsageError(f"the editor {command!r} cannot be understood: {error}") from error
    except OSError as error:
        raise UsageError("there is no terminal to edit on") from error
    try:
        done = subprocess.run(  # noqa: S603 - the person's own editor
            [*words, str(path)],
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
            env=without_keys(environment.variables),
            check=False,
        )
    except OSError as error:
        raise UsageError(f"the editor {command!r} cannot be started: {error.strerror}; set EDITOR") from error
    finally:
        os.close(terminal)
    if done.returncode != 0:
        raise UsageError(f"the editor {command!r} ended with {done.returncode}; nothing was sent")


def without_keys(variables: Mapping[str, str]) -> dict[str, str]:
    """The variables for a child process: without those whose names say that they are keys."""
    return {name: value for name, value in variables.items() if not name.upper().endswith(_KEY_ENDINGS)}
