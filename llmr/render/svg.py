"""Charts as inline SVG: values in, markup out. Colours and type come from the page's style sheet through classes.

Every text is escaped here. Each bar carries its figures as a `<title>`, which browsers show under the pointer without a line of
script. A chart is described for who cannot see it (`role="img"`, `aria-label`).
"""

import math
from collections.abc import Sequence
from html import escape
from typing import Final

from llmr.dataclass import dataclass
from llmr.render.neutralize import neutralize

_WIDTH: Final = 720.0
_LEFT: Final = 56.0
_BOTTOM: Final = 20.0
_TOP: Final = 8.0
_LABELS: Final = 8
_HALF_A_LABEL: Final = 20.0  # of `26 Nov`
_WIDEST: Final = 72.0  # a bar: one day alone is no wall


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a column: its amount, and the class that colours it."""

    amount: float
    style: str


@dataclass(frozen=True, slots=True)
class Bar:
    """One column: its parts from the bottom up, what stands under it, what is said of it."""

    parts: tuple[Part, ...]
    label: str
    about: str


def text(value: str) -> str:
    """Foreign text, harmless in markup and in what copies it."""
    return escape(neutralize(value))


def columns(bars: Sequence[Bar], *, title: str, most_label: str, height: float = 120.0) -> str:
    """Columns beside each other, from nothing to the tallest."""
    most = max((sum(part.amount for part in bar.parts) for bar in bars), default=0.0) or 1.0
    room, tall = (_WIDTH - _LEFT) / max(1, len(bars)), height - _TOP - _BOTTOM
    wide = min(_WIDEST, max(1.0, room * 0.8))
    drawn = [_rule(_TOP, most_label), _rule(_TOP + tall, "0")]
    for place, bar in enumerate(bars):
        left, floor = _LEFT + place * room, _TOP + tall
        pieces: list[str] = []
        for part in bar.parts:
            piece = part.amount / most * tall
            if piece > 0:
                piece = max(piece, 1.0)
                floor -= piece
                pieces.append(_rect(left + (room - wide) / 2, floor, wide, piece, part.style))
        drawn.append(f"<g><title>{text(bar.about)}</title>{_rect(left, _TOP, room, tall, 'hit')}{''.join(pieces)}</g>")
    return _chart(drawn + _labels([bar.label for bar in bars], room, height), title, height)


def _rect(x: float, y: float, width: float, height: float, style: str) -> str:
    return f'<rect class="{style}" x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}"/>'


def _rule(y: float, label: str) -> str:
    line = f'<line class="rule" x1="{_LEFT:.0f}" y1="{y:.1f}" x2="{_WIDTH:.0f}" y2="{y:.1f}"/>'
    return f'{line}<text class="tick" x="{_LEFT - 6:.0f}" y="{y + 4:.1f}" text-anchor="end">{text(label)}</text>'


def _labels(labels: Sequence[str], room: float, height: float) -> list[str]:
    """Those of the labels that say something; of too many, every so many."""
    said = [(place, label) for place, label in enumerate(labels) if label]
    y = height - 5
    return [
        _label(_LEFT + (place + 0.5) * room, y, label)
        for place, label in said[:: max(1, math.ceil(len(said) / _LABELS))]
    ]


def _label(x: float, y: float, label: str) -> str:
    """Below its slot, and whole: the last one ends where the chart does."""
    at, anchor = (_WIDTH, "end") if x > _WIDTH - _HALF_A_LABEL else (x, "middle")
    return f'<text class="tick" x="{at:.1f}" y="{y:.1f}" text-anchor="{anchor}">{text(label)}</text>'


def _chart(drawn: Sequence[str], title: str, height: float) -> str:
    return (
        f'<svg class="chart" viewBox="0 0 {_WIDTH:.0f} {height:.0f}" role="img" aria-label="{text(title)}">'
        f"{''.join(drawn)}</svg>"
    )


@dataclass(frozen=True, slots=True)
class Point:
    """Two durations of one slot, in seconds, None: nothing was measured; what stands under it, what is said of it."""

    low_s: float | None
    high_s: float | None
    label: str
    about: str


def ranges(points: Sequence[Point], edges: Sequence[tuple[float, str]], *, title: str, height: float = 160.0) -> str:
    """From low to high per slot, on a logarithmic scale; `edges`: `(seconds, label)` of the rules, two at least, ascending."""
    room, tall = (_WIDTH - _LEFT) / max(1, len(points)), height - _TOP - _BOTTOM
    least, most = math.log(edges[0][0]), math.log(edges[-1][0])

    def y_of(seconds: float) -> float:
        share = (math.log(max(seconds, 1e-6)) - least) / (most - least)
        return _TOP + tall * (1 - min(1.0, max(0.0, share)))

    drawn = [_rule(y_of(seconds), label) for seconds, label in edges]
    for place, point in enumerate(points):
        if point.low_s is None or point.high_s is None:
            continue
        x, low, high = _LEFT + (place + 0.5) * room, y_of(point.low_s), y_of(point.high_s)
        radius = min(4.0, max(1.5, room * 0.3))
        drawn.append(
            f"<g><title>{text(point.about)}</title>{_rect(x - room / 2, _TOP, room, tall, 'hit')}"
            f'<line class="reach" x1="{x:.1f}" y1="{low:.1f}" x2="{x:.1f}" y2="{high:.1f}"/>'
            f'<circle class="median" cx="{x:.1f}" cy="{low:.1f}" r="{radius:.1f}"/></g>'
        )
    return _chart(drawn + _labels([point.label for point in points], room, height), title, height)


def spark(values: Sequence[float | None], *, title: str, width: float = 120.0, height: float = 22.0) -> str:
    """A line without axes, on a logarithmic scale, through what was measured."""
    known = [(place, value) for place, value in enumerate(values) if value]
    if not known:
        return ""
    logs = [math.log(value) for _, value in known]
    least, reach = min(logs), max(max(logs) - min(logs), math.log(4.0))
    step = width / len(values)
    points = [
        f"{(place + 0.5) * step:.1f},{height - 3 - (log - least) / reach * (height - 6):.1f}"
        for (place, _), log in zip(known, logs, strict=True)
    ]
    x, y = points[-1].split(",")
    return (
        f'<svg class="sparkline" viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" height="{height:.0f}" role="img" '
        f'aria-label="{text(title)}"><polyline class="spark" points="{" ".join(points)}"/>'
        f'<circle class="median" cx="{x}" cy="{y}" r="2"/></svg>'
    )
