"""Where a request goes: its URL, if that is the provider's own, and the TLS that it takes to get there."""

import ssl
from functools import lru_cache

import httpx

from llmr.catalog import Provider
from llmr.errors import ConfigError, TrustError
from llmr.wire.contract import HttpRequest


@lru_cache(maxsize=256)  # a URL per provider, for Google one per model: parsing is a fifth of what a request costs
def _parsed(url: str) -> httpx.URL:
    return httpx.URL(url)


def checked_url(request: HttpRequest, provider: Provider) -> httpx.URL:
    """The URL, if it is one and at the provider's own origin: a key never leaves for another."""
    try:
        url, base = _parsed(request.url), _parsed(provider.base_url)
    except httpx.InvalidURL:
        raise ConfigError(f"provider {provider.name!r}: its base_url makes no valid URL") from None
    if url.scheme not in ("http", "https") or not url.host or url.userinfo:
        raise ConfigError(f"provider {provider.name!r}: base_url must be http(s)://host/… without a user name")
    if (url.scheme, url.host, url.port) != (base.scheme, base.host, base.port):
        raise TrustError(f"provider {provider.name!r}: a request for another origin than its base_url was stopped")
    return url


def tls_context(ca_file: str | None, *, verified: bool = True) -> ssl.SSLContext:
    """A context that verifies, against `ca_file` or the authorities that httpx brings. It costs 20 ms."""
    if not verified:  # `insecure = true`, which the settings allow for private hosts alone
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context
    if ca_file is None:
        import certifi  # noqa: PLC0415 - httpx's own, and only TLS needs it

        ca_file = certifi.where()
    try:
        return ssl.create_default_context(cafile=ca_file)
    except OSError as error:  # a missing file, or one without certificates (ssl.SSLError)
        raise ConfigError(f"{ca_file}: cannot be read as PEM certificates; check tls_ca and SSL_CERT_FILE") from error
