"""`llmr models`: arguments of its commands. What is no command's name is a pattern to list by."""

from typing import Annotated

import typer

from llmr.cli.command import command_app
from llmr.cli.options import AsChatConfig, Json

app = command_app(
    "List models with their windows, capabilities and prices. `llmr models PATTERN` is `llmr models list PATTERN`.",
    lists=True,
)


@app.command(name="list")
def list_(
    pattern: Annotated[
        str, typer.Argument(help="A part of a name, or with * ? [ ] the whole of one; case does not matter.")
    ] = "",
    provider: Annotated[
        str | None, typer.Option("--provider", "-p", metavar="PROVIDER", help="Of this provider only.")
    ] = None,
    only_on: Annotated[bool, typer.Option("--on", help="Only what could be asked now.")] = False,
    takes: Annotated[
        list[str] | None,
        typer.Option(
            "--takes",
            metavar="WHAT",
            help="Only what is known to take this: tools, images, json, reasoning, documents, audio.",
        ),
    ] = None,
    as_json: Json = False,
    config: AsChatConfig = None,
) -> None:
    """Your names first, then every known provider/model-id; chat -m takes both. Prices are estimates, $ per million tokens."""
    from llmr.cli.models import Wanted, run_list

    wanted = Wanted(pattern, provider, only_on, tuple(takes or ()))
    raise typer.Exit(run_list(wanted, as_json=as_json, config_file=config))


@app.command()
def refresh(
    litellm: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="A litellm wheel, or the JSON in it; default: the installed package."),
    ] = None,
) -> None:
    """Make your own table from the installed genai-prices and litellm; it stands until llmr ships a younger one."""
    from llmr.cli.models import run_refresh

    raise typer.Exit(run_refresh(litellm))
