"""Many policies over the same worlds and seeds: what `llmr simulate` and bench/routing print."""

from collections.abc import Callable, Iterator, Mapping, Sequence

from llmr.dataclass import dataclass
from llmr.simulation.figures import Figures, figures
from llmr.simulation.run import PolicyFactory, Served, run
from llmr.simulation.world import World


@dataclass(frozen=True, slots=True)
class Scene:
    """What is run together and told as one: a world under several seeds, or several worlds."""

    name: str
    about: str
    runs: tuple[tuple[World, int], ...]

    @property
    def seeds(self) -> tuple[int, ...]:
        """Its seeds, each once, in order."""
        return tuple(dict.fromkeys(seed for _, seed in self.runs))


def scene(world: World, seeds: Sequence[int]) -> Scene:
    """One world under each of `seeds`."""
    return Scene(world.name, world.about, tuple((world, seed) for seed in seeds))


def measured(
    scene: Scene, policies: Mapping[str, PolicyFactory], begins: Callable[[str, int], None] = lambda _policy, _run: None
) -> Iterator[tuple[str, Figures | None]]:
    """Policy by policy, the figures over all requests of the scene; None: not one request came. `begins` is told each run, by
    policy and number, from 0."""
    for name, policy in policies.items():
        served: list[Served] = []
        for number, (world, seed) in enumerate(scene.runs):
            begins(name, number)
            served += run(world, policy, seed)
        yield name, figures(served) if served else None
