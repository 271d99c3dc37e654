"""`llmr providers`: arguments of its commands."""

from typing import Annotated

import typer

from llmr.cli.command import command_app
from llmr.cli.options import ConfigFile, Json

app = command_app("See how the providers are, and hold their circuits by hand.")

Name = Annotated[str, typer.Argument(help="A provider's name.")]


@app.command()
def status(
    everyone: Annotated[bool, typer.Option("--all", "-a", help="Providers that are off too.")] = False,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Keep showing it; q leaves.")] = False,
    as_json: Json = False,
    config: ConfigFile = None,
) -> None:
    """Per model: circuit and time left, first token, success, spend, the story of the last attempts, the last error."""
    from llmr.cli.providers import run_status

    raise typer.Exit(run_status(config_file=config, as_json=as_json, everyone=everyone, watched=watch))


@app.command(name="list")
def list_(as_json: Json = False, config: ConfigFile = None) -> None:
    """Every provider that is known: where it is, which key it wants, whether it is on."""
    from llmr.cli.providers import run_list

    raise typer.Exit(run_list(config_file=config, as_json=as_json))


@app.command()
def reset(name: Name, config: ConfigFile = None) -> None:
    """Close a provider's circuits, free its slots and forget what it told of its limits."""
    from llmr.cli.providers import run_reset

    raise typer.Exit(run_reset(name, config_file=config))


@app.command(name="open")
def open_(name: Name, config: ConfigFile = None) -> None:
    """Keep a provider from being asked until `reset` or `close`."""
    from llmr.cli.providers import run_force
    from llmr.routing.circuit import Forced

    raise typer.Exit(run_force(name, Forced.OPEN, config_file=config))


@app.command()
def close(name: Name, config: ConfigFile = None) -> None:
    """Ask a provider whatever happens, until `reset` or `open`."""
    from llmr.cli.providers import run_force
    from llmr.routing.circuit import Forced

    raise typer.Exit(run_force(name, Forced.CLOSED, config_file=config))


@app.command()
def probe(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[PROVIDER]", help="Providers' names; default: all that are ready.")
    ] = None,
    within_s: Annotated[
        float, typer.Option("--time-out", metavar="SECONDS", min=0.1, help="How long anybody is waited for.")
    ] = 20.0,
    as_json: Json = False,
    config: ConfigFile = None,
) -> None:
    """Ask each ready provider for one word, all at once: does it answer, how soon, at what cost.

    Real requests, a fraction of a cent each, at the cheapest model that your settings name. They count like any attempt.
    """
    from llmr.cli.probe import run_probe

    raise typer.Exit(run_probe(tuple(names or ()), config_file=config, as_json=as_json, within_s=within_s))
