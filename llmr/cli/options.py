"""What is typed behind a command, as one frozen value: a field per option, and options of several commands declared once.

    class ChatOptions          @app.command()
        model: Model = None    @takes(ChatOptions)
        tag: Tags = ()         def chat(options: ChatOptions) -> int: …

typer reads a function's parameters, so `takes` gives it a function that has one for each field, in their order, and makes the
value of what typer hands to it. What the value *means* is the business of arguments.py, behind a late import: this module and
the ones with commands are loaded by `--help`.
"""

from collections.abc import Callable
from dataclasses import MISSING, Field, fields
from inspect import Parameter, Signature
from typing import Annotated, Any, Final, TypeVar, get_args

import typer

T = TypeVar("T")

_SEVERAL: Final = tuple[str, ...]

Model = Annotated[
    str | None, typer.Option("--model", "-m", metavar="MODEL", help="A name from routing.toml, or provider/model-id.")
]
System = Annotated[str | None, typer.Option("--system", "-s", metavar="TEXT", help="Instructions to the model.")]
Attach = Annotated[
    tuple[str, ...],
    typer.Option("--attach", "-a", metavar="FILE", help="Send a file along: image, PDF, sound, text; `-`: stdin."),
]
PromptFile = Annotated[str | None, typer.Option(metavar="FILE", help="Read the prompt from a file.")]
Template = Annotated[
    str | None, typer.Option("--template", "-t", metavar="NAME", help="Ask as a template of yours says.")
]
Parameters = Annotated[
    tuple[str, ...], typer.Option("--parameter", "-P", metavar="NAME=VALUE", help="Fill a place of the template.")
]
MaxTokens = Annotated[int | None, typer.Option(metavar="N", min=1, help="The longest answer, in tokens.")]
Tags = Annotated[
    tuple[str, ...], typer.Option(metavar="TAG", help="A tag for rules to match, plain or key=value; may be repeated.")
]
ConfigFile = Annotated[
    str | None, typer.Option(metavar="FILE", help="A routing.toml to use instead of yours; it is trusted.")
]


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
