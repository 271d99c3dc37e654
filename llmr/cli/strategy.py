"""The `--strategy` option's value, checked where all commands can reach it."""

from llmr.catalog import Strategy
from llmr.errors import UsageError


def check_strategy(name: str | None) -> None:
    """Raises UsageError for a strategy that does not exist."""
    if name is None or name in set(Strategy):
        return
    from llmr.config.wording import suggestion

    raise UsageError(f"unknown strategy {name!r}{suggestion(name, Strategy)}")
