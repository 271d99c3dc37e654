"""`llmr simulate`: worlds and policies chosen, run, and told as a table or as JSON."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from llmr.cli.choices import check_strategy
from llmr.cli.exit_codes import ExitCode
from llmr.cli.listing import configured
from llmr.cli.output import print_line
from llmr.cli.say import say
from llmr.cli.screen import screen, show
from llmr.cli.simulate_view import document, listing_document, listing_view, scene_json, scene_view
from llmr.cli.spinner import ProgressLine, spinner_wanted
from llmr.config.environment import Environment
from llmr.config.wording import suggestion
from llmr.dataclass import dataclass
from llmr.errors import UsageError
from llmr.simulation.described import WorldFaults, described
from llmr.simulation.figures import Figures
from llmr.simulation.policies import ABOUT, Configured, policies
from llmr.simulation.random_worlds import random_world
from llmr.simulation.run import PolicyFactory
from llmr.simulation.side_by_side import Scene, measured, scene
from llmr.simulation.world import World
from llmr.simulation.worlds import SERVE, WORLDS

USUAL_SEED: Final = 1
_SPAN: Final = re.compile(r"(\d{1,9})(?:-(\d{1,9}))?")
_MOST_SEEDS: Final = 1_000
_LARGEST_FILE: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Wanted:
    """What was typed. `random` worlds by seed; `seeds` as `A-B`; no worlds: serve; no policies: all; `strategy` over the
    configured one."""

    worlds: tuple[str, ...] = ()
    random: int = 0
    seed: int | None = None
    seeds: str | None = None
    policies: tuple[str, ...] = ()
    strategy: str | None = None


def run_simulate(wanted: Wanted, *, config_file: str | None, as_json: bool) -> int:
    """Run and print. Raises LlmrError."""
    check_strategy(wanted.strategy)
    try:
        scenes = tuple(_scenes(wanted))
    except WorldFaults as faults:
        for fault in faults.every:
            say(f"llmr: {fault}")
        return int(ExitCode.USAGE)
    config = configured(config_file)
    asked = Configured(config.policy, config.rules, config.catalog, wanted.strategy)
    chosen = _chosen(wanted.policies, policies(asked))
    second_usd = config.policy.second_is_worth_usd
    if as_json:
        told = [
            scene_json(one, _figures(one, chosen), asked.strategy_for(one.runs[0][0]), second_usd) for one in scenes
        ]
        strategy = wanted.strategy or config.policy.strategy.value
        print_line(json.dumps(document(told, strategy, second_usd), allow_nan=False))
        return int(ExitCode.OK)
    on = screen()
    for place, one in enumerate(scenes):
        found = _figures(one, chosen)
        show([()] if place else [], on)
        show(scene_view(one, found, _ranking(asked, one), second_usd, on.width), on)
    return int(ExitCode.OK)


def _figures(one: Scene, chosen: Mapping[str, PolicyFactory]) -> Mapping[str, Figures | None]:
    """The scene's figures; how far it is is told on a terminal."""
    places = {name: place for place, name in enumerate(chosen, 1)}
    with ProgressLine(shown=spinner_wanted(dumb=Environment.from_process().dumb_terminal)) as line:

        def begins(policy: str, run: int) -> None:
            of_runs = f", run {run + 1} of {len(one.runs)}" if len(one.runs) > 1 else ""
            line.tell(f"simulating {one.name}: {policy}, {places[policy]} of {len(chosen)}{of_runs}")

        return dict(measured(one, chosen, begins))


def _ranking(asked: Configured, one: Scene) -> str:
    """By what llmr ranks in a scene, for people."""
    unless = ", unless a rule says otherwise" if asked.rules_say_otherwise else ""
    return f"llmr ranks by {asked.strategy_for(one.runs[0][0])}{unless}"


def run_list(*, as_json: bool) -> int:
    """Print what can be chosen."""
    if as_json:
        print_line(json.dumps(listing_document(WORLDS, ABOUT), allow_nan=False))
        return int(ExitCode.OK)
    on = screen()
    show(listing_view(WORLDS, ABOUT, on.width), on)
    return int(ExitCode.OK)


def _scenes(wanted: Wanted) -> Iterator[Scene]:
    seeds = _seeds(wanted)
    for word in wanted.worlds or (() if wanted.random else (SERVE.name,)):
        yield scene(_world(word), seeds)
    if wanted.random:
        if wanted.seeds is not None and len(seeds) != wanted.random:
            raise UsageError(
                f"--random {wanted.random} is as many worlds, one per seed, and --seeds {wanted.seeds} has {len(seeds)} "
                "of them: say the same number, or the first seed by --seed"
            )
        numbers = range(seeds[0], seeds[0] + wanted.random)
        worlds = tuple((random_world(number), number) for number in numbers)
        yield Scene(f"{len(worlds)} random worlds", "six providers each, and what befalls them, by seed", worlds)


def _seeds(wanted: Wanted) -> tuple[int, ...]:
    if wanted.seeds is None:
        return (USUAL_SEED if wanted.seed is None else wanted.seed,)
    if wanted.seed is not None:
        raise UsageError("--seed and --seeds say the same thing: give one of them")
    found = _SPAN.fullmatch(wanted.seeds.strip())
    if found is None:
        raise UsageError(f"--seeds takes A-B, two whole numbers such as 1-10, and not {wanted.seeds!r}")
    first = int(found[1])
    last = first if found[2] is None else int(found[2])
    if not first <= last < first + _MOST_SEEDS:
        raise UsageError(
            f"--seeds {wanted.seeds}: the second is at least the first, and there are at most {_MOST_SEEDS:,}"
        )
    return tuple(range(first, last + 1))


def _world(word: str) -> World:
    """A built-in world by name, else a file. Raises UsageError."""
    if word in WORLDS:
        return WORLDS[word]
    path = Path(word)
    if path.suffix != ".toml" and not path.is_file():
        raise UsageError(f"no world is called {word!r}{suggestion(word, WORLDS)}; a file of one's own ends in .toml")
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST_FILE + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "not a file name"
        raise UsageError(f"{word}: cannot be read: {reason.lower()}") from error
    if len(content) > _LARGEST_FILE:
        raise UsageError(f"{word}: larger than 1 MiB: not a world")
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        raise UsageError(f"{word}: not UTF-8") from error
    return described(text.replace("\r\n", "\n"), word, path.stem)


def _chosen(words: tuple[str, ...], known: Mapping[str, PolicyFactory]) -> Mapping[str, PolicyFactory]:
    for word in words:
        if word not in known:
            raise UsageError(f"no policy is called {word!r}{suggestion(word, known)}")
    return {name: known[name] for name in dict.fromkeys(words)} if words else known
