"""`llmr log`: arguments of its commands. What is no command's name is a query; `llmr log list QUERY` says it in full."""

from typing import Annotated

import typer

from llmr.cli.command import command_app
from llmr.cli.options import AsChatConfig, Json

app = command_app(
    "Conversations that were kept: list, search, show, export, purge. `llmr log QUERY` is `llmr log list QUERY`.",
    lists=True,
)


@app.command(name="list")
def list_(
    query: Annotated[
        list[str] | None,
        typer.Argument(help='Words that must all be there; word* is a beginning, "some words" a phrase.'),
    ] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", metavar="N", min=1, help="At most so many.")] = 20,
    as_json: Json = False,
    config: AsChatConfig = None,
) -> None:
    """The newest conversations, or the turns that match a query, the best first."""
    from llmr.cli.log import run_list, run_search

    words = " ".join(query or ())
    if words.strip():
        raise typer.Exit(run_search(words, limit=limit, as_json=as_json, config_file=config))
    raise typer.Exit(run_list(limit=limit, as_json=as_json, config_file=config))


@app.command()
def show(
    conversation: Annotated[str, typer.Argument(metavar="ID", help="An id, its beginning, or `last`.")] = "last",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document, all branches.")] = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="Markdown as it is, on a terminal too.")] = False,
    every: Annotated[bool, typer.Option("--all", help="Every branch, not only the one it stands at.")] = False,
    config: AsChatConfig = None,
) -> None:
    """One conversation, from its first turn to its newest."""
    from llmr.cli.log import Form, run_show
    from llmr.errors import UsageError

    if as_json and markdown:
        raise UsageError("--json and --markdown are two forms: choose one")
    form = Form.JSON if as_json else Form.MARKDOWN if markdown else Form.PLAIN
    raise typer.Exit(run_show(conversation, form, every_branch=every, config_file=config))


@app.command()
def export(
    conversations: Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help="Default: all.")] = None,
    config: AsChatConfig = None,
) -> None:
    """JSON Lines, one conversation a line, attachments included."""
    from llmr.cli.log import run_export

    raise typer.Exit(run_export(tuple(conversations or ()), config_file=config))


@app.command()
def purge(
    conversations: Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help="These.")] = None,
    before: Annotated[
        str | None, typer.Option(metavar="DATE|AGE", help="Those that ended before 2026-01-31, or 30d, 4w, 12h ago.")
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="All of them.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    config: AsChatConfig = None,
) -> None:
    """Take conversations away for good: their bytes leave the file, and the copies beside it."""
    from llmr.cli.log import run_purge

    raise typer.Exit(run_purge(tuple(conversations or ()), before=before, every=every, yes=yes, config_file=config))
