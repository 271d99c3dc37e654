"""The first minute: nothing is set up, a server may be running on this machine, and nothing in the directory is obeyed.

Cases B37, B40 of trust.md, T11 and T12.
"""

import os
import socket
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from llmr.lab import Behavior, LabProvider, LabThread

KEY = "sk-test-0123456789abcdef"
LLMR = Path(sysconfig.get_path("scripts")) / "llmr"
NOBODY = "".join(
    f'[providers.{name}]\nbase_url = "http://127.0.0.1:9/v1"\n' for name in ("lmstudio", "llamacpp", "vllm")
)


def test_without_anything_it_says_what_is_missing_and_what_to_do(shell):
    shell.configure(NOBODY + '[providers.ollama]\nbase_url = "http://127.0.0.1:9/v1"\n')
    said = shell("chat", "hi")
    assert (said.code, said.out) == (3, "")
    assert said.err_lines[1:] == [
        "  missing  OPENAI_API_KEY, ANTHROPIC_API_KEY, GEMINI_API_KEY …",
        "  add one  llmr keys set openai",
        '  try it   llmr chat --demo "hi"',
    ]


def test_a_server_that_is_up_is_found_with_the_command_to_use_it(shell):
    with LabThread([LabProvider("ollama", [Behavior("hi")])]) as lab:
        shell.configure(NOBODY + f'[providers.ollama]\nbase_url = "{lab.url("ollama")}"\n')
        said = shell("chat", "hi")
        (found,) = [line for line in said.err_lines if "found" in line]
        assert found.startswith("  found    ollama at localhost:")
        command = found[found.index("llmr chat") :]
        assert command == 'llmr chat -m ollama/lab-model "hi"'
        assert shell("chat", "-m", "ollama/lab-model", "hi").out == "hi"


def test_servers_that_accept_and_say_nothing_cost_a_fifth_of_a_second(shell):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        where = f"http://127.0.0.1:{silent.getsockname()[1]}/v1"
        names = ("ollama", "lmstudio", "llamacpp", "vllm")
        shell.configure("".join(f'[providers.{name}]\nbase_url = "{where}"\n' for name in names))
        said = shell("chat", "hi")  # without a limit it would never end
    assert "found" not in said.err


def test_a_pipe_is_never_prompted(tmp_path):
    done = subprocess.run(
        [LLMR, "chat", "hi"], env={"HOME": str(tmp_path), "PATH": os.environ["PATH"]}, cwd=tmp_path,
        capture_output=True, text=True, check=False, timeout=60, input="",
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (3, "")
    assert "?" not in done.stderr


# --env-file


def _env_file(shell, text):
    file = shell.home / "team.env"
    file.write_text(text)
    return str(file)


def test_a_named_file_gives_keys_and_open_settings_for_this_run(shell):
    file = _env_file(
        shell, f"# team\nexport OPENAI_API_KEY='{KEY}'\nGROQ_API_KEY=\"gsk_0123456789\" # groq\nLLMR_STRATEGY=cost\n\n"
    )
    said = shell("--env-file", file, "config", "show", "--origin", "--json")
    assert {row["key"]: row["value"] for row in said.json["settings"]} == {"strategy": "cost"}
    listed = shell("--env-file", file, "keys", "list", "--json").json["keys"]
    assert [row["provider"] for row in listed] == ["openai", "groq"]
    assert shell("keys", "list", "--json").json["keys"] == []  # it ends with the run


def test_the_process_outranks_the_file(shell, monkeypatch):
    file = _env_file(shell, f"OPENAI_API_KEY={KEY}\n")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-the-process-1")
    before = shell("keys", "list", "--json").json["keys"]
    assert shell("--env-file", file, "keys", "list", "--json").json["keys"] == before


@pytest.mark.parametrize(
    "name",
    ["LLMR_CONFIG", "LLMR_EDITOR", "LLMR_PAGER", "HTTPS_PROXY", "ALL_PROXY", "SSL_CERT_FILE", "PYTHONPATH", "LD_PRELOAD",
     "HOME", "LLMR_BUDGET", "LLMR_RULES", "LLMR_PROVIDERS__OPENAI__BUDGET",
     "PATH", "XDG_CONFIG_HOME", "AZURE_OPENAI_ENDPOINT", "LLMR_PROVIDERS__OPENAI__BASE_URL", "LLMR_STATE__PATH",
     "LLMR_PROVIDERS__OPENAI__KEY_ORIGINS", "LLMR_PROVIDERS__OPENAI__API_KEY_CMD", "LLMR_API_KEY", "AWS_SECRET_ACCESS_KEY"],
)  # fmt: skip
def test_what_is_not_for_a_file_to_say_is_ignored_with_one_notice(shell, name):
    file = _env_file(shell, f"{name}=/tmp/evil-value\nXAI_API_KEY={KEY}\n")
    said = shell("--env-file", file, "doctor", "--json")
    assert said.err == (
        f"llmr: {file}: ignored: {name}: only …_API_KEY and LLMR_ settings that a project may make are taken from it\n"
    )
    assert "evil-value" not in said.out
    assert "XAI_API_KEY" in said.out


@pytest.mark.parametrize(("text", "told"), [
    ("OPENAI_API_KEY=$(cat secret-thing)\n", ":1: OPENAI_API_KEY: expected a line such as"),
    ("A_API_KEY=fine-enough\nsecret-thing here\n", ":2: expected a line such as"),
    ('A_API_KEY="secret-thing\n', ":1: A_API_KEY: expected"),
])  # fmt: skip
def test_a_file_that_is_no_list_of_variables_is_named_with_its_line_and_not_shown(shell, text, told):
    said = shell("--env-file", _env_file(shell, text), "rank")
    assert said.code == 3
    assert told in said.err
    assert "secret-thing" not in said.err


def test_a_file_that_is_not_there_is_an_error_and_one_of_bytes_too(shell):
    assert shell("--env-file", "nowhere.env", "rank").err == "llmr: nowhere.env: no such file\n"
    file = shell.home / "bytes.env"
    file.write_bytes(b"A_API_KEY=\xff\xfe\n")
    assert "is not UTF-8 text" in shell("--env-file", str(file), "rank").err


def test_b37_a_dotenv_file_has_no_effect_until_it_is_named(shell):
    (shell.home / ".env").write_text(
        f"OPENAI_API_KEY={KEY}\nHTTPS_PROXY=http://evil.example:1\nLLMR_CONFIG=/etc/passwd\n"
    )
    assert shell("keys", "list", "--json").json["keys"] == []
    said = shell("--env-file", ".env", "keys", "list", "--json")
    assert [row["provider"] for row in said.json["keys"]] == ["openai"]
    assert "ignored: HTTPS_PROXY, LLMR_CONFIG" in said.err


def test_a_named_files_keys_are_not_exported_to_programs(shell):
    shell.configure("\n")
    editor = shell.home / "editor"
    editor.write_text(f"#!/bin/sh\nenv > {shell.home}/seen\n")
    editor.chmod(0o755)
    shell.monkeypatch.setenv("EDITOR", str(editor))
    shell("--env-file", _env_file(shell, f"OPENAI_API_KEY={KEY}\n"), "config", "edit")
    assert KEY not in (shell.home / "seen").read_text()


# A hostile working directory


@pytest.fixture
def hostile(tmp_path):
    """A directory whose modules leave a mark when they are run."""
    directory = tmp_path / "cloned"
    directory.mkdir()
    for name in (
        "json",
        "httpx",
        "ssl",
        "typer",
        "httpcore",
        "pydantic",
        "tomllib",
        "asyncio",
        "signal",
        "keyring",
        "llmr_data",
    ):
        (directory / f"{name}.py").write_text(
            f"open({str(tmp_path / 'mark')!r}, 'a').write({name!r})\nraise SystemExit(99)\n"
        )
    return directory


COMMANDS = (
    ["--version"],
    ["rank"],
    ["doctor"],
    ["chat", "--demo", "hello"],
    ["completion", "bash"],
    ["config", "check"],
)


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
@pytest.mark.parametrize("started", [[LLMR], [sys.executable, "-m", "llmr"], [sys.executable, "-P", "-m", "llmr"]],
                         ids=["llmr", "python -m llmr", "python -P -m llmr"])  # fmt: skip
def test_b40_modules_in_the_working_directory_are_never_run(hostile, tmp_path, arguments, started):
    done = subprocess.run(
        [*started, *arguments], env={"HOME": str(tmp_path), "PATH": os.environ["PATH"]}, cwd=hostile,
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode in (0, 3), done.stderr
    assert not (tmp_path / "mark").exists()
    noted = "say `llmr`, or `python -P -m llmr`" in done.stderr
    assert noted == (started[1:] == ["-m", "llmr"])
