"""The README is driven: its commands run, and it names every command and every exit code that exist."""

import os
import re
import shlex
import subprocess
import sysconfig
import tomllib
from pathlib import Path

import pytest

from llmr.cli import COMMANDS
from llmr.cli.exit_codes import ExitCode
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
