"""From the normal form and this process's environment to the frozen `Config`. Plain code: this runs on every start.

Here, and not in the snapshot, is all that may differ between two runs with the same files: keys, headers and URLs that come
from variables, proxies, the home directory. A provider that lacks something is kept, off, with the reason.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from llmr.catalog import Catalog, Dialect, Model, NamedModel, Provider, RateLimit, Strategy, WireFormat
from llmr.config.build_routing import overrides_of, policy_of, rule_of, spend_of
from llmr.config.environment import Environment
from llmr.config.keys import FoundKey, Keyring
from llmr.config.model_files import LateTable, described
from llmr.config.proxies import UnfitProxy, password_in, proxy_for
from llmr.dataclass import dataclass
from llmr.routing.policy import Policy
from llmr.routing.rules import Rule
from llmr.secret import Secret

Json = dict[str, Any]
MEMORY: Final = ":memory:"  # what `[state] path` says for "remember nothing"; the word is SQLite's


@dataclass(frozen=True, slots=True)
class Config:
    """Everything that is configured, frozen.

    `state_path` None: keep state in memory, as the user wishes, or for the reason in `state_note`. `notices`: what a person
    should be told, one line each. `sources`: the files that speak, weakest first. `ca_file`: SSL_CERT_FILE, None for the
    client's own authorities. `missing_keys`: variables that would turn a provider on, in the order of the providers.
    `conversations_path` None: there is no place for them; `saves`: whether they are kept when nobody says otherwise.
    `sends_urls`: attachments may be URLs, which providers fetch. `cache_path`: where answers may be kept, beside the state;
    None: nowhere.
    """

    catalog: Catalog
    rules: tuple[Rule, ...]
    policy: Policy
    state_path: Path | None
    state_note: str | None = None
    notices: tuple[str, ...] = ()
    sources: tuple[Path, ...] = ()
    missing_keys: tuple[str, ...] = ()
    ca_file: str | None = None
    masked: tuple[Secret, ...] = field(default=(), repr=False)
    conversations_path: Path | None = None
    saves: bool = False
    sends_urls: bool = False
    cache_path: Path | None = None

    def secrets(self) -> tuple[Secret, ...]:
        """All that must never be printed, for the Redactor: keys, unusable ones too, header values, proxy passwords."""
        return self.masked


def missing_keys(config: Config) -> tuple[str, ...]:
    """The variables that would turn a provider on if they were set."""
    return config.missing_keys


def local_servers(config: Config) -> tuple[Provider, ...]:
    """Providers on this machine that need no key; whether one is running is not known here."""
    return tuple(
        provider for provider in config.catalog.providers.values() if provider.local and provider.off_reason is None
    )


def build(normal: Json, environment: Environment, *, notices: Iterable[str], sources: Iterable[Path]) -> Config:
    """The configuration of this run. Raises TrustError or ConfigError for a credentials file that is unfit."""
    keyring = Keyring(environment)
    equipped = {name: _equipped(name, row, environment, keyring) for name, row in normal["providers"].items()}
    providers = _with_shared_accounts({name: one.provider for name, one in equipped.items()})
    state_path = _kept_in(normal["state_path"], "state.db", environment)
    forced = state_path is None and normal["state_path"] != MEMORY
    return Config(
        catalog=_catalog(normal, providers, environment),
        rules=tuple(rule_of(row) for row in normal["rules"]),
        policy=policy_of(normal["policy"]),
        state_path=state_path,
        state_note="no home directory: nothing is remembered after this run" if forced else None,
        notices=(*notices, *normal["notices"], *_insecure(providers.values())),
        sources=tuple(sources),
        missing_keys=tuple(dict.fromkeys(p.missing_key for p in providers.values() if p.missing_key)),
        ca_file=(environment.variable("SSL_CERT_FILE") or "").strip() or None,
        masked=tuple(dict.fromkeys(secret for one in equipped.values() for secret in one.secrets)),
        conversations_path=_kept_in(normal["conversations"]["path"], "conversations.db", environment),
        saves=_saves(normal["conversations"].get("save"), environment),
        sends_urls=bool(normal["attachments"].get("urls")),
        cache_path=_beside(state_path, environment),
    )


def _insecure(providers: Iterable[Provider]) -> Iterator[str]:
    """Said on every run (trust.md T14)."""
    for provider in providers:
        if provider.insecure and provider.off_reason is None:
            yield f"{provider.name}: insecure = true: nobody knows who answers at {provider.base_url}"


# Providers


def _with_shared_accounts(providers: Mapping[str, Provider]) -> dict[str, Provider]:
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
class _Equipped:
    """A provider, and what must be masked because of it."""

    provider: Provider
    secrets: tuple[Secret, ...]


def _equipped(name: str, row: Json, environment: Environment, keyring: Keyring) -> _Equipped:
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
        tls_ca=str(_located(row["tls_ca"], environment)) if row["tls_ca"] is not None else None,
        proxy=proxy,
        key_source=key.source if key is not None else None,
        key_variables=tuple(row["api_key_env"]),
        insecure=row["insecure"],
        missing_key=key.variable if key is not None and key.secret is None and row["off"] is None else None,
    )
    return _Equipped(
        provider,
        secrets=(
            *((key.secret,) if key is not None and key.secret is not None else ()),
            *header_secrets,
            *((Secret(password),) if password else ()),
        ),
    )


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


# Models and names


def _catalog(normal: Json, providers: Mapping[str, Provider], environment: Environment) -> Catalog:
    models: dict[str, Model] = {}
    known = normal["known"]
    for name, row in normal["providers"].items():
        for model_id, facts in row["models"].items():
            key = f"{name}/{model_id}"
            models[key] = described(providers[name], model_id, facts, known.get(key))
    for named in normal["names"].values():
        for key in named["candidates"]:
            provider_name, _, model_id = key.partition("/")
            if key not in models:
                models[key] = described(providers[provider_name], model_id, {}, known.get(key))
    return Catalog(
        providers=MappingProxyType(dict(providers)),
        names=MappingProxyType({name: _named_model(name, row) for name, row in normal["names"].items()}),
        models=MappingProxyType(models),
        default_model=normal["default_model"],
        describe=LateTable(environment).describe,
    )


def _named_model(name: str, row: Json) -> NamedModel:
    return NamedModel(
        name,
        candidates=tuple(row["candidates"]),
        fallback=tuple(row["fallback"]),
        strategy=Strategy(row["strategy"]) if row["strategy"] is not None else None,
        quality=row["quality"],
        hedge=row["hedge"],
    )


# Files


def _kept_in(said: str | None, name: str, environment: Environment) -> Path | None:
    """The file that is meant, by default `name` among the user's state; None: nowhere."""
    if said == MEMORY:
        return None
    if said is not None:
        return _located(said, environment)
    return environment.state_dir / name if environment.state_dir is not None else None


def _beside(state_path: Path | None, environment: Environment) -> Path | None:
    """The cache's file; none where nothing is to be remembered, or LLMR_LOG=off."""
    if state_path is None or (environment.log or "").lower() in _NO:
        return None
    return state_path.with_name("cache.db")


def _saves(said: bool | None, environment: Environment) -> bool:
    """LLMR_LOG=off keeps nothing at all, LLMR_SAVE speaks for this run, the file in general."""
    if (environment.log or "").lower() in _NO:
        return False
    if environment.save is not None:
        return environment.save.lower() not in _NO
    return said is not False


_NO: Final = frozenset({"0", "off", "no", "false"})


def _located(name: str, environment: Environment) -> Path | None:
    """The file that is meant; None for one under ~ where there is no home, or a relative one where there is no here."""
    if name.startswith("~/"):
        return environment.home / name[2:] if environment.home is not None else None
    path = Path(name)
    if path.is_absolute():
        return path
    return environment.cwd / path if environment.cwd is not None else None
