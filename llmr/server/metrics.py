"""What `/metrics` says, in Prometheus' words. Labels come from closed sets: paths that exist, statuses, configured names.

What is counted here is this process's own. What the store knows (circuits) is the same in every worker.
"""

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from llmr.app import App
from llmr.errors import StateError
from llmr.routing.circuit import Phase
from llmr.server.call import Call

CONTENT_TYPE: Final = CONTENT_TYPE_LATEST.encode()
_BUCKETS: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)
_PHASES: Final = {Phase.CLOSED: 0, Phase.HALF_OPEN: 1, Phase.OPEN: 2}
_OTHER: Final = "other"


class Metrics:
    """The counters of one process."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "llmr_requests", "Requests, by path and status.", ["path", "status"], registry=self._registry
        )
        self._answers = Counter(
            "llmr_answers", "Requests that reached the router, by who answered and how it went.",
            ["provider", "model", "outcome"], registry=self._registry,
        )  # fmt: skip
        self._attempts = Counter("llmr_attempts", "Attempts at providers.", registry=self._registry)
        self._lookups = Counter(
            "llmr_cache_lookups", "Requests for which the answer cache was asked.", ["result"], registry=self._registry
        )
        self._seconds = Histogram(
            "llmr_request_seconds", "From the head of a request to the end of its answer.", ["path"],
            registry=self._registry, buckets=_BUCKETS,
        )  # fmt: skip
        self._under_way = Gauge("llmr_requests_under_way", "Chats under way.", registry=self._registry)
        self._circuits = Gauge(
            "llmr_circuit",
            "The worst circuit on the way to a model: 0 closed, 1 half open, 2 open.",
            ["provider", "model"],
            registry=self._registry,
        )

    def ended(self, call: Call, app: App, *, path: str | None, took_s: float) -> None:
        """One request is over. `path` None: there is no such path."""
        self._requests.labels(path or _OTHER, str(call.status or "none")).inc()
        if path is not None:
            self._seconds.labels(path).observe(took_s)
        if call.cached is not None:
            self._lookups.labels(call.cached).inc()
        if call.attempts:
            self._attempts.inc(call.attempts)
            known = f"{call.provider}/{call.model}" in app.config.catalog.models
            provider = call.provider or "none"
            self._answers.labels(provider, call.model if known else _OTHER, call.outcome or "none").inc()

    def page(self, app: App, *, under_way: int) -> bytes:
        """All of it, as of now."""
        self._under_way.set(under_way)
        self._circuits.clear()
        models = [model for model in app.config.catalog.models.values() if model.provider.off_reason is None]
        try:
            for status in app.registry.status(models, now=app.clock.now()):
                worst = max((_PHASES[circuit.state.phase] for circuit in status.circuits), default=0)
                self._circuits.labels(status.model.provider.name, status.model.id).set(worst)
        except StateError:  # counters are worth having without it
            self._circuits.clear()
        return generate_latest(self._registry)
