"""A terminal to look at: what a screen of this size shows after what was written to it."""

import re
from collections.abc import Callable, Iterable

import pyte
from hypothesis import strategies as st

from llmr.render.markdown.screen import MarkdownScreen


class FakeTerminal:
    """`rows` high enough that nothing scrolls away, unless said otherwise. `written` is every write, in order."""

    def __init__(self, columns: int = 80, rows: int = 300) -> None:
        self.size = (columns, rows)
        self.screen = pyte.Screen(columns, rows)
        self.screen.set_mode(pyte.modes.LNM)  # what a tty driver's ONLCR does
        self.stream = pyte.Stream(self.screen)
        self.written: list[str] = []

    def put(self, text: str) -> None:
        self.written.append(text)
        self.stream.feed(text)

    def resize(self, columns: int, rows: int) -> None:
        self.size = (columns, rows)
        self.screen.resize(rows, columns)

    def markdown(self, *, color: bool = False) -> MarkdownScreen:
        return MarkdownScreen(self.put, lambda: self.size, color=color)

    def show(
        self, pieces: Iterable[str], *, color: bool = False, after: Callable[[], None] = lambda: None
    ) -> list[str]:
        """Paint after each piece; the lines at the end."""
        screen = self.markdown(color=color)
        for piece in pieces:
            screen.feed(piece)
            screen.paint()
            after()
        screen.end()
        return self.lines

    @property
    def lines(self) -> list[str]:
        """What is seen, without the blanks that fill the screen."""
        lines = [line.rstrip() for line in self.screen.display]
        while lines and not lines[-1]:
            lines.pop()
        return lines

    @property
    def plain(self) -> str:
        """All that was written, without escape sequences: what was taken back included."""
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", "".join(self.written))


def pieces_of(text: str, size: int) -> list[str]:
    return [text[start : start + size] for start in range(0, len(text), size)]


PIECES = st.sampled_from(
    [
        *("# Title\n", "## x ##\n", "---\n", "===\n", "* * *\n", "\n", "\n\n", " ", "\t", "\\"),
        *("para ", "word " * 9, "x" * 70, "日本語のテキスト", "👨‍👩‍👧‍👦", "é" * 30),
        *("- item ", "1. one\n", "2. two ", "  - nested\n", "- [ ] todo\n", "> quote ", "> > deep\n"),
        *("```py\n", "```\n", "~~~~\n", "code()  # x\n", "    indented\n"),
        *("| a | b |\n", "|---|--:|\n", "| 1 | 2 |\n"),
        *("**bold ", "more** ", "`co", "de` ", "[label](", "http://x.y) "),
    ]
)
"""What Markdown is made of, in pieces that join to anything."""
