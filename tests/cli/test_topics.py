"""`llmr help`: it names what there is, all of it. Written against the code, so that nothing new goes unexplained."""

import re
from pathlib import Path

import pytest

import llmr
from llmr.cli.help_topics import TOPICS
from llmr.config.environment import RESERVED

SOURCES = sorted(Path(llmr.__file__).parent.rglob("*.py"))


def test_every_json_schema_is_explained(shell):
    said = shell("help", "json").out
    schemas = {name for path in SOURCES for name in re.findall(r'"(llmr\.[a-z_.]+/\d+)"', path.read_text())}
    assert {"llmr.chat/1", "llmr.keys/1", "llmr.doctor/1"} <= schemas
    assert {name for name in schemas if name not in said} == set()


def test_every_variable_of_our_own_is_explained(shell):
    said = shell("help", "env").out
    assert {name for name in RESERVED if name not in said} == set()


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "NO_PROXY", "SSL_CERT_FILE", "NO_COLOR", "XDG_CONFIG_HOME", "TERM"])
def test_every_variable_that_is_read_by_name_is_explained(shell, name):
    assert name in shell("help", "env").out


def test_the_keys_in_a_listing_are_those_that_help_names(shell):
    said = shell("help", "json").out
    for arguments in (["doctor"], ["keys", "list"], ["config", "show", "--all"]):
        document = shell(*arguments, "--json").json
        name = document["schema"]
        section = said[said.index(name) :].split("\n\n")[0]
        rows = [
            value for value in document.values() if isinstance(value, list) and value and isinstance(value[0], dict)
        ]
        for key in {key for row in rows for entry in row for key in entry} | set(document) - {"schema"}:
            assert key in section, (name, key)


def test_help_alone_lists_its_topics_and_help_of_a_command_is_that_commands_help(shell):
    said = shell("help").out
    assert all(f"    {topic} " in said for topic in TOPICS)
    assert shell("help", "rank").out == shell("rank", "--help").out
    assert "usage" in shell("help", "rank").out.lower()
