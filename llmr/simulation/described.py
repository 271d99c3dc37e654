"""Worlds from a TOML file, so that a routing.toml can be tried on a bad day of one's own making.

    name = "bad monday"             # what it is called; left out: the file's name (`llmr help worlds` has all of this, too)
    about = "the fast one goes down"
    duration_s = 3600
    model = "gpt-4o"                # what is asked for, as rules see it; left out: "simulated"

    [arrivals]                      # left out: per_s = 0.5
    per_s = 0.5                     # Poisson; or bursts: gap_s = 900, prompts = 8, spacing_s = 20

    [[providers]]                   # in the user's own order; a provider of routing.toml of this name brings its limits
    name = "openai"
    median_s = 0.5                  # to the first token
    spread = 0.4                    # σ of its logarithm; left out: .5
    failure = 0.01                  # left out: .01
    hang_share = 0.2                # of the failures; left out: .2
    usd_per_1000 = 4.0              # requests
    model = "gpt-4o-2024-11-20"     # its model-id there; left out: "model"

    [[incidents]]                   # as many as there are
    providers = ["openai"]
    kind = "slow"                   # down | slow | errors | rate | hang | flap
    start_s = 600
    end_s = 1200
    factor = 6                      # slow
    # errors: share = 0.4 · rate: per_minute = 6, burst = 3, retry_after_s = 20 · flap: period_s = 40

Everything that is wrong is told at once, each with its line and its mend. Small tables say what every key may hold.
"""

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, cast

from llmr.config.toml_lines import KeyPath, dotted, key_lines
from llmr.config.wording import kind_of, plain, show, suggestion
from llmr.dataclass import dataclass
from llmr.errors import UsageError
from llmr.simulation.world import USUAL_MODEL, USUAL_NAME, Bursts, Incident, IncidentKind, Profile, Steady, World

MOST_REQUESTS: Final = 200_000  # a few minutes' work for the production policy
LONGEST_S: Final = 30 * 86_400.0


class WorldFaults(UsageError):
    """A world that cannot be simulated: `every` is what is wrong with it, each with its line."""

    def __init__(self, every: Sequence[str]) -> None:
        super().__init__("; ".join(every))
        self.every = tuple(every)


@dataclass(frozen=True, slots=True)
class _Number:
    """A key that holds a number in [least, most]; with `above`, not `least` itself. `default` None: it must be given."""

    least: float
    most: float
    default: float | None
    above: bool = False


_TOP: Final[Mapping[str, _Number]] = MappingProxyType({"duration_s": _Number(0.0, LONGEST_S, None, above=True)})
_STEADY: Final[Mapping[str, _Number]] = MappingProxyType({"per_s": _Number(0.0, 1e4, 0.5, above=True)})
_BURSTS: Final[Mapping[str, _Number]] = MappingProxyType(
    {
        "gap_s": _Number(0.0, 1e7, None, above=True),
        "prompts": _Number(1.0, 1e6, None),
        "spacing_s": _Number(0.0, 1e7, None, above=True),
    }
)
_PROFILE: Final[Mapping[str, _Number]] = MappingProxyType(
    {
        "median_s": _Number(0.0, 600.0, None, above=True),
        "spread": _Number(0.0, 3.0, 0.5),
        "failure": _Number(0.0, 1.0, 0.01),
        "hang_share": _Number(0.0, 1.0, 0.2),
        "usd_per_1000": _Number(0.0, 1e6, None),
    }
)
_INCIDENT: Final[Mapping[str, _Number]] = MappingProxyType(
    {"start_s": _Number(0.0, LONGEST_S, None), "end_s": _Number(0.0, LONGEST_S, None)}
)
_OF_KIND: Final[Mapping[IncidentKind, Mapping[str, _Number]]] = MappingProxyType(
    {
        IncidentKind.DOWN: {},
        IncidentKind.SLOW: {"factor": _Number(0.0, 1e3, None, above=True)},
        IncidentKind.ERRORS: {"share": _Number(0.0, 1.0, None)},
        IncidentKind.RATE: {
            "per_minute": _Number(0.0, 1e6, 6.0, above=True),
            "burst": _Number(1.0, 1e6, 3.0),
            "retry_after_s": _Number(0.0, 86_400.0, 20.0),
        },
        IncidentKind.HANG: {},
        IncidentKind.FLAP: {"period_s": _Number(0.0, LONGEST_S, 40.0, above=True)},
    }
)


def described(text: str, label: str, name: str) -> World:
    """The world that the TOML `text` describes; `label` is what its messages call it, `name` what it is called by default.

    Raises WorldFaults, which tells every fault with its line, and UsageError.
    """
    try:
        table = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise UsageError(f"{plain(label)}: not valid TOML: {str(error).lower()}") from error
    reader = _Reader(text, label)
    world = reader.world(table, name)
    if reader.faults:
        raise WorldFaults(reader.faults)
    _refuse_too_many(world, label)
    return world


def expected_requests(world: World) -> float:
    """How many requests will come, in the mean."""
    match world.arrivals:
        case Steady(per_s):
            return world.duration_s * per_s
        case Bursts(gap_s, prompts, spacing_s):
            return world.duration_s / (gap_s + (prompts - 1) * spacing_s) * prompts


def _refuse_too_many(world: World, label: str) -> None:
    expected = expected_requests(world)
    if expected > MOST_REQUESTS:
        raise UsageError(
            f"{plain(label)}: about {expected:,.0f} requests would come; at most {MOST_REQUESTS:,} are simulated: "
            "shorten duration_s, or let fewer arrive"
        )


def _as_list(value: Any) -> list[Any] | None:
    return value if isinstance(value, list) else None  # pyright: ignore[reportUnknownVariableType] - TOML


def _as_table(value: Any) -> dict[str, Any] | None:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else None


class _Reader:
    """Takes a table apart and collects what is wrong with it; what is wrong is replaced, so that reading goes on."""

    def __init__(self, text: str, label: str) -> None:
        self._text = text
        self._label = label
        self.faults: list[str] = []

    def world(self, table: Mapping[str, Any], name: str) -> World:
        self._known((), table, ("name", "about", "model", *_TOP, "arrivals", "providers", "incidents"))
        numbers = self._numbers((), table, _TOP)
        providers = tuple(
            self._profile(("providers", index), row) for index, row in self._tables(table, "providers", needed=True)
        )
        names = [profile.name for profile in providers]
        for index, profile in enumerate(providers):
            if profile.name in names[:index]:
                self._fault(("providers", index, "name"), f"{show(profile.name)} is there already")
        return World(
            name=self._text_at((), table, "name", name),
            duration_s=numbers["duration_s"],
            providers=providers,
            incidents=tuple(
                self._incident(("incidents", index), row, names, numbers["duration_s"])
                for index, row in self._tables(table, "incidents", needed=False)
            ),
            arrivals=self._arrivals(table),
            about=self._text_at((), table, "about", ""),
            asks=self._text_at((), table, "model", USUAL_NAME),
        )

    def _arrivals(self, table: Mapping[str, Any]) -> Steady | Bursts:
        given = _as_table(table.get("arrivals", {}))
        if given is None:
            self._fault(("arrivals",), f"expected a table, found {kind_of(table['arrivals'])}")
            return Steady(0.5)
        if any(key in given for key in _BURSTS):
            self._known(("arrivals",), given, _BURSTS)
            return Bursts(**self._numbers(("arrivals",), given, _BURSTS))
        self._known(("arrivals",), given, (*_STEADY, *_BURSTS))
        return Steady(**self._numbers(("arrivals",), given, _STEADY))

    def _profile(self, path: KeyPath, row: Mapping[str, Any]) -> Profile:
        self._known(path, row, ("name", "model", *_PROFILE))
        name = self._text_at(path, row, "name", None)
        if "/" in name:
            self._fault((*path, "name"), "a provider's name holds no slash")
        numbers = self._numbers(path, row, _PROFILE)
        return Profile(name, model=self._text_at(path, row, "model", USUAL_MODEL), **numbers)

    def _incident(self, path: KeyPath, row: Mapping[str, Any], names: list[str], duration_s: float) -> Incident:
        kind = self._kind(path, row)
        allowed = {**_INCIDENT, **(_OF_KIND[kind] if kind is not None else {})}
        if kind is not None:
            self._known(path, row, ("providers", "kind", *allowed), f"a {kind} incident takes")
        numbers = self._numbers(path, row, allowed)
        if numbers["end_s"] <= numbers["start_s"] and "end_s" in row and "start_s" in row:
            self._fault((*path, "end_s"), "ends before it starts")
        if numbers["start_s"] >= duration_s > 0:
            self._fault((*path, "start_s"), f"starts after the world has ended: duration_s is {duration_s:g}")
        return Incident(providers=self._struck(path, row, names), kind=kind or IncidentKind.DOWN, **numbers)

    def _kind(self, path: KeyPath, row: Mapping[str, Any]) -> IncidentKind | None:
        word = self._text_at(path, row, "kind", None)
        kinds = {kind.value: kind for kind in IncidentKind}
        if word in kinds:
            return kinds[word]
        if word:
            self._fault((*path, "kind"), f"{show(word)} is not known{suggestion(word, kinds)}")
        return None

    def _struck(self, path: KeyPath, row: Mapping[str, Any], names: list[str]) -> tuple[str, ...]:
        found = _as_list(row.get("providers"))
        if not found:
            self._fault((*path, "providers"), "expected a list of providers' names")
            return ()
        struck: list[str] = []
        for index, name in enumerate(found):
            if not isinstance(name, str):
                self._fault((*path, "providers", index), f"expected a provider's name, found {kind_of(name)}")
            elif name not in names:
                self._fault((*path, "providers", index), f"{show(name)} is no provider here{suggestion(name, names)}")
            else:
                struck.append(name)
        return tuple(struck)

    def _tables(self, table: Mapping[str, Any], key: str, *, needed: bool) -> Iterator[tuple[int, Mapping[str, Any]]]:
        rows = _as_list(table.get(key, []))
        if rows is None or (needed and not rows):
            self._fault((key,), f"write one or more [[{key}]] tables")
            return
        for index, found in enumerate(rows):
            row = _as_table(found)
            if row is None:
                self._fault((key, index), f"expected a table, found {kind_of(found)}")
            else:
                yield index, row

    def _numbers(self, path: KeyPath, row: Mapping[str, Any], wanted: Mapping[str, _Number]) -> dict[str, float]:
        return {key: self._number((*path, key), row.get(key), number) for key, number in wanted.items()}

    def _number(self, path: KeyPath, found: Any, number: _Number) -> float:
        fallback = number.least if number.default is None else number.default
        if found is None:
            if number.default is None:
                self._fault(path, "is missing")
            return fallback
        if isinstance(found, bool) or not isinstance(found, int | float):
            self._fault(path, f"expected a number, found {kind_of(found)}")
            return fallback
        if not number.least <= found <= number.most or (number.above and found == number.least):
            least = f"above {number.least:g}" if number.above else f"at least {number.least:g}"
            self._fault(path, f"expected {least} and at most {number.most:g}, found {kind_of(found)}")
            return fallback
        return float(found)

    def _text_at(self, path: KeyPath, row: Mapping[str, Any], key: str, default: str | None) -> str:
        """The text at `key`; `default` None: it must be given."""
        found = row.get(key, default)
        if isinstance(found, str) and (found or default is not None):
            return found
        self._fault((*path, key), "is missing" if found is None else f"expected a name, found {kind_of(found)}")
        return default or ""

    def _known(self, path: KeyPath, row: Mapping[str, Any], keys: Any, of: str = "known:") -> None:
        for key in row:
            if key not in keys:
                tail = suggestion(key, keys)
                self._fault((*path, key), f"unknown key{tail.replace('known:', of)}")

    def _fault(self, path: KeyPath, message: str) -> None:
        lines = key_lines(self._text)
        line = next((lines[path[:n]] for n in range(len(path), 0, -1) if path[:n] in lines), None)
        where = plain(self._label) if line is None else f"{plain(self._label)}:{line}"
        self.faults.append(f"{where}: {dotted(path)}: {message}")
