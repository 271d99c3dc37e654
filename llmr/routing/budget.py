"""The retry and hedge budget: how much extra load one provider's trouble may cause. Pure; one row per account in the store.

A retry helps when a failure is rare and harms when it is not: then everyone retries at the same moment, and the load doubles
just as the provider is weakest. So what is extra has to be earned by what is ordinary, over all processes on the machine
(gRPC's retry throttling and Finagle's RetryBudget do the same within one process):

    a request that begins with the provider     tokens + .2, hedges + .1, up to their caps
    a retry of it                               tokens − 1          refused where there is none
    a hedge beside it                           tokens − 1, hedges − 1    refused where either is missing
    a fallback from it to somebody else         the first of a request is free, later ones tokens − 1; never refused

Charged is the provider that was asked first, for it is its trouble: a partner that takes in the hedges of a busy provider
would have earned nothing. A fallback is never refused, because who failed gets no load from it and the user an answer.
So retries + hedges ≤ 10 + .2·requests and hedges ≤ 10 + .1·requests, whatever the number of processes.
"""

from enum import StrEnum
from typing import Any, Final, assert_never

from llmr.catalog import Provider
from llmr.dataclass import dataclass, replace

TOKENS_PER_REQUEST: Final = 0.2  # routing.md §4
TOKENS_MOST: Final = 10.0  # routing.md §4
HEDGES_PER_REQUEST: Final = 0.1  # routing.md §4: budget 10 %
HEDGES_MOST: Final = 10.0


class Extra(StrEnum):
    """A request beyond the one that was asked for."""

    RETRY = "retry"
    HEDGE = "hedge"
    FIRST_FALLBACK = "first_fallback"
    FALLBACK = "fallback"


@dataclass(frozen=True, slots=True)
class Charge:
    """Who pays for what."""

    owner: Provider
    extra: Extra


@dataclass(frozen=True, slots=True)
class Budget:
    """What is left. `requests` and the counts by kind are since records began, for `providers status --json`."""

    tokens: float = TOKENS_MOST
    hedges: float = HEDGES_MOST
    requests: int = 0
    retried: int = 0
    hedged: int = 0
    fell_back: int = 0

    def to_row(self) -> list[Any]:
        """JSON values in field order."""
        return [self.tokens, self.hedges, self.requests, self.retried, self.hedged, self.fell_back]

    @staticmethod
    def from_row(row: Any) -> "Budget":
        """The budget in `row`; a missing or unreadable one is full. What no honest writer stores is put within bounds."""
        try:
            tokens, hedges, requests, retried, hedged, fell_back = row
            return Budget(
                _within(float(tokens), TOKENS_MOST), _within(float(hedges), HEDGES_MOST),
                int(requests), int(retried), int(hedged), int(fell_back),
            )  # fmt: skip
        except (TypeError, ValueError, OverflowError):
            return Budget()


def earn(budget: Budget) -> Budget:
    """One more request that begins with this provider."""
    return replace(
        budget,
        tokens=min(TOKENS_MOST, budget.tokens + TOKENS_PER_REQUEST),
        hedges=min(HEDGES_MOST, budget.hedges + HEDGES_PER_REQUEST),
        requests=budget.requests + 1,
    )


def spend(budget: Budget, extra: Extra) -> Budget | None:
    """The budget after `extra`; None: it is not covered and must not happen."""
    match extra:
        case Extra.RETRY:
            if budget.tokens < 1:
                return None
            return replace(budget, tokens=budget.tokens - 1, retried=budget.retried + 1)
        case Extra.HEDGE:
            if budget.tokens < 1 or budget.hedges < 1:
                return None
            return replace(budget, tokens=budget.tokens - 1, hedges=budget.hedges - 1, hedged=budget.hedged + 1)
        case Extra.FIRST_FALLBACK:
            return replace(budget, fell_back=budget.fell_back + 1)
        case Extra.FALLBACK:
            return replace(budget, tokens=max(0.0, budget.tokens - 1), fell_back=budget.fell_back + 1)
        case _:
            assert_never(extra)


def _within(amount: float, most: float) -> float:
    """NaN becomes 0: a damaged row earns its budget anew."""
    return min(max(0.0, amount), most) if amount == amount else 0.0  # noqa: PLR0124 - the cheapest test for NaN
