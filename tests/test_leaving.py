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


MONITORED = """
if hasattr(sys, "monitoring"):
    sys.monitoring.use_tool_id(3, "onlooker")
else:  # Python 3.11
    sys.monitoring = type("monitoring", (), {"get_tool": staticmethod({3: "onlooker"}.get)})
"""


def run(first="", stdout=subprocess.PIPE, options=(), **variables):
    return subprocess.run(
        [sys.executable, "-P", *options, "-c", PROBE.format(first=first)],
        env=variables, stdin=subprocess.DEVNULL, stdout=stdout, stderr=subprocess.PIPE, text=True, check=False,
    )  # fmt: skip


def test_it_leaves_without_taking_apart_but_calls_what_was_registered_and_writes_what_is_buffered():
    done = run('print("buffered")')
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    assert lines[0].startswith("llmr ")  # by os.write, before the buffer
    assert lines[1:] == ["buffered", "called at exit", "left at once"]


@pytest.mark.parametrize(
    "first",
    ["sys.setprofile(lambda *_: None)", "sys.settrace(lambda *_: None)", MONITORED],
    ids=["profiler", "debugger", "monitoring"],
)
def test_under_a_tool_that_has_its_say_at_the_end_it_leaves_as_python_does(first):
    assert run(first).stdout.splitlines()[1:] == ["called at exit"]


@pytest.mark.parametrize(
    ("options", "variables", "first"),
    [
        (["-i"], {}, ""),
        ([], {"PYTHONINSPECT": "1"}, ""),
        ([], {}, "os.environ['PYTHONINSPECT'] = '1'"),
        (["-X", "dev"], {}, ""),
        (["-W", "default"], {}, ""),
    ],
)
def test_where_python_is_to_go_on_or_to_warn_at_its_end_it_leaves_as_python_does(options, variables, first):
    assert run(first, options=options, **variables).stdout.splitlines()[1:] == ["called at exit"]


def test_a_text_to_exit_with_is_said_as_python_says_it():
    done = run('entry._version = lambda: "what went wrong"')
    assert (done.returncode, done.stderr) == (1, "what went wrong\n")


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
