"""`llmr doctor`: its arguments."""

import typer

from llmr.cli.command import command_app
from llmr.cli.options import AsChatConfig, Json

app = command_app()


@app.command()
def doctor(
    as_json: Json = False,
    config: AsChatConfig = None,
) -> None:
    """Look over versions, settings, keys, files and their modes, state, clock, network and terminal.

    Nothing is sent and nothing is written; what it prints holds no key and is safe to paste. Exit code 3: something is wrong.
    """
    from llmr.cli.doctor import run_doctor

    raise typer.Exit(run_doctor(config_file=config, as_json=as_json))
