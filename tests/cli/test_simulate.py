"""`llmr simulate`: what can be asked of it, and what it says."""

import time
from typing import Any

import pytest

from llmr.simulation.policies import ABOUT
from llmr.simulation.worlds import WORLDS

SHORT = """
duration_s = 120
about = "the fast one is down"
[[providers]]
name = "fast"
median_s = 0.3
usd_per_1000 = 4
[[providers]]
name = "slow"
median_s = 1.2
usd_per_1000 = 1
[[incidents]]
providers = ["fast"]
kind = "down"
start_s = 20
end_s = 90
"""


@pytest.fixture
def day(shell: Any) -> str:
    (shell.home / "day.toml").write_text(SHORT)
    return "day.toml"


def test_a_world_of_ones_own_is_told_as_one_table(shell: Any, day: str) -> None:
    said = shell("simulate", "--world", day)
    assert (said.code, said.err) == (0, "")
    head, about, columns, *rows, note = said.out.splitlines()
    assert note.strip().startswith("cost+wait: $ per 1,000 requests, a second of waiting counted as $0.002")
    assert head.startswith("day: ")
    assert "seed 1; llmr ranks by balanced" in head
    assert about.strip() == "the fast one is down"
    assert columns.split() == [
        "policy",
        "mean",
        "p50",
        "p99",
        "p99.9",
        "success",
        "extra/1000",
        "waste",
        "$/1000",
        "cost+wait",
    ]
    assert [row.split()[0] for row in rows] == list(ABOUT)


def test_the_json_has_the_same_figures_under_stable_keys(shell: Any, day: str) -> None:
    said = shell("simulate", "--world", day, "--policy", "static", "--policy", "llmr", "--seeds", "3-4", "--json")
    document = said.json
    assert (document["schema"], document["strategy"]) == ("llmr.simulate/1", "balanced")
    (scene,) = document["scenes"]
    assert (scene["scene"], scene["about"], scene["seeds"]) == ("day", "the fast one is down", [3, 4])
    static, ours = scene["policies"]
    assert list(static) == [
        "policy", "requests", "mean_s", "p50_s", "p99_s", "p999_s", "extra_per_1000", "success", "waste_share", "usd_per_1000",
        "over_budget", "cost_and_wait_usd_per_1000",
    ]  # fmt: skip
    assert (static["policy"], ours["policy"]) == ("static", "llmr")
    assert static["requests"] == ours["requests"]
    assert static["extra_per_1000"] > ours["extra_per_1000"]


def test_the_same_seed_says_the_same_and_another_one_something_else(shell: Any, day: str) -> None:
    first, second, third = (
        shell("simulate", "-w", day, "--policy", "llmr", "--seed", seed, "--json").out for seed in ("5", "5", "6")
    )
    assert first == second != third


def test_the_users_own_routing_toml_is_what_is_tried(shell: Any, day: str) -> None:
    shell.configure('strategy = "priority"\n')
    said = shell("simulate", "-w", day, "--policy", "llmr", "--json")
    assert said.json["strategy"] == "priority"
    (shell.home / "other.toml").write_text('strategy = "cost"\n')
    other = shell("simulate", "-w", day, "--policy", "llmr", "--config", "other.toml", "--json")
    assert other.json["strategy"] == "cost"
    usd = [one.json["scenes"][0]["policies"][0]["usd_per_1000"] for one in (said, other)]
    assert usd[0] > 1.3 * usd[1], "by the list the dear one serves, by cost the cheap one"


def test_several_worlds_are_several_tables_and_random_ones_are_told_as_one(shell: Any, day: str) -> None:
    said = shell("simulate", "-w", day, "--random", "2", "--seed", "9", "--policy", "static", "--json")
    assert [(one["scene"], one["seeds"]) for one in said.json["scenes"]] == [("day", [9]), ("2 random worlds", [9, 10])]
    assert said.json["scenes"][1]["policies"][0]["requests"] > 5_000
    tables = shell("simulate", "-w", day, "-w", "blackout", "--policy", "static").out.split("\n\n")
    assert [table.split(":")[0] for table in tables] == ["day", "blackout"]


def test_the_list_names_worlds_and_policies(shell: Any) -> None:
    said = shell("simulate", "--list")
    assert said.code == 0
    assert all(f"\n{name} " in f"\n{said.out}" for name in (*WORLDS, *ABOUT))
    document = shell("simulate", "--list", "--json").json
    assert document["schema"] == "llmr.simulate.list/1"
    assert [one["world"] for one in document["worlds"]] == list(WORLDS)
    assert [one["policy"] for one in document["policies"]] == list(ABOUT)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-w", "srve"], "no world is called 'srve'; did you mean serve?"),
        (["-w", "none.toml"], "none.toml: cannot be read: no such file or directory"),
        (["-w", "."], "no world is called '.'"),
        (["--policy", "lama"], "no policy is called 'lama'"),
        (["--seed", "1", "--seeds", "1-2"], "--seed and --seeds say the same thing"),
        (["--seeds", "x"], "--seeds takes A-B"),
        (["--seeds", "9-3"], "--seeds 9-3: the second is at least the first"),
        (["--random", "3", "--seeds", "1-5"], "--random 3 is as many worlds, one per seed, and --seeds 1-5 has 5 of them"),
        (["--random", "9", "--seeds", "1-5"], "--seeds 1-5 has 5 of them"),
        (["--strategy", "cheapest"], "unknown strategy 'cheapest'"),
        (["--seeds", "1-5000"], "there are at most 1,000"),
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_one_line_and_exit_code_2(shell: Any, arguments: list[str], message: str) -> None:
    said = shell("simulate", *arguments)
    assert (said.code, said.out) == (2, "")
    assert message in said.err
    assert len(said.err_lines) == 1


def test_everything_that_is_wrong_with_a_world_is_told_each_on_a_line_of_its_own(shell: Any) -> None:
    lines = [f"typo_{number} = 1" for number in range(7)]
    (shell.home / "bad.toml").write_text("\n".join([*lines, SHORT.replace("start_s = 20", "start_s = 120")]))
    said = shell("simulate", "-w", "bad.toml")
    assert (said.code, said.out) == (2, "")
    assert [line.split(": ")[2] for line in said.err_lines] == [
        *(f"typo_{n}" for n in range(7)),
        *["incidents[0].end_s"],
        "incidents[0].start_s",
    ]
    assert "starts after the world has ended: duration_s is 120" in said.err_lines[-1]


def test_the_world_that_help_shows_can_be_simulated(shell: Any) -> None:
    (shell.home / "shown.toml").write_text(shell("help", "worlds").out)
    said = shell("simulate", "-w", "shown.toml", "--policy", "llmr")
    assert (said.code, said.err) == (0, "")
    assert said.out.startswith("bad monday: ")
    assert "help worlds" in shell("simulate", "--help").out


def test_the_head_says_the_strategy_that_the_asked_model_has_of_its_own(shell: Any, day: str) -> None:
    named = shell.home / "named.toml"
    named.write_text('model = "m"\n' + SHORT)
    shell.configure('strategy = "latency"\n[models.m]\ncandidates = ["openai/gpt-4o"]\nstrategy = "cost"\n')
    assert "; llmr ranks by cost\n" in shell("simulate", "-w", "named.toml", "--policy", "static").out
    assert "; llmr ranks by latency\n" in shell("simulate", "-w", day, "--policy", "static").out
    ruled = '[[rules]]\nname = "r"\nstrategy = "cost"\n'
    shell.configure(ruled)
    assert "by balanced, unless a rule says otherwise\n" in shell("simulate", "-w", day, "--policy", "static").out
    document = shell("simulate", "-w", "named.toml", "--policy", "static", "--strategy", "quality", "--json").json
    assert (document["strategy"], document["scenes"][0]["strategy"]) == ("quality", "quality")


def test_another_strategy_may_be_tried_over_the_configured_one(shell: Any, day: str) -> None:
    shell.configure(
        'strategy = "cost"\nexploration = 0\n[models.simulated]\ncandidates = ["openai/gpt-4o"]\nstrategy = "cost"\n'
    )
    by_cost, by_list = (
        shell("simulate", "-w", day, "--policy", "llmr", "--json", *more).json["scenes"][0]["policies"][0]
        for more in ((), ("--strategy", "priority"))
    )
    assert by_list["usd_per_1000"] > 1.3 * by_cost["usd_per_1000"]


def test_cost_and_wait_are_told_as_one_figure(shell: Any, day: str) -> None:
    shell.configure("second_is_worth_usd = 0.01\n")
    document = shell("simulate", "-w", day, "--policy", "static", "--json").json
    (static,) = document["scenes"][0]["policies"]
    both = static["usd_per_1000"] + 1000 * 0.01 * static["mean_s"]
    assert static["cost_and_wait_usd_per_1000"] == pytest.approx(both)
    assert f"${both:.2f}\n" in shell("simulate", "-w", day, "--policy", "static").out


BUDGETS = {
    "refuse": ("[budget]\nper_day_usd = 0.06\n", True),
    "month": ("[budget]\nper_month_usd = 0.06\n", True),
    "cheaper": ('[budget]\nper_day_usd = 0.06\non_limit = "cheaper"\n', True),
    "provider": ('[providers.fast]\nbase_url = "http://127.0.0.1:1/v1"\nbudget = { per_day_usd = 0.06 }\n', False),
    "none": ("", False),
}


@pytest.mark.parametrize("kind", BUDGETS)
def test_budgets_hold_in_a_simulation(shell: Any, kind: str) -> None:
    text, refuses = BUDGETS[kind]
    calm = SHORT.replace('kind = "down"', 'kind = "slow"\nfactor = 1').replace("start_s = 20", "start_s = 1")
    (shell.home / "day.toml").write_text(calm)
    shell.configure(f'strategy = "priority"\nexploration = 0\n{text}')
    (ours,) = shell("simulate", "-w", "day.toml", "--policy", "llmr", "--json").json["scenes"][0]["policies"]
    spent_usd = ours["usd_per_1000"] * ours["requests"] / 1000
    assert (ours["over_budget"] > 0) == refuses
    assert ours["success"] == pytest.approx(1 - ours["over_budget"] / ours["requests"])
    if refuses:
        assert 0.05 < spent_usd <= 0.06 + 1e-9
    told = shell("simulate", "-w", "day.toml", "--policy", "llmr").out
    assert (f"llmr: {ours['over_budget']} requests refused by your budget" in told) == refuses
    if kind == "provider":
        assert 0.06 < spent_usd < 0.004 * ours["requests"], (
            "the dear one for as long as its budget lasts, then the cheap one"
        )


def test_a_budget_is_a_local_days_wherever_one_lives(shell: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    (shell.home / "day.toml").write_text(SHORT.replace("duration_s = 120", "duration_s = 20000\narrivals.per_s = 0.02"))
    shell.configure("exploration = 0\n[budget]\nper_day_usd = 0.06\n")
    found: set[str] = set()
    for zone in ("UTC", "America/Los_Angeles", "Asia/Kolkata"):
        monkeypatch.setenv("TZ", zone)
        time.tzset()
        found.add(shell("simulate", "-w", "day.toml", "--policy", "llmr", "--json").out)
    monkeypatch.delenv("TZ")
    time.tzset()
    assert len(found) == 1


def test_how_far_a_long_run_is_is_told_on_a_terminal_only(
    shell: Any, day: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("llmr.cli.simulate.spinner_wanted", lambda *, dumb: True)
    told: list[str] = []
    monkeypatch.setattr("llmr.cli.spinner._put", told.append)
    assert shell("simulate", "-w", day, "--policy", "static", "--policy", "llmr", "--seeds", "1-2").code == 0
    assert "simulating day: llmr, 2 of 2, run 2 of 2" in told[-2]
    assert told[-1] == "\r\x1b[K"


def test_a_broken_world_file_is_told_line_by_line(shell: Any) -> None:
    (shell.home / "bad.toml").write_text("duration_s = 0\n")
    said = shell("simulate", "-w", "bad.toml")
    assert said.code == 2
    assert "bad.toml:1: duration_s: expected above 0" in said.err
    (shell.home / "bytes.toml").write_bytes(b"\xff")
    assert "bytes.toml: not UTF-8" in shell("simulate", "-w", "bytes.toml").err
    (shell.home / "large.toml").write_bytes(b"#" * (1 << 21))
    assert "larger than 1 MiB" in shell("simulate", "-w", "large.toml").err
