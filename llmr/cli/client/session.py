"""What the client knows of the conversation: of whom the next request asks, after what, with what attached. A value.

Asking again and editing go back one turn and begin a branch there; the turn that was left stays where it is kept. What
`/retry` asks is a candidate by its own name, for this one request: the session's model stays what the person chose.
"""

from collections.abc import Collection
from dataclasses import replace
from typing import Final

from llmr.chat import ChatRequest, Media, Message, Part, Role, Text
from llmr.conversations import Turn, history, in_one_text, system_of
from llmr.dataclass import dataclass

_APART: Final = "\n\n"  # between the words and each text that goes along


def along_with(turn: Turn) -> tuple[Part, ...]:
    """What went along with the words of a turn: `prompt`, the other way round."""
    media = (part for message in turn.asked for part in message.parts if isinstance(part, Media))
    texts = ([part for part in message.parts if isinstance(part, Text)][1:] for message in turn.asked)
    return (*media, *(Text(part.text.removeprefix(_APART)) for some in texts for part in some))


@dataclass(frozen=True, slots=True)
class Session:
    """`line`: the turns up to here; `aside`: those of the same conversation that were left for another branch. `asked_of`:
    candidates that have been asked the last prompt. `new_system` is said with the next turn, None: nothing new. `model` "":
    the default.
    """

    line: tuple[Turn, ...] = ()
    model: str = ""
    provider: str | None = None
    strategy: str | None = None
    new_system: str | None = None
    attached: tuple[Part, ...] = ()
    asked_of: frozenset[str] = frozenset()
    aside: tuple[Turn, ...] = ()

    @property
    def system(self) -> str | None:
        """The instructions that hold."""
        return self.new_system if self.new_system is not None else system_of(self.line)

    @property
    def last(self) -> Turn | None:
        """The turn it stands at."""
        return self.line[-1] if self.line else None

    @property
    def cost_usd(self) -> float | None:
        """What the conversation cost, every branch of it, as far as known; None: nothing is known of what was asked, or only
        that some of it was free."""
        known = [turn.cost_usd for turn in self.everything if turn.cost_usd is not None]
        return None if len(known) < len(self.everything) and not sum(known) else sum(known)

    @property
    def estimated_usd(self) -> float:
        """The part of `cost_usd` that is an estimate."""
        return sum(turn.estimated_usd or 0.0 for turn in self.everything)

    @property
    def everything(self) -> tuple[Turn, ...]:
        """The turns of the conversation, those that were left included: they were paid for too."""
        return (*self.aside, *self.line)

    def prompt(self, text: str) -> Message:
        """The person's turn: what was attached, then the words; attached text below them, apart, so that `/edit` can tell."""
        media = tuple(part for part in self.attached if isinstance(part, Media))
        below = (Text(f"{_APART}{part.text}") for part in self.attached if isinstance(part, Text) and part.text.strip())
        return Message(Role.USER, (*media, Text(text), *below))

    def request(self, base: ChatRequest, asked: tuple[Message, ...], candidate: str | None = None) -> ChatRequest:
        """The request for `asked` behind everything that was said. `candidate`: of this one alone."""
        system = (Message.text(Role.SYSTEM, self.system),) if self.system else ()
        return replace(
            base,
            messages=(*system, *history(self.line), *map(in_one_text, asked)),
            model=candidate or self.model,
            provider=None if candidate else self.provider,
            strategy=self.strategy,
        )

    def went_on(self, turn: Turn, asked_of: Collection[str]) -> "Session":
        """One turn further, of which these candidates were asked, whether they answered or not."""
        return replace(
            self, line=(*self.line, turn), attached=(), new_system=None, asked_of=self.asked_of.union(asked_of)
        )

    def before_last(self) -> "Session":
        """One turn back, to ask anew; its system prompt, if it said one, is said again."""
        if not self.line:
            return self
        said = self.line[-1].system if self.new_system is None else self.new_system
        return replace(self, line=self.line[:-1], aside=(*self.aside, self.line[-1]), new_system=said)

    def another_question(self) -> "Session":
        """What was asked before is no candidate's business any more."""
        return replace(self, asked_of=frozenset())

    def new(self) -> "Session":
        """Nothing was said yet; whom to ask, and the instructions, stay."""
        return replace(self, line=(), aside=(), attached=(), asked_of=frozenset(), new_system=self.system)
