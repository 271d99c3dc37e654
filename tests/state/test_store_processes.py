"""Real processes at the same file: races, locks, and death at any line."""

import json
import os
import signal
import sqlite3
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from llmr.errors import StateBusy
from llmr.state import AttemptRecord, Change, Row, StateStore
from llmr.state.sqlite import SqliteStore, open_store

NOON = 1_795_435_200.0

Apart = Callable[[Callable[[], Any]], Any]
Together = Callable[[int, Callable[[int], Any]], list[Any]]
Opened = Callable[[], StateStore]


def attempt(request_id: str) -> AttemptRecord:
    return AttemptRecord(request_id, NOON, "openai", "gpt-4o", "ok", streamed=True, total_s=1.0)


def count_up(rows: Mapping[str, Row], _now: float) -> Change[int]:
    value = rows.get("n", 0) + 1
    return Change(value, {"n": value}, [attempt(str(value))])


def test_fifty_processes_lose_nothing(path: Path, now: Callable[[], float], together: Together, opened: Opened) -> None:
    def work(_number: int) -> list[int]:
        with open_store(path, now) as store:
            return [store.transact(["n"], count_up, wait_s=30) for _ in range(6)]

    opened()
    seen = sorted(value for values in together(50, work) for value in values)
    assert seen == list(range(1, 301))
    store = opened()
    assert store.read(["n"]) == {"n": 300}
    assert sorted(int(each.request_id) for each in store.attempts()) == seen


def test_fifty_runs_with_ordinary_patience_leave_fifty_rows(
    path: Path, now: Callable[[], float], together: Together, opened: Opened
) -> None:
    def work(number: int) -> list[str]:
        with open_store(path, now) as store:
            for _ in range(20):  # on a crowded machine the lock may come too late; a refused write may be repeated
                with suppress(StateBusy):
                    store.transact((), lambda _rows, _now: Change(None, append=[attempt(str(number))]))
                    break
            return list(store.notices)

    opened()
    assert together(50, work) == [[]] * 50
    assert sorted(int(each.request_id) for each in opened().attempts()) == list(range(50))


def test_forty_first_runs_at_once_make_one_schema_and_no_error(
    path: Path, now: Callable[[], float], together: Together, opened: Opened
) -> None:
    def work(_number: int) -> list[str]:
        with open_store(path, now) as store:
            store.transact(["n"], count_up, wait_s=30)
            return list(store.notices)

    assert together(40, work) == [[]] * 40
    assert opened().read(["n"]) == {"n": 40}
    with sqlite3.connect(path) as raw:
        assert raw.execute("SELECT count(*) FROM meta WHERE key = 'instance_id'").fetchall() == [(1,)]
    raw.close()


def test_a_damaged_file_met_by_twenty_processes_is_set_aside_once(
    path: Path, now: Callable[[], float], together: Together, opened: Opened
) -> None:
    path.parent.mkdir(mode=0o700)
    path.write_bytes(b"this is no database, whatever its name says" * 300)

    def work(_number: int) -> list[str]:
        with open_store(path, now) as store:
            store.transact(["n"], count_up, wait_s=30)
            return list(store.notices)

    notices = [each for each in together(20, work) if each]
    assert len(notices) == 1
    assert "set aside as state.db.corrupt-20261123T120000Z" in notices[0][0]
    assert len(list(path.parent.glob("*.corrupt-*"))) == 1
    assert opened().read(["n"]) == {"n": 20}


def locked(path: Path, mode: str) -> Callable[[], Any]:
    """Locks the file in another process; gives what lets go again."""
    ready, said = os.pipe()
    wait, go = os.pipe()
    pid = os.fork()
    if not pid:
        raw = sqlite3.connect(path, isolation_level=None)
        raw.execute(f"BEGIN {mode}")
        raw.execute("SELECT 1 FROM rows").fetchall()
        os.write(said, b".")
        os.close(go)
        os.read(wait, 1)
        os._exit(0)
    os.read(ready, 1)

    def let_go() -> None:
        os.close(go)
        os.waitpid(pid, 0)
        for each in (ready, said, wait):
            os.close(each)

    return let_go


@pytest.mark.parametrize("mode", ["IMMEDIATE", "EXCLUSIVE"])
def test_a_locked_store_is_read_and_refuses_to_be_written(path: Path, opened: Opened, mode: str) -> None:
    store = opened()
    store.transact(["n"], count_up)
    let_go = locked(path, mode)
    late = opened()
    assert isinstance(late, SqliteStore)
    for each in (store, late):
        assert each.read(["n"]) == {"n": 1}
        assert each.transact(["n"], lambda rows, _now: Change(rows["n"])) == 1  # what writes nothing needs no lock
        with pytest.raises(StateBusy):
            each.transact(["n"], count_up, wait_s=0)
        with pytest.raises(StateBusy):
            each.transact(["n"], count_up)
    let_go()
    assert store.transact(["n"], count_up) == 2
    assert (late.read(["n"]), len(late.attempts())) == ({"n": 2}, 2)


def test_a_lock_that_is_let_go_in_time_is_waited_for(
    path: Path, now: Callable[[], float], opened: Opened, together: Together
) -> None:
    store = opened()

    def work(number: int) -> int:
        if number:
            with open_store(path, now) as mine:
                return mine.transact(["n"], count_up, wait_s=60)
        raw = sqlite3.connect(path, isolation_level=None)
        raw.execute("BEGIN IMMEDIATE")
        for _ in range(200_000):  # some work
            pass
        raw.execute("COMMIT")
        raw.close()
        return 0

    assert sorted(together(4, work)) == [0, 1, 2, 3]
    assert store.read(["n"]) == {"n": 3}


def test_the_clock_is_read_while_the_lock_is_held(path: Path) -> None:
    """A deadline compared with a clock from before the wait for the lock would be compared with the past."""
    held: list[bool] = []

    def now() -> float:
        raw = sqlite3.connect(path, isolation_level=None, timeout=0)
        try:
            raw.execute("BEGIN IMMEDIATE")
            held.append(False)
        except sqlite3.OperationalError:
            held.append(True)
        raw.close()
        return NOON + len(held)

    times: list[float] = []

    def step(_rows: Mapping[str, Row], at: float) -> Change[None]:
        times.append(at)
        return Change(None, {"a": 1})

    with SqliteStore(path, now) as store:
        store.transact(["a"], step)
    assert (held, times) == ([False, True], [NOON + 1, NOON + 2])


def test_a_step_is_run_again_on_what_another_process_wrote_meanwhile(path: Path, opened: Opened) -> None:
    store, other = opened(), opened()
    runs: list[int] = []

    def step(rows: Mapping[str, Row], now: float) -> Change[int]:
        runs.append(rows.get("n", 0))
        if len(runs) == 1:
            other.transact(["n"], count_up)
        return count_up(rows, now)

    assert store.transact(["n"], step) == 2
    assert runs == [0, 1]


def test_a_read_of_very_many_keys_is_as_of_one_moment(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    store, other = opened(), opened()
    assert isinstance(store, SqliteStore)
    keys = [f"k{n}" for n in range(1200)]
    other.transact(keys, lambda _rows, _now: Change(None, dict.fromkeys(keys, 1)))
    plain = store._database.rows

    def rows(statement: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        found = plain(statement, values)
        if statement.startswith("SELECT"):
            other.transact(keys, lambda _rows, _now: Change(None, dict.fromkeys(keys, 2)))
        return found

    monkeypatch.setattr(store._database, "rows", rows)
    assert set(store.read(keys).values()) == {1}
    monkeypatch.undo()
    assert set(store.read(keys).values()) == {2}


def test_patience_asked_for_once_is_not_kept(opened: Opened) -> None:
    store = opened()
    assert isinstance(store, SqliteStore)
    for wait_s, wait_ms in ((0.0, 0), (None, 250), (9.5, 9500), (-1.0, 0), (1e99, 2**31 - 1), (None, 250)):
        store.transact((), lambda _rows, _now: Change(None), wait_s=wait_s)
        assert store._database.rows("PRAGMA busy_timeout") == [(wait_ms,)]


def test_a_step_that_changes_its_mind_under_the_lock_writes_nothing(path: Path, opened: Opened) -> None:
    store, other = opened(), opened()

    def claim(rows: Mapping[str, Row], _now: float) -> Change[str]:
        if "owner" in rows:
            return Change("too late")
        other.transact(["owner"], lambda _rows, _now: Change(None, {"owner": "other"}))
        return Change("mine", {"owner": "me"})

    assert store.transact(["owner"], claim) == "too late"
    assert store.read(["owner"]) == {"owner": "other"}


def test_what_writes_nothing_leaves_the_files_untouched(path: Path, opened: Opened) -> None:
    store = opened()
    store.transact(["n"], count_up)
    before = {each.name: each.read_bytes() for each in path.parent.iterdir() if not each.name.endswith("-shm")}
    for _ in range(20):
        store.transact(["n"], lambda _rows, _now: Change("refused"))
    assert before == {each.name: each.read_bytes() for each in path.parent.iterdir() if not each.name.endswith("-shm")}


# Killed at any line -------------------------------------------------------------------------------------------------------


def killed_at_line(number: int, work: Callable[[], Any]) -> Callable[[], Any]:
    """`work`, in a process that SIGKILLs itself before the `number`th different line of the state store that it reaches."""

    def run() -> Any:
        reached: set[tuple[str, int]] = set()

        def trace(frame: Any, event: str, _arg: object) -> Any:
            if "/llmr/state/" not in frame.f_code.co_filename:
                return None
            if event == "line":
                reached.add((frame.f_code.co_filename, frame.f_lineno))
                if len(reached) == number:
                    os.kill(os.getpid(), signal.SIGKILL)
            return trace

        sys.settrace(trace)
        return work()

    return run


def deaths(apart: Apart, work: Callable[[], Any], check: Callable[[], None]) -> int:
    """Kill `work` at every other line until it lives to the end; `check` after each. Gives the last line it died at."""
    number = 1
    while apart(killed_at_line(number, work)) == -signal.SIGKILL:
        check()
        number += 2  # for the sake of time; either neighbour of a system call will do
    return number


def test_a_first_run_killed_anywhere_leaves_a_usable_store(
    tmp_path: Path, now: Callable[[], float], apart: Apart
) -> None:
    path = tmp_path / "a" / "b" / "state.db"

    def check() -> None:
        with open_store(path, now) as store:
            assert (type(store), list(store.notices)) == (SqliteStore, [])
            assert store.transact(["n"], count_up) == 1
        for each in path.parent.iterdir():
            each.unlink()
        path.parent.rmdir()

    assert deaths(apart, lambda: open_store(path, now).close(), check) > 60


def test_a_transaction_killed_anywhere_is_done_or_not_done(
    path: Path, now: Callable[[], float], apart: Apart, opened: Opened
) -> None:
    def work() -> None:
        with open_store(path, now) as store:
            store.transact(["n"], count_up)

    opened().close()
    expected = [0]

    def check() -> None:
        with open_store(path, now) as store:
            assert (type(store), list(store.notices)) == (SqliteStore, [])
            done = store.read(["n"]).get("n", 0)
            assert done in (expected[-1], expected[-1] + 1)
            assert len(store.attempts()) == done  # the row and its record, or neither
            expected.append(done)

    assert deaths(apart, work, check) > 60
    assert expected[1] == 0
    assert expected[-1] > 0


def test_setting_aside_killed_anywhere_is_finished_by_the_next(
    path: Path, now: Callable[[], float], apart: Apart
) -> None:
    path.parent.mkdir(mode=0o700)
    rubbish = b"rubbish" * 999

    def prepare() -> None:
        for each in path.parent.iterdir():
            each.unlink()
        path.write_bytes(rubbish)
        path.with_name("state.db-wal").write_bytes(rubbish)

    def check() -> None:
        with open_store(path, now) as store:
            assert isinstance(store, SqliteStore)
            assert store.transact(["n"], count_up) == 1
        assert rubbish in [each.read_bytes() for each in path.parent.glob("*.corrupt-*")]
        prepare()

    prepare()
    assert deaths(apart, lambda: open_store(path, now).close(), check) > 100


def test_a_process_killed_at_any_moment_of_its_writing_leaves_all_it_had_finished(path: Path, opened: Opened) -> None:
    finished = 0
    for round_number in range(12):
        said, say = os.pipe()
        pid = os.fork()
        if not pid:
            with open_store(path, lambda: NOON) as mine:
                while True:
                    mine.transact(["n"], count_up)
                    os.write(say, b".")
        os.close(say)
        for _ in range(round_number * 3):
            finished += len(os.read(said, 1))
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        with os.fdopen(said, "rb") as rest:
            finished += len(rest.read())
    store = opened()
    kept = store.read(["n"]).get("n", 0)
    assert finished <= kept <= finished + 12  # at most one a round was committed and not yet said
    assert (len(store.attempts()), list(store.notices)) == (kept, [])


def test_a_process_that_dies_holding_the_lock_holds_it_no_longer(
    path: Path, now: Callable[[], float], apart: Apart, opened: Opened
) -> None:
    def work() -> None:
        store = open_store(path, now)

        def step(_rows: Mapping[str, Row], _now: float) -> Change[None]:
            runs.append(1)
            if len(runs) == 2:
                os.kill(os.getpid(), signal.SIGKILL)
            return Change(None, {"n": 99})

        runs: list[int] = []
        store.transact(["n"], step)

    store = opened()
    assert apart(work) == -signal.SIGKILL
    assert store.transact(["n"], count_up, wait_s=0) == 1


def test_a_run_leaves_its_log_for_the_next_and_a_long_log_is_copied(path: Path, opened: Opened) -> None:
    log = path.with_name("state.db-wal")
    store = opened()
    store.transact(["n"], count_up)
    store.close()
    assert 0 < log.stat().st_size < 100_000
    filled = opened()
    assert filled.read(["n"]) == {"n": 1}
    filled.transact(["big"], lambda _rows, _now: Change(None, {"big": "x" * 600_000}))
    filled.close()
    assert not log.exists()
    assert len(opened().read(["big", "n"])) == 2


def test_json_is_kept_compact(path: Path, opened: Opened) -> None:
    opened().transact(["a"], lambda _rows, _now: Change(None, {"a": {"x": [1, 2], "y": "é"}}))
    raw = sqlite3.connect(path)
    assert raw.execute("SELECT value FROM rows").fetchall() == [
        (json.dumps({"x": [1, 2], "y": "é"}, separators=(",", ":")),)
    ]
    raw.close()
