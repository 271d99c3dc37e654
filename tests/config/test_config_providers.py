"""The providers that are known, what cli.md's example comes to, and the shipped file."""

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from llmr.catalog import (
    Capabilities,
    NamedModel,
    Price,
    RateLimit,
    SpendLimits,
    Strategy,
    TimeoutOverrides,
    Timeouts,
    WireFormat,
)
from llmr.config.build import local_servers
from llmr.config.search import shipped_routing_file
from llmr.routing.policy import BreakerPolicy, FallbackPolicy, OnBreak, Policy

World = Any  # the fixture, see conftest.py
KEY = "sk-test-0123456789abcdef"

KNOWN = {
    "openai": ("openai", "https://api.openai.com/v1", "OPENAI_API_KEY"),
    "anthropic": ("anthropic", "https://api.anthropic.com/v1", "ANTHROPIC_API_KEY"),
    "google": ("gemini", "https://generativelanguage.googleapis.com/v1beta", "GEMINI_API_KEY"),
    "groq": ("openai", "https://api.groq.com/openai/v1", "GROQ_API_KEY"),
    "mistral": ("openai", "https://api.mistral.ai/v1", "MISTRAL_API_KEY"),
    "deepseek": ("openai", "https://api.deepseek.com", "DEEPSEEK_API_KEY"),
    "xai": ("openai", "https://api.x.ai/v1", "XAI_API_KEY"),
    "openrouter": ("openai", "https://openrouter.ai/api/v1", "OPENROUTER_API_KEY"),
    "together": ("openai", "https://api.together.xyz/v1", "TOGETHER_API_KEY"),
    "fireworks": ("openai", "https://api.fireworks.ai/inference/v1", "FIREWORKS_API_KEY"),
    "cerebras": ("openai", "https://api.cerebras.ai/v1", "CEREBRAS_API_KEY"),
    "perplexity": ("openai", "https://api.perplexity.ai", "PERPLEXITY_API_KEY"),
    "azure": ("openai", "", "AZURE_OPENAI_API_KEY"),
    "ollama": ("openai", "http://127.0.0.1:11434/v1", None),
    "lmstudio": ("openai", "http://127.0.0.1:1234/v1", None),
    "llamacpp": ("openai", "http://127.0.0.1:8080/v1", None),
    "vllm": ("openai", "http://127.0.0.1:8000/v1", None),
}

CLI_MD = """
strategy = "balanced"            # priority | cost | latency | balanced | quality | round_robin | weighted
second_is_worth_usd = 0.002      # what a second of waiting is worth
default_model = "gpt-4o"

[providers.openai]               # known: only what differs needs saying
rate_limit = { requests_per_minute = 500, tokens_per_minute = 200_000, concurrent = 8 }

[providers.work]                 # any OpenAI-compatible endpoint
wire = "openai"                  # openai | anthropic | gemini
base_url = "https://llm.corp.example/v1"
api_key_env = "WORK_LLM_KEY"     # absent: no key is sent
shares = "azure-eu"              # one quota with others of that name
weight = 2
models = ["gpt-4o"]

[models.gpt-4o]                  # a name to ask for
candidates = ["openai/gpt-4o", "work/gpt-4o", "openrouter/openai/gpt-4o"]
fallback = ["claude-sonnet"]     # other names, when no candidate is left
strategy = "latency"
quality = 0.8                    # 0-1, your judgement

[[rules]]
name = "private stays at home"
when = { tags = ["private"] }
only = ["ollama/*"]

[circuit_breaker]
failure_threshold = 5
cooldown_s = 30
cooldown_cap_s = 60

[fallback]
max_candidates = 4
retries_per_candidate = 1
backoff_base_s = 0.5
backoff_cap_s = 8
on_break = "fail"                # fail | restart | continue | buffer

[timeouts]
connect_s = 5
first_token_s = "auto"           # or a number
stall_s = 30
deadline_s = 60

[state]
path = "~/.local/state/llmr/state.db"
"""


def test_the_providers_that_people_use_are_known(world: World) -> None:
    providers = world.load().catalog.providers
    assert {
        name: (provider.wire.value, provider.base_url, provider.api_key_env) for name, provider in providers.items()
    } == KNOWN


def test_every_provider_is_on_with_its_key(world: World) -> None:
    keys = {variable: KEY for _, _, variable in KNOWN.values() if variable}
    config = world.load(**keys, AZURE_OPENAI_ENDPOINT="https://mine.openai.azure.com/")
    assert [provider.off_reason for provider in config.catalog.providers.values()] == [None] * len(KNOWN)
    assert config.missing_keys == ()


def test_the_dialects_are_those_that_were_measured(world: World) -> None:
    dialects = {name: provider.dialect for name, provider in world.load().catalog.providers.items()}
    assert {name for name, dialect in dialects.items() if not dialect.usage_in_stream} == {"mistral", "perplexity"}
    assert {name for name, dialect in dialects.items() if dialect.reasoning_excluded_from_output} == {"xai"}
    assert {name for name, dialect in dialects.items() if dialect.seed_field != "seed"} == {"mistral"}
    assert {name for name, dialect in dialects.items() if dialect.max_tokens_field == "max_completion_tokens"} == {
        "openai", "azure", "cerebras",
    }  # fmt: skip
    assert {
        name: (dialect.auth_header, dialect.auth_prefix)
        for name, dialect in dialects.items()
        if not dialect.auth_prefix
    } == {
        "anthropic": ("x-api-key", ""),
        "google": ("x-goog-api-key", ""),
        "azure": ("api-key", ""),
    }


def test_local_servers_are_on_without_a_key(world: World) -> None:
    config = world.load()
    assert {provider.name: provider.base_url for provider in local_servers(config)} == {
        name: url for name, (_, url, _) in KNOWN.items() if url.startswith("http:")
    }
    assert all(provider.key is None for provider in local_servers(config))


def test_a_local_server_moved_to_another_machine_is_not_local(world: World) -> None:
    config = world.user('[providers.ollama]\nbase_url = "http://192.168.1.5:11434/v1"\n').load()
    assert config.catalog.providers["ollama"].off_reason is None
    assert "ollama" not in {provider.name for provider in local_servers(config)}


# Azure needs its endpoint


def test_azure_is_off_until_it_has_an_endpoint(world: World) -> None:
    assert world.load().catalog.providers["azure"].off_reason == "AZURE_OPENAI_API_KEY is not set"
    assert (
        world.load(AZURE_OPENAI_API_KEY=KEY).catalog.providers["azure"].off_reason == "AZURE_OPENAI_ENDPOINT is not set"
    )


@pytest.mark.parametrize(
    "endpoint",
    ["https://mine.openai.azure.com", "https://MINE.openai.azure.com/", "https://mine.openai.azure.com/openai/v1/"],
)
def test_azures_endpoint_comes_from_its_variable(world: World, endpoint: str) -> None:
    azure = world.load(AZURE_OPENAI_API_KEY=KEY, AZURE_OPENAI_ENDPOINT=endpoint).catalog.providers["azure"]
    assert azure.base_url == "https://mine.openai.azure.com/openai/v1"
    assert dict(azure.dialect.query) == {"api-version": "v1"}
    assert azure.off_reason is None


def test_azures_endpoint_may_stand_in_the_users_file(world: World) -> None:
    world.user(
        '[providers.azure]\nbase_url = "https://mine.openai.azure.com/openai/v1"\ndialect.query = { api-version = "preview" }\n'
    )
    azure = world.load(AZURE_OPENAI_API_KEY=KEY).catalog.providers["azure"]
    assert azure.off_reason is None
    assert dict(azure.dialect.query) == {"api-version": "preview"}
    assert azure.dialect.auth_header == "api-key"


@pytest.mark.parametrize(
    ("endpoint", "reason"),
    [
        (
            "http://user:pw@h.example",
            "AZURE_OPENAI_ENDPOINT holds a user name or password; a key belongs in api_key_env",
        ),
        ("mine", "AZURE_OPENAI_ENDPOINT is not an http:// or https:// URL"),
        ("http://h.example", "AZURE_OPENAI_ENDPOINT would send a key over http:// to another machine, unencrypted"),
        ("  ", "AZURE_OPENAI_ENDPOINT is not set"),
    ],
)
def test_an_unfit_endpoint_turns_azure_off(world: World, endpoint: str, reason: str) -> None:
    azure = world.load(AZURE_OPENAI_API_KEY=KEY, AZURE_OPENAI_ENDPOINT=endpoint).catalog.providers["azure"]
    assert azure.off_reason == reason
    assert azure.base_url == ""


def test_a_url_from_a_variable_is_bound_to_the_keys_origin_too(world: World) -> None:
    world.user('[providers.openai]\nbase_url = { env = "MY_URL" }\n')
    assert (
        world.load(OPENAI_API_KEY=KEY, MY_URL="https://api.openai.com/v1").catalog.providers["openai"].off_reason
        is None
    )
    off = world.load(OPENAI_API_KEY=KEY, MY_URL="https://evil.example/v1").catalog.providers["openai"]
    assert off.off_reason == "MY_URL names an origin that OPENAI_API_KEY is not sent to"
    assert off.base_url == ""


# One's own


def test_two_tables_with_one_key_at_one_url_are_one_account(world: World) -> None:
    twin = '[providers.{}]\nbase_url = "https://llm.corp.example/v1"\napi_key_env = "{}"\n'
    tables = twin.format("day", "ONE") + twin.format("night", "ONE") + twin.format("guest", "TWO")
    elsewhere = '[providers.far]\nbase_url = "https://far.example/v1"\napi_key_env = "ONE"\n'
    found = world.user(tables + elsewhere).load(ONE=KEY, TWO=f"{KEY}2").catalog.providers
    assert found["day"].shares == found["night"].shares == f"account-{found['day'].key_fingerprint}"
    assert (found["guest"].shares, found["far"].shares) == (None, None)
    said = tables.replace('"ONE"', '"ONE"\nshares = "mine"', 1)
    found = world.user(said).load(ONE=KEY, TWO=f"{KEY}2").catalog.providers
    assert (found["day"].shares, found["night"].shares) == ("mine", "mine")


def test_the_example_of_the_design_works_as_it_stands(world: World) -> None:
    config = world.user(CLI_MD).load(WORK_LLM_KEY="work-key-123", OPENAI_API_KEY=KEY)
    catalog = config.catalog
    assert config.policy == Policy()
    assert config.state_path == world.home / ".local/state/llmr/state.db"
    assert catalog.default_model == "gpt-4o"
    assert catalog.providers["openai"].rate_limit == RateLimit(500, 200_000, 8)
    work = catalog.providers["work"]
    assert (work.wire, work.base_url, work.shares, work.weight, work.models, work.off_reason) == (
        WireFormat.OPENAI, "https://llm.corp.example/v1", "azure-eu", 2, ("gpt-4o",), None,
    )  # fmt: skip
    assert catalog.names["gpt-4o"] == NamedModel(
        "gpt-4o",
        ("openai/gpt-4o", "work/gpt-4o", "openrouter/openai/gpt-4o"),
        ("claude-sonnet",),
        Strategy.LATENCY,
        0.8,
    )
    assert config.rules[0].only == ("ollama/*",)


def test_every_setting_reaches_the_policy(world: World) -> None:
    world.user(
        """
        strategy = "quality"
        second_is_worth_usd = 1
        quality_is_worth_usd = 2
        exploration = 0
        [circuit_breaker]
        failure_threshold = 2
        cooldown_s = 3
        cooldown_cap_s = 4
        jitter = 0
        stable_s = 6
        lease_s = 7
        rate_backoff_s = 8
        rate_backoff_cap_s = 9
        retry_after_cap_s = 10
        hard_s = 11
        early_probe_s = 12
        probe_poll_s = 13
        clock_skew_s = 14
        [fallback]
        max_candidates = 1
        retries_per_candidate = 0
        max_attempts = 2
        backoff_base_s = 3
        backoff_cap_s = 4
        max_wait_s = 0
        on_break = "restart"
        [timeouts]
        connect_s = 1
        first_token_s = 2
        stall_s = 3
        deadline_s = 4
        total_s = 5
        """
    )
    assert world.load().policy == Policy(
        strategy=Strategy.QUALITY,
        second_is_worth_usd=1,
        quality_is_worth_usd=2,
        exploration=0,
        breaker=BreakerPolicy(2, 3, 4, 0, 6, 7, 8, 9, 10, 11, 12, 13, 14),
        fallback=FallbackPolicy(1, 0, 2, 3, 4, 0, OnBreak.RESTART),
        timeouts=Timeouts(1, 2, 3, 4, 5),
    )


def test_what_is_known_of_a_model_stands_under_its_provider(world: World) -> None:
    world.user(
        """
        [providers.work]
        base_url = "https://llm.corp.example/v1"
        timeouts = { connect_s = 1, first_token_s = 20, stall_s = 3 }
        tls_ca = "corp.pem"
        headers = { X-Team = "search", X-User = { env = "USER" } }
        [providers.work.models."org/gpt-4o"]
        price = { input_usd = 2.5, output_usd = 10, cached_input_usd = 1, cache_write_usd = 2 }
        context_window_tokens = 128_000
        max_output_tokens = 16_000
        tools = true
        images = false
        json = true
        reasoning = false
        documents = true
        audio = false
        quality = 0.7
        [providers.work.models.plain]
        """
    )
    config = world.load(USER="somebody")
    work = config.catalog.providers["work"]
    assert work.models == ("org/gpt-4o", "plain")
    assert work.timeouts == TimeoutOverrides(1, 20, 3)
    assert work.tls_ca == str(world.user_file.parent / "corp.pem")
    assert dict(work.headers) == {"X-Team": "search", "X-User": "somebody"}
    assert [secret.reveal() for secret in config.secrets()] == ["somebody"]
    model = config.catalog.model("work/org/gpt-4o")
    assert model is not None
    assert model.price == Price(2.5, 10, 1, 2)
    assert model.capabilities == Capabilities(128_000, 16_000, True, False, True, False, True, False)
    assert model.quality == 0.7
    assert config.catalog.models["work/plain"].price is None


def test_a_header_whose_variable_is_missing_or_unfit_turns_the_provider_off(world: World) -> None:
    world.user('[providers.work]\nbase_url = "https://llm.corp.example"\nheaders = { X-A = { env = "A" } }\n')
    assert world.load().catalog.providers["work"].off_reason == "A is not set"
    assert world.load(A="a\nb").catalog.providers["work"].off_reason == "A holds a character that no header can carry"


def test_a_provider_may_be_turned_off(world: World) -> None:
    world.user("[providers.openai]\nenabled = false\n")
    config = world.load(OPENAI_API_KEY=KEY)
    assert config.catalog.providers["openai"].off_reason == "turned off in ~/.config/llmr/routing.toml:2"
    assert "OPENAI_API_KEY" not in world.load().missing_keys


def test_every_candidate_is_in_the_catalog(world: World) -> None:
    catalog = world.load().catalog
    for named in catalog.names.values():
        for key in named.candidates:
            assert catalog.models[key].key == key


# The shipped file


def test_the_shipped_default_needs_any_one_key_but_azures(world: World) -> None:
    config = world.load()
    everyday = config.catalog.names[config.catalog.default_model or ""]
    reached = {key.partition("/")[0] for key in everyday.candidates}
    assert reached == {name for name, (_, _, variable) in KNOWN.items() if variable and name != "azure"}


def test_the_shipped_file_sets_only_defaults_and_falls_back_to_no_other_model(world: World) -> None:
    config = world.load()
    assert config.policy == Policy()
    assert all(named.fallback == () for named in config.catalog.names.values())


def test_what_the_shipped_file_shows_commented_out_works(world: World) -> None:
    lines = shipped_routing_file().read_text().splitlines()
    settings = [line.removeprefix("# ") for line in lines if line.startswith("# ") and _is_setting(line[2:])]
    text = "\n".join(line for line in settings if not line.startswith("models = "))  # one of two ways to say it
    assert {"exploration", "providers", "circuit_breaker", "fallback", "hedging", "budget", "timeouts", "state"} <= set(
        tomllib.loads(text)
    )
    config = world.user(text).load(WORK_LLM_KEY="work-key-123", USER="me")
    assert config.policy == Policy(spend=SpendLimits(2, 30)), "all defaults, but for the limits, which nobody has"
    assert config.catalog.models["work/gpt-4o"].quality == 0.8


def _is_setting(line: str) -> bool:
    return line.startswith("[") or (" = " in line and line.partition(" = ")[0].replace("_", "").isalnum())


def test_the_default_file_is_found_where_a_wheel_puts_it(world: World, tmp_path: Path) -> None:
    root = shipped_routing_file().parent
    shutil.copytree(root / "llmr", tmp_path / "site/llmr", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(root / "routing.toml", tmp_path / "site/llmr/data/routing.toml")
    code = (
        "from pathlib import Path; from llmr.config.environment import Environment; from llmr.config.load import load;"
        "print(load(Environment.of({}, cwd=None)).sources[1])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": str(tmp_path / "site"), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True, text=True, check=True, cwd=tmp_path,
    )  # fmt: skip
    assert done.stdout.strip() == str(tmp_path / "site/llmr/data/routing.toml")
