"""`llmr models`: arguments of its commands. What is no command's name is a pattern to list by."""

from typing import Annotated, Final

import typer
from typer.core import TyperGroup

_OWN: Final = frozenset({"list", "refresh", "--help", "-h"})


class ListsByDefault(TyperGroup):
    """`llmr models gpt` is `llmr models list gpt`; a model called "refresh" is found with `list refresh`."""

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:  # type: ignore[override]  # pyright: ignore[reportIncompatibleMethodOverride] - typer's context is click's
        """The arguments, with the command that was meant."""
        return super().parse_args(ctx, args if args and args[0] in _OWN else ["list", *args])


app = typer.Typer(
    cls=ListsByDefault,
    help="List models with their windows, capabilities and prices. `llmr models PATTERN` is `llmr models list PATTERN`.",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
)

Json = Annotated[bool, typer.Option("--json", help="One JSON document.")]


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
    config: Annotated[str | None, typer.Option("--config", metavar="FILE", help="As chat --config.")] = None,
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
