"""A model's past for people: circuits, counts, percentiles."""

from collections.abc import Mapping

from llmr.catalog import Model
from llmr.registry import keys
from llmr.registry.values import ModelStatus
from llmr.routing import tally
from llmr.routing.estimate import MEASURED_FROM, estimate
from llmr.routing.latency import STREAMED_CLASSES
from llmr.routing.latency_row import LatencyStats
from llmr.routing.tally import Tally
from llmr.state import Row


def model_status(model: Model, rows: Mapping[str, Row], days: range, now: float) -> ModelStatus:
    counts = Tally.from_row(rows.get(keys.tally(model)))
    histogram = tally.merged(tally.histogram_from_row(rows.get(keys.day(model, day))) for day in days)
    chains = [
        [LatencyStats.from_row(rows.get(key)) for key in keys.latency(model, klass)[1:]] for klass in STREAMED_CLASSES
    ]
    usual = max(chains, key=lambda chain: chain[-1].long_n)  # the kind of request that this model is asked most
    fit = estimate(usual, now, LatencyStats.from_row(rows.get(keys.EVERYTHING)).seq)
    measured = usual[-1].long_n > 0
    p50_s, p95_s = tally.percentile_s(histogram, 0.5), tally.percentile_s(histogram, 0.95)
    return ModelStatus(
        model=model,
        circuits=keys.circuits_in(model, rows),
        attempts=counts.attempts,
        success=counts.successes / counts.attempts if counts.attempts else None,
        p50_s=p50_s or (fit.p50_s if measured else None),
        p95_s=p95_s or (fit.p95_s if measured else None),
        last_error=counts.last_error,
        last_error_at=counts.last_error_at,
        fitted=p50_s is None and measured,
        assumed=p50_s is None and fit.samples < MEASURED_FROM,
    )
