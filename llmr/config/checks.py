"""What types cannot say: whether the settings mean something, and something possible.

Each check yields faults and knows nothing of files; settle.py finds the places and words the error.
"""

from collections.abc import Iterator
from typing import Final

from llmr.config.name_checks import default_model_faults, named_model_faults
from llmr.config.origin import Fault, Origins
from llmr.config.provider_checks import file_name_faults, provider_faults
from llmr.config.rule_checks import rule_faults
from llmr.config.schema import RoutingFile, SpendTable
from llmr.config.toml_lines import KeyPath
from llmr.routing.policy import Policy


def faults_in(settings: RoutingFile, origins: Origins) -> Iterator[Fault]:
    """All that is wrong with settings that have the right types."""
    yield from default_model_faults(settings)
    for name, provider in settings.providers.items():
        yield from provider_faults(name, provider)
    for name, named in settings.models.items():
        yield from named_model_faults(name, named, settings)
    yield from rule_faults(settings, origins)
    yield from _ranges(settings)
    yield from _budgets(settings)


# Numbers that only make sense together


_ORDERED: Final[tuple[tuple[str, str, str], ...]] = (
    ("circuit_breaker", "cooldown_s", "cooldown_cap_s"),
    ("circuit_breaker", "rate_backoff_s", "rate_backoff_cap_s"),
    ("fallback", "backoff_base_s", "backoff_cap_s"),
    ("timeouts", "deadline_s", "total_s"),
)
"""(table, the lesser, the greater): the first may not exceed the second."""


def _ranges(settings: RoutingFile) -> Iterator[Fault]:
    defaults = Policy()
    of_table = {
        "circuit_breaker": (settings.circuit_breaker, defaults.breaker),
        "fallback": (settings.fallback, defaults.fallback),
        "timeouts": (settings.timeouts, defaults.timeouts),
    }
    for table, lesser, greater in _ORDERED:
        said, default = of_table[table]
        if said is None:
            continue
        low = getattr(said, lesser) or getattr(default, lesser)
        high = getattr(said, greater) or getattr(default, greater)
        if low > high:
            key = lesser if getattr(said, lesser) is not None else greater
            yield Fault((table, key), f"{lesser} ({low:g}) is above {greater} ({high:g})")
    if settings.state is not None and settings.state.path is not None and settings.state.path != ":memory:":
        yield from file_name_faults(("state", "path"), settings.state.path)


def _budgets(settings: RoutingFile) -> Iterator[Fault]:
    yield from _budget(("budget",), settings.budget)
    for name, provider in settings.providers.items():
        yield from _budget(("providers", name, "budget"), provider.budget)


def _budget(path: KeyPath, limits: SpendTable | None) -> Iterator[Fault]:
    if limits is None:
        return
    day, month = limits.per_day_usd, limits.per_month_usd
    if day is not None and month is not None and day > month:
        yield Fault((*path, "per_day_usd"), f"per_day_usd ({day:g}) is above per_month_usd ({month:g})")
    if day is None and month is None and limits.on_limit is not None:
        yield Fault((*path, "on_limit"), "there is no limit here: write per_day_usd or per_month_usd")
