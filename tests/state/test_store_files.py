"""Directories and files of the store: modes, gates, kinds of file system."""

import fcntl
import os
import sqlite3
import stat
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from llmr.errors import StateBusy, StateUnusable
from llmr.state import Change, StateStore, files
from llmr.state.files import PrivateDirectory
from llmr.state.memory import MemoryStore
from llmr.state.sqlite import SqliteStore, open_store

NOON = 1_795_435_200.0
Opened = Callable[[], StateStore]


def put(store: StateStore, **rows: Any) -> None:
    store.transact(rows.keys(), lambda _rows, _now: Change(None, rows))


def modes(*paths: Path) -> set[str]:
    return {oct(stat.S_IMODE(each.stat().st_mode)) for each in paths}


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077, 0o277])
def test_whatever_the_umask_directories_are_0700_and_files_0600(
    tmp_path: Path, now: Callable[[], float], umask: int
) -> None:
    path = tmp_path / ".local" / "state" / "llmr" / "state.db"
    before = os.umask(umask)
    try:
        with open_store(path, now) as store:
            assert isinstance(store, SqliteStore)
            put(store, a=1)
            found = list(path.parent.iterdir())
            assert {each.name for each in found} == {"state.db", "state.db-wal", "state.db-shm"}
            assert modes(*found) == {"0o600"}
    finally:
        os.umask(before)
    assert modes(path.parent, path.parent.parent, path.parent.parent.parent) == {"0o700"}


def test_a_file_that_others_could_read_is_narrowed(path: Path, opened: Opened) -> None:
    opened().close()
    path.chmod(0o644)
    opened()
    assert modes(path) == {"0o600"}


def test_a_directory_that_others_may_only_read_will_do(path: Path, opened: Opened) -> None:
    path.parent.mkdir()
    path.parent.chmod(0o755)
    assert isinstance(opened(), SqliteStore)
    assert modes(path.parent) == {"0o755"}


def test_a_file_is_made_once(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    with PrivateDirectory(tmp_path) as directory:
        directory.create("a")
        with pytest.raises(StateUnusable, match="exists"):
            directory.create("a")
        (tmp_path / "b").symlink_to(tmp_path / "c")
        with pytest.raises(StateUnusable, match="exists"):
            directory.create("b")
    assert not (tmp_path / "c").exists()


def test_the_gate_lets_many_look_and_one_mend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tmp_path.chmod(0o700)
    monkeypatch.setattr(files, "_GATE_TRIES", 2)
    with PrivateDirectory(tmp_path) as first, PrivateDirectory(tmp_path) as second, PrivateDirectory(tmp_path) as third:
        first.share()
        second.share()
        with pytest.raises(StateBusy, match="making or mending"):
            third.own()
        first.close()
        first._descriptor = os.open(tmp_path, os.O_RDONLY)
        with pytest.raises(StateBusy):
            third.own()
        second.own()
        with pytest.raises(StateBusy):
            third.share()


def test_a_store_that_somebody_mends_for_ever_is_not_waited_for(
    path: Path, now: Callable[[], float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "_GATE_TRIES", 2)
    path.parent.mkdir(mode=0o700)
    with PrivateDirectory(path.parent) as other:
        other.own()
        store = open_store(path, now)
    assert isinstance(store, MemoryStore)
    assert "making or mending" in store.notices[0]


def test_an_open_store_holds_no_gate(path: Path, opened: Opened) -> None:
    opened()
    with PrivateDirectory(path.parent) as directory:
        fcntl.flock(directory._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_where_a_directory_cannot_be_locked_the_store_opens_all_the_same(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    def flock(_descriptor: int, _kind: int) -> None:
        raise OSError(9, "Bad file descriptor")  # what NFS answers

    monkeypatch.setattr(fcntl, "flock", flock)
    assert isinstance(opened(), SqliteStore)


def test_no_descriptor_is_left_open(path: Path, now: Callable[[], float]) -> None:
    def descriptors() -> int:
        return len(os.listdir("/proc/self/fd"))

    before = descriptors()
    for content in (None, b"rubbish" * 99, b""):
        if content is not None:
            path.write_bytes(content)
        with open_store(path, now) as store:
            put(store, a=1)
        for each in path.parent.glob("state.db-*"):
            each.unlink()
    path.unlink()
    path.mkdir()
    open_store(path, now).close()
    assert descriptors() == before


# Network file systems -----------------------------------------------------------------------------------------------------

MOUNTS = """\
22 27 0:21 / /proc rw,relatime - proc proc rw
27 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
31 27 0:44 / /home/a\\040-\\040b rw,relatime shared:7 master:2 - nfs4 server:/home rw,vers=4.2
32 27 0:45 / /mnt/x rw - fuse.sshfs me@there: rw
33 27 0:46 / /mnt/y ro,nosuid,nodev,relatime - tmpfs none ro,size=4k
"""


@pytest.mark.parametrize(
    ("device", "kind"), [("0:44", "nfs4"), ("0:45", "fuse.sshfs"), ("0:46", "tmpfs"), ("254:0", "ext4"), ("0:4", "")]
)
def test_the_kind_of_a_file_system_is_read_from_mountinfo(device: str, kind: str) -> None:
    assert files._file_system_type(MOUNTS, device) == kind


@pytest.mark.parametrize(
    ("kind", "shared"), [("nfs4", True), ("fuse.sshfs", True), ("9p", True), ("ext4", False), ("", False)]
)
def test_some_kinds_are_shared_between_machines(kind: str, shared: bool) -> None:
    assert files._is_network_type(kind) is shared


def test_a_strange_mountinfo_says_nothing() -> None:
    assert files._file_system_type("\n\nrubbish\n - \n1 2 3\n", "0:44") == ""


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A directory on a real tmpfs, which counts as a network file system here."""
    try:
        with tempfile.TemporaryDirectory(dir="/dev/shm") as directory:
            with PrivateDirectory(Path(directory)) as each:
                assert not each.is_on_network()
                monkeypatch.setattr(files, "_NETWORK_TYPES", frozenset({"tmpfs"}))
                if not each.is_on_network():
                    pytest.skip("/dev/shm is no tmpfs here")
            yield Path(directory)
    except FileNotFoundError:
        pytest.skip("no /dev/shm here")


def test_on_a_network_file_system_there_is_no_write_ahead_log(network: Path, now: Callable[[], float]) -> None:
    with open_store(network / "state.db", now) as store, open_store(network / "state.db", now) as other:
        assert isinstance(store, SqliteStore)
        put(store, a=1)
        put(other, a=2)
        assert store.read(["a"]) == {"a": 2}
        assert [each.name for each in network.iterdir()] == ["state.db"]
        assert store._database.rows("PRAGMA journal_mode") == [("delete",)]


def test_a_log_that_came_along_to_a_network_file_system_is_given_up(
    network: Path, now: Callable[[], float], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as local:
        local.setattr(files, "_NETWORK_TYPES", frozenset[str]())
        with open_store(network / "state.db", now) as store:
            put(store, a=1)
    assert (network / "state.db-wal").exists()
    for _ in range(2):
        with open_store(network / "state.db", now) as store:
            assert (type(store), store.read(["a"])) == (SqliteStore, {"a": 1})
            assert [each.name for each in network.iterdir()] == ["state.db"]


def test_there_a_writer_may_find_a_reader_in_its_way(network: Path, now: Callable[[], float]) -> None:
    with open_store(network / "state.db", now) as store:
        put(store, a=1)
        reader = sqlite3.connect(network / "state.db", isolation_level=None)
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM rows").fetchall()
        with pytest.raises(StateBusy):
            put(store, a=2)
        reader.close()
        put(store, a=3)
        assert store.read(["a"]) == {"a": 3}
