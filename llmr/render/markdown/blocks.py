"""Markdown text, as it comes, into blocks that are finished and one that is open. Pure; cut-invariant; linear.

    lines ─▶ ┬ inside a fence: a line of code, or its end
             ├ blank: ends the open block
             ├ fence, heading, rule, list item, table: ends the open block, begins another
             └ text: goes on with the open paragraph or item, or begins a paragraph

What is decided about a line is decided when the line is whole, or longer than `window` characters: then its beginning
decides, whatever follows. Nested blocks are not a tree here but a depth of quotes and an indentation: that is all a terminal
shows of them, and a tree would have to be held back until it is closed.

Blank lines are kept as one, because authors group with them; line breaks in a paragraph are kept, because models do not wrap
prose but do write addresses and poems.
"""

import re
from dataclasses import replace
from typing import Final, final

from llmr.dataclass import dataclass
from llmr.render.markdown.block import Block, Kind, marker_cells
from llmr.render.markdown.open_block import OpenBlock

TABLE_ROWS: Final = 50  # a table is held until it ends; a longer one is drawn in parts, each with the header
_INFO: Final = 100  # characters of a fence's info string; more is text
_NESTED: Final = (
    2  # columns beyond a marker that are its item's: models indent "1. " by 2, though CommonMark asks for 3
)

_QUOTE: Final = re.compile(r" {0,3}>[ \t]?")
_FENCE: Final = re.compile(r"([ \t]*)(`{3,}(?=[^`]*$)|~{3,})[ \t]*(.*?)[ \t]*$")
_HEADING: Final = re.compile(r" {0,3}(#{1,6})(?:[ \t]+|$)(.*)$")
_CLOSING: Final = re.compile(r"(?:^|[ \t]+)#+[ \t]*$")
_RULE: Final = re.compile(r" {0,3}([-*_])(?:[ \t]*\1){2,}[ \t]*$")
_UNDERLINE: Final = re.compile(r" {0,3}(=+|-+)[ \t]*$")
_ITEM: Final = re.compile(r"([ \t]*)([-*+]|(\d{1,9})[.)])(?:([ \t]+)(.*)|$)")
_DELIMITER: Final = re.compile(r"[ \t]*\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|?[ \t]*$")


@dataclass(frozen=True, slots=True)
class _Fence:
    mark: str
    quote: int
    indent: int  # columns before the mark, taken off each line
    shown_indent: int

    def closed_by(self, line: str) -> bool:
        bare = line.strip(" \t")
        return len(bare) >= len(self.mark) and set(bare) == {self.mark[0]}


@final
class Splitter:
    """Feed it text; take blocks. `window`: characters of a paragraph that stay open at most twice over."""

    def __init__(self, window: int) -> None:
        self._window = window
        self._partial = ""  # the line under way, undecided
        self._begun = False  # the line under way was too long to wait for: it goes to the open block as it comes
        self._open = OpenBlock(window)
        self._rows = 0  # of the open table
        self._fence: _Fence | None = None
        self._lists: list[tuple[int, int]] = []  # of each item around: its least columns, and where its text is shown

    def feed(self, text: str) -> list[Block]:
        """The blocks that `text` finishes."""
        first, *others = text.split("\n")
        self._more(first)
        for line in others:
            self._line_end()
            self._more(line)
        return self._open.taken()

    def end(self) -> list[Block]:
        """The rest: nothing follows."""
        if self._partial or self._begun:
            self._line_end()
        self._open.close()
        return self._open.taken()

    @property
    def open(self) -> tuple[Block, ...]:
        """What is under way, to be shown until it is finished: the open block, and the line that is not decided yet as what it
        will probably be."""
        line = self._partial
        if self._fence is not None:
            fence = self._fence
            code = Block(
                Kind.CODE, self._dedented(line, fence), gap=self._open.gap, indent=fence.shown_indent, quote=fence.quote
            )
            return (code,) if line else ()
        block = self._open.block
        before = () if block is None else (block,)
        if not line.strip() or self._open.kind is Kind.TABLE:
            return before
        likely = self._likely(line)
        if block is None or likely.kind is not Kind.PARAGRAPH or likely.quote != block.quote:
            return (*before, likely)
        return (replace(block, text=f"{block.text}\n{likely.text.strip()}"),)

    def _likely(self, line: str) -> Block:
        """What the undecided line will be unless its end says otherwise."""
        quote, rest = _unquoted(line)
        gap = self._open.gap and self._open.started
        heading, item = _HEADING.match(rest), _ITEM.match(rest)
        if heading is not None and heading[2]:
            return Block(Kind.HEADING, heading[2], heading[1], gap=gap, quote=quote)
        if item is not None and item[5] and self._may_be_item(item) and _RULE.match(rest) is None:
            least = _columns(item[1])
            indent = max((shown for columns, shown in self._lists if columns <= least), default=0)
            return Block(Kind.ITEM, item[5], item[2], gap=gap, quote=quote, indent=indent)
        return Block(Kind.PARAGRAPH, rest, gap=gap, quote=quote)

    def _more(self, piece: str) -> None:
        """More of the line under way."""
        if self._begun:
            self._open.append(piece)
            return
        self._partial += piece
        if len(self._partial) > self._window and self._fence is None:
            line, self._partial = self._partial, ""
            self._begun = True
            self._decide(line[: self._window + 1])
            self._open.append(line[self._window + 1 :])

    def _line_end(self) -> None:
        if self._begun:
            self._begun = False
        else:
            line, self._partial = self._partial, ""
            self._decide(line)
        if self._open.kind is Kind.HEADING:
            self._open.close()

    # What a line is

    def _decide(self, line: str) -> None:
        if self._fence is not None:
            self._code_line(line, self._fence)
            return
        quote, rest = _unquoted(line)
        if self._open.block is not None and self._open.block.quote != quote:
            self._open.close()
        if not rest.strip():
            self._open.blank()
        elif not (self._fence_begins(rest, quote) or self._table_goes_on(rest) or self._mark(rest, quote)):
            self._text(rest, quote)

    def _mark(self, line: str, quote: int) -> bool:
        """Whether the line is marked as something: an underline, a rule, a heading, an item."""
        whole = len(line) <= self._window
        if whole and self._underlined(line):
            return True
        if whole and _RULE.match(line):
            self._open.close()
            self._lists.clear()
            self._open.emit(Block(Kind.RULE, quote=quote))
            return True
        heading = _HEADING.match(line)
        if heading is not None:
            self._open.close()
            self._lists.clear()
            text = _CLOSING.sub("", heading[2]) if whole else heading[2]
            self._open.begin(Block(Kind.HEADING, text.rstrip() if whole else text, heading[1], quote=quote))
            return True
        item = _ITEM.match(line)
        if item is not None and self._may_be_item(item):
            self._item(item, quote)
            return True
        return False

    def _fence_begins(self, line: str, quote: int) -> bool:
        fence = _FENCE.match(line) if len(line) <= min(self._window, _INFO) else None
        if fence is None:
            return False
        self._open.close()
        columns = _columns(fence[1])
        self._leave_lists(columns)
        self._fence = _Fence(fence[2], quote, columns, self._shown_indent)
        marker = fence[2] + fence[3]
        self._open.emit(Block(Kind.CODE_BEGIN, fence[3], marker, quote=quote, indent=self._fence.shown_indent))
        return True

    def _code_line(self, line: str, fence: _Fence) -> None:
        quote, rest = _unquoted(line) if fence.quote else (0, line)
        if fence.quote and quote < fence.quote:  # the quote ended, and its code with it
            self._fence = None
            self._decide(line)
        elif fence.closed_by(rest):
            self._fence = None
            self._open.emit(Block(Kind.CODE_END, marker=fence.mark, quote=fence.quote, indent=fence.shown_indent))
        else:
            text = self._dedented(line, fence)
            self._open.emit(Block(Kind.CODE, text, quote=fence.quote, indent=fence.shown_indent))

    def _dedented(self, line: str, fence: _Fence) -> str:
        rest = _unquoted(line)[1] if fence.quote else line
        blank = len(rest) - len(rest.lstrip(" "))
        return rest[min(blank, fence.indent) :]

    def _underlined(self, line: str) -> bool:
        """A line of = or - below a paragraph makes a heading of it."""
        underline = _UNDERLINE.match(line)
        block = self._open.block
        if underline is None or block is None or block.kind is not Kind.PARAGRAPH or not block.begins:
            return False
        self._open.block = replace(block, kind=Kind.HEADING, marker="#" if underline[1][0] == "=" else "##")
        self._open.close()
        return True

    def _may_be_item(self, item: re.Match[str]) -> bool:
        """In the middle of a paragraph "1986. A good year" is no item: only 1 begins a list there (CommonMark §5.2)."""
        return self._open.kind is not Kind.PARAGRAPH or (bool(item[4]) and item[3] in {None, "1"})

    def _item(self, item: re.Match[str], quote: int) -> None:
        self._open.close()
        columns, text = _columns(item[1]), item[5] or ""
        self._leave_lists(columns)
        block = Block(Kind.ITEM, "", item[2], quote=quote, indent=self._shown_indent)
        self._lists.append((columns + _NESTED, self._shown_indent + marker_cells(item[2])))
        if _FENCE.match(text) is None or len(text) > _INFO:
            self._open.begin(replace(block, text=text))
        else:
            self._open.emit(block)
            self._fence_begins(" " * (columns + _NESTED) + text, quote)

    def _table_goes_on(self, line: str) -> bool:
        """Whether the line belongs to the open table, or makes one of the line above it."""
        block = self._open.block
        if block is None:
            return False
        if block.kind is Kind.TABLE:
            return self._row(block, line)
        above, _, header = block.text.rpartition("\n")
        cells = header.strip().strip("|").count("|")
        if (
            block.kind is not Kind.PARAGRAPH
            or "|" not in header
            or not (above or block.begins)
            or len(line) > self._window
            or _DELIMITER.match(line) is None
            or line.strip().strip("|").count("|") != cells
        ):
            return False
        table = Block(
            Kind.TABLE, f"{header}\n{line}", gap=block.gap and not above, quote=block.quote, indent=block.indent
        )
        if above:
            self._open.block = replace(block, text=above)
            self._open.close()
        self._open.block, self._rows = table, 0
        return True

    def _row(self, block: Block, line: str) -> bool:
        if "|" not in line:
            self._open.close()
            return False
        if self._rows == TABLE_ROWS:
            head = "\n".join(block.text.split("\n")[:2])
            self._open.close()
            block, self._rows = replace(block, text=head, gap=False), 0
        self._rows += 1
        self._open.block = replace(block, text=f"{block.text}\n{line}")
        return True

    def _text(self, line: str, quote: int) -> None:
        columns = _columns(line[: len(line) - len(line.lstrip(" \t"))])
        text = line.strip(" \t") if len(line) <= self._window else line.lstrip(" \t")
        if self._open.block is not None:
            self._open.append(("\n" if self._open.block.text else "") + text)
            return
        self._leave_lists(columns)
        if columns >= 4 and not self._lists and len(line) <= self._window:
            self._open.emit(Block(Kind.CODE, line.expandtabs(4)[4:], quote=quote))
            return
        self._open.begin(Block(Kind.PARAGRAPH, text, quote=quote, indent=self._shown_indent))

    # Lists

    def _leave_lists(self, columns: int) -> None:
        while self._lists and columns < self._lists[-1][0]:
            self._lists.pop()

    @property
    def _shown_indent(self) -> int:
        return self._lists[-1][1] if self._lists else 0


def _unquoted(line: str) -> tuple[int, str]:
    depth = 0
    while (mark := _QUOTE.match(line)) is not None:
        depth, line = depth + 1, line[mark.end() :]
    return depth, line


def _columns(blank: str) -> int:
    return len(blank.expandtabs(4))
