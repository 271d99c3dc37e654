"""What others do, so that the production policy has something to be better than (shared/design/routing.md §5, worlds.md).

All of them go down one ranking per request: someone else at once after a failure, nobody twice, ten seconds for the first
token, at most six attempts. They differ in who comes first and in who is passed over. The breaker among them is the pure
one of routing/, so that what is compared is the choice and not the breaker.
"""

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import field
from random import Random
from typing import Final, assert_never

from llmr.dataclass import dataclass
from llmr.errors import ErrorKind
from llmr.routing import breaker
from llmr.routing.circuit import BreakerState, Grant, Outcome, Refusal, Verdict
from llmr.routing.policy import BreakerPolicy
from llmr.simulation.network import Answer, AnswerKind, Network
from llmr.simulation.run import CHARGED_S, Served, Serving, VirtualClock
from llmr.simulation.world import World

TIMEOUT_S: Final = 10.0  # worlds.md: where a policy has none of its own
MOST_ATTEMPTS: Final = 6
TIMED_OUT_COSTS: Final = 0.3  # of the price
FAILURE_WEIGHS_S: Final = 2.0  # the oracle's price of a failure: worlds.md
EMA_SHARE: Final = 0.3
LITELLM_SAMPLES: Final = 10  # worlds.md, as the next five
LITELLM_FORGETS_S: Final = 3_600.0
LITELLM_BENCH_RATE_S: Final = 20.0
LITELLM_BENCH_ERRORS_S: Final = 5.0
LITELLM_LEAST: Final = 5
PEAK_DECAY_S: Final = 10.0  # Finagle's PeakEwma: twitter/finagle p2c, decayTime


class Ranker:
    """Who is asked, in which order; told what came of it. Times are seconds since the world began."""

    def order(self, at_s: float) -> Sequence[int]:
        """Indexes of providers, best first."""
        raise NotImplementedError

    def admit(self, provider: int, at_s: float) -> bool:
        """Whether `provider` may be asked now; a True is followed by `heard`."""
        del provider, at_s
        return True

    def heard(self, provider: int, answer: Answer | None, took_s: float, at_s: float) -> None:
        """The answer, None: it timed out after `took_s`."""


class ListPolicy:
    """Goes down a ranker's list."""

    def __init__(self, world: World, network: Network, clock: VirtualClock, ranker: Ranker) -> None:
        self._prices = tuple(profile.usd_per_1000 / 1000 for profile in world.providers)
        self._network = network
        self._clock = clock
        self._ranker = ranker

    def serve(self, request: int, at_s: float) -> Serving:
        """As run.Policy."""
        attempts, asked_first, waste_usd = 0, None, 0.0
        for provider in self._ranker.order(at_s):
            now_s = self._clock.elapsed_s
            left_s = CHARGED_S - (now_s - at_s)
            if attempts >= MOST_ATTEMPTS or left_s <= 0:
                break
            if not self._ranker.admit(provider, now_s):
                continue
            attempts += 1
            asked_first = provider if asked_first is None else asked_first
            answer = self._network.ask(request, provider, 0, now_s)
            took_s = min(answer.after_s, TIMEOUT_S, left_s)
            yield now_s + took_s
            timed_out = answer.after_s > took_s
            self._ranker.heard(provider, None if timed_out else answer, took_s, now_s + took_s)
            if timed_out:
                waste_usd += TIMED_OUT_COSTS * self._prices[provider]
            elif answer.kind is AnswerKind.OK:
                ttft_s = self._clock.elapsed_s - at_s
                spend_usd = waste_usd + self._prices[provider]
                return Served(at_s, ttft_s, attempts, asked_first, provider, spend_usd, waste_usd)
        return Served(at_s, CHARGED_S, attempts, asked_first, None, waste_usd, waste_usd)


class StaticList(Ranker):
    """The listed order, always."""

    def __init__(self, world: World) -> None:
        self._listed = range(len(world.providers))

    def order(self, at_s: float) -> Sequence[int]:
        """As Ranker."""
        del at_s
        return self._listed


class Guarded(Ranker):
    """Another ranker behind one circuit breaker per provider, of the ordinary kind: a 429 is a failure like any other."""

    def __init__(self, ranker: Ranker, world: World, chance: Random) -> None:
        self._ranker = ranker
        self._policy = BreakerPolicy()
        self._states = [BreakerState() for _ in world.providers]
        self._grants: list[list[Grant]] = [[] for _ in world.providers]
        self._chance = chance

    def order(self, at_s: float) -> Sequence[int]:
        """As Ranker."""
        return self._ranker.order(at_s)

    def admit(self, provider: int, at_s: float) -> bool:
        """As Ranker."""
        after, answer = breaker.admit(self._states[provider], at_s, self._policy, lease_s=self._policy.lease_s)
        if isinstance(answer, Refusal) or not self._ranker.admit(provider, at_s):
            return False
        self._states[provider] = after
        self._grants[provider].append(answer)
        return True

    def heard(self, provider: int, answer: Answer | None, took_s: float, at_s: float) -> None:
        """As Ranker. Attempts that overlap are told apart by the epoch alone, so the oldest grant will do."""
        verdict = _verdict(answer, self._chance.uniform(-1.0, 1.0))
        grant = self._grants[provider].pop(0)
        self._states[provider] = breaker.report(self._states[provider], grant, verdict, at_s, self._policy)
        self._ranker.heard(provider, answer, took_s, at_s)


def _verdict(answer: Answer | None, jitter: float) -> Verdict:
    if answer is None:
        return Verdict(Outcome.ERROR, None, jitter, ErrorKind.FIRST_TOKEN_TIMEOUT)
    match answer.kind:
        case AnswerKind.OK:
            return Verdict(Outcome.OK)
        case AnswerKind.ERROR | AnswerKind.LIMITED | AnswerKind.NEVER:
            return Verdict(Outcome.ERROR, None, jitter, ErrorKind.SERVER)
        case _:
            assert_never(answer.kind)


class Ema(Ranker):
    """An exponential moving average of the first token. Failures are the breaker's business."""

    def __init__(self, world: World) -> None:
        self._means: list[float | None] = [None] * len(world.providers)

    def order(self, at_s: float) -> Sequence[int]:
        """As Ranker; who was never asked comes first."""
        del at_s
        return sorted(range(len(self._means)), key=lambda provider: self._means[provider] or 0.0)

    def heard(self, provider: int, answer: Answer | None, took_s: float, at_s: float) -> None:
        """As Ranker."""
        del at_s
        if answer is not None and answer.kind is AnswerKind.OK:
            mean_s = self._means[provider]
            self._means[provider] = took_s if mean_s is None else mean_s + EMA_SHARE * (took_s - mean_s)


@dataclass(slots=True)
class _Minute:
    """One provider's clock minute."""

    minute: int = -1
    asked: int = 0
    failed: int = 0


class LiteLlm(Ranker):
    """LiteLLM's latency-based routing as worlds.md compares it: mean of the last ten, unseen first, anew each hour.

    LiteLLM itself also takes a time-out for a sample of 1000 s, which locks a provider out for the hour; not so here.
    """

    def __init__(self, world: World) -> None:
        self._samples: list[deque[float]] = [deque(maxlen=LITELLM_SAMPLES) for _ in world.providers]
        self._minutes = [_Minute() for _ in world.providers]
        self._benched_until_s = [0.0] * len(world.providers)
        self._forget_at_s = LITELLM_FORGETS_S

    def order(self, at_s: float) -> Sequence[int]:
        """As Ranker."""
        if at_s >= self._forget_at_s:
            self._forget_at_s = at_s + LITELLM_FORGETS_S
            for samples in self._samples:
                samples.clear()
        means = [sum(samples) / len(samples) if samples else 0.0 for samples in self._samples]
        return sorted(range(len(means)), key=means.__getitem__)

    def admit(self, provider: int, at_s: float) -> bool:
        """As Ranker."""
        return at_s >= self._benched_until_s[provider]

    def heard(self, provider: int, answer: Answer | None, took_s: float, at_s: float) -> None:
        """As Ranker."""
        ok = answer is not None and answer.kind is AnswerKind.OK
        if ok:
            self._samples[provider].append(took_s)
        elif answer is not None and answer.kind is AnswerKind.LIMITED:
            self._benched_until_s[provider] = at_s + LITELLM_BENCH_RATE_S
        minute = self._minutes[provider]
        if minute.minute != int(at_s // 60):
            minute = self._minutes[provider] = _Minute(int(at_s // 60))
        minute.asked += 1
        minute.failed += not ok
        if minute.asked >= LITELLM_LEAST and minute.failed > minute.asked / 2:
            until_s = at_s + LITELLM_BENCH_ERRORS_S
            self._benched_until_s[provider] = max(self._benched_until_s[provider], until_s)


@dataclass(slots=True)
class _Load:
    """One provider as peak-EWMA sees it."""

    cost_s: float = 0.0
    at_s: float = 0.0
    under_way: int = 0


@dataclass(slots=True)
class PeakEwma(Ranker):
    """Finagle's: a mean that jumps up at once and decays slowly, × requests under way; the better of two drawn at random."""

    providers: int
    chance: Random
    _loads: list[_Load] = field(init=False)

    def __post_init__(self) -> None:
        self._loads = [_Load() for _ in range(self.providers)]

    def order(self, at_s: float) -> Sequence[int]:
        """As Ranker."""
        del at_s
        shuffled = self.chance.sample(range(self.providers), self.providers)
        pair = sorted(shuffled[:2], key=lambda i: self._loads[i].cost_s * (self._loads[i].under_way + 1))
        return [*pair, *shuffled[2:]]

    def admit(self, provider: int, at_s: float) -> bool:
        """As Ranker."""
        del at_s
        self._loads[provider].under_way += 1
        return True

    def heard(self, provider: int, answer: Answer | None, took_s: float, at_s: float) -> None:
        """As Ranker."""
        load = self._loads[provider]
        load.under_way -= 1
        ok = answer is not None and answer.kind is AnswerKind.OK
        sample_s = took_s + (0.0 if ok else FAILURE_WEIGHS_S)
        weight = math.exp(-(at_s - load.at_s) / PEAK_DECAY_S)
        load.cost_s = sample_s if sample_s > load.cost_s else load.cost_s * weight + sample_s * (1 - weight)
        load.at_s = at_s


class Oracle(Ranker):
    """Knows the true state, though not the luck of the next attempt."""

    def __init__(self, world: World, network: Network) -> None:
        self._world = world
        self._network = network

    def order(self, at_s: float) -> Sequence[int]:
        """As Ranker."""
        costs = [self._cost_s(provider, at_s) for provider in range(len(self._world.providers))]
        return sorted(range(len(costs)), key=costs.__getitem__)

    def _cost_s(self, provider: int, at_s: float) -> float:
        profile, now = self._world.providers[provider], self._network.condition(provider, at_s)
        if now.down or now.hangs or (now.rate is not None and self._network.limited(provider, now.rate, at_s)):
            return math.inf
        mean_s = profile.median_s * now.slow * math.exp(profile.spread**2 / 2)
        return mean_s + now.failure / (1 - now.failure) * FAILURE_WEIGHS_S
