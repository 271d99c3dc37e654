"""Rows on stderr that are painted again and again while work goes on, on a terminal only, and gone when it is done.

What is painted is one synchronised write, each row cleared to its end; nothing is erased below the cursor at the first column
of the first row, which tmux would keep as history. After a resize that may have broken a row in two, nobody knows how many rows
there are: they stay, and painting goes on below them.
"""

import asyncio
import contextlib
import sys
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Final, Self, final

from llmr.render.columns import cells

EVERY_S: Final = 0.1
_BEGIN: Final = "\x1b[?2026h"
_END: Final = "\x1b[?2026l"
_ERASE: Final = "\x1b[K"

Rows = Callable[[int, int], Sequence[str]]
"""What to show at a width and a height; no row as wide as the width."""


@final
class LiveRows:
    """Paints what `rows` gives, ten times a second. `shown` False makes every method do nothing."""

    def __init__(self, rows: Rows, size: Callable[[], tuple[int, int]], *, shown: bool) -> None:
        """`size` gives columns and rows, now."""
        self._rows = rows
        self._size = size
        self._shown = shown
        self._painted: Sequence[str] = ()
        self._width = 0
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        if self._shown:
            self._task = asyncio.get_running_loop().create_task(self._turn())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._task is not None:
            self._task.cancel()
            self._task = None
            self._put(())

    def moved(self) -> None:
        """Somebody else wrote below them; the cursor is at the beginning of a line. They stay, and painting goes on there."""
        self._painted = ()

    async def _turn(self) -> None:
        await asyncio.sleep(2.5 * EVERY_S)  # what is over at once needs no picture
        while True:
            self._put(self._rows(*self._room()))
            await asyncio.sleep(EVERY_S)

    def _room(self) -> tuple[int, int]:
        columns, rows = self._size()
        return columns, rows - 2  # the line of the command stays in sight, and none is scrolled away

    def _put(self, rows: Sequence[str]) -> None:
        """Show these rows in place of those that stand there."""
        width, _ = self._size()
        before, self._painted = self._painted, rows
        move = "\r" + (f"\x1b[{len(before) - 1}A" if len(before) > 1 else "")
        if width != self._width and any(cells(row) >= width for row in before):
            move, before = "\r\n", ()
        self._width = width
        if not before and not rows:
            return
        lines = [*rows, *[""] * (len(before) - len(rows))]
        up = len(lines) - max(1, len(rows))
        text = "\r\n".join(f"{line}{_ERASE}" for line in lines) + (f"\x1b[{up}A\r" if up else "")
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.write(f"{_BEGIN}{move}{text}{'' if rows else chr(13)}{_END}")
            sys.stderr.flush()
