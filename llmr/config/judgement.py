"""All that is wrong with the settings, found in one round: nobody should mend one line only to be told of the next.

What pydantic refuses hides what the checks behind it would say, so the refused settings are taken out of the table and the
rest is judged as if they had never been there. What is only wrong because of what was taken out is not told.
"""

from collections.abc import Iterable, Sequence
from copy import deepcopy
from typing import Any, Final

from llmr.config.checks import faults_in
from llmr.config.environment import PREFIX
from llmr.config.origin import Fault, Origins, Place, TomlTable, exists
from llmr.config.schema import RoutingFile
from llmr.config.toml_lines import KeyPath, dotted
from llmr.config.validation import validated
from llmr.config.wording import did_you_mean, plain, show
from llmr.dataclass import dataclass
from llmr.errors import ConfigError, TrustError, Wrong

MOST_TOLD: Final = 50  # the file may be somebody else's; the screen is ours
_ROUNDS: Final = 4  # a table that lost what it cannot be without is taken out with the next


@dataclass(frozen=True, slots=True)
class Judged:
    """`settings` is what is left of the table without what is wrong in itself, None: nothing that could be judged."""

    settings: RoutingFile | None
    faults: tuple[Fault, ...]
    origins: Origins

    @property
    def sound(self) -> RoutingFile | None:
        """The settings, as far as no provider in them has a fault: what may be asked about keys and origins."""
        if self.settings is None:
            return None
        faulty = {fault.path[1] for fault in self.faults if fault.path[:1] == ("providers",) and len(fault.path) > 1}
        providers = {name: said for name, said in self.settings.providers.items() if name not in faulty}
        return self.settings.model_copy(update={"providers": providers}) if faulty else self.settings


def judged(table: TomlTable, origins: Origins) -> Judged:
    """Validate and check, as far as it goes."""
    found = validated(table)
    if isinstance(found, RoutingFile):
        return Judged(found, tuple(faults_in(found, origins)), origins)
    refused, left, gone = found, deepcopy(table), set[KeyPath]()
    for _ in range(_ROUNDS):
        gone |= {path for fault in found if (path := _removed(left, fault.path))}
        found = validated(left)
        if isinstance(found, RoutingFile):
            others = [fault for fault in faults_in(found, origins) if not _follows(fault, gone)]
            return Judged(found, (*refused, *others), origins)
    return Judged(None, refused, origins)


def raise_all(several: Iterable[Judged]) -> None:
    """Raise the one error for everything that is wrong: it begins with what stands first, in the strongest file but one's own
    variables. Nothing wrong: nothing is raised."""
    told: dict[str, tuple[tuple[int, int], Wrong, bool]] = {}
    for one in several:
        labels = [layer.label for layer in one.origins.layers]
        placed = [(one.origins.place(fault.path) or Place(labels[-1], None), fault) for fault in one.faults]
        placed.sort(key=lambda pair: _order(pair[0], labels))
        for place, fault in placed[:MOST_TOLD]:
            wrong = _worded(place, fault, one.origins)
            told.setdefault(wrong.text, (_order(place, labels), wrong, fault.distrust))
        for place, fault in placed[MOST_TOLD:]:
            told.setdefault(f"{place} {fault.path}", (_order(place, labels), _UNTOLD, fault.distrust))
    if told:
        raise _error(sorted(told.values(), key=lambda each: each[0]))


_UNTOLD: Final = Wrong("")


def _error(told: Sequence[tuple[tuple[int, int], Wrong, bool]]) -> ConfigError:
    (_, first, distrusted), *others = told
    counted = "" if not others else f" (and {len(others)} more error{'s' if len(others) > 1 else ''})"
    every = [wrong for _, wrong, _ in told if wrong is not _UNTOLD][:MOST_TOLD]
    kind = TrustError if distrusted else ConfigError
    return kind(first.text + counted, every=every, more=len(told) - len(every))


def _order(place: Place, labels: Sequence[str]) -> tuple[int, int]:
    return (labels.index(place.label) if place.label in labels else len(labels), place.line or 0)


def _worded(place: Place, fault: Fault, origins: Origins) -> Wrong:
    is_variable = place.line is None and place.label.startswith(PREFIX)
    key = dotted(origins.as_said(fault.path))
    said = _with_value(fault, origins) if is_variable else fault.worded()
    return Wrong(
        text=f"{place}:{'' if is_variable else f' {key}:'} {said}",
        file=plain(place.label),
        line=place.line,
        key=key,
        message=said,
        suggestion=did_you_mean(fault.word, fault.known) if fault.word else None,
    )


_FIGURES: Final = ("expected a number", "expected a whole number", "expected true or false")
_SHORT: Final = 24  # characters of a value that is shown: who mistypes a figure writes no more


def _with_value(fault: Fault, origins: Origins) -> str:
    """The message with the text that a variable has where a figure belongs: no line leads to it, and it is no secret's place.
    What is long is not shown all the same, nor what is shaped like a key."""
    speaker = origins.speaker(fault.path)
    found: Any = None if speaker is None else speaker.table
    for step in fault.path:
        found = found[step] if isinstance(found, dict) and step in found else None  # pyright: ignore[reportUnknownVariableType] - TOML
    said = fault.worded()
    if not isinstance(found, str) or len(found) > _SHORT or not said.startswith(_FIGURES):
        return said
    return said.replace("found a string", f"found {show(found)}")


def _removed(table: TomlTable, path: KeyPath) -> KeyPath:
    """Take out what is at `path`, or the table that lacks it; the path that is gone, (): none. A place in a list stays, for
    those behind it are counted: then the whole list goes."""
    while path and (not exists(table, path) or isinstance(path[-1], int)):
        path = path[:-1]
    if path:
        here: Any = table
        for step in path[:-1]:
            here = here[step]
        del here[path[-1]]
    return path


def _follows(fault: Fault, gone: Iterable[KeyPath]) -> bool:
    """Whether it is about what was taken out, names it, or misses what a mistyped key was meant to say."""
    return any(_overlap(fault.path, path) or _names(fault, path) or _meant(fault.path, path) for path in gone)


def _names(fault: Fault, path: KeyPath) -> bool:
    return bool(fault.word) and (path in {("models",), ("providers",)} or (len(path) == 2 and fault.word == path[1]))


def _meant(missing: KeyPath, typed: KeyPath) -> bool:
    return missing[:-1] == typed[:-1] and did_you_mean(str(typed[-1]), [str(missing[-1])]) is not None


def _overlap(one: KeyPath, other: KeyPath) -> bool:
    shorter = min(len(one), len(other))
    return one[:shorter] == other[:shorter]
