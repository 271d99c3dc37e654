"""`llmr rank`: its arguments, and the one call."""

from typing import Annotated

import typer

app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False, add_completion=False)


@app.command()
def rank(
    prompt: Annotated[
        list[str] | None,
        typer.Argument(help="What would be asked, read as chat reads it: @FILE, `-` and a pipe too. May be left out."),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option("--model", "-m", metavar="MODEL", help="A name from routing.toml, or provider/model-id."),
    ] = None,
    provider: Annotated[
        str | None, typer.Option("--provider", "-p", metavar="PROVIDER", help="Only this provider.")
    ] = None,
    strategy: Annotated[
        str | None, typer.Option(metavar="NAME", help="Another strategy than the configured one.")
    ] = None,
    hedge: Annotated[
        bool | None, typer.Option("--hedge/--no-hedge", help="As chat would: rules may ask, and it outranks theirs.")
    ] = None,
    system: Annotated[
        str | None, typer.Option("--system", "-s", metavar="TEXT", help="Instructions to the model.")
    ] = None,
    attach: Annotated[
        list[str] | None,
        typer.Option("--attach", "-a", metavar="FILE", help="Send a file along: image, PDF, sound, text; `-`: stdin."),
    ] = None,
    attach_urls: Annotated[
        bool | None,
        typer.Option("--attach-urls/--no-attach-urls", help="Let -a name URLs, which the provider would fetch."),
    ] = None,
    prompt_file: Annotated[str | None, typer.Option(metavar="FILE", help="Read the prompt from a file.")] = None,
    template: Annotated[
        str | None, typer.Option("--template", "-t", metavar="NAME", help="Ask as a template of yours says.")
    ] = None,
    parameter: Annotated[
        list[str] | None, typer.Option("--parameter", "-P", metavar="NAME=VALUE", help="Fill a place of the template.")
    ] = None,
    schema: Annotated[
        str | None, typer.Option(metavar="FILE|JSON", help="JSON that meets this schema; who cannot is not asked.")
    ] = None,
    max_tokens: Annotated[int | None, typer.Option(metavar="N", min=1, help="The longest answer, in tokens.")] = None,
    no_stream: Annotated[bool, typer.Option("--no-stream", help="As chat --no-stream would.")] = False,
    tag: Annotated[
        list[str] | None,
        typer.Option(metavar="TAG", help="A tag for rules to match, plain or key=value; may be repeated."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="The rules too, and why each matched or not.")
    ] = False,
    config: Annotated[
        str | None, typer.Option(metavar="FILE", help="A routing.toml to use instead of yours; it is trusted.")
    ] = None,
) -> None:
    """Show the order that chat would use now: every term of every score, and who is not asked and why.

    Nothing is asked and nothing is written.
    """
    from llmr.chat import ChatRequest
    from llmr.cli.asking import Asking
    from llmr.cli.rank import run_rank

    asking = Asking(
        words=tuple(prompt or ()),
        attach=tuple(attach or ()),
        prompt_file=prompt_file,
        template=template,
        parameters=tuple(parameter or ()),
        attach_urls=attach_urls,
        may_be_empty=True,
    )

    request = ChatRequest(
        messages=(),
        model=model or "",
        stream=not no_stream,
        max_output_tokens=max_tokens,
        provider=provider,
        strategy=strategy,
        hedge=hedge,
        tags=tuple(tag or ()),
    )
    raise typer.Exit(
        run_rank(
            asking,
            request,
            system=system,
            schema=schema,
            config_file=config,
            as_json=as_json,
            verbose=verbose,
        )
    )
