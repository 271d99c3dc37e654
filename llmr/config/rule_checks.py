"""Rules that cannot match, cannot be reached or leave nothing: an error now rather than a surprise on the one day on which
the rule was to hold."""

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Final

from llmr.catalog import Timeouts
from llmr.config.condition_checks import condition_faults
from llmr.config.name_checks import served_name_faults
from llmr.config.origin import Fault, Origins
from llmr.config.schema import RoutingFile, SpendTable
from llmr.config.schema_rules import RuleTable, WhenTable
from llmr.config.search import Scope
from llmr.config.toml_lines import KeyPath
from llmr.config.wording import show

_WILDCARDS: Final = re.compile(r"[*?\[]")
_BRACKETS: Final = re.compile(
    r"\[!?+\]?+[^\]]*+\]"
)  # as fnmatch reads them: a ] that comes first is one of the characters


def rule_faults(settings: RoutingFile, origins: Origins) -> Iterator[Fault]:
    """`lenient`: a project's file is for everybody who works there, and may speak of what not everybody has."""
    deciding: dict[int, str] = {}  # layer → the first rule there after which no other is asked
    named: set[tuple[int, str]] = set()  # (layer, name)
    for index, rule in enumerate(settings.rules):
        path: KeyPath = ("rules", index)
        layer, _ = origins.rules[index]
        lenient = origins.layers[layer].scope is Scope.PROJECT and not origins.layers[layer].trusted
        if layer in deciding:
            yield Fault(path, f"can never be reached: rule {show(deciding[layer])} before it always decides")
        if rule.name is not None and (layer, rule.name) in named:
            yield Fault((*path, "name"), f"{show(rule.name)} is the name of a rule before it: which one decided?")
        named.add((layer, rule.name or ""))
        yield from _globs(path, rule)
        if rule.when is not None:
            yield from condition_faults((*path, "when"), rule.when)
            if not lenient:
                yield from _possible((*path, "when"), rule.when, settings)
        yield from _selection(path, rule, settings, lenient=lenient)
        yield from _effects(path, rule, settings)
        for position, name in enumerate(rule.models or ()):
            yield from served_name_faults((*path, "models", position), name, settings)
        if is_unconditional(rule) and not rule.then_continue:
            deciding.setdefault(layer, rule.name or f"number {index + 1}")


def is_unconditional(rule: RuleTable) -> bool:
    """Whether the rule matches every request."""
    return rule.when is None or not rule.when.model_dump(exclude_none=True)


def _possible(path: KeyPath, when: WhenTable, settings: RoutingFile) -> Iterator[Fault]:
    """What can never hold with these settings."""
    if when.model is not None:
        yield from _asked_globs((*path, "model"), when.model, settings)
    for glob in when.circuit or ():
        if not _fits_some_provider(glob, settings.providers):
            yield _nobody((*path, "circuit", glob), glob, settings)
    if when.budget_left_usd is not None and not _is_limited(settings.budget):
        yield Fault((*path, "budget_left_usd"), "can never hold: [budget] sets neither per_day_usd nor per_month_usd")


def _is_limited(budget: SpendTable | None) -> bool:
    return budget is not None and (budget.per_day_usd is not None or budget.per_month_usd is not None)


def _asked_globs(path: KeyPath, globs: Sequence[str], settings: RoutingFile) -> Iterator[Fault]:
    """The name asked for is one of [models.*], an id that some provider is known to have, or provider/model-id."""
    from fnmatch import fnmatchcase

    ids = {key.partition("/")[2] for named in settings.models.values() for key in named.candidates}
    listed = chain.from_iterable(provider.models or () for provider in settings.providers.values())
    askable = {*settings.models, *ids, *listed}
    for glob in globs:
        if not any(fnmatchcase(name, glob) for name in askable) and not _fits_some_provider(glob, settings.providers):
            yield Fault(
                path, f"can never match: no model is called {show(glob)}", word=glob, known=tuple(settings.models)
            )


def _selection(path: KeyPath, rule: RuleTable, settings: RoutingFile, *, lenient: bool) -> Iterator[Fault]:
    known = settings.providers
    for key, globs in (("prefer", rule.prefer), ("only", rule.only), ("avoid", rule.avoid)):
        for glob in globs or ():
            if _fits_some_provider(glob, known) or (lenient and key != "only"):
                continue
            yield _nobody((*path, key), glob, settings)
    if rule.only is not None and not rule.only:
        yield Fault((*path, "only"), "is empty, so nothing is left; to refuse, use deny")
    elif rule.only and set(rule.only) <= set(rule.avoid or ()):
        yield Fault((*path, "only"), "is avoided by the same rule")


def _globs(path: KeyPath, rule: RuleTable) -> Iterator[Fault]:
    """An unclosed bracket stands for itself, and no name holds one: the glob would match nothing, silently."""
    words: dict[KeyPath, Iterable[str]] = {(key,): getattr(rule, key) or () for key in ("prefer", "only", "avoid")}
    if rule.when is not None:
        words[("when", "model")] = rule.when.model or ()
        words[("when", "circuit")] = rule.when.circuit or ()
    for key, globs in words.items():
        for glob in globs:
            if "[" in _BRACKETS.sub("", glob):
                yield Fault((*path, *key), f"{show(glob)} has a bracket that is not closed")


def _nobody(path: KeyPath, glob: str, settings: RoutingFile) -> Fault:
    """A glob that fits nothing at any provider."""
    if glob in settings.providers:
        return Fault(path, f'{show(glob)} matches nothing: write "{glob}/*"')
    return Fault.unknown(path, "provider in", glob.partition("/")[0], settings.providers)


def _effects(path: KeyPath, rule: RuleTable, settings: RoutingFile) -> Iterator[Fault]:
    if rule.deny is not None:
        if not rule.deny.strip():
            yield Fault((*path, "deny"), "is empty: write what the person who is refused is told")
        for key in (key for key in ("prefer", "only", "avoid") if getattr(rule, key) is not None):
            yield Fault((*path, key), "means nothing beside deny, which refuses the request: keep one of the two")
    if rule.allow_unknown_price is not None and rule.max_price_usd is None:
        yield Fault((*path, "allow_unknown_price"), "there is no cap here: write max_price_usd")
    deadline_s = rule.timeouts.deadline_s if rule.timeouts is not None else None
    total_s = (settings.timeouts.total_s if settings.timeouts else None) or Timeouts().total_s
    if deadline_s is not None and deadline_s > total_s:
        yield Fault(
            (*path, "timeouts", "deadline_s"), f"deadline_s ({deadline_s:g}) is above timeouts.total_s ({total_s:g})"
        )


def _fits_some_provider(glob: str, providers: Iterable[str]) -> bool:
    """Whether the glob can match `provider/…` for some known provider. Wildcards match slashes too, as in fnmatch."""
    fixed = _WILDCARDS.split(glob, maxsplit=1)[0]
    is_exact = fixed == glob
    for name in providers:
        prefix = f"{name}/"
        if fixed.startswith(prefix) and len(glob) > len(prefix):
            return True
        if not is_exact and prefix.startswith(fixed):
            return True
    return False
