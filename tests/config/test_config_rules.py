"""[[rules]]: every condition and effect, and rules that cannot hold."""

from typing import Any

import pytest

from llmr.catalog import Strategy
from llmr.routing.rules import Condition, Hours, Rule, TokenRange

World = Any  # the fixture, see conftest.py


def test_every_condition_and_every_effect_is_read(world: World) -> None:
    world.user(
        """
        [[rules]]
        name = "all"
        when.model = ["gpt-*", "local"]
        when.prompt_tokens = { over = 10, under = 20 }
        when.tools = true
        when.images = false
        when.json = true
        when.stream = false
        when.tags = ["a", "b"]
        when.hours = "22:00-06:00"
        when.strategy = ["cost", "latency"]
        prefer = ["openai/*"]
        only = ["openai/*", "groq/*"]
        avoid = ["groq/x*"]
        models = ["gpt-4o", "openai/o3"]
        strategy = "quality"
        tags = ["c"]
        continue = true

        [[rules]]
        when = { model = "gpt-4o", prompt_tokens.over = 5, tags = "x", strategy = "cost" }
        only = "ollama/*"

        [[rules]]
        when.hours = "08:00-24:00"
        deny = "not in working hours"
        """
    )
    first, second, third = world.load().rules
    assert first == Rule(
        name="all",
        when=Condition(
            model=("gpt-*", "local"),
            prompt_tokens=TokenRange(10, 20),
            tools=True,
            images=False,
            json=True,
            stream=False,
            tags=("a", "b"),
            hours=Hours(22 * 60, 6 * 60),
            strategy=(Strategy.COST, Strategy.LATENCY),
        ),
        prefer=("openai/*",),
        only=("openai/*", "groq/*"),
        avoid=("groq/x*",),
        models=("gpt-4o", "openai/o3"),
        strategy=Strategy.QUALITY,
        tags=("c",),
        then_continue=True,
    )
    assert second == Rule(
        name="rule 2",
        when=Condition(model=("gpt-4o",), prompt_tokens=TokenRange(over=5), tags=("x",), strategy=(Strategy.COST,)),
        only=("ollama/*",),
    )
    assert third == Rule("rule 3", Condition(hours=Hours(8 * 60, 24 * 60)), deny="not in working hours")


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


@pytest.mark.parametrize(
    "glob", ["*", "open*", "openai/*", "openai/gpt-4o", "*/gpt-4o", "?roq/*", "[og]*", "openrouter/openai/*"]
)
def test_a_glob_that_some_provider_may_match_is_no_error(world: World, glob: str) -> None:
    assert world.user(f"[[rules]]\nonly = ['{glob}']\n").load().rules[0].only == (glob,)


@pytest.mark.parametrize("glob", ["*", "gpt-*", "openai/*", "sonar", "openai/gpt-9", "claude-haiku-4-5"])
def test_a_model_glob_that_some_request_may_match_is_no_error(world: World, glob: str) -> None:
    assert world.user(f"[[rules]]\nwhen = {{ model = '{glob}' }}\n").load().rules[0].when.model == (glob,)
