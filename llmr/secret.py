"""Secrets that cannot be printed by accident, and the last filter before anything is printed at all.

Two lines of defence, since either alone has failed others (CVE-2024-9606, CVE-2026-108857):

1. `Secret` hides its value from `repr`, `str`, `format` and pickling. Only `reveal()` gives it out, and only
   transport.py calls that, at the moment it writes the header.
2. `Redactor` replaces every secret it has been told of, and everything shaped like a known kind of key, in text that is
   about to leave for stderr, a log, JSON or the store. It is idempotent.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, NoReturn, final

MASK: Final = "***"

# Prefixes that vendors publish for their keys; 8 further characters keep prose such as "sk-learn" whole, and within a word
# ("task-management") it takes a capital or a digit too.
_KEY_SHAPES: Final = re.compile(
    r"(?<=[Bb]earer )[A-Za-z0-9._~+/\-]{8,}=*"  # b64token, RFC 6750 §2.1; first, for it is the longer match
    r"|(?:(?<![a-z])sk-|sk-(?=[a-z_\-]*[A-Z0-9])|gsk_|AIza|xai-|hf_|ghp_|gho_|pplx-|fw_|csk-|tgp_v1_|AKIA)[A-Za-z0-9_\-]{8,}"
)
_SHORTEST_REDACTED = 6  # a shorter "secret" would blank out ordinary words


@final
class Secret:
    """A value that prints as `***`. Equality compares the values; `reveal()` gives it out."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The secret itself. For the transport alone."""
        return self._value

    def __repr__(self) -> str:
        return f"Secret({MASK})"

    def __str__(self) -> str:
        return MASK

    def __format__(self, spec: str) -> str:
        return MASK

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(("Secret", self._value))

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret is never pickled")


@final
@dataclass(frozen=True, slots=True, repr=False)
class Redactor:
    """Replaces known secrets, and text shaped like a key, by `***`."""

    secrets: tuple[Secret, ...] = ()

    def with_secrets(self, more: Iterable[Secret]) -> "Redactor":
        """A redactor that knows `more` secrets too."""
        return Redactor((*self.secrets, *more))

    def __call__(self, text: str) -> str:
        values = {value for secret in self.secrets if len(value := secret.reveal()) >= _SHORTEST_REDACTED}
        for value in sorted(values, key=len, reverse=True):  # one may begin with another, whose mask would bare its end
            text = text.replace(value, MASK)
        return _KEY_SHAPES.sub(MASK, text)
