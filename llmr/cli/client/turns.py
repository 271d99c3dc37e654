"""One turn of the client: the request and its answer, as one-shot chat has them, and how it ended.

Ctrl-C ends the answer and nothing else: what came stays and is kept, marked. SIGTERM and SIGHUP end the client, after the
same books. A turn is kept before its end is written: the terminal may have gone, and SIGHUP says so.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Final

from llmr.app import App
from llmr.chat import ChatRequest
from llmr.cli.delivery import Delivery, OutputWish
from llmr.cli.exit_codes import ExitCode
from llmr.cli.failure import failure_lines, note_of, refusal_note
from llmr.cli.narration import Narrator, carry, ending_line
from llmr.cli.output import write_stdout
from llmr.cli.quiet_terminal import QuietTerminal
from llmr.cli.signals import Signals
from llmr.cli.spinner import spinner_wanted
from llmr.config.environment import Environment
from llmr.conversations import CANCELLED, OK
from llmr.dataclass import dataclass
from llmr.errors import ErrorKind, LlmrError, NoProviderReady, OutputError, StreamInterrupted
from llmr.render.chat_json import ErrorNote
from llmr.render.transcript import Transcript, receipt_lines

_DOUBLE_S: Final = 0.5  # a second Ctrl-C within it is the first one's, and must not end the session

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Told:
    """How a turn ended. `ended_by`: the signal that ends the client too, None: it goes on. `error`: why nobody answered."""

    transcript: Transcript
    outcome: str
    began_at: float
    error: LlmrError | None = None
    ended_by: ExitCode | None = None


async def tell(
    app: App,
    request: ChatRequest,
    output: OutputWish,
    environment: Environment,
    say: Say,
    loudness: int,
    quiet: QuietTerminal,
    keep: Callable[[Told], Sequence[str]],
) -> Told:
    """Ask, and write the answer to the terminal, which is `quiet`. `keep` keeps the books, before a Ctrl-C
    can end anything else, and gives what is to be said of that. Raises OutputError, ClosedPipe, where no signal says that
    it is to end; a failed request is told, not raised."""
    transcript = Transcript(retry_after_cap_s=app.config.policy.breaker.retry_after_cap_s)
    began_at, began_s = app.clock.now(), app.clock.monotonic()
    delivery = Delivery(output, environment, transcript, app.clock, app.config.catalog.key_variables)
    delivery.start()
    narrator = Narrator(transcript, say, loudness)
    spinning = spinner_wanted(dumb=environment.dumb_terminal) and loudness >= 0
    carrying = carry(app, request, transcript, delivery, narrator, spinning=spinning)
    loop = asyncio.get_running_loop()
    asking = loop.create_task(carrying)
    moved = quiet.heard(lambda: loop.call_soon_threadsafe(delivery.moved))
    with Signals(asking, hangs_after_s=_DOUBLE_S) as signals, moved:
        note: ErrorNote | None
        failure: LlmrError | None = None
        try:
            await asking
        except asyncio.CancelledError:
            if signals.code is None:
                raise
            transcript.cancelled()
            note = _interrupted(signals.code)
        except LlmrError as error:
            transcript.broke(error) if isinstance(error, StreamInterrupted) else transcript.cancelled()
            failure, note = error, note_of(error)
        else:
            note = refusal_note(transcript.response)
        if isinstance(failure, OutputError) and signals.code is not None:  # a write found it out before the signal did
            note = _interrupted(signals.code)
        transcript.total_s = app.clock.monotonic() - began_s
        told = Told(transcript, note.kind if note is not None else OK, began_at, failure)
        kept = keep(told)  # what is written from here on may fail
        try:
            receipt = receipt_lines(transcript) if loudness >= 1 else ()
            _write(say, (*_ending(told, note, delivery, app), *receipt), kept, apart=transcript.request_id is not None)
        except OutputError:
            if signals.code is None:
                raise
            return replace(told, ended_by=signals.code)
        left = signals.code if signals.code is not ExitCode.INTERRUPTED else None
        return replace(told, ended_by=left)


def had_their_say(transcript: Transcript) -> frozenset[str]:
    """The candidates that answered or failed; whom the person stopped may be asked again."""
    stopped = ErrorKind.CANCELLED.value
    return frozenset(tried.candidate.key for tried in transcript.attempts if tried.outcome != stopped)


def _interrupted(code: ExitCode) -> ErrorNote:
    return ErrorNote(ErrorKind.CANCELLED.value, "interrupted", int(code))


def _write(say: Say, lines: Iterable[str], kept: Iterable[str], *, apart: bool) -> None:
    """What is said of a turn, and of its books. `apart`: with a line between the answer and what is typed next."""
    for line in lines:
        say(line)
    if apart:
        write_stdout(b"\n")
    for line in kept:
        say(line)


def _ending(told: Told, note: ErrorNote | None, delivery: Delivery, app: App) -> Iterator[str]:
    """Write the end of the answer; what to say of it. Raises OutputError, ClosedPipe."""
    response = told.transcript.response
    match told.error:
        case OutputError():
            raise told.error
        case None if told.outcome == CANCELLED and note is not None:
            yield from delivery.cut_short(note, app.redact)
            yield "stopped; what came is kept" if response.text else "stopped before a word came"
        case None:
            yield from delivery.whole(app.redact)
            odd = ending_line(response)
            if odd is not None:
                yield odd
        case error:
            yield from delivery.cut_short(note_of(error), app.redact)
            yield from (line.replace("--model", "/model") for line in failure_lines(error))
            if not isinstance(error, NoProviderReady):
                yield "  /retry asks the next candidate, or all of them again"
