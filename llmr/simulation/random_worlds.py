"""Worlds by seed: six providers nobody has tuned for, and what befalls them (shared/design/worlds.md, last paragraph)."""

import math
from collections.abc import Iterator
from dataclasses import replace
from random import Random
from typing import Final

from llmr.simulation.world import Incident, IncidentKind, Profile, World
from llmr.simulation.worlds import CLI_ARRIVALS, CLI_STRETCH, SERVE_ARRIVALS

DURATION_S: Final = 7_200.0
HOW_MANY: Final = 6
_FIRST_AFTER_S: Final = 2_400.0
_NEXT_AFTER_S: Final = 3_600.0
_KINDS: Final = (IncidentKind.DOWN, IncidentKind.SLOW, IncidentKind.ERRORS, IncidentKind.RATE, IncidentKind.HANG)
_SHARES: Final = (0.2, 0.3, 0.2, 0.15, 0.05)  # the rest flaps


def random_world(seed: int) -> World:
    """A serve-like world, the same for the same seed."""
    chance = Random(f"{seed}/world")  # noqa: S311 - a simulation
    providers = tuple(_profile(f"P{number}", chance) for number in range(1, HOW_MANY + 1))
    incidents = [incident for profile in providers for incident in _incidents(profile.name, chance)]
    if chance.random() < 0.5:
        start_s = chance.uniform(0.0, DURATION_S - 400.0)
        struck = tuple(profile.name for profile in chance.sample(providers, 3))
        end_s = start_s + chance.uniform(60.0, 400.0)
        incidents.append(Incident(start_s, end_s, struck, IncidentKind.SLOW, factor=3.0))
    about = f"six providers and {len(incidents)} incidents, by seed"
    return World(f"random-{seed}", DURATION_S, providers, tuple(incidents), SERVE_ARRIVALS, about)


def stretched(world: World) -> World:
    """The same world as somebody at a terminal meets it: everything takes twelve times as long, prompts come in bursts."""
    longer = tuple(replace(i, start_s=i.start_s * CLI_STRETCH, end_s=i.end_s * CLI_STRETCH) for i in world.incidents)
    return World(
        f"{world.name}-cli", world.duration_s * CLI_STRETCH, world.providers, longer, CLI_ARRIVALS, world.about
    )


def _profile(name: str, chance: Random) -> Profile:
    return Profile(
        name=name,
        median_s=_log_uniform(0.3, 2.5, chance),
        spread=chance.uniform(0.3, 0.9),
        failure=_log_uniform(0.001, 0.03, chance),
        hang_share=chance.uniform(0.1, 0.4),
        usd_per_1000=math.exp(chance.uniform(0.0, 2.3)),
    )


def _incidents(name: str, chance: Random) -> Iterator[Incident]:
    at_s = chance.expovariate(1 / _FIRST_AFTER_S)
    while at_s < DURATION_S:
        end_s = at_s + chance.lognormvariate(math.log(420.0), 0.8)
        kind = chance.choices((*_KINDS, IncidentKind.FLAP), (*_SHARES, 1 - sum(_SHARES)))[0]
        yield Incident(at_s, end_s, (name,), kind, factor=chance.uniform(2.0, 8.0), share=chance.uniform(0.15, 0.7))
        at_s = end_s + chance.expovariate(1 / _NEXT_AFTER_S)


def _log_uniform(low: float, high: float, chance: Random) -> float:
    return math.exp(chance.uniform(math.log(low), math.log(high)))
