"""Every command where nobody looks: closed pipes, full disks, cron, a directory that is gone, a terminal that can do nothing.

Cases B56 and B58 over the whole command tree, by the installed `llmr`. A new command is tried at once; if it needs an
argument, the table below says which. What holds everywhere: a code that the README knows, at most the lines of a person's
stderr, no traceback, no escape sequence. Where stdout is written to and cannot be, the code is 12 and one line says so.
"""

import os
import re
import shlex
import signal
import subprocess
import sysconfig
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from llmr.cli.exit_codes import ExitCode
from llmr.cli.tree import command_tree
from llmr.lab import Behavior, LabProvider

LLMR = Path(sysconfig.get_path("scripts")) / "llmr"

ARGUMENTS = {
    "chat": "--demo hello",
    "rank": "hello",
    "simulate": "--list",
    "providers reset": "openai",
    "providers open": "openai",
    "providers close": "openai",
    "models refresh": "--litellm nowhere.json",
    "keys set": "openai",
    "keys rm": "openai",
    "keys import": "llm",
    "log purge": "--all --yes",
    "serve": "--port 99999",  # it would serve for ever
    "templates show": "greet",
    "templates save": "other hello",
    "templates edit": "greet",
    "templates rm": "greet",
    "completion": "bash",
}
LEAVES = [" ".join(node.path[1:]) for node in command_tree().walk() if not node.children]
GROUPS = ["", *(" ".join(node.path[1:]) for node in command_tree().walk() if node.children and len(node.path) > 1)]
CODES = {int(code) for code in ExitCode} - {int(ExitCode.UNEXPECTED)}


@dataclass(frozen=True)
class Place:
    """A shell line with `{llmr}` in it, and variables of its own. `silent`: nobody can be told anything."""

    line: str
    variables: dict[str, str] = field(default_factory=dict)
    silent: bool = False


PLACES = {
    "under cron, in a directory that is gone": Place(
        "mkdir gone && cd gone && rmdir ../gone && exec env -i {llmr} <&-"
    ),
    "in a directory that is read-only, on a poor terminal": Place(
        "chmod 555 . && exec {llmr}",
        {"TERM": "dumb", "NO_COLOR": "1", "COLUMNS": "1", "LANG": "C", "LC_ALL": "C", "PYTHONIOENCODING": "ascii"},
    ),
    "on a full disk": Place("exec {llmr} >/dev/full"),
    "with all three closed": Place("exec {llmr} <&- >&- 2>&-", silent=True),
    "before a reader that has gone": Place("{llmr} | true; exit ${{PIPESTATUS[0]}}"),
}


def run(home: Path, place: Place, command: str) -> "subprocess.CompletedProcess[bytes]":
    templates = home / ".config/llmr/templates"
    templates.mkdir(parents=True)
    (templates / "greet.toml").write_text('prompt = "hello"\n')
    (templates / "greet.toml").chmod(0o600)
    desk = home / "desk"
    desk.mkdir()
    try:
        return subprocess.run(
            ["bash", "-c", place.line.format(llmr=f"{shlex.quote(str(LLMR))} {command}")],
            env={"HOME": str(home), "PATH": os.environ["PATH"], "TERM": "xterm-256color", **place.variables},
            cwd=desk,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=60,
            start_new_session=True,  # no terminal, not even as /dev/tty
        )
    finally:
        desk.chmod(0o700)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("leaf", LEAVES)
def test_b56_b58_a_command_ends_well_in_any_place(tmp_path, leaf, place):
    where = PLACES[place]
    done = run(tmp_path, where, f"{leaf} {ARGUMENTS.get(leaf, '')}")
    said = done.stdout + done.stderr
    assert done.returncode in CODES, done.stderr
    assert b"Traceback" not in said
    assert b"\x1b" not in said
    assert b"(a bug;" not in said
    if where.silent:
        assert done.stderr == b""
    if done.returncode == ExitCode.OUTPUT:
        assert where.silent or done.stderr.endswith(b"\n")
        assert done.stdout == b""
    if done.returncode == ExitCode.CLOSED_PIPE:
        assert place == "before a reader that has gone"
    (done.stdout + done.stderr).decode()  # whatever the locale, it is UTF-8


@pytest.mark.parametrize("leaf", [*LEAVES, *GROUPS])
def test_every_command_explains_itself_by_both_names_at_eighty_columns(tmp_path, leaf):
    short = subprocess.run(
        [LLMR, *leaf.split(), "-h"],
        env={"HOME": str(tmp_path), "COLUMNS": "80", "LANG": "C.UTF-8"},
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (short.returncode, short.stderr) == (0, "")
    assert short.stdout.startswith("Usage: llmr")
    assert all(len(line) <= 80 for line in short.stdout.splitlines())
    assert "--help" in short.stdout


@pytest.mark.parametrize("command", ["--help", "chat --help", "--version"])
@pytest.mark.parametrize("redirection", [">&-", ">/dev/full"])
def test_b56_help_that_cannot_be_written_is_code_12(tmp_path, command, redirection):
    done = run(tmp_path, Place(f"exec {{llmr}} {redirection}"), command)
    assert done.returncode == ExitCode.OUTPUT


@pytest.mark.parametrize("command", ["chat --no-such-option", "chatt", "providers open"])
def test_b56_a_usage_error_never_reaches_stdout(tmp_path, command):
    done = run(tmp_path, Place("exec {llmr} 2>&-"), command)
    assert (done.returncode, done.stdout) == (2, b"")


def test_b56_with_everything_closed_nobody_is_asked_and_no_file_takes_a_standard_stream_s_place(box):
    here = box([LabProvider("a")])
    assert here.run("chat", "hi").code == 0  # so that the state file is there
    held = here.state_file.read_bytes()
    done = subprocess.run(
        ["bash", "-c", f"exec {shlex.quote(str(LLMR))} chat hi <&- >&- 2>&-"],
        env=here.environment,
        cwd=here.home,
        check=False,
    )
    assert done.returncode == ExitCode.OUTPUT
    assert len(here.lab.provider("a").requests) == 1
    assert here.state_file.read_bytes() == held


def test_a_prompt_that_never_ends_can_be_interrupted(box):
    here = box([LabProvider("a")])
    process = here.start("chat", stdin=subprocess.PIPE)
    assert process.stdin is not None
    process.stdin.write(
        b"words that do not end " * 20_000
    )  # more than a pipe holds: when it is written, it is being read
    process.stdin.flush()
    process.send_signal(signal.SIGINT)
    assert process.wait(20) == ExitCode.INTERRUPTED
    process.stdin.close()
    process.stdin = None
    ended = here.end(process)
    assert (ended.raw, ended.err) == (b"", "")
    assert here.lab.provider("a").requests == ()


def test_a_prompt_of_nine_megabytes_goes_through_a_pipe_whole(box):
    here = box([LabProvider("a", [Behavior("read")])])
    prompt = b"word " * 1_800_000
    ended = here.run("chat", stdin=prompt)
    assert (ended.code, ended.out) == (0, "read"), ended.err
    assert here.lab.provider("a").requests[0].json["messages"][0]["content"].encode().strip() == prompt.strip()


@pytest.mark.parametrize("group", GROUPS)
def test_the_help_of_a_group_names_all_its_commands(tmp_path, group):
    done = run(tmp_path, Place("exec {llmr}"), f"{group} -h")
    children = [leaf.removeprefix(group).split()[0] for leaf in LEAVES if leaf.startswith(group)]
    assert all(re.search(rf"^  {child} ", done.stdout.decode(), re.MULTILINE) for child in children)


@pytest.mark.parametrize(
    "node", [n for n in command_tree().walk() if not n.children], ids=lambda node: " ".join(node.path)
)
def test_every_option_says_what_it_does_and_what_its_value_is(node):
    for option in node.options:
        assert option.help, option.names
        assert not option.takes_value or option.value_name, option.names
    for argument in node.arguments:
        assert argument.help, argument.shown
