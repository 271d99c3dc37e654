"""The registry raced by real processes over one SQLite file: what must hold for all of them together (routing.md §7).

The processes are real and so is their race; the time is an argument, so that nobody has to sleep for it.
"""

import os
import signal
from pathlib import Path
from random import Random
from typing import Any

import pytest
from fakes import NOON, RateLimit, model, provider
from processes import together

from llmr.catalog import Model, Price, SpendLimits
from llmr.errors import ErrorKind, ProviderError
from llmr.registry import Attempt, Permit, ProviderRegistry
from llmr.registry.calendar import local_day
from llmr.routing.budget import Budget, Charge, Extra
from llmr.routing.circuit import BreakerState, Phase
from llmr.routing.policy import BreakerPolicy
from llmr.routing.spending import Purse
from llmr.state.sqlite import SqliteStore

POLICY = BreakerPolicy()
LATER = NOON + 40.0  # the cool-down is over
PROCESSES = 16


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "llmr" / "state.db"


class Books:
    """One process's registry over the shared file."""

    def __init__(self, path: Path, *, at: float = NOON, spend: SpendLimits | None = None) -> None:
        self.at = at
        self.count = 0
        self.store = SqliteStore(path, lambda: at)
        self.registry = ProviderRegistry(self.store, POLICY, Random(os.getpid()), spend=spend or SpendLimits())

    def admit(self, asked: Model, **how: Any) -> Any:
        self.count += 1
        return self.registry.admit(
            asked, streamed=True, prompt_tokens=10, reasoning=False, first_token_s=0.0,
            token=f"{os.getpid()}.{self.count}", now=self.at, **how,
        )  # fmt: skip

    def report(self, permit: Permit, error: ProviderError | None = None, **facts: Any) -> None:
        ttft_s = None if error else 0.5
        self.registry.report(permit, Attempt("r", self.at, True, 1.0, ttft_s, error, **facts))
        self.registry.flush()

    def row(self, key: str) -> Any:
        return self.store.read([key]).get(key)


def failed(books: Books, asked: Model, times: int) -> None:
    for _ in range(times):
        permit = books.admit(asked)
        assert isinstance(permit, Permit)
        books.report(permit, ProviderError(ErrorKind.SERVER, "no"))


def test_i01_of_many_processes_exactly_one_probes(path: Path) -> None:
    asked = model("a")
    failed(Books(path), asked, 5)
    granted = together(PROCESSES, lambda _: isinstance(Books(path, at=LATER).admit(asked), Permit))
    assert granted.count(True) == 1


def test_i07_a_prober_that_is_killed_costs_its_lease_and_no_more(path: Path) -> None:
    asked = model("a")
    failed(Books(path), asked, 5)

    def die(_: int) -> None:
        assert isinstance(Books(path, at=LATER).admit(asked), Permit)
        os.kill(os.getpid(), signal.SIGKILL)

    assert together(1, die) == [-signal.SIGKILL]
    lease_until = BreakerState.from_row(Books(path).row("b:p:a#0badcafe")).lease_until
    assert LATER < lease_until <= LATER + POLICY.lease_s
    assert not isinstance(Books(path, at=lease_until - 0.1).admit(asked), Permit)
    granted = together(PROCESSES, lambda _: isinstance(Books(path, at=lease_until).admit(asked), Permit))
    assert granted.count(True) == 1


def test_i12_failures_of_many_processes_trip_once(path: Path) -> None:
    asked = model("a")

    def fail(_: int) -> bool:
        books = Books(path)
        permit = books.admit(asked)
        if isinstance(permit, Permit):
            books.report(permit, ProviderError(ErrorKind.SERVER, "no"))
        return isinstance(permit, Permit)

    together(PROCESSES, fail)
    state = BreakerState.from_row(Books(path).row("b:p:a#0badcafe"))
    assert (state.phase, state.trips) == (Phase.OPEN, 1)


def test_i16_an_admission_that_one_circuit_refuses_leaves_no_lease_in_the_other(path: Path) -> None:
    asked, sibling = model("a", "one"), model("a", "two")
    failed(Books(path), asked, 5)
    granted = together(
        PROCESSES, lambda n: isinstance(Books(path, at=LATER).admit(asked if n % 2 else sibling), Permit)
    )
    assert granted.count(True) == 1  # both pass the account's circuit
    states = [BreakerState.from_row(Books(path).row(f"b:m:a#0badcafe/{name}")) for name in ("one", "two")]
    assert sum(state.phase is Phase.HALF_OPEN for state in states) <= 1


def test_i17_grants_of_all_processes_stay_within_the_burst_and_what_flowed_back(path: Path) -> None:
    asked = model(provider("a", rate_limit=RateLimit(requests_per_minute=60)))

    def ask(at: float) -> int:
        books = Books(path, at=at)
        return sum(isinstance(books.admit(asked), Permit) for _ in range(10))

    assert sum(together(8, lambda _: ask(NOON))) == 10  # at once
    assert sum(together(8, lambda _: ask(NOON + 3))) == 3


def test_i18_retries_and_hedges_of_all_processes_stay_within_the_budget(path: Path) -> None:
    asked, owner = model("b"), provider("a")

    def hedge(_: int) -> int:
        books = Books(path)
        return sum(isinstance(books.admit(asked, charge=Charge(owner, Extra.HEDGE)), Permit) for _ in range(3))

    assert sum(together(PROCESSES, hedge)) == 10
    held = Budget.from_row(Books(path).row("q:a#0badcafe"))
    assert (held.hedged, held.tokens, held.hedges) == (10, 0.0, 0.0)


def test_requests_of_all_processes_earn_their_share(path: Path) -> None:
    asked, owner = model("a"), provider("a")
    books = Books(path)
    for _ in range(10):
        assert isinstance(books.admit(asked, charge=Charge(owner, Extra.RETRY)), Permit)

    def request(_: int) -> None:
        mine = Books(path)
        mine.report(mine.admit(asked), number=1)

    together(PROCESSES, request)
    held = Budget.from_row(books.row("q:a#0badcafe"))
    assert held.requests == PROCESSES
    assert held.tokens == pytest.approx(0.2 * PROCESSES)


def test_many_processes_do_not_together_pass_a_spend_limit(path: Path) -> None:
    asked, limits = model("a", price=Price(1.0, 1.0)), SpendLimits(per_day_usd=1.0)

    def spend(_: int) -> bool:
        books = Books(path, spend=limits)
        permit = books.admit(asked, price_usd=0.15)
        if isinstance(permit, Permit):
            books.report(permit, cost_usd=0.15)
        return isinstance(permit, Permit)

    assert together(PROCESSES, spend).count(True) == 6
    books, today = Books(path), local_day(NOON)
    assert Purse.from_row(books.row(f"$:{today.month}")).day_usd(today.day) == pytest.approx(0.9)


def test_i28_every_sample_of_every_process_is_counted_once(path: Path) -> None:
    asked = model("a")

    def ask(_: int) -> None:
        books = Books(path)
        for _ in range(5):
            books.report(books.admit(asked))

    together(PROCESSES, ask)
    books = Books(path)
    assert len(books.store.attempts()) == 5 * PROCESSES
    assert books.registry.status([asked], now=NOON)[0].attempts == 5 * PROCESSES
