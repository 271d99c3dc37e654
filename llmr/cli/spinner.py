"""One line on stderr while nothing has come yet, or while work goes on: on a terminal only, gone without a trace."""

import asyncio
import contextlib
import sys
from itertools import count
from types import TracebackType
from typing import Final, Self

from llmr.cli.say import terminal_width
from llmr.render.neutralize import neutralize

APPEARS_AFTER_S: Final = 0.25
FRAME_S: Final = 0.1
_FRAMES: Final = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
_CLEAR: Final = "\r\x1b[K"


class ProgressLine:
    """How far work is that takes no breath to turn a spinner. `shown` False makes every method do nothing."""

    def __init__(self, *, shown: bool) -> None:
        self._shown = shown

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._shown:
            _put(_CLEAR)

    def tell(self, words: str) -> None:
        """Show the words in place of those before."""
        if self._shown:
            _put(f"{_CLEAR}{_on_one_row(neutralize(words))}")


class Spinner:
    """Shows itself after 250 ms. `shown` False makes every method do nothing."""

    def __init__(self, *, shown: bool) -> None:
        self._shown = shown
        self._task: asyncio.Task[None] | None = None
        self._label = ""
        self._visible = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self, label: str) -> None:
        """Show `label`, from 250 ms on."""
        self._label = neutralize(label)
        if self._shown and self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._turn())

    def stop(self) -> None:
        """Take it away."""
        if self._task is not None:
            self._task.cancel()
            self._task = None
        if self._visible:
            self._visible = False
            _put(_CLEAR)

    async def _turn(self) -> None:
        await asyncio.sleep(APPEARS_AFTER_S)
        for number in count():
            self._visible = True
            waited_s = int(APPEARS_AFTER_S + number * FRAME_S)
            words = f"{_FRAMES[number % len(_FRAMES)]} {self._label}{f' {waited_s} s' if waited_s else ''}"
            _put(f"{_CLEAR}{_on_one_row(words)}")
            await asyncio.sleep(FRAME_S)


def spinner_wanted(*, dumb: bool) -> bool:
    """Whether stderr is a terminal that can take a line back."""
    return not dumb and sys.stderr is not None and sys.stderr.isatty()  # pyright: ignore[reportUnnecessaryComparison]


def _on_one_row(words: str) -> str:
    """Cut to the terminal: of a second row nothing could be taken back."""
    width = terminal_width()
    if width is None or len(words) < width // 2:
        return words
    from llmr.render.ink import clipped, ink, plain

    return plain(clipped(ink(words), width - 1))


def _put(text: str) -> None:
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.write(text)
        sys.stderr.flush()
