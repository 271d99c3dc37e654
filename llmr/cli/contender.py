"""One of those who are asked at once: what it is asked, how far it is, how it ended, what is kept of it."""

from collections.abc import Sequence
from dataclasses import field, replace
from typing import Final

from llmr.chat import ChatRequest
from llmr.cli import keeping
from llmr.cli.exit_codes import ExitCode, exit_code_of
from llmr.cli.failure import failure_lines, note_of, refusal_note
from llmr.conversations import CANCELLED, OK, Turn
from llmr.dataclass import dataclass
from llmr.errors import LlmrError, UsageError
from llmr.render.chat_json import ErrorNote
from llmr.render.figures import milliseconds
from llmr.render.transcript import Transcript, cost_phrase, tokens_per_s
from llmr.router import BrokeOff, Event
from llmr.routing.policy import OnBreak
from llmr.secret import Redactor

MOST: Final = 8  # at once: more cannot be compared by eye, and each costs


@dataclass(slots=True)
class Contender:
    """One of those who are asked. `error`: how its request ended, None: well, or not yet."""

    title: str
    request: ChatRequest
    transcript: Transcript = field(default_factory=Transcript)
    error: LlmrError | None = None
    _text: str = ""
    _in_text: int = 0  # so many of the transcript's deltas

    def take(self, event: Event) -> None:
        """The next event."""
        self.transcript.add(event)
        if isinstance(event, BrokeOff) and event.then is OnBreak.RESTART:
            self._text, self._in_text = "", 0

    @property
    def text(self) -> str:
        """Of its answer so far. Joined when somebody looks, some times a second: to add each delta would copy all before it."""
        came = self.transcript.deltas
        self._text += "".join(delta.text for delta in came[self._in_text :])
        self._in_text = len(came)
        return self._text

    @property
    def note(self) -> ErrorNote | None:
        """What went wrong, as the JSON has it; None: nothing, or the person ended it."""
        return note_of(self.error) if self.error is not None else refusal_note(self.transcript.response)

    @property
    def code(self) -> ExitCode:
        """What it would have ended with alone."""
        if self.error is not None:
            return exit_code_of(self.error)
        if self.transcript.finished is None:
            return ExitCode.INTERRUPTED
        return ExitCode(self.note.exit_code) if self.note is not None else ExitCode.OK

    @property
    def facts(self) -> str:
        """Who answered, how fast, for how much; or what went wrong."""
        by, done = self.transcript.answered_by, self.transcript.finished
        if done is None or by is None or by.ttft_s is None:
            return " · ".join(map(str.strip, failure_lines(self.error))) if self.error is not None else "interrupted"
        speed = tokens_per_s(done)
        words = [] if by.candidate.key == self.title else [by.candidate.key]
        words += [milliseconds(done.total_s), f"first token {milliseconds(by.ttft_s)}"]
        words += [] if speed is None else [f"{speed:.0f} tokens/s"]
        cost_usd = self.transcript.cost_usd
        words += ["free" if cost_usd == 0 else cost_phrase(cost_usd, self.transcript.estimated_usd)]
        words += [] if self.note is None else [self.note.message]
        return " · ".join(words)

    def turns(self, asked: ChatRequest, redact: Redactor, at: float) -> tuple[Turn, ...]:
        """What is kept of it. `asked`: the request without its history."""
        outcome = CANCELLED if self.transcript.finished is None else OK
        outcome = outcome if self.note is None else self.note.kind
        return keeping.turns_of(replace(asked, model=self.request.model), self.transcript, outcome, redact, at)


def contenders(request: ChatRequest, names: str | None, times: int | None) -> list[Contender]:
    """Who is asked: every one of `names`, or the same one so many times. Raises UsageError."""
    if names is not None and times is not None:
        raise UsageError("--compare names the models, --n asks one of them several times: choose one")
    if names is None:
        return [Contender(f"answer {number}", request) for number in range(1, (times or 1) + 1)]
    models = [name.strip() for name in names.split(",") if name.strip()]
    if request.model:
        raise UsageError("--compare names the models: leave -m out")
    if not 2 <= len(models) <= MOST:
        raise UsageError(f"--compare takes 2 to {MOST} names with commas between them, not {names!r}")
    return [Contender(model, replace(request, model=model)) for model in models]


def first_whole(everyone: Sequence[Contender]) -> Contender | None:
    """The first, in the order of the names, whose answer is whole: the conversation goes on from it."""
    return next((one for one in everyone if one.code is ExitCode.OK), None)


def turns_of(everyone: Sequence[Contender], asked: ChatRequest, redact: Redactor, at: float) -> list[Turn]:
    """The turns of those who were asked, the one that the conversation goes on from last."""
    some = [one for one in everyone if one.transcript.request_id is not None]
    first = first_whole(everyone)
    return [turn for one in sorted(some, key=lambda one: one is first) for turn in one.turns(asked, redact, at)]
