"""How the providers stand at this moment, gathered from configuration, registry and history: as a view for people, and as the
document of `providers status --json`, which the page of `llmr serve` reads too."""

from typing import Any, Final

from llmr.catalog import Catalog, Model, Provider
from llmr.registry import ModelStatus, ProviderRegistry
from llmr.render.status import RECENT_ATTEMPTS, RECENT_S, StatusView, recent_of
from llmr.routing.breaker import remaining_s
from llmr.routing.budget import Budget
from llmr.routing.health import Circuit
from llmr.state import StateStore

STATUS_SCHEMA: Final = "llmr.providers/1"
_RECENT_ATTEMPTS: Final = 2_000  # of all models together: 15 ms


def standing(
    catalog: Catalog, registry: ProviderRegistry, store: StateStore, now: float, *, everyone: bool
) -> StatusView:
    """The view. `everyone`: those that are off as well. Raises StateError."""
    known = catalog.providers.values()
    providers = [p for p in known if everyone or p.off_reason is None]
    models = [model for provider in providers for model in _models(catalog, registry, provider)]
    return StatusView(
        providers=providers,
        statuses=registry.status(models, now=now),
        recent=recent_of(store.attempts(since=now - RECENT_S, limit=_RECENT_ATTEMPTS)),
        spent=store.spent(since=now - RECENT_S),
        now=now,
        hidden=len(known) - len(providers),
        whole=everyone,
        budgets=registry.budgets(providers),
    )


def _models(catalog: Catalog, registry: ProviderRegistry, provider: Provider) -> list[Model]:
    """Models worth showing: named in the configuration, or tried at some time."""
    ids = dict.fromkeys(provider.models)
    ids |= dict.fromkeys(m.id for m in catalog.models.values() if m.provider.name == provider.name)
    for named in catalog.names.values():
        ids |= {key.partition("/")[2]: None for key in named.candidates if key.startswith(f"{provider.name}/")}
    ids |= dict.fromkeys(registry.used_models(provider))
    return [model for model_id in ids if (model := catalog.model(f"{provider.name}/{model_id}")) is not None]


def facts_json(provider: Provider) -> dict[str, Any]:
    """What is configured of a provider; no key."""
    return {
        "name": provider.name,
        "on": provider.off_reason is None,
        "off_reason": provider.off_reason,
        "wire": provider.wire.value,
        "base_url": provider.base_url,
        "local": provider.local,
    }


def status_document(view: StatusView) -> dict[str, Any]:
    """The document of `providers status --json`."""
    return {"schema": STATUS_SCHEMA, "providers": [_provider_json(provider, view) for provider in view.providers]}


def _provider_json(provider: Provider, view: StatusView) -> dict[str, Any]:
    own = [status for status in view.statuses if status.model.provider.name == provider.name]
    models = [_model_json(status, view) for status in own]
    return {**facts_json(provider), "budget": _budget_json(view.budgets.get(provider.name, Budget())), "models": models}


def _budget_json(budget: Budget) -> dict[str, Any]:
    return {
        "requests": budget.requests,
        "retries": budget.retried,
        "hedges": budget.hedged,
        "fallbacks": budget.fell_back,
        "retries_left": int(budget.tokens),
        "hedges_left": int(min(budget.tokens, budget.hedges)),
    }


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
