"""Chance by key: the same question has the same answer, whoever asks and in whatever order.

Every draw of a world is a hash of (seed, request, provider, attempt, purpose), so that two policies that ask the same
provider for the same request meet the same fate, and a difference between them is a difference of policy. The mixer is
SplitMix64 (Steele, Lea & Flood, OOPSLA 2014): seeding `random.Random` anew for each draw would cost fifty times as much.
"""

from collections.abc import Iterator
from random import Random
from statistics import NormalDist
from typing import Final, assert_never

from llmr.simulation.world import Bursts, Steady, World

_MASK: Final = (1 << 64) - 1
_GOLDEN: Final = 0x9E3779B97F4A7C15
_NORMAL: Final = NormalDist()


def uniform(*key: int) -> float:
    """A number in (0, 1) that belongs to `key`."""
    mixed = 0
    for part in key:
        mixed = (mixed ^ part) + _GOLDEN & _MASK
        mixed = (mixed ^ mixed >> 30) * 0xBF58476D1CE4E5B9 & _MASK
        mixed = (mixed ^ mixed >> 27) * 0x94D049BB133111EB & _MASK
        mixed ^= mixed >> 31
    return ((mixed >> 11) + 0.5) / (1 << 53)


def normal(*key: int) -> float:
    """A draw from N(0, 1) that belongs to `key`."""
    return _NORMAL.inv_cdf(uniform(*key))


def arrivals(world: World, seed: int) -> Iterator[float]:
    """When requests come, ascending, in seconds since the world began."""
    chance = Random(f"{seed}/arrivals")  # noqa: S311 - a simulation
    match world.arrivals:
        case Steady(per_s):
            at_s = chance.expovariate(per_s)
            while at_s < world.duration_s:
                yield at_s
                at_s += chance.expovariate(per_s)
        case Bursts():
            yield from _bursts(world.arrivals, world.duration_s, chance)
        case _:
            assert_never(world.arrivals)


def _bursts(bursts: Bursts, duration_s: float, chance: Random) -> Iterator[float]:
    at_s = chance.expovariate(1 / bursts.gap_s)
    while at_s < duration_s:
        yield at_s
        more = chance.random() < 1 - 1 / bursts.prompts
        at_s += chance.expovariate(1 / bursts.spacing_s) if more else chance.expovariate(1 / bursts.gap_s)
