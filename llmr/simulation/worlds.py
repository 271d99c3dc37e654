"""The built-in worlds of shared/design/worlds.md: the serve and CLI timelines and the single incidents."""

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final

from llmr.simulation.world import Bursts, Incident, IncidentKind, Profile, Steady, World

PROVIDERS: Final = (  # name, median s, σ, failures, hang share, $/1000
    Profile("A-fast", 0.35, 0.45, 0.015, 0.2, 4.0),
    Profile("B-solid", 0.60, 0.40, 0.004, 0.2, 5.0),
    Profile("C-cheap", 1.1, 0.60, 0.010, 0.3, 1.5),
    Profile("D-premium", 0.80, 0.30, 0.002, 0.2, 9.0),
    Profile("E-aggr", 0.90, 0.90, 0.020, 0.3, 3.0),
    Profile("F-slow", 2.0, 0.50, 0.010, 0.3, 1.0),
)
SERVE_ARRIVALS: Final = Steady(0.5)
CLI_ARRIVALS: Final = Bursts(gap_s=900.0, prompts=8.0, spacing_s=20.0)  # 1 + geometric(1/8) from 0: of mean 7
CLI_STRETCH: Final = 12.0

_A, _B, _C, _D, _E, _F = ((profile.name,) for profile in PROVIDERS)
_DOWN, _SLOW, _ERRORS, _RATE, _HANG, _FLAP = IncidentKind

_TIMELINE: Final = (
    Incident(600, 1200, _A, _DOWN),
    Incident(1500, 2100, _A, _SLOW, factor=6.0),
    Incident(2400, 3000, _B, _ERRORS, share=0.4),
    Incident(3000, 3600, _A, _RATE),
    Incident(3600, 4200, (*_A, *_B, *_C), _SLOW, factor=3.0),
    Incident(4200, 4500, _A, _HANG),
    Incident(4620, 5400, _A, _FLAP),
    Incident(5400, 6600, _D, _SLOW, factor=0.4),
    Incident(5400, 6600, _A, _SLOW, factor=2.0),
)

SERVE: Final = World(
    "serve",
    7_200.0,
    PROVIDERS,
    _TIMELINE,
    SERVE_ARRIVALS,
    "two hours of a server: outage, brownout, errors, 429s, a slowdown of three, a hang, flapping, a change of the best",
)
CLI: Final = World(
    "cli",
    7_200.0 * CLI_STRETCH,
    PROVIDERS,
    tuple(
        replace(incident, start_s=incident.start_s * CLI_STRETCH, end_s=incident.end_s * CLI_STRETCH)
        for incident in _TIMELINE
        if incident.kind is not _FLAP
    ),
    CLI_ARRIVALS,
    "a day at a terminal: bursts of eight prompts each quarter of an hour, the same troubles twelve times as long",
)


def _single(name: str, about: str, *incidents: Incident, duration_s: float = 1_800.0) -> World:
    return World(name, duration_s, PROVIDERS, incidents, SERVE_ARRIVALS, about)


_EVERYONE: Final = tuple(profile.name for profile in PROVIDERS)

WORLDS: Final[Mapping[str, World]] = MappingProxyType(
    {
        world.name: world
        for world in (
            SERVE,
            CLI,
            _single("outage", "the best is down for 10 min", Incident(600, 1200, _A, _DOWN)),
            _single("hang", "the best never answers for 5 min", Incident(600, 900, _A, _HANG)),
            _single("brownout", "the best is six times as slow for 10 min", Incident(600, 1200, _A, _SLOW, factor=6.0)),
            _single(
                "errors", "the best fails four times in ten for 10 min", Incident(600, 1200, _A, _ERRORS, share=0.4)
            ),
            _single("rate-storm", "the best takes six requests a minute for 10 min", Incident(600, 1200, _A, _RATE)),
            _single(
                "slowdown",
                "three together are three times as slow",
                Incident(600, 1200, (*_A, *_B, *_C), _SLOW, factor=3.0),
            ),
            _single("flapping", "the best is down for 20 s out of every 40", Incident(600, 1200, _A, _FLAP)),
            _single("majority", "three of six are down for 10 min", Incident(600, 1200, (*_A, *_B, *_D), _DOWN)),
            _single("blackout", "everybody is down for 45 s", Incident(600, 645, _EVERYONE, _DOWN)),
            _single(
                "late-star",
                "the best is eight times as slow for its first 15 min",
                Incident(0, 900, _A, _SLOW, factor=8.0),
                duration_s=3_600.0,
            ),
            _single("steady", "nothing goes wrong"),
        )
    }
)
"""By name, as `llmr simulate --world` takes it."""
