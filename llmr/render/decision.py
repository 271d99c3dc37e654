"""A decision, told: the order, each term of each index, each candidate that is not in it and why, what would flip it.

The terms of the index are columns, in seconds, so that one reads down a column what one candidate has over another; they add
up to the last. Where the screen is too narrow for one table there are two, of the same rows. An expectation that rests on
nothing but priors is marked `~` and says "none" for its samples: it must not look measured.
"""

import textwrap
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

from llmr.catalog import Strategy
from llmr.render.figures import dollars, left, milliseconds, seconds, share
from llmr.render.ink import Keep, Line, Span, Tone, ink, plain, width_of
from llmr.render.pictures import UNICODE, Glyphs
from llmr.render.table import Align, Column, table
from llmr.routing.decision_record import TERMS, DecisionRecord, PassedOver, Rival, Weighed, terms_s
from llmr.routing.rules import DeniedByRule, RuleTrace
from llmr.routing.selection import Ranked, Rejected, Selection
from llmr.routing.sensitivity import sensitivity

RANK_SCHEMA: Final = "llmr.rank/1"
PIPE_WIDTH: Final = 80  # where nobody says how wide it is, this fits
_TERM_TITLES: Final = ("first", "read", "risk", "tail", "price", "quality")
_PRICE: Final = TERMS.index("price")
_FAVOUR: Final = {-1: "preferred", 1: "avoided"}


def decision_lines(selection: Selection, width: int | None = PIPE_WIDTH) -> list[str]:
    """The whole decision as plain text, for `chat -vv`."""
    return [plain(line) for line in decision_view(selection, width)]


def decision_view(
    selection: Selection, width: int | None, glyphs: Glyphs = UNICODE, now: float | None = None
) -> list[Line]:
    """The whole decision. `now`, wall-clock seconds: how long still is said of whom time gives back."""
    record = DecisionRecord.of(selection)
    explored = ", exploring: ranked by a draw from what is still possible" if selection.explored else ""
    head = f": {selection.strategy} order for ~{selection.prompt_tokens:,} prompt tokens{explored}"
    lines: list[Line] = [(*ink(selection.asked, Tone.STRONG), *ink(head))]
    if record.ranked:
        lines += order_view(record.ranked, width)
    else:
        lines.append(ink("  nobody can be asked now"))
    return [*lines, *passed_over_view(record.rejected, width, glyphs, now)]


def order_view(ranked: Sequence[Weighed], width: int | None, indent: str = "  ") -> list[Line]:
    """The order as one table, or two beneath each other where one is too wide."""
    room = None if width is None else width - len(indent)
    who = [
        Column("", Align.RIGHT),
        Column("candidate", least=12, keep=Keep.ENDS),
    ]
    expected = [Column(title, Align.RIGHT) for title in ("p50", "p95", "ok", "samples", "cost")]
    terms = [Column(title, Align.RIGHT) for title in (*_TERM_TITLES, "index")]
    note = [Column("")]
    names = [[ink(f"{place}."), ink(each.key)] for place, each in enumerate(ranked, 1)]
    left, right = [_expected_cells(each) for each in ranked], [_term_cells(each) for each in ranked]
    notes = [[ink(_FAVOUR.get(each.favour, ""), Tone.FAINT)] for each in ranked]
    one = table(
        [*who, *expected, *terms, *note],
        [[*a, *b, *c, *d] for a, b, c, d in zip(names, left, right, notes, strict=True)],
    )
    if room is None or width_of(one[0]) <= room or not any(each.terms_s for each in ranked):
        lines = one
    else:
        lines = table(
            [*who, *expected, *note], [[*a, *b, *d] for a, b, d in zip(names, left, notes, strict=True)], room
        )
        lines += table([*who, *terms], [[*a, *c] for a, c in zip(names, right, strict=True)], room)
    return [(Span(indent), *line) for line in _with_tiers(lines, ranked)]


def _with_tiers(lines: Sequence[Line], ranked: Sequence[Weighed]) -> list[Line]:
    """The lines of one or two tables of the same rows, with a line of its own where the candidates of a fallback begin."""
    told: list[Line] = []
    for number, line in enumerate(lines):
        place = number % (len(ranked) + 1) - 1
        if place >= 0 and ranked[place].tier and (place == 0 or ranked[place - 1].tier != ranked[place].tier):
            told.append(ink(f"fallback {ranked[place].name}", Tone.FAINT))
        told.append(line)
    return told


def weighing_view(placed: Sequence[tuple[int, Weighed]], width: int | None, indent: str = "  ") -> list[Line]:
    """What each candidate's index was made of: `order_view` without what was expected of it but its median."""
    columns = [
        Column("", Align.RIGHT),
        Column("candidate", least=12, keep=Keep.ENDS),
        Column("p50", Align.RIGHT, rank=1),
        *(Column(title, Align.RIGHT) for title in (*_TERM_TITLES, "index")),
    ]
    rows = [[ink(f"{place}."), ink(each.key), _expected_cells(each)[0], *_term_cells(each)] for place, each in placed]
    return [(Span(indent), *line) for line in table(columns, rows, None if width is None else width - len(indent))]


def _expected_cells(each: Weighed) -> list[Line]:
    prior = each.samples < 0.5
    tone = Tone.FAINT if prior else Tone.PLAIN
    if each.p50_s is None:
        return [(), (), (), (), ()]
    return [
        ink(seconds(each.p50_s, expected=prior), tone),
        ink(seconds(each.p95_s, expected=prior), tone),
        ink(share(each.success, expected=prior), tone),
        ink("none" if prior else f"{each.samples:.0f}", tone),
        ink("unknown" if each.price_usd is None else dollars(each.price_usd)),
    ]


def _term_cells(each: Weighed) -> list[Line]:
    """Two decimals; what is nothing at that is left blank, a price that is another's is marked."""
    if not each.terms_s:
        return [*((),) * len(TERMS), ink(f"{each.index_s:.2f} s", Tone.STRONG)]
    shown = [f"{term:+.2f}" if abs(term) >= 0.005 else "" for term in each.terms_s]
    shown[0] = shown[0].lstrip("+")
    if each.price_usd is None and shown[_PRICE]:
        shown[_PRICE] = f"~{shown[_PRICE].lstrip('+')}"
    return [*map(ink, shown), ink(f"{each.index_s:.2f} s", Tone.STRONG)]


def passed_over_view(
    rejected: Sequence[PassedOver], width: int | None, glyphs: Glyphs, now: float | None = None
) -> list[Line]:
    """Who is not in the order, why, and from `now` how long."""
    lines: list[Line] = []
    for each in rejected:
        again = now is not None and each.retry_at is not None and each.retry_at - now >= 0.5  # polled, not due
        still = f", {left((each.retry_at or 0.0) - (now or 0.0))} left" if again else ""
        said = f"{each.key}: {each.reason or each.barrier}{still}"
        first, *rest = wrapped(said, None if width is None else width - 4)
        lines.append((Span("  "), Span(glyphs.cross, Tone.WARN), Span(" "), *ink(first)))
        lines += [ink(f"      {line}") for line in rest]
    return lines


def flip_view(rivals: Sequence[Rival], winner: str, width: int | None) -> list[Line]:
    """By how much the first one leads, and what would put another in its place."""
    if not rivals:
        return []
    margin_s = min(rival.margin_s for rival in rivals)
    lead = "by nothing" if margin_s <= 0 else f"by {margin_s:.2f} s"
    texts = [f"{winner} leads {lead}", *map(_flip_phrase, rivals)]
    room = None if width is None else width - 4
    return [
        ink(("  " if place == 0 else "      ") + line)
        for text in texts
        for place, line in enumerate(wrapped(text, room))
    ]


def flip_lines(selection: Selection) -> list[str]:
    """`flip_view` of a selection, as plain text on lines of any length."""
    record = DecisionRecord.of(selection)
    return [plain(line) for line in flip_view(record.rivals, record.ranked[0].key if record.ranked else "", None)]


def _flip_phrase(rival: Rival) -> str:
    ways: list[str] = []
    if rival.p50_below_s is not None:
        ways.append(f"its p50 first token < {milliseconds(rival.p50_below_s)}")
    price = None
    if rival.input_usd_below is not None and rival.output_usd_below is not None:
        below = f"< ${rival.input_usd_below:.3g}/M in, ${rival.output_usd_below:.3g}/M out"
        price = f"price of {below}" if rival.price_unknown else f"price {below}"
    if price is not None and not rival.price_unknown:
        ways.append(f"its {price}")
    wins = [f"{rival.key} wins if {' or '.join(ways)}"] if ways else []
    if price is not None and rival.price_unknown:
        wins.append(f"a known {price} would put {'it first, too' if ways else f'{rival.key} first'}")
    return "; ".join(wins) or f"no figure of its own puts {rival.key} first"


_BY_OTHER_MEANS: Final[Mapping[Strategy, str]] = MappingProxyType(
    {
        Strategy.PRIORITY: "the order is your own list's (priority): no time and no price changes it",
        Strategy.QUALITY: "the judged quality decides first (quality): no time and no price changes that",
        Strategy.ROUND_ROBIN: "whose turn it is decides (round_robin): no time and no price changes it",
        Strategy.WEIGHTED: "chance by weight decides (weighted): no time and no price changes it",
    }
)


def unflipped_view(strategy: str, record: DecisionRecord, width: int | None) -> list[Line]:
    """Why no figure would flip the decision, where several could be asked and none would."""
    if record.rivals or len(record.ranked) < 2:
        return []
    first, second = record.ranked[:2]
    why = _BY_OTHER_MEANS.get(Strategy(strategy)) if strategy in set(Strategy) else None
    if why is None and first.tier != second.tier:
        why = "the others are fallbacks for another model: no time and no price puts them first"
    elif why is None and first.favour != second.favour:
        why = "a rule's prefer or avoid decides: no time and no price puts another first"
    return (
        []
        if why is None
        else [ink(f"  {line}", Tone.FAINT) for line in wrapped(why, None if width is None else width - 4)]
    )


def wrapped(text: str, width: int | None) -> list[str]:
    """The text on lines of at most `width`, at least one; a word that is longer stays whole."""
    if width is None or len(text) <= width:
        return [text]
    return textwrap.wrap(text, max(20, width - 2), break_long_words=False, break_on_hyphens=False) or [""]


def rule_lines(trace: Sequence[RuleTrace]) -> list[str]:
    """Which rules matched, which did not, and why."""
    return [f"  {'✓' if t.matched else '·'} rule {t.rule!r}: {_told(t)}" for t in trace]


def _told(trace: RuleTrace) -> str:
    """Why it matched and what it did, or the condition that did not hold."""
    return f"{trace.because} → {', '.join(trace.effects) or 'nothing'}" if trace.matched else trace.because


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
