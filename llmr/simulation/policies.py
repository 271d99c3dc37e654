"""The table of policies that can be simulated, by the name that `llmr simulate --policy` takes."""

from collections.abc import Callable, Mapping
from dataclasses import field, replace
from random import Random
from types import MappingProxyType
from typing import Final

from llmr.catalog import Catalog, Strategy
from llmr.dataclass import dataclass
from llmr.routing.policy import HedgingPolicy
from llmr.routing.policy import Policy as RoutingPolicy
from llmr.routing.rules import Rule
from llmr.simulation.comparison import Ema, Guarded, ListPolicy, LiteLlm, Oracle, PeakEwma, Ranker, StaticList
from llmr.simulation.network import Network
from llmr.simulation.production import Production, catalog_of, strategy_of
from llmr.simulation.rows import Rows
from llmr.simulation.run import Policy, PolicyFactory, VirtualClock
from llmr.simulation.world import World


@dataclass(frozen=True, slots=True)
class Configured:
    """What the production policy obeys; by default the latency strategy with default settings, which §5's goals speak of.

    `strategy` is the command line's word, over every other's.
    """

    policy: RoutingPolicy = field(default_factory=lambda: RoutingPolicy(strategy=Strategy.LATENCY))
    rules: tuple[Rule, ...] = ()
    catalog: Catalog | None = None
    strategy: str | None = None

    def strategy_for(self, world: World) -> str:
        """By which strategy the world's requests are ranked, unless a rule says otherwise."""
        return self.strategy or strategy_of(world.asks, self.catalog) or self.policy.strategy

    @property
    def rules_say_otherwise(self) -> bool:
        """Whether some rule may."""
        return self.strategy is None and any(rule.strategy is not None for rule in self.rules)


def _production(configured: Configured, policy: RoutingPolicy) -> PolicyFactory:
    rules = tuple(replace(rule, models=()) for rule in configured.rules)  # a world serves one name: nothing to point to

    def make(world: World, network: Network, clock: VirtualClock, seed: int) -> Policy:
        return Production(
            world,
            network,
            clock,
            Rows(clock.now),
            policy,
            Random(f"{seed}/policy"),  # noqa: S311 - a simulation
            catalog=catalog_of(world, configured.catalog),
            rules=rules,
            strategy=configured.strategy,
        )

    return make


def _listed(ranker: Callable[[World, Network, Random], Ranker]) -> PolicyFactory:
    def make(world: World, network: Network, clock: VirtualClock, seed: int) -> Policy:
        return ListPolicy(world, network, clock, ranker(world, network, Random(f"{seed}/policy")))  # noqa: S311 - as above

    return make


PRODUCTION: Final = "llmr"
HEDGED: Final = "llmr-hedged"

ABOUT: Final[Mapping[str, str]] = MappingProxyType(
    {
        "static": "the listed order, the next one after a failure",
        "static-breaker": "the same behind a circuit breaker",
        "litellm": "LiteLLM's latency routing: mean of the last ten, anew each hour, no exploration",
        "ema-breaker": "a moving average behind a circuit breaker",
        "peak-ewma": "Finagle's: the better of two drawn at random, behind a circuit breaker",
        PRODUCTION: "llmr with your routing.toml",
        HEDGED: "the same with hedging",
        "oracle": "knows the true state of every provider, not the luck of the next attempt",
    }
)
"""What each is, for people; in the order of `policies`."""

COMPARED: Final[Mapping[str, PolicyFactory]] = MappingProxyType(
    {
        "static": _listed(lambda world, _network, _chance: StaticList(world)),
        "static-breaker": _listed(lambda world, _network, chance: Guarded(StaticList(world), world, chance)),
        "litellm": _listed(lambda world, _network, _chance: LiteLlm(world)),
        "ema-breaker": _listed(lambda world, _network, chance: Guarded(Ema(world), world, chance)),
        "peak-ewma": _listed(
            lambda world, _network, chance: Guarded(PeakEwma(len(world.providers), chance), world, chance)
        ),
        "oracle": _listed(lambda world, network, _chance: Oracle(world, network)),
    }
)


def policies(configured: Configured) -> Mapping[str, PolicyFactory]:
    """Every policy by name, in the order of §5's table."""
    *others, (oracle, knowing) = COMPARED.items()
    return {
        **dict(others),
        PRODUCTION: _production(configured, configured.policy),
        HEDGED: _production(configured, replace(configured.policy, hedging=HedgingPolicy(enabled=True))),
        oracle: knowing,
    }
