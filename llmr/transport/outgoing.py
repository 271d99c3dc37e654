"""The headers that leave, the key among them: this is where a `Secret` is opened, and nowhere else.

They are checked before the HTTP library sees them, because its complaint about a bad header quotes the value:
a key with a newline would be printed (trust.md §0.4).
"""

import re
from collections.abc import Sequence
from typing import Final

from llmr import __version__
from llmr.catalog import CREDENTIAL_HEADERS, FRAMING_HEADERS
from llmr.errors import ConfigError, CredentialError
from llmr.wire.contract import Credential, HttpRequest

_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110 §5.6.2, token
_VALUE: Final = re.compile(r"[\x21-\x7e]([\x20-\x7e\t]*[\x21-\x7e])?|")  # trust.md T15: visible ASCII
_KEY: Final = re.compile(r"[\x21-\x7e]{1,4096}")  # trust.md T15
_OURS: Final = FRAMING_HEADERS | CREDENTIAL_HEADERS


def outgoing_headers(request: HttpRequest, *, provider_name: str) -> Sequence[tuple[str, str]]:
    """All headers but those that frame the message. Raises ConfigError or CredentialError, neither with a
    value.
    """
    headers = [("accept-encoding", "identity")]
    if not any(name.lower() == "user-agent" for name, _ in request.headers):
        headers.append(("user-agent", f"llmr/{__version__}"))
    credential = request.credential
    key_header = None if credential is None else credential.header.lower()
    for name, value in request.headers:
        if name.lower() in _OURS or name.lower() == key_header:
            raise ConfigError(f"provider {provider_name!r}: the header {name!r} cannot be set")
        _check(name, value, provider_name)
        headers.append((name, value))
    if credential is not None:
        headers.append((credential.header, _key_value(credential, provider_name)))
    return headers


def _check(name: str, value: str, provider_name: str) -> None:
    if _NAME.fullmatch(name) is None:
        raise ConfigError(f"provider {provider_name!r}: {name!r} is not a header name")
    if _VALUE.fullmatch(value) is None:
        raise ConfigError(f"provider {provider_name!r}: the value of header {name!r} is not visible ASCII")


def _key_value(credential: Credential, provider_name: str) -> str:
    _check(credential.header, credential.prefix.strip(), provider_name)
    key = credential.secret.reveal()
    if _KEY.fullmatch(key) is None:
        raise CredentialError(
            f"the key for provider {provider_name!r} is no key: {len(key)} characters, "
            "of which at least one is a space, a control character or not ASCII"
            if key
            else f"the key for provider {provider_name!r} is empty"
        )
    return credential.prefix + key
