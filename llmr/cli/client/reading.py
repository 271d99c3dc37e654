"""Lines from the person: with prompt-toolkit where the terminal can be edited on, with input() where it cannot.

What is typed is remembered in a file of its own (0600), for Ctrl-R and the arrows of the next time, keys in it masked (T8);
where conversations are not kept, nothing is added to it. `llmr log purge --all` removes it.
"""

import asyncio
import sys
from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol, final

from llmr.app import App
from llmr.catalog import Catalog, Strategy
from llmr.cli.client.commands import COMMANDS, Verb
from llmr.cli.editor import edited
from llmr.cli.exit_codes import ExitCode
from llmr.cli.quiet_terminal import Change, QuietTerminal, held_for_the_prompt, unechoed
from llmr.cli.signals import ending
from llmr.config.environment import Environment
from llmr.errors import LlmrError, StateError
from llmr.render.neutralize import neutralize
from llmr.secret import Redactor
from llmr.state.files import PrivateDirectory

if TYPE_CHECKING:
    from prompt_toolkit.completion import CompleteEvent, Completion
    from prompt_toolkit.document import Document
    from prompt_toolkit.history import History
    from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent

PROMPT: Final = "> "
HISTORY_FILE: Final = "prompts"
_FILES: Final = (Verb.ATTACH, Verb.SAVE)


class Ended(Exception):
    """A signal ends the client while it waits for a line."""

    def __init__(self, code: ExitCode) -> None:
        super().__init__(code)
        self.code = code


class Reader(Protocol):
    """Somebody who types."""

    @property
    def ahead(self) -> Change:
        """How the terminal has to be, so that what is typed between two lines waits for the next."""
        ...

    def read(self, default: str, quiet: QuietTerminal, /) -> str | None:
        """The next line, `default` to begin with; "" where it was taken back, None: no more comes. Raises Ended."""
        ...


@final
class PlainReader:
    """input(): one line, no editing but the terminal's own."""

    @property
    def ahead(self) -> Change:
        return unechoed

    def read(self, default: str, quiet: QuietTerminal, /) -> str | None:
        try:
            with quiet.lifted():
                said = input(f"{PROMPT}[{neutralize(default)}] " if default else PROMPT)
        except EOFError:
            sys.stdout.write("\n")
            return None
        except KeyboardInterrupt:
            sys.stdout.write("\n")
            return ""
        return said or default


@final
class EditingReader:
    """prompt-toolkit, on the main screen. `history` remembers; `bottom` gives the line at the bottom, as of now."""

    def __init__(
        self, environment: Environment, catalog: Catalog, history: "History", bottom: Callable[[], str]
    ) -> None:
        from prompt_toolkit import PromptSession

        self._session: PromptSession[str] = PromptSession(
            multiline=True,
            prompt_continuation="  ",
            history=history,
            completer=_completer(catalog),
            complete_while_typing=False,
            key_bindings=_bindings(environment, catalog.key_variables),
            bottom_toolbar=lambda: [("noreverse", neutralize(bottom()))],
            erase_when_done=False,
            enable_suspend=True,
        )

    @property
    def ahead(self) -> Change:
        return held_for_the_prompt

    def read(self, default: str, _quiet: QuietTerminal, /) -> str | None:
        """On top of a quiet terminal, so that between the two no moment is left in which Enter is something else."""
        try:
            return asyncio.run(self._read(default))
        except EOFError:
            return None
        except KeyboardInterrupt:
            return ""

    async def _read(self, default: str) -> str:
        app = self._session.app
        with ending(lambda code: app.exit(exception=Ended(code))):  # else the terminal would be left as we edit on it
            return await self._session.prompt_async([("bold", PROMPT)], default=default)


def reader_for(
    environment: Environment, app: App, history_file: Path | None, bottom: Callable[[], str], *, remembers: bool
) -> Reader:
    """The reader that this terminal allows. `remembers`: what is typed is added to the file."""
    if environment.dumb_terminal:
        return PlainReader()
    try:
        history = _history(history_file, app.redact, remembers=remembers)
        return EditingReader(environment, app.config.catalog, history, bottom)
    except ImportError:  # installed without it
        return PlainReader()


def words_for(before: str, catalog: Catalog) -> Iterator[str]:
    """What may stand where the last word of `before` begins: commands, then what a command takes."""
    if not before.startswith("/") or before.startswith("//") or "\n" in before:
        return
    word, blank, argument = before[1:].partition(" ")
    if not blank:
        yield from (f"/{verb}" for verb in COMMANDS if verb.value.startswith(word))
        return
    choices: Iterable[str] = ()
    match word:
        case Verb.MODEL.value:
            choices = (*catalog.names, *catalog.models)
        case Verb.PROVIDER.value:
            choices = (name for name, provider in catalog.providers.items() if provider.off_reason is None)
        case Verb.STRATEGY.value:
            choices = (strategy.value for strategy in Strategy)
        case _:
            pass
    yield from (choice for choice in choices if choice.startswith(argument))


def _completer(catalog: Catalog) -> Any:
    from prompt_toolkit.completion import Completer, Completion, PathCompleter
    from prompt_toolkit.document import Document

    paths = PathCompleter(expanduser=True)

    class Words(Completer):
        def get_completions(self, document: "Document", complete_event: "CompleteEvent") -> "Iterator[Completion]":
            before = document.text_before_cursor
            word, blank, argument = before[1:].partition(" ")
            if before.startswith("/") and blank and word in _FILES:
                yield from paths.get_completions(Document(argument, len(argument)), complete_event)
                return
            last = before[max(before.rfind(" "), before.rfind("\n")) + 1 :]
            if last.startswith("@") and not before.startswith("/"):
                yield from paths.get_completions(Document(last[1:], len(last) - 1), complete_event)
                return
            typed = argument if blank else before
            for choice in words_for(before, catalog):
                yield Completion(choice, start_position=-len(typed))

    return Words()


def _bindings(environment: Environment, secret: Collection[str]) -> "KeyBindings":
    from prompt_toolkit.application import run_in_terminal
    from prompt_toolkit.filters import is_searching
    from prompt_toolkit.key_binding import KeyBindings
    from prompt_toolkit.search import accept_search

    keys = KeyBindings()

    def take(event: "KeyPressEvent") -> None:
        accept_search()
        found = event.app.current_buffer
        found.cursor_position = len(found.text)

    def send(event: "KeyPressEvent") -> None:
        event.current_buffer.validate_and_handle()

    def new_line(event: "KeyPressEvent") -> None:
        event.current_buffer.insert_text("\n")

    def editor(event: "KeyPressEvent") -> None:
        buffer = event.current_buffer

        def edit() -> None:
            try:
                buffer.text = edited(buffer.text, environment, secret, suffix=".md")
                buffer.cursor_position = len(buffer.text)
            except LlmrError as error:
                sys.stderr.write(f"llmr: {neutralize(str(error))}\n")

        run_in_terminal(edit)

    typing = ~is_searching  # in the search of Ctrl-R these take what was found into the line; Enter again sends it
    keys.add("enter", filter=typing)(send)
    keys.add("escape", "enter", filter=typing)(new_line)
    keys.add("c-j", filter=typing)(new_line)
    keys.add("c-x", "c-e", filter=typing)(editor)
    for key in ("enter", "c-j", "tab", "right"):
        keys.add(key, filter=is_searching)(take)
    return keys


def _history(path: Path | None, redact: Redactor, *, remembers: bool) -> "History":
    from prompt_toolkit.history import FileHistory, InMemoryHistory

    class Masked(FileHistory):
        def store_string(self, string: str) -> None:
            if remembers:
                super().store_string(redact(string))

    usable = path is not None and (remembers or path.is_file()) and is_private(path)
    return Masked(str(path)) if usable else InMemoryHistory()


def is_private(path: Path) -> bool:
    """Whether the file is there, mine and 0600 now; made where it is missing."""
    try:
        with PrivateDirectory(path.parent) as directory:
            directory.own()  # two clients may begin at once
            if directory.look(path.name) is None:
                directory.create(path.name)
    except StateError:
        return False
    return True
