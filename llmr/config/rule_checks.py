"""Rules that cannot match, cannot be reached or leave nothing: an error now rather than a surprise on the one day on which
the rule was to hold."""

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Final

from llmr.config.name_checks import served_name_faults
from llmr.config.origin import Fault, KeyPath, Origins
from llmr.config.schema import RoutingFile, RuleTable, TokenRangeTable
from llmr.config.search import Scope
from llmr.config.wording import show

HOURS: Final = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-(?:([01]\d|2[0-3]):([0-5]\d)|24:00)")
_WILDCARDS: Final = re.compile(r"[*?\[]")


def rule_faults(settings: RoutingFile, origins: Origins) -> Iterator[Fault]:
    """`lenient`: a project's file is for everybody who works there, and may speak of what not everybody has."""
    deciding: dict[int, str] = {}  # layer → the first rule there after which no other is asked
    for index, rule in enumerate(settings.rules):
        path: KeyPath = ("rules", index)
        layer, _ = origins.rules[index]
        lenient = origins.layers[layer].scope is Scope.PROJECT and not origins.layers[layer].trusted
        if layer in deciding:
            yield Fault(path, f"can never be reached: rule {show(deciding[layer])} before it always decides")
        yield from _condition((*path, "when"), rule)
        if not lenient and rule.when is not None and rule.when.model is not None:
            yield from _asked_globs((*path, "when", "model"), rule.when.model, settings)
        yield from _selection(path, rule, settings, lenient=lenient)
        for position, name in enumerate(rule.models or ()):
            yield from served_name_faults((*path, "models", position), name, settings)
        if is_unconditional(rule) and not rule.then_continue:
            deciding.setdefault(layer, rule.name or f"number {index + 1}")


def is_unconditional(rule: RuleTable) -> bool:
    """Whether the rule matches every request."""
    return rule.when is None or not rule.when.model_dump(exclude_none=True)


def _condition(path: KeyPath, rule: RuleTable) -> Iterator[Fault]:
    when = rule.when
    if when is None:
        return
    if when.prompt_tokens is not None:
        yield from _token_range((*path, "prompt_tokens"), when.prompt_tokens)
    if when.hours is not None:
        yield from _hours((*path, "hours"), when.hours)
    for key, words in (("tags", when.tags), ("model", when.model), ("strategy", when.strategy)):
        if words is not None and not words:
            yield Fault((*path, key), "is empty, so it asks nothing")


def _token_range(path: KeyPath, bounds: TokenRangeTable) -> Iterator[Fault]:
    over, under = bounds.over, bounds.under
    if over is None and under is None:
        yield Fault(path, "expected over, under or both")
    elif over is not None and under is not None and under - over < 2:
        yield Fault(path, f"can never match: no number lies between over = {over} and under = {under}")
    elif under == 0:
        yield Fault(path, "can never match: no prompt has fewer than 0 tokens")


def _hours(path: KeyPath, text: str) -> Iterator[Fault]:
    try:
        minutes_of(text)
    except ValueError as error:
        yield Fault(path, str(error))


def minutes_of(text: str) -> tuple[int, int]:
    """`"22:00-06:00"` as minutes after midnight, end exclusive. Raises ValueError with what is expected."""
    found = HOURS.fullmatch(text)
    if found is None:
        raise ValueError(f'expected hours such as "22:00-06:00", found {show(text)}')
    start = int(found[1]) * 60 + int(found[2])
    end = int(found[3]) * 60 + int(found[4]) if found[3] else 24 * 60
    if start == end:
        raise ValueError("can never match: it begins when it ends")
    return start, end


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
            here = (*path, key)
            if glob in known:
                yield Fault(here, f'{show(glob)} matches nothing: write "{glob}/*"')
            else:
                yield Fault.unknown(here, "provider in", glob.partition("/")[0], known)
    if rule.only is not None and not rule.only:
        yield Fault((*path, "only"), "is empty, so nothing is left; to refuse, use deny")
    elif rule.only and set(rule.only) <= set(rule.avoid or ()):
        yield Fault((*path, "only"), "is avoided by the same rule")


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
