"""One request's story: what was asked, how it was decided, who was tried with what outcome, what would have flipped it.

It is told from what history keeps, so it can be told of a request that another process made, last week, of a provider that is
no longer configured. A wait is the time before an attempt in which nobody was being asked.
"""

from collections.abc import Sequence
from typing import Any, Final

from llmr.dataclass import dataclass
from llmr.errors import ErrorKind
from llmr.render.decision import EXPLORED, key_view, passed_over_view, weighing_view
from llmr.render.figures import count, dollars, left, moment, seconds
from llmr.render.flips import flip_view, takes_draws, unflipped_view
from llmr.render.ink import Keep, Line, Span, Tone, ink, wrapped_line
from llmr.render.pictures import Glyphs, mark, outcome_words
from llmr.render.table import Align, Column, table
from llmr.routing.action import ENDINGS_IN_WORDS, Ending
from llmr.routing.decision_record import TERMS, DecisionRecord, Weighed
from llmr.state import AttemptRecord, RequestRecord

EXPLAIN_SCHEMA: Final = "llmr.explain/1"
_WORTH_TELLING_S: Final = 0.05
_CANCELLED: Final = ErrorKind.CANCELLED.value
_FEW: Final = 3  # candidates that are told beside those that were tried
_FLIPS: Final = 2
_ENDED: Final = {
    each.value: f"; {ENDINGS_IN_WORDS[each]}" for each in (Ending.BUDGET, Ending.WATCHED)
}  # what the attempts do not show
_TRIED: Final = (
    Column("", Align.RIGHT),
    Column("tried", least=12, keep=Keep.ENDS),
    Column("outcome", least=12),
    Column("first token", Align.RIGHT),
    Column("in all", Align.RIGHT),
    Column("tokens", Align.RIGHT, rank=1),
    Column("cost", Align.RIGHT),
)


@dataclass(frozen=True, slots=True)
class Story:
    """What history keeps of one request; its attempts in the order in which they began."""

    request: RequestRecord
    attempts: tuple[AttemptRecord, ...]
    decision: DecisionRecord | None

    @staticmethod
    def of(request: RequestRecord, attempts: Sequence[AttemptRecord]) -> "Story":
        """Put together from the records."""
        ordered = tuple(sorted(attempts, key=lambda each: each.at))
        return Story(request, ordered, DecisionRecord.from_text(request.decision))

    @property
    def cost_usd(self) -> float | None:
        """What all attempts cost together, None: nobody knows."""
        known = [each.cost_usd for each in self.attempts if each.cost_usd is not None]
        return sum(known) if known else None

    @property
    def waits_s(self) -> tuple[float, ...]:
        """For each attempt, how long nobody was being asked before it."""
        waits: list[float] = []
        free_at = self.request.at
        for each in self.attempts:
            waits.append(max(0.0, each.at - free_at))
            free_at = max(free_at, each.at + each.total_s)
        return tuple(waits)

    def lines(self, now: float, width: int | None, glyphs: Glyphs) -> list[Line]:
        """The story, in about a dozen lines."""
        request = self.request
        ago = left(now - request.at)
        lines: list[Line] = [
            (*ink(f"request {request.id}", Tone.STRONG), *ink(f"  {moment(request.at)}, {ago} ago", Tone.FAINT)),
            *wrapped_line(ink(f"asked for {request.asked_model}: {self._asked()}"), width, "  "),
            *wrapped_line(self._ending(), width, "  "),
        ]
        if self.decision is not None:
            lines += self._decided(self.decision, width, glyphs)
        lines += self._tried(width)
        if self.decision is not None and self.decision.ranked:
            lines += flip_view(self.decision.rivals[:_FLIPS], self.decision.ranked[0].key, width)
            lines += unflipped_view(request.strategy, self.decision, width)
        return lines

    def _asked(self) -> str:
        decision = self.decision or DecisionRecord()
        words = [f"{self.request.strategy} order"]
        if decision.prompt_tokens is not None:
            words.append(f"~{decision.prompt_tokens:,} prompt tokens")
        if decision.explored and takes_draws(self.request.strategy):
            words.append(EXPLORED)
        words += [f"rule {name!r}" for name in decision.rules]
        return ", ".join(words)

    def _ending(self) -> Line:
        request = self.request
        who = f"{request.provider}/{request.model}" if request.provider else None
        about = "~" if any(each.cost_estimated for each in self.attempts) else ""
        cost = "" if self.cost_usd is None else f", {about}{dollars(self.cost_usd)}"
        if request.outcome == "ok" and not request.attempts:
            return ink(f"from the cache, as {who} once answered it", Tone.GOOD)
        if request.outcome == "ok":
            return ink(f"answered by {who}, {seconds(request.total_s)} in all{cost}", Tone.GOOD)
        failure = mark(request.outcome)
        said = outcome_words(request.outcome)
        by = f" by {who}" if who and request.ttft_s is not None else ""
        ended = _ENDED.get(self.decision.ended, "") if self.decision is not None else ""
        return ink(f"no whole answer{by}: {said} after {seconds(request.total_s)}{cost}{ended}", failure.tone)

    def key_lines(self, width: int | None) -> list[Line]:
        """How the table of the decision is read, for a terminal."""
        return key_view(self._told(self.decision), self.request.strategy, width) if self.decision is not None else []

    def _told(self, decision: DecisionRecord) -> list[Weighed]:
        """The first few of the order, and whoever was tried."""
        tried = {f"{each.provider}/{each.model}" for each in self.attempts}
        return [each for place, each in enumerate(decision.ranked) if place < _FEW or each.key in tried]

    def _decided(self, decision: DecisionRecord, width: int | None, glyphs: Glyphs) -> list[Line]:
        told = self._told(decision)
        lines = weighing_view(_placed(decision.ranked, told), width) if told else []
        lines += passed_over_view(decision.rejected[:_FEW], width, glyphs, self.request.at)
        more = len(decision.ranked) - len(told), len(decision.rejected[_FEW:])
        words = [f"{n} more {what}" for n, what in zip(more, ("in the order", "not to be asked"), strict=True) if n]
        return [*lines, *([ink(f"  and {', '.join(words)}", Tone.FAINT)] if words else [])]

    def _tried(self, width: int | None) -> list[Line]:
        if not self.attempts:
            return [ink("  nobody was asked")]
        outpaced = self.request.outcome == "ok" and any(each.hedge for each in self.attempts)
        rows = [_attempt_row(number, each, outpaced) for number, each in enumerate(self.attempts, 1)]
        head, *shown = table(_TRIED, rows, None if width is None else width - 2)
        lines = [head]
        for wait_s, line in zip(self.waits_s, shown, strict=True):
            if wait_s >= _WORTH_TELLING_S:
                lines.append(ink(f"   waited {seconds(wait_s)}", Tone.FAINT))
            lines.append(line)
        return [(Span("  "), *line) for line in lines]

    def document(self) -> dict[str, Any]:
        """The document of `explain --json`."""
        request = self.request
        return {
            "schema": EXPLAIN_SCHEMA,
            "id": request.id,
            "at": request.at,
            "asked_model": request.asked_model,
            "strategy": request.strategy,
            "outcome": request.outcome,
            "ended": (self.decision.ended or None) if self.decision is not None else None,
            "provider": request.provider,
            "model": request.model,
            "total_s": request.total_s,
            "ttft_s": request.ttft_s,
            "cost_usd": self.cost_usd,
            "decision": _decision_json(self.decision) if self.decision else None,
            "attempts": [
                _attempt_json(each, request.at, wait_s)
                for each, wait_s in zip(self.attempts, self.waits_s, strict=True)
            ],
        }


def _placed(ranked: Sequence[Weighed], told: Sequence[Weighed]) -> list[tuple[int, Weighed]]:
    return [(place, each) for place, each in enumerate(ranked, 1) if each in told]


def _attempt_row(number: int, each: AttemptRecord, outpaced: bool) -> list[Line]:
    """`outpaced`: what was cancelled had lost a race."""
    tone = Tone.GOOD if each.outcome == "ok" else mark(each.outcome).tone
    status = str(each.status) if each.status and each.outcome != "ok" else ""
    code = (
        "" if each.code is None or each.code.startswith(each.outcome) else each.code
    )  # `rate limit rate_limit_exceeded`
    outcome = " ".join(word for word in (outcome_words(each.outcome), status, code) if word)
    lost = outpaced and each.outcome == _CANCELLED
    extra = ", ".join(w for w, holds in (("hedge", each.hedge), ("probe", each.probe), ("outpaced", lost)) if holds)
    tokens = "" if each.input_tokens is None else f"{count(each.input_tokens)} in, {count(each.output_tokens or 0)} out"
    about = "~" if each.cost_estimated else ""
    return [
        ink(f"{number}."),
        ink(f"{each.provider}/{each.model}"),
        (*ink(outcome, tone), *ink(f" ({extra})" if extra else "", Tone.FAINT)),
        ink(seconds(each.ttft_s) if each.ttft_s is not None else ""),
        ink(seconds(each.total_s)),
        ink(tokens),
        ink("" if each.cost_usd is None else f"{about}{dollars(each.cost_usd)}"),
    ]


def _decision_json(decision: DecisionRecord) -> dict[str, Any]:
    return {
        "prompt_tokens": decision.prompt_tokens,
        "explored": decision.explored,
        "rules": list(decision.rules),
        "ranked": [
            {
                "candidate": each.key,
                "name": each.name or None,
                "tier": each.tier,
                "favour": each.favour,
                "index_s": each.index_s,
                "terms_s": dict(zip(TERMS, each.terms_s, strict=True)) if each.terms_s else None,
                "price_usd": each.price_usd,
                "expected": {
                    "p50_s": each.p50_s,
                    "p95_s": each.p95_s,
                    "success": each.success,
                    "samples": each.samples,
                    "outcomes": each.outcomes,
                },
            }
            for each in decision.ranked
        ],
        "rejected": [
            {
                "candidate": each.key,
                "barrier": each.barrier,
                "reason": each.reason or None,
                "retry_at": each.retry_at,
            }
            for each in decision.rejected
        ],
        "flips": [
            {
                "candidate": each.key,
                "margin_s": each.margin_s,
                "p50_below_s": each.p50_below_s,
                "input_usd_below": each.input_usd_below,
                "output_usd_below": each.output_usd_below,
                "price_unknown": each.price_unknown,
            }
            for each in decision.rivals
        ],
    }


def _attempt_json(each: AttemptRecord, began_at: float, wait_s: float) -> dict[str, Any]:
    return {
        "after_s": each.at - began_at,
        "waited_s": wait_s,
        "provider": each.provider,
        "model": each.model,
        "outcome": each.outcome,
        "http": each.status,
        "code": each.code,
        "ttft_s": each.ttft_s,
        "total_s": each.total_s,
        "input_tokens": each.input_tokens,
        "output_tokens": each.output_tokens,
        "cost_usd": each.cost_usd,
        "cost_estimated": each.cost_estimated,
        "hedge": each.hedge,
        "probe": each.probe,
    }
