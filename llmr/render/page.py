"""`stats --html`: one page that needs nothing else, now or in ten years: no script, no font, no image, no address.

Its content security policy says so to the browser, too: everything is forbidden but the one style sheet whose hash it names, so
that even a name that slipped through the escaping could load and run nothing. The page takes the reader's light or dark.
"""

import base64
import hashlib
from collections.abc import Iterable, Sequence
from typing import Final

from llmr import __version__
from llmr.render.figures import (
    clock_of,
    count,
    counted,
    day_of,
    dollars,
    dollars_alike,
    milliseconds,
    moment,
    per_second,
    seconds,
    share,
    span,
)
from llmr.render.stats import first_token_bins, slot_times
from llmr.render.summary import Group, Sum, Summary
from llmr.render.svg import Bar, Part, Point, columns, ranges, spark, text

_DAY_S: Final = 86_400.0
_EDGES_S: Final = (0.03125, 0.0625, 0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0)

STYLE: Final = """
:root { color-scheme: light dark; --ink: #1f2328; --faint: #6a737d; --rule: #d8dee4; --paper: #ffffff;
  --measure: #0b7285; --reach: #8fc7d1; --whole: #4a8f5b; --failed: #c5483e; --money: #7a6a3a; }
@media (prefers-color-scheme: dark) { :root { --ink: #d6dbe1; --faint: #8b949e; --rule: #2d333b; --paper: #14181d;
  --measure: #4fb3c4; --reach: #2c5d67; --whole: #5da872; --failed: #e0675c; --money: #b7a268; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2.5rem 1.25rem 4rem; max-width: 58rem; background: var(--paper); color: var(--ink);
  font: 15px/1.5 system-ui, sans-serif; font-variant-numeric: tabular-nums; }
h1 { margin: 0; font-size: 1.35rem; font-weight: 600; }
h2 { margin: 2.5rem 0 .5rem; font-size: 1rem; font-weight: 600; }
h2 span, p.about, footer { color: var(--faint); font-weight: 400; }
p.about { margin: .2rem 0 0; }
dl { display: flex; flex-wrap: wrap; gap: 1rem 3rem; margin: 1.75rem 0 0; }
dt { color: var(--faint); font-size: .85rem; }
dd { margin: 0; font-size: 1.5rem; line-height: 1.3; }
dd small { display: block; font-size: .85rem; color: var(--faint); }
svg.chart { display: block; width: 100%; height: auto; }
svg .tick { font-size: 11px; fill: var(--faint); }
svg .rule { stroke: var(--rule); stroke-width: 1; }
svg .hit { fill: transparent; }
svg g:hover .hit { fill: var(--rule); fill-opacity: .5; }
svg .whole { fill: var(--whole); } svg .failed { fill: var(--failed); } svg .money { fill: var(--money); }
svg .measure, svg .median { fill: var(--measure); } svg .reach { stroke: var(--reach); stroke-width: 3; }
svg .spark { fill: none; stroke: var(--measure); stroke-width: 1.5; }
svg.sparkline { display: block; }
div.wide { overflow-x: auto; }
table { width: 100%; border-collapse: collapse; font-size: .9rem; }
th { padding: .3rem .75rem .3rem 0; text-align: right; font-weight: 400; color: var(--faint); white-space: nowrap; }
td { padding: .3rem .75rem .3rem 0; text-align: right; border-top: 1px solid var(--rule); white-space: nowrap; }
th:first-child, td:first-child { text-align: left; }
td:first-child { white-space: normal; overflow-wrap: anywhere; min-width: 13rem; }
table.few { width: auto; }
td.poor { color: var(--failed); }
footer { margin-top: 3rem; font-size: .85rem; }
"""


def stats_page(summary: Summary) -> str:
    """The page, as HTML."""
    digest = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
    about = f"{moment(summary.since)} to {moment(summary.now)}"
    sections = _sections(summary) if summary.total.asked else "<p>Nothing was asked in this time.</p>"
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'sha256-{digest}'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>llmr: the last {text(span(summary.now - summary.since))}</title>
<style>{STYLE}</style>
</head>
<body>
<h1>llmr, the last {text(span(summary.now - summary.since))}</h1>
<p class="about">{text(about)}</p>
{sections}
<footer>Made by llmr {text(__version__)} from the history on this machine. It holds no prompt and no answer.</footer>
</body>
</html>
"""


def _sections(summary: Summary) -> str:
    named = "hour of the day" if summary.by == "hour" else summary.by.value
    return "\n".join(
        [
            _tiles(summary),
            _section("Attempts", f"each column {span(summary.slot_s)}; failed ones in red", _attempts(summary)),
            _section("First token", "the median as a dot, up to the 95th percentile; logarithmic", _latency(summary)),
            _section("How long the first token took", "answers by duration", _histogram(summary.total)),
            *([_section("Spent", "dollars by day", _spend(summary))] if summary.total.priced else []),
            _section(f"By {named}", "", _table(summary)),
            *([_section("What went wrong", "", _failures(summary.total))] if summary.total.failures else []),
        ]
    )


def _section(title: str, about: str, content: str) -> str:
    said = f" <span>{text(about)}</span>" if about else ""
    return f"<section><h2>{text(title)}{said}</h2>\n{content}</section>"


def _tiles(summary: Summary) -> str:
    total = summary.total
    answered = share(summary.answered / summary.requests if summary.requests else None)
    helped = f"{count(summary.by_fallback)} by a fallback" if summary.by_fallback else ""
    tiles = [
        ("requests", count(summary.requests), ""),
        ("answered", answered, helped),
        ("first token", seconds(total.ttft_s(0.5)), f"p95 {seconds(total.ttft_s(0.95))}"),
        ("tokens", count(total.input_tokens + total.output_tokens), f"{count(total.output_tokens)} of them out"),
        ("spent", dollars(total.cost_usd), f"{count(total.unpriced)} without a price" if total.unpriced else ""),
    ]
    cells = [f"<div><dt>{text(n)}</dt><dd>{text(v)} <small>{text(s)}</small></dd></div>" for n, v, s in tiles]
    return f"<dl>{''.join(cells)}</dl>"


def _slot_labels(summary: Summary) -> list[str]:
    """Over days, the day where it begins; within one, the time."""
    times = slot_times(summary)
    if summary.now - summary.since <= 2 * _DAY_S:
        return [clock_of(at) for at in times]
    days = [day_of(at) for at in times]
    return [day if place and day != days[place - 1] else "" for place, day in enumerate(days)]


def _attempts(summary: Summary) -> str:
    bars: list[Bar] = []
    for at, label, each in zip(slot_times(summary), _slot_labels(summary), summary.slots, strict=True):
        failed = each.asked - each.whole
        wrong = ", ".join(f"{n} {_words(kind)}" for kind, n in each.failures.most_common(3))
        said = f"{moment(at)}: {counted(each.asked, 'attempt')}" + (f", {failed} failed ({wrong})" if failed else "")
        bars.append(Bar((Part(each.whole, "whole"), Part(failed, "failed")), label, said))
    most = max(each.asked for each in summary.slots)
    return columns(bars, title="Attempts over time", most_label=count(most))


def _latency(summary: Summary) -> str:
    points = [
        Point(
            each.ttft_s(0.5),
            each.ttft_s(0.95),
            label,
            f"{moment(at)}: p50 {seconds(each.ttft_s(0.5))}, p95 {seconds(each.ttft_s(0.95))}, "
            f"{counted(len(each.ttfts_s), 'answer')}",
        )
        for at, label, each in zip(slot_times(summary), _slot_labels(summary), summary.slots, strict=True)
    ]
    known = [value for point in points for value in (point.low_s, point.high_s) if value is not None]
    return ranges(points, _edges(known), title="First token over time")


def _edges(known: Sequence[float]) -> list[tuple[float, str]]:
    """The doubling rules that hold all of them."""
    least, most = min(known, default=0.25), max(known, default=1.0)
    first = max((place for place, edge in enumerate(_EDGES_S) if edge <= least), default=0)
    last = min((place for place, edge in enumerate(_EDGES_S) if edge >= most), default=len(_EDGES_S) - 1)
    return [(edge, milliseconds(edge)) for edge in _EDGES_S[first : max(last, first + 1) + 1]]


def _histogram(total: Sum) -> str:
    found = first_token_bins(total)
    bars = [
        Bar(
            (Part(each.count, "measure"),),
            f"≤ {milliseconds(each.up_to_s)}",
            f"{milliseconds(each.above_s)} to {milliseconds(each.up_to_s)}: {counted(each.count, 'answer')}",
        )
        for each in found
    ]
    most = max((each.count for each in found), default=0)
    return columns(bars, title="Answers by the time to their first token", most_label=count(most))


def _spend(summary: Summary) -> str:
    days = list(summary.days.items())
    most = max(each.spent_usd for _, each in days)
    bars = [
        Bar(
            (Part(each.spent_usd, "money"),),
            day[5:],
            f"{day}: {dollars(each.cost_usd)}, {counted(each.asked, 'attempt')}",
        )
        for day, each in days
    ]
    return columns(bars, title="Dollars by day", most_label=dollars(most))


def _table(summary: Summary) -> str:
    head = _row("th", [summary.by.value, "attempts", "whole", "p50", "p95", "tok/s", "tokens", "spent", "first token"])
    money = dollars_alike([group.total.cost_usd for group in summary.groups])
    rows = [_group_row(summary, group, usd) for group, usd in zip(summary.groups, money, strict=True)]
    return f'<div class="wide"><table><thead>{head}</thead><tbody>{"".join(rows)}</tbody></table></div>'


def _row(cell: str, values: Iterable[str]) -> str:
    return f"<tr>{''.join(f'<{cell}>{text(value)}</{cell}>' for value in values)}</tr>"


def _group_row(summary: Summary, group: Group, usd: str) -> str:
    total = group.total
    speed = per_second(total.tokens_per_s)
    poor = ' class="poor"' if total.success is not None and total.success < 0.95 else ""
    figures = [seconds(total.ttft_s(0.5)), seconds(total.ttft_s(0.95)), speed]
    figures += [count(total.input_tokens + total.output_tokens), usd]
    medians = [own.ttft_s(0.5) if (own := group.slots.get(place)) else None for place in range(len(summary.slots))]
    return (
        f"<tr><td>{text(group.name)}</td><td>{text(count(total.asked))}</td><td{poor}>{text(share(total.success))}</td>"
        f"{''.join(f'<td>{text(figure)}</td>' for figure in figures)}"
        f"<td>{spark(medians, title=f'{group.name}: median first token over time')}</td></tr>"
    )


def _failures(total: Sum) -> str:
    rows = [_row("td", [_words(kind), count(n)]) for kind, n in total.failures.most_common()]
    return f'<table class="few"><tbody>{"".join(rows)}</tbody></table>'


def _words(kind: str) -> str:
    return kind.replace("_", " ")
