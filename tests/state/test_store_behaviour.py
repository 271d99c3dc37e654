"""What every state store does, whatever it is made of."""

import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmr.state import AttemptRecord, Change, RequestRecord, Row, StateStore
from llmr.state.memory import MemoryStore
from llmr.state.sqlite import SqliteStore, open_store

NOON = 1_795_435_200.0


def attempt(request_id: str = "r1", at: float = NOON, **more: Any) -> AttemptRecord:
    facts = {"provider": "openai", "model": "gpt-4o", "outcome": "ok", "streamed": True, "total_s": 1.5} | more
    return AttemptRecord(request_id, at, **facts)


def request(request_id: str = "r1", at: float = NOON, **more: Any) -> RequestRecord:
    facts = {"asked_model": "gpt-4o", "strategy": "balanced", "outcome": "ok", "total_s": 1.5, "attempts": 1} | more
    return RequestRecord(request_id, at, **facts)


def put(store: StateStore, **rows: Row) -> None:
    store.transact(rows.keys(), lambda _rows, _now: Change(None, rows))


def append(store: StateStore, *records: AttemptRecord | RequestRecord) -> None:
    store.transact((), lambda _rows, _now: Change(None, append=records))


def test_what_is_written_is_read_and_what_is_not_there_is_absent(store: StateStore) -> None:
    put(store, a={"n": 1}, b=[1, 2.5, "é", None, True])
    assert store.read(["a", "b", "c"]) == {"a": {"n": 1}, "b": [1, 2.5, "é", None, True]}


def test_none_deletes_a_row(store: StateStore) -> None:
    put(store, a=1, b=2)
    put(store, a=None, b=3)
    assert store.scan("") == {"b": 3}


def test_a_step_sees_the_rows_it_named_and_the_clock(store: StateStore) -> None:
    put(store, a=1, b=2, c=3)
    assert store.transact(["a", "c", "x"], lambda rows, now: Change((dict(rows), now))) == ({"a": 1, "c": 3}, NOON)


def test_more_keys_than_a_statement_takes_are_one_read(store: StateStore) -> None:
    rows = {f"k{n}": n for n in range(1203)}
    put(store, **rows)
    assert store.read(rows.keys()) == rows
    put(store, **{key: value + 1 for key, value in rows.items()})
    assert store.read(rows.keys()) == {key: value + 1 for key, value in rows.items()}


def test_a_scan_finds_the_prefix_and_nothing_beside_it(store: StateStore) -> None:
    put(store, **{"h:a": 1, "h:b": 2, "h": 3, "h;": 4, "g:": 5, "h:": 6, "h_a": 7, "H:a": 8})
    assert store.scan("h:") == {"h:": 6, "h:a": 1, "h:b": 2}


def test_a_step_may_write_only_what_it_named(store: StateStore) -> None:
    with pytest.raises(ValueError, match="did not name"):
        store.transact(["a"], lambda _rows, _now: Change(None, {"a": 1, "b": 2}))
    assert store.scan("") == {}


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {1, 2}, object()])
def test_a_value_that_is_no_json_is_refused_and_nothing_is_written(store: StateStore, value: object) -> None:
    with pytest.raises((ValueError, TypeError)):
        store.transact(["a", "b"], lambda _rows, _now: Change(None, {"a": 1, "b": value}, [attempt()]))
    assert (store.scan(""), list(store.attempts())) == ({}, [])


def test_an_exception_in_a_step_leaves_everything_as_it_was_and_comes_out(store: StateStore) -> None:
    put(store, a=1)
    last_run = isinstance(store, SqliteStore) + 1  # SQLite runs a step that writes once more, under its lock
    runs = count(1)

    def step(_rows: Mapping[str, Row], _now: float) -> Change[None]:
        if next(runs) == last_run:
            raise LookupError("second thoughts")
        return Change(None, {"a": 2}, [attempt()])

    with pytest.raises(LookupError):
        store.transact(["a"], step)
    assert (store.read(["a"]), list(store.attempts())) == ({"a": 1}, [])
    put(store, b=1)  # and no transaction was left open
    assert store.read(["b"]) == {"b": 1}


def test_a_row_does_not_change_when_its_writer_goes_on_with_the_value(store: StateStore) -> None:
    mine = [1]
    put(store, a=mine)
    mine.append(2)
    assert store.read(["a"]) == {"a": [1]}


def test_records_come_back_as_they_went_in_in_the_order_of_appending(store: StateStore) -> None:
    full = attempt(
        "r2", NOON - 50, streamed=False, ttft_s=0.25, status=429, code="rate_limit", probe=True,
        input_tokens=10, output_tokens=20, cost_usd=0.0001, outcome="rate_limit",
    )  # fmt: skip
    told = request("r2", NOON - 50, provider="openai", model="gpt-4o", ttft_s=0.25, decision='{"ranked":[]}')
    append(store, attempt("r1"), full, request("r1"), told, attempt("r3", NOON - 99))
    assert list(store.attempts()) == [attempt("r1"), full, attempt("r3", NOON - 99)]
    assert list(store.requests()) == [request("r1"), told]
    assert [type(each.probe) for each in store.attempts()] == [bool, bool, bool]


def test_history_gives_the_last_few_of_those_since(store: StateStore) -> None:
    append(store, *(attempt(f"r{n}", NOON + n) for n in range(6)), *(request(f"r{n}", NOON + n) for n in range(6)))
    assert [each.request_id for each in store.attempts(since=NOON + 1, limit=2)] == ["r4", "r5"]
    assert [each.id for each in store.requests(since=NOON + 4)] == ["r4", "r5"]
    assert [each.id for each in store.requests(limit=0)] == []
    assert [each.id for each in store.requests(limit=99)] == [f"r{n}" for n in range(6)]


def test_one_request_is_found_by_the_beginning_of_its_id_and_its_attempts_by_all_of_it(store: StateStore) -> None:
    append(store, request("ab1"), request("ab2"), request("b"), attempt("ab1"), attempt("ab1", NOON + 1), attempt("ab"))
    assert [each.id for each in store.requests_named("ab")] == ["ab1", "ab2"]
    assert [each.id for each in store.requests_named("ab2")] == ["ab2"]
    assert store.requests_named("c") == []
    assert list(store.attempts_of("ab1")) == [attempt("ab1"), attempt("ab1", NOON + 1)]


def test_what_was_spent_is_added_up_by_model_without_what_nobody_knows(store: StateStore) -> None:
    append(
        store,
        attempt("1", NOON, provider="a", model="m/x", cost_usd=0.25),
        attempt("2", NOON, provider="a", model="m/x", cost_usd=0.5),
        attempt("3", NOON, provider="a", model="m/x"),
        attempt("4", NOON, provider="b", model="m"),
        attempt("5", NOON - 1, provider="a", model="m/x", cost_usd=8.0),
    )
    assert store.spent(since=NOON) == {"a/m/x": 0.75}
    assert store.spent() == {"a/m/x": 8.75}


def test_what_no_column_holds_becomes_not_known(store: StateStore) -> None:
    append(store, attempt("r\udcff", input_tokens=10**30, output_tokens=-(10**30), cost_usd=float("nan"), model="é"))
    (kept,) = store.attempts()
    assert (kept.request_id, kept.model) == ("r?", "é")
    assert (kept.input_tokens, kept.output_tokens, kept.cost_usd) == (None, None, None)


def test_threads_of_one_process_lose_nothing(store: StateStore) -> None:
    def work() -> None:
        for _ in range(25):
            store.transact(["n"], lambda rows, _now: Change(None, {"n": rows.get("n", 0) + 1}, [attempt()]))

    threads = [Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (store.read(["n"]), len(store.attempts())) == ({"n": 200}, 200)


def test_a_memory_store_says_why_it_is_there(now: Callable[[], float]) -> None:
    assert tuple(MemoryStore(now, ["the disk is full"]).notices) == ("the disk is full",)


def test_a_memory_store_keeps_a_bounded_history(now: Callable[[], float]) -> None:
    store = MemoryStore(now)
    append(store, *(attempt(f"r{n}") for n in range(10_005)))
    kept = store.attempts()
    assert (len(kept), kept[0].request_id, kept[-1].request_id) == (10_000, "r5", "r10004")


def test_only_the_store_on_disk_imports_sqlite() -> None:
    script = "import sys, llmr.state.memory; print(*sorted({'sqlite3', 'datetime', 'asyncio'} & sys.modules.keys()))"
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, check=True).stdout.strip() == b""


# Memory and SQLite, side by side ------------------------------------------------------------------------------------------

KEYS = st.text("ab:\x00é\ud7ff\ue000\U0010ffff", max_size=3)
VALUES = st.recursive(
    st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)
TIMES = st.floats(NOON - 1000, NOON + 1000)
TEXT = st.text(max_size=5)
MAYBE_COUNT = st.none() | st.integers()
MAYBE_AMOUNT = st.none() | st.floats(allow_nan=False)
ATTEMPTS = st.builds(
    AttemptRecord, TEXT, TIMES, TEXT, TEXT, TEXT, st.booleans(), TIMES, MAYBE_AMOUNT, st.none() | st.integers(0, 999),
    st.none() | TEXT, MAYBE_COUNT, MAYBE_COUNT, MAYBE_AMOUNT, st.booleans(),
)  # fmt: skip
REQUESTS = st.builds(
    RequestRecord, TEXT, TIMES, TEXT, TEXT, TEXT, TIMES, st.integers(0, 9), st.none() | TEXT, st.none() | TEXT,
    MAYBE_AMOUNT, st.none() | TEXT,
)  # fmt: skip
LIMITS = st.none() | st.integers(0, 5)


@dataclass(frozen=True)
class Write:
    rows: dict[str, Row | None]
    records: list[AttemptRecord | RequestRecord]
    count_up: list[str]

    def __call__(self, store: StateStore) -> object:
        def step(rows: Mapping[str, Row], now: float) -> Change[object]:
            counts = {key: [*rows[key], 1] if isinstance(rows.get(key), list) else [0] for key in self.count_up}
            return Change((dict(rows), now), counts | self.rows, self.records)

        return store.transact([*self.rows, *self.count_up], step)


@dataclass(frozen=True)
class Look:
    keys: list[str]
    prefix: str
    since: float
    limit: int | None

    def __call__(self, store: StateStore) -> object:
        return (
            dict(store.read(self.keys)),
            dict(store.scan(self.prefix)),
            list(store.attempts(since=self.since, limit=self.limit)),
            list(store.requests(since=self.since, limit=self.limit)),
            list(store.requests_named(self.prefix)),
            list(store.attempts_of(self.prefix)),
        )


OPERATIONS = st.lists(
    st.builds(
        Write,
        st.dictionaries(KEYS, st.none() | VALUES, max_size=3),
        st.lists(ATTEMPTS | REQUESTS, max_size=3),
        st.lists(KEYS, max_size=2),
    )
    | st.builds(Look, st.lists(KEYS, max_size=4), KEYS, TIMES, LIMITS),
    max_size=12,
)


@settings(max_examples=100, deadline=None)
@given(OPERATIONS)
def test_memory_and_sqlite_cannot_be_told_apart(operations: list[Callable[[StateStore], object]]) -> None:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "state.db"
        memory = MemoryStore(lambda: NOON)
        for operation in operations:
            with open_store(path, lambda: NOON) as sqlite:  # a new process, as it were, each time
                assert isinstance(sqlite, SqliteStore)
                assert operation(sqlite) == operation(memory)
