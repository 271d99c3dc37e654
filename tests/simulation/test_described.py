"""Worlds from TOML: what is read, and what is told of what cannot be."""

from textwrap import dedent

import pytest

from llmr.errors import UsageError
from llmr.simulation.described import WorldFaults, described, expected_requests
from llmr.simulation.world import Bursts, IncidentKind, Profile, Steady
from llmr.simulation.worlds import CLI, SERVE

WHOLE = """
    name = "bad monday"
    about = "the fast one goes down"
    duration_s = 3600
    model = "gpt-4o"

    [arrivals]
    per_s = 0.25

    [[providers]]
    name = "openai"
    median_s = 0.5
    spread = 0.4
    failure = 0.02
    hang_share = 0.3
    usd_per_1000 = 4
    model = "gpt-4o-2024-11-20"

    [[providers]]
    name = "azure"
    median_s = 1
    usd_per_1000 = 5.5

    [[incidents]]
    providers = ["openai", "azure"]
    kind = "slow"
    start_s = 600
    end_s = 1200
    factor = 6

    [[incidents]]
    providers = ["openai"]
    kind = "rate"
    start_s = 1200
    end_s = 1800
    per_minute = 10
"""


def read(text: str):
    return described(dedent(text), "day.toml", "day")


def faults(text: str) -> list[str]:
    with pytest.raises(UsageError) as caught:
        read(text)
    every = caught.value.every if isinstance(caught.value, WorldFaults) else [str(caught.value)]
    assert str(caught.value) == "; ".join(every)
    return list(every)


def changed(old: str, new: str) -> str:
    assert old in WHOLE
    return WHOLE.replace(old, new)


def test_a_whole_world_is_read_with_what_was_left_out_filled_in() -> None:
    world = read(WHOLE)
    assert (world.name, world.about, world.duration_s, world.asks) == (
        "bad monday", "the fast one goes down", 3600, "gpt-4o",
    )  # fmt: skip
    assert world.arrivals == Steady(0.25)
    assert world.providers == (
        Profile("openai", 0.5, 0.4, 0.02, 0.3, 4, "gpt-4o-2024-11-20"),
        Profile("azure", 1, 0.5, 0.01, 0.2, 5.5, "model"),
    )
    slow, rate = world.incidents
    assert (slow.kind, slow.providers, slow.factor) == (IncidentKind.SLOW, ("openai", "azure"), 6)
    assert (rate.kind, rate.per_minute, rate.burst, rate.retry_after_s) == (IncidentKind.RATE, 10, 3, 20)


def test_a_world_needs_little() -> None:
    world = read('duration_s = 60\n[[providers]]\nname = "a"\nmedian_s = 1\nusd_per_1000 = 0')
    assert (world.name, world.asks, world.arrivals, world.incidents) == ("day", "simulated", Steady(0.5), ())


def test_bursts_are_told_by_their_keys() -> None:
    world = read(changed("per_s = 0.25", "gap_s = 900\n    prompts = 8\n    spacing_s = 20"))
    assert world.arrivals == Bursts(900, 8, 20)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('kind = "slow"', 'kind = "slwo"', "day.toml:26: incidents[0].kind: 'slwo' is not known; did you mean slow?"),
        ("factor = 6", "", "day.toml:24: incidents[0].factor: is missing"),
        ("factor = 6", "share = 0.5", "day.toml:29: incidents[0].share: unknown key"),
        ("factor = 6", "factor = 0", "day.toml:29: incidents[0].factor: expected above 0 and at most 1000, found 0"),
        ("duration_s = 3600", 'duration_s = "1h"', "day.toml:4: duration_s: expected a number, found a string"),
        ("duration_s = 3600", "duration_s = true", "day.toml:4: duration_s: expected a number, found true"),
        ("duration_s = 3600", "duration = 3600", "day.toml:4: duration: unknown key; did you mean duration_s?"),
        ("failure = 0.02", "failure = 2", "day.toml:14: providers[0].failure: expected at least 0 and at most 1, found 2"),
        ('name = "azure"', 'name = "openai"', "day.toml:20: providers[1].name: 'openai' is there already"),
        ('name = "azure"', "name = 5", "day.toml:20: providers[1].name: expected a name, found 5"),
        ('name = "azure"', 'name = "az/ure"', "day.toml:20: providers[1].name: a provider's name holds no slash"),
        ('["openai", "azure"]', '["openai", "azur"]', "day.toml:25: incidents[0].providers[1]: 'azur' is no provider here"),
        ('["openai", "azure"]', "[]", "day.toml:25: incidents[0].providers: expected a list of providers' names"),
        ('["openai", "azure"]', "[7]", "day.toml:25: incidents[0].providers[0]: expected a provider's name, found 7"),
        ("end_s = 1200", "end_s = 600", "day.toml:28: incidents[0].end_s: ends before it starts"),
        ("start_s = 1200", "start_s = 3600", "day.toml:34: incidents[1].start_s: starts after the world has ended"),
        ("per_s = 0.25", "per_s = nan", "day.toml:8: arrivals.per_s: expected above 0"),
        ("per_s = 0.25", "prompts = 8", "day.toml:7: arrivals.gap_s: is missing"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_with_its_line_and_its_mend(old: str, new: str, message: str) -> None:
    told = faults(changed(old, new))
    assert any(line.startswith(message) for line in told), told


def test_every_fault_is_told_at_once_and_none_is_hidden() -> None:
    told = faults("duration_s = 0\nprovider = 1\n[arrivals]\nper_s = 0\n")
    assert len(told) == 4
    many = faults("\n".join(f"k{n} = 1" for n in range(20)))
    assert len(many) == 22


@pytest.mark.parametrize("text", ["providers = 3", "providers = [3]", "arrivals = 3", "incidents = {}", "name = 3"])
def test_a_value_of_the_wrong_kind_is_told_and_not_tripped_over(text: str) -> None:
    assert faults(f"{text}\nduration_s = 9")[0].startswith("day.toml:")


def test_what_is_no_toml_says_so() -> None:
    (told,) = faults("name = [")
    assert told.startswith("day.toml: not valid TOML: ")


def test_a_file_cannot_smuggle_escapes_or_keys_into_a_message() -> None:
    told = "".join(
        faults('duration_s = 9\n"\\u001b[31m" = 1\n[[providers]]\nname = "a"\nmedian_s = 1\nusd_per_1000 = 1')
    )
    assert "\x1b" not in told


def test_more_requests_than_anybody_would_wait_for_are_refused() -> None:
    (told,) = faults(changed("per_s = 0.25", "per_s = 100"))
    assert told.startswith("day.toml: about 360,000 requests would come; at most 200,000")


def test_how_many_requests_to_expect() -> None:
    assert expected_requests(SERVE) == 3_600
    assert expected_requests(CLI) == pytest.approx(86_400 / 1_040 * 8)
