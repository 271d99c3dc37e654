"""`llmr simulate`: its arguments, and the one call."""

from typing import Annotated

import typer

from llmr.cli.command import command_app
from llmr.cli.options import Json

app = command_app()


@app.command()
def simulate(
    world: Annotated[
        list[str] | None,
        typer.Option(
            "--world",
            "-w",
            metavar="WORLD",
            help="A built-in world, or a TOML file of yours (`llmr help worlds`); may be repeated.",
        ),
    ] = None,
    random: Annotated[
        int, typer.Option(metavar="N", min=0, max=1000, help="So many random worlds, by seed, told as one.")
    ] = 0,
    seed: Annotated[
        int | None, typer.Option(metavar="N", min=0, help="What chance follows; the same seed, the same run.")
    ] = None,
    seeds: Annotated[str | None, typer.Option(metavar="A-B", help="Several of them, told as one.")] = None,
    policy: Annotated[
        list[str] | None,
        typer.Option("--policy", metavar="NAME", help="Only this policy; may be repeated. Left out: all."),
    ] = None,
    strategy: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Another strategy than the configured one, for llmr's own policies."),
    ] = None,
    listing: Annotated[bool, typer.Option("--list", help="The built-in worlds and the policies.")] = False,
    as_json: Json = False,
    config: Annotated[
        str | None, typer.Option(metavar="FILE", help="A routing.toml to use instead of yours; it is trusted.")
    ] = None,
) -> None:
    """Try your routing.toml on a bad day: the real ranking, fallback, circuits, limits and budgets under virtual time, beside
    what others do.

    Nothing is asked of anybody, and nothing of it is remembered.

    A world of your own is a TOML file: duration_s; [[providers]] with name, median_s and usd_per_1000 (the limits and budgets
    that routing.toml has under the same name hold); [[incidents]] with providers, kind, start_s and end_s; [arrivals].
    `llmr help worlds` shows a whole one.
    """
    from llmr.cli.simulate import Wanted, run_list, run_simulate

    if listing:
        raise typer.Exit(run_list(as_json=as_json))
    wanted = Wanted(tuple(world or ()), random, seed, seeds, tuple(policy or ()), strategy)
    raise typer.Exit(run_simulate(wanted, config_file=config, as_json=as_json))
