"""Long views go through a pager on a terminal, as git's do, and nowhere else."""

import os
import pty
import select
import signal
import subprocess
import sys
import sysconfig
import termios
from pathlib import Path

import pytest

LLMR = Path(sysconfig.get_path("scripts")) / "llmr"
LONG = ["help", "json"]
MARK = "PAGED"


def _seen(home: Path, *arguments: str, rows: int = 10, **variables: str) -> str:
    """What a terminal of so many rows shows."""
    master, slave = pty.openpty()
    subprocess.run(["stty", "rows", str(rows), "cols", "80"], stdin=slave, check=True)
    process = subprocess.Popen(
        [LLMR, *arguments],
        env={"HOME": str(home), "PATH": os.environ["PATH"], "TERM": "xterm", "LANG": "C.UTF-8", **variables},
        cwd=home, stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
    )  # fmt: skip
    os.close(slave)
    seen = b""
    while True:
        try:
            piece = os.read(master, 4096)
        except OSError:
            break
        if not piece:
            break
        seen += piece
    os.close(master)
    assert process.wait(30) == 0
    return seen.decode()


@pytest.fixture
def pager(tmp_path: Path) -> str:
    """A pager that says how it was called, and what it was given, to a file."""
    script = tmp_path / "pager.py"
    script.write_text(
        "import os, sys\nlines = sys.stdin.read().splitlines()\n"
        f"print('{MARK}', len(lines), os.environ.get('LESS'), 'OPENAI_API_KEY' in os.environ)\n"
    )
    return f"{sys.executable} {script}"


def test_a_view_that_does_not_fit_goes_through_the_pager_and_no_key_with_it(tmp_path: Path, pager: str) -> None:
    seen = _seen(tmp_path, *LONG, LLMR_PAGER=pager, OPENAI_API_KEY="sk-test-0123456789")
    assert seen.startswith(MARK)
    assert seen.split()[2:] == ["FRX", "False"]


def test_a_key_under_a_name_that_the_configuration_says_goes_to_no_pager(tmp_path: Path) -> None:
    own = tmp_path / ".config/llmr/routing.toml"
    own.parent.mkdir(parents=True)
    own.write_text('[providers.work]\nbase_url = "https://x.example/v1"\napi_key_env = ["FIRST", \'WORK_SECRET\']\n')
    said = f"{sys.executable} -c \"import os; print('{MARK}', sorted({{'WORK_SECRET', 'LATER', 'OTHER'}} & set(os.environ)))\""
    variables = {"WORK_SECRET": "sk-test-0123456789", "LATER": "sk-test-9876543210", "OTHER": "x"}
    assert f"{MARK} ['LATER', 'OTHER']" in _seen(tmp_path, *LONG, LLMR_PAGER=said, **variables)
    variables["LLMR_PROVIDERS__WORK__API_KEY_ENV"] = "LATER"
    assert f"{MARK} ['OTHER']" in _seen(tmp_path, *LONG, LLMR_PAGER=said, **variables)


def test_llmrs_own_variable_outranks_pager_and_what_less_is_told_is_left_alone(tmp_path: Path, pager: str) -> None:
    assert _seen(tmp_path, *LONG, LLMR_PAGER=pager, PAGER="false", LESS="R").split()[2] == "R"
    assert _seen(tmp_path, *LONG, PAGER=pager).startswith(MARK)


@pytest.mark.parametrize(
    ("arguments", "rows", "variables"),
    [
        (["--no-pager", *LONG], 10, {}),
        (LONG, 10, {"LLMR_PAGER": ""}),
        (LONG, 10, {"LLMR_PAGER": "cat"}),
        (LONG, 10, {"TERM": "dumb"}),
        (LONG, 10, {"LLMR_PAGER": "no-such-pager-4711"}),
        (LONG, 10, {"LLMR_PAGER": "un'balanced"}),
        (["help", "exit-codes"], 60, {}),
    ],
)
def test_it_is_shown_at_once_where_no_pager_is_wished_can_be_run_or_is_needed(
    tmp_path: Path, pager: str, arguments: list[str], rows: int, variables: dict[str, str]
) -> None:
    seen = _seen(tmp_path, *arguments, rows=rows, **{"LLMR_PAGER": pager, **variables})
    assert MARK not in seen
    assert "llmr.chat/1" in seen or "a whole answer" in seen


def test_in_a_pipe_nothing_is_paged(tmp_path: Path, pager: str) -> None:
    done = subprocess.run(
        [LLMR, *LONG], env={"HOME": str(tmp_path), "PATH": os.environ["PATH"], "LLMR_PAGER": pager}, capture_output=True,
        text=True, check=True, cwd=tmp_path,
    )  # fmt: skip
    assert MARK not in done.stdout
    assert "llmr.chat/1" in done.stdout


ON_THE_TERMINAL = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""
IN_RAW_MODE = f"""
import os, signal, sys, tty
tty.setraw(1)
{{first}}
os.write(1, b"{MARK} %d;" % os.getpid())
while True:
    signal.pause()
"""
"""A pager as less is: neither the end of its input nor a SIGTERM makes it give the terminal back."""


def _read_until(master: int, end: bytes) -> bytes:
    seen = b""
    while not seen.endswith(end) and select.select([master], [], [], 30)[0]:
        seen += os.read(master, 1)
    return seen


def _gone(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    return False


@pytest.mark.parametrize(
    ("number", "code", "first"),
    [
        (signal.SIGTERM, 143, "sys.stdin.read()"),
        (signal.SIGHUP, 129, "sys.stdin.read()"),
        (signal.SIGTERM, 143, ""),  # reads nothing
        (signal.SIGTERM, 143, "signal.signal(signal.SIGTERM, signal.SIG_IGN)"),
    ],
)
def test_a_signal_that_ends_us_ends_the_pager_and_gives_the_terminal_back(
    tmp_path: Path, number: signal.Signals, code: int, first: str
) -> None:
    script = tmp_path / "pager.py"
    script.write_text(IN_RAW_MODE.format(first=first))
    master, slave = pty.openpty()
    subprocess.run(["stty", "rows", "10", "cols", "80"], stdin=slave, check=True)
    before = termios.tcgetattr(slave)
    process = subprocess.Popen(
        [sys.executable, "-P", "-c", ON_THE_TERMINAL, LLMR, *LONG], cwd=tmp_path,
        env={"HOME": str(tmp_path), "PATH": os.environ["PATH"], "TERM": "xterm", "LLMR_PAGER": f"{sys.executable} {script}"},
        stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
    )  # fmt: skip
    try:
        pager = int(_read_until(master, b";").split()[-1].rstrip(b";"))
        assert termios.tcgetattr(slave) != before
        process.send_signal(number)
        assert process.wait(30) == code
        assert _gone(pager)
        assert termios.tcgetattr(slave) == before
    finally:
        process.kill()
        process.wait()
        os.close(slave)
        os.close(master)
