"""`llmr chat --compare a,b,c` and `--n N`: one question, several answers, asked at the same time.

Each is a request of its own, with its own fallback; they share the process, the state and the connection pool. While they come,
a terminal shows how far each is (compare_view.py). One that fails leaves the others alone; the exit code is 0 when at least
one answer is whole, else the most retryable of what each would have ended with.

They are kept as what they are, branches of one conversation beside each other. It goes on from the first whole answer, in the
order of the names: `-c` asks its model again, with its words as what was said.
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import aclosing, suppress
from dataclasses import replace
from typing import final

from llmr.app import App
from llmr.chat import ChatRequest
from llmr.cli.answers import terminal_size
from llmr.cli.compare_view import facts_lines, live_view, write_json, write_text
from llmr.cli.contender import Contender, first_whole, turns_of
from llmr.cli.delivery import OutputWish
from llmr.cli.exit_codes import ExitCode, exit_code_of_several
from llmr.cli.keeping import Keeping
from llmr.cli.live_rows import LiveRows
from llmr.cli.say import STDERR
from llmr.cli.signals import Signals, undisturbed
from llmr.config.environment import Environment
from llmr.dataclass import dataclass
from llmr.errors import LlmrError, RequestDenied, StreamInterrupted, UsageError
from llmr.render.transcript import receipt_lines


def refuse_with_several(output: OutputWish) -> None:
    """Raise UsageError for what is made for one answer."""
    for wished, option in ((output.as_jsonl, "--jsonl"), (output.extract, "-x"), (output.copy, "--copy")):
        if wished:
            raise UsageError(f"{option} is for one answer: leave it out, or --compare and --n")
    if output.file is not None:
        raise UsageError("-o is for one answer: redirect several (> FILE)")


@final
@dataclass(frozen=True, slots=True)
class Comparison:
    """Several who are asked the same. `keeping` None: nothing is kept; `loudness` as ChatArguments has it; `live`: there is a
    terminal that shows how far each is."""

    everyone: Sequence[Contender]
    output: OutputWish
    environment: Environment
    keeping: Keeping | None
    loudness: int
    live: bool

    async def run(
        self, app: App, request: ChatRequest, asked: ChatRequest | None, note: Callable[[str], None]
    ) -> ExitCode:
        """Ask them all `request`; `asked` is it without its history. Raises UsageError for a name that nobody knows, before
        anybody is asked; OutputError, ClosedPipe."""
        for one in self.everyone:  # --demo has its own default, a conversation its history
            one.request = replace(one.request, messages=request.messages, model=one.request.model or request.model)
            with suppress(RequestDenied):  # its own trouble, while a name that nobody knows is everyone's
                app.router.plan(one.request)
        began_at, began_s = app.clock.now(), app.clock.monotonic()
        view = live_view(self.everyone, lambda: app.clock.monotonic() - began_s, app.redact)
        live = LiveRows(view, lambda: terminal_size(self.environment, STDERR), shown=self.live)
        asking = asyncio.get_running_loop().create_task(_ask_all(app, self.everyone, live))
        ended_by: ExitCode | None = None  # the signal that ended the asking; one that comes later changes nothing
        with Signals(asking) as signals, undisturbed(live.moved):
            try:
                await asking
            except asyncio.CancelledError:
                if signals.code is None:
                    raise
                ended_by = signals.code
            notes = [*self._kept(app, asked or request, began_at)]
            self._write(app)
            for line in (*self._told(), *notes):
                note(line)
            return ended_by or exit_code_of_several({one.code for one in self.everyone})

    def _kept(self, app: App, asked: ChatRequest, at: float) -> Iterator[str]:
        """Keep them, before the JSON names the conversation and before a reader that has gone ends the run; what to say of
        that."""
        turns = turns_of(self.everyone, asked, app.redact, at)
        if self.keeping is None or not turns:
            return
        yield from self.keeping.keep(*turns, loud=self.loudness >= 0)
        for one in self.everyone:
            one.transcript.conversation_id = self.keeping.conversation_id
        goes_on = first_whole(self.everyone)
        if self.keeping.conversation_id is not None and goes_on is not None:
            yield f"`llmr chat -c` goes on from {goes_on.title}"

    def _write(self, app: App) -> None:
        if self.output.as_json:
            write_json(self.everyone, app.redact)
        else:
            write_text(self.everyone, self.output, self.environment, app.redact)

    def _told(self) -> Iterator[str]:
        if not self.output.as_json:
            yield from facts_lines(self.everyone)
        for one in self.everyone if self.loudness >= 1 else ():
            yield f"  {one.title}"
            yield from (f"  {line}" for line in receipt_lines(one.transcript))


async def _ask_all(app: App, everyone: Sequence[Contender], live: LiveRows) -> None:
    async def ask(one: Contender) -> None:
        began_s = app.clock.monotonic()
        try:
            async with aclosing(app.router.stream(one.request)) as events:
                async for event in events:
                    one.take(event)
        except LlmrError as error:
            one.error = error
            if isinstance(error, StreamInterrupted):
                one.transcript.broke(error)
        finally:
            one.transcript.cancelled()  # what is under way yet
            if one.transcript.total_s is None:
                one.transcript.total_s = app.clock.monotonic() - began_s

    async with app.transport, live, asyncio.TaskGroup() as group:
        for one in everyone:
            group.create_task(ask(one))
