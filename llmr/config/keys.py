"""Finds the providers' keys, on every run anew, and says what is wrong with one without saying what it is.

    a variable of the process › api_key_cmd › the keyring › credentials.toml (credentials.py)

A credentials file that is unfit stops only those who need a key from it: `llmr log` must not fail for a mode.

A variable and the file are read here and now. A command and the keyring are asked only when the provider is (`Secret.late`,
key_sources.py): a vault that wants a fingerprint must not want one for `llmr rank`. A key that no header could carry turns
its provider off, for the HTTP library would put it into an exception (trust.md T15, B41).
"""

from collections.abc import Mapping, Sequence

from llmr.catalog import KeySource
from llmr.config.credentials import InKeyring, Stored, stored_keys
from llmr.config.environment import Environment
from llmr.config.key_sources import fingerprint_of, flaw_in, key_of_command, key_of_keyring
from llmr.dataclass import dataclass
from llmr.errors import ConfigError
from llmr.secret import Secret


@dataclass(frozen=True, slots=True)
class FoundKey:
    """What came of looking for a key. `variable` names it, "" for a command's; `flaw` says why it cannot be used, None: it
    can.

    `secret` is set for an unusable key too, so that it can be masked wherever it turns up; None: there is none.
    `fingerprint` of a command's key is its command's: the key is not known yet. `unread`: it may be in a file that is unfit.
    """

    variable: str
    secret: Secret | None
    flaw: str | None
    source: KeySource | None = None
    fingerprint: str = ""
    unread: bool = False


class Keyring:
    """The keys within reach of this process, by the name of their variable."""

    def __init__(self, environment: Environment, *, strict: bool = False) -> None:
        """`strict`: raise TrustError or ConfigError for a credentials file that is unfit. Else `trouble` says what is the
        matter with it, None: nothing; no key is taken from it, and who wants one from there is off for that reason."""
        self._environment = environment
        self.trouble: ConfigError | None = None
        self._stored: Mapping[str, Stored] = {}
        try:
            self._stored = stored_keys(environment)
        except ConfigError as error:
            if strict:
                raise
            self.trouble = error

    def find(self, variables: Sequence[str], command: Sequence[str] = ()) -> FoundKey:
        """The first that there is. A variable set to nothing but blanks counts as not set."""
        for variable in variables:
            value = (self._environment.variable(variable) or "").strip()
            if value:
                return _found(variable, Secret(value), KeySource.VARIABLE)
        if command:
            late = Secret.late(lambda: key_of_command(command, self._environment))
            return FoundKey("", late, None, KeySource.COMMAND, fingerprint_of("\0".join(command)))
        for variable in variables:
            stored = self._stored.get(variable)
            if isinstance(stored, InKeyring):
                return self._kept(variable, stored)
            if stored is not None and stored.reveal():
                return _found(variable, stored, KeySource.FILE)
        unset = f"{' or '.join(variables)} is not set"
        if self.trouble is not None:
            return FoundKey(variables[0], None, f"{unset}, and {self.trouble}", unread=True)
        return FoundKey(variables[0], None, unset)

    @staticmethod
    def _kept(variable: str, stored: InKeyring) -> FoundKey:
        late = Secret.late(lambda: key_of_keyring(variable))
        return FoundKey(variable, late, None, KeySource.KEYRING, stored.fingerprint)


def _found(variable: str, secret: Secret, source: KeySource) -> FoundKey:
    value = secret.reveal()
    return FoundKey(variable, secret, flaw_in(variable, value), source, fingerprint_of(value))
