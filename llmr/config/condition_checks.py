"""Conditions of rules that mean nothing, or nothing possible, whatever else is configured."""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from llmr.config.origin import Fault
from llmr.config.schema_rules import DollarRangeTable, TokenRangeTable, WhenTable
from llmr.config.schema_types import DAY, HOURS
from llmr.config.toml_lines import KeyPath
from llmr.config.wording import show
from llmr.routing.rules.condition import WEEKDAYS

_HOURS: Final = re.compile(HOURS)
_DAYS: Final = re.compile(f"({DAY})(?:-({DAY}))?")


def condition_faults(path: KeyPath, when: WhenTable) -> Iterator[Fault]:
    """What is wrong with a condition in itself."""
    for key, tokens in (("prompt_tokens", when.prompt_tokens), ("output_tokens", when.output_tokens)):
        if tokens is not None:
            yield from _token_range((*path, key), tokens)
    if when.budget_left_usd is not None:
        yield from _dollar_range((*path, "budget_left_usd"), when.budget_left_usd)
    if when.hours is not None:
        yield from _hours((*path, "hours"), when.hours)
    yield from _weekdays((*path, "weekdays"), when.weekdays or ())
    yield from _empty(path, when)
    for name in when.metadata or ():
        if not name or "=" in name:
            yield Fault((*path, "metadata", name), "is no key: a tag is key=value")


def _empty(path: KeyPath, when: WhenTable) -> Iterator[Fault]:
    for key in ("tags", "model", "strategy", "weekdays", "metadata", "circuit"):
        said = getattr(when, key)
        if said is not None and not said:
            yield Fault((*path, key), "is empty, so it asks nothing")
    for key, table in (("metadata", when.metadata), ("circuit", when.circuit)):
        for name, words in (table or {}).items():
            if not words:
                yield Fault((*path, key, name), "is empty, so it can never hold")


def _weekdays(path: KeyPath, words: Sequence[str]) -> Iterator[Fault]:
    for text in words:
        if not _DAYS.fullmatch(text):
            yield Fault(path, f'expected days such as "sat" or "mon-fri", found {show(text)}')


def _token_range(path: KeyPath, bounds: TokenRangeTable) -> Iterator[Fault]:
    over, under = bounds.over, bounds.under
    if over is None and under is None:
        yield Fault(path, "expected over, under or both")
    elif over is not None and under is not None and under - over < 2:
        yield Fault(path, f"can never match: no number lies between over = {over} and under = {under}")
    elif under == 0:
        yield Fault(path, "can never match: nothing has fewer than 0 tokens")


def _dollar_range(path: KeyPath, bounds: DollarRangeTable) -> Iterator[Fault]:
    over, under = bounds.over, bounds.under
    if over is None and under is None:
        yield Fault(path, "expected over, under or both")
    elif over is not None and under is not None and under <= over:
        yield Fault(path, f"can never match: no amount lies between over = {over:g} and under = {under:g}")
    elif under == 0:
        yield Fault(path, "can never match: what is left is never less than 0")


def _hours(path: KeyPath, text: str) -> Iterator[Fault]:
    try:
        minutes_of(text)
    except ValueError as error:
        yield Fault(path, str(error))


def minutes_of(text: str) -> tuple[int, int]:
    """`"22:00-06:00"` as minutes after midnight, end exclusive. Raises ValueError with what is expected."""
    found = _HOURS.fullmatch(text)
    if found is None:
        raise ValueError(f'expected hours such as "22:00-06:00", found {show(text)}')
    start = int(found[1]) * 60 + int(found[2])
    end = int(found[3]) * 60 + int(found[4]) if found[3] else 24 * 60
    if start == end:
        raise ValueError("can never match: it begins when it ends")
    return start, end


def days_of(words: Iterable[str]) -> list[int]:
    """`"mon-fri"` as days, 0 is Monday; a range may pass Sunday. For words that `rule_faults` has nothing against."""
    days: set[int] = set()
    for word in words:
        first, _, last = word.partition("-")
        start, end = WEEKDAYS.index(first), WEEKDAYS.index(last or first)
        days.update(day % 7 for day in range(start, end + 1 if end >= start else end + 8))
    return sorted(days)
