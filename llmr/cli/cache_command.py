"""`llmr cache`: arguments of its commands."""

from typing import Annotated

import typer

from llmr.cli.command import command_app
from llmr.cli.options import AsChatConfig, Json

app = command_app(
    "The answer cache: stats, purge. `llmr chat --cache` uses it, and `llmr serve` where `[cache] enabled = true`."
)


@app.command()
def stats(as_json: Json = False, config: AsChatConfig = None) -> None:
    """How many answers are kept, how often one was given again, and what that saved."""
    from llmr.cli.cache import run_stats

    raise typer.Exit(run_stats(as_json=as_json, config_file=config))


@app.command()
def purge(
    before: Annotated[
        str | None, typer.Option(metavar="DATE|AGE", help="Those from before 2026-01-31, or 30d, 4w, 12h ago.")
    ] = None,
    config: AsChatConfig = None,
) -> None:
    """Take kept answers away for good, all or old ones: their bytes leave the file."""
    from llmr.cli.cache import run_purge

    raise typer.Exit(run_purge(before=before, config_file=config))
