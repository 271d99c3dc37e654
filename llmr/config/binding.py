"""Which key may go to which origin (trust.md C3, B38, B39).

A key belongs to the origin that gave it out. For the keys of known providers that is written in providers.toml:
OPENAI_API_KEY goes to https://api.openai.com and nowhere else, unless the user's own file says so in
`[providers.x] key_origins = […]`. Any other variable goes where the user's own file sends it: a table that names both
the variable and the URL is the consent. A project's file, trusted or not, is no consent: it may only repeat a pair that
exists without it. Origins are compared in normal form, exactly: scheme, host, port.
"""

from collections.abc import Iterator, Mapping

from llmr.config.origin import Fault
from llmr.config.schema import ProviderTable, RoutingFile
from llmr.config.urls import address_of, origin_of
from llmr.dataclass import dataclass


@dataclass(frozen=True, slots=True)
class Consent:
    """What was agreed to without any project's file. `built_in`: variable → origin; `pairs`: the user's own."""

    built_in: Mapping[str, frozenset[str]]
    pairs: frozenset[tuple[str, str]]
    key_origins: Mapping[str, frozenset[str]]

    @classmethod
    def given_by(cls, known: RoutingFile, user_scope: RoutingFile) -> "Consent":
        """From providers.toml alone, and from all sources but a project's file; both free of faults."""
        built_in: dict[str, set[str]] = {}
        for variable, origin in _pairs(known):
            built_in.setdefault(variable, set()).add(origin)
        return cls(
            built_in={variable: frozenset(origins) for variable, origins in built_in.items()},
            pairs=frozenset(_pairs(user_scope)),
            key_origins={name: _said_origins(provider) for name, provider in user_scope.providers.items()},
        )

    def origins(self, provider_name: str, variable: str) -> frozenset[str] | None:
        """Where this provider may send this variable's key, by name; None: the variable is bound to no origin."""
        if variable not in self.built_in:
            return None
        return self.built_in[variable] | self.key_origins.get(provider_name, frozenset())

    def faults_in(self, settings: RoutingFile) -> Iterator[Fault]:
        """Every pair of key and origin that nobody agreed to."""
        for name, provider in settings.providers.items():
            origin = _origin(provider)
            if origin is None:
                continue
            for variable in _keys(name, provider):
                if not self._agreed(name, variable, origin):
                    yield Fault(
                        ("providers", name, "base_url"),
                        f"{variable} is not sent to {origin}; if it should be, write in your own routing.toml: "
                        f'[providers.{name}] key_origins = ["{origin}"]',
                        distrust=True,
                    )

    def _agreed(self, name: str, variable: str, origin: str) -> bool:
        if origin in self.key_origins.get(name, ()):
            return True
        bound = self.origins(name, variable)
        return origin in bound if bound is not None else (variable, origin) in self.pairs


def _pairs(settings: RoutingFile) -> Iterator[tuple[str, str]]:
    for name, provider in settings.providers.items():
        origin = _origin(provider)
        if origin is not None:
            yield from ((key, origin) for key in _keys(name, provider))


def _keys(name: str, provider: ProviderTable) -> tuple[str, ...]:
    """What its keys are called: variables, and the command's, which goes where the user's own file sends it."""
    command = (f"the key of [providers.{name}] api_key_cmd",) if provider.api_key_cmd else ()
    return (*(variable for variable in provider.api_key_env or () if variable), *command)


def _origin(provider: ProviderTable) -> str | None:
    """None where the URL comes from a variable of the process, which is the user's word and known only in build.py."""
    return address_of(provider.base_url).origin if isinstance(provider.base_url, str) else None


def _said_origins(provider: ProviderTable) -> frozenset[str]:
    return frozenset(origin_of(origin) for origin in provider.key_origins or ())
