"""[[rules]]: every condition and effect, and rules that cannot hold."""

from typing import Any

import pytest

from llmr.catalog import FirstToken, Strategy, TimeoutOverrides
from llmr.routing.circuit import Phase
from llmr.routing.policy import OnBreak
from llmr.routing.rules import Condition, Hours, Range, Rule

World = Any  # the fixture, see conftest.py


def test_every_condition_and_every_effect_is_read(world: World) -> None:
    world.user(
        """
        budget.per_day_usd = 1

        [[rules]]
        name = "all"
        when.model = ["gpt-*", "local"]
        when.prompt_tokens = { over = 10, under = 20 }
        when.output_tokens.over = 100
        when.tools = true
        when.images = false
        when.json = true
        when.stream = false
        when.tags = ["a", "b"]
        when.metadata = { team = "search", env = ["dev", "test-*"] }
        when.hours = "22:00-06:00"
        when.weekdays = ["fri-mon", "wed"]
        when.strategy = ["cost", "latency"]
        when.circuit = { "openai/*" = "open", "groq/x" = ["open", "half_open"] }
        when.budget_left_usd.under = 0.5
        prefer = ["openai/*"]
        only = ["openai/*", "groq/*"]
        avoid = ["groq/x*"]
        models = ["gpt-4o", "openai/o3"]
        strategy = "quality"
        max_price_usd = 0.02
        allow_unknown_price = true
        timeouts = { connect_s = 1, first_token_s = "auto", stall_s = 2.5, deadline_s = 9 }
        hedge = { after_s = 0.8 }
        on_break = "continue"
        tags = ["c"]
        continue = true

        [[rules]]
        when = { model = "gpt-4o", prompt_tokens.over = 5, tags = "x", strategy = "cost", weekdays = "sun" }
        only = "ollama/*"
        hedge = true
        timeouts.first_token_s = 3

        [[rules]]
        when.hours = "08:00-24:00"
        hedge = false
        deny = "not in working hours"
        """
    )
    first, second, third = world.load().rules
    assert world.load().rules == (first, second, third), "from the snapshot too"
    assert first == Rule(
        name="all",
        when=Condition(
            model=("gpt-*", "local"),
            prompt_tokens=Range(10, 20),
            output_tokens=Range(over=100),
            tools=True,
            images=False,
            json=True,
            stream=False,
            tags=("a", "b"),
            metadata=(("team", ("search",)), ("env", ("dev", "test-*"))),
            hours=Hours(22 * 60, 6 * 60),
            weekdays=(0, 2, 4, 5, 6),
            strategy=(Strategy.COST, Strategy.LATENCY),
            circuit=(("openai/*", (Phase.OPEN,)), ("groq/x", (Phase.OPEN, Phase.HALF_OPEN))),
            budget_left_usd=Range(under=0.5),
        ),
        prefer=("openai/*",),
        only=("openai/*", "groq/*"),
        avoid=("groq/x*",),
        models=("gpt-4o", "openai/o3"),
        strategy=Strategy.QUALITY,
        max_price_usd=0.02,
        allow_unknown_price=True,
        timeouts=TimeoutOverrides(1, FirstToken.AUTO, 2.5, 9),
        hedge=True,
        hedge_after_s=0.8,
        on_break=OnBreak.CONTINUE,
        tags=("c",),
        then_continue=True,
    )
    assert second == Rule(
        name="rule 2",
        when=Condition(
            model=("gpt-4o",), prompt_tokens=Range(over=5), tags=("x",), weekdays=(6,), strategy=(Strategy.COST,)
        ),
        only=("ollama/*",),
        hedge=True,
        timeouts=TimeoutOverrides(first_token_s=3),
    )
    assert third == Rule("rule 3", Condition(hours=Hours(8 * 60, 24 * 60)), hedge=False, deny="not in working hours")


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ("when = { prompt_tokens = { over = 20, under = 10 } }", "when.prompt_tokens: can never match"),
        ("when = { prompt_tokens = { over = 10, under = 10 } }", "when.prompt_tokens: can never match"),
        ("when = { prompt_tokens = { over = 10, under = 11 } }", "when.prompt_tokens: can never match"),
        ("when = { prompt_tokens.under = 0 }", "when.prompt_tokens: can never match"),
        ("when = { prompt_tokens = {} }", "when.prompt_tokens: expected over, under or both"),
        ("when = { prompt_tokens.over = -1 }", "when.prompt_tokens.over: expected 0 or more, found -1"),
        ("when = { hours = '22:00' }", "when.hours: expected hours such as"),
        ("when = { hours = '22:60-23:00' }", "when.hours: expected hours such as"),
        ("when = { hours = '24:00-08:00' }", "when.hours: expected hours such as"),
        ("when = { hours = '08:00-08:00' }", "when.hours: can never match: it begins when it ends"),
        ("when = { model = 'gtp-4o' }", "when.model: can never match: no model is called 'gtp-4o'; did you mean gpt-4o?"),
        ("when = { model = [] }", "when.model: is empty, so it asks nothing"),
        ("when = { tags = [] }", "when.tags: is empty, so it asks nothing"),
        ("when = { strategy = 'cheap' }", "when.strategy: found 'cheap'"),
        ("when = { output_tokens = {} }", "when.output_tokens: expected over, under or both"),
        ("when = { output_tokens.ovr = 5 }", "when.output_tokens.ovr: unknown key; did you mean over?"),
        ("when = { output_tokens = 5 }", "when.output_tokens: expected a table, found 5"),
        ("when = { metadata = {} }", "when.metadata: is empty, so it asks nothing"),
        ("when = { metadata = { team = [] } }", "when.metadata.team: is empty, so it can never hold"),
        ("when = { metadata = { team = 5 } }", "when.metadata.team: expected a string, found 5"),
        ("when = { metadata = 'team=search' }", "when.metadata: expected a table, found a string"),
        ("when = { metadata = { 'a=b' = 'c' } }", 'when.metadata."a=b": is no key: a tag is key=value'),
        ("when = { weekdays = [] }", "when.weekdays: is empty, so it asks nothing"),
        ("when = { weekdays = 'monday' }", "when.weekdays: expected days such as \"sat\" or \"mon-fri\", found 'monday'"),
        ("when = { weekdays = 5 }", "when.weekdays: expected a string, found 5"),
        ("when = { weekday = 'mon' }", "when.weekday: unknown key; did you mean weekdays?"),
        ("when = { circuit = {} }", "when.circuit: is empty, so it asks nothing"),
        ("when = { circuit = { 'openai/*' = [] } }", 'when.circuit."openai/*": is empty, so it can never hold'),
        ("when = { circuit = { 'openai/*' = 'opn' } }", 'when.circuit."openai/*": found \'opn\'; did you mean open?'),
        ("when = { circuit = { 'opnai/*' = 'open' } }", "when.circuit.\"opnai/*\": unknown provider in 'opnai'; did you mean"),
        ("when = { circuit = { openai = 'open' } }", "when.circuit.openai: 'openai' matches nothing: write \"openai/*\""),
        ("when = { circuit = 'open' }", "when.circuit: expected a table, found a string"),
        ("when = { budget_left_usd = {} }", "when.budget_left_usd: expected over, under or both"),
        ("when = { budget_left_usd.under = 0 }", "when.budget_left_usd: can never match: what is left is never less than 0"),
        ("when = { budget_left_usd = { over = 2, under = 1 } }", "when.budget_left_usd: can never match: no amount lies"),
        ("when = { budget_left_usd.under = 1 }", "when.budget_left_usd: can never hold: [budget] sets neither"),
        ("when = { budget_left_usd.under = '1' }", "when.budget_left_usd.under: expected a number, found a string"),
        ("when = { modle = 'x' }", "when.modle: unknown key; did you mean model?"),
        ("when = 'always'", "when: expected a table, found a string"),
        ("only = ['olama/*']", "only: unknown provider in 'olama'; did you mean ollama?"),
        ("only = ['ollama']", "only: 'ollama' matches nothing: write \"ollama/*\""),
        ("only = ['ollama/']", "only: unknown provider in 'ollama'"),
        ("only = []", "only: is empty, so nothing is left; to refuse, use deny"),
        ("only = ['groq/*']\navoid = ['groq/*', 'xai/*']", "only: is avoided by the same rule"),
        ("prefer = ['zzz*']", "prefer: unknown provider in 'zzz*'"),
        ("models = ['gpt-5o']", "models[0]: unknown model 'gpt-5o'"),
        ("models = ['nobody/x']", "models[0]: unknown provider 'nobody'"),
        ("strategy = 'x'", "strategy: found 'x'"),
        ("max_price_usd = -1", "max_price_usd: expected 0 or more, found -1"),
        ("max_price = 1", "max_price: unknown key; did you mean max_price_usd?"),
        ("allow_unknown_price = true", "allow_unknown_price: there is no cap here: write max_price_usd"),
        ("max_price_usd = 1\nallow_unknown_price = 1", "allow_unknown_price: expected true or false, found 1"),
        ("timeouts = 5", "timeouts: expected a table, found 5"),
        ("timeouts.first_token_s = 'soon'", 'timeouts.first_token_s: expected a number of seconds or "auto"'),
        ("timeouts.total_s = 5", "timeouts.total_s: unknown key; did you mean stall_s?"),
        ("timeouts.deadline_s = 900", "timeouts.deadline_s: deadline_s (900) is above timeouts.total_s (600)"),
        ("hedge = 'yes'", "hedge: expected true or false, found a string"),
        ("hedge = {}", "hedge.after_s: is missing"),
        ("hedge = { after_s = 0 }", "hedge.after_s: expected more than 0, found 0"),
        ("hedge = { after = 1 }", "hedge.after: unknown key; did you mean after_s?"),
        ("on_break = 'go'", "on_break: found 'go'; known: fail, restart, continue, buffer"),
        ("deny = ''", "deny: is empty: write what the person who is refused is told"),
        ("deny = 'no'\nonly = ['groq/*']", "only: means nothing beside deny"),
        ("deny = 'no'\nprefer = ['groq/*']", "prefer: means nothing beside deny"),
        ("deny = 'no'\navoid = ['groq/*']", "avoid: means nothing beside deny"),
        ("only = ['groq/[ab']", "only: 'groq/[ab' has a bracket that is not closed"),
        ("when.model = 'gpt-[!]'", "when.model: 'gpt-[!]' has a bracket that is not closed"),
        ("when.circuit = { 'groq/[' = 'open' }", "when.circuit: 'groq/[' has a bracket that is not closed"),
        ("deny = true", "deny: expected a string, found true"),
        ("continu = true", "continu: unknown key; did you mean continue?"),
    ],
)  # fmt: skip
def test_a_rule_that_cannot_hold_is_an_error(world: World, rule: str, message: str) -> None:
    assert f"rules[0].{message}" in world.error(f"[[rules]]\n{rule}\n")


def test_a_rule_behind_one_that_always_decides_is_an_error(world: World) -> None:
    text = '[[rules]]\nname = "all"\nprefer = ["openai/*"]\n[[rules]]\nprefer = ["groq/*"]\n'
    assert ":4: rules[1]: can never be reached: rule 'all' before it always decides" in world.error(text)
    assert len(world.user(text.replace('"all"', '"all"\ncontinue = true')).load().rules) == 2


def test_two_rules_of_one_name_are_an_error(world: World) -> None:
    text = '[[rules]]\nname = "r"\nprefer = ["openai/*"]\ncontinue = true\n[[rules]]\nname = "r"\nprefer = ["groq/*"]\n'
    assert ":6: rules[1].name: 'r' is the name of a rule before it" in world.error(text)
    assert len(world.user(text.replace('"r"', '"s"', 1)).load().rules) == 2


@pytest.mark.parametrize(
    "glob", ["*", "open*", "openai/*", "openai/gpt-4o", "*/gpt-4o", "?roq/*", "[og]*", "openrouter/openai/*"]
)
def test_a_glob_that_some_provider_may_match_is_no_error(world: World, glob: str) -> None:
    assert world.user(f"[[rules]]\nonly = ['{glob}']\n").load().rules[0].only == (glob,)


@pytest.mark.parametrize("glob", ["*", "gpt-*", "openai/*", "sonar", "openai/gpt-9", "claude-haiku-4-5"])
def test_a_model_glob_that_some_request_may_match_is_no_error(world: World, glob: str) -> None:
    assert world.user(f"[[rules]]\nwhen = {{ model = '{glob}' }}\n").load().rules[0].when.model == (glob,)
