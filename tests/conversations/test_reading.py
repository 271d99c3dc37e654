"""Conversations are read where nothing can be written, and nothing is read round a refusal."""

import ctypes
import os
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import processes
import pytest
from fakes import NOON, turn

import llmr.conversations.reading
from llmr.conversations.reading import read_only
from llmr.conversations.store import ConversationStore
from llmr.errors import StateBusy, StateError, StateUnusable

SIZE = "512k"


def said(path: Path) -> list[str]:
    with read_only(path, lambda: NOON, Random(7)) as store:
        return [each.prompt_text for each in store.turns(store.named("last"))]


@pytest.fixture
def on_small_disk(tmp_path: Path) -> Callable[[Callable[[Path], Any]], Any]:
    """Runs work in a process that sees a small tmpfs; skips where that is not allowed."""

    def run(work: Callable[[Path], Any]) -> Any:
        directory = tmp_path / "small"
        directory.mkdir(mode=0o700)

        def child() -> Any:
            libc = ctypes.CDLL(None, use_errno=True)
            options = f"mode=700,size={SIZE}".encode()
            if (
                libc.unshare(0x20000)  # CLONE_NEWNS
                or libc.mount(None, b"/", None, 0x44000, None)  # MS_REC | MS_PRIVATE
                or libc.mount(b"tmpfs", os.fsencode(directory), b"tmpfs", 0, options)
            ):
                return "cannot mount"
            return work(directory / "conversations.db")

        if os.geteuid() != 0 or (answer := processes.run_together([child])[0]) == "cannot mount":
            pytest.skip("mounting a tmpfs is not allowed here")
        return answer

    return run


def kept(path: Path) -> None:
    with ConversationStore(path, lambda: NOON, Random(7)) as store:
        conversation, first = store.add(turn("one"))
        store.add(turn("two", parent=first), conversation_id=conversation)
    (path.parent / f"{path.name}-shm").unlink(missing_ok=True)  # SQLite needs room for it again


def test_a_full_disk_keeps_nothing_from_being_read_the_newest_turn_included(on_small_disk: Any) -> None:
    def work(path: Path) -> list[str]:
        kept(path)
        with (path.parent / "filler").open("wb", buffering=0) as file:
            try:
                while True:
                    file.write(b"x" * 1024)
            except OSError:
                pass
        return said(path)

    assert on_small_disk(work) == ["one", "two"]


def test_a_file_system_that_is_mounted_read_only_can_be_read(on_small_disk: Any) -> None:
    def work(path: Path) -> list[str]:
        kept(path)
        libc = ctypes.CDLL(None)
        assert (
            libc.mount(b"tmpfs", os.fsencode(path.parent), b"tmpfs", 0x21, b"mode=700") == 0
        )  # MS_REMOUNT | MS_RDONLY
        return said(path)

    assert on_small_disk(work) == ["one", "two"]


def remounted(path: Path) -> None:
    libc = ctypes.CDLL(None)
    read_only_again = 0x21  # MS_REMOUNT | MS_RDONLY
    assert libc.mount(b"tmpfs", os.fsencode(path.parent), b"tmpfs", read_only_again, b"mode=700") == 0


def refusal(path: Path) -> str:
    try:
        return str(said(path))
    except StateError as error:
        return str(error)


def test_a_damaged_one_that_cannot_be_set_aside_is_told_as_that_and_not_as_an_empty_one(on_small_disk: Any) -> None:
    def work(path: Path) -> str:
        kept(path)
        path.write_bytes(b"x" * 8192)
        path.with_name(f"{path.name}-wal").unlink(missing_ok=True)  # it may hold all of it
        remounted(path)
        return refusal(path)

    assert "damaged" in on_small_disk(work)


def test_somebody_elses_is_not_read_round_the_back(on_small_disk: Any) -> None:
    def work(path: Path) -> str:
        kept(path)
        os.chown(path, 65534, 65534)
        remounted(path)
        return refusal(path)

    assert "belongs to uid 65534" in on_small_disk(work)


def test_one_that_memory_could_not_hold_is_refused(on_small_disk: Any) -> None:
    def work(path: Path) -> str:
        kept(path)
        os.truncate(path, 2**40)  # a hole
        remounted(path)
        return refusal(path)

    assert "too many to copy" in on_small_disk(work)


def test_the_copy_has_no_name_while_it_is_read_so_nothing_can_leave_it_behind(on_small_disk: Any) -> None:
    def work(path: Path) -> list[bool]:
        kept(path)
        remounted(path)
        with read_only(path, lambda: NOON, Random(7)) as store:
            return [store.path == path, store.path.parent.exists()]

    assert on_small_disk(work) == [False, False]


def test_one_that_is_written_to_meanwhile_is_never_copied_torn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "conversations.db"
    kept(path)
    copy_once, written = llmr.conversations.reading._copy, []

    def copy_and_write(source: Path, target: Path) -> None:
        copy_once(source, target)
        if len(written) < 2:
            written.append(source)
            with source.open("ab") as file:
                file.write(b"more")

    monkeypatch.setattr(llmr.conversations.reading, "_copy", copy_and_write)
    copy = tmp_path / "copy.db"
    llmr.conversations.reading._copy_settled(path, copy)
    assert copy.read_bytes() == path.read_bytes()
    assert len(written) == 2
    written.clear()
    monkeypatch.setattr(llmr.conversations.reading, "_TRIES", 1)
    with pytest.raises(StateBusy):
        llmr.conversations.reading._copy_settled(path, copy)


def test_a_refusal_that_is_not_about_writing_stands(tmp_path: Path) -> None:
    path = tmp_path / "conversations.db"
    kept(path)
    path.rename(tmp_path / "elsewhere.db")
    path.symlink_to(tmp_path / "elsewhere.db")
    with pytest.raises(StateUnusable, match="symlink"):
        said(path)
