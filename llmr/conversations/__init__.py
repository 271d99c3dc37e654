"""Saved conversations: what was asked and answered, in a file of its own, for `-c`, `llmr log` and the person who asks.

A conversation is a tree of turns. A `Turn` is one request and what came of it, a failed or broken-off one too; its parent
is the turn it goes on from. Asking again and editing a prompt begin a branch at the same parent, so nothing that was said
is ever lost; the newest turn is where the conversation stands, and the *line* from the first turn to it is what a model is
told. Of a turn that nobody answered nothing is told: two questions in a row are no conversation to most wires, and the
person who asks again says it again.

trust.md T28 would keep metadata only unless the user asks for more. Issue 5 decides otherwise: conversations are kept by
default, in the user's own file (0600), that is said on first use, and it is turned off by `--no-save`, `LLMR_SAVE=0`,
`[conversations] save = false`, and by `LLMR_LOG=off`. A project's file can turn it neither on nor off.
"""

from collections.abc import Sequence
from typing import Final

from llmr.chat import Message, Role, Text
from llmr.dataclass import dataclass
from llmr.errors import ErrorKind

OK: Final = "ok"
CANCELLED: Final = "cancelled"
NOT_ACCEPTED: Final = ErrorKind.NOT_ACCEPTED.value


@dataclass(frozen=True, slots=True)
class Turn:
    """One request and its answer.

    `asked` are the messages that this turn added, without the system prompt; `answer` is None where nothing came. An answer
    that `--schema` refused is a turn too.
    `outcome` is "ok" or an ErrorKind. `system` is what was said with this turn, None: nothing new. `asked_model` is the
    name that was asked for, "" the default. `request_id` is the one of `llmr explain`. `estimated_usd` is the part of
    `cost_usd` that no provider counted. `at` wall-clock seconds, durations seconds, None: not known. `number` and `parent`
    are the store's own, 0 and None before it has the turn.
    """

    asked: tuple[Message, ...]
    answer: Message | None
    outcome: str
    at: float
    system: str | None = None
    asked_model: str = ""
    provider: str | None = None
    model: str | None = None
    request_id: str | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost_usd: float | None = None
    estimated_usd: float | None = None
    ttft_s: float | None = None
    total_s: float | None = None
    parent: int | None = None
    number: int = 0

    @property
    def whole(self) -> bool:
        """Whether the whole answer came."""
        return self.outcome == OK

    @property
    def prompt_text(self) -> str:
        """The text of what was asked."""
        return "\n\n".join(text for message in self.asked if (text := text_of(message)))

    @property
    def typed(self) -> str:
        """What the person wrote of it: the first text of each message. Those behind it went along (`Session.prompt`)."""
        texts = (next((part.text for part in message.parts if isinstance(part, Text)), "") for message in self.asked)
        return "\n\n".join(text for text in texts if text)

    @property
    def answer_text(self) -> str:
        """The text of the answer, as far as it came."""
        return text_of(self.answer) if self.answer is not None else ""


@dataclass(frozen=True, slots=True)
class Overview:
    """A conversation in a list. `turns` counts all branches, `failed` those without a whole answer; the rest is of its newest
    turn. `cost_usd` None: of no turn known, or of some nobody knows and the others were free; `estimated_usd` of it is
    estimated."""

    id: str
    title: str
    began_at: float
    turns: int
    failed: int
    cost_usd: float | None
    estimated_usd: float | None
    at: float
    provider: str | None
    model: str | None
    outcome: str


@dataclass(frozen=True, slots=True)
class Hit:
    """A turn that a search found. `snippet` marks what matched by `[` and `]`."""

    conversation_id: str
    title: str
    number: int
    at: float
    snippet: str


def text_of(message: Message) -> str:
    """The message's text, its attachments left out."""
    return "".join(part.text for part in message.parts if isinstance(part, Text))


def system_of(line: Sequence[Turn]) -> str | None:
    """The system prompt that holds at the end of `line`."""
    return next((turn.system for turn in reversed(line) if turn.system is not None), None)


def history(line: Sequence[Turn]) -> tuple[Message, ...]:
    """What a model is told of `line`: the turns that were answered, whole or not, but for answers that were not accepted: to
    whoever asked they were none. Without the system prompt."""
    return tuple(
        message
        for turn in line
        if turn.answer is not None and turn.outcome != NOT_ACCEPTED
        for message in (*map(in_one_text, turn.asked), _sendable(turn, turn.answer))
    )


def in_one_text(message: Message) -> Message:
    """A person's message as it is sent: its texts as one, for a string alone is what every server takes."""
    texts = [part for part in message.parts if isinstance(part, Text)]
    if message.role is not Role.USER or len(texts) < 2:
        return message
    others = tuple(part for part in message.parts if not isinstance(part, Text))
    return Message(message.role, (*others, Text(text_of(message))))


def _sendable(turn: Turn, answer: Message) -> Message:
    """A broken answer is its text alone: half a thought has no signature, half a call no result."""
    return answer if turn.whole else Message(Role.ASSISTANT, (Text(text_of(answer)),))
