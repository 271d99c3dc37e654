"""From the normal form and this process's environment to the frozen `Config`. Plain code: this runs on every start.

Here, and not in the snapshot, is all that may differ between two runs with the same files: keys, headers and URLs that come
from variables, proxies, the home directory. A provider that lacks something is kept, off, with the reason.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from llmr.catalog import Catalog, Model, NamedModel, Provider, Strategy
from llmr.config.build_providers import equipped_provider, located, with_shared_accounts
from llmr.config.build_routing import policy_of, rule_of
from llmr.config.environment import Environment
from llmr.config.keys import Keyring
from llmr.config.model_files import LateTable, described
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


def build(
    normal: Json, environment: Environment, *, notices: Iterable[str], sources: Iterable[Path], strict: bool = False
) -> Config:
    """The configuration of this run. A credentials file that is unfit is a notice; `strict`: raise ConfigError for it."""
    keyring = Keyring(environment, strict=strict)
    equipped = {name: equipped_provider(name, row, environment, keyring) for name, row in normal["providers"].items()}
    providers = with_shared_accounts({name: one.provider for name, one in equipped.items()})
    state_path = _kept_in(normal["state_path"], "state.db", environment)
    forced = state_path is None and normal["state_path"] != MEMORY
    return Config(
        catalog=_catalog(normal, providers, environment),
        rules=tuple(rule_of(row) for row in normal["rules"]),
        policy=policy_of(normal["policy"]),
        state_path=state_path,
        state_note="no home directory: nothing is remembered after this run" if forced else None,
        notices=(*notices, *normal["notices"], *_unread(keyring), *_insecure(providers.values())),
        sources=tuple(sources),
        missing_keys=tuple(dict.fromkeys(p.missing_key for p in providers.values() if p.missing_key)),
        ca_file=(environment.variable("SSL_CERT_FILE") or "").strip() or None,
        masked=tuple(dict.fromkeys(secret for one in equipped.values() for secret in one.secrets)),
        conversations_path=_kept_in(normal["conversations"]["path"], "conversations.db", environment),
        saves=_saves(normal["conversations"].get("save"), environment),
        sends_urls=bool(normal["attachments"].get("urls")),
        cache_path=_beside(state_path, environment),
    )


def _unread(keyring: Keyring) -> Iterator[str]:
    if keyring.trouble is not None:
        yield f"{keyring.trouble} (until then no key is taken from it)"


def _insecure(providers: Iterable[Provider]) -> Iterator[str]:
    """Said on every run (trust.md T14)."""
    for provider in providers:
        if provider.insecure and provider.off_reason is None:
            yield f"{provider.name}: insecure = true: nobody knows who answers at {provider.base_url}"


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
        return located(said, environment)
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
