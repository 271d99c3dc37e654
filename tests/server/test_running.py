"""What happens while the server runs: metrics, a changed configuration, several workers."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from dataclasses import replace

import pytest
from served import TOKEN, eventually, read_all, settings_for

from llmr.errors import ConfigError, StateUnusable
from llmr.lab import Behavior, LabProvider
from llmr.routing.rate_limit import LimiterState
from llmr.server import generations, reload
from llmr.server.limits import LIMITS
from llmr.state import sqlite
from llmr.state.sqlite import SqliteStore


def metric(served, name, **labels):
    """The value of one sample of `/metrics`; None: there is none."""
    for line in served.get("/metrics").text.splitlines():
        told = re.fullmatch(r"(\w+)(?:\{(.*)\})? (\S+)", line)
        if told and told[1] == name and dict(re.findall(r'(\w+)="([^"]*)"', told[2] or "")) == labels:
            return float(told[3])
    return None


def test_metrics_count_requests_attempts_and_answers_and_tell_the_circuits(serve):
    served = serve(
        LabProvider("a", [Behavior(status=500)]), LabProvider("b"), extra="[circuit_breaker]\nfailure_threshold = 2"
    )
    served.chat()
    served.chat()
    served.chat(model="nobody")
    served.get("/nonsense")
    counts = (
        (2, "llmr_requests_total", {"path": "/v1/chat/completions", "status": "200"}),
        (1, "llmr_requests_total", {"path": "/v1/chat/completions", "status": "404"}),
        (1, "llmr_requests_total", {"path": "other", "status": "404"}),
        (2, "llmr_answers_total", {"provider": "b", "model": "lab-model", "outcome": "ok"}),
        (4, "llmr_attempts_total", {}),
        (2, "llmr_circuit", {"provider": "a", "model": "lab-model"}),
        (0, "llmr_circuit", {"provider": "b", "model": "lab-model"}),
        (0, "llmr_requests_under_way", {}),
    )
    for count, name, labels in counts:  # some are counted a moment after the answer
        assert eventually(lambda: metric(served, name, **labels) == count), (name, labels)  # noqa: B023


def test_labels_hold_nothing_that_a_client_made_up(serve):
    served = serve(LabProvider("a"))
    served.chat(model="a/invented-by-me")
    served.get("/v1/models/also-invented")
    assert "invented" not in served.get("/metrics").text


def test_metrics_need_the_token(serve):
    served = serve(LabProvider("a"))
    assert served.get("/metrics", authorization="Bearer wrong").status_code == 401


def test_a_new_configuration_serves_the_next_request_and_leaves_a_stream_alone(serve):
    slow = LabProvider("a", [Behavior(text="one two three", gate="go", gate_at=1)])
    served = serve(slow, LabProvider("b", [Behavior(text="from b")]))
    lab_b_first = settings_for(served.lab, [served.lab.provider("b")])
    with served.client() as client, client.stream(
        "POST", "/v1/chat/completions",
        json={"model": "m", "stream": True, "messages": [{"role": "user", "content": "hi"}]},
    ) as reply:  # fmt: skip
        pieces = reply.iter_bytes()
        first = next(pieces)
        served.renew(lab_b_first)
        assert served.chat().headers["x-llmr-provider"] == "b"
        slow.release("go")
        assert (first + b"".join(pieces)).rstrip().endswith(b"[DONE]")
    assert len(served.stored("requests", 2)) == 2


def test_a_wrong_configuration_is_said_and_changes_nothing(serve, monkeypatch):
    monkeypatch.setattr(reload, "EVERY_S", 0.02)
    served = serve(LabProvider("a"))
    said = served.following()
    settings = served.home / "routing.toml"
    settings.write_text("strategy = 7")
    assert eventually(lambda: said)
    assert "the old configuration stays" in said[0]
    assert served.chat().status_code == 200
    settings.write_text(served.settings.replace("[models.m]", "[models.renamed]").replace('= "m"', '= "renamed"'))
    assert eventually(lambda: served.chat(model="renamed").status_code == 200)  # a half-written file may be met before
    assert served.chat().status_code == 404
    assert "served by what is there now" in said[-1]


def test_a_configuration_that_was_not_there_before_takes_effect(serve, monkeypatch, tmp_path):
    monkeypatch.setattr(reload, "EVERY_S", 0.02)
    served = serve(LabProvider("a"))
    new = tmp_path / "not-there-yet.toml"
    said = served.following(new)
    new.touch()
    assert eventually(lambda: said)
    assert "served by what is there now" in said[0]


def test_a_configuration_that_is_away_for_a_moment_stays_in_use(serve, monkeypatch):
    monkeypatch.setattr(reload, "EVERY_S", 0.02)
    monkeypatch.setattr(reload, "_LOOKS_FOR_GONE", 10**9)
    served = serve(LabProvider("a"))
    said = served.following()
    settings = served.home / "routing.toml"
    settings.rename(served.home / "away")
    assert eventually(lambda: said)
    assert "routing.toml is gone" in said[0]
    assert served.chat().status_code == 200
    (served.home / "away").rename(settings)
    assert eventually(lambda: said[1:])
    assert said[1] == "routing.toml is back"
    assert served.chat().status_code == 200


def test_a_configuration_that_is_gone_for_good_is_said_to_be(serve, monkeypatch):
    monkeypatch.setattr(reload, "EVERY_S", 0.02)
    monkeypatch.setattr(reload, "_LOOKS_FOR_GONE", 2)
    served = serve(LabProvider("a"))
    said = served.following()
    (served.home / "routing.toml").unlink()
    assert eventually(lambda: said[1:])
    assert said[1].startswith("routing.toml is gone; the old configuration stays")
    assert served.chat().status_code == 200


class Gate:
    """Where somebody is held until it opens."""

    def __init__(self) -> None:
        self._reached, self._open = threading.Event(), threading.Event()

    def hold(self) -> None:
        self._reached.set()
        self._open.wait(30)

    @contextmanager
    def holding(self, look, *arguments, **named):
        """While who does this is held."""
        looking = threading.Thread(target=look, args=arguments, kwargs=named)
        looking.start()
        try:
            assert self._reached.wait(30)
            yield
        finally:
            self._open.set()
            looking.join(30)


@pytest.mark.parametrize("path", ["/v1/status", "/metrics"])
def test_nobody_waits_for_who_reads_much_of_the_store(serve, monkeypatch, path):
    gate = Gate()
    served = serve(LabProvider("a"))
    read = sqlite._read

    def slow(database, keys):  # within the store's lock
        if threading.current_thread() is not served._thread:
            gate.hold()
        return read(database, keys)

    monkeypatch.setattr(sqlite, "_read", slow)
    with gate.holding(served.get, path):
        assert served.chat().status_code == 200


def test_nobody_waits_for_who_looks_into_a_cache_that_does_not_answer(serve, monkeypatch):
    gate = Gate()
    monkeypatch.setattr("llmr.cache.store.AnswerStore.find", lambda *_, **__: gate.hold())
    served = serve(LabProvider("a"))
    with gate.holding(served.chat, headers={"x-llmr-cache": "true"}):
        assert served.chat().status_code == 200


@pytest.mark.parametrize("door", ["__enter__", "__exit__"])
def test_nobody_waits_for_a_store_that_is_slow_to_open_or_to_close(serve, monkeypatch, door):
    released, asked = threading.Event(), threading.Event()
    served = serve(LabProvider("a"))
    opened = generations.opened

    class Slow:
        def __init__(self, opening):
            self._opening = opening

        def __enter__(self):
            return self._through("__enter__")

        def __exit__(self, *told):
            return self._through("__exit__", *told)

        def _through(self, which, *told):
            if which == door:
                asked.set()
                released.wait(30)
            return getattr(self._opening, which)(*told)

    monkeypatch.setattr(generations, "opened", lambda *one, **more: Slow(opened(*one, **more)))
    if door == "__exit__":
        served.renew(served.settings)
    renewing = threading.Thread(target=served.renew, args=(served.settings,))
    renewing.start()
    try:
        assert asked.wait(10)
        assert served.chat().status_code == 200
    finally:
        released.set()
        renewing.join(10)


def test_what_could_not_be_written_is_told_by_every_app_that_there_was(serve):
    served = serve(LabProvider("a"))
    served.on_loop(lambda: served.app.registry._books.met(StateUnusable("the disk is full")))
    served.renew(served.settings)
    assert served.app.notices == ()
    assert served.generations.notices == ("the state was not fully usable: the disk is full",)


@pytest.mark.parametrize("said", [0, 1])
def test_a_request_that_is_cut_off_at_the_end_of_the_drain_is_booked_and_logged(serve, said):
    lab = LabProvider("a", [Behavior(text="one two three", gate="go", gate_at=said)])
    limited = "rate_limit.concurrent = 1"
    served = serve(lab, provider_extra=limited, limits=replace(LIMITS, drain_s=0.0))
    with served.connection() as connection:
        connection.sendall(chat_bytes(served))
        answer = connection.recv(65536) if said else b""
        assert eventually(lambda: served.gateway.under_way and lab.requests)
        served.server.should_exit = True
        answer += read_all(connection)
    served.__exit__()
    (line,) = [json.loads(line) for line in served.log]
    assert (line["outcome"], line["attempts"]) == ("cut_off", 1)
    assert (b"server_stopped" in answer) is not bool(said)
    assert b"[DONE]" not in answer
    with SqliteStore(served.home / ".local/state/llmr/state.db", time.time) as store:
        assert [one.outcome for one in store.requests()] == ["cancelled"]
        assert [one.outcome for one in store.attempts()] == ["cancelled"]
        (limits,) = store.scan("r:p:").values()
        assert LimiterState.from_row(limits).leases == ()


def chat_bytes(served):
    """A streamed chat, as it goes over the wire."""
    body = json.dumps({"model": "m", "stream": True, "messages": [{"role": "user", "content": "hi"}]})
    return (
        f"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1:{served.port}\r\nauthorization: Bearer {TOKEN}\r\n"
        f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n{body}"
    ).encode()


def test_whichever_worker_is_asked_for_metrics_tells_of_all_of_them(start):
    running = start("--workers", "2", "--quiet")
    token = running.token_file.read_text().strip()
    children = eventually(lambda: len(found := children_of(running.process.pid)) == 2 and found)
    sample = 'llmr_requests_total{path="/v1/chat/completions",status="200"}'
    for other, times, counted in zip(children, (2, 3), (2, 5), strict=True):
        with stopped(other):
            for _ in range(times):
                assert running.chat(token).status_code == 200
            eventually(lambda counted=counted: running.metric(token, sample) == counted)  # a moment after the answer
    for other in children:
        with stopped(other):
            assert running.metric(token, sample) == 5
    os.kill(children[0], signal.SIGKILL)
    eventually(lambda: children[0] not in children_of(running.process.pid))
    assert (running.metric(token, sample), running.metric(token, "llmr_requests_under_way")) == (5, 0)


@contextmanager
def stopped(pid):
    """While a worker stands still, the other one is asked."""
    os.kill(pid, signal.SIGSTOP)
    try:
        eventually(lambda: state_of(pid) == "T")  # until then it may still take a connection
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def state_of(pid):
    with open(f"/proc/{pid}/stat") as file:
        return file.read().rpartition(") ")[2][0]


def test_workers_do_not_outlive_a_parent_that_is_killed(start):
    running = start("--workers", "2", "--quiet")
    children = eventually(lambda: len(found := children_of(running.process.pid)) == 2 and found)
    running.process.kill()
    running.process.communicate(timeout=30)  # their stderr ends with the last of them
    assert len(children) == 2


def test_what_cannot_be_loaded_raises_and_keeps_the_app(serve):
    served = serve(LabProvider("a"))
    before = served.generations.app
    with pytest.raises(ConfigError):
        served.renew("nonsense = 1")
    assert served.generations.app is before


def test_a_worker_that_is_killed_is_replaced_and_loses_nothing_that_was_answered(start):
    running = start("--workers", "2", "--quiet")
    token = running.token_file.read_text().strip()
    children = eventually(lambda: len(found := children_of(running.process.pid)) == 2 and found)
    for _ in range(6):
        assert running.chat(token).status_code == 200
    eventually(lambda: running.requests_kept() == 6)  # what was answered in the last 50 ms may be lost
    os.kill(children[0], signal.SIGKILL)
    eventually(
        lambda: len(children_of(running.process.pid)) == 2 and children[0] not in children_of(running.process.pid)
    )
    for _ in range(6):
        assert running.chat(token).status_code == 200
    code, _, err = running.end(signal.SIGTERM)
    assert code == 0
    assert "another takes its place" in err
    assert running.requests_kept() == 12


DIES_ONCE = """
import os, signal, sys, time
from llmr.server.workers import Workers

def serve():
    if os.path.exists(sys.argv[1]):
        os.unlink(sys.argv[1])
        os._exit(3)
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    signal.sigwait([signal.SIGTERM])

def say(line):
    os.kill(os.getpid(), signal.SIGTERM)  # between the death and the replacement

signal.alarm(10)
sys.exit(0 if Workers(1, serve, say, time.monotonic, lambda pid: None).run() else 5)
"""


def test_a_stop_between_the_death_of_a_worker_and_its_replacement_is_not_lost(tmp_path):
    (tmp_path / "first").touch()
    ended = subprocess.run([sys.executable, "-c", DIES_ONCE, tmp_path / "first"], timeout=30, check=False)
    assert ended.returncode == 0


def children_of(pid):
    with open(f"/proc/{pid}/task/{pid}/children") as file:
        return [int(word) for word in file.read().split()]
