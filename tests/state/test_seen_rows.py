"""Rows that are given out again: only for as long as nobody has written."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from llmr.state import Change, Row, StateStore
from llmr.state.database import Damaged, Database
from llmr.state.seen import SeenRows

Opened = Callable[[], StateStore]


def put(store: StateStore, **rows: Any) -> None:
    store.transact(set(rows), lambda _rows, _now: Change(None, rows))


def test_what_another_connection_writes_is_seen_at_once(opened: Opened) -> None:
    one, other = opened(), opened()
    put(other, a=1)
    assert one.read(["a", "b"]) == {"a": 1}
    put(other, a=2, b=3)
    assert one.read(["a", "b"]) == {"a": 2, "b": 3}
    other.transact({"a"}, lambda _rows, _now: Change(None, {"a": None}))
    assert one.read(["a", "b"]) == {"b": 3}


def test_what_this_connection_writes_is_seen_at_once(opened: Opened) -> None:
    store = opened()
    for number in range(3):
        put(store, a=number)
        assert store.read(["a"]) == {"a": number}
        assert store.transact({"a"}, lambda rows, _now: Change(rows["a"])) == number


def test_a_step_that_writes_nothing_is_run_on_the_rows_of_now(opened: Opened) -> None:
    one, other = opened(), opened()
    put(other, a=1)
    assert one.transact({"a"}, lambda rows, _now: Change(rows["a"])) == 1
    put(other, a=2)
    assert one.transact({"a"}, lambda rows, _now: Change(rows["a"])) == 2


def test_rows_that_nobody_wrote_are_read_once(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    store = opened()
    put(store, a=1)
    selected: list[str] = []
    rows = Database.rows

    def noting(self: Database, statement: str, values: Any = ()) -> Any:
        selected.extend([statement] if statement.startswith("SELECT") else [])
        return rows(self, statement, values)

    monkeypatch.setattr(Database, "rows", noting)
    for _ in range(5):
        assert store.read(["a", "absent"]) == {"a": 1}
    assert len(selected) == 1


def test_a_look_at_more_keys_is_of_one_moment() -> None:
    """Between the look at the version and the reading, somebody may write: then all is read, not what is missing."""
    file: dict[str, Row] = {"a": 1, "b": 1}
    seen = SeenRows()

    def read(keys: Any) -> Mapping[str, Row]:
        return {key: file[key] for key in keys}

    assert seen.rows(["a"], 7, read) == {"a": 1}
    file.update(a=2, b=2)
    assert seen.rows(["a", "b"], 7, read) == {"a": 2, "b": 2}


def test_a_store_that_is_begun_anew_has_seen_nothing(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    store = opened()
    put(store, a=1)
    assert store.read(["a"]) == {"a": 1}

    def broken(_self: Database, _statement: str, _values: Any = ()) -> Any:
        raise Damaged("a page is broken")

    with monkeypatch.context() as patched:
        patched.setattr(Database, "rows", broken)
        with pytest.raises(Damaged):
            store.read(["b"])
    assert store.read(["a"]) == {}
