"""An answer drawn as Markdown while it comes: the first token at once, then at most twenty paints a second."""

import asyncio
from typing import Final, final

from llmr.cli.answers import seam_line
from llmr.errors import OutputError
from llmr.render.markdown.screen import MarkdownScreen
from llmr.render.neutralize import Neutralizer
from llmr.router import BrokeOff
from llmr.routing.policy import OnBreak

PAINT_EVERY_S: Final = 0.05


@final
class MarkdownAnswer:
    """The answer drawn as it comes. Within an event loop: what waits for its paint is painted by a timer."""

    def __init__(self, screen: MarkdownScreen) -> None:
        self._screen = screen
        self._neutralizer = Neutralizer()
        self._loop = asyncio.get_running_loop()
        self._painted_s = float("-inf")
        self._timer: asyncio.TimerHandle | None = None
        self._trouble: OutputError | None = None

    def write(self, text: str) -> None:
        """Show it, now or within 50 ms."""
        self._complain()
        self._screen.feed(self._neutralizer.feed(text))
        wait_s = self._painted_s + PAINT_EVERY_S - self._loop.time()
        if wait_s <= 0:
            self._paint()
        elif self._timer is None:
            self._timer = self._loop.call_later(wait_s, self._paint_later)

    def seam(self, event: BrokeOff) -> None:
        """What came is drawn to its end, whatever was open in it; the cursor is on a line of its own, for stderr's words."""
        self.end()
        if event.then is not OnBreak.CONTINUE:
            self._screen.feed(seam_line(event).lstrip("\n"))

    def disturbed(self) -> None:
        """The terminal has echoed an interrupt into the answer."""
        self._screen.disturbed()

    def moved(self) -> None:
        """What is open stays where it is, and goes on below."""
        self._screen.moved()

    def end(self) -> None:
        """Draw what is open."""
        self._cancel()
        self._complain()
        self._screen.feed(self._neutralizer.end())
        self._screen.end()

    def _paint(self) -> None:
        self._cancel()
        self._screen.paint()
        self._painted_s = self._loop.time()

    def _paint_later(self) -> None:
        """The timer's paint. Nobody up there could catch its error: it is kept for the next call."""
        try:
            self._paint()
        except OutputError as error:
            self._trouble = error

    def _complain(self) -> None:
        if self._trouble is not None:
            raise self._trouble

    def _cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
