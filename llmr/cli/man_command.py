"""`llmr man`: its arguments."""

import typer

from llmr.cli.command import command_app

app = command_app()


@app.command()
def man() -> None:
    """Print the manual page, as roff: llmr man | man -l -"""
    from llmr.cli.man import run_man

    raise typer.Exit(run_man())
