"""The shape of the house: who may import whom, and what each way in may load (architecture.md)."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

HEAVY = {"httpx", "pydantic", "sqlite3", "asyncio", "rich"}

PROBE = """
import json, sys
sys.argv = ["llmr", *json.loads(sys.argv[1])]
from llmr.__main__ import main
try:
    main()
except SystemExit:
    pass
print(json.dumps(sorted(sys.modules)), file=sys.stderr)
"""


def modules_of(arguments, home, **variables):
    """Every module loaded by one run of the command line."""
    done = subprocess.run(
        [sys.executable, "-P", "-c", PROBE, json.dumps(arguments)],
        env={"HOME": str(home), "PATH": os.environ["PATH"], **variables},
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return set(json.loads(done.stderr.splitlines()[-1]))


def test_imports_go_down_the_floors_only():
    done = subprocess.run(
        [sys.executable, "-c", "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports())"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout


def test_the_version_loads_nothing_but_the_interpreter(tmp_path):
    loaded = modules_of(["--version"], tmp_path)
    assert not loaded & (HEAVY | {"typer", "dataclasses", "inspect", "pathlib"})  # json, and so re, is the probe's own
    assert {name for name in loaded if name.startswith("llmr")} <= {"llmr", "llmr.__main__"}


@pytest.mark.parametrize("arguments", [["--help"], ["chat", "--help"], ["rank", "--help"], ["providers", "--help"]])
def test_help_loads_nothing_heavy(arguments, tmp_path):
    assert not modules_of(arguments, tmp_path) & HEAVY


def test_rank_and_status_load_neither_the_http_client_nor_pydantic_once_the_snapshot_is_there(tmp_path):
    for arguments in (["rank", "-m", "gpt-4o"], ["providers", "status"]):
        modules_of(arguments, tmp_path)
        assert not modules_of(arguments, tmp_path) & {"httpx", "pydantic", "tomllib", "asyncio", "rich"}


def test_chat_in_a_pipe_loads_neither_rich_nor_pydantic_once_the_snapshot_is_there(tmp_path):
    arguments = ["chat", "-m", "ollama/nobody", "hi"]
    settings = tmp_path / "routing.toml"
    settings.write_text('[providers.ollama]\nbase_url = "http://127.0.0.1:9/v1"\n')  # the discard port: nobody answers
    modules_of(arguments, tmp_path, LLMR_CONFIG=str(settings))
    loaded = modules_of(arguments, tmp_path, LLMR_CONFIG=str(settings))
    assert "httpx" in loaded
    assert not loaded & {"rich", "pydantic", "tomllib", "click"}
