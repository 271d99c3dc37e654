"""What was typed → what is to be done. A line that begins with `/` is a command, with `!` a shell command, else a prompt.

A prompt that begins with one of them is written with two: `//usr/bin holds…`, `!!important`. What is no command is never
sent: a typo must not reach a model as prose.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from llmr.config.wording import suggestion
from llmr.dataclass import dataclass


class Verb(StrEnum):
    """The commands."""

    MODEL = "model"
    PROVIDER = "provider"
    STRATEGY = "strategy"
    SYSTEM = "system"
    ATTACH = "attach"
    RETRY = "retry"
    EDIT = "edit"
    WHY = "why"
    STATUS = "status"
    COST = "cost"
    COPY = "copy"
    SAVE = "save"
    NEW = "new"
    HELP = "help"
    QUIT = "quit"


@dataclass(frozen=True, slots=True)
class _Grammar:
    """`argument` as help has it, "": none; `needed`: it must be there."""

    argument: str
    help: str
    needed: bool = False


COMMANDS: Final[Mapping[Verb, _Grammar]] = MappingProxyType(
    {
        Verb.MODEL: _Grammar("[NAME]", "ask this model from now on; alone: the default again"),
        Verb.PROVIDER: _Grammar("[NAME]", "ask only this provider; alone: any"),
        Verb.STRATEGY: _Grammar("[NAME]", "rank by this; alone: as configured"),
        Verb.SYSTEM: _Grammar("[TEXT]", "instructions to the model from now on; alone: show them"),
        Verb.ATTACH: _Grammar("FILE", "send a file along with the next prompt", needed=True),
        Verb.RETRY: _Grammar("", "ask the last prompt again, of the next candidate"),
        Verb.EDIT: _Grammar("", "take the last prompt up again; the old answer stays, on its branch"),
        Verb.WHY: _Grammar("", "the decision behind the last answer"),
        Verb.STATUS: _Grammar("", "how the providers are"),
        Verb.COST: _Grammar("", "tokens and money of this conversation"),
        Verb.COPY: _Grammar("", "the last answer to the terminal's clipboard"),
        Verb.SAVE: _Grammar("FILE", "the conversation as Markdown into a file", needed=True),
        Verb.NEW: _Grammar("", "begin a new conversation"),
        Verb.HELP: _Grammar("", "this"),
        Verb.QUIT: _Grammar("", "leave; so do exit and Ctrl-D"),
    }
)

KEYS: Final = (
    ("Enter", "send"),
    ("Alt-Enter, Ctrl-J", "a new line"),
    ("Ctrl-C", "stop the answer, or clear the line"),
    ("Ctrl-R", "search what was typed; Enter takes it into the line"),
    ("@FILE", "in a prompt: send that file along; Tab completes it"),
    ("Ctrl-X Ctrl-E", "the editor"),
    ("!COMMAND", "run a shell command; its output goes along with the next prompt"),
    ("// and !!", "a prompt that begins with / or !"),
)


@dataclass(frozen=True, slots=True)
class Ask:
    """Send this."""

    text: str


@dataclass(frozen=True, slots=True)
class Do:
    """A command with what stands behind it."""

    verb: Verb
    argument: str = ""


@dataclass(frozen=True, slots=True)
class Shell:
    """Run this and attach its output."""

    command: str


@dataclass(frozen=True, slots=True)
class Nothing:
    """Nothing to do; `why` is to be said, "": nothing."""

    why: str = ""


_LEAVING: Final = ("exit", "quit")  # as a whole line, for hands that learnt it elsewhere; no question to a model

Action = Ask | Do | Shell | Nothing


def parse(line: str) -> Action:
    """The action that a typed line means."""
    text = line.strip()
    if not text:
        return Nothing()
    if text in _LEAVING:
        return Do(Verb.QUIT)
    if text.startswith(("//", "!!")):
        return Ask(text[1:])
    if text.startswith("!"):
        command = text[1:].strip()
        return Shell(command) if command else Nothing("! and a command: it is run, and its output goes along")
    return _command(text[1:]) if text.startswith("/") else Ask(line.strip("\n"))


def line_of(prompt: str) -> str:
    """The line that means this prompt: `parse`, the other way round."""
    return f"{prompt[0]}{prompt}" if prompt.startswith(("/", "!")) else prompt


def _command(text: str) -> Action:
    word, _, argument = text.partition(" ")
    argument = argument.strip()
    names = [verb.value for verb in Verb]
    if word not in names:
        known = [f"/{name}" for name in names]
        return Nothing(
            f"no command /{word[:40]}{suggestion(f'/{word}', known)} (a prompt that begins with / takes two)"
        )
    verb = Verb(word)
    grammar = COMMANDS[verb]
    if grammar.needed and not argument:
        return Nothing(f"/{verb} {grammar.argument}: {grammar.help}")
    if argument and not grammar.argument:
        return Nothing(f"/{verb} takes nothing behind it")
    return Do(verb, argument)


def help_lines() -> list[str]:
    """What can be done."""
    rows = [(f"/{verb} {grammar.argument}".rstrip(), grammar.help) for verb, grammar in COMMANDS.items()]
    rows += KEYS
    width = max(len(name) for name, _ in rows)
    return [f"  {name.ljust(width)}  {what}" for name, what in rows]
