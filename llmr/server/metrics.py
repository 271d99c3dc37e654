"""What `/metrics` says, in Prometheus' words. Labels come from closed sets: paths that exist, statuses, configured names.

Several workers count into one directory (prometheus_client's multiprocess mode: a file per process, mapped into memory), so
whichever of them is asked tells the sums, of those that died as well. What the store knows (circuits) is the same in every
worker, and is read when it is asked for.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import (
    MultiProcessCollector,
    mark_process_dead,  # pyright: ignore[reportUnknownVariableType] - half typed
)
from prometheus_client.registry import Collector

from llmr.app import App
from llmr.errors import StateError
from llmr.routing.circuit import Phase
from llmr.server.call import TURNED_AWAY, Call

CONTENT_TYPE: Final = CONTENT_TYPE_LATEST.encode()
_BUCKETS: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)
_PHASES: Final = {Phase.CLOSED: 0, Phase.HALF_OPEN: 1, Phase.OPEN: 2}
_OTHER: Final = "other"


class Metrics:
    """What one process counts; `shared` is the directory of the processes that count together, None: it is alone."""

    def __init__(self, shared: Path | None = None) -> None:
        self._shared = shared
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "llmr_requests", "Requests, by path and status.", ["path", "status"], registry=self._registry
        )
        self._answers = Counter(
            "llmr_answers", "Requests that reached the router, by who answered and how it went.",
            ["provider", "model", "outcome"], registry=self._registry,
        )  # fmt: skip
        self._attempts = Counter("llmr_attempts", "Attempts at providers.", registry=self._registry)
        self._throttled = Counter(
            "llmr_throttled", "Chats that were turned away before anybody was asked, while nobody could answer.",
            registry=self._registry,
        )  # fmt: skip
        self._lookups = Counter(
            "llmr_cache_lookups", "Requests for which the answer cache was asked.", ["result"], registry=self._registry
        )
        self._seconds = Histogram(
            "llmr_request_seconds", "From the head of a request to the end of its answer.", ["path"],
            registry=self._registry, buckets=_BUCKETS,
        )  # fmt: skip
        self._under_way = Gauge(
            "llmr_requests_under_way", "Chats under way.", registry=self._registry, multiprocess_mode="livesum"
        )

    def begun(self) -> None:
        """A chat is under way."""
        self._under_way.inc()

    def over(self) -> None:
        """It is not any more."""
        self._under_way.dec()

    def ended(self, call: Call, app: App, *, path: str | None, took_s: float) -> None:
        """One request is over. `path` None: there is no such path."""
        self._requests.labels(path or _OTHER, str(call.status or "none")).inc()
        if path is not None:
            self._seconds.labels(path).observe(took_s)
        if call.outcome == TURNED_AWAY:
            self._throttled.inc()
        if call.cached is not None:
            self._lookups.labels(call.cached).inc()
        if call.attempts:
            self._attempts.inc(call.attempts)
            known = f"{call.provider}/{call.model}" in app.config.catalog.models
            provider = call.provider or "none"
            self._answers.labels(provider, call.model if known else _OTHER, call.outcome or "none").inc()

    def page(self, app: App) -> bytes:
        """All of it, as of now."""
        return generate_latest(self._counted()) + generate_latest(_registry(_Circuits(app)))

    def _counted(self) -> CollectorRegistry:
        if self._shared is None:
            return self._registry
        together = CollectorRegistry()
        MultiProcessCollector(together, str(self._shared))  # type: ignore[no-untyped-call]
        return together


def forget_worker(shared: Path, pid: int) -> None:
    """A worker died: nothing of it is under way any more. What it counted stays counted."""
    mark_process_dead(pid, str(shared))  # type: ignore[no-untyped-call]


class _Circuits(Collector):
    """The circuits, as the store has them at this moment."""

    def __init__(self, app: App) -> None:
        self._app = app

    def collect(self) -> Iterable[Metric]:
        """One family; empty where the store cannot be read, for counters are worth having without it."""
        told = "The worst circuit on the way to a model: 0 closed, 1 half open, 2 open."
        family = GaugeMetricFamily("llmr_circuit", told, labels=["provider", "model"])
        for labels, worst in self._worst():
            family.add_metric(labels, worst)
        return [family]

    def _worst(self) -> Iterator[tuple[list[str], int]]:
        catalog = self._app.config.catalog
        models = [model for model in catalog.models.values() if model.provider.off_reason is None]
        try:
            with self._app.apart() as app:
                circuits = app.registry.circuits(models)
        except StateError:
            return
        for model in models:
            worst = max((_PHASES[circuit.state.phase] for circuit in circuits[model.key]), default=0)
            yield [model.provider.name, model.id], worst


def _registry(collector: Collector) -> CollectorRegistry:
    registry = CollectorRegistry()
    registry.register(collector)
    return registry
