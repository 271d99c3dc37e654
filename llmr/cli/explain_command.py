"""`llmr explain`: its arguments, and the one call."""

from typing import Annotated

import typer

from llmr.cli.command import command_app
from llmr.cli.options import Json

app = command_app()


@app.command()
def explain(
    request: Annotated[
        str,
        typer.Argument(
            metavar="[ID|last]", help="A request's or conversation's id, or its beginning; `last`: the last request."
        ),
    ] = "last",
    as_json: Json = False,
    config: Annotated[
        str | None, typer.Option(metavar="FILE", help="A routing.toml to use instead of yours; it is trusted.")
    ] = None,
) -> None:
    """Tell one request's story: the decision, each attempt with its outcome, waits, costs, what would have flipped it.

    `llmr chat --json` names requests, `llmr log` conversations, of which the last turn is told. Nothing is asked or written.
    """
    from llmr.cli.explain import run_explain

    raise typer.Exit(run_explain(request, config_file=config, as_json=as_json))
