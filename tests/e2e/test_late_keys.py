"""Keys that a command or the keyring gives out, from the settings to the provider, by the installed program."""

import json
import os
import subprocess
import sys

from llmr.lab import Behavior, LabProvider

KEY = "sk-test-0123456789abcdef"

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


def _modules(box, *arguments):
    done = subprocess.run(
        [sys.executable, "-P", "-c", PROBE, json.dumps(arguments)],
        env=box.environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return set(json.loads(done.stderr.splitlines()[-1]))


def _authorization(lab, name):
    return [dict(request.headers).get("authorization") for request in lab.lab.provider(name).requests]


def test_a_commands_key_reaches_the_provider_and_is_asked_for_once(box):
    lab = box([LabProvider("a", [Behavior("hi")])])
    lab.configure("a", provider_extra=f"api_key_cmd = \"sh -c 'echo x >> {lab.home}/asked; echo {KEY}'\"")
    said = lab.run("chat", "-v", "x")
    assert (said.code, said.out) == (0, "hi")
    assert _authorization(lab, "a") == [f"Bearer {KEY}"]
    assert (lab.home / "asked").read_text() == "x\n"
    assert KEY not in said.err
    lab.run("rank")
    lab.run("providers", "status")
    assert (lab.home / "asked").read_text() == "x\n"  # looking asks no vault


def test_a_command_that_fails_is_told_and_the_next_provider_answers(box):
    lab = box([LabProvider("a", [Behavior("never")]), LabProvider("b", [Behavior("hi")])])
    lab.configure("a", "b")
    text = lab.config_file.read_text().replace("[providers.a]", '[providers.a]\napi_key_cmd = "false secret-argument"')
    lab.config_file.write_text(text)
    said = lab.run("chat", "x")
    assert (said.code, said.out) == (0, "hi")
    assert "api_key_cmd false failed with exit code 1" in said.err
    assert not lab.lab.provider("a").requests
    assert lab.status("a")["circuits"][0]["state"] == "closed"  # a locked vault is held against nobody


def test_a_slow_vault_does_not_count_as_a_slow_provider(box):
    lab = box([LabProvider("a", [Behavior("hi")])])
    lab.configure(
        "a", provider_extra=f"api_key_cmd = \"sh -c 'sleep 1; echo {KEY}'\"", extra="timeouts = { first_token_s = 0.8 }"
    )
    said = lab.run("chat", "--json", "x")
    assert said.code == 0, said.err
    assert said.json["attempts"][0]["ttft_ms"] < 800


def test_no_run_that_needs_none_loads_what_opens_a_keyring_or_runs_a_command(box):
    lab = box([LabProvider("a", [Behavior("hi"), Behavior("hi")])])
    directory = lab.home / ".config/llmr"
    directory.mkdir(parents=True)
    (directory / "credentials.toml").write_text(
        f'OPENAI_API_KEY = {{ keyring = "0123abcd" }}\nGROQ_API_KEY = "{KEY}"\n'
    )
    (directory / "credentials.toml").chmod(0o600)
    _modules(lab, "chat", "x")
    loaded = _modules(lab, "chat", "x")
    assert not loaded & {"keyring", "shlex", "tomllib", "getpass", "pydantic"}
    assert "llmr.config.credentials" in loaded


def test_a_keyring_that_is_not_there_is_told_and_the_next_provider_answers(box):
    lab = box([LabProvider("a", [Behavior("never")]), LabProvider("b", [Behavior("hi")])])
    lab.configure("a", "b")
    text = lab.config_file.read_text().replace("[providers.a]", '[providers.a]\napi_key_env = "A_LAB_KEY"')
    lab.config_file.write_text(text)
    directory = lab.home / ".config/llmr"
    directory.mkdir(parents=True)
    (directory / "credentials.toml").write_text('A_LAB_KEY = { keyring = "0123abcd" }\n')
    (directory / "credentials.toml").chmod(0o600)
    lab.variables["PYTHON_KEYRING_BACKEND"] = "keyring.backends.fail.Keyring"
    said = lab.run("chat", "x")
    assert (said.code, said.out) == (0, "hi")
    assert "A_LAB_KEY: the keyring cannot be opened" in said.err
    assert os.fsencode("Traceback") not in said.err.encode()
