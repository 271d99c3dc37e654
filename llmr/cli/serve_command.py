"""`llmr serve`: its arguments, and the one call."""

from typing import Annotated

import typer

from llmr.cli.command import command_app, takes
from llmr.cli.options import ConfigFile
from llmr.dataclass import dataclass

app = command_app()


@dataclass(frozen=True, slots=True)
class ServeOptions:
    """What was typed; serve.py says what it means."""

    host: Annotated[str, typer.Option(metavar="ADDRESS", help="The address to listen on.")] = "127.0.0.1"
    port: Annotated[int, typer.Option(metavar="PORT", min=0, max=65535, help="The port; 0: any free one.")] = 8787
    unix: Annotated[
        str | None,
        typer.Option(metavar="PATH", help="A Unix socket at this path, for you alone, instead of a port."),
    ] = None
    workers: Annotated[int, typer.Option(metavar="N", min=1, max=64, help="Processes behind the one port.")] = 1
    allow_host: Annotated[
        tuple[str, ...],
        typer.Option(metavar="NAME", help="Another name that clients may call this server by; may be repeated."),
    ] = ()
    allow_origin: Annotated[
        tuple[str, ...],
        typer.Option(metavar="ORIGIN", help="A web page's origin whose scripts may ask; may be repeated."),
    ] = ()
    behind_tls: Annotated[
        bool, typer.Option("--behind-tls", help="A TLS proxy stands in front: a --host beyond loopback is meant.")
    ] = False
    max_body_mb: Annotated[
        int, typer.Option(metavar="N", min=1, max=200, help="The largest request, in MiB: images are most of it.")
    ] = 10
    pass_: Annotated[
        tuple[str, ...],
        typer.Option("--pass", metavar="NAME", help="A field of chat completions to pass on unread; may be repeated."),
    ] = ()
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No line per request on stdout.")] = False
    config: ConfigFile = None


@app.command()
@takes(ServeOptions)
def serve(options: ServeOptions) -> int:
    """Serve the router to every tool that takes a base URL: OpenAI's chat completions and Anthropic's messages.

    Every client needs the token; where it is and how to use it is said at the start. Stop with Ctrl-C.
    """
    from llmr.cli.serve import run_serve

    return run_serve(options)
