"""`llmr help TOPIC`: what scripts rely on, printed from the code that does it."""

from typing import Annotated

import typer

from llmr.cli.command import command_app

app = command_app()


@app.command()
def help_(
    topic: Annotated[str, typer.Argument(help="exit-codes, json, env or worlds, or a command; default: a list.")] = "",
) -> None:
    """Explain exit codes, the JSON output, the environment variables and the worlds of `llmr simulate`, or a command."""
    from llmr.cli import COMMANDS, run

    if topic in COMMANDS:
        raise typer.Exit(run([topic, "--help"]))
    from llmr.cli.topics import run_help

    raise typer.Exit(run_help(topic))
