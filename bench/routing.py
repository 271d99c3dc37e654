"""Goals G1–G6 of routing.md §5 by simulation: the production selector, handler, breaker, limiter, budget and hedging beside
what others do, on the same luck.

    nice python -m bench.routing [--seeds 100-109] [--worlds 100-139] [--goals G1,G4]

G1–G3 over the serve and CLI timelines, all requests of all seeds together. G4 over as many random worlds as `--worlds` has
seeds: regret is mean/mean(oracle) − 1, averaged over the worlds. G5 over a 45 s blackout of everybody. G6 over single
incidents: how soon the best provider is asked first by more than half of the last minute's requests. G7 is bench/decision.py.
Constants were tuned on seeds 1–6 (CLI: 1–24) and 200–629 and on random worlds 1–12; nothing was tuned on what runs here by
default. Exit code 1: a goal is missed.
"""

import argparse
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from llmr.simulation.figures import Figures, figures
from llmr.simulation.policies import HEDGED, PRODUCTION, Configured, policies
from llmr.simulation.random_worlds import random_world, stretched
from llmr.simulation.recovery import back_after_s
from llmr.simulation.run import PolicyFactory, Served, run
from llmr.simulation.world import World
from llmr.simulation.worlds import CLI, SERVE, WORLDS

ORACLE = "oracle"
EMA = "ema-breaker"
BACK_BY_S = {"brownout": 300.0, "outage": 120.0}  # G6, from the end of the incident
INCIDENT_ENDS_S = 1_200.0


@dataclass(frozen=True, slots=True)
class Goal:
    """One line of the verdict."""

    name: str
    what: str
    limit: float
    found: float
    at_least: bool = False

    @property
    def held(self) -> bool:
        return self.found >= self.limit if self.at_least else self.found <= self.limit

    def line(self) -> str:
        sign = "≥" if self.at_least else "≤"
        return (
            f"{self.name:3} {'pass' if self.held else 'FAIL'}  {self.what:52} {self.found:8.3f} {sign} {self.limit:g}"
        )


def pooled(world: World, policy: PolicyFactory, seeds: Sequence[int]) -> Figures:
    """The figures over all requests of all seeds."""
    return figures([one for seed in seeds for one in run(world, policy, seed)])


def timelines(table: Mapping[str, PolicyFactory], seeds: Sequence[int]) -> list[Goal]:
    """G1–G3, and the table they come from."""
    goals: list[Goal] = []
    limits = {SERVE.name: (0.62, 2.4, 5.0), CLI.name: (0.60, 2.7, 6.0)}
    for world in (SERVE, CLI):
        print(f"\n{world.name}, seeds {seeds[0]}–{seeds[-1]}")
        print("  policy            mean    p50     p99   p99.9  extra  success  waste  $/1000")
        found: dict[str, Figures] = {}
        for name, policy in table.items():
            found[name] = one = pooled(world, policy, seeds)
            print(f"  {name:15} {one.mean_s:6.3f} {one.p50_s:6.3f} {one.p99_s:7.2f} {one.p999_s:7.2f} {one.extra_per_1000:6.1f}"
                  f" {one.success:8.3%} {one.waste_share:6.2%} {one.usd_per_1000:7.2f}", flush=True)  # fmt: skip
        plain, hedged, (mean_s, p99_s, p999_s) = found[PRODUCTION], found[HEDGED], limits[world.name]
        goals += [
            Goal("G1", f"{world.name}: mean s", mean_s, plain.mean_s),
            Goal("G1", f"{world.name}: p99 s", p99_s, plain.p99_s),
            Goal("G1", f"{world.name}: p99.9 s", p999_s, plain.p999_s),
            Goal("G2", f"{world.name}, hedged: p99 s", 1.8, hedged.p99_s),
            Goal("G2", f"{world.name}, hedged: p99.9 s", 3.5, hedged.p999_s),
            Goal("G2", f"{world.name}, hedged: waste, per cent of spend", 4.0, 100 * hedged.waste_share),
            Goal("G3", f"{world.name}: extra requests per 1,000", 30.0, plain.extra_per_1000),
        ]
    return goals


def unknown_worlds(table: Mapping[str, PolicyFactory], seeds: Sequence[int]) -> list[Goal]:
    """G4."""
    goals: list[Goal] = []
    for kind, limit in (("serve", 10.0), ("cli", 14.0)):
        regrets: list[float] = []
        better = 0
        for seed in seeds:
            world = random_world(seed) if kind == "serve" else stretched(random_world(seed))
            ours, best, ema = (figures(run(world, table[name], seed)).mean_s for name in (PRODUCTION, ORACLE, EMA))
            regrets.append(100 * (ours / best - 1))
            better += ours < ema
        regrets.sort()
        print(f"\nrandom {kind} worlds {seeds[0]}–{seeds[-1]}: regret % median {regrets[len(regrets) // 2]:.1f},"
              f" worst {regrets[-1]:.1f}; better than {EMA} in {better} of {len(seeds)}", flush=True)  # fmt: skip
        goals += [
            Goal("G4", f"random {kind} worlds: regret, per cent", limit, sum(regrets) / len(regrets)),
            Goal("G4", f"random {kind} worlds better than {EMA}, of 40", 35.0, better * 40 / len(seeds), at_least=True),
        ]
    return goals


def blackout(table: Mapping[str, PolicyFactory], seeds: Sequence[int]) -> list[Goal]:
    """G5."""
    return [
        Goal("G5", f"blackout, {name}: success, per cent", 98.5,
             100 * pooled(WORLDS["blackout"], table[name], seeds).success, at_least=True)
        for name in (PRODUCTION, HEDGED)
    ]  # fmt: skip


def comeback(table: Mapping[str, PolicyFactory], seeds: Sequence[int]) -> list[Goal]:
    """G6: the slowest of all seeds."""
    goals: list[Goal] = []
    for name, limit_s in BACK_BY_S.items():
        served: list[Sequence[Served]] = [run(WORLDS[name], table[PRODUCTION], seed) for seed in seeds]
        back = [back_after_s(one, 0, INCIDENT_ENDS_S) for one in served]
        print(
            f"\nback after {name}, s: " + " ".join("never" if one is None else f"{one:.0f}" for one in back), flush=True
        )
        slowest_s = max(float("inf") if one is None else one for one in back)
        goals.append(Goal("G6", f"back after {name}, slowest seed, s", limit_s, slowest_s))
    return goals


SUITES = {("G1", "G2", "G3"): timelines, ("G4",): unknown_worlds, ("G5",): blackout, ("G6",): comeback}


def span(text: str) -> range:
    """`100-109`, or one number."""
    first, _, last = text.partition("-")
    return range(int(first), int(last or first) + 1)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=span, default=range(100, 110))
    parser.add_argument("--worlds", type=span, default=range(100, 140))
    parser.add_argument("--goals", default="G1,G2,G3,G4,G5,G6")
    asked = parser.parse_args()
    wanted, began = set(asked.goals.split(",")), time.monotonic()
    table = policies(Configured())
    goals: list[Goal] = []
    for names, suite in SUITES.items():
        if wanted & set(names):
            goals += suite(table, asked.worlds if suite is unknown_worlds else asked.seeds)
    print()
    for goal in goals:
        print(goal.line())
    print(f"{sum(goal.held for goal in goals)} of {len(goals)} held, {time.monotonic() - began:.0f} s")
    return 0 if all(goal.held for goal in goals) else 1


if __name__ == "__main__":
    sys.exit(main())
