"""Lays the sources of settings over each other, and says what a project's own file may say at all.

    variables  LLMR_*                            may set everything
    project    ./routing.toml, untrusted         may set the OPEN keys, and nothing else
               ./routing.toml, trusted           may set everything but what vouches for itself
    user       --config, or the user's file      may set everything
    shipped    llmr's own routing.toml, providers.toml

A cloned repository must not be able to send a key anywhere (trust.md §3; CVE-2026-21852). So the list below names what is
open, and everything it does not name is protected, keys of later versions included. What a project's file may choose is
among what the *user* already has: order, weights, names over the user's providers. It may not touch time-outs, breakers
or retries either: those decide what the store, which all projects share, learns about a provider.

Tables merge key by key, lists and values replace, with two exceptions. A `[models.NAME]` replaces a weaker one whole, for
half of one and half of another is nobody's word. Rules are never replaced by a project: the user's are asked first, so
that "private stays at home" holds in every directory. The shipped file's rules speak only where the user has no file.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, TypeGuard

from llmr.config.origin import KeyPath, Layer, Origins, TomlTable, dotted
from llmr.config.search import Scope
from llmr.config.wording import show

ANY: Final = "*"

OPEN: Final[frozenset[tuple[str, ...]]] = frozenset(
    {
        ("strategy",),
        ("second_is_worth_usd",),
        ("quality_is_worth_usd",),
        ("default_model",),
        ("models", ANY, "candidates"),
        ("models", ANY, "fallback"),
        ("models", ANY, "strategy"),
        ("models", ANY, "quality"),
        ("rules",),
        ("providers", ANY, "weight"),
    }
)
"""What an untrusted project file may set (trust.md C1); a weight only of a provider that the user knows."""

SELF_VOUCHING: Final[frozenset[tuple[str, ...]]] = frozenset(
    {("providers", ANY, "key_origins"), ("providers", ANY, "allow_plaintext")}
)
"""What only the user's own scope may say, for it is the consent itself: ignored even in a trusted project file (C3, C4)."""

FROM_VARIABLES: Final[frozenset[tuple[str, ...]]] = frozenset(
    {("providers", ANY, "base_url", "env"), ("providers", ANY, "headers", ANY, "env")}
)
"""Values taken from a variable: in the user's files only (trust.md C5)."""


@dataclass(frozen=True, slots=True)
class Ignored:
    """Something in a project's file that has no effect. `protected`: it reached for what it may not set."""

    path: KeyPath
    notice: str
    protected: bool


def merged(layers: Sequence[Layer]) -> tuple[TomlTable, Origins]:
    """All layers, weakest first, as one table, and where everything came from."""
    table: TomlTable = {}
    for layer in layers:
        table = _laid_over({key: value for key, value in layer.table.items() if key != "rules"}, table, ())
    rules, origins = _rules(layers)
    if rules is not None:
        table["rules"] = rules
    return table, Origins(tuple(layers), tuple(origins))


def restricted(layer: Layer, user_scope: Mapping[str, Any]) -> tuple[Layer, tuple[Ignored, ...]]:
    """What is left of a project's file when all is removed that it may not say, and each removal.

    `user_scope` is what the user's own sources say together. What is left may still be wrong; schema.py sees to that.
    """
    ignored: list[Ignored] = []
    table = _vouched(layer, ignored) if layer.trusted else _opened(layer, user_scope, ignored)
    return replace(layer, table=table), tuple(ignored)


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
    """Strongest first, but a project's after the user's. None: nobody has any. A `rules` that is no list is passed on."""
    has_own_file = any(layer.scope in {Scope.USER, Scope.GIVEN} for layer in layers)
    rank = {Scope.ENVIRONMENT: 0, Scope.GIVEN: 1, Scope.USER: 1, Scope.PROJECT: 2, Scope.SHIPPED: 3, Scope.KNOWN: 4}
    speaking = [
        (rank[layer.scope], index)
        for index, layer in enumerate(layers)
        if "rules" in layer.table and not (layer.scope is Scope.SHIPPED and has_own_file)
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


def _vouched(layer: Layer, ignored: list[Ignored]) -> TomlTable:
    """A trusted file without what vouches for itself, and without values taken from variables (C5)."""
    table = layer.table
    for path in list(_leaves(table, ())):
        if any(_matches(path, pattern) for pattern in SELF_VOUCHING):
            ignored.append(_protected(layer, path, "only the user's own file may set it"))
            table = _without(table, path)
        elif any(_matches(path, pattern) for pattern in FROM_VARIABLES):
            ignored.append(_protected(layer, path, "a project's file may not read variables"))
            table = _without(table, path[:-1])
    return table


def _opened(layer: Layer, user_scope: Mapping[str, Any], ignored: list[Ignored]) -> TomlTable:
    table = layer.table
    providers = user_scope.get("providers")
    known = set(providers) if is_table(providers) else set[str]()
    for path in list(_settings(table)):
        if not any(_matches(path, pattern) for pattern in OPEN):
            ignored.append(_protected(layer, path, "a project's file may not set it; trust it: llmr config trust"))
            table = _without(table, path)
        elif path[0] == "providers" and path[1] not in known:
            ignored.append(_protected(layer, path, "a project's file may not add a provider"))
            table = _without(table, path)
    ignored.extend(_literal_expansions(layer, table))
    return _over_known_providers(layer, table, known, user_scope, ignored)


def _over_known_providers(
    layer: Layer, table: TomlTable, known: set[str], user_scope: Mapping[str, Any], ignored: list[Ignored]
) -> TomlTable:
    """Without candidates at providers that the user does not know, and without the names that are then empty."""
    names = table.get("models")
    if not is_table(names):
        return table
    kept: TomlTable = {}
    for name, said in names.items():
        candidates = said.get("candidates") if is_table(said) else None
        if not is_list(candidates):
            kept[name] = said
            continue
        usable = [key for key in candidates if not isinstance(key, str) or key.partition("/")[0] in known]
        for position, key in enumerate(candidates):
            if key not in usable:
                path = ("models", name, "candidates", position)
                unknown = show(str(key).partition("/")[0])
                place = layer.place(path)
                ignored.append(
                    Ignored(path, f"{place}: {dotted(path)}: ignored: no provider {unknown} is known", protected=False)
                )
        if usable or not candidates:
            kept[name] = {**said, "candidates": usable}
    gone = set(names) - set(kept)
    default = table.get("default_model")
    result = {**table, "models": kept}
    their_own = user_scope.get("models")
    if isinstance(default, str) and default in gone and not (is_table(their_own) and default in their_own):
        del result["default_model"]
    return result


def _protected(layer: Layer, path: KeyPath, why: str) -> Ignored:
    return Ignored(path, f"{layer.place(path)}: {dotted(path)}: ignored: {why}", protected=True)


def _literal_expansions(layer: Layer, table: TomlTable) -> Iterator[Ignored]:
    """`${NAME}` is never expanded in a project's file (C5): say so, for whoever wrote it expected otherwise."""
    for path, value in _values(table, ()):
        if isinstance(value, str) and "${" in value:
            yield Ignored(path, f"{layer.place(path)}: {dotted(path)}: ${{…}} is taken literally", protected=False)


def _settings(table: TomlTable) -> Iterator[KeyPath]:
    """The paths by which OPEN is asked: top-level keys; two levels deeper inside `providers` and `models`."""
    for key, value in table.items():
        if key not in {"providers", "models"} or not is_table(value):
            yield (key,)
            continue
        for name, inner in value.items():
            if is_table(inner) and inner:
                yield from ((key, name, setting) for setting in inner)
            else:
                yield (key, name)


def _leaves(table: Mapping[str, Any], path: KeyPath) -> Iterator[KeyPath]:
    for key, value in table.items():
        if is_table(value) and value:
            yield from _leaves(value, (*path, key))
        else:
            yield (*path, key)


def _values(value: object, path: KeyPath) -> Iterator[tuple[KeyPath, object]]:
    if is_table(value):
        for key, inner in value.items():
            yield from _values(inner, (*path, key))
    elif is_list(value):
        for index, inner in enumerate(value):
            yield from _values(inner, (*path, index))
    else:
        yield path, value


def _without(table: TomlTable, path: KeyPath) -> TomlTable:
    """A copy without what is at `path`, nor the tables that are empty without it."""
    head, *rest = path
    inner = table.get(str(head))
    smaller = _without(inner, tuple(rest)) if rest and is_table(inner) else {}
    return {key: smaller if key == head else value for key, value in table.items() if key != head or smaller}


def _matches(path: KeyPath, pattern: tuple[str, ...]) -> bool:
    return len(path) == len(pattern) and all(want in {ANY, step} for step, want in zip(path, pattern, strict=True))


def is_table(value: object) -> TypeGuard[TomlTable]:
    """Whether a TOML value is a table; its keys are strings, by TOML's own rule."""
    return isinstance(value, dict)


def is_list(value: object) -> TypeGuard[list[Any]]:
    """Whether a TOML value is a list."""
    return isinstance(value, list)
