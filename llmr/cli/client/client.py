"""The loop of the interactive client: read, do, say.

Reading is synchronous and asking is not, so one `asyncio.Runner` keeps the loop, and with it the connections, from turn to
turn. Everything but answers is said on stderr, where one-shot chat says it.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Final

from llmr.app import App, opened
from llmr.chat import ChatRequest, Message, Role, Text
from llmr.cli.client.commands import Action, Ask, Do, Nothing, Shell, Verb, line_of, parse
from llmr.cli.client.files import attachment, taken_up, with_files
from llmr.cli.client.giving import copied_answer, saved_as
from llmr.cli.client.reading import HISTORY_FILE, Ended, Reader, reader_for
from llmr.cli.client.reports import report_lines, unready_lines
from llmr.cli.client.session import Session, along_with
from llmr.cli.client.settings import with_setting
from llmr.cli.client.shell import shell_output
from llmr.cli.client.start import Wish
from llmr.cli.client.turns import Told, had_their_say, tell
from llmr.cli.client.views import bottom_line, where_it_stands
from llmr.cli.exit_codes import ExitCode
from llmr.cli.keeping import Keeping, turn_of
from llmr.cli.output import nothing, write_stdout
from llmr.cli.quiet_terminal import QuietTerminal
from llmr.cli.say import say, say_as_it_is
from llmr.config.build import Config
from llmr.config.environment import Environment
from llmr.errors import LlmrError, NoProviderReady, OutputError, RequestDenied, UsageError
from llmr.exchange import Transport
from llmr.render.figures import counted
from llmr.routing.selection import Barrier
from llmr.secret import Redactor

_STDIN: Final = 0
_ANYTHING: Final = (Message.text(Role.USER, "?"),)  # to plan by


def run_client(config: Config, environment: Environment, wish: Wish, keeping: Keeping) -> int:
    """Talk until the person leaves. The exit code. Raises OutputError, ClosedPipe."""
    redact = Redactor()

    def tap(transport: Transport) -> Transport:
        from llmr.cli.wire_tap import WireTap

        def masked(text: str) -> str:
            return redact(text)  # as it is by then: the app has its own

        return WireTap(transport, lambda line: say_as_it_is(f"  {line}", redact), masked)

    cached = wish.base.cache.use is True
    with opened(config, tap=tap if wish.debug else None, with_cache=cached) as app, asyncio.Runner() as runner:
        redact = app.redact
        if cached and app.cached is None and wish.loud:
            say("llmr: --cache: nothing is kept here ([state] path, LLMR_LOG)")
        runner.run(app.transport.__aenter__())
        try:
            return _Client(app, runner, environment, wish, keeping).talk()
        finally:
            runner.run(app.transport.__aexit__(None, None, None))
            for notice in app.registry.notices:
                say(f"llmr: {notice}", app.redact)


class _Client:
    """One session at one terminal."""

    def __init__(
        self, app: App, runner: asyncio.Runner, environment: Environment, wish: Wish, keeping: Keeping
    ) -> None:
        self._app = app
        self._runner = runner
        self._environment = environment
        self._wish = wish
        self._keeping = keeping
        model = wish.base.model or (keeping.line[-1].asked_model if keeping.line else "")
        self._session: Session = Session(
            keeping.line, model, wish.base.provider, wish.base.strategy, wish.system, aside=keeping.aside
        )
        self._told: Told | None = None
        self._begin_with: str = ""
        self._edited: Session | None = None  # where the next prompt goes on from, if it is sent: `/edit`
        self._open: tuple[str, ...] = ()
        self._reader: Reader = reader_for(environment, app, self._history_file(), self._bottom, remembers=keeping.saves)
        self._quiet = QuietTerminal(_STDIN, self._reader.ahead, nothing)

    def _history_file(self) -> Path | None:
        directory = self._environment.state_dir
        return directory / HISTORY_FILE if directory is not None else None

    def talk(self) -> int:
        """Read and do, until the end. Raises UsageError for a name on the command line that nobody knows."""
        if self._wish.base.model or self._wish.base.provider:
            with suppress(RequestDenied):  # a rule denies it as it is now; another prompt it may let through
                self._checked(self._session)
        if self._wish.loud:
            for line in unready_lines(self._app, self._session.request(self._wish.base, _ANYTHING)):
                self._say(line)
            for told in where_it_stands(self._session, self._keeping.conversation_id or "", self._keeping.title):
                self._say(told)
            self._say("Enter sends, Alt-Enter is a new line, /help tells the rest, Ctrl-D leaves.")
        with self._quiet:
            return self._take_turns()

    def _take_turns(self) -> int:
        """Read and do, on a terminal that holds what is typed meanwhile for the next reading."""
        while True:
            self._open = self._open_circuits()
            default, self._begin_with = self._begin_with, ""
            try:
                line = self._reader.read(default, self._quiet)
            except Ended as end:
                return int(end.code)
            if line is None:
                return int(ExitCode.OK)
            edited, self._edited = self._edited, None
            try:
                ended = self._do(parse(line), edited)
            except OutputError:  # the terminal has gone
                raise
            except LlmrError as error:  # of what was typed; the session goes on
                self._say(str(error))
                continue
            except KeyboardInterrupt:  # of a command that takes its time
                self._say("interrupted")
                continue
            if ended is not None:
                return int(ended)

    def _do(self, action: Action, edited: Session | None) -> ExitCode | None:
        """The code to leave with, None: go on. `edited`: where a prompt goes on from, None: where the session stands."""
        if edited is not None and not isinstance(action, Ask):
            self._say("nothing was edited: the conversation stands where it stood")
        match action:
            case Nothing():
                if action.why:
                    self._say(action.why)
            case Ask():
                return self._send(action.text, edited or self._session)
            case Shell():
                self._run(action.command)
            case Do(Verb.QUIT):
                return ExitCode.OK
            case Do(Verb.RETRY):
                return self._retry()
            case Do():  # pragma: no branch - an Action is one of these
                self._command(action.verb, action.argument)
        return None

    # Asking

    def _send(self, text: str, session: Session) -> ExitCode | None:
        """Ask what was typed, with the files that it names. What nobody was asked is given back, to mend what is wrong."""
        edited = session if session is not self._session else None
        try:
            asked, files = with_files(text)
        except UsageError:
            self._begin_with, self._edited = text, edited
            raise
        for part in files:
            self._say(f"{part.name} goes along")
        sent = replace(session.another_question(), attached=(*session.attached, *(part.part for part in files)))
        before = self._session.line
        ended = self._ask(sent, (sent.prompt(asked),))
        if self._session.line is before:
            self._begin_with, self._edited = text, edited
        return ended

    def _ask(self, session: Session, asked: tuple[Message, ...], candidate: str | None = None) -> ExitCode | None:
        """Ask; the session goes on from `session` where anybody was asked."""
        request = session.request(self._wish.base, asked, candidate)
        self._told = self._runner.run(
            tell(
                self._app,
                request,
                self._wish.output,
                self._environment,
                self._say,
                self._wish.loudness,
                self._quiet,
                lambda told: self._keep(told, session, request, asked),
            )
        )
        if isinstance(self._told.error, NoProviderReady):
            from llmr.cli.first_run import IN_THE_CLIENT, first_run_lines

            for line in first_run_lines(self._told.error, self._app.config, IN_THE_CLIENT):
                self._say(line)
        if self._told.transcript.request_id is None and self._told.ended_by is None:
            write_stdout(b"\n")
        return self._told.ended_by

    def _keep(self, told: Told, session: Session, request: ChatRequest, asked: tuple[Message, ...]) -> Sequence[str]:
        """Keep a turn and go on from it; what is to be said of that."""
        if told.transcript.request_id is None:  # nobody was asked
            return ()
        system = (Message.text(Role.SYSTEM, session.new_system),) if session.new_system is not None else ()
        kept = replace(request, messages=(*system, *asked), model=session.model)
        turn = turn_of(kept, told.transcript, told.outcome, self._app.redact, told.began_at)
        notes = tuple(self._keeping.keep(turn, loud=self._wish.loud, line=session.line))
        self._session = session.went_on(self._keeping.line[-1], had_their_say(told.transcript))
        return notes

    def _retry(self) -> ExitCode | None:
        """The last prompt, of the best candidate that has not been asked it yet; where all were, from the beginning."""
        last = self._session.last
        if last is None:
            raise UsageError("there is nothing to ask again")
        back = self._session.before_last()
        ranked = self._app.router.rank(back.request(self._wish.base, last.asked)).ranked
        candidate = next((one.candidate.key for one in ranked if one.candidate.key not in back.asked_of), None)
        if candidate is not None:
            self._say(f"asking {candidate}")
            return self._ask(back, last.asked, candidate)
        again = ranked[0].candidate.key if ranked and last.answer is not None else None
        self._say(f"every candidate has been asked this; asking {again or 'all of them'} again")
        return self._ask(back.another_question(), last.asked, again)

    def _run(self, command: str) -> None:
        """A shell command of the person's own; its output goes along with the next prompt."""
        try:
            with self._quiet.lifted():  # it may ask at the terminal, for a password, say
                output = shell_output(command, self._environment.for_programs(self._app.config.catalog.key_variables))
        except KeyboardInterrupt:
            write_stdout(b"\n")  # the terminal has echoed ^C
            self._say("interrupted: nothing is attached")
            return
        for line in output.lines[:10]:
            say(f"  {line}", self._app.redact)
        self._session = replace(self._session, attached=(*self._session.attached, Text(output.shown)))
        cut = " (its beginning: the rest was too long)" if output.cut else ""
        what = "what it printed, nothing," if not output.lines else counted(len(output.lines), "line")
        goes = "goes" if len(output.lines) < 2 else "go"
        self._say(f"{what} {goes} along with the next prompt{cut}")

    # Commands

    def _command(self, verb: Verb, argument: str) -> None:
        match verb:
            case Verb.MODEL | Verb.PROVIDER | Verb.STRATEGY | Verb.SYSTEM:
                self._set(verb, argument)
            case Verb.ATTACH:
                self._attach(argument)
            case Verb.EDIT:
                self._edit()
            case Verb.NEW:
                self._keeping.begin_anew()
                self._session, self._told = self._session.new(), None
                held = "; the instructions of before still hold (/system shows them)" if self._session.system else ""
                self._say(f"a new conversation{held}")
            case Verb.COPY:
                self._say(copied_answer(self._session, self._environment, self._app.config.catalog.key_variables))
            case Verb.SAVE:
                self._say(saved_as(argument, self._session, self._keeping.conversation_id or ""))
            case Verb.WHY | Verb.STATUS | Verb.COST | Verb.HELP | Verb.RETRY | Verb.QUIT:  # pragma: no branch
                for line in report_lines(verb, self._app, self._session, self._told):
                    say(line, self._app.redact)

    def _set(self, verb: Verb, argument: str) -> None:
        """What holds from now on. Raises UsageError for a name nobody knows."""
        session, words = with_setting(self._session, verb, argument)
        self._session = self._checked(session) if verb in (Verb.MODEL, Verb.PROVIDER) else session
        self._say(words)

    def _attach(self, name: str) -> None:
        allowed = self._app.config.sends_urls if self._wish.attach_urls is None else self._wish.attach_urls
        part = attachment(name, sends_urls=allowed)
        self._session = replace(self._session, attached=(*self._session.attached, part))
        self._say(f"{name} goes along with the next prompt")

    def _checked(self, session: Session) -> Session:
        """The session, if the next request of it can be planned. Raises UsageError for a name nobody knows."""
        self._app.router.rank(session.request(self._wish.base, _ANYTHING))
        return session

    def _edit(self) -> None:
        last = self._session.last
        if last is None:
            raise UsageError("there is nothing to edit")
        typed, along = taken_up(last.typed, along_with(last))
        self._edited = replace(self._session.before_last(), attached=(*along, *self._session.attached))
        self._begin_with = line_of(typed)

    def _bottom(self) -> str:
        return bottom_line(self._session, self._told, self._app.config.catalog.default_model, self._open)

    def _open_circuits(self) -> tuple[str, ...]:
        """Candidates of the next request that an open circuit keeps from being asked now."""
        try:
            asked = self._session.request(self._wish.base, _ANYTHING)
            rejected = self._app.router.rank(asked).rejected
        except LlmrError:  # a rule denies it, say; asking will tell
            return ()
        return tuple(one.candidate.key for one in rejected if one.barrier is Barrier.CIRCUIT)

    def _say(self, line: str) -> None:
        say(line if line.startswith("  ") else f"llmr: {line}", self._app.redact)
