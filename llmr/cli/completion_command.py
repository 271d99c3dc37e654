"""`llmr completion`: its arguments."""

from typing import Annotated, Final

import typer

from llmr.cli.command import command_app

SHELLS: Final = ("bash", "zsh", "fish")

app = command_app()


@app.command()
def completion(
    shell: Annotated[str, typer.Argument(help="bash, zsh or fish.")],
    install: Annotated[
        bool, typer.Option("--install", help="Write it to where the shell looks for it, instead of to stdout.")
    ] = False,
) -> None:
    """Print the completion script for a shell. A TAB then costs no Python: names come from a file that llmr keeps.

    bash: eval "$(llmr completion bash)". zsh: the same, after compinit. fish: llmr completion fish | source. Or --install.
    """
    from llmr.cli.completion import run_completion

    raise typer.Exit(run_completion(shell, install=install))
