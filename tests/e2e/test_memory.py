"""What one process learns, the next one knows: circuits, probes, limits and history over real processes."""

import json
import os
import signal
import sqlite3
import subprocess
import time

from llmr.lab import Behavior, LabProvider, rate_limited

FAILING = Behavior(status=500)
PATIENCE_S = 60.0  # bounds a hang; a loaded machine may start a process in seconds


def wait_until(fact, what):
    """Poll until `fact()`; asking starts a process each time, so this does not spin."""
    deadline = time.monotonic() + PATIENCE_S
    while not fact():
        assert time.monotonic() < deadline, what


def circuit(here, name, scope):
    return next(c for c in here.status(name)["circuits"] if c["scope"] == scope)


def opened_by_five_failures(here):
    for _ in range(5):
        assert here.run("chat", "hi").out == "from b"


def an_hour_passes(here):
    """Every moment that the circuits remember is an hour longer ago: no lease and no cool-down needs to be waited for."""
    with sqlite3.connect(here.state_file) as database:
        for key, row in database.execute("SELECT key, value FROM rows WHERE key LIKE 'b:%'").fetchall():
            earlier = [value - 3600 if isinstance(value, float) and value > 1e9 else value for value in json.loads(row)]
            database.execute("UPDATE rows SET value = ? WHERE key = ?", (json.dumps(earlier), key))
    database.close()


def test_five_failures_in_five_processes_open_the_circuit_and_the_sixth_does_not_call(box):
    here = box([LabProvider("a", [FAILING]), LabProvider("b", [Behavior(text="from b")])])
    opened_by_five_failures(here)
    assert len(here.lab.provider("a").requests) == 5
    assert circuit(here, "a", "a/lab-model")["state"] == "open"
    sixth = here.run("chat", "hi")
    assert (sixth.out, sixth.err) == ("from b", "")
    assert len(here.lab.provider("a").requests) == 5


def test_after_the_cool_down_exactly_one_of_ten_processes_probes_and_its_success_closes_the_circuit(box):
    here = box([LabProvider("a", [FAILING]), LabProvider("b", [Behavior(text="from b")])])
    here.configure(
        "a", "b", extra="[circuit_breaker]\ncooldown_s = 1\ncooldown_cap_s = 1\n[timeouts]\nfirst_token_s = 50"
    )
    opened_by_five_failures(here)
    a = here.lab.provider("a")
    a.follow([Behavior(text="from a", gate="held", gate_at=0)])
    wait_until(lambda: circuit(here, "a", "a/lab-model")["remaining_s"] == 0, "the cool-down ends")
    processes = [here.start("chat", "hi") for _ in range(10)]
    assert a.wait_for_requests(6, timeout_s=PATIENCE_S)
    wait_until(lambda: sum(p.poll() is not None for p in processes) == 9, "nine are answered by b meanwhile")
    assert len(a.requests) == 6
    here.lab.release("held")
    answers = sorted(here.end(process).out for process in processes)
    assert answers == ["from a"] + ["from b"] * 9
    assert circuit(here, "a", "a/lab-model")["state"] == "closed"
    assert circuit(here, "a", "provider a")["state"] == "closed"


def test_a_429_with_retry_after_7_keeps_every_process_away_for_7_seconds(box):
    here = box([LabProvider("a", [rate_limited("7")]), LabProvider("b", [Behavior(text="from b")])])
    here.run("chat", "hi")
    assert circuit(here, "a", "a/lab-model")["remaining_s"] <= 7
    for process in [here.start("chat", "hi") for _ in range(4)]:
        assert here.end(process).out == "from b"
    first, *later = here.lab.provider("a").requests
    assert all(request.arrived_s - first.arrived_s >= 7 for request in later)


def test_a_429_is_over_when_its_time_is_over(box):
    here = box([LabProvider("a", [rate_limited("1"), Behavior(text="from a")]), LabProvider("b")])
    here.run("chat", "hi")
    wait_until(lambda: circuit(here, "a", "a/lab-model")["remaining_s"] == 0, "the second is over")
    assert here.run("chat", "hi").out == "from a"


def test_a_lone_provider_that_is_limited_for_a_moment_is_waited_for(box):
    here = box([LabProvider("a", [rate_limited("1"), Behavior(text="from a")])])
    ended = here.run("chat", "hi")
    assert (ended.code, ended.out) == (0, "from a")
    assert "waiting" in ended.err


def test_latency_is_remembered_and_the_faster_provider_is_asked_first(box):
    here = box([LabProvider("slow", [Behavior(ttft_s=0.5)]), LabProvider("fast", [Behavior(text="from fast")])])
    here.configure("slow", "fast", strategy="latency")
    for name in ("slow", "fast"):
        for _ in range(3):
            assert here.run("chat", "-m", f"{name}/lab-model", "hi").code == 0
    assert here.run("chat", "hi").out == "from fast"
    ranked = here.run("rank", "--json").json["ranked"]
    assert [r["provider"] for r in ranked] == ["fast", "slow"]
    assert ranked[1]["expected"]["p50_s"] > ranked[0]["expected"]["p50_s"]


def test_fifty_processes_at_once_lose_no_row(box):
    here = box([LabProvider("a")])
    for _ in range(5):  # ten at a time: two cores start no more in a second
        processes = [here.start("chat", f"hi {n}", stdout=subprocess.DEVNULL) for n in range(10)]
        endings = [here.end(process) for process in processes]
        assert [(e.code, e.err) for e in endings] == [(0, "")] * 10
    with sqlite3.connect(here.state_file) as database:
        counts = [database.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in ("attempts", "requests")]
    database.close()
    assert counts == [50, 50]
    assert here.status("a")["attempts"] == 50


def test_the_model_id_and_the_outcome_survive_to_the_history(box):
    here = box([LabProvider("a", [FAILING]), LabProvider("b")])
    here.run("chat", "hi")
    with sqlite3.connect(here.state_file) as database:
        attempts = database.execute("SELECT provider, model, outcome, status FROM attempts ORDER BY rowid").fetchall()
        (request,) = database.execute("SELECT asked_model, provider, model, outcome, attempts FROM requests").fetchall()
    database.close()
    assert attempts == [("a", "lab-model", "server", 500), ("b", "lab-model", "ok", 200)]
    assert request == ("m", "b", "lab-model", "ok", 2)


def test_a_prober_that_is_killed_leaves_a_usable_store_and_a_lease_that_runs_out(box):
    here = box([LabProvider("a", [FAILING]), LabProvider("b", [Behavior(text="from b")])])
    here.configure("a", "b", extra="[timeouts]\nfirst_token_s = 50")  # more than the machine takes to kill it
    opened_by_five_failures(here)
    a = here.lab.provider("a")
    a.follow([Behavior(gate="never", gate_at=0)])
    assert circuit(here, "a", "a/lab-model")["state"] == "open"
    an_hour_passes(here)
    assert circuit(here, "a", "a/lab-model")["remaining_s"] == 0
    prober = here.start("chat", "hi")
    assert a.wait_for_requests(6, timeout_s=PATIENCE_S)
    os.kill(prober.pid, signal.SIGKILL)
    here.end(prober)
    a.follow([Behavior(text="from a")])
    assert circuit(here, "a", "a/lab-model")["state"] == "half_open"
    assert here.run("chat", "hi").out == "from b"
    assert circuit(here, "a", "a/lab-model")["remaining_s"] > 0
    an_hour_passes(here)
    assert circuit(here, "a", "a/lab-model")["remaining_s"] == 0
    assert here.run("chat", "hi").out == "from a"
    assert circuit(here, "a", "a/lab-model")["state"] == "closed"


def test_a_provider_held_open_by_hand_is_not_asked_until_reset(box):
    here = box([LabProvider("a", [Behavior(text="from a")]), LabProvider("b", [Behavior(text="from b")])])
    assert here.run("providers", "open", "a").code == 0
    assert here.run("chat", "hi").out == "from b"
    assert here.run("providers", "reset", "a").code == 0
    assert here.run("chat", "hi").out == "from a"


def test_a_provider_held_closed_by_hand_is_asked_whatever_happens(box):
    here = box([LabProvider("a", [FAILING]), LabProvider("b", [Behavior(text="from b")])])
    here.run("providers", "close", "a")
    for _ in range(7):
        here.run("chat", "hi")
    assert len(here.lab.provider("a").requests) == 7


def test_rank_writes_nothing(box):
    here = box([LabProvider("a"), LabProvider("b")])
    here.run("chat", "hi")
    before = _rows(here)
    assert here.run("rank").code == 0
    assert here.run("rank", "--json", "-m", "m", "some", "words").code == 0
    assert here.run("providers", "status").code == 0
    assert _rows(here) == before


def _rows(here):
    with sqlite3.connect(here.state_file) as database:
        rows = database.execute("SELECT key, value FROM rows ORDER BY key").fetchall()
    database.close()
    return rows


def test_no_prompt_and_no_answer_is_kept(box):
    here = box(
        [LabProvider("a", [Behavior(status=500, error_message="you said zanzibar"), Behavior(text="quetzal said")])]
    )
    here.run("chat", "zanzibar please")
    state = b"".join(p.read_bytes() for p in here.state_file.parent.iterdir())
    assert b"zanzibar" not in state
    assert b"quetzal" not in state
    assert json.loads(here.run("providers", "status", "--json").out)
