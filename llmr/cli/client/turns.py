"""One turn of the client: the request and its answer, as one-shot chat has them, and how it ended.

Ctrl-C ends the answer and nothing else: what came stays and is kept, marked. SIGTERM and SIGHUP end the client, after the
same books.
"""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from llmr.app import App
from llmr.chat import ChatRequest
from llmr.cli.delivery import Delivery, OutputWish
from llmr.cli.exit_codes import ExitCode
from llmr.cli.failure import failure_lines, note_of, refusal_note
from llmr.cli.narration import Narrator, carry, ending_line
from llmr.cli.quiet_terminal import QuietTerminal
from llmr.cli.signals import Signals
from llmr.cli.spinner import spinner_wanted
from llmr.config.environment import Environment
from llmr.conversations import CANCELLED, OK
from llmr.dataclass import dataclass
from llmr.errors import ErrorKind, LlmrError, NoProviderReady, StreamInterrupted
from llmr.render.chat_json import ErrorNote
from llmr.render.transcript import Transcript

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
    done: Callable[[Told], None],
) -> Told:
    """Ask, and write the answer to the terminal, which is `quiet`. `done` keeps the books, before a Ctrl-C
    can end anything else. Raises OutputError, ClosedPipe; a failed request is told, not raised."""
    transcript = Transcript(retry_after_cap_s=app.config.policy.breaker.retry_after_cap_s)
    failure: LlmrError | None = None
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
        try:
            await asking
        except asyncio.CancelledError:
            if signals.code is None:
                raise
            transcript.cancelled()
            _cut_short(delivery, ErrorNote(ErrorKind.CANCELLED.value, "interrupted", int(signals.code)), app, say)
            say("stopped; what came is kept" if transcript.response.text else "stopped before a word came")
            outcome = CANCELLED
        except LlmrError as error:
            transcript.broke(error) if isinstance(error, StreamInterrupted) else transcript.cancelled()
            _cut_short(delivery, note_of(error), app, say)
            for line in failure_lines(error):
                say(line.replace("--model", "/model"))
            if not isinstance(error, NoProviderReady):
                say("  /retry asks the next candidate, or all of them again")
            outcome, failure = note_of(error).kind, error
        else:
            for line in delivery.whole(app.redact):
                say(line)
            odd = ending_line(transcript.response)
            if odd is not None:
                say(odd)
            refused = refusal_note(transcript.response)
            outcome = refused.kind if refused else OK
        transcript.total_s = app.clock.monotonic() - began_s
        told = Told(transcript, outcome, began_at, failure)
        done(told)
        left = signals.code if signals.code is not ExitCode.INTERRUPTED else None
        return replace(told, ended_by=left)


def had_their_say(transcript: Transcript) -> frozenset[str]:
    """The candidates that answered or failed; whom the person stopped may be asked again."""
    stopped = ErrorKind.CANCELLED.value
    return frozenset(tried.candidate.key for tried in transcript.attempts if tried.outcome != stopped)


def _cut_short(delivery: Delivery, note: ErrorNote, app: App, say: Say) -> None:
    for line in delivery.cut_short(note, app.redact):
        say(line)
