"""Options whose values are closed sets, checked where all commands can reach them."""

from enum import StrEnum

from llmr.catalog import Strategy
from llmr.errors import UsageError
from llmr.routing.policy import OnBreak


def check_strategy(name: str | None) -> None:
    """Raises UsageError for a `--strategy` that does not exist."""
    check("strategy", name, Strategy)


def check_on_break(name: str | None) -> None:
    """Raises UsageError for an `--on-break` that does not exist."""
    check("on-break", name, OnBreak)


def check(option: str, name: str | None, choices: type[StrEnum]) -> None:
    """Raises UsageError, with what was probably meant, for a name that is not among the choices."""
    if name is None or name in set(choices):
        return
    from llmr.config.wording import suggestion

    raise UsageError(f"unknown {option} {name!r}{suggestion(name, choices)}")
