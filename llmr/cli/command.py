"""How a command is declared: what is typed behind it, as one frozen value.

    app = command_app()

    @dataclass(frozen=True, slots=True)      @app.command()
    class ChatOptions:                       @takes(ChatOptions)
        model: Model = None                  def chat(options: ChatOptions) -> int:
        tag: Tags = ()                           …

typer reads a function's parameters, so `takes` gives it a function that has one for each field, in their order, and makes the
value of what typer hands to it. What the value *means* is said behind a late import (arguments.py): `--help` loads this module
and the one of the command.
"""

from collections.abc import Callable
from dataclasses import MISSING, Field, fields
from inspect import Parameter, Signature
from typing import Annotated, Any, Final, TypeVar, get_args

import typer
from typer.core import TyperGroup

T = TypeVar("T")

_SEVERAL: Final = tuple[str, ...]
_HELP: Final = frozenset({"--help", "-h"})


class ListsByDefault(TyperGroup):
    """`llmr log fox` is `llmr log list fox`; what a command is called like is found with `list purge`."""

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:  # type: ignore[override]  # pyright: ignore[reportIncompatibleMethodOverride] - typer's context is click's
        """The arguments, with the command that was meant."""
        named = bool(args) and args[0] in self.commands.keys() | _HELP
        return super().parse_args(ctx, args if named else ["list", *args])


def command_app(says: str | None = None, *, lists: bool = False) -> typer.Typer:
    """A command's own parser: plain text, and its failures left to llmr. `says` is of one with commands below it; it `lists`
    where none is named, or shows its help."""
    return typer.Typer(
        cls=ListsByDefault if lists else None,
        help=says,
        no_args_is_help=says is not None and not lists,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        add_completion=False,
    )


def takes(options: type[T]) -> Callable[[Callable[[T], int]], Callable[..., None]]:
    """For a function from `options`, a frozen value whose fields are all declared as above, to an exit code."""

    declared: tuple[Field[Any], ...] = fields(options)  # type: ignore[arg-type]  # it is such a class
    repeated = {field.name for field in declared if get_args(field.type)[0] == _SEVERAL}

    def command_of(run: Callable[[T], int]) -> Callable[..., None]:
        def command(**typed: Any) -> None:
            given = {name: value for name, value in typed.items() if value is not None}  # for the rest the field speaks
            for name in given.keys() & repeated:
                given[name] = tuple(given[name])
            raise typer.Exit(run(options(**given)))

        command.__name__, command.__doc__, command.__module__ = run.__name__, run.__doc__, run.__module__
        command.__annotations__ = {}
        command.__signature__ = Signature([_parameter(field) for field in declared])  # type: ignore[attr-defined]
        return command

    return command_of


def _parameter(field: Field[Any]) -> Parameter:
    """typer knows what may be repeated as a list."""
    kind, declared = get_args(field.type)
    default = Parameter.empty if field.default is MISSING else field.default
    if kind == _SEVERAL:
        kind, default = list[str] | None, None
    return Parameter(field.name, Parameter.KEYWORD_ONLY, default=default, annotation=Annotated[kind, declared])
