"""The conversation that a command speaks in: what was said in it before, and what this request adds.

Reading is asked for (`-c`, `--conversation`), so trouble with it is an error: an answer without its history would be a wrong
one. Writing is bookkeeping, so trouble with it is a note, and the answer stands. The file is opened when it is needed: for a
new conversation that is after the answer's last byte.
"""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import final

from llmr.app import open_conversations
from llmr.chat import ChatRequest, Message, Role, Text, Thinking, ToolCall, ToolResult
from llmr.config.build import Config
from llmr.config.environment import Environment
from llmr.config.names import add_ids
from llmr.conversations import CANCELLED, NOT_ACCEPTED, OK, Turn, history, system_of, text_of
from llmr.conversations.terminal import terminal_key
from llmr.dataclass import dataclass
from llmr.errors import StateError, UsageError
from llmr.render.transcript import Transcript, Tried
from llmr.routing.score import request_cost_usd
from llmr.secret import Redactor

_ANSWER_WAITS_S = 0.25  # trust.md §5: what comes after this on stdout is not held up longer


@dataclass(frozen=True, slots=True)
class Speaking:
    """Which conversation was wished for; `conversation` names one, `continues` means the last of this terminal. `save` None:
    nothing said."""

    continues: bool = False
    conversation: str | None = None
    save: bool | None = None


@final
class Keeping:
    """One conversation, begun or gone on with."""

    def __init__(self, path: Path | None, terminal: str, *, saves: bool) -> None:
        """`path` None: there is no place for conversations."""
        self._path = path
        self._terminal = terminal
        self._saves = saves and path is not None
        self.conversation_id: str | None = None
        self.title = ""  # of a conversation that is gone on with
        self.line: tuple[Turn, ...] = ()
        self.aside: tuple[Turn, ...] = ()  # turns of other branches, when it was taken up

    @classmethod
    def of(cls, config: Config, environment: Environment, speaking: "Speaking") -> "Keeping":
        """As configured and as wished for in this run. Raises UsageError where there is nothing to go on with."""
        saves = config.saves if speaking.save is None else speaking.save
        made = cls(config.conversations_path, terminal_key(environment.variables), saves=saves)
        if speaking.continues or speaking.conversation is not None:
            made.resume(speaking.conversation)
        return made

    @property
    def saves(self) -> bool:
        """Whether turns are kept."""
        return self._saves

    def resume(self, name: str | None) -> None:
        """Go on with the conversation `name`; None: with the last one of this terminal. Raises UsageError."""
        if self._path is None:
            raise UsageError("there is no conversation to go on with: no home directory, so none is kept")
        if not self._path.exists():
            raise UsageError("there is no conversation to go on with: none is kept yet")
        try:
            with closing(open_conversations(self._path)) as store:
                if name is None:
                    found = store.last_of(self._terminal)
                    if found is None:
                        raise UsageError(
                            "no conversation of this terminal; `llmr log` lists all, `--conversation ID` goes on with one"
                        )
                else:
                    found = store.named(name)
                self.conversation_id, self.title, self.line = found, store.title(found), store.line(found)
                numbers = {turn.number for turn in self.line}
                self.aside = tuple(turn for turn in store.turns(found) if turn.number not in numbers)
        except StateError as error:
            raise UsageError(f"cannot go on with a conversation: {error}") from error

    def settled(self, request: ChatRequest) -> ChatRequest:
        """The request with the model that was asked last, unless it says another or a provider."""
        if request.model or request.provider or not self.line:
            return request
        return replace(request, model=self.line[-1].asked_model)

    def continued(self, request: ChatRequest) -> ChatRequest:
        """The request with what was said before, and with the system prompt that held, unless it says another."""
        if not self.line:
            return request
        said = [message for message in request.messages if message.role is not Role.SYSTEM]
        system = [message for message in request.messages if message.role is Role.SYSTEM]
        held = system_of(self.line)
        if not system and held:
            system = [Message.text(Role.SYSTEM, held)]
        return replace(request, messages=(*system, *history(self.line), *said))

    def begin_anew(self) -> None:
        """What comes is another conversation."""
        self.conversation_id, self.line, self.aside = None, (), ()

    def keep(self, *turns: Turn, loud: bool, line: tuple[Turn, ...] | None = None) -> Iterator[str]:
        """Keep the turn, if turns are kept; what a person should be told of that, one line each.

        `loud`: is anybody told. `line`: the turns that it goes on from, None: from where it stands; fewer begin a branch.
        Several turns are branches beside each other, answers to one question, and the conversation goes on from the last. A
        turn that could not be kept is passed over: the next one goes on from the last that was.
        """
        before = self.line if line is None else line
        parent = next((one.number for one in reversed(before) if one.number), None)
        self.line = (*before, *(replace(turn, parent=parent) for turn in turns[-1:]))
        if not self._saves or self._path is None or not turns:
            return
        try:
            with closing(open_conversations(self._path, patience_s=_ANSWER_WAITS_S)) as store:
                for turn in turns:
                    kept = replace(turn, parent=parent)
                    self.conversation_id, number = store.add(
                        kept, conversation_id=self.conversation_id, terminal=self._terminal
                    )
                    self.line = (*before, replace(kept, number=number))
                if self.conversation_id is not None:
                    requests = [turn.request_id for turn in turns if turn.request_id is not None]
                    add_ids(Environment.from_process(), conversations=(self.conversation_id,), requests=requests)
                yield from store.notices
                if loud and store.first_time():
                    yield (
                        f"conversations are kept in {self._path}, for you alone: `llmr log` shows them; not to keep them: "
                        "--no-save, LLMR_SAVE=0, or [conversations] save = false"
                    )
        except StateError as error:
            yield f"this turn is not kept: {error}"


def turns_of(
    request: ChatRequest, transcript: Transcript, outcome: str, redact: Redactor, at: float
) -> tuple[Turn, ...]:
    """What is kept of a request (without its history) and all that was answered to it: answers that its own check refused were
    paid for too. The one that it ended with is last; the others' costs are taken out of the whole that is noted there."""
    last = turn_of(request, transcript, outcome, redact, at)
    refused = [_refused(last, tried, redact) for tried in transcript.refused]
    if last.answer is None and last.outcome == NOT_ACCEPTED and refused:
        *refused, ended_with = refused
        last = replace(ended_with, cost_usd=last.cost_usd, estimated_usd=last.estimated_usd, total_s=last.total_s)
    if last.cost_usd is not None:
        last = replace(last, cost_usd=max(0.0, last.cost_usd - sum(turn.cost_usd or 0.0 for turn in refused)))
    return (*refused, last)


def _refused(turn: Turn, tried: Tried, redact: Redactor) -> Turn:
    """The turn of an answer to the same that was not accepted."""
    answer = tried.refused.message() if tried.refused is not None else None
    usage = tried.refused.usage if tried.refused is not None else None
    return replace(
        turn,
        answer=_masked(answer, redact) if answer is not None and answer.parts else None,
        outcome=NOT_ACCEPTED,
        provider=tried.candidate.model.provider.name,
        model=tried.candidate.model.id,
        input_tokens=usage.input_tokens if usage else None,
        output_tokens=usage.output_tokens if usage else None,
        cost_usd=request_cost_usd(tried.candidate.model.price, usage),
        estimated_usd=None,
        ttft_s=tried.ttft_s,
        total_s=tried.after_s,
    )


def turn_of(request: ChatRequest, transcript: Transcript, outcome: str, redact: Redactor, at: float) -> Turn:
    """What is kept of a request (without its history) and its answer. Keys in it are masked: T8."""
    response, by = transcript.response, transcript.answered_by
    answer = response.message()
    if response.refusal and not response.text:
        answer = Message.text(Role.ASSISTANT, response.refusal)
    usage = response.usage
    system = next((text_of(message) for message in request.messages if message.role is Role.SYSTEM), None)
    return Turn(
        asked=tuple(_masked(message, redact) for message in request.messages if message.role is not Role.SYSTEM),
        answer=_masked(answer, redact) if answer.parts else None,
        outcome=outcome,
        at=at,
        system=redact(system) if system is not None else None,
        asked_model=request.model,
        provider=by.candidate.model.provider.name if by else None,
        model=by.candidate.model.id if by else None,
        request_id=transcript.request_id,
        input_tokens=usage.input_tokens if usage else None,
        output_tokens=usage.output_tokens if usage else None,
        cost_usd=transcript.cost_usd,
        estimated_usd=transcript.estimated_usd,
        ttft_s=by.ttft_s if by else None,
        total_s=transcript.total_s,
    )


def outcome_of(transcript: Transcript) -> str:
    """How a request that raised nothing ended."""
    return OK if transcript.finished is not None else CANCELLED


def _masked(message: Message, redact: Redactor) -> Message:
    """The message without keys. Thinking that had one loses its signature, which would not fit any more."""
    parts = list(message.parts)
    for place, part in enumerate(parts):
        match part:
            case Text():
                parts[place] = replace(part, text=redact(part.text))
            case Thinking() if redact(part.text) != part.text:
                parts[place] = Thinking(redact(part.text))
            case ToolCall():
                parts[place] = replace(part, arguments=redact(part.arguments))
            case ToolResult():
                parts[place] = replace(part, content=redact(part.content))
            case _:
                pass
    return Message(message.role, tuple(parts))
