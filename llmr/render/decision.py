"""A decision, told: the order, each term of each score, each candidate that is not in it and why, each rule."""

from typing import Any, Final

from llmr.render.table import table_lines
from llmr.render.transcript import milliseconds
from llmr.routing.score import Score
from llmr.routing.selector import Ranked, Rejected, Selection
from llmr.routing.sensitivity import sensitivity

RANK_SCHEMA: Final = "llmr.rank/1"


def score_phrase(score: Score) -> str:
    """`0.61 s + 0.02 s failure risk + 0.45 s price − 0.30 s quality = 0.78 s`: the index, term by term."""
    terms = [f"{score.first_token_s:.2f} s first token"]
    if score.reading_s >= 0.005:
        terms.append(f"{score.reading_s:.2f} s slow to read")
    terms.append(f"{score.failure_s:.2f} s failure risk")
    terms.append(f"{score.tail_s:.2f} s long tail")
    if score.price_s:
        terms.append(f"{score.price_s:.2f} s price{' (assumed)' if score.price_assumed else ''}")
    quality = f" − {score.quality_s:.2f} s quality" if score.quality_s else ""
    return f"{' + '.join(terms)}{quality} = {score.index_s:.2f} s"


def price_phrase(score: Score) -> str:
    """What the request is expected to cost."""
    if score.price_usd is None or score.price_assumed:
        return "price unknown"
    return f"~${score.price_usd:.6f}"


def decision_lines(selection: Selection) -> list[str]:
    """The whole decision, for `rank` and `chat -vv`."""
    lines = [_headline(selection)]
    rows = [_ranked_row(place, ranked) for place, ranked in enumerate(selection.ranked, 1)]
    if rows:
        lines += [f"  {line}" for line in table_lines(("", "candidate", "p50", "p95", "ok", "price", "why"), rows)]
    else:
        lines.append("  nobody can be asked now")
    for rejected in selection.rejected:
        lines.append(f"  ✗ {rejected.candidate.key}: {rejected.reason}")
    return lines


def flip_lines(selection: Selection) -> list[str]:
    """By how much the first one leads, and what would put another in its place."""
    found = sensitivity(selection)
    if found is None:
        return []
    lead = "by nothing" if found.margin_s <= 0 else f"by {found.margin_s:.2f} s"
    lines = [f"  {found.winner} leads {lead}"]
    for flip in found.flips:
        ways: list[str] = []
        if flip.p50_below_s is not None:
            ways.append(f"its p50 first token < {milliseconds(flip.p50_below_s)}")
        if flip.price_below is not None:
            ways.append(f"its price < ${flip.price_below.input_usd:.3g}/M in, ${flip.price_below.output_usd:.3g}/M out")
        lines.append(
            f"  {flip.key} wins if {' or '.join(ways)}" if ways else f"  no figure of its own puts {flip.key} first"
        )
    return lines


def _headline(selection: Selection) -> str:
    explored = ", exploring" if selection.explored else ""
    return f"{selection.asked}: {selection.strategy} order for ~{selection.prompt_tokens:,} prompt tokens{explored}"


def _ranked_row(place: int, ranked: Ranked) -> tuple[str, ...]:
    estimate = ranked.estimate
    return (
        f"{place}.",
        ranked.candidate.key,
        f"{estimate.p50_s:.2f} s",
        f"{estimate.p95_s:.2f} s",
        f"{estimate.success:.0%}",
        price_phrase(ranked.score),
        _why(ranked),
    )


def _why(ranked: Ranked) -> str:
    favour = {-1: "preferred by a rule; ", 1: "avoided by a rule; "}.get(ranked.candidate.favour, "")
    tier = f"fallback {ranked.candidate.name}; " if ranked.candidate.tier else ""
    unmeasured = "not measured yet; " if not ranked.estimate.samples else ""
    return f"{tier}{favour}{unmeasured}{score_phrase(ranked.score)}"


def rule_lines(selection: Selection) -> list[str]:
    """Which rules matched, which did not, and why."""
    return [f"  {'✓' if t.matched else '·'} rule {t.rule!r}: {t.because}" for t in selection.trace]


def decision_json(selection: Selection) -> dict[str, Any]:
    """The document of `rank --json`."""
    return {
        "schema": RANK_SCHEMA,
        "model": selection.asked,
        "strategy": selection.strategy.value,
        "prompt_tokens": selection.prompt_tokens,
        "ranked": [_ranked_json(place, ranked) for place, ranked in enumerate(selection.ranked, 1)],
        "rejected": [_rejected_json(rejected) for rejected in selection.rejected],
        "flips": _flips_json(selection),
        "rules": [{"rule": t.rule, "matched": t.matched, "because": t.because} for t in selection.trace],
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
        "terms_s": {
            "first_token": score.first_token_s,
            "reading": score.reading_s,
            "failure_risk": score.failure_s,
            "tail": score.tail_s,
            "price": score.price_s,
            "quality": -score.quality_s,
        },
        "price_usd": None if score.price_assumed else score.price_usd,
        "expected": {
            "p50_s": estimate.p50_s,
            "p95_s": estimate.p95_s,
            "success": estimate.success,
            "tokens_per_s": estimate.tokens_per_s,
            "samples": estimate.samples,
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
