"""What routing obeys: hedging, spend limits, rejected requests, time-outs."""

from typing import Any

import pytest

from llmr.catalog import FirstToken, OnLimit, SpendLimits, Timeouts
from llmr.routing.policy import FallbackPolicy, HedgingPolicy, OnRejection, Policy

World = Any  # the fixture, see conftest.py
WORK = '[providers.work]\nbase_url = "https://llm.corp.example/v1"\n'


def test_what_nobody_says_is_the_default(world: World) -> None:
    config = world.load()
    assert (config.policy.hedging, config.policy.spend) == (HedgingPolicy(), SpendLimits())
    assert config.catalog.providers["openai"].spend == SpendLimits()
    assert {named.hedge for named in config.catalog.names.values()} == {None}
    assert config.policy.fallback == FallbackPolicy() == Policy().fallback


def test_hedging_is_turned_on_for_all_and_off_for_one_name(world: World) -> None:
    config = world.user(
        '[hedging]\nenabled = true\n[models.slow]\ncandidates = ["openai/o3"]\nhedge = false\n'
        '[models.quick]\ncandidates = ["openai/o3"]\nhedge = true\n'
    ).load()
    assert config.policy.hedging == HedgingPolicy(enabled=True)
    assert (config.catalog.names["slow"].hedge, config.catalog.names["quick"].hedge) == (False, True)


def test_spend_is_limited_over_all_and_per_provider(world: World) -> None:
    config = world.user(
        '[budget]\nper_day_usd = 2\nper_month_usd = 30.5\non_limit = "cheaper"\n'
        "[providers.openai]\nbudget = { per_day_usd = 0 }\n"
    ).load()
    assert config.policy.spend == SpendLimits(2, 30.5, OnLimit.CHEAPER)
    assert config.catalog.providers["openai"].spend == SpendLimits(per_day_usd=0)


def test_a_rejected_request_may_be_taken_to_somebody_else(world: World) -> None:
    fallback = world.user('[fallback]\ncontent_filter = "next"\nbad_request = "next"\n').load().policy.fallback
    assert (fallback.content_filter, fallback.bad_request) == (OnRejection.NEXT, OnRejection.NEXT)


def test_a_providers_auto_stands_against_a_general_number(world: World) -> None:
    config = world.user(f'[timeouts]\nfirst_token_s = 9\n{WORK}timeouts = {{ first_token_s = "auto" }}\n').load()
    work = config.catalog.providers["work"]
    assert work.timeouts.first_token_s is FirstToken.AUTO
    assert work.timeouts.over(config.policy.timeouts) == Timeouts()
    assert config.catalog.providers["openai"].timeouts.over(config.policy.timeouts).first_token_s == 9


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[hedging]\nenabled = 1", "2: hedging.enabled: expected true or false, found 1"),
        ("[hedging]\nenable = true", "2: hedging.enable: unknown key; did you mean enabled?"),
        ("hedging = true", "1: hedging: expected a table, found true"),
        ("[hedgin]\nenabled = true", "1: hedgin: unknown key; did you mean hedging?"),
        ('[models.x]\ncandidates = ["openai/a"]\nhedge = "yes"', "3: models.x.hedge: expected true or false, found a string"),
        ('[models.x]\ncandidates = ["openai/a"]\nhegde = true', "3: models.x.hegde: unknown key; did you mean hedge?"),
        ('[budget]\nper_day_usd = "1"', "2: budget.per_day_usd: expected a number, found a string"),
        ("[budget]\nper_day_usd = -1", "2: budget.per_day_usd: expected 0 or more, found -1"),
        ("[budget]\nper_dai_usd = 1", "2: budget.per_dai_usd: unknown key; did you mean per_day_usd?"),
        ('[budget]\nper_day_usd = 1\non_limit = "stop"', "3: budget.on_limit: found 'stop'; known: refuse, cheaper"),
        ('[budget]\non_limit = "cheaper"', "2: budget.on_limit: there is no limit here: write per_day_usd or per_month_usd"),
        (
            "[budget]\nper_day_usd = 5\nper_month_usd = 2",
            "2: budget.per_day_usd: per_day_usd (5) is above per_month_usd (2)",
        ),
        (
            WORK + "budget = { per_day_usd = 5, per_month_usd = 2 }",
            "3: providers.work.budget.per_day_usd: per_day_usd (5) is above per_month_usd (2)",
        ),
        (WORK + "budget = 5", "3: providers.work.budget: expected a table, found 5"),
        ('[fallback]\ncontent_filter = "go"', "2: fallback.content_filter: found 'go'; known: stop, next"),
        ('[fallback]\nbad_request = "nxt"', "2: fallback.bad_request: found 'nxt'; did you mean next?"),
    ],
)  # fmt: skip
def test_a_wrong_setting_is_named_with_its_line(world: World, text: str, message: str) -> None:
    assert world.error(text).startswith(f"~/.config/llmr/routing.toml:{message}")
