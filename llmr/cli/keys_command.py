"""`llmr keys`: arguments of its commands. None of them is a key: an argument is seen in `ps` and kept in the history."""

from typing import Annotated

import typer

from llmr.cli.command import command_app
from llmr.cli.options import Json

app = command_app("Keep keys in the keyring or a private file; see where each comes from; try them.")

Name = Annotated[str, typer.Argument(metavar="PROVIDER", help="A provider's name.")]


@app.command(name="set")
def set_(
    provider: Name,
    rest: Annotated[list[str] | None, typer.Argument(hidden=True)] = None,
    file: Annotated[bool, typer.Option("--file", help="Into credentials.toml, although there is a keyring.")] = False,
) -> None:
    """Store a key. It is asked for, unseen, or read from standard input; it is never an argument."""
    from llmr.cli.keys import refuse_argument, run_set

    if rest:
        refuse_argument(provider)
    raise typer.Exit(run_set(provider, into_file=file))


@app.command(name="list")
def list_(as_json: Json = False) -> None:
    """Which provider's key comes from where. A key shows as a fingerprint: 8 hex digits of its SHA-256."""
    from llmr.cli.keys import run_list

    raise typer.Exit(run_list(as_json=as_json))


@app.command()
def rm(provider: Name) -> None:
    """Forget a stored key: in the keyring and in credentials.toml."""
    from llmr.cli.keys import run_rm

    raise typer.Exit(run_rm(provider))


@app.command(name="import")
def import_(
    source: Annotated[str, typer.Argument(metavar="llm", help="Whose keys: llm (its keys.json).")],
    replace: Annotated[bool, typer.Option("--replace", help="Also where a key is stored already.")] = False,
    file: Annotated[bool, typer.Option("--file", help="Into credentials.toml, although there is a keyring.")] = False,
) -> None:
    """Take over the keys of another tool. Its own file stays as it is."""
    from llmr.cli.key_import import run_import

    raise typer.Exit(run_import(source, replace=replace, into_file=file))


@app.command(name="test")
def try_(
    provider: Annotated[
        str | None, typer.Argument(metavar="[PROVIDER]", help="A provider's name; default: all that have a key.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Ask each provider for its list of models, which is free, and say what it makes of the key."""
    from llmr.cli.key_test import run_test

    raise typer.Exit(run_test(provider, as_json=as_json))
