"""`llmr providers probe`: one real request each, all at once, and it counts in the books."""

import pytest

from llmr.lab import Behavior, html_page, rate_limited

KEY = "sk-test-0123456789abcdef"


def _rows(said):
    return {row["provider"]: row for row in said.json["probes"]}


def test_each_provider_is_asked_once_and_told_as_it_did(shell):
    lab = shell.serve(
        a=[Behavior("ok")],
        b=[Behavior(status=500), Behavior("a second attempt")],
        c=[rate_limited("12")],
        d=[html_page()],
    )
    said = shell("providers", "probe", "a", "b", "c", "d")
    assert said.code == 5  # of a limit and a fault, what waiting does not mend
    lines = {line.split()[0]: line for line in said.out.splitlines()[1:]}
    assert lines["a/lab-model"].split()[1] == "ok"
    assert [lines[f"{name}/lab-model"].split()[1] for name in "bcd"] == ["failed"] * 3
    assert lines["b/lab-model:"].startswith("  b/lab-model: 500 ")
    assert lines["c/lab-model:"].startswith("  c/lab-model: 429 ")
    assert "502" in lines["d/lab-model:"]
    assert [len(lab.provider(name).requests) for name in "abcd"] == [1, 1, 1, 1]
    assert all(line == line.rstrip() for line in said.out.splitlines())


def test_a_probe_counts_like_any_attempt_and_closes_a_circuit_that_is_due(shell):
    shell.serve(
        "circuit_breaker = { failure_threshold = 1, cooldown_s = 0.05 }", a=[Behavior(status=500), Behavior("ok")]
    )
    assert shell("providers", "probe", "a").code == 5
    (status,) = [p for p in shell("providers", "status", "--json").json["providers"] if p["name"] == "a"]
    assert status["models"][0]["attempts"] == 1
    for _ in range(50):  # the cool-down is 50 ms
        said = shell("providers", "probe", "a", "--json")
        if said.code == 0:
            break
    assert _rows(said)["a"]["ok"] is True
    assert _rows(said)["a"]["ttft_ms"] is not None


def test_an_open_circuit_is_told_and_not_got_round(shell):
    lab = shell.serve("circuit_breaker = { failure_threshold = 1 }", a=[Behavior(status=500), Behavior("ok")])
    shell("providers", "probe", "a")
    said = shell("providers", "probe", "--json")
    row = _rows(said)["a"]
    assert said.code == 5
    assert (row["asked"], row["ok"]) == (False, False)
    assert "open" in row["error"]
    assert len(lab.provider("a").requests) == 1


@pytest.mark.parametrize(
    "broken",
    [
        Behavior(status=500),
        Behavior(status=401, error_message="not activated"),
        Behavior(status=402, error_message="out of credit"),
        rate_limited("600"),
    ],
    ids=lambda behavior: str(behavior.status),
)
def test_a_provider_that_is_asked_about_by_name_is_asked_all_the_same_and_closes_its_circuit(shell, broken):
    lab = shell.serve(
        "circuit_breaker = { failure_threshold = 1 }", "fallback = { max_attempts = 1 }", a=[broken, Behavior("ok")]
    )
    assert shell("chat", "hi").code != 0
    assert _rows(shell("providers", "probe", "--json"))["a"]["asked"] is False
    said = shell("providers", "probe", "a", "--json")
    assert (said.code, _rows(said)["a"]["ok"]) == (0, True)
    assert len(lab.provider("a").requests) == 2
    assert shell("chat", "hi").out.strip() == "ok"


def test_a_provider_that_is_held_open_by_hand_stays_so(shell):
    lab = shell.serve(a=[Behavior("ok")])
    shell("providers", "open", "a")
    said = shell("providers", "probe", "a")
    assert (said.code, "held open by hand" in said.out) == (5, True)
    assert len(lab.provider("a").requests) == 0


def test_the_cheapest_model_that_is_named_is_asked_for(shell):
    lab = shell.serve(a=[Behavior("ok")])
    text = (
        (shell.home / ".config/llmr/routing.toml")
        .read_text()
        .replace('candidates = ["a/lab-model"]', 'candidates = ["a/dear", "a/cheap"]')
    )
    shell.configure(
        text + "\n[providers.a.models.dear]\nprice = { input_usd = 9, output_usd = 9 }\n"
        "[providers.a.models.cheap]\nprice = { input_usd = 1, output_usd = 1 }\n"
    )
    said = shell("providers", "probe", "a", "--json")
    assert _rows(said)["a"]["model"] == "cheap"
    assert _rows(said)["a"]["cost_usd"] is not None
    assert b"1024" in lab.provider("a").requests[0].body


def test_who_is_not_heard_to_the_end_costs_what_came_by_its_length(shell):
    shell.serve(a=[Behavior("once upon a time there was a model", gate="never", gate_at=5)] * 2)
    text = (shell.home / ".config/llmr/routing.toml").read_text()
    shell.configure(f"{text}\n[providers.a.models.lab-model]\nprice = {{ input_usd = 1000, output_usd = 9000 }}\n")
    row = _rows(shell("providers", "probe", "a", "--json"))["a"]
    assert (row["cost_usd"] > 0, row["estimated"]) == (True, True)
    assert " ~$0." in shell("providers", "probe", "a").out


def test_local_servers_are_asked_only_when_they_are_up(shell):
    lab = shell.serve(ollama=[Behavior("ok")])
    text = (shell.home / ".config/llmr/routing.toml").read_text()
    nobody = "".join(
        f'\n[providers.{name}]\nbase_url = "http://127.0.0.1:9/v1"\n' for name in ("lmstudio", "llamacpp", "vllm")
    )
    shell.configure(text + nobody)
    said = shell("providers", "probe", "--json")
    assert said.code == 0
    assert list(_rows(said)) == ["ollama"]
    assert said.json["not_up"] == ["lmstudio", "llamacpp", "vllm"]
    assert len([r for r in lab.provider("ollama").requests if r.method == "POST"]) == 1


def test_nobody_ready_is_not_configured(shell):
    names = ("ollama", "lmstudio", "llamacpp", "vllm")
    shell.configure("".join(f"[providers.{name}]\nenabled = false\n" for name in names))
    said = shell("providers", "probe")
    assert (said.code, "llmr keys set" in said.err) == (3, True)


def test_an_unknown_provider_is_a_usage_error(shell):
    shell.serve(a=[])
    assert shell("providers", "probe", "nobody").code == 2


def test_a_key_that_a_provider_echoes_is_masked(shell, monkeypatch):
    monkeypatch.setenv("A_LAB_KEY", KEY)
    monkeypatch.setenv("LLMR_PROVIDERS__A__API_KEY_ENV", "A_LAB_KEY")
    shell.serve(a=[Behavior(status=401, error_message=f"bad key {KEY}\x1b[2J")])
    said = shell("providers", "probe", "a")
    assert said.code == 4
    assert KEY not in said.out + said.err
    assert "\x1b" not in said.out


def test_a_provider_whose_models_nobody_named_is_asked_for_one_that_it_lists(shell):
    lab = shell.serve(a=[Behavior("ok")], b=[Behavior("ok")])
    shell.configure(f'[providers.c]\nbase_url = "{lab.url("a")}"\n')
    said = shell("providers", "probe", "c", "--json")
    assert (said.code, _rows(said)["c"]["model"]) == (0, "lab-model")


def test_who_tells_a_story_is_not_heard_to_its_end_and_has_answered_all_the_same(shell):
    lab = shell.serve(a=[Behavior("once upon a time there was a model", gate="never", gate_at=5)])
    said = shell("providers", "probe", "a", "--json")
    assert (said.code, _rows(said)["a"]["ok"]) == (0, True)
    assert _rows(said)["a"]["ttft_ms"] is not None
    (provider,) = [p for p in shell("providers", "status", "--json").json["providers"] if p["name"] == "a"]
    assert (provider["models"][0]["attempts"], provider["models"][0]["success"]) == (1, 1.0)
    assert len(lab.provider("a").requests) == 1


def test_nobody_is_waited_for_longer_than_was_said(shell):
    shell.serve(a=[Behavior("late", gate="never")], b=[Behavior("ok")])
    said = shell("providers", "probe", "--time-out", "0.3", "a", "b", "--json")
    assert said.code == 7
    assert [_rows(said)[name]["ok"] for name in "ab"] == [False, True]
    assert _rows(said)["a"]["kind"] in {"deadline", "first_token_timeout"}


def test_each_is_told_when_it_is_over_and_not_in_their_order(shell):
    shell.serve(slow=[Behavior("ok", ttft_s=0.4)], fast=[Behavior("ok")])
    said = shell("providers", "probe", "slow", "fast")
    assert [line.split()[0] for line in said.out.splitlines()] == ["model", "fast/lab-model", "slow/lab-model"]
    assert len({len(line) for line in said.out.splitlines()}) <= 2, "columns that line up before all is known"


def test_of_several_that_failed_the_code_is_of_what_no_waiting_mends(shell):
    shell.serve(a=[rate_limited("12")], b=[Behavior(status=401)], c=[Behavior(status=500)])
    assert shell("providers", "probe", "a", "b", "c").code == 4
    assert shell("providers", "probe", "c", "--json").code == 5
