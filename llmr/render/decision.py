"""A decision, told: the order, each term of each index, each candidate that is not in it and why, what would flip it.

The terms of the index are columns, in seconds, so that one reads down a column what one candidate has over another; they add
up to the last. Where the screen is too narrow for one table there are two, of the same rows. What nobody has measured, be it
the time or the share that answers, is marked `~`: it must not look measured. `key_view` says so, in the words of status.py.
"""

from collections.abc import Sequence
from typing import Final

from llmr.render.figures import ASSUMED, dollars, left, seconds, share
from llmr.render.flips import by_index, takes_draws, unflipped_view
from llmr.render.ink import Keep, Line, Span, Tone, ink, plain, width_of, wrapped, wrapped_line
from llmr.render.pictures import UNICODE, Glyphs
from llmr.render.table import Align, Column, table
from llmr.routing.decision_record import TERMS, DecisionRecord, PassedOver, Weighed
from llmr.routing.estimate import MEASURED_FROM
from llmr.routing.rules import RuleTrace
from llmr.routing.selection import Selection

EXPLORED: Final = "exploring: ranked by a draw from what is still possible"
PIPE_WIDTH: Final = 80  # where nobody says how wide it is, this fits
_TERM_TITLES: Final = ("first", "read", "risk", "tail", "price", "quality")
_PRICE: Final = TERMS.index("price")
_FAVOUR: Final = {-1: "preferred", 1: "avoided"}


def decision_lines(selection: Selection, width: int | None = PIPE_WIDTH) -> list[str]:
    """The whole decision as plain text, for `chat -vv`."""
    return [plain(line) for line in decision_view(selection, width)]


def why_lines(selection: Selection, width: int | None) -> list[str]:
    """The same with what decides the order, where that is not the index, and its key below, for a person who asks why."""
    record = DecisionRecord.of(selection)
    below = (*unflipped_view(selection.strategy, record, width), *key_view(record.ranked, selection.strategy, width))
    return [*decision_lines(selection, width), *map(plain, below)]


def decision_view(
    selection: Selection, width: int | None, glyphs: Glyphs = UNICODE, now: float | None = None
) -> list[Line]:
    """The whole decision. `now`, wall-clock seconds: how long still is said of whom time gives back."""
    record = DecisionRecord.of(selection)
    explored = selection.explored and takes_draws(selection.strategy)
    head = f": {selection.strategy} order for ~{selection.prompt_tokens:,} prompt tokens{f', {EXPLORED}' if explored else ''}"
    lines = wrapped_line((*ink(selection.asked, Tone.STRONG), *ink(head)), width, "  ")
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
    ranks = {"samples": 3, "p95": 2, "cost": 1}  # what a narrow terminal does without, first
    expected = [
        Column(title, Align.RIGHT, rank=ranks.get(title, 0)) for title in ("p50", "p95", "ok", "samples", "cost")
    ]
    terms = _term_columns()
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
        *_term_columns(),
    ]
    rows = [[ink(f"{place}."), ink(each.key), _expected_cells(each)[0], *_term_cells(each)] for place, each in placed]
    return [(Span(indent), *line) for line in table(columns, rows, None if width is None else width - len(indent))]


def _term_columns() -> list[Column]:
    """The terms, of which a terminal that has no room for all goes without the tail first; their sum is always there."""
    ranks = {"tail": 4, "risk": 3, "quality": 2, "read": 1}
    return [Column(title, Align.RIGHT, rank=ranks.get(title, 0)) for title in (*_TERM_TITLES, "index")]


def _expected_cells(each: Weighed) -> list[Line]:
    if each.p50_s is None:
        return [(), (), (), (), ()]
    untimed, untried = each.samples < MEASURED_FROM, each.outcomes < MEASURED_FROM
    time, trust = (Tone.FAINT if assumed else Tone.PLAIN for assumed in (untimed, untried))
    return [
        ink(seconds(each.p50_s, expected=untimed), time),
        ink(seconds(each.p95_s, expected=untimed), time),
        ink(share(each.success, expected=untried), trust),
        ink("none" if untried else f"{each.outcomes:.0f}", trust),
        ink("unknown" if each.price_usd is None else dollars(each.price_usd)),
    ]


def key_view(ranked: Sequence[Weighed], strategy: str, width: int | None, indent: str = "  ") -> list[Line]:
    """One line that says how the tables of these candidates are read, as much of it as has room; for a terminal."""
    guessed = any(min(each.samples, each.outcomes) < MEASURED_FROM for each in ranked if each.p50_s is not None)
    words = [ASSUMED] if guessed else []
    if any(each.terms_s for each in ranked):
        first = "; least first" if by_index(strategy) else ""
        words += [f"index: sum of the terms, in seconds{first}", "p50, p95: first token"]
    line = ""
    for word in words:
        longer = f"{line}; {word}" if line else indent + word
        if width is None or len(longer) <= width:
            line = longer
    return [ink(line, Tone.FAINT)] if line else []


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


def rule_lines(trace: Sequence[RuleTrace]) -> list[str]:
    """Which rules matched, which did not, and why."""
    return [f"  {'✓' if t.matched else '·'} rule {t.rule!r}: {_told(t)}" for t in trace]


def _told(trace: RuleTrace) -> str:
    """Why it matched and what it did, or the condition that did not hold."""
    return f"{trace.because} → {', '.join(trace.effects) or 'nothing'}" if trace.matched else trace.because
