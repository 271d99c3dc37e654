"""Finds the providers' keys, on every run anew, and says what is wrong with one without saying what it is.

    a variable of the process › ~/.config/llmr/credentials.toml (0600, mine, no link)

The file is the part of TOML that a list of keys needs, `NAME = "value"` a line, and is read without tomllib. An unsafe one
is refused with the command that mends it (trust.md T7, B45); a key that no header could carry turns its provider off, for
the HTTP library would put it into an exception (T15, B41).
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from llmr.config.environment import Environment
from llmr.config.files import read_private
from llmr.config.wording import plain
from llmr.errors import ConfigError
from llmr.secret import Secret

CREDENTIALS_FILE: Final = "credentials.toml"
_SHORTEST: Final = 8  # trust.md T15
_LONGEST: Final = 4096  # trust.md T15
_FIT: Final = r"[\x21-\x7e]{8,4096}"  # trust.md T15
_ENTRY: Final = r"""[ \t]*([A-Za-z_][A-Za-z0-9_]*)[ \t]*=[ \t]*(?:"([^"\\]*)"|'([^']*)')[ \t]*(?:#.*)?"""
_NOTHING: Final = r"[ \t]*(?:#.*)?"


@dataclass(frozen=True, slots=True)
class FoundKey:
    """What came of looking for a key. `variable` names it; `flaw` says why it cannot be used, None: it can.

    `secret` is set for an unusable key too, so that it can be masked wherever it turns up; None: there is none.
    """

    variable: str
    secret: Secret | None
    flaw: str | None


class Keyring:
    """The keys within reach of this process, by the name of their variable."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self._stored = _stored_keys(environment)

    def find(self, variables: Sequence[str]) -> FoundKey:
        """The first of these variables that is set. Set to nothing but blanks counts as not set."""
        for variable in variables:
            value = (self._environment.variable(variable) or self._stored.get(variable, "")).strip()
            if value:
                return FoundKey(variable, Secret(value), _flaw(variable, value))
        return FoundKey(variables[0], None, f"{' or '.join(variables)} is not set")


def _flaw(variable: str, value: str) -> str | None:
    if re.fullmatch(_FIT, value):
        return None
    if "\n" in value or "\r" in value:
        return f"{variable} holds a line break in the middle"
    if not value.isascii():
        return f"{variable} holds a character that is not ASCII"
    if " " in value:
        return f"{variable} holds a blank in the middle"
    if len(value) < _SHORTEST:
        return f"{variable} is shorter than {_SHORTEST} characters"
    if len(value) > _LONGEST:
        return f"{variable} is longer than {_LONGEST} characters"
    return f"{variable} holds a control character"


def _stored_keys(environment: Environment) -> Mapping[str, str]:
    """Raises TrustError for a file that is not private, ConfigError for one that is no list of keys."""
    if environment.config_dir is None:
        return {}
    path = environment.config_dir / CREDENTIALS_FILE
    label = plain(str(path))
    content = read_private(path, label, owner=environment.uid)
    if content is None:
        return {}
    keys: dict[str, str] = {}
    for number, line in enumerate(content.decode("utf-8", "replace").splitlines(), 1):
        entry = re.fullmatch(_ENTRY, line)
        if entry is not None:
            keys[entry[1]] = entry[2] if entry[2] is not None else entry[3]
        elif not re.fullmatch(_NOTHING, line):
            raise ConfigError(f'{label}:{number}: expected a line such as OPENAI_API_KEY = "…"')
    return keys
