"""`llmr config`: arguments of its commands."""

from typing import Annotated

import typer

from llmr.cli.command import command_app
from llmr.cli.options import AsChatConfig, Json

app = command_app("Write, see, check and trust configuration files.")


@app.command()
def path(config: Annotated[str | None, typer.Option(help="As chat --config.")] = None) -> None:
    """The files that speak, weakest first."""
    from llmr.cli.config import run_path

    raise typer.Exit(run_path(config))


@app.command()
def check(
    file: Annotated[str | None, typer.Argument(help="This file alone; default: what is in force here.")] = None,
    as_json: Json = False,
    config: Annotated[str | None, typer.Option(metavar="FILE", help="As chat --config.")] = None,
) -> None:
    """Read everything, strictly; say all that is wrong, where, and what to write instead."""
    from llmr.cli.config_check import run_check

    raise typer.Exit(run_check(file, config_file=config, as_json=as_json))


@app.command()
def trust(
    file: Annotated[str | None, typer.Argument(help="The project's routing.toml; default: the one here.")] = None,
    look: Annotated[bool, typer.Option("--show", help="Only show what that would change; trust nothing.")] = False,
) -> None:
    """Let a project's routing.toml speak as your own, until its content changes. Says what that changes, before and after."""
    from llmr.cli.config_trust import run_trust

    raise typer.Exit(run_trust(file, look=look))


@app.command()
def show(
    prefix: Annotated[str, typer.Argument(help="Only what begins so: providers.openai, rules, timeouts …")] = "",
    origin: Annotated[
        bool, typer.Option("--origin", help="Who says it, and where: file and line, or variable.")
    ] = False,
    everything: Annotated[bool, typer.Option("--all", "-a", help="What llmr itself ships too.")] = False,
    as_json: Json = False,
    config: AsChatConfig = None,
) -> None:
    """The settings that are in force, all sources laid over each other. Header values and keys are masked."""
    from llmr.cli.config_show import run_show

    raise typer.Exit(run_show(prefix, origin=origin, everything=everything, as_json=as_json, config_file=config))


@app.command()
def init(
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there; it is kept beside it.")] = False,
) -> None:
    """Write a routing.toml of your own, commented. Asks a few questions on a terminal; in a pipe it takes the defaults."""
    from llmr.cli.config_init import run_init

    raise typer.Exit(run_init(force=force))


@app.command()
def edit() -> None:
    """Open your own routing.toml in your editor, and check it before it counts."""
    from llmr.cli.config_edit import run_edit

    raise typer.Exit(run_edit())


@app.command()
def schema() -> None:
    """The JSON Schema of routing.toml, for your editor's completion.

    llmr config schema > ~/.config/llmr/routing.schema.json, and `#:schema ./routing.schema.json` as routing.toml's first line.
    """
    from llmr.cli.config import run_schema

    raise typer.Exit(run_schema())
