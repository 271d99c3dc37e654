"""What the files and variables say together, when it is not known yet: parse, lay over each other, validate, check.

The slow half of loading: it imports pydantic and tomllib, and load.py imports it only when the snapshot does not fit. What is
wrong is found and worded in judgement.py: `routing.toml:12: providers.work.base_ur: unknown key; did you mean base_url?`
"""

import re
import tomllib
from collections.abc import Iterator, Sequence
from typing import Final

from llmr.config.binding import Consent
from llmr.config.environment import PREFIX, RESERVED, Environment
from llmr.config.judgement import Judged, judged, raise_all
from llmr.config.merge import merged
from llmr.config.model_files import named_facts
from llmr.config.normal import Normal, normal_form
from llmr.config.origin import Layer, Origins, TomlTable
from llmr.config.project import restricted
from llmr.config.schema import RoutingFile
from llmr.config.search import Found, FoundFile, Scope
from llmr.config.toml_lines import KeyPath
from llmr.config.validation import is_known, keys_at, variable_path, variables_table
from llmr.config.wording import did_you_mean, plain
from llmr.dataclass import dataclass
from llmr.errors import ConfigError, Wrong

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
    """Raises ConfigError, or TrustError for what is not trusted, naming the first thing wrong and keeping all the others."""
    files = _all_parsed(found.files)
    variables, notices = _variables_layer(environment)
    user_layers = [layer for layer in (*files, variables) if layer.scope is not Scope.PROJECT]
    user_table, user_origins = merged(user_layers)
    projects = [restricted(layer, user_table) for layer in files if layer.scope is Scope.PROJECT]
    own = whole = judged(user_table, user_origins)
    if projects:
        whole = judged(*merged([*user_layers[:-1], *(layer for layer, _ in projects), variables]))
    known = judged(files[0].table, Origins(files[:1]))
    raise_all((known, own, whole, *_unconsented(known, own, whole)))
    assert known.settings is not None and own.settings is not None and whole.settings is not None  # noqa: S101, PT018 - no fault
    remarks = [remark for _, those in projects for remark in those]
    providers = {name: table for name, table in whole.settings.providers.items() if not table.only_consents}
    return Settled(
        whole.settings.model_copy(update={"providers": providers}),
        whole.origins,
        Consent.given_by(known.settings, own.settings),
        notices=(*notices, *_listed([remark.notice for remark in remarks])),
        protected=tuple(remark.notice for remark in remarks if remark.protected)[:_NOTICES],
    )


def _unconsented(known: Judged, own: Judged, whole: Judged) -> Iterator[Judged]:
    """Every key that would go where nobody said it may, as far as the URLs are such that it can be told."""
    if known.sound is not None and own.sound is not None and whole.sound is not None:
        consent = Consent.given_by(known.sound, own.sound)
        yield Judged(whole.settings, tuple(consent.faults_in(whole.sound)), whole.origins)


def _all_parsed(files: Sequence[FoundFile]) -> list[Layer]:
    """The files as layers. Raises ConfigError for those that are no TOML, all of them."""
    layers: list[Layer] = []
    errors: list[ConfigError] = []
    for file in files:
        try:
            layers.append(parsed(file))
        except ConfigError as error:
            errors.append(error)
    if not errors:
        return layers
    every = [wrong for error in errors for wrong in error.every]
    counted = f" (and {len(every) - 1} more error{'s' if len(every) > 2 else ''})" if len(every) > 1 else ""
    raise ConfigError(f"{errors[-1]}{counted}", every=[*reversed(every)])


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
        raise _unreadable(file, line, "is not UTF-8 text") from error
    except RecursionError as error:
        raise _unreadable(file, None, "is nested too deeply") from error
    except ValueError as error:  # TOMLDecodeError, and int() for a number of more than 4,300 digits
        raise _no_toml(file, error) from error
    return Layer(file.scope, file.label, table, file.path, text, file.trusted)


def _no_toml(file: FoundFile, error: ValueError) -> ConfigError:
    found = _POSITION.match(str(error))
    if found is None:
        return _unreadable(file, None, "is not valid TOML")
    said = f"is not valid TOML: {plain(found[1][:1].lower() + found[1][1:])}"
    return _unreadable(file, int(found[2]) if found[2] else None, said, at="" if found[2] else ", at its end")


def _unreadable(file: FoundFile, line: int | None, said: str, *, at: str = "") -> ConfigError:
    label = plain(file.label)
    text = f"{label}{at}{f':{line}' if line is not None else ''}: {said}"
    return ConfigError(text, every=[Wrong(text, label, line, message=said)])


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
