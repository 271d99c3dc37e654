"""From a provider's row in the normal form to the `Provider` of this run: its key, its URL, its headers, its proxy.

All that may differ between two runs with the same files. What is lacking turns the provider off, with the reason.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from llmr.catalog import Dialect, Provider, RateLimit, WireFormat
from llmr.config.build_routing import overrides_of, spend_of
from llmr.config.environment import Environment
from llmr.config.keys import FoundKey, Keyring
from llmr.config.proxies import UnfitProxy, password_in, proxy_for
from llmr.dataclass import dataclass
from llmr.secret import Secret

Json = dict[str, Any]


def with_shared_accounts(providers: Mapping[str, Provider]) -> dict[str, Provider]:
    """Two tables with one key at one URL are one account: a 429 or an empty purse of the one is the other's too, as if both
    had said `shares`."""
    tables: dict[tuple[str, str], list[Provider]] = {}
    for provider in providers.values():
        if provider.key_fingerprint:
            tables.setdefault((provider.key_fingerprint, provider.base_url), []).append(provider)
    found = dict(providers)
    for (fingerprint, _), together in tables.items():
        said = next((provider.shares for provider in together if provider.shares is not None), None)
        for provider in together if len(together) > 1 else ():
            if provider.shares is None:
                found[provider.name] = replace(provider, shares=said or f"account-{fingerprint}")
    return found


@dataclass(frozen=True, slots=True)
class Equipped:
    """A provider, and what must be masked because of it."""

    provider: Provider
    secrets: tuple[Secret, ...]


def equipped_provider(name: str, row: Json, environment: Environment, keyring: Keyring) -> Equipped:
    wants_key = row["api_key_env"] or row["api_key_cmd"]
    key = keyring.find(row["api_key_env"], row["api_key_cmd"]) if wants_key else None
    where, url_flaw = _where(row, environment, key)
    proxy, proxy_flaw = _proxy(where, environment)
    headers, header_secrets, header_flaw = _headers(row["headers"], environment)
    off = row["off"] or (key.flaw if key else None) or url_flaw or header_flaw or proxy_flaw
    secret = key.secret if key is not None and key.flaw is None else None
    password = password_in(proxy) if proxy else None
    provider = Provider(
        name=name,
        wire=WireFormat(row["wire"]),
        base_url=where["base_url"] if where is not None else "",
        key=secret,
        key_fingerprint=key.fingerprint if key is not None and secret is not None else "",
        api_key_env=key.variable or None if key is not None else None,
        off_reason=off,
        shares=row["shares"],
        weight=row["weight"],
        rate_limit=RateLimit(**row["rate_limit"]),
        timeouts=overrides_of(row["timeouts"]),
        spend=spend_of(row["budget"]),
        headers=headers,
        dialect=_dialect(row["dialect"]),
        models=tuple(row["models"]),
        local=row["local"] and where is not None and where["loopback"],
        tls_ca=str(located(row["tls_ca"], environment)) if row["tls_ca"] is not None else None,
        proxy=proxy,
        key_source=key.source if key is not None else None,
        key_variables=tuple(row["api_key_env"]),
        insecure=row["insecure"],
        missing_key=_missing(key) if row["off"] is None else None,
    )
    return Equipped(
        provider,
        secrets=(
            *((key.secret,) if key is not None and key.secret is not None else ()),
            *header_secrets,
            *((Secret(password),) if password else ()),
        ),
    )


def _missing(key: FoundKey | None) -> str | None:
    """The variable that would turn it on; nothing where the key may be there, in a file that is unfit."""
    return key.variable if key is not None and key.secret is None and not key.unread else None


def _where(row: Json, environment: Environment, key: FoundKey | None) -> tuple[Json | None, str | None]:
    """base_url, scheme, host and loopback of the provider, or why they are not known.

    A URL that comes from a variable is judged here, as checks.py and binding.py judge the others.
    """
    said = row.get("base_url_env")
    if said is None:
        return row, None
    variable, append = said["env"], said.get("append", "")
    value = (environment.variable(variable) or "").strip().rstrip("/")
    if not value:
        return None, f"{variable} is not set"
    from llmr.config.urls import UnfitUrl, address_of  # one provider in fifteen needs it

    try:
        address = address_of(value if value.endswith(append) else value + append)
    except UnfitUrl as error:
        return None, f"{variable} {error}"
    if row["insecure"] and not address.private:
        return None, f"{variable} names a public host, and insecure = true is for private ones"
    if address.scheme == "http" and not address.loopback and key is not None and not row["allow_plaintext"]:
        return None, f"{variable} would send a key over http:// to another machine, unencrypted"
    allowed = row["bound"].get(key.variable) if key is not None else None
    if key is not None and allowed is not None and address.origin not in allowed:
        return None, f"{variable} names an origin that {key.variable} is not sent to"
    return {"base_url": address.url, "scheme": address.scheme, "host": address.host, "loopback": address.loopback}, None


def _proxy(where: Json | None, environment: Environment) -> tuple[str | None, str | None]:
    if where is None or where["loopback"]:
        return None, None
    try:
        return proxy_for(where["scheme"], where["host"], environment), None
    except UnfitProxy as error:
        return None, str(error)


def _headers(
    said: Mapping[str, Any], environment: Environment
) -> tuple[Mapping[str, str], tuple[Secret, ...], str | None]:
    """The extra headers, the values that must be masked, and what is wrong with one that comes from a variable."""
    headers: dict[str, str] = {}
    secrets: list[Secret] = []
    flaw: str | None = None
    for name, value in said.items():
        if isinstance(value, str):
            headers[name] = value
            continue
        found = (environment.variable(value["env"]) or "").strip()
        if not found:
            flaw = flaw or f"{value['env']} is not set"
        elif not (found.isascii() and found.isprintable() and len(found) <= 4096):
            flaw = flaw or f"{value['env']} holds a character that no header can carry"
        else:
            headers[name] = found + value.get("append", "")
            secrets.append(Secret(found))
    return MappingProxyType(headers), tuple(secrets), flaw


def _dialect(said: Json) -> Dialect:
    facts: Json = dict(said)
    if "query" in facts:
        facts["query"] = MappingProxyType(dict(facts["query"]))
    return Dialect(**facts)


def located(name: str, environment: Environment) -> Path | None:
    """The file that is meant; None for one under ~ where there is no home, or a relative one where there is no here."""
    if name.startswith("~/"):
        return environment.home / name[2:] if environment.home is not None else None
    path = Path(name)
    if path.is_absolute():
        return path
    return environment.cwd / path if environment.cwd is not None else None
