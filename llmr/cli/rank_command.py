"""`llmr rank`: its arguments, and the one call."""

from typing import Annotated

import typer

from llmr.cli.command import command_app, takes
from llmr.cli.options import Attach, ConfigFile, Json, MaxTokens, Model, Parameters, PromptFile, System, Tags, Template
from llmr.dataclass import dataclass

app = command_app()


@dataclass(frozen=True, slots=True)
class RankOptions:
    """What was typed; arguments.py says what it means."""

    prompt: Annotated[
        tuple[str, ...],
        typer.Argument(help="What would be asked, read as chat reads it: @FILE, `-` and a pipe too. May be left out."),
    ] = ()
    model: Model = None
    provider: Annotated[
        str | None, typer.Option("--provider", "-p", metavar="PROVIDER", help="Only this provider.")
    ] = None
    strategy: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Another strategy than the configured one."),
    ] = None
    hedge: Annotated[
        bool | None, typer.Option("--hedge/--no-hedge", help="As chat would: rules may ask, and it outranks theirs.")
    ] = None
    system: System = None
    attach: Attach = ()
    attach_urls: Annotated[
        bool | None,
        typer.Option("--attach-urls/--no-attach-urls", help="Let -a name URLs, which the provider would fetch."),
    ] = None
    prompt_file: PromptFile = None
    template: Template = None
    parameter: Parameters = ()
    schema: Annotated[
        str | None, typer.Option(metavar="FILE|JSON", help="JSON that meets this schema; who cannot is not asked.")
    ] = None
    max_tokens: MaxTokens = None
    no_stream: Annotated[bool, typer.Option("--no-stream", help="As chat --no-stream would.")] = False
    tag: Tags = ()
    as_json: Json = False
    verbose: Annotated[
        bool,
        typer.Option("--verbose", "-v", help="The rules too, and why each matched or not."),
    ] = False
    config: ConfigFile = None


@app.command()
@takes(RankOptions)
def rank(options: RankOptions) -> int:
    """Show the order that chat would use now: every term of every score, and who is not asked and why.

    Nothing is asked and nothing is written.
    """
    from llmr.cli.rank import run_rank

    return run_rank(options)
