"""A simulation, told: one table per scene, and the JSON document."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final

from llmr.money import exactly
from llmr.render import figures as shown
from llmr.render.ink import Line, Tone, clipped, ink, wrapped_line
from llmr.render.table import Align, Column, table
from llmr.simulation.described import expected_requests
from llmr.simulation.figures import Figures
from llmr.simulation.policies import HEDGED, PRODUCTION
from llmr.simulation.side_by_side import Scene
from llmr.simulation.world import World

SCHEMA: Final = "llmr.simulate/1"
LIST_SCHEMA: Final = "llmr.simulate.list/1"
_COLUMNS: Final = (
    Column("policy"),
    Column("mean", Align.RIGHT),
    Column("p50", Align.RIGHT, rank=2),
    Column("p99", Align.RIGHT),
    Column("p99.9", Align.RIGHT),
    Column("success", Align.RIGHT),
    Column("extra/1000", Align.RIGHT, rank=1),
    Column("waste", Align.RIGHT, rank=3),
    Column("$/1000", Align.RIGHT),
    Column("cost+wait", Align.RIGHT),
)
_OURS: Final = frozenset({PRODUCTION, HEDGED})


def scene_view(
    scene: Scene, found: Mapping[str, Figures | None], ranking: str, second_usd: float, width: int | None
) -> list[Line]:
    """What happened, in numbers: seconds to the first token, requests beyond one each, money, and both together. `ranking`
    says by what llmr ranks; `second_usd` what a second is worth to the user."""
    counts = [one.requests for one in found.values() if one is not None]
    seeds = scene.seeds
    by = f"seed {seeds[0]}" if len(seeds) == 1 else f"seeds {seeds[0]}–{seeds[-1]}"
    head = f"{scene.name}: {shown.count(counts[0] if counts else 0)} requests, {by}; {ranking}"
    lines = [_cut(ink(head, Tone.STRONG), width), _cut(ink(f"  {scene.about}", Tone.FAINT), width)]
    rows = [_row(name, one, second_usd) for name, one in found.items() if one is not None]
    lines += [ink("  not one request came")] if not rows else table(_COLUMNS, rows, width)
    lines += [line for note in _notes(found, second_usd) if rows for line in wrapped_line(ink(note, Tone.FAINT), width)]
    return [line for line in lines if line]


def _notes(found: Mapping[str, Figures | None], second_usd: float) -> Iterator[str]:
    yield f"  cost+wait: $ per 1,000 requests, a second of waiting counted as {exactly(second_usd)} (second_is_worth_usd)"
    for name, one in found.items():
        if one is not None and one.over_budget:
            yield f"  {name}: {shown.counted(one.over_budget, 'request')} refused by your budget or price cap, as failed"


def _row(name: str, one: Figures, second_usd: float) -> tuple[Line, ...]:
    tone = Tone.STRONG if name in _OURS else Tone.PLAIN
    cells = (
        name,
        f"{one.mean_s:.2f} s",
        f"{one.p50_s:.2f} s",
        f"{one.p99_s:.1f} s",
        f"{one.p999_s:.1f} s",
        shown.share(one.success),
        f"{one.extra_per_1000:.0f}",
        shown.share(one.waste_share),
        shown.dollars(one.usd_per_1000),
        shown.dollars(one.cost_and_wait_usd_per_1000(second_usd)),
    )
    return tuple(ink(cell, tone) for cell in cells)


def scene_json(scene: Scene, found: Mapping[str, Figures | None], strategy: str, second_usd: float) -> dict[str, Any]:
    """One scene of the document; the keys of a policy are those of simulation.figures.Figures."""
    return {
        "scene": scene.name,
        "about": scene.about,
        "seeds": list(scene.seeds),
        "strategy": strategy,
        "policies": [
            {
                "policy": name,
                **asdict(one),
                "cost_and_wait_usd_per_1000": one.cost_and_wait_usd_per_1000(second_usd),
            }
            for name, one in found.items()
            if one is not None
        ],
    }


def document(scenes: Sequence[Mapping[str, Any]], strategy: str, second_usd: float) -> dict[str, Any]:
    """The document of `llmr simulate --json`."""
    return {"schema": SCHEMA, "strategy": strategy, "second_is_worth_usd": second_usd, "scenes": list(scenes)}


def listing_view(worlds: Mapping[str, World], about: Mapping[str, str], width: int | None) -> list[Line]:
    """The worlds and the policies."""
    world_rows = [
        (ink(world.name), ink(_length(world)), ink(shown.count(expected_requests(world))), ink(world.about))
        for world in worlds.values()
    ]
    policy_rows = [(ink(name), ink(what)) for name, what in about.items()]
    columns = (Column("world"), Column("lasts", Align.RIGHT), Column("requests", Align.RIGHT), Column("", least=20))
    return [
        *table(columns, world_rows, width),
        (),
        *table((Column("policy"), Column("", least=20)), policy_rows, width),
    ]


def listing_document(worlds: Mapping[str, World], about: Mapping[str, str]) -> dict[str, Any]:
    """The document of `llmr simulate --list --json`."""
    return {
        "schema": LIST_SCHEMA,
        "worlds": [
            {"world": w.name, "about": w.about, "duration_s": w.duration_s, "requests": round(expected_requests(w))}
            for w in worlds.values()
        ],
        "policies": [{"policy": name, "about": what} for name, what in about.items()],
    }


def _length(world: World) -> str:
    return shown.left(world.duration_s)


def _cut(line: Line, width: int | None) -> Line:
    return line if width is None else clipped(line, width)
