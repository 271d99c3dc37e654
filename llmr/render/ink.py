"""Text with a tone: what the pictures and tables are made of, and the only place that writes colours.

A view is a list of lines, a line a tuple of spans, a span a text and a `Tone`. Tones say what a thing *means*; `painted` gives
them the terminal's own sixteen colours, so that the user's theme decides, light or dark, and nothing at all where colour is
off: then a line is its text, and no picture may mean less without colour than with it. Rich is not used here: `status` and
`rank` start in the time that importing it takes.

Foreign text is neutralised where it becomes a span, so widths are those of what is shown.
"""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from llmr.dataclass import dataclass
from llmr.render.columns import cell, cells, rows_of_words
from llmr.render.neutralize import neutralize


class Tone(StrEnum):
    """What a piece of text means."""

    PLAIN = "plain"
    STRONG = "strong"
    FAINT = "faint"
    GOOD = "good"
    WARN = "warn"
    BAD = "bad"
    COOL = "cool"  # a measure: the bars of latency


class Keep(StrEnum):
    """Which part of a text stays when there is no room for all of it."""

    START = "start"
    END = "end"
    ENDS = "ends"  # both: `openro…/gpt-4o`


@dataclass(frozen=True, slots=True)
class Span:
    """One piece. Made by `ink`, which neutralises."""

    text: str
    tone: Tone = Tone.PLAIN


Line = tuple[Span, ...]

# ECMA-48 SGR; of the sixteen colours only those that are readable on both white and black.
_CODES: Final[Mapping[Tone, str]] = MappingProxyType(
    {
        Tone.STRONG: "1",
        Tone.FAINT: "2",
        Tone.GOOD: "32",
        Tone.WARN: "33",
        Tone.BAD: "31",
        Tone.COOL: "36",
    }
)


def ink(text: str, tone: Tone = Tone.PLAIN) -> Line:
    """A line of one span, harmless and on one line. "" is an empty line."""
    flat = neutralize(text).replace("\n", " ").replace("\t", " ")
    return (Span(flat, tone),) if flat else ()


def joined(lines: Iterable[Line], gap: str = " ") -> Line:
    """Several pieces as one line, with `gap` between those that are not empty."""
    spans: list[Span] = []
    for line in lines:
        if line and spans:
            spans.append(Span(gap))
        spans.extend(line)
    return tuple(spans)


def plain(line: Line) -> str:
    """The text alone, without trailing blanks."""
    return "".join(span.text for span in line).rstrip()


def painted(line: Line, *, color: bool) -> str:
    """The text as it is written; with colours where they are wanted."""
    if not color:
        return plain(line)
    spans = _without_trailing_blanks(line)
    return "".join(f"\x1b[{_CODES[s.tone]}m{s.text}\x1b[0m" if s.tone in _CODES else s.text for s in spans)


def _without_trailing_blanks(line: Line) -> list[Span]:
    spans = list(line)
    while spans:
        last = spans.pop()
        text = last.text.rstrip()
        if text:
            return [*spans, Span(text, last.tone)]
    return spans


def width_of(line: Line) -> int:
    """Columns on a screen."""
    return sum(cells(span.text) for span in line)


def clipped(line: Line, width: int, keep: Keep = Keep.START, ellipsis: str = "…") -> Line:
    """The line in at most `width` columns. What is cut is marked by `ellipsis`, but where the END is kept: there it is time
    that has passed."""
    if width_of(line) <= width:
        return line
    if keep is Keep.END:
        return _tail(line, width)
    room = width - len(ellipsis)
    if room < 0:
        return ()
    if keep is Keep.START or room < 2:
        return (*_head(line, room), Span(ellipsis))
    back = room // 2
    return (*_head(line, room - back), Span(ellipsis), *_tail(line, back))


def wrapped(text: str, width: int | None) -> list[str]:
    """The text on lines of at most `width`, at least one; a word that is wider stays whole."""
    if width is None or cells(text) <= width:
        return [text]
    return rows_of_words(text, max(20, width - 2))


def wrapped_line(line: Line, width: int | None, indent: str = "    ") -> list[Line]:
    """The line on as many as it takes, broken at blanks, those after the first behind `indent`. Their tone is the last span's:
    what comes before is a sign, and stays on the first."""
    if width is None or not line or width_of(line) <= width:
        return [line]
    *signs, text = line
    taken = width_of(tuple(signs))
    first, *rest = rows_of_words(text.text, max(width, taken + len(indent) + 8), taken, len(indent))
    return [(*signs, Span(first, text.tone)), *((Span(indent + row, text.tone),) for row in rest)]


def _head(line: Line, width: int) -> Line:
    spans: list[Span] = []
    for span in line:
        taken = ""
        for character in span.text:
            taken_cells = cell(character)
            if taken_cells > width:
                break
            width -= taken_cells
            taken += character
        spans.append(Span(taken, span.tone))
        if len(taken) < len(span.text):
            break
    return tuple(spans)


def _tail(line: Line, width: int) -> Line:
    mirrored = tuple(Span(span.text[::-1], span.tone) for span in reversed(line))
    return tuple(Span(span.text[::-1], span.tone) for span in reversed(_head(mirrored, width)))
