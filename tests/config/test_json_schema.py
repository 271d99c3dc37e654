"""The JSON Schema of routing.toml: valid, complete, and of one mind with the reader."""

import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from llmr.config.json_schema import DIALECT, routing_schema
from llmr.config.search import shipped_routing_file
from llmr.routing.policy import BreakerPolicy

World = Any  # the fixture, see conftest.py
SCHEMA = routing_schema()
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
README = (Path(__file__).parent.parent.parent / "README.md").read_text()
WORK = '[providers.work]\nbase_url = "https://llm.corp.example/v1"\n'


def errors(text: str) -> list[str]:
    return [error.message for error in VALIDATOR.iter_errors(tomllib.loads(text))]


def keys() -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every key that may be written, with its table's name, and what the schema says of it."""
    for table, found in {"": SCHEMA, **SCHEMA["$defs"]}.items():
        for key, said in found.get("properties", {}).items():
            yield f"{table}.{key}", said


def test_it_is_a_json_schema_of_the_dialect_that_it_names() -> None:
    assert SCHEMA["$schema"] == DIALECT == "https://json-schema.org/draft/2020-12/schema"
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert '"null"' not in json.dumps(SCHEMA), "TOML has none"


def test_the_shipped_file_and_the_readmes_example_are_valid() -> None:
    assert errors(shipped_routing_file().read_text()) == []
    for block in re.findall(r"^```toml\n(.*?)^```", README, re.MULTILINE | re.DOTALL):
        assert errors(block) == []


def test_what_the_shipped_file_shows_commented_out_is_valid_too() -> None:
    lines = shipped_routing_file().read_text().splitlines()
    shown = [line[2:] for line in lines if re.match(r"# (\[|[a-z_]+ = )", line) and not line.startswith("# models = ")]
    assert errors("\n".join(shown)) == []


@pytest.mark.parametrize(
    "text",
    [
        'strategi = "cost"',
        "[timeouts]\nstal_s = 5",
        "[[rules]]\nwhen = { modle = 'x' }",
        "[[rules]]\nonyl = ['x/*']",
        WORK + "budget = { per_dai_usd = 1 }",
        WORK + "models = { a = { contxt = 1 } }",
        '[models.x]\ncandidates = ["openai/a"]\nhegde = true',
        "[[rules]]\nhedge = { after = 1 }",
    ],
)
def test_unknown_keys_are_wrong_at_every_depth(text: str) -> None:
    assert errors(text)


@pytest.mark.parametrize(
    ("text", "valid"),
    [
        ('strategy = "cost"', True),
        ('strategy = "cheap"', False),
        ('[timeouts]\nfirst_token_s = "auto"', True),
        ("[timeouts]\nfirst_token_s = 3", True),
        ('[timeouts]\nfirst_token_s = "soon"', False),
        ("[timeouts]\nstall_s = 0", False),
        ("[fallback]\non_break = 'restart'\ncontent_filter = 'next'", True),
        ("[fallback]\non_break = 'explode'", False),
        ("[budget]\nper_day_usd = 2\non_limit = 'cheaper'", True),
        ("[budget]\non_limit = 'x'\nper_day_usd = 1", False),
        ("[[rules]]\nonly = 'openai/*'", True),
        ("[[rules]]\nonly = ['openai/*']", True),
        ("[[rules]]\nonly = 5", False),
        ("[[rules]]\nwhen.hours = '22:00-06:00'", True),
        ("[[rules]]\nwhen.hours = '22-6'", False),
        ("[[rules]]\nwhen.weekdays = 'mon-fri'", True),
        ("[[rules]]\nwhen.weekdays = 'monday'", False),
        ("[[rules]]\nwhen.circuit = { 'openai/*' = 'open' }", True),
        ("[[rules]]\nwhen.circuit = { 'openai/*' = ['open', 'half_open'] }", True),
        ("[[rules]]\nwhen.circuit = { 'openai/*' = 'opn' }", False),
        ("[[rules]]\nhedge = { after_s = 0.8 }", True),
        ("[[rules]]\nhedge = true", True),
        ("[[rules]]\nhedge = 'yes'", False),
        ("[[rules]]\ncontinue = true", True),
        (WORK + "headers = { X-A = { env = 'A' }, X-B = 'b' }", True),
        (WORK + "models = ['a']", True),
        (WORK + "models = { a = { json = true } }", True),
        (WORK + "wire = 'grpc'", False),
    ],
)
def test_an_editor_and_the_reader_are_of_one_mind(world: World, text: str, valid: bool) -> None:
    assert (errors(text) == []) is valid
    if valid:
        world.user(text).load()
    else:
        world.error(text)


def test_every_key_says_what_it_is_for() -> None:
    assert [name for name, said in keys() if not said.get("description")] == []


def test_the_defaults_shown_are_the_real_ones() -> None:
    shown = SCHEMA["$defs"]["BreakerTable"]["properties"]
    assert {key: said["default"] for key, said in shown.items()} == {
        name: getattr(BreakerPolicy(), name) for name in shown
    }
    assert SCHEMA["properties"]["strategy"]["default"] == "balanced"
    assert SCHEMA["$defs"]["TimeoutsTable"]["properties"]["first_token_s"]["default"] == "auto"
    assert SCHEMA["$defs"]["FallbackTable"]["properties"]["content_filter"]["default"] == "stop"
