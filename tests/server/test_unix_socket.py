"""`llmr serve --unix PATH`: for its owner alone, and nobody's socket is taken away."""

import os
import signal
import socket
import stat
import subprocess
import tempfile
from pathlib import Path

import httpx
import pytest
from served import LLMR, settings_for

from llmr.errors import UsageError
from llmr.lab import LabProvider, LabThread
from llmr.server.unix import _locked, listening_at, remove


@pytest.fixture
def place():
    """A short path: a socket's has 107 bytes."""
    with tempfile.TemporaryDirectory(prefix="llmr-") as directory:
        yield Path(directory) / "llmr.sock"


@pytest.fixture
def serving(tmp_path):
    """`llmr serve --unix` as a process, once it has said so."""
    running = []

    def start(place, *arguments):
        lab = LabThread([LabProvider("a")]).__enter__()
        (tmp_path / "routing.toml").write_text(settings_for(lab, lab._lab.providers))
        process = subprocess.Popen(
            [LLMR, "serve", "--unix", place, "--quiet", "--config", tmp_path / "routing.toml", *arguments],
            env={"HOME": str(tmp_path), "PATH": os.environ["PATH"], "TMPDIR": str(tmp_path)},
            start_new_session=True, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        running.append((lab, process))
        told = []
        for line in process.stderr:
            told.append(line)
            if "Ctrl-C" in line:
                break
        return process, told

    yield start
    for lab, process in running:
        if process.poll() is None:
            process.terminate()  # not kill: workers would stay, and hold the pipe
        process.communicate(timeout=30)
        lab.__exit__(None, None, None)


def ask(place, tmp_path, host="localhost"):
    token = (tmp_path / ".local/state/llmr/serve.token").read_text().strip()
    with httpx.Client(transport=httpx.HTTPTransport(uds=str(place)), timeout=20) as client:
        return client.post(
            f"http://{host}/v1/chat/completions",
            json={"model": "m", "messages": [{"role": "user", "content": "hi"}]},
            headers={"authorization": f"Bearer {token}"},
        )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("workers", ["1", "2"])
def test_it_answers_its_owner_alone_and_leaves_nothing_behind(serving, place, tmp_path, workers, number):
    process, told = serving(place, "--workers", workers)
    assert stat.S_IMODE(place.stat().st_mode) == 0o600
    assert ask(place, tmp_path).status_code == 200
    assert ask(place, tmp_path, host="evil.example").status_code == 421
    (line,) = [line for line in told if "curl" in line]
    pasted = subprocess.run(["bash", "-c", line.split("try it", 1)[1]], capture_output=True, text=True, check=True)
    assert "Hello from the lab." in pasted.stdout
    os.killpg(process.pid, number)  # as a terminal that is closed does: to the workers as well
    assert process.wait(20) == 0
    assert not place.exists()
    assert not [*tmp_path.glob("llmr-*")]


def test_a_socket_that_was_left_behind_is_replaced(serving, place, tmp_path):
    process, _ = serving(place)
    process.kill()
    process.wait(20)
    assert place.is_socket()
    serving(place)
    assert ask(place, tmp_path).status_code == 200


def test_where_somebody_answers_nobody_else_serves(serving, place, tmp_path):
    serving(place)
    second, told = serving(place)
    assert second.wait(20) == 2
    assert "somebody serves there already" in "".join(told)
    assert ask(place, tmp_path).status_code == 200


def test_a_socket_that_is_bound_and_does_not_listen_yet_is_left_to_who_has_the_lock(place):
    lock = _locked(place)
    with socket.socket(socket.AF_UNIX) as starting:
        starting.bind(str(place))
        with pytest.raises(UsageError, match="somebody serves there already"):
            listening_at(place, 1)
        assert place.is_socket()
    os.close(lock)
    with listening_at(place, 1) as next_one:
        remove(place, next_one)
    assert not place.exists()


def test_what_is_another_s_is_not_removed(place):
    with listening_at(place, 1) as first, socket.socket(socket.AF_UNIX) as other:
        place.unlink()
        other.bind(str(place))
        remove(place, first)
        assert place.is_socket()


def test_what_is_no_socket_stays(place):
    place.write_text("mine")
    with pytest.raises(UsageError, match="there is something else"):
        listening_at(place, 1)
    assert place.read_text() == "mine"


@pytest.mark.parametrize("path", ["x" * 200, "no/such/directory/llmr.sock"])
def test_a_path_that_cannot_be_one_is_told(path, tmp_path):
    usual = os.umask(0o022)
    with pytest.raises(UsageError, match="--unix"):
        listening_at(tmp_path / path, 1)
    assert os.umask(usual) == 0o022


def test_the_mode_is_0600_whatever_the_umask(place):
    usual = os.umask(0)
    try:
        with listening_at(place, 1) as listener:
            assert listener.family == socket.AF_UNIX
            assert stat.S_IMODE(place.stat().st_mode) == 0o600
        assert os.umask(0) == 0
    finally:
        os.umask(usual)
