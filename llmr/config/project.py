"""What a project's own file may say at all.

    untrusted  may set the OPEN keys, and nothing else
    trusted    may set everything but what vouches for itself

A cloned repository must not be able to send a key anywhere (trust.md §3; CVE-2026-21852). So the list below names what is
open, and everything it does not name is protected, keys of later versions included. What a project's file may choose is
among what the *user* already has: order, weights, names over the user's providers. It may not touch time-outs, breakers
or retries either, by a rule no more than by a table: those decide what the store, which all projects share, learns about a
provider. With money it may be more careful than its user, never less: a spend limit of its own counts only below the
user's, and what happens at a limit is the user's to say.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

from llmr.config.merge import is_list, is_table
from llmr.config.origin import Layer, TomlTable
from llmr.config.toml_lines import KeyPath, dotted
from llmr.config.validation import keys_at
from llmr.config.wording import show
from llmr.dataclass import dataclass

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
        ("providers", ANY, "budget"),
        ("budget",),
    }
)
"""What an untrusted project file may set (trust.md C1); a weight only of a provider that the user knows, of a rule and a
budget only what is named below."""

OPEN_IN_RULES: Final = frozenset(
    {
        "name", "when", "prefer", "only", "avoid", "models", "strategy", "max_price_usd", "allow_unknown_price", "tags",
        "deny", "continue",
    }
)  # fmt: skip
"""The keys of a rule in an untrusted project file; a price cap never lifts one of the user's, see routing/rules/plan.py."""

LOWERED: Final = frozenset({"per_day_usd", "per_month_usd"})
"""The keys of a budget that an untrusted project file may set, below the user's."""

SELF_VOUCHING: Final[frozenset[tuple[str, ...]]] = frozenset(
    {
        ("providers", ANY, "key_origins"),
        ("providers", ANY, "allow_plaintext"),
        ("providers", ANY, "insecure"),
        ("providers", ANY, "api_key_cmd"),
    }
)
"""What only the user's own scope may say, for it is the consent itself, or a command: ignored even in a trusted project
file (C3, C4, T29)."""

FROM_VARIABLES: Final[frozenset[tuple[str, ...]]] = frozenset(
    {("providers", ANY, "base_url"), ("providers", ANY, "headers")}
)
"""Where `{ env = "NAME" }` may stand: in the user's files only (trust.md C5)."""


@dataclass(frozen=True, slots=True)
class Remark:
    """What a person is told of a project's file. `protected`: it reached for what it may not set, in vain."""

    path: KeyPath
    notice: str
    protected: bool = False


def restricted(layer: Layer, user_scope: Mapping[str, Any]) -> tuple[Layer, tuple[Remark, ...]]:
    """What is left of a project's file when all is removed that it may not say, and what there is to tell.

    `user_scope` is what the user's own sources say together. What is left may still be wrong; schema.py sees to that.
    """
    remarks: list[Remark] = []
    if layer.trusted:
        table = _sieved(layer.table, _Vouched(layer, remarks))
    else:
        table = _sieved(layer.table, _Opened(layer, remarks, _keys(user_scope.get("providers"))))
        table = _with_lower_budgets(layer, _with_open_rules(layer, table, remarks), user_scope, remarks)
        remarks.extend(_literal_expansions(layer, table))
        table = _over_known_providers(layer, table, user_scope, remarks)
    return replace(layer, table=table), tuple(remarks)


# What a project may say. One pass over the file, however large: it is somebody else's.


def _sieved(table: TomlTable, keeps: Callable[[KeyPath, object], bool]) -> TomlTable:
    """The settings that are kept: top-level keys, and what stands in `[providers.X]` and `[models.X]`."""
    kept: TomlTable = {}
    for key, value in table.items():
        if key not in {"providers", "models"} or not is_table(value):
            if keeps((key,), value):
                kept[key] = value
            continue
        inner = {name: _sieved_entry(said, (key, name), keeps) for name, said in value.items()}
        left = {name: said for name, said in inner.items() if said is not None}
        if left:
            kept[key] = left
    return kept


def _sieved_entry(said: object, path: KeyPath, keeps: Callable[[KeyPath, object], bool]) -> object | None:
    """None: nothing is left."""
    if not is_table(said) or not said:
        return said if keeps(path, said) else None
    return {key: value for key, value in said.items() if keeps((*path, key), value)} or None


@dataclass(frozen=True, slots=True)
class _Vouched:
    """A trusted file may say all but what vouches for itself, and what takes values from variables."""

    layer: Layer
    remarks: list[Remark]

    def __call__(self, path: KeyPath, value: object) -> bool:
        if _is_one_of(path, SELF_VOUCHING):
            self.remarks.append(_protected(self.layer, path, "only the user's own file may set it"))
            return False
        if _is_one_of(path, FROM_VARIABLES) and any("env" in inner for inner, _ in _values(value, ())):
            self.remarks.append(_protected(self.layer, path, "a project's file may not read variables"))
            return False
        return True


@dataclass(frozen=True, slots=True)
class _Opened:
    """An untrusted file may say what is open, of providers that the user knows."""

    layer: Layer
    remarks: list[Remark]
    providers: frozenset[str]

    def __call__(self, path: KeyPath, _: object) -> bool:
        if not _is_one_of(path, OPEN):
            why = _TRUST_IT
        elif path[0] == "providers" and path[1] not in self.providers:
            why = "a project's file may not add a provider"
        else:
            return True
        self.remarks.append(_protected(self.layer, path, why))
        return False


_TRUST_IT: Final = "a project's file may not set it; trust it: llmr config trust"


def _with_open_rules(layer: Layer, table: TomlTable, remarks: list[Remark]) -> TomlTable:
    """With rules that steer, and do not touch what every project learns from."""
    rules = table.get("rules")
    if not is_list(rules):
        return table
    kept: list[Any] = []
    all_closed = set(keys_at(("rules", 0)) or ()) - OPEN_IN_RULES
    for index, rule in enumerate(rules):
        closed = [key for key in rule if key in all_closed] if is_table(rule) else []
        remarks.extend(_protected(layer, ("rules", index, key), _TRUST_IT) for key in closed)
        kept.append({key: value for key, value in rule.items() if key not in closed} if closed else rule)
    return {**table, "rules": kept}


def _with_lower_budgets(
    layer: Layer, table: TomlTable, user_scope: Mapping[str, Any], remarks: list[Remark]
) -> TomlTable:
    """With the spend limits that are below the user's."""
    result = dict(table)
    if is_table(table.get("budget")):
        result["budget"] = _lowered(layer, ("budget",), table["budget"], user_scope.get("budget"), remarks)
    providers, own = table.get("providers"), user_scope.get("providers")
    if is_table(providers) and is_table(own):
        result["providers"] = {
            name: {
                **said,
                "budget": _lowered(layer, ("providers", name, "budget"), said["budget"], _inside(own, name), remarks),
            }
            if is_table(said) and is_table(said.get("budget"))
            else said
            for name, said in providers.items()
        }
    return result


def _inside(providers: TomlTable, name: str) -> object:
    provider = providers.get(name)
    return provider.get("budget") if is_table(provider) else None


def _lowered(layer: Layer, path: KeyPath, said: TomlTable, own: object, remarks: list[Remark]) -> TomlTable:
    kept: TomlTable = {}
    for key, value in said.items():
        limit = own.get(key) if is_table(own) else None
        if key not in LOWERED:
            remarks.append(_protected(layer, (*path, key), _TRUST_IT))
        elif isinstance(limit, int | float) and isinstance(value, int | float) and value > limit:
            why = f"a project's file may only lower it, and yours is {limit:g}"
            remarks.append(_protected(layer, (*path, key), why))
        else:  # of another type: schema.py has the better words for it
            kept[key] = value
    return kept


def _over_known_providers(
    layer: Layer, table: TomlTable, user_scope: Mapping[str, Any], remarks: list[Remark]
) -> TomlTable:
    """Without candidates at providers that the user does not know, and without the names that are then empty."""
    names, providers, own = table.get("models"), _keys(user_scope.get("providers")), user_scope.get("models")
    if not is_table(names):
        return table
    kept: TomlTable = {}
    for name, said in names.items():
        usable = _usable(layer, ("models", name), said, providers, remarks)
        if usable is None:
            continue
        kept[name] = usable
        if is_table(own) and name in own and own[name] != usable:
            here: KeyPath = ("models", name)
            remarks.append(Remark(here, f"{layer.place(here)}: {dotted(here)}: replaces, here, the one of your own"))
    result = {**table, "models": kept}
    default = table.get("default_model")
    if isinstance(default, str) and default in names and default not in kept and default not in _keys(own):
        del result["default_model"]
    return result


def _usable(
    layer: Layer, path: KeyPath, said: object, providers: frozenset[str], remarks: list[Remark]
) -> object | None:
    """A `[models.NAME]` with the candidates that this user can have, None where there are none."""
    candidates = said.get("candidates") if is_table(said) else None
    if not is_table(said) or not is_list(candidates):
        return said
    usable: list[Any] = []
    for position, key in enumerate(candidates):
        provider = key.partition("/")[0] if isinstance(key, str) else None
        if provider is None or provider in providers:
            usable.append(key)
            continue
        here = (*path, "candidates", position)
        remarks.append(
            Remark(here, f"{layer.place(here)}: {dotted(here)}: ignored: no provider {show(provider)} is known")
        )
    return {**said, "candidates": usable} if usable or not candidates else None


def _protected(layer: Layer, path: KeyPath, why: str) -> Remark:
    return Remark(path, f"{layer.place(path)}: {dotted(path)}: ignored: {why}", protected=True)


def _literal_expansions(layer: Layer, table: TomlTable) -> Iterator[Remark]:
    """`${NAME}` is never expanded in a project's file (C5): say so, for whoever wrote it expected otherwise."""
    for path, value in _values(table, ()):
        if isinstance(value, str) and "${" in value:
            yield Remark(path, f"{layer.place(path)}: {dotted(path)}: ${{…}} is taken literally")


def _values(value: object, path: KeyPath) -> Iterator[tuple[KeyPath, object]]:
    if is_table(value):
        for key, inner in value.items():
            yield from _values(inner, (*path, key))
    elif is_list(value):
        for index, inner in enumerate(value):
            yield from _values(inner, (*path, index))
    else:
        yield path, value


def _is_one_of(path: KeyPath, patterns: frozenset[tuple[str, ...]]) -> bool:
    return any(
        len(path) == len(pattern) and all(want in {ANY, step} for step, want in zip(path, pattern, strict=True))
        for pattern in patterns
    )


def _keys(table: object) -> frozenset[str]:
    return frozenset(table) if is_table(table) else frozenset()
