"""What holds for every file: trust is monotone, snapshots are faithful, every key has a line."""

import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llmr.config.build import Config
from llmr.config.environment import Environment
from llmr.config.load import load
from llmr.config.merge import merged
from llmr.config.origin import Layer, exists
from llmr.config.project import OPEN, restricted
from llmr.config.search import Scope, shipped_routing_file
from llmr.config.toml_lines import key_lines
from llmr.errors import ConfigError

World = Any  # the fixture, see conftest.py
ONE_WORLD = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
KEYS = {"OPENAI_API_KEY": "sk-test-0123456789abcdef", "WORK_KEY": "work-key-0123"}

USER = """
default_model = "mine"
[providers.work]
base_url = "https://llm.corp.example/v1"
api_key_env = "WORK_KEY"
rate_limit = { concurrent = 2 }
[models.mine]
candidates = ["work/m", "openai/gpt-4o"]
[[rules]]
name = "private stays at home"
when = { tags = ["private"] }
only = ["ollama/*"]
[timeouts]
stall_s = 11
[state]
path = "/srv/state.db"
"""

WORDS = st.sampled_from(
    ["strategy", "providers", "models", "rules", "openai", "work", "decoy", "base_url", "api_key_env", "headers", "weight",
     "key_origins", "allow_plaintext", "dialect", "state", "path", "timeouts", "stall_s", "circuit_breaker", "fallback",
     "max_attempts", "default_model", "mine", "candidates", "log", "hooks", "env", "x.y", "é"]
)  # fmt: skip
SCALARS = st.one_of(
    st.booleans(),
    st.integers(-5, 10**6),
    st.floats(0, 100).map(lambda value: round(value, 3)),
    st.sampled_from(
        ["cost", "openai/gpt-4o", "work/m", "https://evil.example/v1", "WORK_KEY", "${WORK_KEY}", "mine", "a\x1bb"]
    ),
    st.text(max_size=8).filter(lambda text: text.isprintable()),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(WORDS, inner, max_size=4)),
    max_leaves=12,
)
TABLES = st.dictionaries(WORDS, VALUES, max_size=6)

PLAUSIBLE = st.fixed_dictionaries(
    {},
    optional={
        "strategy": st.sampled_from(["cost", "latency"]),
        "default_model": st.sampled_from(["mine", "theirs", "work/m"]),
        "providers": st.dictionaries(
            st.sampled_from(["openai", "work", "decoy"]),
            st.fixed_dictionaries(
                {},
                optional={
                    "weight": st.integers(0, 9),
                    "base_url": st.just("https://evil.example/v1"),
                    "api_key_env": st.sampled_from(["WORK_KEY", "OPENAI_API_KEY", ""]),
                    "headers": st.just({"X-A": "b"}),
                    "key_origins": st.just(["https://evil.example"]),
                    "models": st.just(["m"]),
                    "enabled": st.booleans(),
                },
            ),
            max_size=3,
        ),
        "models": st.just({"theirs": {"candidates": ["work/x"]}}),
        "rules": st.just([{"prefer": ["openai/*"]}]),
        "timeouts": st.just({"stall_s": 1}),
        "circuit_breaker": st.just({"failure_threshold": 1}),
        "state": st.just({"path": "/tmp/theirs.db"}),
        "exploration": st.just(1.0),
    },
)  # fmt: skip


def _loaded_or_refused(world: World) -> Config | ConfigError:
    try:
        return world.load(**KEYS)
    except ConfigError as error:
        return error


def _protected(config: Config) -> object:
    """Everything about a configuration that a project may not change."""
    providers = config.catalog.providers
    return (
        {
            name: (p.wire, p.base_url, p.key, p.api_key_env, p.off_reason, p.shares, p.rate_limit, p.timeouts, p.headers,
                   p.dialect, p.models, p.local, p.tls_ca, p.proxy)
            for name, p in providers.items()
        },
        config.policy.breaker,
        config.policy.fallback,
        config.policy.timeouts,
        config.policy.exploration,
        config.state_path,
        config.secrets(),
        config.rules[:1],
    )  # fmt: skip


@ONE_WORLD
@given(table=st.one_of(TABLES, PLAUSIBLE))
def test_a_project_file_never_changes_what_is_protected(
    world: World, toml: Callable[[Mapping[str, Any]], str], table: dict[str, Any]
) -> None:
    world.user(USER)
    world.project_file.unlink(missing_ok=True)
    before = world.load(**KEYS)
    world.repo(toml(table))
    after = _loaded_or_refused(world)
    if isinstance(after, ConfigError):
        assert str(after).isprintable()
        assert not any(key in str(after) for key in KEYS.values())
        return
    assert _protected(after) == _protected(before)
    assert all(notice.isprintable() for notice in after.notices)


@given(table=st.one_of(TABLES, PLAUSIBLE))
def test_what_is_left_of_a_project_file_is_open(table: dict[str, Any]) -> None:
    user = tomllib.loads(USER)
    layer, _ = restricted(Layer(Scope.PROJECT, "routing.toml", table, trusted=False), user)
    combined, _ = merged([Layer(Scope.USER, "user", user), layer])
    for path in _paths(user):
        if not any(_is_open(path, pattern) for pattern in OPEN):
            assert _at(combined, path) == _at(user, path)
    for path in _paths(layer.table):
        assert any(_is_open(path, pattern) for pattern in OPEN) or path in {("providers",), ("models",)}
    assert restricted(layer, user)[0].table == layer.table


def _paths(value: Any, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    if isinstance(value, dict) and value:
        return [inner for key, below in value.items() for inner in _paths(below, (*path, key))]
    return [path] if path else []


def _is_open(path: tuple[str, ...], pattern: tuple[str, ...]) -> bool:
    return len(path) >= len(pattern) and all(want in {"*", step} for want, step in zip(pattern, path, strict=False))


def _at(value: Any, path: tuple[str, ...]) -> Any:
    for step in path:
        value = value[step]
    return value


@ONE_WORLD
@given(
    table=st.fixed_dictionaries(
        {},
        optional={
            "strategy": st.sampled_from(["cost", "latency", "priority"]),
            "exploration": st.floats(0, 1),
            "second_is_worth_usd": st.one_of(st.integers(0, 5), st.floats(0, 1)),
            "providers": st.just(
                {"lab": {"base_url": "http://127.0.0.1:1/v1", "models": {"m": {"price": {"input_usd": 1, "output_usd": 2.5}}}}}
            ),
            "models": st.just({"x": {"candidates": ["openai/ü", "groq/b"], "quality": 1}}),
            "rules": st.lists(
                st.one_of(
                    *(
                        st.fixed_dictionaries(
                            {"when": st.just({"prompt_tokens": {"over": 3}, "hours": "22:00-06:00", "tags": "ä"})},
                            optional={**effect, "continue": st.booleans()},
                        )
                        for effect in ({"prefer": st.just("openai/*")}, {"deny": st.text(max_size=5).map("no".__add__)})
                    )
                ),
                max_size=3,
            ),
            "timeouts": st.fixed_dictionaries(
                {}, optional={"first_token_s": st.sampled_from(["auto", 3]), "stall_s": st.floats(1, 9)}
            ),
            "fallback": st.fixed_dictionaries({}, optional={"on_break": st.just("restart"), "max_attempts": st.integers(1, 9)}),
        },
    )
)  # fmt: skip
def test_a_snapshot_gives_what_a_fresh_load_gives(
    world: World, toml: Callable[[Mapping[str, Any]], str], table: dict[str, Any]
) -> None:
    world.user(toml(table))
    for old in world.snapshots:
        old.unlink()
    fresh = world.load(**KEYS)
    assert len(world.snapshots) == 1
    assert world.load(**KEYS) == fresh
    homeless = Environment.of({**KEYS}, cwd=None)
    again = load(homeless, config_file=world.user_file)
    assert (again.catalog, again.policy) == (fresh.catalog, fresh.policy)


@given(table=TABLES)
def test_every_key_of_a_file_has_its_line(toml: Callable[[Mapping[str, Any]], str], table: dict[str, Any]) -> None:
    text = toml(table)
    lines = key_lines(text)
    read = tomllib.loads(text)
    assert {path for path in lines if not exists(read, path)} == set()
    assert set(lines) == set(_all_paths(read))
    for number, key in enumerate(read, 1):
        assert lines[(key,)] == number


def _all_paths(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [*([path] if path else []), *(found for key, below in inner for found in _all_paths(below, (*path, key)))]


DOCUMENT = '''# a comment with [brackets] and "quotes"
top = 1
"quoted key" = """
[not.a.table]
x = 1
"""
lit = \'\'\'
also = "not"
\'\'\'
date = 2026-01-01T00:00:00Z
[a.b]   # comment
c = [ 1, # one
  "two]", { d = "}" },
]
e.f."g h" = 'x # y'
[[rules]]
name = "one"
[rules.when]
tags = ["a",
        "b"]
[[rules]]
name = "t\\\\wo\\""
when = { prompt_tokens.over = 3, model = [] }
[a]
z = "\\u00e9"
'''


def test_lines_are_found_through_every_kind_of_toml() -> None:
    lines = key_lines(DOCUMENT)
    read = tomllib.loads(DOCUMENT)
    assert set(lines) == set(_all_paths(read))
    expected = {
        ("top",): 2, ("quoted key",): 3, ("lit",): 7, ("date",): 10, ("a", "b"): 11, ("a", "b", "c"): 12,
        ("a", "b", "c", 1): 13, ("a", "b", "c", 2, "d"): 13, ("a", "b", "e", "f", "g h"): 15, ("rules", 0): 16,
        ("rules", 0, "name"): 17, ("rules", 0, "when"): 18, ("rules", 0, "when", "tags", 1): 20, ("rules", 1): 21,
        ("rules", 1, "when", "prompt_tokens", "over"): 23, ("a", "z"): 25,
    }  # fmt: skip
    assert {path: lines[path] for path in expected} == expected


def test_every_key_of_the_shipped_files_has_its_line() -> None:
    for path in (shipped_routing_file(), Path(__file__).parents[2] / "llmr/data/providers.toml"):
        text = path.read_text()
        assert set(key_lines(text)) == set(_all_paths(tomllib.loads(text)))


@given(st.text(max_size=80))
def test_looking_for_lines_never_fails(text: str) -> None:
    key_lines(text)


@given(st.binary(max_size=200))
@ONE_WORLD
def test_any_bytes_in_a_project_are_read_or_refused_in_one_line(world: World, content: bytes) -> None:
    outcome = _loaded_or_refused(world.repo(content))
    assert not isinstance(outcome, ConfigError) or str(outcome).isprintable()
