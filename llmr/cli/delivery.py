"""Everything that goes out of `llmr chat` other than words for a person: the answer, as it was wished for.

                  while it comes        when it is whole              when it broke
stdout            streamed              –                             what came stays
-x                nothing               the first code block          all that came
--schema          nothing               the JSON without its fence    –
-o FILE           nothing               FILE                          FILE.part
--json            nothing               one document                  one document, error set
--jsonl           a line per event      `end`                         `error`
--copy            (beside any of them)  to the terminal's clipboard   nothing
"""

from collections.abc import Collection, Iterator
from typing import final

from llmr.chat import Delta
from llmr.cli.answers import Answer, NoAnswer, SafeOutput, streamed_answer
from llmr.cli.choices import check
from llmr.cli.color import color_wish
from llmr.cli.file_target import FileTarget
from llmr.cli.output import open_stdout, stdout_is_terminal, utf8, write_stdout
from llmr.config.environment import Environment
from llmr.dataclass import dataclass
from llmr.errors import UsageError
from llmr.exchange import Clock
from llmr.render.chat_json import ErrorNote, chat_document, ending, events, json_line
from llmr.render.transcript import Transcript
from llmr.router import BrokeOff, Event
from llmr.secret import Redactor


@dataclass(frozen=True, slots=True)
class OutputWish:
    """What was asked for. `file` None: stdout."""

    as_json: bool = False
    as_jsonl: bool = False
    raw: bool = False
    color: str | None = None
    safe_output: str = SafeOutput.AUTO.value
    extract: bool = False
    file: str | None = None
    copy: bool = False
    schema: bool = False

    @property
    def held(self) -> bool:
        """Whether nothing of the answer's text is shown while it comes."""
        return self.as_json or self.as_jsonl or self.extract or self.schema or self.file is not None


@final
class Delivery:
    """One answer's way out. Raises UsageError for wishes that contradict each other, OutputError for what cannot be
    written. `keys`: variables that no program is given."""

    def __init__(
        self, wish: OutputWish, environment: Environment, transcript: Transcript, clock: Clock, keys: Collection[str]
    ) -> None:
        self._wish = wish
        self._environment = environment
        self._transcript = transcript
        self._clock = clock
        self._keys = keys
        self._began_s = clock.monotonic()
        self._answer: Answer = NoAnswer()
        _refuse_contradictions(wish)
        check("safe-output", wish.safe_output, SafeOutput)
        self._color = color_wish(wish.color, environment)
        self._file = FileTarget(wish.file) if wish.file is not None else None
        if self._file is None:
            open_stdout()

    def start(self) -> None:
        """Within the event loop, before the first event."""
        if not self._wish.held:
            safe = SafeOutput(self._wish.safe_output)
            self._answer = streamed_answer(self._environment, raw=self._wish.raw, wish=self._color, safe=safe)

    def take(self, event: Event, redact: Redactor) -> None:
        """The next event. Raises OutputError, ClosedPipe."""
        if self._wish.as_jsonl:
            for document in events(event, redact):
                self._line(document)
        if isinstance(event, Delta):
            self._answer.write(event.text)
        elif isinstance(event, BrokeOff):
            self._answer.seam(event)

    def disturbed(self) -> None:
        """The terminal has echoed an interrupt."""
        self._answer.disturbed()

    def moved(self) -> None:
        """Somebody else wrote on the terminal; the cursor is at the beginning of a line."""
        self._answer.moved()

    def whole(self, redact: Redactor, refused: ErrorNote | None = None) -> Iterator[str]:
        """The whole answer came; what to say of where it went. `refused`: a content policy ended it. Raises OutputError,
        ClosedPipe."""
        self._answer.end()
        text = self._transcript.response.text
        if self._wish.as_json or self._wish.as_jsonl:
            self._document(refused, redact)
        elif self._wish.held:
            shaped = extracted(text) if self._wish.extract else text
            if shaped is None:
                yield "no code block in the answer: this is all of it"
            text = text if shaped is None else shaped
            if self._wish.schema:
                from llmr.cli.schema import json_text

                text = f"{json_text(text)}\n"
            self._put(text)
        if self._wish.copy:
            from llmr.cli.clipboard import copied

            yield copied(text, self._environment, self._keys)

    def cut_short(self, error: ErrorNote, redact: Redactor) -> Iterator[str]:
        """The answer broke, was interrupted, or never came; what to say of where it went. Raises OutputError, ClosedPipe."""
        self._answer.end()
        text = self._transcript.response.text
        if self._wish.as_json or self._wish.as_jsonl:
            self._document(error, redact)
        elif self._file is not None and text:
            yield f"what came is kept as {self._file.write_part(utf8(text))}"
        elif self._wish.held and text:
            self._put(text)

    def _put(self, text: str) -> None:
        """Text that was held, whole."""
        if self._file is not None:
            self._file.write(utf8(text))
            return
        from llmr.cli.answers import AnswerText

        safe = SafeOutput(self._wish.safe_output)
        terminal = stdout_is_terminal()
        answer = AnswerText(terminal=terminal, safe=safe is SafeOutput.ALWAYS or (safe is SafeOutput.AUTO and terminal))
        answer.write(text)
        answer.end()

    def _document(self, error: ErrorNote | None, redact: Redactor) -> None:
        if self._wish.as_jsonl:
            self._line(ending(self._transcript, error, redact))
            return
        line = json_line(chat_document(self._transcript, error, redact))
        if self._file is not None:
            self._file.write(line)
        else:
            write_stdout(line)

    def _line(self, document: dict[str, object]) -> None:
        """An event, at once: whoever reads it waits for it."""
        write_stdout(json_line({**document, "t_ms": round((self._clock.monotonic() - self._began_s) * 1000)}))


def extracted(text: str) -> str | None:
    """The first fenced code block, None where there is none. One that is never closed ends with the answer."""
    from llmr.render.markdown.block import Kind
    from llmr.render.markdown.blocks import Splitter

    splitter = Splitter(max(len(text), 1))  # nothing is cut, whatever its length
    lines: list[str] | None = None
    for block in [*splitter.feed(text.replace("\r\n", "\n")), *splitter.end()]:
        if block.kind is Kind.CODE_BEGIN:
            lines = []
        elif block.kind is Kind.CODE and lines is not None:
            lines.append(f"{block.text}\n")
        elif block.kind is Kind.CODE_END and lines is not None:
            break
    return None if lines is None else "".join(lines)


def _refuse_contradictions(wish: OutputWish) -> None:
    pairs = (
        (wish.as_json and wish.as_jsonl, "--json and --jsonl are two documents: choose one"),
        (wish.as_jsonl and wish.file is not None, "--jsonl is a stream: redirect it (> FILE) instead of -o"),
        (wish.extract and wish.schema, "--schema gives JSON without a fence: leave -x out"),
        (wish.extract and (wish.as_json or wish.as_jsonl), "-x is text, not JSON: leave one of them out"),
    )
    for wrong, message in pairs:
        if wrong:
            raise UsageError(message)
