"""What happens while the server runs: metrics, a changed configuration, several workers."""

import os
import re
import signal
import time

import pytest
from served import eventually, settings_for

from llmr.errors import ConfigError
from llmr.lab import Behavior, LabProvider
from llmr.server import reload


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
    assert metric(served, "llmr_requests_total", path="/v1/chat/completions", status="200") == 2
    assert metric(served, "llmr_requests_total", path="/v1/chat/completions", status="404") == 1
    assert metric(served, "llmr_requests_total", path="other", status="404") == 1
    assert metric(served, "llmr_answers_total", provider="b", model="lab-model", outcome="ok") == 2
    assert metric(served, "llmr_attempts_total") == 4
    assert metric(served, "llmr_circuit", provider="a", model="lab-model") == 2
    assert metric(served, "llmr_circuit", provider="b", model="lab-model") == 0
    assert metric(served, "llmr_requests_under_way") == 0


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
    assert "the old one stays" in said[0]
    assert served.chat().status_code == 200
    settings.write_text(served.settings.replace("[models.m]", "[models.renamed]").replace('= "m"', '= "renamed"'))
    assert eventually(lambda: served.chat(model="renamed").status_code == 200)  # a half-written file may be met before
    assert served.chat().status_code == 404
    assert "served by it" in said[-1]


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
    time.sleep(0.3)  # what was answered in the last 50 ms may be lost
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


def children_of(pid):
    with open(f"/proc/{pid}/task/{pid}/children") as file:
        return [int(word) for word in file.read().split()]
