"""A project's file may be more careful with money than its user, and may not touch what all projects learn from."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from vouching import trust

from llmr.catalog import OnLimit, SpendLimits, TimeoutOverrides
from llmr.config.origin import Layer
from llmr.config.project import LOWERED, OPEN_IN_RULES, restricted
from llmr.config.search import Scope
from llmr.config.validation import keys_at
from llmr.routing.policy import OnBreak

World = Any  # the fixture, see conftest.py
OWN = "[budget]\nper_day_usd = 2\n[providers.openai]\nbudget = { per_month_usd = 10 }\n"


def test_a_lower_limit_of_a_project_counts(world: World) -> None:
    world.user(OWN).repo("[budget]\nper_day_usd = 1\n[providers.openai]\nbudget = { per_month_usd = 3 }\n")
    config = world.load()
    assert config.policy.spend == SpendLimits(per_day_usd=1)
    assert config.catalog.providers["openai"].spend == SpendLimits(per_month_usd=3)
    assert not [notice for notice in config.notices if "budget" in notice]


def test_a_limit_where_the_user_has_none_counts_too(world: World) -> None:
    config = world.user(OWN).repo("[budget]\nper_month_usd = 9\n[providers.groq]\nbudget.per_day_usd = 1\n").load()
    assert config.policy.spend == SpendLimits(2, 9)
    assert config.catalog.providers["groq"].spend == SpendLimits(per_day_usd=1)


def test_a_higher_limit_is_ignored_and_that_is_told(world: World) -> None:
    world.user(OWN).repo("[budget]\nper_day_usd = 5\n[providers.openai]\nbudget = { per_month_usd = 11 }\n")
    config = world.load()
    assert config.policy.spend == SpendLimits(per_day_usd=2)
    assert config.catalog.providers["openai"].spend == SpendLimits(per_month_usd=10)
    assert [notice.partition(": ")[2] for notice in config.notices if "budget" in notice] == [
        "budget.per_day_usd: ignored: a project's file may only lower it, and yours is 2",
        "providers.openai.budget.per_month_usd: ignored: a project's file may only lower it, and yours is 10",
    ]


def test_what_happens_at_a_limit_is_the_users_to_say(world: World) -> None:
    config = world.user(OWN).repo('[budget]\nper_day_usd = 1\non_limit = "cheaper"\n').load()
    assert config.policy.spend == SpendLimits(1, on_limit=OnLimit.REFUSE)
    assert any("budget.on_limit: ignored: a project's file may not set it" in notice for notice in config.notices)


def test_a_wrong_limit_of_a_project_is_an_error(world: World) -> None:
    world.user(OWN).repo('[budget]\nper_day_usd = "1"\n')
    with pytest.raises(Exception, match=r"routing\.toml:2: budget\.per_day_usd: expected a number, found a string"):
        world.load()


def test_a_trusted_file_may_raise_them(world: World) -> None:
    world.user(OWN).repo("[budget]\nper_day_usd = 5\n")
    trust(None, world.environment())
    assert world.load().policy.spend == SpendLimits(per_day_usd=5)


RULE = '[[rules]]\nname = "theirs"\nmax_price_usd = 0.5\nallow_unknown_price = true\n'
CLOSED = 'timeouts = { first_token_s = 0.001 }\nhedge = true\non_break = "restart"\n'


def test_a_rule_of_a_project_steers_and_touches_neither_time_outs_nor_hedging(world: World) -> None:
    config = world.user("rules = []\n").repo(RULE + CLOSED).load()
    (rule,) = config.rules
    assert (rule.max_price_usd, rule.allow_unknown_price) == (0.5, True)
    assert (rule.timeouts, rule.hedge, rule.on_break) == (TimeoutOverrides(), None, None)
    assert [notice.partition(": ")[2] for notice in config.notices if "rules" in notice] == [
        f"rules[0].{key}: ignored: a project's file may not set it; trust it: llmr config trust"
        for key in ("timeouts", "hedge", "on_break")
    ]


def test_a_trusted_rule_may(world: World) -> None:
    world.user("rules = []\n").repo(RULE + CLOSED)
    trust(None, world.environment())
    (rule,) = world.load().rules
    assert (rule.hedge, rule.on_break) == (True, OnBreak.RESTART)


def test_a_misspelt_key_in_a_projects_rule_is_an_error_and_not_protected(world: World) -> None:
    world.user("rules = []\n").repo("[[rules]]\nonyl = 'openai/*'\n")
    with pytest.raises(Exception, match=r"rules\[0\]\.onyl: unknown key; did you mean only\?"):
        world.load()


def test_every_key_of_a_rule_is_open_or_closed_on_purpose() -> None:
    assert set(keys_at(("rules", 0)) or ()) == OPEN_IN_RULES | {"timeouts", "hedge", "on_break", "cache"}


amounts = st.floats(0, 100) | st.integers(0, 100)
budgets = st.dictionaries(st.sampled_from(["per_day_usd", "per_month_usd", "on_limit", "x"]), amounts, max_size=4)


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(theirs=budgets, own=budgets)
def test_no_budget_of_a_project_is_above_the_users(theirs: dict[str, Any], own: dict[str, Any]) -> None:
    layer = Layer(Scope.PROJECT, "routing.toml", {"budget": theirs}, trusted=False)
    left, remarks = restricted(layer, {"budget": own})
    kept = left.table.get("budget", {})
    assert set(kept) <= LOWERED
    assert all(value <= own.get(key, value) for key, value in kept.items())
    assert len(kept) + len(remarks) == len(theirs)
