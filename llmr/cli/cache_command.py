"""`llmr cache`: arguments of its commands."""

from typing import Annotated

import typer

app = typer.Typer(
    help="The answer cache: stats, purge. `llmr chat --cache` uses it, and `llmr serve` where `[cache] enabled = true`.",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
    no_args_is_help=True,
)

Config = Annotated[str | None, typer.Option("--config", metavar="FILE", help="As chat --config.")]


@app.command()
def stats(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False, config: Config = None
) -> None:
    """How many answers are kept, how often one was given again, and what that saved."""
    from llmr.cli.cache import run_stats

    raise typer.Exit(run_stats(as_json=as_json, config_file=config))


@app.command()
def purge(
    before: Annotated[
        str | None, typer.Option(metavar="DATE|AGE", help="Those from before 2026-01-31, or 30d, 4w, 12h ago.")
    ] = None,
    config: Config = None,
) -> None:
    """Take kept answers away for good, all or old ones: their bytes leave the file."""
    from llmr.cli.cache import run_purge

    raise typer.Exit(run_purge(before=before, config_file=config))
