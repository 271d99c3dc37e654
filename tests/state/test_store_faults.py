"""Trouble with the file: opening never raises, and what breaks later raises nothing but StateError."""

import ctypes
import os
import resource
import signal
import sqlite3
import stat
import tempfile
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from llmr.errors import StateBusy, StateError, StateUnusable
from llmr.state import AttemptRecord, Change, StateStore
from llmr.state.database import Database
from llmr.state.memory import MemoryStore
from llmr.state.schema import STATE, Schema
from llmr.state.sqlite import SqliteStore, open_store

NOON = 1_795_435_200.0
NOBODY = 65_534
Apart = Callable[[Callable[[], Any]], Any]
Together = Callable[[int, Callable[[int], Any]], list[Any]]
Opened = Callable[[], StateStore]

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away or mount")


def put(store: StateStore, **rows: Any) -> None:
    store.transact(rows.keys(), lambda _rows, _now: Change(None, rows))


def attempt(request_id: str, at: float = NOON) -> AttemptRecord:
    return AttemptRecord(request_id, at, "openai", "gpt-4o", "ok", streamed=True, total_s=1.0)


def append(store: StateStore, *records: AttemptRecord) -> None:
    store.transact((), lambda _rows, _now: Change(None, append=records))


def still_works(store: StateStore) -> bool:
    put(store, works=True)
    return store.read(["works"]) == {"works": True}


def forgets(store: StateStore, reason: str) -> None:
    """It is in memory, says why in one line, and works."""
    assert isinstance(store, MemoryStore)
    (notice,) = store.notices
    assert reason in notice
    assert "\n" not in notice
    assert still_works(store)


def raw(path: Path, *statements: str) -> list[Any]:
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        return [connection.execute(statement).fetchall() for statement in statements][-1]
    finally:
        connection.close()


@pytest.fixture
def filled(path: Path, opened: Opened) -> Path:
    """A store of some sixty pages, all in the database, none in the log."""
    store = opened()
    put(store, **{f"k{n}": "v" * 900 for n in range(200)})
    append(store, *(attempt(f"r{n}") for n in range(300)))
    store.close()
    raw(path, "PRAGMA wal_checkpoint(TRUNCATE)")
    return path


# Damaged ------------------------------------------------------------------------------------------------------------------


def is_replaced(store: StateStore, path: Path, damaged: bytes) -> None:
    assert isinstance(store, SqliteStore)
    (notice,) = store.notices
    assert f"{path}: " in notice
    assert "set aside as state.db.corrupt-20261123T120000Z and a new one begun" in notice
    assert path.with_name("state.db.corrupt-20261123T120000Z").read_bytes() == damaged
    assert store.scan("k") == {}
    assert still_works(store)


@pytest.mark.parametrize(
    "damaged",
    [
        b"xy",
        b"\0" * 5000,
        b"garbage, and plenty of it" * 4000,
        b"SQLite format 3\0",
        b"SQLite format 3\0" + b"\xff" * 9000,
    ],
    ids=["two bytes", "zeros", "garbage", "only the magic", "garbage after the magic"],
)
def test_what_is_no_database_is_set_aside_and_a_new_one_begun(path: Path, opened: Opened, damaged: bytes) -> None:
    path.parent.mkdir(mode=0o700)
    path.write_bytes(damaged)
    is_replaced(opened(), path, damaged)
    assert opened().notices == ()  # said once


@pytest.mark.parametrize("length", [2, 50, 100, 511, 512, 4095, 4096, 5000, 40_000])
def test_a_truncated_database_is_set_aside(filled: Path, opened: Opened, length: int) -> None:
    os.truncate(filled, length)
    is_replaced(opened(), filled, filled.with_name("state.db.corrupt-20261123T120000Z").read_bytes())


@pytest.mark.parametrize("content", [b"", b"x"], ids=["nothing", "one byte, which SQLite takes for nothing"])
def test_an_empty_file_is_filled(path: Path, opened: Opened, content: bytes) -> None:
    path.parent.mkdir(mode=0o700)
    path.write_bytes(content)
    store = opened()
    assert (type(store), list(store.notices)) == (SqliteStore, [])
    assert still_works(store)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_what_lies_beside_a_damaged_database_is_set_aside_with_it(path: Path, opened: Opened) -> None:
    path.parent.mkdir(mode=0o700)
    path.write_bytes(b"rubbish" * 99)
    path.with_name("state.db-wal").write_bytes(b"a log that belongs to it")
    opened()
    aside = path.with_name("state.db.corrupt-20261123T120000Z")
    assert aside.read_bytes() == b"rubbish" * 99
    assert aside.with_name(aside.name + "-wal").read_bytes() == b"a log that belongs to it"


def test_who_still_holds_a_deleted_database_shares_no_memory_with_its_successor(path: Path, opened: Opened) -> None:
    old = opened()
    put(old, old=1)
    path.unlink()  # by a person, who left the log
    new = opened()
    put(new, new=1)
    put(old, old=2)
    put(new, newer=1)
    old.close()
    assert (new.scan(""), opened().scan("")) == ({"new": 1, "newer": 1}, {"new": 1, "newer": 1})


def test_logs_that_a_deleted_database_left_behind_are_no_part_of_the_new_one(path: Path, opened: Opened) -> None:
    first = opened()
    put(first, secret=1)
    kept = {each: each.read_bytes() for each in path.parent.iterdir() if each != path}
    first.close()
    path.unlink()
    for each, content in kept.items():
        each.write_bytes(content)
    store = opened()
    assert (dict(store.scan("")), list(store.notices)) == ({}, [])
    assert still_works(store)


def test_a_flipped_page_costs_at_most_one_call_and_then_a_new_file_is_in_use(
    filled: Path, now: Callable[[], float]
) -> None:
    sound = filled.read_bytes()
    pages = len(sound) // 4096
    replaced = 0
    for page in range(pages):
        broken = bytearray(sound)
        broken[page * 4096 : page * 4096 + 200] = bytes(byte ^ 0xFF for byte in broken[page * 4096 : page * 4096 + 200])
        for each in filled.parent.iterdir():
            each.unlink()
        filled.write_bytes(broken)
        with open_store(filled, now) as store:
            assert isinstance(store, SqliteStore)
            failures = 0
            for call in (
                lambda: store.scan("k"),
                store.attempts,
                store.requests,
                lambda: put(store, k7="new", zz=1),
                lambda: append(store, *(attempt(f"n{n}") for n in range(40))),
                lambda: store.attempts(since=NOON - 1, limit=3),
            ):
                try:
                    call()
                except StateUnusable:
                    failures += 1
            assert failures <= 1
            assert len(store.notices) == len(list(filled.parent.glob("*.corrupt-*Z"))) <= 1
            assert failures <= len(store.notices)
            replaced += len(store.notices)
            assert still_works(store)
    assert replaced > pages * 0.9


def test_a_page_that_breaks_under_an_open_store_is_noticed_and_replaced(filled: Path, opened: Opened) -> None:
    store, other = opened(), opened()
    content = bytearray(filled.read_bytes())
    content[4096:] = b"\xff" * (len(content) - 4096)
    filled.write_bytes(content)
    with pytest.raises(StateUnusable, match="malformed"):
        store.scan("k")
    assert "set aside" in store.notices[0]
    put(store, mine=1)
    with pytest.raises(StateUnusable):
        other.scan("k")  # it still holds the old file
    assert other.notices == ()  # which it finds set aside already
    assert other.read(["mine"]) == {"mine": 1}


def test_a_row_that_cannot_be_read_is_as_good_as_absent(path: Path, opened: Opened) -> None:
    store = opened()
    put(store, a=1, b=2, c=3, d=4, e=5)
    raw(
        path,
        "UPDATE rows SET value = '{\"n\":' WHERE key = 'a'",
        "UPDATE rows SET value = CAST(x'ff22' AS TEXT) WHERE key = 'b'",
        "UPDATE rows SET value = x'5b5d' WHERE key = 'c'",
        f"UPDATE rows SET value = '{'[' * 100_000}' WHERE key = 'd'",
    )
    assert store.read("abcde") == {"c": [], "e": 5}
    put(store, a="again")
    assert store.scan("a") == {"a": "again"}


def test_two_files_set_aside_in_one_second_are_both_kept(path: Path, opened: Opened) -> None:
    path.parent.mkdir(mode=0o700)
    for content in (b"first" * 200, b"second" * 200, b"third" * 200):
        path.write_bytes(content)
        opened().close()
        for each in path.parent.glob("state.db*"):
            if ".corrupt-" not in each.name:
                each.unlink()
    kept = sorted(path.parent.iterdir())
    assert [each.read_bytes()[:5] for each in kept] == [b"first", b"secon", b"third"]


def test_who_still_holds_a_file_set_aside_does_no_harm_to_its_successor(filled: Path, opened: Opened) -> None:
    old = opened()
    put(old, old=1)
    filled.rename(filled.with_name("elsewhere"))  # what another process does that finds it broken
    for suffix in ("-wal", "-shm"):
        filled.with_name("state.db" + suffix).rename(filled.with_name("elsewhere" + suffix))
    new = opened()
    put(new, new=1)
    put(old, old=2)
    old.close()
    put(new, newer=1)
    assert opened().scan("") == {"new": 1, "newer": 1}


# Not ours to write --------------------------------------------------------------------------------------------------------


def test_a_newer_schema_is_never_written_not_even_its_log(filled: Path, opened: Opened, apart: Apart) -> None:
    def write_and_die() -> None:
        connection = sqlite3.connect(filled, isolation_level=None)
        connection.execute("PRAGMA user_version = 999")
        connection.execute("UPDATE meta SET value = '7.1' WHERE key = 'migrated_by'")
        os.kill(os.getpid(), signal.SIGKILL)

    assert apart(write_and_die) == -signal.SIGKILL
    assert filled.with_name("state.db-wal").stat().st_size > 0
    before = {each.name: each.read_bytes() for each in filled.parent.iterdir() if not each.name.endswith("-shm")}
    for _ in range(2):
        forgets(opened(), f"has schema 999 of llmr 7.1; this llmr 0.1.0 knows {STATE.version}")
    assert before == {
        each.name: each.read_bytes() for each in filled.parent.iterdir() if not each.name.endswith("-shm")
    }


@pytest.mark.parametrize("journal", ["WAL", "DELETE"])
def test_a_newer_schema_without_a_log_is_left_without_one(path: Path, opened: Opened, journal: str) -> None:
    path.parent.mkdir(mode=0o700)
    ours = f"PRAGMA application_id = {STATE.application_id}"
    raw(path, f"PRAGMA journal_mode = {journal}", "CREATE TABLE other (a)", ours, "PRAGMA user_version = 999")
    before = {each: each.read_bytes() for each in path.parent.iterdir()}
    forgets(opened(), "has schema 999;")
    assert before == {each: each.read_bytes() for each in path.parent.iterdir()}


def test_a_database_of_another_program_is_left_alone(path: Path, opened: Opened) -> None:
    path.parent.mkdir(mode=0o700)
    raw(path, "CREATE TABLE bookmarks (url)")
    before = {each: each.read_bytes() for each in path.parent.iterdir()}
    forgets(opened(), "is a database of another program")
    raw(path, f"PRAGMA user_version = {STATE.version}")
    forgets(opened(), "is a database of another program")
    raw(path, "PRAGMA user_version = 0")
    assert [each.name for each in path.parent.iterdir()] == [each.name for each in before]
    assert raw(path, "SELECT name FROM sqlite_master") == [("bookmarks",)]


def test_a_store_migrated_by_a_newer_llmr_meanwhile_is_written_no_more(path: Path, opened: Opened) -> None:
    store = opened()
    put(store, a=1)
    raw(path, f"PRAGMA user_version = {STATE.version + 1}")
    with pytest.raises(StateUnusable, match="migrated by another version"):
        put(store, a=2)
    assert raw(path, "SELECT value FROM rows") == [("1",)]


# In the way ---------------------------------------------------------------------------------------------------------------


def test_a_symlink_is_refused_and_its_target_untouched(path: Path, opened: Opened, tmp_path: Path) -> None:
    path.parent.mkdir(mode=0o700)
    target = tmp_path / "precious"
    path.symlink_to(target)
    forgets(opened(), f"{path} is a symlink")
    assert not target.exists()
    target.write_bytes(b"precious")
    forgets(opened(), f"{path} is a symlink")
    assert target.read_bytes() == b"precious"


def test_a_symlink_for_a_directory_is_refused(path: Path, opened: Opened, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    path.parent.symlink_to(tmp_path / "elsewhere")
    forgets(opened(), f"{path.parent} is a symlink")
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_a_directory_in_the_way_of_the_file(path: Path, opened: Opened) -> None:
    path.mkdir(parents=True)
    forgets(opened(), "is a directory, not a file")


def test_a_pipe_in_the_way_of_the_file_is_not_waited_for(path: Path, opened: Opened) -> None:
    path.parent.mkdir(mode=0o700)
    os.mkfifo(path)
    forgets(opened(), "is a device, pipe or socket")


def test_a_file_in_the_way_of_the_directory(path: Path, opened: Opened) -> None:
    path.parent.touch()
    forgets(opened(), "Not a directory")


@pytest.mark.parametrize(
    "path", ["/", "", "/proc/llmr/state.db", "a\0b/state.db", "/dev/null/llmr/state.db", "x" * 300 + "/s"]
)
def test_a_path_that_can_never_be_is_a_notice(path: str, now: Callable[[], float]) -> None:
    forgets(open_store(Path(path), now), "what this run learns is not kept")


def test_a_home_that_is_not_there_is_not_made(tmp_path: Path, now: Callable[[], float]) -> None:
    home = tmp_path / "nonexistent"
    forgets(open_store(home / ".local" / "state" / "llmr" / "state.db", now), f"{home} does not exist")
    assert not home.exists()


def test_a_relative_path_in_a_directory_that_was_removed(
    tmp_path: Path, now: Callable[[], float], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    forgets(open_store(Path("state.db"), now), "No such file")


def test_a_relative_path_is_as_good_as_any(
    tmp_path: Path, now: Callable[[], float], monkeypatch: pytest.MonkeyPatch
) -> None:
    tmp_path.chmod(0o700)
    monkeypatch.chdir(tmp_path)
    with open_store(Path("a?b#c%20.db"), now) as store:
        assert isinstance(store, SqliteStore)
        assert still_works(store)
    assert (tmp_path / "a?b#c%20.db").exists()


@as_root
def test_a_directory_or_file_of_somebody_else_is_refused(path: Path, opened: Opened) -> None:
    opened().close()
    os.chown(path, NOBODY, NOBODY)
    forgets(opened(), f"{path} belongs to uid {NOBODY}")
    os.chown(path.parent, NOBODY, NOBODY)
    forgets(opened(), f"{path.parent} belongs to uid {NOBODY}")


@pytest.mark.parametrize("mode", [0o777, 0o1777, 0o770, 0o702])
def test_a_directory_that_others_may_write_to_is_refused_with_the_mend(path: Path, opened: Opened, mode: int) -> None:
    path.parent.mkdir()
    path.parent.chmod(mode)
    forgets(opened(), "chmod go-w")
    assert list(path.parent.iterdir()) == []


# No room, no right to write -----------------------------------------------------------------------------------------------


def outcome(path: Path, work: Callable[[StateStore], object] = still_works) -> list[Any]:
    """What a process meets: the kind of store, its notices, and the error that came of `work`, if one did."""
    with open_store(path, lambda: NOON) as store:
        error = ""
        try:
            work(store)
        except StateError as trouble:
            error = f"{type(trouble).__name__}: {trouble}"
        return [type(store).__name__, list(store.notices), error]


@pytest.fixture
def public() -> Iterator[Path]:
    """A directory in which an ordinary user may look around, for tests that stop being root."""
    with tempfile.TemporaryDirectory() as directory:
        Path(directory).chmod(0o755)
        yield Path(directory)


def test_a_directory_without_the_right_to_write_is_a_notice(public: Path, apart: Apart) -> None:
    path = public / "llmr" / "state.db"
    path.parent.mkdir(mode=0o500)

    def work() -> list[Any]:
        if os.geteuid() == 0:
            os.chown(path.parent, NOBODY, NOBODY)
            os.setuid(NOBODY)
        return outcome(path)

    kind, (notice,), error = apart(work)
    assert (kind, error) == ("MemoryStore", "")
    assert "is read-only" in notice


def test_a_home_without_the_right_to_write_is_a_notice(public: Path, apart: Apart) -> None:
    home = public / "home"
    home.mkdir(mode=0o555)

    def work() -> list[Any]:
        if os.geteuid() == 0:
            os.setuid(NOBODY)
        return outcome(home / ".local" / "state" / "llmr" / "state.db")

    kind, (notice,), error = apart(work)
    assert (kind, error) == ("MemoryStore", "")
    assert "Permission denied" in notice


def mounted(directory: Path, options: str, flags: int = 0) -> None:
    """A small tmpfs at `directory`, for this process alone."""
    libc = ctypes.CDLL(None, use_errno=True)
    private, new_namespace = 0x44000, 0x20000  # MS_REC | MS_PRIVATE, CLONE_NEWNS
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    if (
        libc.unshare(new_namespace)
        or libc.mount(None, b"/", None, private, None)
        or libc.mount(b"tmpfs", os.fsencode(directory), b"tmpfs", flags, options.encode())
    ):
        raise OSError(ctypes.get_errno(), "cannot mount here")


@pytest.fixture
def on_small_disk(apart: Apart) -> Callable[[Path, str, Callable[[], Any]], Any]:
    """Runs work in a process that sees a tmpfs at the directory; skips where that is not allowed."""

    def run(directory: Path, options: str, work: Callable[[], Any]) -> Any:
        def child() -> Any:
            try:
                mounted(directory, options)
            except OSError:
                return "cannot mount"
            return work()

        if os.geteuid() != 0 or (answer := apart(child)) == "cannot mount":
            pytest.skip("mounting a tmpfs is not allowed here")
        return answer

    return run


@pytest.mark.parametrize("size", ["4k", "8k", "16k", "32k", "48k", "64k"])
def test_a_disk_too_full_to_begin_is_a_notice(path: Path, on_small_disk: Any, size: str) -> None:
    kind, notices, error = on_small_disk(path.parent, f"mode=700,size={size}", lambda: outcome(path))
    assert (kind, error) == ("MemoryStore", "")
    assert len(notices) == 1


def test_a_disk_that_fills_up_later_is_an_error_of_the_call_and_no_more(path: Path, on_small_disk: Any) -> None:
    def work() -> list[Any]:
        with open_store(path, lambda: NOON) as store:
            put(store, a=1)
            filler = path.with_name("filler")
            with filler.open("wb", buffering=0) as file:
                try:
                    while True:
                        file.write(b"x" * 1024)
                except OSError:
                    pass
            try:
                put(store, a=2, big="x" * 50_000)
                error = ""
            except StateError as trouble:
                error = type(trouble).__name__
            kept = dict(store.read("a"))
            filler.unlink()
            put(store, b=3)
            return [type(store).__name__, error, kept, dict(store.scan("")), list(store.notices)]

    assert on_small_disk(path.parent, "mode=700,size=256k", work) == [
        "SqliteStore", "StateUnusable", {"a": 1}, {"a": 1, "b": 3}, [],
    ]  # fmt: skip


def test_a_full_disk_at_a_later_start_is_a_notice_and_costs_nothing_that_was_kept(
    path: Path, on_small_disk: Any
) -> None:
    def work() -> list[Any]:
        with open_store(path, lambda: NOON) as store:
            put(store, a=1)
        for each in path.parent.glob("state.db-*"):
            each.unlink()  # SQLite needs room for them again
        filler = path.with_name("filler")
        with filler.open("wb", buffering=0) as file:
            try:
                while True:
                    file.write(b"x" * 1024)
            except OSError:
                pass
        met = outcome(path)
        filler.unlink()
        with open_store(path, lambda: NOON) as store:
            return [*met, type(store).__name__, list(store.notices)]

    kind, notices, error, later, later_notices = on_small_disk(path.parent, "mode=700,size=256k", work)
    assert (kind, len(notices), error) == ("MemoryStore", 1, "")
    assert (later, later_notices) == ("SqliteStore", [])


def test_a_file_system_mounted_read_only_is_a_notice(path: Path, on_small_disk: Any) -> None:
    def work() -> list[Any]:
        with open_store(path, lambda: NOON) as store:
            put(store, a=1)
        libc = ctypes.CDLL(None)
        remount_read_only = 0x21  # MS_REMOUNT | MS_RDONLY
        assert libc.mount(b"tmpfs", os.fsencode(path.parent), b"tmpfs", remount_read_only, b"mode=700") == 0
        return outcome(path)

    kind, notices, error = on_small_disk(path.parent, "mode=700,size=512k", work)
    assert (kind, len(notices), error) == ("MemoryStore", 1, "")
    assert "is read-only" in notices[0]


@pytest.mark.parametrize("limit", [0, 1000, 4096, 8192, 20_000, 32_767])
def test_a_file_size_limit_at_the_first_run_is_a_notice(path: Path, apart: Apart, opened: Opened, limit: int) -> None:
    """`ulimit -f`. Python ignores SIGXFSZ, so a write fails with EFBIG."""

    def work() -> list[Any]:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
        return outcome(path)

    kind, notices, error = apart(work)
    assert (kind, len(notices), error) == ("MemoryStore", 1, "")
    later = opened()  # and what is left of the attempt harms nobody
    assert (type(later), list(later.notices)) == (SqliteStore, [])
    assert still_works(later)


def test_a_file_size_limit_that_strikes_later_is_an_error_of_the_call(path: Path, apart: Apart, opened: Opened) -> None:
    put(opened(), a=1)

    def work() -> list[Any]:
        resource.setrlimit(resource.RLIMIT_FSIZE, (90_000, 90_000))
        return outcome(path, lambda store: put(store, a=2, big="x" * 200_000))

    kind, notices, error = apart(work)
    assert (kind, notices) == ("SqliteStore", [])
    assert error.startswith("StateUnusable: ")
    assert opened().scan("") == {"a": 1}


def test_a_database_that_may_grow_no_more_is_an_error_of_the_call(path: Path, opened: Opened) -> None:
    store = opened()
    assert isinstance(store, SqliteStore)
    put(store, a=1)
    store._database.rows("PRAGMA max_page_count = 1")
    with pytest.raises(StateUnusable, match="full"):
        put(store, a=2, big="x" * 100_000)
    assert store.read(["a", "big"]) == {"a": 1}


def test_a_closed_store_is_unusable_and_closing_twice_is_fine(opened: Opened) -> None:
    store = opened()
    store.close()
    store.close()
    with pytest.raises(StateUnusable):
        store.read(["a"])


# Locked from the start, clocks, age ---------------------------------------------------------------------------------------


def test_a_file_locked_even_against_reading_is_a_notice(path: Path, opened: Opened) -> None:
    opened().close()
    raw(path, "PRAGMA journal_mode = DELETE")
    blocker = sqlite3.connect(path, isolation_level=None)
    blocker.execute("BEGIN EXCLUSIVE")
    forgets(opened(), "locked")
    blocker.close()
    assert isinstance(opened(), SqliteStore)


@pytest.mark.parametrize("at", [0.0, -1e9, NOON - 365 * 86_400, NOON + 3650 * 86_400, 9e9])
def test_a_clock_that_is_years_off_breaks_nothing(path: Path, opened: Opened, at: float) -> None:
    append(opened(), attempt("r1"))
    with open_store(path, lambda: at) as store:
        append(store, attempt("r2", at))
        assert still_works(store)
    assert [each.request_id for each in opened().attempts(since=-2e9)][-1] == "r2"
    path.with_name("state.db-wal").unlink(missing_ok=True)
    path.write_bytes(b"rubbish" * 99)
    with open_store(path, lambda: at) as store:
        assert len(store.notices) == 1


def test_records_older_than_90_days_go_a_few_at_a_time_as_new_ones_come(path: Path, opened: Opened) -> None:
    old, new = NOON - 91 * 86_400, NOON - 89 * 86_400
    with open_store(path, lambda: old) as then:
        append(then, *(attempt(f"old{n}", old) for n in range(140)), *(attempt(f"new{n}", new) for n in range(27)))
    store = opened()
    remaining = [sum(each.at == old for each in store.attempts())]
    for n in range(3 * 32):
        append(store, attempt(f"newest{n}"))
        remaining.append(sum(each.at == old for each in store.attempts()))
    steps = [before - after for before, after in pairwise(remaining)]
    assert max(steps) == 50
    assert remaining[-1] == 0
    assert len(store.attempts()) == 27 + 3 * 32  # nothing younger went


# Migrations ---------------------------------------------------------------------------------------------------------------

SECOND = Schema(STATE.application_id, (*STATE.migrations, ("ALTER TABLE rows ADD COLUMN note TEXT",)))
BROKEN = Schema(STATE.application_id, (*STATE.migrations, ("ALTER TABLE rows ADD COLUMN note TEXT", "NO SQL AT ALL")))


def test_a_migration_keeps_what_was_there_and_a_copy_of_how_it_was(path: Path, opened: Opened) -> None:
    first = opened()
    put(first, a=1)
    database = Database(path, SECOND, lambda: NOON)
    assert database.rows("SELECT key, value, note FROM rows") == [("a", "1", None)]
    database.close()
    backup = path.with_name(f"state.db.backup-v{STATE.version}")
    assert stat.S_IMODE(backup.stat().st_mode) == 0o600
    assert raw(backup, "SELECT * FROM rows") == [("a", "1")]
    assert raw(backup, "PRAGMA user_version") == [(STATE.version,)]
    assert not list(path.parent.glob("*.part*"))
    with pytest.raises(StateUnusable, match="migrated by another version"):
        put(first, a=2)


def test_a_migration_that_fails_leaves_the_file_as_it_was(path: Path, opened: Opened) -> None:
    put(opened(), a=1)
    with pytest.raises(StateUnusable, match="syntax"):
        Database(path, BROKEN, lambda: NOON)
    store = opened()
    assert (store.read(["a"]), type(store)) == ({"a": 1}, SqliteStore)
    assert still_works(store)


def test_twelve_processes_migrate_once(path: Path, opened: Opened, together: Together) -> None:
    put(opened(), a=1)

    def work(_number: int) -> list[Any]:
        database = Database(path, SECOND, lambda: NOON)
        found = database.rows("SELECT key, value, note FROM rows")
        database.close()
        return [found, database.notices]

    assert together(12, work) == [[[["a", "1", None]], []]] * 12
    assert raw(path, "PRAGMA user_version") == [(SECOND.version,)]


def test_a_migration_waits_no_longer_than_it_should_for_a_writer(path: Path, opened: Opened) -> None:
    opened().close()
    blocker = sqlite3.connect(path, isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    with pytest.raises(StateBusy):
        Database(path, SECOND, lambda: NOON)
    blocker.close()


def test_a_copy_without_room_stops_the_migration(path: Path, on_small_disk: Any) -> None:
    def work() -> list[Any]:
        with open_store(path, lambda: NOON) as store:
            put(store, big="x" * 60_000)
        try:
            Database(path, SECOND, lambda: NOON)
            error = ""
        except StateError as trouble:
            error = type(trouble).__name__
        copies = [each.name for each in path.parent.glob(f"*-v{STATE.version}")]
        return [error, raw(path, "PRAGMA user_version")[0][0], copies]

    assert on_small_disk(path.parent, "mode=700,size=220k", work) == ["StateUnusable", STATE.version, []]


def test_the_pragmas_hold(path: Path, opened: Opened) -> None:
    store = opened()
    assert isinstance(store, SqliteStore)
    names = (
        "journal_mode",
        "synchronous",
        "trusted_schema",
        "cell_size_check",
        "secure_delete",
        "foreign_keys",
        "busy_timeout",
    )
    settings = {name: store._database.rows(f"PRAGMA {name}")[0][0] for name in names}
    assert settings == dict(zip(names, ["wal", 1, 0, 1, 2, 1, 250], strict=True))
