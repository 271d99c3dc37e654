"""Lays the sources of settings over each other.

    variables  LLMR_*
    project    ./routing.toml, what it may say: project.py
    user       --config, or the user's file
    shipped    llmr's own routing.toml, providers.toml

Tables merge key by key, lists and values replace, with two exceptions. A `[models.NAME]` replaces a weaker one whole, for
half of one and half of another is nobody's word. Rules are never replaced by a project: the user's are asked first, so
that "private stays at home" holds in every directory. The shipped file's rules stand for the user's until the user says
`rules` at all: an empty file of one's own must not take the protection of the example away, nor may a project get before it.
"""

from collections.abc import Mapping, Sequence
from typing import Any, TypeGuard

from llmr.config.origin import Layer, Origins, TomlTable
from llmr.config.search import Scope


def merged(layers: Sequence[Layer]) -> tuple[TomlTable, Origins]:
    """All layers, weakest first, as one table, and where everything came from."""
    table: TomlTable = {}
    for layer in layers:
        table = _laid_over({key: value for key, value in layer.table.items() if key != "rules"}, table, ())
    rules, origins = _rules(layers)
    if rules is not None:
        table["rules"] = rules
    return table, Origins(tuple(layers), tuple(origins))


def _laid_over(strong: Mapping[str, Any], weak: Mapping[str, Any], path: tuple[str, ...]) -> TomlTable:
    table = dict(weak)
    for key, value in strong.items():
        below = table.get(key)
        whole = path == ("models",)
        table[key] = (
            _laid_over(value, below, (*path, key)) if is_table(value) and is_table(below) and not whole else value
        )
    return table


def _rules(layers: Sequence[Layer]) -> tuple[list[Any] | None, list[tuple[int, int]]]:
    """Strongest first, but a project's last. None: nobody has any. A `rules` that is no list is passed on."""
    has_own_rules = any(layer.scope in {Scope.USER, Scope.GIVEN} and "rules" in layer.table for layer in layers)
    rank = {Scope.ENVIRONMENT: 0, Scope.GIVEN: 1, Scope.USER: 1, Scope.SHIPPED: 2, Scope.KNOWN: 3, Scope.PROJECT: 4}
    speaking = [
        (rank[layer.scope], index)
        for index, layer in enumerate(layers)
        if "rules" in layer.table and not (layer.scope is Scope.SHIPPED and has_own_rules)
    ]
    if not speaking:
        return None, []
    rules: list[Any] = []
    origins: list[tuple[int, int]] = []
    for _, index in sorted(speaking):
        said = layers[index].table["rules"]
        if not is_list(said):
            return said, []
        for position, rule in enumerate(said):
            rules.append(rule)
            origins.append((index, position))
    return rules, origins


def is_table(value: object) -> TypeGuard[TomlTable]:
    """Whether a TOML value is a table; its keys are strings, by TOML's own rule."""
    return isinstance(value, dict)


def is_list(value: object) -> TypeGuard[list[Any]]:
    """Whether a TOML value is a list."""
    return isinstance(value, list)
