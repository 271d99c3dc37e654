"""`llmr chat`: its arguments. What it does is chat.py."""

from typing import Annotated

import typer

from llmr.cli.command import command_app, takes
from llmr.cli.options import Attach, ConfigFile, MaxTokens, Model, Parameters, PromptFile, System, Tags, Template
from llmr.dataclass import dataclass

app = command_app()


@dataclass(frozen=True, slots=True)
class ChatOptions:
    """What was typed; arguments.py says what it means."""

    prompt: Annotated[
        tuple[str, ...],
        typer.Argument(
            help="What to ask. Standard input is added below it; `-` puts it in its place; @FILE is that file's text."
        ),
    ] = ()
    model: Model = None
    provider: Annotated[
        str | None, typer.Option("--provider", "-p", metavar="PROVIDER", help="Ask only this provider.")
    ] = None
    strategy: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="priority, cost, latency, balanced, quality, round_robin or weighted."),
    ] = None
    on_break: Annotated[
        str | None, typer.Option(metavar="WHAT", help="When the answer breaks off: fail, restart, continue or buffer.")
    ] = None
    hedge: Annotated[
        bool | None, typer.Option("--hedge/--no-hedge", help="Ask a second candidate when the first is late.")
    ] = None
    system: System = None
    attach: Attach = ()
    attach_urls: Annotated[
        bool | None,
        typer.Option("--attach-urls/--no-attach-urls", help="Let -a name URLs, which the provider fetches."),
    ] = None
    prompt_file: PromptFile = None
    edit: Annotated[bool, typer.Option("--edit", help="Write the prompt in your editor.")] = False
    template: Template = None
    parameter: Parameters = ()
    continue_last: Annotated[
        bool, typer.Option("--continue", "-c", help="Go on with the last conversation of this terminal.")
    ] = False
    conversation: Annotated[
        str | None, typer.Option(metavar="ID", help="Go on with this conversation; `last`: the newest of all.")
    ] = None
    save: Annotated[bool | None, typer.Option("--save/--no-save", help="Keep this turn in `llmr log`, or not.")] = None
    cache: Annotated[
        bool,
        typer.Option("--cache", help="The answer that was given to the same before, if there is one; keep this one."),
    ] = False
    no_stream: Annotated[bool, typer.Option("--no-stream", help="Ask for the answer in one piece.")] = False
    as_json: Annotated[bool, typer.Option("--json", help="Write one JSON document, failures included.")] = False
    as_jsonl: Annotated[bool, typer.Option("--jsonl", help="Write a line of JSON per event, as it happens.")] = False
    extract: Annotated[bool, typer.Option("--extract", "-x", help="Only the first code block of the answer.")] = False
    out: Annotated[
        str | None,
        typer.Option("-o", "--out", metavar="FILE", help="Write the answer to FILE, whole or not at all; `-`: stdout."),
    ] = None
    copy: Annotated[bool, typer.Option("--copy", help="Copy the answer to the terminal's clipboard too.")] = False
    schema: Annotated[
        str | None, typer.Option(metavar="FILE|JSON", help="JSON that meets this schema; who does not is passed over.")
    ] = None
    compare: Annotated[
        str | None,
        typer.Option(metavar="A,B,…", help="Ask these models at once, answers side by side; code 0 if any is whole."),
    ] = None
    times: Annotated[
        int | None, typer.Option("--n", metavar="N", min=2, max=8, help="Ask the same one so many times at once.")
    ] = None
    raw: Annotated[bool, typer.Option("--raw", help="On a terminal: the text as it came, no Markdown drawn.")] = False
    color: Annotated[
        str | None, typer.Option(metavar="WHEN", help="auto, always (Markdown in a pipe too) or never.")
    ] = None
    safe_output: Annotated[
        str,
        typer.Option(metavar="WHEN", help="Make control characters visible: auto (on a terminal), always or never."),
    ] = "auto"
    max_tokens: MaxTokens = None
    temperature: Annotated[float | None, typer.Option(metavar="NUMBER", min=0.0, help="The provider's own scale.")] = (
        None
    )
    tag: Tags = ()
    config: ConfigFile = None
    demo: Annotated[bool, typer.Option("--demo", help="Ask three demo providers inside llmr: no key, no network.")] = (
        False
    )
    debug: Annotated[
        bool, typer.Option("--debug", help="What goes over the wire on stderr, without keys; implies --raw.")
    ] = False
    quiet: Annotated[
        int,
        typer.Option(
            "--quiet", "-q", count=True, show_default=False, help="Only errors on stderr; twice: nothing at all."
        ),
    ] = 0
    verbose: Annotated[
        int,
        typer.Option(
            "--verbose", "-v", count=True, show_default=False, help="The receipt on stderr; twice: the decision too."
        ),
    ] = 0


@app.command()
@takes(ChatOptions)
def chat(options: ChatOptions) -> int:
    """Ask. The answer streams to stdout, and nothing else does.

    If a provider fails before its first token, the next one is asked. Everything but the answer goes to stderr.
    """
    from llmr.cli.arguments import ChatArguments
    from llmr.cli.chat import run_chat

    return run_chat(ChatArguments.of(options))
