"""A world: who serves how well, what goes wrong when, and when requests come. Values; shared/design/worlds.md has the facts.

Times are seconds since the world began. An incident holds from `start_s` (inclusive) to `end_s` (exclusive); where several
hold at once their slow-downs multiply and the worst failure counts.
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import Final, assert_never

from llmr.dataclass import dataclass

USUAL_NAME: Final = "simulated"
USUAL_MODEL: Final = "model"


@dataclass(frozen=True, slots=True)
class Profile:
    """A provider on a good day. `median_s` of the first token, `spread` σ of its logarithm, `failure` the probability that
    an attempt fails, `hang_share` the share of failures that never answer, `usd_per_1000` requests; `model` is the id that
    rules see."""

    name: str
    median_s: float
    spread: float
    failure: float
    hang_share: float
    usd_per_1000: float
    model: str = USUAL_MODEL


class IncidentKind(StrEnum):
    """What goes wrong."""

    DOWN = "down"  # every attempt fails soon
    SLOW = "slow"  # × factor; below 1: faster
    ERRORS = "errors"  # `share` of the attempts fail
    RATE = "rate"  # 429 beyond per_minute
    HANG = "hang"  # nothing ever comes
    FLAP = "flap"  # down for the first half of every period


@dataclass(frozen=True, slots=True)
class Incident:
    """Something that happens to `providers` together. Fields that its kind does not use are ignored."""

    start_s: float
    end_s: float
    providers: tuple[str, ...]
    kind: IncidentKind
    factor: float = 1.0
    share: float = 0.0
    per_minute: float = 6.0
    burst: float = 3.0
    retry_after_s: float = 20.0
    period_s: float = 40.0


@dataclass(frozen=True, slots=True)
class Steady:
    """Requests as a Poisson process."""

    per_s: float


@dataclass(frozen=True, slots=True)
class Bursts:
    """Somebody at a terminal: after exponential gaps, `prompts` in the mean (1 + geometric), exponential spacing
    apart."""

    gap_s: float
    prompts: float
    spacing_s: float


@dataclass(frozen=True, slots=True)
class World:
    """What is simulated. Providers are in the user's own order; incidents name them. `about` is one line for people; `asks`
    the name that every request asks for."""

    name: str
    duration_s: float
    providers: tuple[Profile, ...]
    incidents: tuple[Incident, ...]
    arrivals: Steady | Bursts
    about: str = ""
    asks: str = USUAL_NAME


@dataclass(frozen=True, slots=True)
class Condition:
    """One provider at one moment. `rate` is the incident that limits it, None: nothing does."""

    down: bool = False
    hangs: bool = False
    slow: float = 1.0
    failure: float = 0.0
    rate: Incident | None = None


def condition(profile: Profile, incidents: Sequence[Incident], at_s: float) -> Condition:
    """How the provider is at `at_s`; `incidents` are those that name it."""
    down = hangs = False
    slow, failure = 1.0, profile.failure
    rate: Incident | None = None
    for incident in incidents:
        if not incident.start_s <= at_s < incident.end_s:
            continue
        match incident.kind:
            case IncidentKind.DOWN:
                down = True
            case IncidentKind.SLOW:
                slow *= incident.factor
            case IncidentKind.ERRORS:
                failure = max(failure, incident.share)
            case IncidentKind.RATE:
                rate = incident
            case IncidentKind.HANG:
                hangs = True
            case IncidentKind.FLAP:
                down = down or (at_s - incident.start_s) % incident.period_s < incident.period_s / 2
            case _:
                assert_never(incident.kind)
    return Condition(down, hangs, slow, failure, rate)
