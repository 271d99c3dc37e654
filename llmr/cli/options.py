"""Options of several commands, each declared once.

A command's options are the fields of one frozen value (command.py); these are what its fields are declared with.
"""

from typing import Annotated

import typer

Model = Annotated[
    str | None, typer.Option("--model", "-m", metavar="MODEL", help="A name from routing.toml, or provider/model-id.")
]
System = Annotated[str | None, typer.Option("--system", "-s", metavar="TEXT", help="Instructions to the model.")]
Attach = Annotated[
    tuple[str, ...],
    typer.Option("--attach", "-a", metavar="FILE", help="Send a file along: image, PDF, sound, text; `-`: stdin."),
]
PromptFile = Annotated[str | None, typer.Option(metavar="FILE", help="Read the prompt from a file.")]
Template = Annotated[
    str | None, typer.Option("--template", "-t", metavar="NAME", help="Ask as a template of yours says.")
]
Parameters = Annotated[
    tuple[str, ...], typer.Option("--parameter", "-P", metavar="NAME=VALUE", help="Fill a place of the template.")
]
MaxTokens = Annotated[int | None, typer.Option(metavar="N", min=1, help="The longest answer, in tokens.")]
Tags = Annotated[
    tuple[str, ...], typer.Option(metavar="TAG", help="A tag for rules to match, plain or key=value; may be repeated.")
]
ConfigFile = Annotated[
    str | None, typer.Option(metavar="FILE", help="A routing.toml to use instead of yours; it is trusted.")
]
AsChatConfig = Annotated[str | None, typer.Option("--config", metavar="FILE", help="As chat --config.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON document.")]
