"""`llmr config edit`: your own file in your editor, checked before it counts, as visudo does it.

The editor gets a copy, and an environment without keys (trust.md T29). Only what llmr can read takes the file's place; what
it cannot is never lost: it is edited again, or kept beside the file.
"""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from llmr.cli.config_init import Machine, Wishes, file_text
from llmr.cli.editor import run_editor
from llmr.cli.exit_codes import ExitCode
from llmr.cli.output import print_line
from llmr.cli.say import say
from llmr.config.environment import Environment
from llmr.config.named_keys import named_keys
from llmr.config.own_file import check_own, own_file, write_own
from llmr.config.private import replace_private
from llmr.config.wording import plain
from llmr.errors import ConfigError


def run_edit() -> int:
    """Edit, check, put in place. Raises UsageError, ConfigError."""
    environment = Environment.from_process()
    path = own_file(environment)
    before = _text_of(path)
    with TemporaryDirectory(prefix="llmr-") as directory:  # 0700
        copy = Path(directory) / path.name
        copy.touch(0o600)
        copy.write_text(before if before is not None else file_text(Wishes("balanced", "everyday"), Machine((), ())))
        while True:
            run_editor(copy, environment, None, named_keys(environment, None))
            after = _text_of(copy) or ""
            if after == before:
                print_line("nothing was changed")
                return int(ExitCode.OK)
            wrong = check_own(after, environment)
            if not wrong:
                write_own(after, environment, keep_old=False)
                print_line(f"{path} is written and right")
                return int(ExitCode.OK)
            for message in wrong:
                say(f"llmr: {message}")
            if not _again():
                return _set_aside(path, after)


def _again() -> bool:
    """Whether a person wants to go on editing; nobody at a terminal does not."""
    if sys.stdin is None or not sys.stdin.isatty():  # pyright: ignore[reportUnnecessaryComparison] - after `<&-`
        return False
    sys.stderr.write("Edit again? [Y/n] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in {"", "y", "yes"}


def _set_aside(path: Path, text: str) -> int:
    """Keep what was written, beside the file. The code of a configuration that is wrong."""
    aside = path.with_name(f"{path.name}.rejected")
    try:
        replace_private(aside, text.encode())
    except OSError as error:
        raise ConfigError(
            f"{plain(str(aside))}: cannot be written: {(error.strerror or 'unknown error').lower()}"
        ) from error
    say(f"llmr: your file stays as it was; what you wrote is in {plain(str(aside))}")
    return int(ExitCode.NOT_CONFIGURED)


def _text_of(path: Path) -> str | None:
    """None where there is no file. Raises ConfigError for one that cannot be edited as text."""
    try:
        return path.read_text("utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{plain(str(path))}: cannot be read as UTF-8 text") from error
