"""What the files and variables say together, when it is not known yet: parse, lay over each other, validate, check.

The slow half of loading: it imports pydantic and tomllib, and load.py imports it only when the snapshot does not fit. All
messages about settings are worded here: `routing.toml:12: providers.work.base_ur: unknown key; did you mean base_url?`
"""

import re
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from llmr.config.binding import Consent
from llmr.config.checks import faults_in
from llmr.config.environment import PREFIX, RESERVED, Environment
from llmr.config.merge import merged
from llmr.config.model_files import named_facts
from llmr.config.normal import Normal, normal_form
from llmr.config.origin import Fault, KeyPath, Layer, Origins, Place, TomlTable, dotted
from llmr.config.project import restricted
from llmr.config.schema import RoutingFile
from llmr.config.search import Found, FoundFile, Scope
from llmr.config.validation import is_known, keys_at, validated, variable_path, variables_table
from llmr.config.wording import did_you_mean, plain
from llmr.dataclass import dataclass
from llmr.errors import ConfigError, TrustError

_NOTICES: Final = 20
_POSITION: Final = re.compile(r"^(.*) \(at (?:line (\d+), column \d+|end of document)\)$", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Settled:
    """All sources laid over each other: validated, with the origin of everything."""

    settings: RoutingFile
    origins: Origins
    consent: Consent
    notices: tuple[str, ...]
    protected: tuple[str, ...]


def settle(found: Found, environment: Environment) -> Settled:
    """Raises ConfigError, or TrustError for what is not trusted, naming the first thing wrong and how many more."""
    files = [parsed(file) for file in found.files]
    variables, notices = _variables_layer(environment)
    user_layers = [layer for layer in (*files, variables) if layer.scope is not Scope.PROJECT]
    user_table, user_origins = merged(user_layers)
    projects = [restricted(layer, user_table) for layer in files if layer.scope is Scope.PROJECT]
    if not projects:
        settings, origins = _valid(user_table, user_origins), user_origins
        user_settings = settings
    else:
        user_settings = _valid(user_table, user_origins)
        table, origins = merged([*user_layers[:-1], *(layer for layer, _ in projects), variables])
        settings = _valid(table, origins)
    consent = Consent.given_by(_valid(files[0].table, Origins(files[:1])), user_settings)
    _raise_first(consent.faults_in(settings), origins)
    remarks = [remark for _, those in projects for remark in those]
    return Settled(
        settings,
        origins,
        consent,
        notices=(*notices, *_listed([remark.notice for remark in remarks])),
        protected=tuple(remark.notice for remark in remarks if remark.protected)[:_NOTICES],
    )


def _listed(notices: Sequence[str]) -> Sequence[str]:
    """The first of them, and how many more: the file is somebody else's, the screen is ours."""
    more = len(notices) - _NOTICES
    return notices if more <= 0 else [*notices[:_NOTICES], f"… and {more} more notices about the project's file"]


def settled_form(found: Found, environment: Environment) -> Normal:
    """The normal form of what the sources say. Raises as `settle` does."""
    settled = settle(found, environment)
    normal = normal_form(settled.settings, settled.origins, settled.consent)
    table = named_facts(normal, environment)
    return {
        **normal,
        "known": table["known"],
        "notices": [*settled.notices, *table["notices"]],
        "protected": list(settled.protected),
    }


def parsed(file: FoundFile) -> Layer:
    """The file as a layer. Raises ConfigError for text that is no TOML, without repeating it."""
    try:
        text = file.content.decode("utf-8-sig")
        # tomllib reads line ends as \n; a lone carriage return is its own error
        table = tomllib.loads(text)
    except UnicodeDecodeError as error:
        line = file.content.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{plain(file.label)}:{line}: is not UTF-8 text") from error
    except RecursionError as error:
        raise ConfigError(f"{plain(file.label)}: is nested too deeply") from error
    except ValueError as error:  # TOMLDecodeError, and int() for a number of more than 4,300 digits
        raise ConfigError(_toml_message(file.label, error)) from error
    return Layer(file.scope, file.label, table, file.path, text, file.trusted)


def _toml_message(label: str, error: ValueError) -> str:
    found = _POSITION.match(str(error))
    if found is None:
        return f"{plain(label)}: is not valid TOML"
    place = f"{plain(label)}:{found[2]}" if found[2] else f"{plain(label)}, at its end"
    return f"{place}: is not valid TOML: {plain(found[1][:1].lower() + found[1][1:])}"


def _valid(table: TomlTable, origins: Origins) -> RoutingFile:
    settings = validated(table)
    if isinstance(settings, RoutingFile):
        _raise_first(faults_in(settings, origins), origins)
        return settings
    raise _first(settings, origins)


def _raise_first(faults: Iterable[Fault], origins: Origins) -> None:
    found = tuple(faults)
    if found:
        raise _first(found, origins)


def _first(faults: Sequence[Fault], origins: Origins) -> ConfigError:
    """The error for the fault that stands first, in the strongest file but one's own variables; it counts the others, and
    keeps what is wrong with the first of them."""
    labels = [layer.label for layer in origins.layers]
    placed = [(origins.place(fault.path) or Place(labels[-1], None), fault) for fault in faults]
    placed.sort(key=lambda pair: (_rank(pair[0], labels), pair[0].line or 0))
    messages = [_message(place, fault, origins) for place, fault in placed[:_NOTICES]]
    more = len(placed) - 1
    counted = "" if not more else f" (and {more} more error{'s' if more > 1 else ''})"
    kind = TrustError if placed[0][1].distrust else ConfigError
    return kind(messages[0] + counted, every=messages if more else ())


def _message(place: Place, fault: Fault, origins: Origins) -> str:
    setting = (
        "" if place.line is None and place.label.startswith(PREFIX) else f" {dotted(origins.as_said(fault.path))}:"
    )
    return f"{place}:{setting} {fault.worded()}"


def _rank(place: Place, labels: Sequence[str]) -> int:
    return labels.index(place.label) if place.label in labels else len(labels)


def _variables_layer(environment: Environment) -> tuple[Layer, list[str]]:
    """The `LLMR_*` variables as a layer, and a notice for each that means nothing."""
    known: dict[str, str] = {}
    notices: list[str] = []
    for name, value in sorted(environment.settings.items()):
        if is_known(variable_path(name)):
            known[name] = value
        else:
            nearest = did_you_mean(name, _variable_names(name))
            hint = f"; did you mean {nearest}?" if nearest else ""
            notices.append(f"{plain(name)}: unknown variable, ignored{hint}")
    paths: dict[KeyPath, str] = {variable_path(name): name for name in known}
    return Layer(Scope.ENVIRONMENT, "the environment", _table_of(known), variables=paths), notices


def _table_of(variables: dict[str, str]) -> TomlTable:
    try:
        return variables_table(variables)
    except ValueError:
        for name, value in variables.items():
            try:
                variables_table({name: value})
            except ValueError as error:
                raise ConfigError(f"{name}: {error}") from error
        raise


def _variable_names(like: str) -> Iterator[str]:
    """Variables that exist: the reserved ones, every fixed key, and the keys of the provider or model that `like` names."""
    yield from RESERVED
    tables: Sequence[KeyPath] = [(), *((key,) for key in keys_at(()) or ()), variable_path(like)[:-1]]
    for table in tables:
        for key in keys_at(table) or ():
            yield PREFIX + "__".join(str(step).upper() for step in (*table, key))
