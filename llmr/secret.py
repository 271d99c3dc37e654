"""Secrets that cannot be printed by accident, and the last filter before anything is printed at all.

Two lines of defence, since either alone has failed others (CVE-2024-9606, CVE-2026-108857):

1. `Secret` hides its value from `repr`, `str`, `format` and pickling. Only `reveal()` gives it out, and only
   transport.py calls that, at the moment it writes the header.
2. `Redactor` replaces every secret it has been told of, and everything shaped like a known kind of key, in text that is
   about to leave for stderr, a log, JSON or the store. It is idempotent.
"""

import re
from collections.abc import Callable, Iterable
from typing import Final, NoReturn, final

from llmr.dataclass import dataclass
from llmr.errors import LlmrError

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
    """A value that prints as `***`. Equality compares the values; `reveal()` gives it out.

    A late one is fetched by its first `reveal()`: a keyring or a vault is opened for the provider that is asked, and for no
    other. What came of it, a failure too, is kept, so nobody is asked for a password twice in one run.
    """

    __slots__ = ("_failure", "_fetch", "_value")

    def __init__(self, value: str) -> None:
        self._value: str | None = value
        self._fetch: Callable[[], str] | None = None
        self._failure: LlmrError | None = None

    @classmethod
    def late(cls, fetch: Callable[[], str]) -> "Secret":
        """A secret that `fetch` gets when it is first revealed; `fetch` may block, and raises an LlmrError."""
        secret = cls("")
        secret._value, secret._fetch = None, fetch
        return secret

    @property
    def is_at_hand(self) -> bool:
        """Whether `reveal()` neither blocks nor calls anybody."""
        return self._value is not None or self._failure is not None

    def reveal(self) -> str:
        """The secret itself. For the transport alone. Raises what the fetching of a late one raised."""
        if self._failure is not None:
            raise self._failure
        if self._value is None:
            assert self._fetch is not None  # noqa: S101 - one of the two is set
            try:
                self._value = self._fetch()
            except LlmrError as error:
                self._failure = error
                raise
        return self._value

    def known_value(self) -> str:
        """The value for whoever masks it; "" while nobody has fetched it, for then there is nothing to mask."""
        return self._value or ""

    def __repr__(self) -> str:
        return f"Secret({MASK})"

    def __str__(self) -> str:
        return MASK

    def __format__(self, spec: str) -> str:
        return MASK

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret) or self._fetch is not None or other._fetch is not None:
            return self is other
        return other._value == self._value

    def __hash__(self) -> int:
        return hash(("Secret", self._value)) if self._fetch is None else id(self)

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
        """`text` without known secrets, and without what is shaped like one."""
        return _KEY_SHAPES.sub(MASK, self.known(text))

    def known(self, text: str) -> str:
        """`text` without known secrets: for words that are somebody's own and may be about keys."""
        values = {value for secret in self.secrets if len(value := secret.known_value()) >= _SHORTEST_REDACTED}
        for value in sorted(values, key=len, reverse=True):  # one may begin with another, whose mask would bare its end
            text = text.replace(value, MASK)
        return text
