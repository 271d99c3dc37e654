"""`llmr stats`: its arguments, and the one call."""

from pathlib import Path
from typing import Annotated

import typer

from llmr.cli.command import command_app
from llmr.cli.options import Json

app = command_app()


@app.command()
def stats(
    by: Annotated[str, typer.Option(metavar="WHAT", help="model, provider, day, or hour (of the day).")] = "model",
    since: Annotated[
        str,
        typer.Option(metavar="WHEN", help="How far to look back: 30m, 12h, 7d, 4w, a date such as 2026-11-01, or all."),
    ] = "7d",
    as_json: Json = False,
    html: Annotated[Path | None, typer.Option(metavar="FILE", help="Write a page that needs nothing else.")] = None,
    config: Annotated[
        str | None, typer.Option(metavar="FILE", help="A routing.toml to use instead of yours; it is trusted.")
    ] = None,
) -> None:
    """Latency, success, tokens and spend over time, from the history of all llmr processes on this machine.

    History goes back 90 days. Nothing is asked and nothing leaves the machine.
    """
    from llmr.cli.stats import run_stats

    raise typer.Exit(run_stats(by=by, since=since, config_file=config, as_json=as_json, page=html))
