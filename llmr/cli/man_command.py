"""`llmr man`: its arguments."""

import typer

app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False, add_completion=False)


@app.command()
def man() -> None:
    """Print the manual page, as roff: llmr man | man -l -"""
    from llmr.cli.man import run_man

    raise typer.Exit(run_man())
