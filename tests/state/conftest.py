"""What the tests of the state stores share: a clock that stands still, a fresh file, and many real processes at once."""

import json
import os
import traceback
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

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


class Child:
    """A forked process that runs `work` once `gate` is closed by everybody, and says how that went."""

    def __init__(self, work: Callable[[], Any], gate: tuple[int, int]) -> None:
        self._answer, answer_in = os.pipe()
        with (
            warnings.catch_warnings()
        ):  # newer Pythons warn where another thread is alive; no child here meets its locks
            warnings.simplefilter("ignore", DeprecationWarning)
            self.pid = os.fork()
        if self.pid:
            os.close(answer_in)
            return
        status = 1
        try:
            wait, go = gate
            os.close(go)
            os.read(wait, 1)
            os.write(answer_in, json.dumps(work()).encode())
            status = 0
        except BaseException:  # noqa: BLE001 - told by the parent
            os.write(answer_in, traceback.format_exc().encode()[-60_000:])
        finally:
            os._exit(status)

    def result(self) -> Any:
        """What `work` returned. A negative number: the signal that killed it."""
        with os.fdopen(self._answer, "rb") as pipe:
            answer = pipe.read()
        status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        if status < 0:
            return status
        assert status == 0, answer.decode()
        return json.loads(answer)


def run_together(works: list[Callable[[], Any]]) -> list[Any]:
    wait, go = os.pipe()
    children = [Child(work, (wait, go)) for work in works]
    os.close(go)  # the last one who held it: now all of them read the end of the pipe
    os.close(wait)
    return [child.result() for child in children]


@pytest.fixture
def apart() -> Callable[[Callable[[], Any]], Any]:
    """Runs something in a process of its own and gives what it returned."""
    return lambda work: run_together([work])[0]


@pytest.fixture
def together() -> Callable[[int, Callable[[int], Any]], list[Any]]:
    """Runs `work(0)` … `work(count - 1)`, each in a process of its own, all let go at the same moment."""
    return lambda count, work: run_together([partial(work, number) for number in range(count)])
