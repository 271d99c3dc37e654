"""What the tests of the state stores share: a clock that stands still, a fresh file, and many real processes at once."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import processes
import pytest

from llmr.state import StateStore
from llmr.state.memory import MemoryStore
from llmr.state.sqlite import SqliteStore, open_store

NOON = 1_795_435_200.0  # 2026-11-23 12:00 UTC


@pytest.fixture
def now() -> Callable[[], float]:
    return lambda: NOON


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """In a directory that is not there yet."""
    return tmp_path / "llmr" / "state.db"


@pytest.fixture
def opened(path: Path, now: Callable[[], float]) -> Iterator[Callable[[], StateStore]]:
    """Opens the store at `path`, as often as asked; closes each at the end."""
    stores: list[StateStore] = []

    def open_one() -> StateStore:
        stores.append(open_store(path, now))
        return stores[-1]

    yield open_one
    for store in stores:
        store.close()


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, path: Path, now: Callable[[], float]) -> Iterator[StateStore]:
    with MemoryStore(now) if request.param == "memory" else SqliteStore(path, now) as each:
        yield each


@pytest.fixture
def apart() -> Callable[[Callable[[], Any]], Any]:
    """Runs something in a process of its own and gives what it returned."""
    return lambda work: processes.run_together([work])[0]


@pytest.fixture
def together() -> Callable[[int, Callable[[int], Any]], list[Any]]:
    """processes.together"""
    return processes.together
