"""A decision as people are told of it and as history keeps it: one value behind `rank`, `chat -vv` and `explain`.

A `Selection` holds models, prices and posteriors; this holds the figures they came to, so that a request can be explained
when its providers have long gone from the configuration. As JSON it is arrays, some 200 bytes a candidate. No prompt, no
answer and no key is in it: names, figures, and reasons in our own words.

The terms are the index's own (score.py), each as it counts under the strategy, so they always add up to it: where time counts
for nothing, the seconds are nothing here.
"""

import json
import math
from typing import Any, Final

from llmr.dataclass import dataclass
from llmr.routing.score import Score
from llmr.routing.selection import Ranked, Rejected, Selection
from llmr.routing.sensitivity import sensitivity

TERMS: Final = ("first_token", "reading", "failure_risk", "tail", "price", "quality")


@dataclass(frozen=True, slots=True)
class Weighed:
    """A candidate with a place. Seconds; `terms_s` in the order of TERMS, adding up to `index_s`; `samples` the weight behind
    the times, `outcomes` behind `success`; 0: assumed, not measured. `price_usd` None: unknown. `tier` 0: the model asked
    for; `favour` −1 preferred, 1 avoided by a rule."""

    key: str
    index_s: float
    terms_s: tuple[float, ...] = ()
    p50_s: float | None = None
    p95_s: float | None = None
    success: float | None = None
    samples: float = 0.0
    price_usd: float | None = None
    name: str = ""
    tier: int = 0
    favour: int = 0
    outcomes: float = 0.0


@dataclass(frozen=True, slots=True)
class PassedOver:
    """A candidate that was not to be asked, and why. `retry_at`: when it may be, wall-clock seconds; None: never by itself."""

    key: str
    barrier: str
    reason: str = ""
    retry_at: float | None = None


@dataclass(frozen=True, slots=True)
class Rival:
    """What would have put a candidate first, as sensitivity.Flip: seconds, dollars per million tokens; None: nothing would."""

    key: str
    margin_s: float
    p50_below_s: float | None = None
    input_usd_below: float | None = None
    output_usd_below: float | None = None
    price_unknown: bool = False


@dataclass(frozen=True, slots=True)
class DecisionRecord:
    """One decision. `rules` are the names of those that matched; `rivals` is empty where the index did not make the order.
    `ended`: why there was no further attempt, an action.Ending; "" where there was an answer, or nobody wrote it down."""

    prompt_tokens: int | None = None
    explored: bool = False
    ranked: tuple[Weighed, ...] = ()
    rejected: tuple[PassedOver, ...] = ()
    rules: tuple[str, ...] = ()
    rivals: tuple[Rival, ...] = ()
    ended: str = ""

    @staticmethod
    def of(selection: Selection, ended: str = "") -> "DecisionRecord":
        """What `selection` came to."""
        found = sensitivity(selection)
        return DecisionRecord(
            prompt_tokens=selection.prompt_tokens,
            explored=selection.explored,
            ranked=tuple(_weighed(ranked) for ranked in selection.ranked),
            rejected=tuple(_passed_over(rejected) for rejected in selection.rejected),
            rules=tuple(trace.rule for trace in selection.trace if trace.matched),
            rivals=tuple(
                Rival(
                    flip.key,
                    flip.margin_s,
                    flip.p50_below_s,
                    flip.price_below.input_usd if flip.price_below else None,
                    flip.price_below.output_usd if flip.price_below else None,
                    flip.price_unknown,
                )
                for flip in (found.flips if found else ())
            ),
            ended=ended,
        )

    def to_text(self) -> str:
        """Compact JSON; figures to four digits."""
        return json.dumps(
            {
                "tokens": self.prompt_tokens,
                "explored": self.explored,
                "ranked": [[_short(getattr(each, name)) for name in Weighed.__slots__] for each in self.ranked],
                "rejected": [[each.key, each.barrier, each.reason, each.retry_at] for each in self.rejected],
                "rules": self.rules,
                "rivals": [[_short(getattr(each, name)) for name in Rival.__slots__] for each in self.rivals],
                **({"ended": self.ended} if self.ended else {}),
            },
            separators=(",", ":"),
        )

    @staticmethod
    def from_text(text: str | None) -> "DecisionRecord | None":
        """The decision in `text`, also of an older llmr, which kept less. None: there is none that can be read."""
        try:
            kept: Any = json.loads(text or "")
            return DecisionRecord(
                prompt_tokens=kept.get("tokens"),
                explored=bool(kept.get("explored")),
                ranked=tuple(_read_weighed(cells) for cells in kept["ranked"]),
                rejected=tuple(_read_passed_over(*cells) for cells in kept["rejected"]),
                rules=tuple(map(str, kept.get("rules", ()))),
                rivals=tuple(_read_rival(*cells) for cells in kept.get("rivals", ())),
                ended=str(kept.get("ended", "")),
            )
        except (ValueError, TypeError, KeyError, AttributeError, IndexError, RecursionError):
            return None


def terms_s(score: Score) -> tuple[float, ...]:
    """The terms of the index in the order of TERMS, as they count: their sum is `score.index_s`."""
    time = score.time_weight
    return (
        time * score.first_token_s,
        time * score.reading_s,
        time * score.failure_s,
        time * score.tail_s,
        score.price_s,
        -score.quality_s,
    )


def _weighed(ranked: Ranked) -> Weighed:
    score, estimate = ranked.score, ranked.estimate
    return Weighed(
        key=ranked.candidate.key,
        index_s=score.index_s,
        terms_s=terms_s(score),
        p50_s=estimate.p50_s,
        p95_s=estimate.p95_s,
        success=estimate.success,
        samples=estimate.samples,
        price_usd=None if score.price_assumed else score.price_usd,
        name=ranked.candidate.name,
        tier=ranked.candidate.tier,
        favour=ranked.candidate.favour,
        outcomes=estimate.outcomes,
    )


def _passed_over(rejected: Rejected) -> PassedOver:
    return PassedOver(rejected.candidate.key, rejected.barrier.value, rejected.reason, rejected.retry_at)


def _read_passed_over(key: Any, barrier: Any, reason: Any = "", retry_at: Any = None) -> PassedOver:
    return PassedOver(str(key), str(barrier), str(reason), _figure(retry_at))


def _read_rival(key: Any, margin_s: Any, *rest: Any) -> Rival:
    p50_s, input_usd, output_usd, *unknown = rest
    return Rival(
        str(key), float(margin_s), _figure(p50_s), _figure(input_usd), _figure(output_usd), bool(unknown and unknown[0])
    )


def _read_weighed(cells: Any) -> Weighed:
    """From the cells of `to_text`, or those of before: without `outcomes`, or the `[key, index_s]` alone."""
    key, index_s, *rest = cells
    if not rest:
        return Weighed(str(key), float(index_s))
    terms, p50_s, p95_s, success, samples, price_usd, name, tier, favour, *outcomes = rest
    return Weighed(
        str(key), float(index_s), tuple(map(float, terms)), _figure(p50_s), _figure(p95_s), _figure(success),
        float(samples), _figure(price_usd), str(name), int(tier), int(favour), float(outcomes[0] if outcomes else samples),
    )  # fmt: skip


def _figure(value: Any) -> float | None:
    return None if value is None else float(value)


def _short(value: Any) -> Any:
    """Four significant digits are more than anybody reads."""
    if isinstance(value, tuple):
        return [_short(each) for each in value]  # pyright: ignore[reportUnknownVariableType]
    if isinstance(value, float):
        return float(f"{value:.4g}") if math.isfinite(value) else 0.0
    return value
