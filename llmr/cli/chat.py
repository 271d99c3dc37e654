"""`llmr chat`, one shot: settings, prompt, request, and the answer on its way to stdout.

arguments ─▶ request ─▶ App ─▶ router events ─┬▶ Transcript   everything, for receipt and JSON
                                              ├▶ Answer       text, on stdout
                                              └▶ Narrator     one line per event, on stderr
"""

import asyncio
import random
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from llmr.app import App, SystemClock, opened
from llmr.chat import ChatRequest
from llmr.cli.arguments import ChatArguments, is_a_talk
from llmr.cli.asking import check_urls, request_for
from llmr.cli.delivery import Delivery
from llmr.cli.exit_codes import ExitCode, exit_code_of
from llmr.cli.failure import failure_lines, note_of, refusal_note
from llmr.cli.keeping import Keeping, turns_of
from llmr.cli.listing import unknown_tags
from llmr.cli.narration import Narrator, carry, ending_line
from llmr.cli.output import ClosedPipe
from llmr.cli.prompt import unread_files
from llmr.cli.say import say, say_as_it_is
from llmr.cli.schema import with_schema
from llmr.cli.signals import Signals, undisturbed
from llmr.cli.spinner import spinner_wanted
from llmr.config.build import Config
from llmr.config.environment import Environment
from llmr.config.named_keys import named_keys
from llmr.conversations import CANCELLED, NOT_ACCEPTED, OK
from llmr.errors import ErrorKind, LlmrError, NoProviderReady, OutputError, StreamInterrupted
from llmr.exchange import Transport
from llmr.render.chat_json import ErrorNote
from llmr.render.transcript import Transcript, receipt_lines
from llmr.secret import Redactor

if TYPE_CHECKING:
    from llmr.cli.contender import Contender


def run_chat(arguments: ChatArguments) -> int:
    """Ask and print. The exit code; what went wrong has been told."""
    run = _Run(arguments)
    try:
        return run.begin()
    except LlmrError as error:
        return run.ended(error)


class _Run:
    """One request of the command line."""

    def __init__(self, arguments: ChatArguments) -> None:
        self._arguments = arguments
        self._environment = Environment.from_process()
        self._transcript = Transcript()
        self._clock = SystemClock()
        self._delivery: Delivery | None = None
        self._redact = Redactor()
        self._config: Config | None = None
        self._began_s, self._began_at = self._clock.monotonic(), self._clock.now()
        self._keeping: Keeping | None = None
        self._asked: ChatRequest | None = None
        self._everyone: list[Contender] = []
        self._kept = False

    def begin(self) -> int:
        """Everything before the first byte leaves, then the request. Raises LlmrError."""
        wish = self._arguments.output
        keys = named_keys(self._environment, self._arguments.config_file) if wish.copy else ()
        self._delivery = delivery = Delivery(wish, self._environment, self._transcript, self._clock, keys)
        arguments = self._arguments
        arguments.refuse_contradictions()
        if is_a_talk(arguments):
            from llmr.cli.client.start import talk

            return talk(arguments)
        request = with_schema(arguments.request, arguments.schema)
        request = request_for(arguments.asking, request, arguments.system, self._environment, arguments.config_file)
        for name in unread_files(arguments.asking.words):
            self._note(f"@{name} was sent as it is: put it outside of the quotes")
        self._everyone = self._contenders(request)
        if arguments.demo:
            return asyncio.run(self._demo(request, delivery))
        from llmr.config.load import load

        file = arguments.config_file
        config = load(self._environment, config_file=Path(file) if file else None)
        self._config = config
        self._transcript.retry_after_cap_s = config.policy.breaker.retry_after_cap_s
        check_urls(request, arguments.asking, config)
        for notice in (*config.notices, *unknown_tags(request, config)):
            self._note(notice)
        self._keeping = Keeping.of(config, self._environment, arguments.speaking)
        self._asked = self._keeping.settled(request)
        request = self._keeping.continued(self._asked)
        app: App | None = None
        try:
            with opened(config, tap=self._tap(), with_cache=arguments.cache) as app:
                if arguments.cache and app.cached is None:
                    self._note("--cache: nothing is kept here ([state] path, LLMR_LOG)")
                return asyncio.run(self._ask(app, request, delivery))
        finally:  # after the flush, and however the request ended
            if app is not None:
                self._tell_notices(app)

    def _keep(self, outcome: str) -> list[str]:
        """Keep what was asked and what came, whole or not, before the JSON names the conversation; what to say of that."""
        if self._kept or self._keeping is None or self._asked is None or self._transcript.request_id is None:
            return []
        self._kept = True  # a disk that is full, a reader that goes away after it: still one turn
        turns = turns_of(self._asked, self._transcript, outcome, self._redact, self._began_at)
        notes = list(self._keeping.keep(*turns, loud=self._loud(0)))
        self._transcript.conversation_id = self._keeping.conversation_id
        if turns[-1].outcome == NOT_ACCEPTED and self._transcript.conversation_id is not None:
            every = " --all" if len(turns) > 1 else ""
            notes.append(f"what was answered is in `llmr log show {self._transcript.conversation_id}{every}`")
        return notes

    async def _demo(self, request: ChatRequest, delivery: Delivery) -> int:
        """Ask the lab's three demo providers, served by this very process, over state that is gone with it."""
        from llmr.lab.demo import demo_config, demo_lab

        lab = demo_lab(random.Random())  # noqa: S311 - which demo provider fails is no secret
        async with lab.serving():
            with opened(demo_config(lab), remember=False, tap=self._tap()) as app:
                return await self._ask(app, replace(request, model=request.model or "demo"), delivery)

    async def _ask(self, app: App, request: ChatRequest, delivery: Delivery) -> int:
        """One request under signal handlers. Raises LlmrError."""
        self._redact = app.redact
        if self._everyone:
            return await self._compare(app, request)
        delivery.start()
        asking = asyncio.get_running_loop().create_task(self._stream(app, request, delivery))
        with Signals(asking) as signals, undisturbed(delivery.moved):  # until all is told and kept
            try:
                await asking
                return int(self._finish(delivery))
            except asyncio.CancelledError:
                if signals.code is None:
                    raise
                return self._interrupted(signals.code, delivery)
            except NoProviderReady:  # nothing to keep, and what helps looks around with a loop of its own
                raise
            except OutputError as error:
                return self.ended(error) if signals.code is None else self._left(signals.code, error)
            except LlmrError as error:
                return self.ended(error)

    async def _stream(self, app: App, request: ChatRequest, delivery: Delivery) -> None:
        narrator = Narrator(self._transcript, self._say, self._arguments.loudness)
        async with app.transport:
            await carry(app, request, self._transcript, delivery, narrator, spinning=self._spinning())

    def _spinning(self) -> bool:
        return spinner_wanted(dumb=self._environment.dumb_terminal) and self._loud(0)

    def _tap(self) -> Callable[[Transport], Transport] | None:
        """What tells of the wire, where that is wished."""
        if not self._arguments.debug:
            return None
        from llmr.cli.wire_tap import WireTap

        return lambda transport: WireTap(transport, lambda line: say_as_it_is(f"  {line}", self._redact), self._masked)

    def _contenders(self, request: ChatRequest) -> "list[Contender]":
        """Who is asked beside each other; nobody, where one answer is wanted. Raises UsageError."""
        said = self._arguments
        if said.compare is None and said.times is None:
            return []
        from llmr.cli.compare import refuse_with_several
        from llmr.cli.contender import contenders

        refuse_with_several(said.output)
        return contenders(request, said.compare, said.times)

    async def _compare(self, app: App, request: ChatRequest) -> int:
        from llmr.cli.compare import Comparison

        said = self._arguments
        comparison = Comparison(
            self._everyone, said.output, self._environment, self._keeping, said.loudness, live=self._spinning()
        )
        return int(await comparison.run(app, request, self._asked, self._note))

    def _finish(self, delivery: Delivery) -> ExitCode:
        """A whole answer came, or all that a content policy let through."""
        response = self._transcript.response
        refused = refusal_note(response)
        notes = self._keep(refused.kind if refused else OK)
        for line in (*delivery.whole(self._redact, refused), *notes):
            self._note(line)
        self._tell_receipt()
        self._note(ending_line(response))
        return ExitCode.CONTENT_FILTER if refused else ExitCode.OK

    def _interrupted(self, code: ExitCode, delivery: Delivery) -> int:
        """The user ended it: what came stays."""
        self._transcript.cancelled()
        self._transcript.total_s = self._clock.monotonic() - self._began_s
        notes = self._keep(CANCELLED)
        if code is ExitCode.INTERRUPTED:
            with suppress(OutputError):  # what follows will tell
                delivery.disturbed()
        if self._cut_short(ErrorNote(ErrorKind.CANCELLED.value, "interrupted", int(code))) is None:
            for line in notes:
                self._note(line)
            self._tell_receipt()
        return int(code)

    def ended(self, error: LlmrError) -> int:
        """The request failed, or the reader of stdout went away; what came until then is kept. The exit code."""
        return self._left(error.code, error) if isinstance(error, ClosedPipe) else self._failed(error)

    def _left(self, code: ExitCode, why: OutputError) -> int:
        """The reader of stdout, or the person, went away: nothing more is written to it."""
        self._transcript.cancelled()
        self._keep(CANCELLED)
        if not isinstance(why, ClosedPipe):
            self._note(f"{why}{self._where_it_is()}")
        return int(code)

    def _failed(self, error: LlmrError) -> int:
        """Tell it on stderr, and in the JSON where that was asked for."""
        code = exit_code_of(error)
        self._transcript.total_s = self._clock.monotonic() - self._began_s
        if isinstance(error, StreamInterrupted):
            self._transcript.broke(error)
        else:
            self._transcript.cancelled()
        notes = self._keep(note_of(error).kind)
        if isinstance(error, OutputError):
            error = OutputError(f"{error}{self._where_it_is()}")
        elif (ended := self._cut_short(note_of(error))) is not None:
            return int(ended)
        for line in notes:
            self._note(line)
        if self._loud(-1):
            for line in failure_lines(error):
                self._say(line)
            if isinstance(error, NoProviderReady):
                self._help_on_first_run(error)
        self._tell_receipt()
        return int(code)

    def _cut_short(self, told: ErrorNote) -> ExitCode | None:
        """Deliver what there is of an answer that is not whole; the code to leave with at once, None: there is more to say."""
        try:
            for line in self._delivery.cut_short(told, self._redact) if self._delivery is not None else ():
                self._note(line)
        except ClosedPipe as gone:
            return gone.code
        except LlmrError as second:  # the output is broken too: that is what the person must mend first
            self._note(str(second))
        return None

    def _where_it_is(self) -> str:
        """Where an answer is that could not be written."""
        if self._transcript.conversation_id is None or not self._transcript.response.text:
            return ""
        what = "the answer" if self._transcript.finished is not None else "what came of it"
        return f"; {what} is in `llmr log show {self._transcript.conversation_id}`"

    def _help_on_first_run(self, error: NoProviderReady) -> None:
        from llmr.cli.first_run import first_run_lines

        if self._config is not None:
            for line in first_run_lines(error, self._config):
                self._say(line)

    def _tell_receipt(self) -> None:
        if self._loud(1):
            for line in receipt_lines(self._transcript):
                self._say(line)

    def _tell_notices(self, app: App) -> None:
        """What the state store has to say, once."""
        for notice in app.notices:
            self._note(notice)

    def _note(self, line: str | None) -> None:
        """Say it, unless there is nothing to say or nobody wants to hear it."""
        if line is not None and self._loud(0):
            self._say(line)

    def _say(self, line: str) -> None:
        say(line if line.startswith("  ") else f"llmr: {line}", self._redact)

    def _masked(self, text: str) -> str:
        """Without the keys that are known by now."""
        return self._redact(text)

    def _loud(self, least: int) -> bool:
        return self._arguments.loudness >= least
