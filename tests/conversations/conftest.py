"""A conversations file of its own, a clock that is told the time, ids from a fixed seed."""

import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fakes import NOON

from llmr.conversations.store import ConversationStore


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """In a directory that is not there yet."""
    return tmp_path / "llmr" / "conversations.db"


@pytest.fixture
def opened(path: Path) -> Iterator[Callable[[], ConversationStore]]:
    """Opens the file, as often as asked; closes each at the end."""
    stores: list[ConversationStore] = []

    def open_one() -> ConversationStore:
        stores.append(ConversationStore(path, lambda: NOON, random.Random(len(stores))))
        return stores[-1]

    yield open_one
    for store in stores:
        store.close()


@pytest.fixture
def store(opened: Callable[[], ConversationStore]) -> ConversationStore:
    return opened()
