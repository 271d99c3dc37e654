"""`llmr rank`: its arguments, and the one call."""

from typing import Annotated

import typer

app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False, add_completion=False)


@app.command()
def rank(
    prompt: Annotated[list[str] | None, typer.Argument(help="What would be asked; its length counts.")] = None,
    model: Annotated[
        str | None, typer.Option("--model", "-m", help="A name from routing.toml, or provider/model-id.")
    ] = None,
    provider: Annotated[str | None, typer.Option("--provider", "-p", help="Only this provider.")] = None,
    strategy: Annotated[str | None, typer.Option(help="Another strategy than the configured one.")] = None,
    max_tokens: Annotated[int | None, typer.Option(min=1, help="The longest answer, in tokens.")] = None,
    no_stream: Annotated[bool, typer.Option("--no-stream", help="As chat --no-stream would.")] = False,
    tag: Annotated[
        list[str] | None, typer.Option(help="A tag for rules to match, plain or key=value; may be repeated.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="The rules too, and why each matched or not.")
    ] = False,
    config: Annotated[str | None, typer.Option(help="A routing.toml to use instead of yours; it is trusted.")] = None,
) -> None:
    """Show the order that chat would use now: every term of every score, and who is not asked and why.

    Nothing is asked and nothing is written.
    """
    from llmr.chat import ChatRequest, Message, Role
    from llmr.cli.rank import run_rank

    request = ChatRequest(
        messages=(Message.text(Role.USER, " ".join(prompt or ())),),
        model=model or "",
        stream=not no_stream,
        max_output_tokens=max_tokens,
        provider=provider,
        strategy=strategy,
        tags=tuple(tag or ()),
    )
    raise typer.Exit(run_rank(request, config_file=config, as_json=as_json, verbose=verbose))
