"""`llmr providers`: what is known of them, and the switches."""

import json
from typing import Any, Final

from llmr.app import App, opened
from llmr.catalog import Catalog, Model, Provider
from llmr.cli.exit_codes import ExitCode
from llmr.cli.listing import configured, told
from llmr.cli.output import print_line
from llmr.cli.screen import screen, show
from llmr.config.wording import suggestion
from llmr.errors import UsageError
from llmr.registry import ModelStatus
from llmr.render.figures import NOTHING
from llmr.render.ink import Keep, Tone, ink
from llmr.render.status import RECENT_ATTEMPTS, RECENT_S, StatusView, recent_of
from llmr.render.table import Column, table
from llmr.routing.breaker import Forced, remaining_s
from llmr.routing.health import Circuit

STATUS_SCHEMA: Final = "llmr.providers/1"
_LIST_COLUMNS: Final = (
    Column("provider"),
    Column(""),
    Column("wire", rank=2),
    Column("url", least=30, keep=Keep.ENDS, rank=1),
    Column("why off", least=28),
)
_RECENT_ATTEMPTS: Final = 2_000  # of all models together: 15 ms


def run_status(*, config_file: str | None, as_json: bool, everyone: bool, watched: bool = False) -> int:
    """Print how the providers are, or keep showing it. Raises LlmrError."""
    if watched and as_json:
        raise UsageError("--watch is for people and --json for programs; take one of them")
    with opened(configured(config_file)) as app:
        if watched:
            from llmr.cli.watch import watch

            code = watch(lambda on: _view(app, everyone=everyone).lines(on.width, on.glyphs))
            told(app)
            return code
        view = _view(app, everyone=everyone or as_json)
        if as_json:
            print_line(json.dumps(_document(view), allow_nan=False))
        else:
            on = screen()
            show(view.lines(on.width, on.glyphs), on)
        told(app)
    return int(ExitCode.OK)


def show_status(app: App) -> None:
    """How the providers are, as `llmr providers status` shows it; for the interactive client. Raises LlmrError."""
    on = screen()
    show(_view(app, everyone=False).lines(on.width, on.glyphs), on)


def _view(app: App, *, everyone: bool) -> StatusView:
    now = app.clock.now()
    known = app.config.catalog.providers.values()
    providers = [p for p in known if everyone or p.off_reason is None]
    models = [model for provider in providers for model in _models(app, provider)]
    return StatusView(
        providers=providers,
        statuses=app.registry.status(models, now=now),
        recent=recent_of(app.store.attempts(since=now - RECENT_S, limit=_RECENT_ATTEMPTS)),
        spent=app.store.spent(since=now - RECENT_S),
        now=now,
        hidden=len(known) - len(providers),
        whole=everyone,
    )


def run_list(*, config_file: str | None, as_json: bool) -> int:
    """Print who is known. Raises LlmrError."""
    providers = configured(config_file).catalog.providers.values()
    if as_json:
        print_line(json.dumps({"schema": STATUS_SCHEMA, "providers": [_facts_json(p) for p in providers]}))
        return int(ExitCode.OK)
    on = screen()
    rows = [
        [
            ink(p.name, Tone.FAINT if p.off_reason else Tone.PLAIN),
            ink("off", Tone.FAINT) if p.off_reason else ink("on", Tone.GOOD),
            ink(p.wire.value),
            ink(p.base_url or NOTHING),
            ink(p.off_reason or "", Tone.FAINT),
        ]
        for p in providers
    ]
    show(table(_LIST_COLUMNS, rows, on.width), on)
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


def _facts_json(provider: Provider) -> dict[str, Any]:
    return {
        "name": provider.name,
        "on": provider.off_reason is None,
        "off_reason": provider.off_reason,
        "wire": provider.wire.value,
        "base_url": provider.base_url,
        "local": provider.local,
    }


def _document(view: StatusView) -> dict[str, Any]:
    return {"schema": STATUS_SCHEMA, "providers": [_provider_json(provider, view) for provider in view.providers]}


def _provider_json(provider: Provider, view: StatusView) -> dict[str, Any]:
    own = [status for status in view.statuses if status.model.provider.name == provider.name]
    return {**_facts_json(provider), "models": [_model_json(status, view) for status in own]}


def _model_json(status: ModelStatus, view: StatusView) -> dict[str, Any]:
    return {
        "model": status.model.id,
        "circuits": [_circuit_json(circuit, view.now) for circuit in status.circuits],
        "attempts": status.attempts,
        "success": status.success,
        "p50_s": status.p50_s,
        "p95_s": status.p95_s,
        "fitted": status.fitted,
        "last_error": status.last_error or None,
        "last_error_at": status.last_error_at or None,
        "spent_7d_usd": view.spent.get(status.model.key),
        "recent": [
            {"at": record.at, "outcome": record.outcome, "ttft_s": record.ttft_s, "total_s": record.total_s}
            for record in view.recent.get(status.model.key, ())[-RECENT_ATTEMPTS:]
        ],
    }


def _circuit_json(circuit: Circuit, now: float) -> dict[str, Any]:
    state = circuit.state
    return {
        "scope": circuit.scope,
        "state": state.phase.value,
        "forced": state.forced.value if state.forced else None,
        "cause": state.cause.value if state.cause else None,
        "why": state.why or None,
        "failures_in_a_row": state.fails,
        "trips": state.trips,
        "remaining_s": remaining_s(state, now),
    }
