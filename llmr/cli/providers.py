"""`llmr providers`: what is known of them, and the switches."""

import json
from typing import Any, Final

from llmr.app import App, opened
from llmr.catalog import Catalog, Model, Provider
from llmr.cli.exit_codes import ExitCode
from llmr.cli.listing import configured, shown_age, shown_seconds, shown_share, told
from llmr.cli.output import print_line
from llmr.config.wording import suggestion
from llmr.errors import UsageError
from llmr.registry import ModelStatus
from llmr.render.table import table_lines
from llmr.routing.breaker import BreakerState, Forced, Phase, remaining_s
from llmr.routing.health import Circuit

STATUS_SCHEMA: Final = "llmr.providers/1"


def run_status(*, config_file: str | None, as_json: bool, everyone: bool) -> int:
    """Print how the providers are. Raises LlmrError."""
    with opened(configured(config_file)) as app:
        now = app.clock.now()
        providers = [p for p in app.config.catalog.providers.values() if everyone or as_json or p.off_reason is None]
        statuses = app.registry.status([model for provider in providers for model in _models(app, provider)], now=now)
        if as_json:
            document = {"schema": STATUS_SCHEMA, "providers": [_provider_json(p, statuses, now) for p in providers]}
            print_line(json.dumps(document, allow_nan=False))
        else:
            _print_status(providers, statuses, now)
            hidden = len(app.config.catalog.providers) - len(providers)
            if hidden:
                print_line(f"{hidden} more are off; `llmr providers status --all` says why")
        told(app)
    return int(ExitCode.OK)


def run_list(*, config_file: str | None, as_json: bool) -> int:
    """Print who is known. Raises LlmrError."""
    providers = configured(config_file).catalog.providers.values()
    if as_json:
        print_line(json.dumps({"schema": STATUS_SCHEMA, "providers": [_facts_json(p) for p in providers]}))
        return int(ExitCode.OK)
    rows = [
        (p.name, "on" if p.off_reason is None else "off", p.wire.value, p.base_url or "–", p.off_reason or "")
        for p in providers
    ]
    for line in table_lines(("provider", "", "wire", "url", "why off"), rows):
        print_line(line)
    return int(ExitCode.OK)


def run_reset(name: str, *, config_file: str | None) -> int:
    """Close the circuits of one provider. Raises LlmrError."""
    with opened(configured(config_file)) as app:
        count = app.registry.reset(_provider(app.config.catalog, name))
        print_line(f"{name}: {count} circuits were not closed; all are now")
        told(app)
    return int(ExitCode.OK)


def run_force(name: str, forced: Forced, *, config_file: str | None) -> int:
    """Hold one provider open or closed. Raises LlmrError."""
    with opened(configured(config_file)) as app:
        app.registry.force(_provider(app.config.catalog, name), forced)
        print_line(f"{name}: held {forced.value} until `llmr providers reset {name}`")
        told(app)
    return int(ExitCode.OK)


def _provider(catalog: Catalog, name: str) -> Provider:
    provider = catalog.providers.get(name)
    if provider is None:
        raise UsageError(f"unknown provider {name!r}{suggestion(name, catalog.providers)}")
    return provider


def _models(app: App, provider: Provider) -> list[Model]:
    """Models worth showing: named in the configuration, or tried at some time."""
    catalog = app.config.catalog
    ids = dict.fromkeys(provider.models)
    ids |= dict.fromkeys(m.id for m in catalog.models.values() if m.provider.name == provider.name)
    for named in catalog.names.values():
        ids |= {key.partition("/")[2]: None for key in named.candidates if key.startswith(f"{provider.name}/")}
    ids |= dict.fromkeys(app.registry.used_models(provider))
    return [model for model_id in ids if (model := catalog.model(f"{provider.name}/{model_id}")) is not None]


def _print_status(providers: list[Provider], statuses: list[ModelStatus], now: float) -> None:
    head = ("provider", "model", "circuit", "p50", "p95", "ok", "asked", "last error")
    rows: list[tuple[str, ...]] = []
    for provider in providers:
        own = [status for status in statuses if status.model.provider.name == provider.name]
        if provider.off_reason is not None:
            rows.append((provider.name, "", f"off: {provider.off_reason}", "", "", "", "", ""))
        elif not own:
            rows.append((provider.name, "", "closed", "–", "–", "–", "0", ""))
        else:
            rows += [_row(status, now) for status in own]
    for line in table_lines(head, rows):
        print_line(line)


def _row(status: ModelStatus, now: float) -> tuple[str, ...]:
    age = f", {shown_age(now - status.last_error_at)}" if status.last_error else ""
    return (
        status.model.provider.name,
        status.model.id,
        _circuit_phrase(status.circuits, now),
        shown_seconds(status.p50_s),
        shown_seconds(status.p95_s),
        shown_share(status.success),
        str(status.attempts),
        f"{status.last_error}{age}",
    )


def _circuit_phrase(circuits: tuple[Circuit, ...], now: float) -> str:
    """The circuit that stands in the way, else `closed`; with failures so far, where there are any."""
    blocking = next((c for c in circuits if c.state.forced is not None or c.state.phase is not Phase.CLOSED), None)
    if blocking is None:
        fails = max(circuit.state.fails for circuit in circuits)
        return f"closed, {fails} failed in a row" if fails else "closed"
    return f"{_state_phrase(blocking.state, now)} ({blocking.scope})"


def _state_phrase(state: BreakerState, now: float) -> str:
    if state.forced is not None:
        return f"held {state.forced.value}"
    left_s = remaining_s(state, now) or 0.0
    if state.phase is Phase.HALF_OPEN:
        return "half open, a probe is out" if left_s else "half open"
    why = f" after {state.why.replace('_', ' ')}" if state.why else ""
    return f"open{why}, {left_s:.0f} s left" if left_s else f"open{why}, may be probed now"


def _facts_json(provider: Provider) -> dict[str, Any]:
    return {
        "name": provider.name,
        "on": provider.off_reason is None,
        "off_reason": provider.off_reason,
        "wire": provider.wire.value,
        "base_url": provider.base_url,
        "local": provider.local,
    }


def _provider_json(provider: Provider, statuses: list[ModelStatus], now: float) -> dict[str, Any]:
    own = [status for status in statuses if status.model.provider.name == provider.name]
    return {**_facts_json(provider), "models": [_model_json(status, now) for status in own]}


def _model_json(status: ModelStatus, now: float) -> dict[str, Any]:
    return {
        "model": status.model.id,
        "circuits": [
            {
                "scope": circuit.scope,
                "state": circuit.state.phase.value,
                "forced": circuit.state.forced.value if circuit.state.forced else None,
                "cause": circuit.state.cause.value if circuit.state.cause else None,
                "why": circuit.state.why or None,
                "failures_in_a_row": circuit.state.fails,
                "trips": circuit.state.trips,
                "remaining_s": remaining_s(circuit.state, now),
            }
            for circuit in status.circuits
        ],
        "attempts": status.attempts,
        "success": status.success,
        "p50_s": status.p50_s,
        "p95_s": status.p95_s,
        "last_error": status.last_error or None,
        "last_error_at": status.last_error_at or None,
    }
