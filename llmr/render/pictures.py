"""Figures as pictures in a line of text: values in, spans out, nothing else.

    sparkline   a value per slot, as bars of eight heights
    strip       an outcome per slot: a bar as high as the first token was late, or a letter for what went wrong
    bar         one share, as a length
    histogram   how often which duration, in buckets that double

A sparkline's heights are *logarithmic*: latency is, and one slow answer must not flatten all others to nothing. They span at
least a factor of four, so that a model which is steady looks steady, and not like noise enlarged.

Where the terminal's encoding has no block characters, `ASCII` stands in for `UNICODE`; a letter means the same in both. No
picture needs colour to be read.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Final

from llmr.dataclass import dataclass
from llmr.errors import ErrorKind
from llmr.render.ink import Line, Span, Tone

_LEAST_SPAN: Final = 4.0


@dataclass(frozen=True, slots=True)
class Glyphs:
    """The characters of the pictures. `heights` from low to high; `lengths` the last column of a bar, in parts of a column;
    `whole` a full one; `fine` an outcome without a duration; `none` a slot without a value."""

    heights: str
    lengths: str
    whole: str
    fine: str
    none: str
    closed: str
    half: str
    open: str
    dot: str
    arrow: str
    tick: str
    cross: str


UNICODE: Final = Glyphs("▁▂▃▄▅▆▇█", "▏▎▍▌▋▊▉█", "█", "▪", " ", "●", "◐", "○", "·", "→", "✓", "✗")
ASCII: Final = Glyphs("_.:-=+*#", "#", "#", ".", " ", "*", "%", "o", "-", "->", "+", "x")


@dataclass(frozen=True, slots=True)
class Mark:
    """How a kind of failure is drawn and named."""

    letter: str
    name: str
    tone: Tone


_NETWORK: Final = Mark("N", "network", Tone.BAD)
_TIME_OUT: Final = Mark("T", "time-out", Tone.BAD)
_SERVER: Final = Mark("S", "server error", Tone.BAD)
_LIMIT: Final = Mark("L", "rate limit", Tone.WARN)
_KEY: Final = Mark("K", "key refused", Tone.BAD)
_REQUEST: Final = Mark("Q", "request refused", Tone.WARN)
_BROKEN: Final = Mark("B", "broken answer", Tone.BAD)
_BUDGET: Final = Mark("$", "budget reached", Tone.WARN)
_CANCELLED: Final = Mark("c", "cancelled", Tone.FAINT)
_OTHER: Final = Mark("?", "unknown to this version", Tone.BAD)

MARKS: Final[Mapping[str, Mark]] = MappingProxyType(
    {
        ErrorKind.CONNECT: _NETWORK,
        ErrorKind.CONNECT_TIMEOUT: _TIME_OUT,
        ErrorKind.TLS: _NETWORK,
        ErrorKind.FIRST_TOKEN_TIMEOUT: _TIME_OUT,
        ErrorKind.DEADLINE: _TIME_OUT,
        ErrorKind.STALL: _TIME_OUT,
        ErrorKind.SERVER: _SERVER,
        ErrorKind.GATEWAY: _SERVER,
        ErrorKind.OVERLOADED: _SERVER,
        ErrorKind.RATE_LIMIT: _LIMIT,
        ErrorKind.TOO_LARGE_FOR_LIMIT: _LIMIT,
        ErrorKind.QUOTA: _LIMIT,
        ErrorKind.AUTH: _KEY,
        ErrorKind.MODEL_NOT_FOUND: _REQUEST,
        ErrorKind.CONTEXT_LENGTH: _REQUEST,
        ErrorKind.UNSUPPORTED: _REQUEST,
        ErrorKind.CONTENT_FILTER: _REQUEST,
        ErrorKind.BAD_REQUEST: _REQUEST,
        ErrorKind.TOOL_USE_FAILED: _BROKEN,
        ErrorKind.NOT_ACCEPTED: _BROKEN,
        ErrorKind.BAD_RESPONSE: _BROKEN,
        ErrorKind.INCOMPLETE: _BROKEN,
        ErrorKind.NOT_SENT: _REQUEST,
        ErrorKind.BUDGET: _BUDGET,
        ErrorKind.CANCELLED: _CANCELLED,
    }
)


_WORDS: Final[Mapping[str, str]] = MappingProxyType(
    {ErrorKind.SERVER: "server error", ErrorKind.CONNECT: "no connection", ErrorKind.INCOMPLETE: "incomplete answer"}
)  # where the kind's own name is no phrase


def outcome_words(outcome: str) -> str:
    """An outcome in a sentence: `rate limit`, `server error`."""
    return _WORDS.get(outcome, outcome.replace("_", " "))


def mark(outcome: str) -> Mark:
    """The mark of an outcome that is not "ok"."""
    return MARKS.get(outcome, _OTHER)


def sparkline(values: Sequence[float | None], glyphs: Glyphs, tone: Tone = Tone.COOL) -> Line:
    """One bar per value; None is a gap."""
    heights = _heights(values, len(glyphs.heights))
    text = "".join(glyphs.none if height is None else glyphs.heights[height] for height in heights)
    return (Span(text, tone),) if text else ()


def linear_sparkline(values: Sequence[float | None], glyphs: Glyphs, tone: Tone = Tone.COOL) -> Line:
    """One bar per amount, from nothing to the most of them; None is a gap."""
    most = max((value for value in values if value is not None), default=0.0) or 1.0
    levels = len(glyphs.heights)
    text = "".join(
        glyphs.none if value is None else glyphs.heights[min(levels - 1, max(0, math.ceil(value / most * levels) - 1))]
        for value in values
    )
    return (Span(text, tone),) if text else ()


def _heights(values: Sequence[float | None], levels: int) -> list[int | None]:
    """The height of each value, 0 to `levels` − 1, on a logarithmic scale that begins at the least of them."""
    known = [value for value in values if value is not None and value > 0]
    least = min(known, default=1.0)
    span = math.log(max(max(known, default=1.0) / least, _LEAST_SPAN))
    return [
        None if value is None else min(levels - 1, int(math.log(max(value, least) / least) / span * levels))
        for value in values
    ]


def strip(outcomes: Sequence[tuple[str, float | None]], glyphs: Glyphs) -> Line:
    """One column per `(outcome, seconds to the first token)`, oldest first: its height where it is "ok", else its letter."""
    heights = _heights([seconds if outcome == "ok" else None for outcome, seconds in outcomes], len(glyphs.heights))
    return merged(
        Span(glyphs.fine if height is None else glyphs.heights[height], Tone.GOOD)
        if outcome == "ok"
        else Span(mark(outcome).letter, mark(outcome).tone)
        for (outcome, _), height in zip(outcomes, heights, strict=True)
    )


@dataclass(frozen=True, slots=True)
class Slot:
    """What happened in one slot of time: attempts that count, those of them that failed, and the commonest failure."""

    attempts: int
    failed: int
    worst: str = ""


def success_strip(slots: Sequence[Slot | None], glyphs: Glyphs) -> Line:
    """One column per slot: fine, the letter of the commonest failure (small where most went well), or a gap."""
    return merged(_slot(slot, glyphs) for slot in slots)


def _slot(slot: Slot | None, glyphs: Glyphs) -> Span:
    if slot is None or not slot.attempts:
        return Span(glyphs.none)
    if not slot.failed:
        return Span(glyphs.fine, Tone.GOOD)
    shown = mark(slot.worst)
    mostly = slot.failed * 2 > slot.attempts
    return Span(shown.letter, Tone.BAD) if mostly else Span(shown.letter.lower(), Tone.WARN)


def legend(outcomes: Sequence[str]) -> str:
    """What the letters mean, of those that occur."""
    marks = dict.fromkeys(mark(outcome) for outcome in sorted(outcomes) if outcome != "ok")
    return ", ".join(f"{each.letter} {each.name}" for each in marks)


def bar(share: float, width: int, glyphs: Glyphs, tone: Tone = Tone.COOL) -> Line:
    """A share (0–1) of `width` columns, to an eighth of a column; what is not nothing is seen."""
    parts = len(glyphs.lengths)
    eighths = round(min(1.0, max(0.0, share)) * width * parts)
    if share > 0:
        eighths = max(1, eighths)
    full, rest = divmod(eighths, parts)
    text = glyphs.whole * full + (glyphs.lengths[rest - 1] if rest else "")
    return (Span(text, tone),) if text else ()


@dataclass(frozen=True, slots=True)
class Bin:
    """Durations from `above_s` up to and including `up_to_s`, and how many."""

    above_s: float
    up_to_s: float
    count: int


_BIN_ZERO_S: Final = 0.125  # 1/8 s, 1/4, 1/2, 1 s, 2 s …: edges that read well, and double
_BIN_RANGE: Final = range(-6, 13)  # 2 ms to 17 min; what lies beyond is counted in the outermost


def bins(counts: Mapping[float, int]) -> list[Bin]:
    """`seconds → how many`, gathered in buckets that double; from the first that holds something to the last."""
    total: dict[int, int] = {}
    for seconds, count in counts.items():
        place = math.ceil(round(math.log2(max(seconds, 1e-9) / _BIN_ZERO_S), 9))
        place = min(max(place, _BIN_RANGE.start), _BIN_RANGE.stop)
        total[place] = total.get(place, 0) + count
    if not total:
        return []
    return [
        Bin(_BIN_ZERO_S * 2.0 ** (place - 1), _BIN_ZERO_S * 2.0**place, total.get(place, 0))
        for place in range(min(total), max(total) + 1)
    ]


def merged(spans: Iterable[Span]) -> Line:
    """The spans, neighbours of one tone joined."""
    line: list[Span] = []
    for span in spans:
        if line and line[-1].tone is span.tone:
            line[-1] = Span(line[-1].text + span.text, span.tone)
        else:
            line.append(span)
    return tuple(line)
