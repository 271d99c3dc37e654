"""`llmr config show`: what is in force, and with --origin who says so.

Everything that could be a secret is masked: header values whole, and whatever else is shaped like a key (trust.md C7).
"""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from llmr.cli.exit_codes import ExitCode
from llmr.cli.output import print_line
from llmr.cli.pager import show_paged
from llmr.cli.say import say
from llmr.cli.screen import screen
from llmr.config.environment import Environment, disable_pydantic_plugins
from llmr.config.search import Scope, find
from llmr.config.toml_lines import KeyPath, dotted
from llmr.errors import UsageError
from llmr.render.ink import Line, Tone, ink
from llmr.render.table import Column, table
from llmr.secret import MASK, Redactor

if TYPE_CHECKING:
    from llmr.config.settle import Settled

SCHEMA: Final = "llmr.config/1"
_OURS: Final = frozenset({Scope.KNOWN, Scope.SHIPPED})
_COLUMNS: Final = (Column("setting", least=20), Column("value", least=16), Column("says"), Column("where", least=16))

Row = tuple[KeyPath, Any, Scope, str]
"""Key path, value, who says it, and where."""


def run_show(prefix: str, *, origin: bool, everything: bool, as_json: bool, config_file: str | None) -> int:
    """Print the settings. Raises LlmrError."""
    disable_pydantic_plugins()
    environment = Environment.from_process()
    rows = list(_rows(environment, Path(config_file) if config_file else None))
    asked = [row for row in rows if _begins(dotted(row[0]), prefix)]
    if prefix and not asked:
        from llmr.config.wording import suggestion

        known = dict.fromkeys(str(path[0]) for path, *_ in rows)
        raise UsageError(f"no setting begins with {prefix!r}{suggestion(prefix.partition('.')[0], known)}")
    shown = asked if everything or prefix else [row for row in asked if row[2] not in _OURS]
    if as_json:
        document = [
            {"key": dotted(path), "value": value, "scope": scope.value, "where": where}
            for path, value, scope, where in shown
        ]
        print_line(json.dumps({"schema": SCHEMA, "settings": document}))
    elif not shown:
        print_line(
            "nothing is set beyond what llmr ships; llmr config show --all shows that, llmr config init begins a file"
        )
    elif origin:
        on = screen()
        show_paged(table(_COLUMNS, [_cells(row) for row in shown], on.width), on, config_file)
    else:
        for path, value, _, _ in shown:
            print_line(f"{dotted(path)} = {as_toml(value)}")
    return int(ExitCode.OK)


def _rows(environment: Environment, config_file: Path | None) -> Iterator[Row]:
    from llmr.config.settle import settle  # imports pydantic

    settled = settle(find(environment, config_file), environment)
    for notice in settled.notices:
        say(f"llmr: {notice}")
    return rows_of(settled)


def rows_of(settled: "Settled") -> Iterator[Row]:
    """Every value that is in force, masked."""
    redact = Redactor()
    for path, value in _leaves(settled.settings.model_dump(exclude_unset=True, by_alias=True), ()):
        speaker, place = settled.origins.speaker(path), settled.origins.place(path)
        if speaker is not None and value is not None:
            yield path, _masked(path, value, redact), speaker.scope, str(place)


def _leaves(value: Any, path: KeyPath) -> Iterator[tuple[KeyPath, Any]]:
    """Every value that is no table; a list of tables is walked, any other is a value."""
    if isinstance(value, dict):
        for key, inner in value.items():  # pyright: ignore[reportUnknownVariableType] - settings as plain values
            yield from _leaves(inner, (*path, str(key)))  # pyright: ignore[reportUnknownArgumentType]
    elif isinstance(value, list) and any(isinstance(item, dict) for item in value):  # pyright: ignore[reportUnknownVariableType]
        for index, item in enumerate(value):  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
            yield from _leaves(item, (*path, index))
    else:
        yield path, value


def _masked(path: KeyPath, value: Any, redact: Redactor) -> Any:
    match path:
        case ("providers", _, "headers", _):  # a literal one; from a variable it is a table, and shows the variable
            return MASK
        case _:
            pass
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, list):
        return [redact(item) if isinstance(item, str) else item for item in value]  # pyright: ignore[reportUnknownVariableType]
    return value


def _begins(key: str, prefix: str) -> bool:
    return (
        key == prefix or not prefix or (key.startswith(prefix) and (key[len(prefix)] in ".[" or prefix.endswith(".")))
    )


def _cells(row: Row) -> Sequence[Line]:
    path, value, scope, where = row
    return ink(dotted(path)), ink(as_toml(value), Tone.STRONG), ink(scope.value), ink(where, Tone.FAINT)


def as_toml(value: Any) -> str:
    """As it would stand in the file; JSON's strings, numbers and lists are TOML's."""
    return json.dumps(value, ensure_ascii=False)
