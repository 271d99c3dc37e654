"""`llmr serve` as a person starts it: a process, what it prints, its token, its end."""

import os
import signal
import socket
import stat
import subprocess
import sysconfig
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from served import eventually

from llmr.config.environment import Environment
from llmr.config.files import read_private
from llmr.lab import Behavior, Fault, LabProvider
from llmr.server.token import server_token

LLMR = Path(sysconfig.get_path("scripts")) / "llmr"


def test_it_says_where_it_serves_and_where_the_token_is_and_ends_with_0(start):
    running = start()
    token = running.token_file.read_text().strip()
    assert len(token) >= 43  # 256 bits in base64
    assert stat.S_IMODE(running.token_file.stat().st_mode) == 0o600
    told = "".join(running.told)
    assert token not in told
    assert str(running.token_file) in told
    assert f"OPENAI_BASE_URL={running.origin}/v1" in told
    assert running.chat(token).status_code == 200
    assert running.chat("wrong").status_code == 401
    code, out, err = running.end(signal.SIGTERM)
    assert (code, err) == (0, "")
    assert out.count(b"\n") == 2
    assert token.encode() not in out


def test_the_line_to_paste_works_as_it_is_printed(start):
    running = start()
    (line,) = [line for line in running.told if "curl" in line]
    done = subprocess.run(["bash", "-c", line.split("try it", 1)[1]], capture_output=True, text=True, check=True)
    assert "Hello from the lab." in done.stdout


def test_what_the_server_learns_the_command_line_knows(start):
    running = start(providers=[LabProvider("a")])
    running.chat(running.token_file.read_text().strip())
    eventually(lambda: running.requests_kept() == 1)  # a moment after the answer
    environment = {"HOME": str(running.home), "PATH": os.environ["PATH"]}
    done = subprocess.run([LLMR, "explain", "last"], env=environment, capture_output=True, text=True, check=True)
    assert "a/lab-model" in done.stdout


def test_two_first_starts_at_once_have_one_token(tmp_path, monkeypatch):
    environment = Environment.of({"HOME": str(tmp_path)}, cwd=None)
    looks = threading.Barrier(2)

    def both_find_nothing(path, label, *, owner):
        found = read_private(path, label, owner=owner)
        if found is None:
            looks.wait(30)
        return found

    monkeypatch.setattr("llmr.server.token.read_private", both_find_nothing)
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(lambda _: server_token(environment).secret.reveal(), range(2))
    assert first == second == (tmp_path / ".local/state/llmr/serve.token").read_text().strip()
    assert os.listdir(tmp_path / ".local/state/llmr") == ["serve.token"]


def test_a_second_start_keeps_the_token_and_a_variable_outranks_it(start):
    first = start()
    token = first.token_file.read_text()
    first.end(signal.SIGINT)
    second = start("--quiet", LLMR_SERVE_TOKEN="a-token-of-my-own-01234")
    assert second.token_file.read_text() == token
    assert second.chat(token.strip()).status_code == 401
    assert second.chat("a-token-of-my-own-01234").status_code == 200
    code, out, _ = second.end(signal.SIGTERM)
    assert (code, out) == (0, b"")


def test_a_token_that_others_can_read_is_refused(tmp_path):
    directory = tmp_path / ".local/state/llmr"
    directory.mkdir(parents=True, mode=0o700)
    (directory / "serve.token").write_text("llmr-0123456789012345678901234567890123456789")
    (directory / "serve.token").chmod(0o644)
    (tmp_path / "routing.toml").write_text('[providers.a]\nwire = "openai"\nbase_url = "http://127.0.0.1:9/v1"')
    done = subprocess.run(
        [LLMR, "serve", "--config", str(tmp_path / "routing.toml")],
        env={"HOME": str(tmp_path), "PATH": os.environ["PATH"]}, capture_output=True, text=True, check=False, timeout=30,
    )  # fmt: skip
    assert done.returncode == 3
    assert "chmod 600" in done.stderr
    assert "0123456789" not in done.stderr


def test_a_port_that_is_taken_is_one_clear_line(start):
    running = start()
    port = running.origin.rsplit(":", 1)[1]
    done = subprocess.run(
        [LLMR, "serve", "--config", str(running.home / "routing.toml"), "--port", port],
        env={"HOME": str(running.home), "PATH": os.environ["PATH"]}, capture_output=True, text=True, check=False, timeout=30,
    )  # fmt: skip
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "--port takes another" in done.stderr


def test_a_second_signal_ends_at_once(start):
    running = start(providers=[LabProvider("a", [Behavior(fault=Fault.HANG)])])
    with socket.create_connection(("127.0.0.1", int(running.origin.rsplit(":", 1)[1]))) as client:
        token = running.token_file.read_text().strip()
        body = b'{"model":"m","messages":[{"role":"user","content":"hi"}]}'
        client.sendall(
            f"POST /v1/chat/completions HTTP/1.1\r\nhost: {running.origin[7:]}\r\nauthorization: Bearer {token}\r\n"
            f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n".encode()
            + body
        )
        assert running.lab.provider("a").wait_for_requests(1)
        running.process.send_signal(signal.SIGTERM)
        eventually(lambda: not _lets_in(running))  # the first is heard: two signals at once would be one
        assert running.process.poll() is None
        assert running.end(signal.SIGTERM)[0] == 128 + signal.SIGTERM


def _lets_in(running):
    try:
        socket.create_connection(("127.0.0.1", int(running.origin.rsplit(":", 1)[1]))).close()
    except ConnectionRefusedError:
        return False
    return True
