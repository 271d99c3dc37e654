"""Lines of code in colour, one at a time.

Pygments reads whole texts, and a line alone does not say whether it is inside a comment. So a line is read behind the lines
before it, as many as a bounded window holds: cost per line does not grow with the answer, and the same line is drawn the same
whatever came with it in one chunk. A comment longer than the window loses its colour, nothing else. The colours are the
terminal's own sixteen, so that they suit its background.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from pygments.lexer import Lexer
from pygments.lexers import get_lexer_by_name  # pyright: ignore[reportUnknownVariableType]
from pygments.token import Comment, Generic, Keyword, Literal, Name, Number, Operator, String
from pygments.util import ClassNotFound
from rich.text import Text

_WINDOW_LINES: Final = 24
_WINDOW_CHARACTERS: Final = 1_500
_STYLES: Final[Mapping[tuple[str, ...], str]] = {
    Comment: "bright_black italic",
    Keyword: "magenta",
    Operator.Word: "magenta",
    Literal: "green",
    String: "green",
    String.Escape: "yellow",
    Number: "cyan",
    Name.Function: "blue",
    Name.Class: "blue bold",
    Name.Decorator: "yellow",
    Name.Builtin: "cyan",
    Name.Tag: "blue",
    Name.Attribute: "cyan",
    Generic.Deleted: "red",
    Generic.Inserted: "green",
    Generic.Heading: "bold",
    Generic.Subheading: "magenta",
}


class CodePainter:
    """One fence's lines, in order."""

    def __init__(self, info: str) -> None:
        """`info`: what stands behind the fence; its first word names the language."""
        self._lexer = _lexer(info)
        self._before: list[str] = []

    def line(self, line: str) -> Text:
        """The next line, styled."""
        text = Text(line)
        if self._lexer is None or len(line) > _WINDOW_CHARACTERS:
            return text
        before = "".join(f"{one}\n" for one in self._before)
        for start, end, style in _spans(self._lexer, before + line, len(before)):
            text.stylize(style, start, end)
        self._before.append(line)
        while len(self._before) > _WINDOW_LINES or sum(map(len, self._before)) > _WINDOW_CHARACTERS:
            self._before = self._before[len(self._before) // 2 + 1 :]
        return text


def _lexer(info: str) -> Lexer | None:
    name = info.strip("{}. \t").split(" ", 1)[0].split(",", 1)[0].lower()
    if not name:
        return None
    try:
        return get_lexer_by_name(name, stripnl=False, ensurenl=False)  # pyright: ignore[reportUnknownVariableType]
    except ClassNotFound:
        return None


def _spans(lexer: Lexer, code: str, start: int) -> Iterator[tuple[int, int, str]]:
    """Start, end and style of what is styled behind `start`, counted from there."""
    place = 0
    for kind, value in lexer.get_tokens(code):
        end = place + len(value)
        style = _style(kind) if end > start else None
        if style is not None:
            yield max(place - start, 0), end - start, style
        place = end


def _style(kind: tuple[str, ...]) -> str | None:
    """The style of the nearest kind above that has one."""
    for length in range(len(kind), 0, -1):
        style = _STYLES.get(kind[:length])
        if style is not None:
            return style
    return None
