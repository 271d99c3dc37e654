"""The README is driven: its commands run, and it names every command and every exit code that exist."""

import os
import re
import shlex
import subprocess
import sysconfig
import tomllib
from pathlib import Path

import pytest
from tour import toured

from llmr.cli import COMMANDS
from llmr.cli.exit_codes import ExitCode
from llmr.cli.topics import variables
from llmr.cli.tree import command_tree
from llmr.config.json_schema import routing_schema

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
SCRIPTS = sysconfig.get_path("scripts")
BLOCKS = re.findall(r"^```sh\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def run(command, home, **more):
    """A command as the README has it, with our scripts in place of a new environment's."""
    environment = {"HOME": str(home), "PATH": f"{SCRIPTS}:{os.environ['PATH']}", "LANG": "C.UTF-8"}
    return subprocess.run(
        ["bash", "-c", command],
        env=environment,
        cwd=home,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        **more,
    )


def test_the_first_block_is_one_line_that_runs_the_main_job(tmp_path):
    (line,) = BLOCKS[0].splitlines()
    main_job = line.split("&&")[-1].strip().removeprefix(".venv/bin/")
    done = run(main_job, tmp_path)
    assert done.returncode == 0, done.stderr
    assert "a demo provider" in done.stdout


def test_the_second_block_is_one_line_that_runs_the_tests():
    (line,) = BLOCKS[1].splitlines()
    assert shlex.split(line.split("&&")[-1])[0] == ".venv/bin/pytest"


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_named(command):
    assert f"llmr {command}" in README


COMMANDS_TABLE = README.partition("## Commands")[2].partition("\n\n")[2].partition("\n\n")[0].splitlines()


@pytest.mark.parametrize("node", [n for n in command_tree().walk() if not n.children], ids=lambda node: node.path[-1])
def test_every_command_has_a_place_in_the_table(node):
    group, name = node.path[1], node.path[-1]
    rows = [row for row in COMMANDS_TABLE if row.startswith(f"| `llmr {group}")]
    assert rows, group
    alone = group == name or name == "list"  # what a group does by itself
    assert alone or any(re.search(rf"\b{name}\b", row) for row in rows)


def test_no_row_of_the_table_is_of_a_command_that_is_gone():
    groups = {node.path[1] for node in command_tree().walk() if len(node.path) > 1}
    assert {row.split("`")[1].split()[1] for row in COMMANDS_TABLE if row.startswith("| `llmr ")} == groups


def test_every_variable_of_ours_is_named():
    section = README.partition("## Every variable")[2].partition("\n## ")[0]
    ours = {name for name, _ in variables() if name.startswith("LLMR_")}
    assert {name for name in ours if f"`{name}`" not in section} == set()


def test_the_tour_is_what_the_commands_print(tmp_path):
    said = README.partition("## In thirty seconds")[2].partition("```console\n")[2].partition("```")[0]
    commands = re.split(r"^\$ ", said, flags=re.MULTILINE)[1:]
    printed = list(toured(tmp_path))
    assert [text.partition("\n")[0] for text in commands] == [command for command, _, _ in printed]
    for text, (_, out, err) in zip(commands, printed, strict=True):
        assert sorted(words(text.partition("\n")[2])) == sorted(words(f"{err}\n{out}"))


def words(text):
    """The words, without what differs from run to run: figures and their units, ids, dates, pictures, where lines are cut,
    how busy the machine is."""
    text = re.sub(r"\b[0-9a-f]{16}\b", "ID", text)
    text = re.sub(r"\w{3} \d+ \w{3} [\d:]+", "DATE", text)
    text = re.sub(r"[\d.,]*\d(?: (?:ms|s|min|h)\b)?", "#", text)
    text = re.sub(r"^ *waited #$", "", text, flags=re.MULTILINE)  # for the processor, on a busy machine
    return re.sub(r"[▁▂▃▄▅▆▇█]+", "▁", text).split()


def test_every_exit_code_is_named():
    section = README.partition("## Exit codes")[2].partition("\n## ")[0]
    numbers = {int(number) for number in re.findall(r"\b\d+\b", section)}
    assert {int(code) for code in ExitCode} <= numbers


@pytest.mark.parametrize("block", re.findall(r"^```toml\n(.*?)^```", README, re.MULTILINE | re.DOTALL))
def test_the_toml_in_the_readme_is_accepted(tmp_path, block):
    assert tomllib.loads(block)
    settings = tmp_path / "routing.toml"
    settings.write_text(block)
    done = run(f"llmr config check --config {settings}", tmp_path)
    assert done.returncode == 0, done.stderr


def test_commands_that_need_no_key_run_as_the_readme_has_them(tmp_path):
    for line in re.findall(r"^\$ (llmr (?:rank|providers) .*)$", README, re.MULTILINE):
        done = run(line, tmp_path)
        assert done.returncode in (0, int(ExitCode.NOT_CONFIGURED)), (line, done.stderr)
        assert "Traceback" not in done.stderr


def test_every_key_of_routing_toml_is_named():
    schema = routing_schema()
    section = README.partition("## Every key")[2].partition("\n## ")[0]
    tables = [schema, *schema["$defs"].values()]
    keys = {key for table in tables for key in table.get("properties", {})}
    assert {key for key in keys if not re.search(rf"(?<![a-z_]){key}(?![a-z_])", section)} == set()
