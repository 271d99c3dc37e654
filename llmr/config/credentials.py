"""The user's own list of stored keys: `credentials.toml`, 0600, read on every run and written by `llmr keys`.

    OPENAI_API_KEY = "sk-…"                       the key itself, in plain text
    GROQ_API_KEY = { keyring = "1a2b3c4d" }       it is in the operating system's keyring; its fingerprint

It is the part of TOML that such a list needs, a line each, and is read without tomllib. The entry for a keyring says that
there is something to be found: so no run imports `keyring` (50 ms and more) or wakes a daemon in vain, and the circuit of a
key that was replaced starts clean without anybody opening the keyring. A file that others can read, or that is not mine,
is refused with the command that mends it (trust.md T7, B45).
"""

import re
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from llmr.config.environment import Environment
from llmr.config.files import read_private
from llmr.config.wording import plain
from llmr.dataclass import dataclass
from llmr.errors import ConfigError, CredentialError
from llmr.secret import Secret

CREDENTIALS_FILE: Final = "credentials.toml"
_NAME: Final = r"[ \t]*([A-Za-z_][A-Za-z0-9_]*)[ \t]*=[ \t]*"
_END: Final = r"[ \t]*(?:#.*)?"
_PLAIN: Final = _NAME + r"""(?:"([^"\\]*)"|'([^']*)')""" + _END
_IN_KEYRING: Final = _NAME + r'\{[ \t]*keyring[ \t]*=[ \t]*"([0-9a-f]{8})"[ \t]*\}' + _END
_HEAD: Final = "# Keys of llmr, for your eyes only: mode 0600. A variable of the same name outranks an entry here.\n"


@dataclass(frozen=True, slots=True)
class InKeyring:
    """A key that the operating system's keyring holds; 8 hex digits of its SHA-256."""

    fingerprint: str


Stored = Secret | InKeyring


def credentials_file(environment: Environment) -> Path | None:
    """Where the list is or would be; None without HOME and XDG_CONFIG_HOME."""
    return environment.config_dir / CREDENTIALS_FILE if environment.config_dir is not None else None


def stored_keys(environment: Environment) -> Mapping[str, Stored]:
    """What is stored, by the name of its variable.

    Raises TrustError for a file that is not private, ConfigError for one that is no list of keys.
    """
    path = credentials_file(environment)
    if path is None:
        return {}
    return dict(_entries(_lines(path, environment), plain(str(path))))


def store(variable: str, entry: Stored, environment: Environment) -> Path:
    """Put this one entry in place of the variable's older one, and the file where it is. Every other line stays.

    Raises as `stored_keys` does, and CredentialError for a key or a file that cannot be written.
    """
    match entry:
        case InKeyring():
            line = f'{variable} = {{ keyring = "{entry.fingerprint}" }}'
        case Secret():
            line = f"{variable} = {_quoted(variable, entry.reveal())}"
    return _rewritten(variable, line, environment)


def forget(variable: str, environment: Environment) -> Path:
    """Take the variable's entry out. Raises as `store` does."""
    return _rewritten(variable, None, environment)


def _rewritten(variable: str, line: str | None, environment: Environment) -> Path:
    path = credentials_file(environment)
    if path is None:
        raise CredentialError("there is nowhere to keep a key: HOME is not set")
    from llmr.config.private import make_private, replace_private

    try:
        make_private(path.parent)
        with _alone(path.parent):
            lines = _lines(path, environment) or _HEAD.splitlines()
            dict(_entries(lines, plain(str(path))))  # a list that is broken is not made worse
            kept = [old for old in lines if _name_of(old) != variable]
            replace_private(path, "".join(f"{text}\n" for text in (*kept, *((line,) if line else ()))).encode())
    except OSError as error:
        reason = (error.strerror or "unknown error").lower()
        raise CredentialError(f"{plain(str(path))}: cannot be written: {reason}") from error
    return path


@contextmanager
def _alone(directory: Path) -> Generator[None]:
    """Hold the directory's lock: two `llmr keys set` at once lose no key."""
    import fcntl
    import os

    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _lines(path: Path, environment: Environment) -> list[str]:
    content = read_private(path, plain(str(path)), owner=environment.uid)
    return content.decode("utf-8", "replace").splitlines() if content is not None else []


def _entries(lines: Sequence[str], label: str) -> Iterator[tuple[str, Stored]]:
    for number, line in enumerate(lines, 1):
        if entry := re.fullmatch(_PLAIN, line):
            yield entry[1], Secret((entry[2] if entry[2] is not None else entry[3]).strip())
        elif entry := re.fullmatch(_IN_KEYRING, line):
            yield entry[1], InKeyring(entry[2])
        elif not re.fullmatch(_END, line):
            raise ConfigError(f'{label}:{number}: expected a line such as OPENAI_API_KEY = "…"')


def _name_of(line: str) -> str | None:
    found = re.match(_NAME, line)
    return found[1] if found is not None else None


def _quoted(variable: str, value: str) -> str:
    if '"' not in value and "\\" not in value:
        return f'"{value}"'
    if "'" not in value:
        return f"'{value}'"
    raise CredentialError(f"this key holds both kinds of quotes; set the variable {variable} instead")
