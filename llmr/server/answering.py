"""The router's events → an HTTP answer, in the caller's dialect.

The head of a streamed answer is held back until `Answering`, the commit point: until then the next provider may still be
asked, an error is still a status, and nobody knows whose name belongs into the headers. After it the only way to fail is an
error event, and no end.
"""

from collections.abc import Iterable
from contextlib import aclosing
from typing import Final

from llmr.app import App
from llmr.chat import Delta
from llmr.errors import StreamInterrupted
from llmr.router import Answering, AttemptFailed, AttemptStarted, BrokeOff, Decided, Event, Finished, LookedUp
from llmr.routing.rules import Candidate
from llmr.server.call import Call
from llmr.server.problems import problem_of
from llmr.wire.serving import AnswerHead, AnswerWriter, Asked, Dialect

LEFT_OUT: Final = "x-llmr-left-out"
_EVENTS: Final = b"text/event-stream; charset=utf-8"


async def answer(call: Call, app: App, asked: Asked, dialect: Dialect) -> None:
    """Ask the router and answer. Raises LlmrError for as long as nothing has been answered, Gone when the client leaves."""
    answering = _Streamed(call, app, asked, dialect) if asked.request.stream else _Whole(call, app, dialect)
    async with call.while_there(), aclosing(app.stream(asked.request)) as events:
        try:
            async for event in events:
                if isinstance(event, Delta):
                    await answering.delta(event)
                else:
                    await answering.event(event)
        except StreamInterrupted as error:
            call.outcome = error.error.kind.value
            if call.status is None:
                raise
            await answering.broke(error)


class _Answer:
    """What both kinds of answer have in common: the story so far, for headers and log."""

    def __init__(self, call: Call, app: App, dialect: Dialect) -> None:
        self.call = call
        self.app = app
        self.dialect = dialect

    async def delta(self, delta: Delta) -> None:
        """A piece of the answer."""

    async def broke(self, error: StreamInterrupted) -> None:
        """It broke off after a part of it was sent."""

    async def event(self, event: Event) -> None:
        """Anything else that happens."""
        if self.call.trace is not None:
            self.call.trace.event(event)
        match event:
            case LookedUp():
                self.call.request_id = event.request_id or self.call.request_id
                self.call.cached = "miss" if event.found is None else "hit"
                self.call.told["x-llmr-cache"] = self.call.cached
            case Decided():
                self.call.request_id = event.request_id or self.call.request_id
            case AttemptStarted():
                self.call.attempts = event.number
            case _:
                pass

    def leaves_out(self, names: Iterable[str]) -> None:
        """Tell in a header what of the request the answer does without, beside what our own dialect had no place for."""
        known = self.call.told.get(LEFT_OUT)
        told = ", ".join(dict.fromkeys((*([known] if known else ()), *names)))
        if told:
            self.call.told[LEFT_OUT] = told

    def head(self, candidate: Candidate) -> AnswerHead:
        """Who answers, told in the headers and in the answer."""
        call, model = self.call, candidate.model
        call.provider, call.model = model.provider.name, model.id
        call.told |= {
            "x-llmr-provider": model.provider.name,
            "x-llmr-model": model.id,
            "x-llmr-attempts": str(call.attempts),
        }
        return AnswerHead(call.request_id, model.id, int(self.app.clock.now()))


class _Whole(_Answer):
    async def event(self, event: Event) -> None:
        await super().event(event)
        if isinstance(event, Finished):
            self.call.outcome = "ok"
            self.leaves_out(event.response.left_out)
            body = self.dialect.whole(event.response, self.head(event.candidate))
            await self.call.answer(200, body)


class _Streamed(_Answer):
    def __init__(self, call: Call, app: App, asked: Asked, dialect: Dialect) -> None:
        super().__init__(call, app, dialect)
        self._usage = asked.usage_in_stream
        self._writer: AnswerWriter | None = None
        self._held: list[Delta] = []  # of the attempt under way, before its first content

    async def delta(self, delta: Delta) -> None:
        if self._writer is None:
            self._held.append(delta)
            return
        said = self._writer.delta(delta)
        if said:
            await self.call.piece(said)

    async def event(self, event: Event) -> None:
        await super().event(event)
        match event:
            case AttemptFailed():
                self._held.clear()
            case Answering() if self._writer is None:
                await self._begin(event.candidate)
            case BrokeOff() if self._writer is not None:
                await self.call.piece(
                    self._writer.note(f"{event.candidate.key} broke off; another goes on from its text")
                )
            case Finished() if self._writer is not None:
                self.call.outcome = "ok"
                await self.call.piece(self._writer.end())
                await self.call.end()
            case _:
                pass

    async def broke(self, error: StreamInterrupted) -> None:
        assert self._writer is not None  # noqa: S101 - its head has been sent
        await self.call.piece(self._writer.failed(problem_of(error, self.app.redact)))
        await self.call.end()

    async def _begin(self, candidate: Candidate) -> None:
        self.leaves_out(name for delta in self._held for name in delta.left_out)
        self._writer = writer = self.dialect.writer(self.head(candidate), usage=self._usage)
        await self.call.begin(_EVENTS)
        held = b"".join(map(writer.delta, self._held))
        self._held.clear()
        if held:
            await self.call.piece(held)
