"""What happened lately, at a glance: two sentences, four rows over one time axis, a table, a histogram, money by day.

The rows over time share their columns, so that what happened together stands together: a tall `first token` above an `R` is a
throttled hour. Everything is drawn to the width there is.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final

from llmr.render.figures import (
    clock_of,
    count,
    counted,
    day_of,
    dollars,
    dollars_alike,
    milliseconds,
    per_second,
    seconds,
    share,
    span,
)
from llmr.render.ink import Keep, Line, Span, Tone, clipped, ink, wrapped, wrapped_line
from llmr.render.pictures import Bin, Glyphs, bar, bins, legend, linear_sparkline, sparkline, success_strip
from llmr.render.status import success_tone
from llmr.render.summary import By, Group, Sum, Summary
from llmr.render.table import Align, Column, table

STATS_SCHEMA: Final = "llmr.stats/1"
_LABEL: Final = 13
_BAR: Final = 28
_DAYS_SHOWN: Final = 14
_GROUPS_SHOWN: Final = 24
_DAY_S: Final = 86_400.0


def stats_view(summary: Summary, width: int | None, glyphs: Glyphs) -> list[Line]:
    """The whole view."""
    if not summary.total.asked and not summary.total.priced:
        return [ink(f"nothing was asked in the last {span(summary.now - summary.since)}")]
    parts = [
        [each for line in _sentences(summary) for each in wrapped_line(line, width, "  ")],
        _over_time(summary, width, glyphs),
        _groups(summary, width, glyphs),
        _first_token(summary.total, glyphs),
        _by_day(summary, glyphs),
    ]
    return [line for part in parts if part for line in (*part, ())][:-1]


def _sentences(summary: Summary) -> list[Line]:
    total = summary.total
    answered = share(summary.answered / summary.requests if summary.requests else None)
    helped = f", {count(summary.by_fallback)} of them by a fallback" if summary.by_fallback else ""
    money = "" if total.cost_usd is None else f"; {dollars(total.cost_usd)}"
    unpriced = f" and {counted(total.unpriced, 'answer')} without a price" if total.unpriced and money else ""
    return [
        (
            *ink(f"last {span(summary.now - summary.since)}", Tone.STRONG),
            *ink(f": {counted(summary.requests, 'request')}, {answered} answered{helped}"),
        ),
        ink(
            f"{counted(total.asked, 'attempt')}, {share(total.success)} whole; {count(total.input_tokens)} tokens in, "
            f"{count(total.output_tokens)} out{money}{unpriced}"
        ),
    ]


def _over_time(summary: Summary, width: int | None, glyphs: Glyphs) -> list[Line]:
    slots = summary.slots
    asked = [float(each.asked) or None for each in slots]
    spent = [each.spent_usd or None for each in slots]
    total = summary.total
    rows = [
        ("asked", linear_sparkline(asked, glyphs, Tone.PLAIN), f"most {max(each.asked for each in slots)}"),
        ("whole", success_strip([each.slot for each in slots], glyphs), share(total.success)),
        ("first token", sparkline([each.ttft_s(0.5) for each in slots], glyphs), f"p50 {seconds(total.ttft_s(0.5))}"),
    ]
    if any(spent):
        rows.append(("spent", linear_sparkline(spent, glyphs, Tone.PLAIN), dollars(total.cost_usd)))
    room = len(slots) if width is None else width - _LABEL - 2 - max(len(said) for _, _, said in rows)
    lines = [
        (*_label(name), *clipped(drawn, room, Keep.END), Span("  "), *ink(said, Tone.FAINT))
        for name, drawn, said in rows
    ]
    letters = legend(sorted(total.failures))
    named = day_of if summary.now - summary.since > 2 * _DAY_S else clock_of
    about = f"{named(slot_times(summary)[0])} to now, a column is {span(summary.slot_s)}"
    if letters:
        about += f"; {letters}; a small letter: less than half"
    return [
        *lines,
        *(ink(" " * _LABEL + each, Tone.FAINT) for each in wrapped(about, None if width is None else width - _LABEL)),
    ]


def _label(name: str) -> Line:
    return ink(name.ljust(_LABEL), Tone.FAINT)


def _groups(summary: Summary, width: int | None, glyphs: Glyphs) -> list[Line]:
    last = Column("trend", least=8, keep=Keep.END, rank=1)
    draw: Callable[[Group], Line] = lambda group: _trend(group, len(summary.slots), glyphs)  # noqa: E731
    if summary.by in (By.DAY, By.HOUR):
        last = Column("asked", rank=1)
        most = max((group.total.asked for group in summary.groups), default=0) or 1
        draw = lambda group: bar(group.total.asked / most, 16, glyphs)  # noqa: E731
    columns = (
        Column(summary.by.value, least=24, keep=Keep.ENDS),
        Column("asked", Align.RIGHT),
        Column("whole", Align.RIGHT),
        Column("p50", Align.RIGHT),
        Column("p95", Align.RIGHT),
        Column("tok/s", Align.RIGHT, rank=3),
        Column("tokens", Align.RIGHT, rank=4),
        Column("spent", Align.RIGHT),
        last,
    )
    shown = summary.groups if summary.by is not By.MODEL else summary.groups[:_GROUPS_SHOWN]
    money = dollars_alike([group.total.cost_usd for group in shown])
    rows = [
        [*_figures(group.name, group.total), ink(usd), draw(group)] for group, usd in zip(shown, money, strict=True)
    ]
    lines = table(columns, rows, width)
    left_out = len(summary.groups) - len(shown)
    return [*lines, *([ink(f"and {left_out} more", Tone.FAINT)] if left_out else [])]


def _figures(name: str, total: Sum) -> list[Line]:
    speed = total.tokens_per_s
    return [
        ink(name),
        ink(count(total.asked)),
        ink(share(total.success), success_tone(total.success)),
        ink(seconds(total.ttft_s(0.5))),
        ink(seconds(total.ttft_s(0.95))),
        ink(per_second(speed)),
        ink(count(total.input_tokens + total.output_tokens)),
    ]


def _trend(group: Group, slots: int, glyphs: Glyphs) -> Line:
    medians = [own.ttft_s(0.5) if (own := group.slots.get(place)) else None for place in range(slots)]
    return sparkline(medians, glyphs)


def first_token_bins(total: Sum) -> list[Bin]:
    """How often the first token took how long."""
    counts: dict[float, int] = {}
    for each in total.ttfts_s:
        counts[each] = counts.get(each, 0) + 1
    return bins(counts)


def _first_token(total: Sum, glyphs: Glyphs) -> list[Line]:
    found = first_token_bins(total)
    most = max((each.count for each in found), default=0)
    if not most:
        return []
    return [
        (
            *_label("first token" if place == 0 else ""),
            *ink(f"≤ {milliseconds(each.up_to_s)}".rjust(9) + " "),
            *_padded(bar(each.count / most, _BAR, glyphs), _BAR),
            *ink(f" {count(each.count)}".rjust(7)),
        )
        for place, each in enumerate(found)
    ]


def _by_day(summary: Summary, glyphs: Glyphs) -> list[Line]:
    days = [(day, each.spent_usd) for day, each in summary.days.items() if each.priced]
    if len(days) < 2 or summary.by is By.DAY:
        return []
    shown = days[-_DAYS_SHOWN:]
    most = max(usd for _, usd in shown) or 1.0
    return [
        (
            *_label("spent" if place == 0 else ""),
            *ink(f"{day[5:]}".rjust(9) + " "),
            *_padded(bar(usd / most, _BAR, glyphs), _BAR),
            *ink(f" {amount}".rjust(8)),
        )
        for place, ((day, usd), amount) in enumerate(zip(shown, dollars_alike([usd for _, usd in shown]), strict=True))
    ]


def _padded(line: Line, width: int) -> Line:
    return (*line, Span(" " * (width - sum(len(each.text) for each in line))))


def stats_json(summary: Summary) -> dict[str, Any]:
    """The document of `stats --json`."""
    return {
        "schema": STATS_SCHEMA,
        "since": summary.since,
        "until": summary.now,
        "by": summary.by.value,
        "requests": summary.requests,
        "answered": summary.answered,
        "answered_by_fallback": summary.by_fallback,
        "total": _sum_json(summary.total),
        "groups": [{summary.by.value: group.name, **_sum_json(group.total)} for group in summary.groups],
        "slot_s": summary.slot_s,
        "slots": [_slot_json(at, each) for at, each in zip(slot_times(summary), summary.slots, strict=True)],
        "first_token_histogram": [
            {"above_s": each.above_s, "up_to_s": each.up_to_s, "count": each.count}
            for each in first_token_bins(summary.total)
        ],
        "days": [
            {"day": day, "spent_usd": each.cost_usd, "attempts": each.asked} for day, each in summary.days.items()
        ],
    }


def _sum_json(total: Sum) -> dict[str, Any]:
    return {
        "attempts": total.asked,
        "whole": total.whole,
        "failures": dict(sorted(total.failures.items())),
        "p50_s": total.ttft_s(0.5),
        "p95_s": total.ttft_s(0.95),
        "tokens_per_s": total.tokens_per_s,
        "input_tokens": total.input_tokens,
        "output_tokens": total.output_tokens,
        "spent_usd": total.cost_usd,
        "unpriced": total.unpriced,
    }


def _slot_json(at: float, each: Sum) -> dict[str, Any]:
    return {
        "at": at,
        "attempts": each.asked,
        "whole": each.whole,
        "p50_s": each.ttft_s(0.5),
        "spent_usd": each.cost_usd,
    }


def slot_times(summary: Summary) -> Sequence[float]:
    """When each slot begins, wall-clock seconds."""
    return [summary.now - (len(summary.slots) - place) * summary.slot_s for place in range(len(summary.slots))]
