"""A decision for programs: `rank --json` and `/v1/rank` of `llmr serve`. Keys are added, never changed."""

from typing import Any, Final

from llmr.routing.decision_record import TERMS, terms_s
from llmr.routing.rules import DeniedByRule, RuleTrace
from llmr.routing.selection import Ranked, Rejected, Selection
from llmr.routing.sensitivity import sensitivity

RANK_SCHEMA: Final = "llmr.rank/1"


def decision_json(selection: Selection) -> dict[str, Any]:
    """The document of `rank --json`."""
    return {
        "schema": RANK_SCHEMA,
        "model": selection.asked,
        "strategy": selection.strategy.value,
        "prompt_tokens": selection.prompt_tokens,
        "explored": selection.explored,
        "ranked": [_ranked_json(place, ranked) for place, ranked in enumerate(selection.ranked, 1)],
        "rejected": [_rejected_json(rejected) for rejected in selection.rejected],
        "flips": _flips_json(selection),
        "rules": [_rule_json(trace) for trace in selection.trace],
    }


def denial_json(denied: DeniedByRule) -> dict[str, Any]:
    """The same document where a rule refused the request: there was nothing to put in order."""
    return {
        "schema": RANK_SCHEMA,
        "model": denied.asked,
        "strategy": None,
        "prompt_tokens": denied.prompt_tokens,
        "explored": False,
        "ranked": [],
        "rejected": [],
        "flips": None,
        "rules": [_rule_json(trace) for trace in denied.trace],
    }


def _rule_json(trace: RuleTrace) -> dict[str, Any]:
    """`unmet` null: every condition held, or an earlier rule decided."""
    unmet = trace.unmet
    return {
        "rule": trace.rule,
        "matched": trace.matched,
        "because": trace.because,
        "unmet": {"condition": unmet.condition, "wanted": unmet.wanted, "actual": unmet.actual} if unmet else None,
        "effects": list(trace.effects),
    }


def _ranked_json(place: int, ranked: Ranked) -> dict[str, Any]:
    score, estimate = ranked.score, ranked.estimate
    return {
        "place": place,
        "candidate": ranked.candidate.key,
        "provider": ranked.candidate.model.provider.name,
        "model": ranked.candidate.model.id,
        "name": ranked.candidate.name,
        "tier": ranked.candidate.tier,
        "favour": ranked.candidate.favour,
        "index_s": score.index_s,
        "terms_s": dict(zip(TERMS, terms_s(score), strict=True)),
        "price_usd": None if score.price_assumed else score.price_usd,
        "expected": {
            "p50_s": estimate.p50_s,
            "p95_s": estimate.p95_s,
            "success": estimate.success,
            "tokens_per_s": estimate.tokens_per_s,
            "samples": estimate.samples,
            "outcomes": estimate.outcomes,
        },
    }


def _flips_json(selection: Selection) -> dict[str, Any] | None:
    found = sensitivity(selection)
    if found is None:
        return None
    return {
        "winner": found.winner,
        "margin_s": found.margin_s,
        "others": [
            {
                "candidate": flip.key,
                "margin_s": flip.margin_s,
                "p50_below_s": flip.p50_below_s,
                "input_usd_below": flip.price_below.input_usd if flip.price_below else None,
                "output_usd_below": flip.price_below.output_usd if flip.price_below else None,
                "price_unknown": flip.price_unknown,
            }
            for flip in found.flips
        ],
    }


def _rejected_json(rejected: Rejected) -> dict[str, Any]:
    return {
        "candidate": rejected.candidate.key,
        "barrier": rejected.barrier.value,
        "reason": rejected.reason,
        "retry_at": rejected.retry_at,
    }
