"""What a `[providers.NAME]` may hold: names, URLs, headers and queries that are fit to be sent (trust.md C8, T14, T15)."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from llmr.catalog import CREDENTIAL_HEADERS, FRAMING_HEADERS
from llmr.config.origin import Fault
from llmr.config.schema import FromVariable, ProviderTable
from llmr.config.toml_lines import KeyPath
from llmr.config.urls import Address, UnfitUrl, address_of, origin_of
from llmr.config.wording import show
from llmr.secret import MASK, Redactor

PROVIDER_NAME: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")  # trust.md T26
VARIABLE_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
HEADER_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}")  # RFC 9110 §5.6.2, token
HEADER_VALUE: Final = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]{0,4094}[\x21-\x7e])?")  # trust.md T15

CREDENTIAL_QUERIES: Final = frozenset({"key", "api_key", "api-key", "apikey", "token", "access_token"})
"""A key in a URL ends in logs (wire.md §B.4, auth)."""

_LONGEST_ID: Final = 256


def provider_faults(name: str, provider: ProviderTable) -> Iterator[Fault]:
    path: KeyPath = ("providers", name)
    if not PROVIDER_NAME.fullmatch(name) or name in {".", ".."}:
        yield Fault(path, "is no provider name: 1 to 64 letters, digits, dots, underscores and hyphens")
        return
    yield from _base_url((*path, "base_url"), provider)
    yield from _key_variables((*path, "api_key_env"), provider.api_key_env or ())
    for index, origin in enumerate(provider.key_origins or ()):
        try:
            origin_of(origin)
        except UnfitUrl as error:
            yield Fault((*path, "key_origins", index), str(error))
    yield from _headers((*path, "headers"), provider.headers or {})
    yield from _dialect((*path, "dialect"), provider)
    for model_id in provider.models or ():
        yield from model_id_faults((*path, "models"), model_id)
    if provider.shares is not None and not PROVIDER_NAME.fullmatch(provider.shares):
        yield Fault((*path, "shares"), "expected 1 to 64 letters, digits, dots, underscores and hyphens")
    if provider.tls_ca is not None:
        yield from file_name_faults((*path, "tls_ca"), provider.tls_ca)


def _base_url(path: KeyPath, provider: ProviderTable) -> Iterator[Fault]:
    if provider.only_consents:
        return
    if provider.base_url is None:
        yield Fault(path, 'is missing: write base_url = "https://…"')
        return
    if isinstance(provider.base_url, FromVariable):
        yield from _from_variable(path, provider.base_url)
        return
    try:
        address = address_of(provider.base_url)
    except UnfitUrl as error:
        yield Fault(path, str(error))
        return
    if provider.insecure and not address.private:
        yield Fault((*path[:-1], "insecure"), INSECURE, distrust=True)
    has_key = bool(provider.api_key_env or provider.api_key_cmd)
    if is_plaintext_leak(address, has_key=has_key) and not provider.allow_plaintext:
        yield Fault(path, f"{PLAINTEXT}; use https, or set allow_plaintext = true", distrust=True)


PLAINTEXT: Final = "would send a key over http:// to another machine, unencrypted"  # trust.md T14


INSECURE: Final = (  # trust.md T14
    "is for this machine and private networks only; for a certificate of your own say tls_ca"
)


def is_plaintext_leak(address: Address, *, has_key: bool) -> bool:
    """Whether a key would cross the network unencrypted."""
    return has_key and address.scheme == "http" and not address.loopback


def _from_variable(path: KeyPath, value: FromVariable) -> Iterator[Fault]:
    yield from _key_variables((*path, "env"), (value.env,))
    if value.append and not re.fullmatch(r"(?:/[A-Za-z0-9._~-]+)+", value.append):
        yield Fault((*path, "append"), "expected a path that begins with a slash")


def _key_variables(path: KeyPath, names: Sequence[str]) -> Iterator[Fault]:
    for name in names:
        if name == "" and len(names) == 1:  # api_key_env = "": no key is sent
            continue
        if not VARIABLE_NAME.fullmatch(name) or MASK in Redactor()(name):
            yield Fault(path, "expected the name of an environment variable, not a key or anything else")
            return


def _headers(path: KeyPath, headers: Mapping[str, str | FromVariable]) -> Iterator[Fault]:
    for name, value in headers.items():
        here = (*path, name)
        if not HEADER_NAME.fullmatch(name):
            yield Fault(here, "is no header name")
        elif name.lower() in FRAMING_HEADERS:
            yield Fault(here, "is a header that llmr sets itself")
        elif name.lower() in CREDENTIAL_HEADERS:
            yield Fault(here, "carries a key: name its variable in api_key_env (and dialect.auth_header) instead")
        elif isinstance(value, FromVariable):
            yield from _from_variable(here, value)
        elif not HEADER_VALUE.fullmatch(value):
            yield Fault(here, "expected visible ASCII characters, without blanks at either end")


def _dialect(path: KeyPath, provider: ProviderTable) -> Iterator[Fault]:
    dialect = provider.dialect
    if dialect is None:
        return
    if dialect.auth_header is not None:
        name = dialect.auth_header.lower()
        if not HEADER_NAME.fullmatch(name) or name in FRAMING_HEADERS:
            yield Fault((*path, "auth_header"), "is no header for a key")
    if dialect.auth_prefix and not re.fullmatch(r"[\x21-\x7e]{1,32} ?", dialect.auth_prefix):
        yield Fault((*path, "auth_prefix"), 'expected a word such as "Bearer "')
    if dialect.chat_path is not None and not re.fullmatch(r"(?:/[A-Za-z0-9._~:{}-]+)+", dialect.chat_path):
        yield Fault((*path, "chat_path"), "expected a path that begins with a slash")
    for name, value in (dialect.query or {}).items():
        if name.lower() in CREDENTIAL_QUERIES:
            yield Fault((*path, "query", name), "would put a key into a URL; use api_key_env")
        elif not re.fullmatch(r"[A-Za-z0-9._~-]{1,128}", name) or not re.fullmatch(r"[A-Za-z0-9._~:-]{0,512}", value):
            yield Fault((*path, "query", name), "expected letters, digits, dots, hyphens and underscores")


def model_id_faults(path: KeyPath, model_id: str) -> Iterator[Fault]:
    if not model_id or len(model_id) > _LONGEST_ID or not model_id.isprintable() or model_id != model_id.strip():
        yield Fault(path, f"{show(model_id)} is no model id: 1 to {_LONGEST_ID} printable characters")


def file_name_faults(path: KeyPath, name: str) -> Iterator[Fault]:
    if not name or "\0" in name or len(name) > 4096:
        yield Fault(path, "is no file name")
    elif name.startswith("~") and not name.startswith("~/"):
        yield Fault(path, "expected an absolute path or one that begins with ~/")
