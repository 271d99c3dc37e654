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

from llmr.conversations.reading import read_only
from llmr.conversations.store import ConversationStore
from llmr.errors import StateUnusable

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


def test_a_refusal_that_is_not_about_writing_stands(tmp_path: Path) -> None:
    path = tmp_path / "conversations.db"
    kept(path)
    path.rename(tmp_path / "elsewhere.db")
    path.symlink_to(tmp_path / "elsewhere.db")
    with pytest.raises(StateUnusable, match="symlink"):
        said(path)
