"""What an attempt comes to: the physics of a world, as in shared/design/worlds.md.

    limited → 429 after .15 s · hanging → never · down → error after .3·e^(.5·N)
    else with its failure probability an error (or, for its hang share, never) · else ok after median · slow · e^(σ·N)

An answer is known when it is asked for, because it depends on nothing that happens later; whoever asks must not look at it
before its time has come. Only the rate limit remembers, so attempts have to be started in the order of time.
"""

import math
from enum import StrEnum
from typing import Final

from llmr.dataclass import dataclass
from llmr.simulation.luck import normal, uniform
from llmr.simulation.world import Condition, Incident, World, condition

LIMITED_AFTER_S: Final = 0.15  # worlds.md, as every figure here
ERROR_MEDIAN_S: Final = 0.3
ERROR_SPREAD: Final = 0.5
_FAILS, _HANGS, _ERROR_TAKES, _ANSWER_TAKES = range(4)


class AnswerKind(StrEnum):
    """What comes back."""

    OK = "ok"
    ERROR = "error"
    LIMITED = "limited"
    NEVER = "never"


@dataclass(frozen=True, slots=True)
class Answer:
    """`after_s` from the start of the attempt, inf for NEVER."""

    kind: AnswerKind
    after_s: float
    retry_after_s: float | None = None


@dataclass(slots=True)
class _Bucket:
    """A provider's own rate limit while an incident holds."""

    incident: Incident
    tokens: float
    at_s: float


class Network:
    """All providers of a world, for one policy and one seed."""

    def __init__(self, world: World, seed: int) -> None:
        self._world = world
        self._seed = seed
        self._incidents = tuple(
            tuple(incident for incident in world.incidents if profile.name in incident.providers)
            for profile in world.providers
        )
        self._buckets: dict[int, _Bucket] = {}

    def condition(self, provider: int, at_s: float) -> Condition:
        """The true state of `provider`, an index."""
        return condition(self._world.providers[provider], self._incidents[provider], at_s)

    def limited(self, provider: int, rate: Incident, at_s: float) -> bool:
        """Whether the next request would get a 429."""
        return self._bucket(provider, rate, at_s).tokens < 1

    def ask(self, request: int, provider: int, attempt: int, at_s: float) -> Answer:
        """The answer to the `attempt`-th try (from 0) of `request` on `provider`, started at `at_s`."""
        profile, now = self._world.providers[provider], self.condition(provider, at_s)
        if now.rate is not None:
            bucket = self._bucket(provider, now.rate, at_s)
            if bucket.tokens < 1:
                return Answer(AnswerKind.LIMITED, LIMITED_AFTER_S, now.rate.retry_after_s)
            bucket.tokens -= 1
        key = (self._seed, request, provider, attempt)
        if now.hangs:
            return Answer(AnswerKind.NEVER, math.inf)
        if now.down or uniform(*key, _FAILS) < now.failure:
            if not now.down and uniform(*key, _HANGS) < profile.hang_share:
                return Answer(AnswerKind.NEVER, math.inf)
            return Answer(AnswerKind.ERROR, ERROR_MEDIAN_S * math.exp(ERROR_SPREAD * normal(*key, _ERROR_TAKES)))
        took_s = profile.median_s * now.slow * math.exp(profile.spread * normal(*key, _ANSWER_TAKES))
        return Answer(AnswerKind.OK, took_s)

    def _bucket(self, provider: int, rate: Incident, at_s: float) -> _Bucket:
        bucket = self._buckets.get(provider)
        if bucket is None or bucket.incident is not rate:
            bucket = self._buckets[provider] = _Bucket(rate, rate.burst, at_s)
        bucket.tokens = min(rate.burst, bucket.tokens + (at_s - bucket.at_s) * rate.per_minute / 60)
        bucket.at_s = at_s
        return bucket
