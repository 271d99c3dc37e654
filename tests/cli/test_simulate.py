"""`llmr simulate`: what can be asked of it, and what it says."""

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
    head, about, columns, *rows = said.out.splitlines()
    assert head.startswith("day: ")
    assert "seed 1; llmr ranks by balanced" in head
    assert about.strip() == "the fast one is down"
    assert columns.split() == ["policy", "mean", "p50", "p99", "p99.9", "success", "extra/1000", "waste", "$/1000"]
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
        (["--seeds", "1-5000"], "there are at most 1,000"),
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_one_line_and_exit_code_2(shell: Any, arguments: list[str], message: str) -> None:
    said = shell("simulate", *arguments)
    assert (said.code, said.out) == (2, "")
    assert message in said.err
    assert len(said.err_lines) == 1


def test_a_broken_world_file_is_told_line_by_line(shell: Any) -> None:
    (shell.home / "bad.toml").write_text("duration_s = 0\n")
    said = shell("simulate", "-w", "bad.toml")
    assert said.code == 2
    assert "bad.toml:1: duration_s: expected above 0" in said.err
    (shell.home / "bytes.toml").write_bytes(b"\xff")
    assert "bytes.toml: not UTF-8" in shell("simulate", "-w", "bytes.toml").err
    (shell.home / "large.toml").write_bytes(b"#" * (1 << 21))
    assert "larger than 1 MiB" in shell("simulate", "-w", "large.toml").err
