"""Rows on a terminal: what is finished stays, what is open below it is taken back and written anew.

    finished lines   written once, never touched again
    ───────────────
    open rows        at most `MOST_ROWS`, fewer than the screen has, none wider than it: so it is known how many to go up

A paint compares the rows that should be there with those that are and writes from the first that differs, so a paragraph that
grows costs its new characters and a line that is finished as it stood is not written again. A paint that takes something
back is one synchronised update (`CSI ? 2026`), which terminals that know it show at once.

After a resize, open rows that are shorter than both widths are still a row each, and are taken back as before. Longer ones
the terminal has wrapped as it likes: nothing of them is taken back. The open block goes on as plain text until it ends, the
next one is drawn to the new width; what turns out not to be the text that stands there (a table, a block of more rows than
were shown) is drawn below it. Text may come twice then, it is never lost. The same holds where a shell has written below
them, while Ctrl-Z had stopped us.
"""

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final, final

from llmr.render.columns import cells, is_certain
from llmr.render.markdown.block import Block, Kind
from llmr.render.markdown.blocks import Splitter
from llmr.render.markdown.rows import prefix_of, tail_rows

if TYPE_CHECKING:
    from llmr.render.markdown.draw import Drawer

MOST_ROWS: Final = 8
WINDOW_ROWS: Final = 4  # of a paragraph that stay open; twice that at most, or more where characters are wide
LEAST_COLUMNS: Final = 10  # a narrower terminal gets what is finished, and no rows that are taken back
LEAST_ROWS: Final = 4
_COLOURS: Final = re.compile(r"\x1b\[[0-9;]*m")
_ECHO: Final = "^C"
_BEGIN: Final = "\x1b[?2026h"
_END: Final = "\x1b[?2026l"
_ERASE_ROW: Final = "\x1b[K"
_ERASE_BELOW: Final = (
    "\x1b[J"  # never at the first column of the first row: tmux keeps a whole screen erased so as history
)


@final
class MarkdownScreen:
    """An answer on a terminal. Text is already neutralised. `put` writes; `size` gives columns and rows, now."""

    def __init__(self, put: Callable[[str], None], size: Callable[[], tuple[int, int]], *, color: bool) -> None:
        self._put = put
        self._size = size
        self._color = color
        self._at = size()
        self._splitter = Splitter(WINDOW_ROWS * self._at[0])
        self._drawer: Drawer | None = None
        self._finished: list[Block] = []
        self._column = 0  # at which the unfinished last line stops
        self._shown: list[str] = []  # the open rows on the screen
        self._start = 0  # the column at which the first of them begins
        self._plain: str | None = (
            ""  # the open blocks as they are shown; None: not all of their text is (a table is held)
        )
        self._stuck: str | None = None  # what a resize left of the open blocks, as plain text

    def feed(self, text: str) -> None:
        """Take text; `paint` shows it."""
        self._finished += self._splitter.feed(text)

    def paint(self) -> None:
        """Bring the screen up to date."""
        if self._at != (now := self._size()):
            self._resized(now)
        blocks, self._finished = self._finished, []
        if self._stuck is not None:
            blocks = self._go_on_plainly(blocks, self._stuck)
        if self._stuck is None:
            self._repaint(self._drawn(blocks), self._splitter.open)

    def disturbed(self) -> None:
        """The terminal has echoed `^C` at the cursor: write the open rows anew, or, if it may have begun a row, go on below."""
        width = self._at[0]
        last = (self._start if len(self._shown) == 1 else 0) + cells(self._shown[-1]) if self._shown else self._column
        if last + len(_ECHO) >= width:
            self._put("\n")
            self._column, self._start = 0, 0
            self._shown = []
        else:
            self._shown = [row + _ECHO for row in self._shown]

    def moved(self) -> None:
        """Somebody else wrote below the open rows, and the cursor is at the beginning of a line: they stay, and go on there."""
        if self._stuck is None and (self._shown or self._column) and self._plain is not None:
            self._stuck = self._plain.rstrip(" ")
        self._shown = []
        self._column = self._start = 0

    def end(self) -> None:
        """Finish what is open; the cursor is at the beginning of a line."""
        self._finished += self._splitter.end()
        self.paint()
        if self._column or self._stuck:
            self._put("\n")
        self._column, self._stuck = 0, None

    def _drawn(self, blocks: Sequence[Block]) -> list[str]:
        """Lines to be written; the last one is where the cursor stays: "" at the beginning of a line."""
        if not blocks:
            return []
        drawer = self._drawer = self._drawer or _new_drawer(color=self._color)
        out = [""]
        column = self._column
        for block in blocks:
            lines = drawer.lines(block, self._at[0], column)
            out[-1] += lines[0]
            out += lines[1:]
            column = (column if len(lines) == 1 and not block.begins else 0) + _plain_cells(lines[-1])
            if block.ends or column >= self._at[0] or not is_certain(lines[-1]):
                out.append("")
                column = 0
        self._column = column
        return out

    def _repaint(self, finished: list[str], blocks: Sequence[Block]) -> None:
        before = self._start
        width, height = self._at
        shown = blocks if takes_rows_back(width, height) else ()
        rows, whole = tail_rows(shown, width, self._column, min(MOST_ROWS, height - 2))
        open_rows = rows or [""]
        target = [*finished[:-1], finished[-1] + open_rows[0], *open_rows[1:]] if finished else open_rows
        change = _difference(self._shown or [""], target, before)
        if change:
            self._put(change)
        self._shown, self._start = rows, self._column
        self._plain = _plain(shown) if whole else None

    def _resized(self, now: tuple[int, int]) -> None:
        """The rows on the screen are no longer ours to take back, unless each is still a row."""
        before, self._at = self._at, now
        if self._stuck is not None or not (self._shown or self._column) or self._still_rows(before, now):
            return
        if self._plain is None:
            self._put("\n")
            self._column = self._start = 0
        else:
            self._stuck = self._plain.rstrip(" ")  # a blank at the end is not on the screen yet
        self._shown = []

    def _still_rows(self, before: tuple[int, int], now: tuple[int, int]) -> bool:
        """Whether no row is so long that a terminal may have wrapped or cut it, and none has left the screen."""
        if before[0] == now[0]:
            return len(self._shown) < min(before[1], now[1])
        ends = [cells(row) + (0 if number else self._start) for number, row in enumerate(self._shown or [""])]
        return max(*ends, self._column) < min(before[0], now[0]) and len(ends) < min(before[1], now[1])

    def _go_on_plainly(self, blocks: list[Block], shown: str) -> list[Block]:
        """Write what is new of the blocks that were open when the terminal was resized. Blocks behind them are returned."""
        for number, block in enumerate(blocks):
            text = _plain([block])
            if text is None:
                self._unstuck()
                return blocks[number:]
            there = shown[: len(text)] if shown.startswith(text) else ""
            if there != text:
                self._put(text[len(shown) :] if text.startswith(shown) else f"\n{text}")
            shown = shown[len(text) :] if shown.startswith(text) else ""
            if block.ends and not shown.startswith("\n"):
                self._unstuck()
                return blocks[number + 1 :]
            shown = shown.removeprefix("\n")
        still_open = _plain(self._splitter.open)
        if still_open is None:
            self._unstuck()
            return []
        if still_open.startswith(shown):
            self._put(still_open[len(shown) :])
            shown = still_open
        self._stuck = shown
        return []

    def _unstuck(self) -> None:
        """On a row of its own, to be drawn again."""
        self._put("\n")
        self._stuck, self._column, self._start = None, 0, 0


def takes_rows_back(width: int, height: int) -> bool:
    """Whether the open block can be shown, since there is room to take it back."""
    return width >= LEAST_COLUMNS and height >= LEAST_ROWS


def _difference(old: list[str], new: list[str], column: int) -> str:
    """What turns the rows `old`, whose first begins at `column` and at the end of which the cursor is, into `new`."""
    same = 0
    while same < min(len(old), len(new)) and old[same] == new[same]:
        same += 1
    if same == len(old) == len(new):
        return ""
    if same == len(old):  # only rows below
        return "\n" + "\n".join(new[same:])
    if same == len(old) - 1 and same < len(new) and new[same].startswith(old[same]):
        return new[same][len(old[same]) :] + "".join(f"\n{row}" for row in new[same + 1 :])
    if same == len(new):  # there were more rows
        same -= 1
    up = len(old) - 1 - same
    right = "\r" + (f"\x1b[{column}C" if same == 0 and column else "")
    move = (f"\x1b[{up}A" if up else "") + right
    below = f"\x1b[B\r{_ERASE_BELOW}\x1b[A{right}" if up else ""
    return _BEGIN + move + _ERASE_ROW + below + "\n".join(new[same:]) + _END


def _plain(blocks: Sequence[Block]) -> str | None:
    """Blocks as the plain text that is shown of them while they are open; None where that is not their text."""
    if any(block.kind is Kind.TABLE for block in blocks):
        return None
    return "\n".join((prefix_of(block)[0] if block.begins else "") + block.text for block in blocks)


def _plain_cells(line: str) -> int:
    return cells(_COLOURS.sub("", line))


def _new_drawer(*, color: bool) -> "Drawer":
    from llmr.render.markdown.draw import Drawer

    return Drawer(color=color)
