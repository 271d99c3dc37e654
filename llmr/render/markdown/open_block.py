"""The block that is under way: it grows, is cut where it gets too long, and is finished.

A paragraph is cut when `window` characters of it are open, where no emphasis, code or link is open (or, after twice that,
anywhere): so what is open stays small, however long a paragraph is, and nothing is decided by where a chunk happened to end.
"""

from dataclasses import replace
from typing import final

from llmr.render.markdown.block import Block, Kind
from llmr.render.markdown.cutting import place_to_cut


@final
class OpenBlock:
    """At most one block, `block`, that may still grow, and what is finished and not taken yet. `gap`: a blank line stands
    before whatever comes next; `started`: something came before it."""

    def __init__(self, window: int) -> None:
        self.block: Block | None = None
        self.gap = False
        self.started = False
        self._window = window
        self._limit = window
        self._finished: list[Block] = []

    @property
    def kind(self) -> Kind | None:
        """What is open; None: nothing."""
        return None if self.block is None else self.block.kind

    def taken(self) -> list[Block]:
        """What is finished; it is here no longer."""
        finished, self._finished = self._finished, []
        return finished

    def begin(self, block: Block) -> None:
        """Open `block`; none is open."""
        self.block = replace(block, gap=self.gap)
        self.gap, self._limit, self.started = False, self._window, True
        self._cut()

    def append(self, text: str) -> None:
        """More of the open block; of a new paragraph, where none is open."""
        if not text:
            return
        if self.block is None:
            self.begin(Block(Kind.PARAGRAPH))
        for start in range(
            0, len(text), self._window
        ):  # in pieces: what is cut off is copied once, not again and again
            block = self.block
            if block is not None:
                self.block = replace(block, text=block.text + text[start : start + self._window])
                self._cut()

    def close(self) -> None:
        """Finish the open block, if there is one."""
        if self.block is not None:
            block, self.block = self.block, None
            self.emit(block)

    def blank(self) -> None:
        """An empty line: what is open ends."""
        self.close()
        self.gap = self.gap or self.started

    def emit(self, block: Block) -> None:
        """A block that is finished. Its `gap` is set where it was not when the block began."""
        self._finished.append(replace(block, gap=block.gap or (self.gap and block.begins)))
        self.gap, self.started, self._limit = False, True, self._window

    def _cut(self) -> None:
        """Finish as much of the open block as is too long to stay open."""
        block: Block | None
        while (block := self.block) is not None and block.kind is not Kind.TABLE and len(block.text) >= self._limit:
            place = place_to_cut(block.text[: self._limit], window=self._window)
            if place is None:
                self._limit = 2 * self._window
                continue
            self.emit(replace(block, text=block.text[:place], ends=False))
            self.block, self._limit = replace(block, text=block.text[place:], gap=False, begins=False), self._window
