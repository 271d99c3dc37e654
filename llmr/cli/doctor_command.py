"""`llmr doctor`: its arguments."""

from typing import Annotated

import typer

app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False, add_completion=False)


@app.command()
def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
    config: Annotated[str | None, typer.Option("--config", metavar="FILE", help="As chat --config.")] = None,
) -> None:
    """Look over versions, settings, keys, files and their modes, state, clock, network and terminal.

    Nothing is sent and nothing is written; what it prints holds no key and is safe to paste. Exit code 3: something is wrong.
    """
    from llmr.cli.doctor import run_doctor

    raise typer.Exit(run_doctor(config_file=config, as_json=as_json))
