"""Writes that may wait: in order, in batches, whoever holds the lock."""

import sqlite3
import threading
import time
from pathlib import Path

import pytest

from llmr.errors import StateBusy
from llmr.state import Change
from llmr.state.behind import WriteBehind
from llmr.state.sqlite import SqliteStore


def appended(item):
    """A step that puts `item` at the end of the row `k`."""
    return lambda rows, _now: Change(None, {"k": [*rows.get("k", []), item]})


@pytest.fixture
def path(tmp_path):
    directory = tmp_path / "state"
    directory.mkdir(mode=0o700)
    return directory / "state.db"


def opened(path: Path):
    return SqliteStore(path, time.time)


def test_each_step_sees_what_the_ones_before_it_wrote(path):
    behind = WriteBehind(opened(path), time.monotonic)
    for number in range(500):
        behind.put(frozenset({"k"}), appended(number))
    behind.close()
    with opened(path) as store:
        assert store.read(["k"])["k"] == list(range(500))


def test_a_step_that_removes_a_row_removes_it_for_the_next_one(path):
    behind = WriteBehind(opened(path), time.monotonic)
    behind.put(frozenset({"k"}), appended(1))
    behind.put(frozenset({"k"}), lambda _rows, _now: Change(None, {"k": None}))
    behind.put(frozenset({"k"}), appended(2))
    behind.close()
    with opened(path) as store:
        assert store.read(["k"])["k"] == [2]


def test_nobody_waits_while_another_process_holds_the_lock_and_nothing_is_lost(path):
    behind = WriteBehind(opened(path), time.monotonic)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    for number in range(100):
        behind.put(frozenset({"k"}), appended(number))
    assert other.execute("SELECT count(*) FROM rows").fetchone() == (0,)
    other.execute("ROLLBACK")
    other.close()
    behind.close()
    assert behind.notices == ()
    with opened(path) as store:
        assert store.read(["k"])["k"] == list(range(100))


def until_told(behind):
    deadline_s = time.monotonic() + 60
    while not behind.notices and time.monotonic() < deadline_s:
        threading.Event().wait(0.01)


def deep():
    row = []
    for _ in range(100_000):
        row = [row]
    return row


def test_a_step_at_fault_is_dropped_and_counted_and_takes_nothing_else_with_it(path):
    def wrong(_rows, _now):
        raise KeyError("x")

    behind = WriteBehind(opened(path), time.monotonic)
    behind.put(frozenset({"k"}), appended(1))
    behind.put(frozenset({"k"}), wrong)
    behind.put(frozenset({"k"}), lambda _rows, _now: Change(None, {"not named": 1}))
    behind.put(frozenset({"k"}), appended(2))
    until_told(behind)
    behind.put(frozenset({"k"}), appended(3))  # the thread goes on
    behind.close()
    assert behind.notices == ("2 records could not be written: a fault of llmr's own (ValueError)",)
    with opened(path) as store:
        assert store.read(["k"])["k"] == [1, 2, 3]


@pytest.mark.parametrize(
    ("step", "fault"),
    [
        (lambda _rows, now: 1 / (now - now), "ZeroDivisionError"),
        (lambda rows, _now: rows["k"].gone, "AttributeError"),
        (lambda rows, _now: rows["k"][9], "IndexError"),
        (lambda rows, _now: rows["k"] + 1, "TypeError"),
        (lambda _rows, _now: float("x"), "ValueError"),
        (lambda _rows, _now: Change(None, {"j": {1, 2}}), "TypeError"),
        (lambda _rows, _now: Change(None, {"j": float("nan")}), "ValueError"),
        (lambda _rows, _now: Change(None, {"j": deep()}), "RecursionError"),
    ],
)
def test_whatever_a_step_may_be_at_fault_for_ends_no_thread(path, step, fault):
    behind = WriteBehind(opened(path), time.monotonic)
    behind.put(frozenset({"k"}), appended(1))
    behind.put(frozenset({"k", "j"}), step)
    behind.put(frozenset({"k"}), appended(2))
    until_told(behind)
    assert behind.notices == (f"1 records could not be written: a fault of llmr's own ({fault})",)
    behind.close()
    with opened(path) as store:
        assert store.read(["k"])["k"] == [1, 2]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_what_waits_when_the_thread_ends_before_its_time_is_written_at_the_end(path):
    ended = threading.Event()

    def exhausting(_rows, _now):
        ended.set()
        raise MemoryError

    behind = WriteBehind(opened(path), time.monotonic)
    behind.put(frozenset({"k"}), exhausting)
    assert ended.wait(60)
    behind.put(frozenset({"k"}), appended(1))
    behind.close()
    with opened(path) as store:
        assert store.read(["k"])["k"] == [1]


def test_what_cannot_be_kept_is_dropped_and_counted(path, monkeypatch):
    monkeypatch.setattr("llmr.state.behind._MOST", 10)
    behind = WriteBehind(opened(path), time.monotonic)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    for number in range(300):
        behind.put(frozenset({"k"}), appended(number))
    other.execute("ROLLBACK")
    other.close()
    behind.close()
    (notice,) = behind.notices
    assert "could not be written" in notice


class Locked:
    """A store that another process holds for good; waiting for it takes time by its own clock."""

    def __init__(self):
        self.now_s = 0.0

    def write(self, _keys, _step, *, wait_s):
        self.now_s += wait_s
        raise StateBusy("state.db: database is locked")

    def close(self):
        pass


def test_the_end_waits_for_the_lock_once_and_not_for_every_batch(monkeypatch):
    monkeypatch.setattr("llmr.state.behind._AT_ONCE", 1)
    store = Locked()
    behind = WriteBehind(store, lambda: store.now_s)
    for number in range(50):
        behind.put(frozenset({"k"}), appended(number))
    began_s = store.now_s
    behind.close()
    assert store.now_s - began_s < 6.0
    assert behind.notices == ("50 records could not be written: state.db: database is locked",)


def test_what_comes_after_the_end_is_counted(path):
    behind = WriteBehind(opened(path), time.monotonic)
    behind.close()
    behind.put(frozenset({"k"}), appended(1))
    assert behind.notices == ("1 records could not be written: they came after the end",)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_where_the_thread_has_died_nobody_else_is_blamed(path, monkeypatch):
    def exhausting(_rows, _now):
        raise MemoryError

    behind = WriteBehind(opened(path), time.monotonic)
    behind.put(frozenset({"k"}), exhausting)
    behind._thread.join(10)
    monkeypatch.setattr("llmr.state.behind._MOST", 0)
    behind.put(frozenset({"k"}), appended(1))
    assert behind.notices == ("1 records could not be written: the thread that writes them has died",)
    behind.close()
