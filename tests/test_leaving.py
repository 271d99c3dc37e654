"""The installed command ends its process itself, and leaves nothing undone by that."""

import subprocess
import sys

import pytest

PROBE = """
import atexit, os, sys, threading
import llmr.__main__ as entry

leave = os._exit

def told(code):
    os.write(1, b"left at once\\n")
    leave(code)

os._exit = told
atexit.register(print, "called at exit")
sys.argv = ["llmr", "--version"]
{first}
entry.script()
"""


def run(first="", stdout=subprocess.PIPE):
    return subprocess.run(
        [sys.executable, "-P", "-c", PROBE.format(first=first)],
        env={}, stdin=subprocess.DEVNULL, stdout=stdout, stderr=subprocess.PIPE, text=True, check=False,
    )  # fmt: skip


def test_it_leaves_without_taking_apart_but_calls_what_was_registered_and_writes_what_is_buffered():
    done = run('print("buffered")')
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    assert lines[0].startswith("llmr ")  # by os.write, before the buffer
    assert lines[1:] == ["buffered", "called at exit", "left at once"]


@pytest.mark.parametrize(
    "first", ["sys.setprofile(lambda *_: None)", "sys.settrace(lambda *_: None)"], ids=["profiler", "debugger"]
)
def test_under_a_tool_that_has_its_say_at_the_end_it_leaves_as_python_does(first):
    assert run(first).stdout.splitlines()[1:] == ["called at exit"]


def test_a_thread_at_work_is_waited_for():
    done = run("""
done = threading.Event()
def work():
    threading.main_thread().join()
    print("worked")
threading.Thread(target=work).start()
""")
    assert done.stdout.splitlines()[1:] == ["worked", "called at exit"]


def test_the_exit_code_stays_and_so_does_what_python_says_of_a_full_disk():
    assert run("entry._version = lambda: 7").returncode == 7
    with open("/dev/full", "w") as full:
        done = run('entry._version = lambda: print("lost") or 0', stdout=full)
    assert (done.returncode, "No space left" in done.stderr) == (120, True)
