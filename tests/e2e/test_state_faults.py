"""Whatever is wrong with the state file, the answer still comes (trust.md §5, B47–B52)."""

import os
import resource
import shutil
import sqlite3
import stat
import subprocess

import pytest

from llmr.lab import Behavior, LabProvider

ANSWER = "the answer"


@pytest.fixture
def here(box):
    made = box([LabProvider("a", [Behavior(text=ANSWER)])])
    assert made.run("chat", "hi").out == ANSWER
    return made


def answered(ended):
    return (ended.code, ended.out) == (0, ANSWER)


def test_b47_a_corrupt_file_is_set_aside_with_one_note_and_a_new_one_begun(here):
    for file in here.state_file.parent.glob(
        "state.db-*"
    ):  # the log holds every page: SQLite would mend the file from it
        file.unlink()
    here.state_file.write_bytes(b"this is no database, but it was long enough to be one" * 100)
    ended = here.run("chat", "hi")
    assert answered(ended)
    assert len(ended.err_lines) == 1
    assert list(here.state_file.parent.glob("state.db.corrupt-*"))
    again = here.run("chat", "hi")
    assert answered(again)
    assert again.err == ""


def test_b47_a_directory_in_its_place_is_survived(here):
    for file in here.state_file.parent.glob("state.db*"):
        file.unlink()
    here.state_file.mkdir()
    assert answered(here.run("chat", "hi"))


def test_b47_a_symlink_in_its_place_is_not_followed(here, tmp_path):
    target = tmp_path / "elsewhere.db"
    target.write_bytes(b"")
    for file in here.state_file.parent.glob("state.db*"):
        file.unlink()
    here.state_file.symlink_to(target)
    assert answered(here.run("chat", "hi"))
    assert target.read_bytes() == b""


def test_b48_a_newer_schema_is_never_written(here):
    database = sqlite3.connect(here.state_file)
    database.execute("PRAGMA user_version = 999")
    database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    database.close()
    before = here.state_file.read_bytes()
    ended = here.run("chat", "hi")
    assert answered(ended)
    assert "999" in ended.err
    assert here.state_file.read_bytes() == before


def test_b49_a_lock_held_by_another_process_does_not_stop_the_answer(here):
    holder = sqlite3.connect(here.state_file, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    ended = here.run("chat", "hi")
    holder.execute("ROLLBACK")
    holder.close()
    assert answered(ended)
    assert "could not be written" in ended.err


def test_b51_a_full_disk_does_not_stop_the_answer(here):
    def no_room():
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))

    ended = here.end(here.start("chat", "hi", preexec_fn=no_room))
    assert answered(ended)


def test_b51_a_state_directory_that_cannot_be_made_does_not_stop_the_answer(here):
    shutil.rmtree(here.state_file.parent)
    here.state_file.parent.write_bytes(b"a file is in the way")
    ended = here.run("chat", "hi")
    assert answered(ended)
    assert len(ended.err_lines) == 1


@pytest.mark.parametrize("home", [None, "", "relative/home", "/nonexistent/home"])
def test_b51_a_home_that_is_no_home_does_not_stop_the_answer(here, home):
    environment = {name: value for name, value in here.environment.items() if name != "HOME"}
    if home is not None:
        environment["HOME"] = home
    done = subprocess.run(
        [here.start.__globals__["LLMR"], "chat", "hi"],
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stdout.decode()) == (0, ANSWER)


@pytest.mark.parametrize("mask", [0o000, 0o077])
def test_b52_the_umask_does_not_widen_or_narrow_what_is_ours(box, mask):
    made = box([LabProvider("a")])
    made.end(made.start("chat", "hi", preexec_fn=lambda: os.umask(mask)))
    assert stat.S_IMODE(made.state_file.parent.stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in made.state_file.parent.glob("state.db*")} == {0o600}
