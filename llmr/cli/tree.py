"""The command tree as values: what completion scripts and the man page are made of.

It is read off the commands themselves, all of them imported, so what is generated cannot say anything else than what
`--help` says. What may stand behind an option is a table here, because the parser knows only that it is a string.
"""

from collections.abc import Iterator, Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final

from llmr.dataclass import dataclass

PROGRAM: Final = "llmr"


class Values(StrEnum):
    """What can be completed: names from the cache file, files, or nothing that could be known."""

    NOTHING = "nothing"
    MODELS = "models"
    PROVIDERS = "providers"
    FILES = "files"
    TEMPLATES = "templates"
    CONVERSATIONS = "conversations"
    REQUESTS = "requests"
    WORDS = "words"


@dataclass(frozen=True, slots=True)
class Option:
    """`names` as typed, longest first. `takes_value` False: a switch. `words` may stand behind it: all that may, or, with
    `values` of another sort, what may besides."""

    names: tuple[str, ...]
    help: str
    takes_value: bool
    value_name: str = ""
    values: Values = Values.NOTHING
    words: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Argument:
    """A word that stands by itself. `shown` as the usage line has it: `[PROMPT…]`."""

    shown: str
    help: str
    values: Values = Values.NOTHING
    words: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Node:
    """A command. `path` begins with the program's name."""

    path: tuple[str, ...]
    help: str
    options: tuple[Option, ...]
    arguments: tuple[Argument, ...]
    children: tuple["Node", ...] = ()

    @property
    def name(self) -> str:
        """The last word of its path."""
        return self.path[-1]

    def walk(self) -> Iterator["Node"]:
        """Itself and all below it, parents first."""
        yield self
        for child in self.children:
            yield from child.walk()


_VALUES_OF: Final[Mapping[str, Values]] = MappingProxyType(
    {
        "--model": Values.MODELS,
        "--compare": Values.MODELS,
        "--provider": Values.PROVIDERS,
        "--config": Values.FILES,
        "--env-file": Values.FILES,
        "--attach": Values.FILES,
        "--out": Values.FILES,
        "--template": Values.TEMPLATES,
        "--schema": Values.FILES,
        "--html": Values.FILES,
        "--world": Values.FILES,
        "--litellm": Values.FILES,
        "--prompt-file": Values.FILES,
        "PROVIDER": Values.PROVIDERS,
        "NAME of providers": Values.PROVIDERS,
        "NAME of templates": Values.TEMPLATES,
        "PATTERN of models": Values.MODELS,
        "FILE of config": Values.FILES,
        "ID of log": Values.CONVERSATIONS,
        "--conversation": Values.CONVERSATIONS,
        "ID|LAST": Values.REQUESTS,
    }
)
"""Long option, or argument (with the command group that it belongs to, where its name says too little) → values."""


def command_tree() -> Node:
    """The whole tree. Imports every command's arguments, and nothing that they do."""
    from typer.main import get_command

    from llmr.cli import app

    return _node(get_command(app), (PROGRAM,))


def _node(command: Any, path: tuple[str, ...]) -> Node:
    children: tuple[Node, ...] = ()
    if hasattr(command, "list_commands"):
        context = command.make_context(path[-1], [], resilient_parsing=True)
        names = command.list_commands(context)
        children = tuple(
            _node(found, (*path, name))
            for name in names
            if (found := command.get_command(context, name)) is not None and not found.hidden
        )
    visible = [parameter for parameter in command.params if not getattr(parameter, "hidden", False)]
    return Node(
        path,
        _one_line(command.help or ""),
        tuple(_option(p) for p in visible if p.param_type_name == "option"),
        tuple(_argument(p, path) for p in visible if p.param_type_name == "argument"),
        children,
    )


def _option(parameter: Any) -> Option:
    names = tuple(sorted((*parameter.opts, *parameter.secondary_opts), key=len, reverse=True))
    takes_value = not (parameter.is_flag or parameter.count)
    words = _words(names[0])
    values = _VALUES_OF.get(names[0]) or (Values.WORDS if words else Values.NOTHING)
    return Option(
        names,
        _one_line(parameter.help or ""),
        takes_value,
        value_name=_value_name(parameter) if takes_value else "",
        values=values if takes_value else Values.NOTHING,
        words=words if takes_value else (),
    )


def _argument(parameter: Any, path: tuple[str, ...]) -> Argument:
    name = (parameter.metavar or parameter.name).rstrip(".").strip("[]").upper().replace("-", "_")
    words = _words(name)
    values = _VALUES_OF.get(name) or _VALUES_OF.get(f"{name} of {path[1]}") or Values.NOTHING
    shown = f"{name}…" if parameter.nargs == -1 else name
    return Argument(
        shown if parameter.required else f"[{shown}]",
        _one_line(parameter.help or ""),
        Values.WORDS if words else values,
        words,
    )


def _words(name: str) -> tuple[str, ...]:
    """The closed sets, from where they are defined."""
    match name:
        case "--strategy":
            from llmr.catalog import Strategy

            return tuple(strategy.value for strategy in Strategy)
        case "--on-break":
            from llmr.routing.policy import OnBreak

            return tuple(choice.value for choice in OnBreak)
        case "--color" | "--safe-output":
            return ("auto", "always", "never")
        case "--by":
            from llmr.render.summary import By

            return tuple(by.value for by in By)
        case "--world":
            from llmr.simulation.worlds import WORLDS

            return tuple(WORLDS)
        case "LLM":  # whose keys can be imported
            return ("llm",)
        case "TOPIC":
            from llmr.cli.help_topics import TOPICS

            return tuple(TOPICS)
        case "SHELL":
            from llmr.cli.completion_command import SHELLS

            return SHELLS
        case _:
            return ()


def _value_name(parameter: Any) -> str:
    return str(parameter.metavar or parameter.name.split("_")[-1]).upper()


def _one_line(text: str) -> str:
    return " ".join(text.split())
