"""`llmr serve`: its arguments, and the one call."""

from typing import Annotated

import typer

from llmr.cli.command import command_app

app = command_app()


@app.command()
def serve(
    host: Annotated[str, typer.Option(metavar="ADDRESS", help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(metavar="PORT", min=0, max=65535, help="The port; 0: any free one.")] = 8787,
    unix: Annotated[
        str | None,
        typer.Option(metavar="PATH", help="A Unix socket at this path, for you alone, instead of a port."),
    ] = None,
    workers: Annotated[int, typer.Option(metavar="N", min=1, max=64, help="Processes behind the one port.")] = 1,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Another name that clients may call this server by; may be repeated."),
    ] = None,
    allow_origin: Annotated[
        list[str] | None,
        typer.Option(metavar="ORIGIN", help="A web page's origin whose scripts may ask; may be repeated."),
    ] = None,
    behind_tls: Annotated[
        bool, typer.Option("--behind-tls", help="A TLS proxy stands in front: a --host beyond loopback is meant.")
    ] = False,
    max_body_mb: Annotated[
        int, typer.Option(metavar="N", min=1, max=200, help="The largest request, in MiB: images are most of it.")
    ] = 10,
    pass_: Annotated[
        list[str] | None,
        typer.Option("--pass", metavar="NAME", help="A field of chat completions to pass on unread; may be repeated."),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No line per request on stdout.")] = False,
    config: Annotated[
        str | None, typer.Option(metavar="FILE", help="A routing.toml to use instead of yours; it is trusted.")
    ] = None,
) -> None:
    """Serve the router to every tool that takes a base URL: OpenAI's chat completions and Anthropic's messages.

    Every client needs the token; where it is and how to use it is said at the start. Stop with Ctrl-C.
    """
    from llmr.cli.serve import run_serve

    raise typer.Exit(
        run_serve(
            host=host,
            port=port,
            unix=unix,
            workers=workers,
            hosts=tuple(allow_host or ()),
            origins=tuple(allow_origin or ()),
            behind_tls=behind_tls,
            max_body_mb=max_body_mb,
            passes=tuple(pass_ or ()),
            log_requests=not quiet,
            config_file=config,
        )
    )
