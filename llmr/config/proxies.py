"""Which proxy stands between us and a provider: HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY (trust.md T13).

Loopback is never proxied. The proxy's URL may hold a password, so no message repeats it.
"""

import re
from typing import Final

from llmr.config.environment import Environment

# Patterns are compiled where they are first needed: most runs are behind no proxy.
_FIT: Final = r"(?i)https?://[^\x00-\x20\x7f-\xa0/?#\\]{1,1024}/?"
_USERINFO: Final = r"://[^@/]*?:([^@/]+)@"


class UnfitProxy(ValueError):
    """Why a proxy cannot be used, naming its variable and never its value."""


def proxy_for(scheme: str, host: str, environment: Environment) -> str | None:
    """The proxy's URL for a host that is not loopback, None: connect directly. Raises UnfitProxy."""
    said = environment.proxy(scheme)
    if said is None:
        return None
    variable, value = said
    if environment.no_proxy is not None and _is_exempt(host, environment.no_proxy):
        return None
    url = value if "://" in value else f"http://{value}"  # as curl reads it
    if not re.fullmatch(_FIT, url):
        kind = url.partition("://")[0].lower()
        if kind.startswith("socks") and kind.isalnum():
            raise UnfitProxy(f"{variable} names a {kind} proxy; only http and https proxies are spoken")
        raise UnfitProxy(f"{variable} is no proxy URL")
    return url.rstrip("/")


def password_in(proxy_url: str) -> str | None:
    """The password in a proxy's URL, as written there; None where there is none."""
    found = re.search(_USERINFO, proxy_url)
    return found[1] if found else None


def _is_exempt(host: str, no_proxy: str) -> bool:
    """As in urllib: a name exempts itself and what is under it, with or without a leading dot; * exempts everything."""
    names = (entry.strip().lower() for entry in no_proxy.split(","))
    bare = (name if name == "*" else name.removeprefix("*").removeprefix(".") for name in names)
    return any(name == "*" or (name and (host == name or host.endswith(f".{name}"))) for name in bare)
