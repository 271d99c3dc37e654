"""`llmr config`: arguments of its commands."""

from typing import Annotated

import typer

app = typer.Typer(
    help="See, check and trust configuration files.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
)


@app.command()
def path(config: Annotated[str | None, typer.Option(help="As chat --config.")] = None) -> None:
    """The files that speak, weakest first."""
    from llmr.cli.config import run_path

    raise typer.Exit(run_path(config))


@app.command()
def check(config: Annotated[str | None, typer.Option(help="As chat --config.")] = None) -> None:
    """Read everything, strictly; say what is wrong, where, and what to write instead."""
    from llmr.cli.config import run_check

    raise typer.Exit(run_check(config))


@app.command()
def trust(
    file: Annotated[str | None, typer.Argument(help="The project's routing.toml; default: the one here.")] = None,
) -> None:
    """Let a project's routing.toml speak as your own, until its content changes."""
    from llmr.cli.config import run_trust

    raise typer.Exit(run_trust(file))
