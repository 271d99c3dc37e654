"""`GET /v1/status`: what the page at `/` shows: providers as they stand, and the last decisions with their reasons.

Everything in it comes from the configuration and the store; there is no prompt, no answer and no key in either.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from llmr import __version__
from llmr.app import App
from llmr.errors import StateError
from llmr.render.standing import standing, status_document
from llmr.routing.decision_record import DecisionRecord, Weighed
from llmr.server.listings import askable
from llmr.server.problems import refuse
from llmr.state import AttemptRecord, RequestRecord
from llmr.wire import json_text

STATUS_SCHEMA: Final = "llmr.status/1"
_DECISIONS: Final = 20
_FEW: Final = 4  # candidates that are told of each
_DAY_S: Final = 86_400.0


def status_body(app: App, *, under_way: int) -> bytes:
    """The document. Reads for a while: the work of a thread. Raises Refused where the store cannot be read."""
    now = app.clock.now()
    try:
        with app.apart() as apart:
            view = standing(app.config.catalog, apart.registry, apart.store, now, everyone=False)
            requests = apart.store.requests(since=now - _DAY_S, limit=_DECISIONS)
            spent_today = sum(apart.store.spent(since=now - _DAY_S).values())
    except StateError as error:
        raise refuse(503, "state_unusable", app.redact(str(error)), retry_after_s=1.0) from error
    tried = _by_request(attempt for records in view.recent.values() for attempt in records)
    document = {
        **status_document(view),
        "schema": STATUS_SCHEMA,
        "version": __version__,
        "now": now,
        "under_way": under_way,
        "spent_1d_usd": spent_today,
        "names": list(askable(app.config.catalog)),
        "default_model": app.config.catalog.default_model,
        "decisions": [_decision_json(one, tried.get(one.id, []), now) for one in reversed(requests)],
    }
    return app.redact(json_text.encode(document).decode()).encode()


def _by_request(attempts: Iterable[AttemptRecord]) -> dict[str, list[AttemptRecord]]:
    found: dict[str, list[AttemptRecord]] = {}
    for attempt in sorted(attempts, key=lambda one: one.at):
        found.setdefault(attempt.request_id, []).append(attempt)
    return found


def _decision_json(request: RequestRecord, tried: Sequence[AttemptRecord], now: float) -> dict[str, Any]:
    decision = DecisionRecord.from_text(request.decision) or DecisionRecord()
    return {
        "id": request.id,
        "ago_s": max(0.0, now - request.at),
        "asked": request.asked_model,
        "strategy": request.strategy,
        "outcome": request.outcome,
        "by": f"{request.provider}/{request.model}" if request.provider else None,
        "cached": request.outcome == "ok" and not request.attempts,
        "ttft_s": request.ttft_s,
        "total_s": request.total_s,
        "rules": list(decision.rules),
        "explored": decision.explored,
        "ranked": [_weighed_json(one) for one in decision.ranked[:_FEW]],
        "rejected": [{"candidate": one.key, "reason": one.reason} for one in decision.rejected[:_FEW]],
        "tried": [
            {
                "candidate": f"{one.provider}/{one.model}",
                "outcome": one.outcome,
                "status": one.status,
                "s": one.ttft_s or one.total_s,
            }
            for one in tried
        ],
    }


def _weighed_json(one: Weighed) -> dict[str, Any]:
    return {"candidate": one.key, "index_s": one.index_s, "price_usd": one.price_usd, "success": one.success}
