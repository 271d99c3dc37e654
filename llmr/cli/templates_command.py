"""`llmr templates`: arguments of its commands."""

from typing import Annotated

import typer

from llmr.cli.command import command_app
from llmr.cli.options import Json

app = command_app(
    "Your own ways of asking, for `llmr chat -t NAME`: TOML files with a prompt, a system prompt, a model and $places."
)

Name = Annotated[str, typer.Argument(help="Letters, digits, `.`, `_` and `-`.")]


@app.command(name="list")
def list_(as_json: Json = False) -> None:
    """The templates there are, with their places."""
    from llmr.cli.templates import run_list

    raise typer.Exit(run_list(as_json=as_json))


@app.command()
def show(name: Name) -> None:
    """One template, as its file has it."""
    from llmr.cli.templates import run_show

    raise typer.Exit(run_show(name))


@app.command()
def save(
    name: Name,
    prompt: Annotated[
        str | None, typer.Argument(help="Its prompt; $name is a place, $input what is typed and piped.")
    ] = None,
    system: Annotated[str | None, typer.Option("--system", "-s", metavar="TEXT", help="Its system prompt.")] = None,
    model: Annotated[str | None, typer.Option("--model", "-m", metavar="MODEL", help="Its model.")] = None,
    temperature: Annotated[
        float | None, typer.Option(metavar="NUMBER", help="The provider's own scale.", min=0.0)
    ] = None,
    max_tokens: Annotated[int | None, typer.Option(metavar="N", help="The longest answer, in tokens.", min=1)] = None,
    default: Annotated[
        list[str] | None,
        typer.Option("--default", "-P", metavar="NAME=VALUE", help="What a place holds if nobody says."),
    ] = None,
    conversation: Annotated[
        str | None,
        typer.Option("--from-conversation", metavar="ID", help="Take the first prompt, system and model of this one."),
    ] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Write over one of that name.")] = False,
    config: Annotated[str | None, typer.Option(metavar="FILE", help="As chat --config.")] = None,
) -> None:
    """Make a template, of what is said here or of a conversation."""
    from llmr.cli.templates import Wanted, run_save

    wanted = Wanted(prompt, system, model, temperature, max_tokens, tuple(default or ()))
    raise typer.Exit(run_save(name, wanted, conversation=conversation, replace=replace, config_file=config))


@app.command()
def edit(name: Name) -> None:
    """Open a template in your editor; it is made if it is not there, and checked when you leave."""
    from llmr.cli.templates import run_edit

    raise typer.Exit(run_edit(name))


@app.command()
def rm(name: Name) -> None:
    """Remove a template."""
    from llmr.cli.templates import run_rm

    raise typer.Exit(run_rm(name))
