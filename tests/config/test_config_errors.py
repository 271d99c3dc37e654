"""A wrong setting is one line: where, what was found, what is known or expected."""

from typing import Any

import pytest

from llmr.config.wording import did_you_mean, kind_of, show, suggestion
from llmr.errors import ConfigError

World = Any  # the fixture, see conftest.py
USER = "~/.config/llmr/routing.toml"
WORK = '[providers.work]\nbase_url = "https://llm.corp.example/v1"\n'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('\n[providers.work]\nbase_ur = "x"', "3: providers.work.base_ur: unknown key; did you mean base_url?"),
        ('strategi = "cost"', "1: strategi: unknown key; did you mean strategy?"),
        (
            'strategy = "fast"',
            "1: strategy: found 'fast'; known: priority, cost, latency, balanced, quality, round_robin, weighted",
        ),
        ('strategy = "latncy"', "1: strategy: found 'latncy'; did you mean latency?"),
        ("strategy = 5", "1: strategy: expected a string, found 5"),
        ("[timeouts]\nstall_s = '5'", "2: timeouts.stall_s: expected a number, found a string"),
        ("[timeouts]\nstall_s = true", "2: timeouts.stall_s: expected a number, found true"),
        ("[timeouts]\nstall_s = 0", "2: timeouts.stall_s: expected more than 0, found 0"),
        ("[timeouts]\nstall_s = 1e9", "2: timeouts.stall_s: expected at most 86400, found 1000000000.0"),
        ("[timeouts]\nstall_s = inf", "2: timeouts.stall_s: expected a finite number, found inf"),
        ("[timeouts]\nstall_s = nan", "2: timeouts.stall_s: expected a finite number, found nan"),
        ("[timeouts]\nstall_s = 2026-01-01", "2: timeouts.stall_s: expected a number, found a date or time"),
        (
            '[timeouts]\nfirst_token_s = "soon"',
            '2: timeouts.first_token_s: expected a number of seconds or "auto", found a string',
        ),
        (
            "[circuit_breaker]\nfailure_threshold = 2.5",
            "2: circuit_breaker.failure_threshold: expected a whole number, found 2.5",
        ),
        (
            "[circuit_breaker]\nfailure_threshold = 0",
            "2: circuit_breaker.failure_threshold: expected 1 or more, found 0",
        ),
        (
            "[circuit_breaker]\nfailure_threshold = 99999999999999999999999",
            "2: circuit_breaker.failure_threshold: expected at most 1000, found a huge number",
        ),
        ("exploration = 2", "1: exploration: expected at most 1, found 2"),
        (
            '[fallback]\non_break = "explode"',
            "2: fallback.on_break: found 'explode'; known: fail, restart, continue, buffer",
        ),
        ("timeouts = 5", "1: timeouts: expected a table, found 5"),
        ("models = []", "1: models: expected a table, found a list"),
        ("rules = {}", "1: rules: expected a list, found a table"),
        ("[models.x]", "1: models.x.candidates: is missing"),
        ("[models.x]\ncandidates = []", "2: models.x.candidates: is empty"),
        (
            '[models.x]\ncandidates = ["gpt-4o"]',
            "2: models.x.candidates[0]: expected provider/model-id, found 'gpt-4o'",
        ),
        (
            '[models.x]\ncandidates = ["openai/a",\n"opnai/gpt-4o"]',
            "3: models.x.candidates[1]: unknown provider 'opnai'; did you mean openai?",
        ),
        ('[models.x]\ncandidates = ["openai/a", "openai/a"]', "2: models.x.candidates[1]: 'openai/a' is listed twice"),
        (
            '[models.x]\ncandidates = ["openai/"]',
            "2: models.x.candidates[0]: '' is no model id: 1 to 256 printable characters",
        ),
        (
            '[models.x]\ncandidates = ["openai/a"]\nfallback = ["claude-sonet"]',
            "3: models.x.fallback[0]: unknown model 'claude-sonet'; did you mean claude-sonnet?",
        ),
        ('[models.x]\ncandidates = ["openai/a"]\nfallback = ["x"]', "3: models.x.fallback[0]: is the model itself"),
        (
            '[models."a/b"]\ncandidates = ["openai/a"]',
            '1: models."a/b": is no model name: 1 to 64 letters, digits and . _ : @ + -',
        ),
        ('default_model = "gpt4o"', "1: default_model: unknown model 'gpt4o'; did you mean gpt-4o?"),
        ('default_model = "opnai/gpt-4o"', "1: default_model: unknown provider 'opnai'; did you mean openai?"),
        (
            '[providers.work]\nwire = "grpc"\nbase_url = "https://x"',
            "2: providers.work.wire: found 'grpc'; known: openai, anthropic, gemini",
        ),
        ("[providers.work]\nweight = 1", '1: providers.work.base_url: is missing: write base_url = "https://…"'),
        (WORK + "weight = -1", "3: providers.work.weight: expected 0 or more, found -1"),
        (
            WORK + 'api_key = "sk-live-abcdefgh12345"',
            "3: providers.work.api_key: unknown key; did you mean api_key_env?",
        ),
        (
            WORK + 'api_key_env = "sk-live-abcdefgh12345"',
            "3: providers.work.api_key_env: expected the name of an environment variable, not a key or anything else",
        ),
        (
            WORK + 'api_key_env = "gsk_abcdefgh12345"',
            "3: providers.work.api_key_env: expected the name of an environment variable, not a key or anything else",
        ),
        (
            WORK + "rate_limit = { concurrent = 0 }",
            "3: providers.work.rate_limit.concurrent: expected 1 or more, found 0",
        ),
        (WORK + 'models = "gpt-4o"', "3: providers.work.models: expected a list, found a string"),
        (WORK + 'models = ["a", 1]', "3: providers.work.models[1]: expected a string, found 1"),
        (WORK + "models = { a = { contxt = 1 } }", "3: providers.work.models.a.contxt: unknown key"),
        (
            WORK + 'shares = "a b"',
            "3: providers.work.shares: expected 1 to 64 letters, digits, dots, underscores and hyphens",
        ),
        (
            WORK + 'tls_ca = "~other/ca.pem"',
            "3: providers.work.tls_ca: expected an absolute path or one that begins with ~/",
        ),
        (WORK + 'dialect = { auth_header = "host" }', "3: providers.work.dialect.auth_header: is no header for a key"),
        (
            WORK + 'dialect = { auth_prefix = "a b c" }',
            '3: providers.work.dialect.auth_prefix: expected a word such as "Bearer "',
        ),
        (
            WORK + 'dialect = { chat_path = "chat?x" }',
            "3: providers.work.dialect.chat_path: expected a path that begins with a slash",
        ),
        (
            WORK + 'dialect = { query = { key = "abc" } }',
            "3: providers.work.dialect.query.key: would put a key into a URL; use api_key_env",
        ),
        (
            WORK + 'dialect = { query = { v = "a b" } }',
            "3: providers.work.dialect.query.v: expected letters, digits, dots, hyphens and underscores",
        ),
        ('[state]\npath = ""', "2: state.path: is no file name"),
        (
            "[circuit_breaker]\ncooldown_s = 300",
            "2: circuit_breaker.cooldown_s: cooldown_s (300) is above cooldown_cap_s (60)",
        ),
        (
            "[circuit_breaker]\ncooldown_cap_s = 10",
            "2: circuit_breaker.cooldown_cap_s: cooldown_s (30) is above cooldown_cap_s (10)",
        ),
        ("[timeouts]\ndeadline_s = 900", "2: timeouts.deadline_s: deadline_s (900) is above total_s (600)"),
    ],
)
def test_a_wrong_setting_is_named_with_its_line(world: World, text: str, message: str) -> None:
    assert world.error(text).startswith(f"{USER}:{message}")


@pytest.mark.parametrize(
    ("headers", "message"),
    [
        ('{ "a b" = "c" }', 'providers.work.headers."a b": is no header name'),
        ('{ Host = "c" }', "providers.work.headers.Host: is a header that llmr sets itself"),
        ('{ Content-Length = "1" }', "providers.work.headers.Content-Length: is a header that llmr sets itself"),
        ('{ Keep-Alive = "5" }', "providers.work.headers.Keep-Alive: is a header that llmr sets itself"),
        ('{ Expect = "100-continue" }', "providers.work.headers.Expect: is a header that llmr sets itself"),
        ('{ accept-encoding = "br" }', "providers.work.headers.accept-encoding: is a header that llmr sets itself"),
        ('{ transfer-encoding = "c" }', "providers.work.headers.transfer-encoding: is a header that llmr sets itself"),
        ('{ Authorization = "Bearer abc" }', "providers.work.headers.Authorization: carries a key"),
        ('{ x-api-key = { env = "K" } }', "providers.work.headers.x-api-key: carries a key"),
        ('{ X-A = "a\\r\\nHost: evil" }', "providers.work.headers.X-A: expected visible ASCII characters"),
        ('{ X-A = "" }', "providers.work.headers.X-A: expected visible ASCII characters"),
        ('{ X-A = "ü" }', "providers.work.headers.X-A: expected visible ASCII characters"),
        ('{ X-A = { env = "a b" } }', "providers.work.headers.X-A.env: expected the name of an environment variable"),
        ('{ X-A = { env = "A", append = "b" } }', "providers.work.headers.X-A.append: expected a path"),
        ("{ X-A = 5 }", "providers.work.headers.X-A: expected a string, found 5"),
    ],
)
def test_extra_headers_carry_neither_framing_nor_keys(world: World, headers: str, message: str) -> None:
    assert world.error(f"{WORK}headers = {headers}").startswith(f"{USER}:3: {message}")


def test_several_errors_are_the_first_in_the_file_and_a_count(world: World) -> None:
    text = 'exploration = 3\nstrategy = "x"\n[timeouts]\nstall_s = 0\n'
    assert world.error(text) == f"{USER}:1: exploration: expected at most 1, found 3 (and 2 more errors)"


def test_b09_a_providers_name_is_neutralised(world: World) -> None:
    message = world.error('[providers."[red]x\\u001b[2J"]\nbase_url = "https://x"')
    assert message.startswith(f"{USER}:1: providers.")
    assert "\\x1b[2J" in message
    assert "is no provider name" in message


@pytest.mark.parametrize("name", ["..", ".", "a/b", "a b", "", "x" * 65, "ü", "a\\u202eb", "a\\u0000b"])
def test_a_providers_name_is_plain(world: World, name: str) -> None:
    assert "is no provider name" in world.error(f'[providers."{name}"]\nbase_url = "https://x"')


def test_an_unknown_key_of_any_text_stays_on_one_line(world: World) -> None:
    message = world.error('"\\u001b[2J\\n' + "x" * 500 + '" = 1')
    assert len(message) < 300


def test_a_wrong_value_from_a_variable_names_the_variable(world: World) -> None:
    for variable, value, message in (
        ("LLMR_STRATEGY", "latncy", "LLMR_STRATEGY: found 'latncy'; did you mean latency?"),
        ("LLMR_TIMEOUTS__STALL_S", "soon", "LLMR_TIMEOUTS__STALL_S: expected a number, found 'soon'"),
        ("LLMR_TIMEOUTS__STALL_S", "x" * 25, "LLMR_TIMEOUTS__STALL_S: expected a number, found a string"),
        ("LLMR_TIMEOUTS__STALL_S", "sk-ant-abcdefghijk", "LLMR_TIMEOUTS__STALL_S: expected a number, found '***'"),
        (
            "LLMR_PROVIDERS__OPENAI__ENABLED",
            "jein",
            "LLMR_PROVIDERS__OPENAI__ENABLED: expected true or false, found 'jein'",
        ),
        ("LLMR_RULES", "[{", "LLMR_RULES: is no valid JSON"),
        ("LLMR_TIMEOUTS", "[]", "LLMR_TIMEOUTS: expected a table, found a list"),
    ):
        with pytest.raises(ConfigError) as caught:
            world.load(**{variable: value})
        assert str(caught.value) == message


def test_a_text_is_shown_escaped_short_and_without_keys() -> None:
    assert show("a\x1b[2J\u202e\n") == "'a\\x1b[2J\\u202e\\n'"
    assert len(show("x" * 1000)) == 80
    assert show("sk-ant-abcdefghijk") == "'***'"


def test_the_nearest_known_word_is_suggested_else_some_are_listed() -> None:
    assert did_you_mean("GPT-4", ["gpt-4o", "o3"]) == "gpt-4o"
    assert did_you_mean("zzz", ["gpt-4o"]) is None
    assert suggestion("zzz", []) == ""
    assert suggestion("zzz", [f"n{i}" for i in range(10)]) == "; known: n0, n1, n2, n3, n4, n5, n6, n7 and 2 more"


def test_numbers_show_themselves_and_text_does_not() -> None:
    assert [kind_of(value) for value in (False, 3, 1.5, "secret", [], {}, None)] == [
        "false", "3", "1.5", "a string", "a list", "a table", "a date or time",
    ]  # fmt: skip
