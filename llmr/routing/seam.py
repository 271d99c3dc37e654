"""Where one provider's text goes on from another's: how to ask for it, and what to drop of what comes.

A model that is told to continue often begins a few words early. The longest end of what stands that is also the beginning
of what comes is dropped, once, at the seam. Until that is decided nothing is let through; it is decided as soon as no end
of the old text can still match, or after `LONGEST_OVERLAP` characters.
"""

from typing import Final

from llmr.chat import ChatRequest, Message, ResponseFormat, Role
from llmr.dataclass import replace

LONGEST_OVERLAP: Final = 400  # characters: a long sentence or two; a longer repetition is content
SHORTEST_OVERLAP: Final = 4  # "the" at both sides of a seam is chance
_GO_ON: Final = (
    "Your answer above was cut off by a network failure. Continue it exactly where it stops, in the middle of the word if "
    "need be. Do not repeat anything, do not comment, do not start again."
)


def may_continue(request: ChatRequest) -> bool:
    """Whether another provider can go on with a half answer: never for JSON, tool calls or log probabilities, whose halves
    do not fit together (routing.md §4)."""
    return request.output.format is ResponseFormat.TEXT and not request.tools and request.logprobs is None


def continuation(request: ChatRequest, partial: str) -> ChatRequest:
    """The request that asks for the rest of `partial`."""
    said = Message.text(Role.ASSISTANT, partial)
    return replace(request, messages=(*request.messages, said, Message.text(Role.USER, _GO_ON)))


class Seam:
    """Drops the overlap at the beginning of a continuation. Feed it the text as it comes."""

    def __init__(self, before: str) -> None:
        self._before = before[-LONGEST_OVERLAP:]
        self._held = ""
        self._open = bool(self._before)

    def feed(self, text: str) -> str:
        """What may be shown now."""
        if not self._open:
            return text
        self._held += text
        if len(self._held) < LONGEST_OVERLAP and self._may_still_grow():
            return ""
        return self.end()

    def end(self) -> str:
        """The rest, when no more comes or the seam is decided."""
        held, self._held, was_open = self._held, "", self._open
        self._open = False
        return held[self._overlap(held) :] if was_open else held

    def _may_still_grow(self) -> bool:
        """Whether all that came so far lies within what stands, so that more of it could still be repetition."""
        return self._held in self._before

    def _overlap(self, after: str) -> int:
        longest = min(len(self._before), len(after))
        for size in range(longest, SHORTEST_OVERLAP - 1, -1):
            if self._before.endswith(after[:size]):
                return size
        return 0
