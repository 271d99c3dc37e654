"""Base URLs and origins: read strictly, once, into the one form in which they are compared and used.

A URL that two readers understand differently is how keys leave (trust.md C3, C8). So nothing odd is repaired: userinfo,
query, fragment, control characters, backslashes and strange hosts are refused, and the normal form that was compared is the
form that is dialled. No message here repeats the URL: it may hold a password.
"""

import re
from typing import Final

from llmr.dataclass import dataclass

_LONGEST: Final = 2048  # trust.md C8: 2 KiB
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_PRIVATE_NAMES: Final = (".local", ".internal", ".home.arpa", ".localhost")  # RFC 6762, ICANN 2024, RFC 8375, RFC 6761
_HOST: Final = re.compile(r"[a-z0-9_-]+(?:\.[a-z0-9_-]+)*\.?")
_LOOPBACK_V4: Final = re.compile(r"127(?:\.(?:0|[1-9]\d{0,2})){3}")
_UNFIT: Final = re.compile(r"[\x00-\x20\x7f-\xa0\\\"<>^`{|}\ud800-\udfff]")


class UnfitUrl(ValueError):
    """Why a URL is refused, as the end of a sentence that begins with what it is. Never holds the URL."""


@dataclass(frozen=True, slots=True)
class Address:
    """A base URL in normal form: lower-case ASCII host, no default port, no slash at the end."""

    url: str
    origin: str
    scheme: str
    host: str
    loopback: bool

    @property
    def private(self) -> bool:
        """Whether the host is this machine, a private address, or a name that no public DNS has."""
        return self.loopback or _is_private(self.host)


def address_of(text: str) -> Address:
    """The address that `text` means. Raises UnfitUrl."""
    _refuse_odd(text)
    scheme, separator, rest = text.partition("://")
    scheme = scheme.lower()
    if not separator or scheme not in _DEFAULT_PORTS:
        raise UnfitUrl("is not an http:// or https:// URL")
    authority, _, path = rest.partition("/")
    if "@" in authority:
        raise UnfitUrl("holds a user name or password; a key belongs in api_key_env")
    if not path.isascii():
        raise UnfitUrl("holds a character that is not ASCII in its path; percent-encode it")
    host, port = _host_and_port(authority)
    shown = f"[{host}]" if ":" in host else host
    origin = f"{scheme}://{shown}" + (f":{port}" if port not in {None, _DEFAULT_PORTS[scheme]} else "")
    loopback = host in {"localhost", "::1"} or _LOOPBACK_V4.fullmatch(host) is not None
    return Address(f"{origin}/{path}".rstrip("/"), origin, scheme, host, loopback)


def origin_of(text: str) -> str:
    """The normal form of an origin, `https://host[:port]`. Raises UnfitUrl, also for a path."""
    address = address_of(text)
    if address.url != address.origin:
        raise UnfitUrl("is not an origin: write scheme, host and port alone")
    return address.origin


def _refuse_odd(text: str) -> None:
    if len(text) > _LONGEST:
        raise UnfitUrl("is longer than 2 KiB")
    if "${" in text:
        raise UnfitUrl('holds ${…}, which is never expanded; write { env = "NAME" } for a whole value')
    if _UNFIT.search(text):
        raise UnfitUrl("holds a blank, a control character or another character that no URL has")
    if "#" in text:
        raise UnfitUrl("holds a fragment (#…)")
    if "?" in text:
        raise UnfitUrl("holds a query (?…); write dialect.query = { name = value }")


def _host_and_port(authority: str) -> tuple[str, int | None]:
    if authority.startswith("["):
        inside, bracket, after = authority[1:].partition("]")
        if not bracket or (after and not after.startswith(":")):
            raise UnfitUrl("has no valid host")
        return _v6(inside), _port(after[1:]) if after else None
    name, colon, after = authority.partition(":")
    return _name(name), _port(after) if colon else None


def _name(name: str) -> str:
    host = name.lower()
    if not host.isascii() or "xn--" in host:
        host = _international(host)
    if not _HOST.fullmatch(host) or len(host) > 254:
        raise UnfitUrl("has no valid host")
    return host


def _international(host: str) -> str:
    """The ASCII form of a host with other letters. By the library that httpx asks too: Python's own codec is of 2003, and
    knows names that httpx does not."""
    import idna

    try:
        ascii_form = idna.encode(host, uts46=True).decode("ascii")
        idna.decode(ascii_form)
    except UnicodeError as error:  # idna.IDNAError is one
        raise UnfitUrl("has no valid host") from error
    return ascii_form


def _v6(inside: str) -> str:
    from ipaddress import IPv6Address

    try:
        host = str(IPv6Address(inside))
    except ValueError as error:
        raise UnfitUrl("has no valid host") from error
    if "%" in host:
        raise UnfitUrl("has no valid host")
    return host


def _is_private(host: str) -> bool:
    from ipaddress import ip_address

    try:
        return ip_address(host).is_private
    except ValueError:
        return host.rstrip(".").endswith(_PRIVATE_NAMES)


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 5 and 0 < int(text) <= 65535):
        raise UnfitUrl("has no valid port")
    return int(text)
