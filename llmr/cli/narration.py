"""One request on its way, for one-shot chat and the client alike: its events go to the transcript, to the answer's way out,
and, as a line each, to the person."""

from collections.abc import Callable
from contextlib import aclosing
from typing import final

from llmr.app import App
from llmr.chat import ChatRequest, ChatResponse, Delta, FinishReason
from llmr.cli.delivery import Delivery
from llmr.cli.output import told_to_end
from llmr.cli.spinner import Spinner
from llmr.render.transcript import Transcript, break_line, cached_phrase, fallback_line, left_out_line, waiting_line
from llmr.router import Answering, AttemptStarted, BrokeOff, Decided, Event, LookedUp, Waiting


@final
class Narrator:
    """What a person hears of a request while it is on its way. `loudness` as ChatArguments has it: 0 is the events, 2 the
    decision too."""

    def __init__(self, transcript: Transcript, say: Callable[[str], None], loudness: int) -> None:
        self._transcript = transcript
        self._say = say
        self._loudness = loudness
        self._looked_for: str | None = None

    def tell(self, event: Event, spinner: Spinner) -> None:
        """Say what there is to say of the event; it is in the transcript already."""
        match event:
            case Decided() if self._loudness >= 2:
                from llmr.render.decision import decision_lines

                for line in decision_lines(event.selection):
                    self._say(line)
            case LookedUp(found=found) if found is not None:
                self._note(cached_phrase(found))
            case AttemptStarted():
                spinner.start(f"asking {event.candidate.key}")
            case Waiting():
                if not event.goes_on:
                    self._tell_wait(event, spinner)
                spinner.start(f"waiting {event.reason}")
            case BrokeOff():
                self._note(break_line(event))
            case Answering():
                spinner.stop()
                self._note(fallback_line(self._transcript))
            case Delta(left_out=left_out) if left_out:
                self._note(left_out_line(self._transcript, left_out))
            case _:
                pass

    def _tell_wait(self, wait: Waiting, spinner: Spinner) -> None:
        """Once, though one asks in vain meanwhile: what was said of how long it may take holds for all of it."""
        if wait.within_s is not None and wait.reason == self._looked_for:
            return
        self._looked_for = wait.reason if wait.within_s is not None else None
        spinner.stop()
        self._note(waiting_line(wait))

    def _note(self, line: str | None) -> None:
        if line is not None and self._loudness >= 0:
            self._say(line)


async def carry(
    app: App, request: ChatRequest, transcript: Transcript, delivery: Delivery, narrator: Narrator, *, spinning: bool
) -> None:
    """Ask, within the transport's block. Raises LlmrError."""
    async with Spinner(shown=spinning) as spinner, aclosing(app.stream(request)) as events:
        async for event in events:
            transcript.add(event)
            told_to_end.take_back()
            delivery.take(event, app.redact)  # before a word of it on stderr: the answer may have a line under way
            narrator.tell(event, spinner)


def ending_line(response: ChatResponse) -> str | None:
    """What is said of an answer that is over, but not as it should be."""
    match response.finish_reason:
        case FinishReason.LENGTH:
            return "the answer was cut at the length limit; raise --max-tokens"
        case FinishReason.CONTENT_FILTER | FinishReason.REFUSAL:
            return "the answer was ended by a content policy"
        case _:
            return None
