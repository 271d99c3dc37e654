"""The normal form: validated settings as plain JSON, which is what a snapshot holds and what build.py reads.

Nothing here depends on the process: keys, headers taken from variables, proxies and `~` are named here and looked up by
build.py on every run. What nobody set is left out, so the defaults stay in one place, the frozen values themselves.
"""

from typing import Any

from llmr.config.binding import Consent
from llmr.config.condition_checks import days_of, minutes_of
from llmr.config.origin import Origins
from llmr.config.schema import FromVariable, ModelFacts, NameTable, ProviderTable, RoutingFile
from llmr.config.schema_rules import HedgeTable, RuleTable
from llmr.config.schema_types import Table
from llmr.config.toml_lines import KeyPath
from llmr.config.urls import address_of

Normal = dict[str, Any]
"""JSON. Keys: policy, default_model, providers, names, rules, state_path, conversations, attachments; settle.py adds known,
notices, protected."""

_CAPABILITIES = (
    "context_window_tokens",
    "max_output_tokens",
    "tools",
    "images",
    "json",
    "reasoning",
    "documents",
    "audio",
)


def normal_form(settings: RoutingFile, origins: Origins, consent: Consent) -> Normal:
    """`settings` without faults, as plain JSON."""
    return {
        "policy": {
            **{
                key: value
                for key in ("strategy", "second_is_worth_usd", "quality_is_worth_usd", "exploration")
                if (value := getattr(settings, key)) is not None
            },
            "circuit_breaker": _said(settings.circuit_breaker),
            "fallback": _said(settings.fallback),
            "timeouts": _said(settings.timeouts),
            "hedging": _said(settings.hedging),
            "budget": _said(settings.budget),
            "cache": _said(settings.cache),
        },
        "default_model": settings.default_model,
        "providers": {
            name: _provider(name, provider, origins, consent) for name, provider in settings.providers.items()
        },
        "names": {name: _named_model(named) for name, named in settings.models.items()},
        "rules": [_rule(index, rule) for index, rule in enumerate(settings.rules)],
        "state_path": _anchored(settings.state.path if settings.state else None, ("state", "path"), origins),
        "conversations": {
            **_said(settings.conversations),
            "path": _anchored(
                settings.conversations.path if settings.conversations else None, ("conversations", "path"), origins
            ),
        },
        "attachments": _said(settings.attachments),
    }


def _said(table: Table | None) -> Normal:
    return {} if table is None else table.model_dump(exclude_unset=True, by_alias=True)


def _provider(name: str, provider: ProviderTable, origins: Origins, consent: Consent) -> Normal:
    path: KeyPath = ("providers", name)
    variables = [variable for variable in provider.api_key_env or () if variable]
    off = f"turned off in {origins.place((*path, 'enabled'))}" if provider.enabled is False else None
    row: Normal = {
        "wire": provider.wire or "openai",
        "api_key_env": variables,
        "api_key_cmd": provider.api_key_cmd or [],
        "off": off,
        "shares": provider.shares,
        "weight": 1.0 if provider.weight is None else provider.weight,
        "rate_limit": _said(provider.rate_limit),
        "budget": _said(provider.budget),
        "timeouts": _said(provider.timeouts),
        "headers": {
            header: _said(value) if isinstance(value, FromVariable) else value
            for header, value in (provider.headers or {}).items()
        },
        "dialect": _said(provider.dialect),
        "models": _models(provider),
        "local": bool(provider.local),
        "insecure": bool(provider.insecure),
        "tls_ca": _anchored(provider.tls_ca, (*path, "tls_ca"), origins),
    }
    if isinstance(provider.base_url, FromVariable):
        bound = {variable: consent.origins(name, variable) for variable in variables}
        row["base_url_env"] = _said(provider.base_url)
        row["allow_plaintext"] = bool(provider.allow_plaintext)
        row["bound"] = {variable: sorted(allowed) for variable, allowed in bound.items() if allowed is not None}
    else:
        address = address_of(provider.base_url or "")
        row |= {"base_url": address.url, "scheme": address.scheme, "host": address.host, "loopback": address.loopback}
    return row


def _models(provider: ProviderTable) -> Normal:
    if isinstance(provider.models, list):
        return {model_id: {} for model_id in provider.models}
    return {model_id: _facts(facts) for model_id, facts in (provider.models or {}).items()}


def _facts(facts: ModelFacts) -> Normal:
    said = _said(facts)
    return {
        "price": said.get("price"),
        "capabilities": {key: said[key] for key in _CAPABILITIES if key in said},
        "quality": said.get("quality"),
    }


def _named_model(named: NameTable) -> Normal:
    return {
        "candidates": named.candidates,
        "fallback": named.fallback or [],
        "strategy": named.strategy,
        "quality": named.quality,
        "hedge": named.hedge,
    }


def _rule(index: int, rule: RuleTable) -> Normal:
    row = _said(rule)
    when: Normal = row.get("when") or {}
    row["name"] = rule.name or f"rule {index + 1}"
    if when.get("hours") is not None:
        when["hours"] = list(minutes_of(when["hours"]))
    if when.get("weekdays") is not None:
        when["weekdays"] = days_of(when["weekdays"])
    if isinstance(rule.hedge, HedgeTable):
        row |= {"hedge": True, "hedge_after_s": rule.hedge.after_s}
    row["when"] = {key: value for key, value in when.items() if value is not None}
    return row


def _anchored(text: str | None, path: KeyPath, origins: Origins) -> str | None:
    """A relative file name is relative to the file that says it; to the working directory where a variable says it."""
    layer = origins.layer(path)
    if text is None or text.startswith(("/", "~/")) or text == ":memory:" or layer is None or layer.path is None:
        return text
    return str(layer.path.parent / text)
