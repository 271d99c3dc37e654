"""`llmr keys`: kept where it says, never shown, never an argument, tried with a real request."""

import json
import os
import pty
import subprocess
import sysconfig
from pathlib import Path

import pytest

from llmr.lab import Behavior

KEY = "sk-test-0123456789abcdef"
LLMR = Path(sysconfig.get_path("scripts")) / "llmr"


@pytest.fixture(autouse=True)
def _no_keyring(monkeypatch):
    import keyring
    from keyring.backends.fail import Keyring

    before = keyring.get_keyring()
    keyring.set_keyring(Keyring())
    yield
    keyring.set_keyring(before)


def test_a_key_from_standard_input_is_kept_private_and_said_to_be_plain_text(shell):
    said = shell("keys", "set", "openai", stdin=KEY.encode() + b"\r\n")
    assert said.code == 0
    assert (
        "is in ~/.config/llmr/credentials.toml, in plain text, readable by you alone (0600): this machine has no"
        in said.out
    )
    assert KEY not in said.out + said.err
    file = shell.home / ".config/llmr/credentials.toml"
    assert f'OPENAI_API_KEY = "{KEY}"' in file.read_text()
    assert file.stat().st_mode & 0o777 == 0o600
    listed = shell("keys", "list", "--json").json
    assert listed["schema"] == "llmr.keys/1"
    (row,) = listed["keys"]
    assert (row["provider"], row["variable"], row["source"]) == ("openai", "OPENAI_API_KEY", "file")
    assert row["fingerprint"] in said.out
    assert "ANTHROPIC_API_KEY" in listed["missing"]


def test_the_keyring_takes_it_where_there_is_one_unless_the_file_is_asked_for(shell):
    import keyring
    from keyring.backend import KeyringBackend

    class Memory(KeyringBackend):
        priority = 1.0
        kept: dict[str, str] = {}  # noqa: RUF012 - one keyring

        def get_password(self, service, username):
            return self.kept.get(username)

        def set_password(self, service, username, password):
            self.kept[username] = password

        def delete_password(self, service, username):
            del self.kept[username]

    keyring.set_keyring(Memory())
    assert "OPENAI_API_KEY (c871f067) is in your keyring" in shell("keys", "set", "openai", stdin=KEY.encode()).out
    file = shell.home / ".config/llmr/credentials.toml"
    assert Memory.kept == {"OPENAI_API_KEY": KEY}
    assert KEY not in file.read_text()
    assert "the keyring" in shell("keys", "list").out
    assert "you said --file" in shell("keys", "set", "groq", "--file", stdin=KEY.encode()).out
    assert shell("keys", "rm", "openai").out == "OPENAI_API_KEY is forgotten\n"
    assert Memory.kept == {}
    assert "GROQ_API_KEY" in file.read_text()


def test_a_key_is_never_an_argument(shell):
    said = shell("keys", "set", "openai", KEY)
    assert said.code == 2
    assert "a key is no argument" in said.err
    assert KEY not in said.out + said.err
    assert not (shell.home / ".config/llmr/credentials.toml").exists()


@pytest.mark.parametrize(("typed", "code", "told"), [
    (b"", 2, "no key was given"),
    (b"short", 4, "shorter than 8"),
    (b"two words here", 4, "a blank in the middle"),
    (b"one-line-key\nanother-line", 4, "a line break in the middle"),
    ("kéy-012345678".encode(), 4, "not ASCII"),
    (b"x" * 20_000, 4, "longer than 4096"),
])  # fmt: skip
def test_b41_what_cannot_be_a_key_is_refused_and_not_shown(shell, typed, code, told):
    said = shell("keys", "set", "openai", stdin=typed)
    assert said.code == code
    assert told in said.err
    assert "nothing was stored" in said.err
    assert not (shell.home / ".config/llmr/credentials.toml").exists()
    assert "another-line" not in said.err


def test_an_unknown_provider_is_answered_with_the_nearest(shell):
    said = shell("keys", "set", "opnai", stdin=KEY.encode())
    assert (said.code, said.err) == (2, "llmr: unknown provider 'opnai'; did you mean openai?\n")


def test_a_provider_that_wants_no_key_says_so(shell):
    assert "ollama names no key" in shell("keys", "set", "ollama", stdin=KEY.encode()).err


def test_a_variable_that_outranks_the_stored_key_is_told(shell, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-variable-12345")
    said = shell("keys", "set", "openai", stdin=KEY.encode())
    assert "outranks the stored key" in said.err
    assert "stored in vain: OPENAI_API_KEY" in shell("keys", "list").out
    shell("keys", "rm", "openai")
    said = shell("keys", "rm", "openai")
    assert (said.code, "unset it" in said.err) == (2, True)


def test_b45_an_unsafe_file_stops_who_needs_a_key_from_it_with_the_mend(shell):
    shell("keys", "set", "openai", stdin=KEY.encode())
    file = shell.home / ".config/llmr/credentials.toml"
    file.chmod(0o644)
    for arguments in (
        ["keys", "list"],
        ["keys", "set", "groq"],
        ["chat", "-m", "openai/gpt-4o", "hi"],
        ["config", "check"],
    ):
        said = shell(*arguments, stdin=b"sk-other-123456")
        assert said.code == 3
        assert f"run: chmod 600 {file}" in said.err


def test_b45_an_unsafe_file_is_a_line_to_who_needs_no_key_from_it(shell):
    shell("keys", "set", "openai", stdin=KEY.encode())
    file = shell.home / ".config/llmr/credentials.toml"
    lab = shell.serve(a=[Behavior("hi")])
    file.chmod(0o644)
    for arguments in (["chat", "hi"], ["log"], ["stats"], ["models"], ["providers", "status"], ["explain"], ["rank"]):
        said = shell(*arguments)
        assert said.code == 0
        assert sum(f"run: chmod 600 {file}" in line for line in said.err_lines) == 1
        assert KEY not in said.out + said.err
    assert len(lab.provider("a").requests) == 1


def test_b45_no_key_is_sent_from_a_file_that_others_could_read(shell):
    lab = shell.serve(a=[Behavior("hi")])
    settings = shell.home / ".config/llmr/routing.toml"
    shell.configure(settings.read_text() + '\napi_key_env = "A_KEY"\n')
    file = shell.home / ".config/llmr/credentials.toml"
    file.write_text(f'A_KEY = "{KEY}"\n')
    file.chmod(0o640)
    assert shell("chat", "hi").code == 3
    assert lab.provider("a").requests == ()
    file.chmod(0o600)
    assert shell("chat", "hi").code == 0


# import


def _llm(shell, text):
    file = shell.home / ".config/io.datasette.llm/keys.json"
    file.parent.mkdir(parents=True)
    file.write_text(text)
    file.chmod(0o600)
    return file


def test_llms_keys_are_taken_over_by_name_and_its_file_stays(shell):
    document = {"// Note": "This file stores secret API credentials.", "openai": KEY, "gemini": "AIza-0123456789",
                "claude": " sk-ant-0123456789\n", "weird": "x" * 20, "groq": "bad"}  # fmt: skip
    file = _llm(shell, json.dumps(document))
    before = file.read_bytes()
    said = shell("keys", "import", "llm")
    assert said.code == 0
    assert "3 of 5 keys were taken over" in said.out
    assert "no provider here for llm's weird" in said.err
    assert "llm's key 'groq' is shorter" in said.err
    sources = {row["variable"] for row in shell("keys", "list", "--json").json["keys"]}
    assert sources == {"OPENAI_API_KEY", "GEMINI_API_KEY", "ANTHROPIC_API_KEY"}
    assert file.read_bytes() == before
    assert KEY not in said.out + said.err
    again = shell("keys", "import", "llm")
    assert "OPENAI_API_KEY is stored already; --replace" in again.out
    assert "3 of 5" in shell("keys", "import", "llm", "--replace").out


@pytest.mark.parametrize(("text", "told"), [
    (None, "no such file"), ("{", "is not valid JSON"), ("[1]", "is no list of keys"), ("[" * 100_000, "is not valid JSON"),
])  # fmt: skip
def test_llms_keys_that_cannot_be_read_are_one_line(shell, text, told):
    if text is not None:
        _llm(shell, text)
    said = shell("keys", "import", "llm")
    assert said.code == 3
    assert told in said.err
    assert len(said.err_lines) == 1


def test_llms_keys_that_others_can_read_are_remarked_on(shell):
    _llm(shell, json.dumps({"openai": KEY})).chmod(0o644)
    said = shell("keys", "import", "llm")
    assert said.code == 0
    assert "others can read llm's keys; run: chmod 600" in said.err


def test_only_llms_keys_can_be_imported(shell):
    assert shell("keys", "import", "aichat").code == 2


# test


def _with_key(shell, monkeypatch, **scripts):
    for name in scripts:
        monkeypatch.setenv(f"{name.upper()}_LAB_KEY", KEY)
        monkeypatch.setenv(f"LLMR_PROVIDERS__{name.upper()}__API_KEY_ENV", f"{name.upper()}_LAB_KEY")
    return shell.serve(**scripts)


def test_every_key_is_tried_with_one_request_and_the_code_says_whether_all_are_good(shell, monkeypatch):
    lab = _with_key(shell, monkeypatch, a=[Behavior("never asked")], b=[Behavior("never asked")])
    said = shell("keys", "test")
    assert (said.code, said.err) == (0, "")
    assert [line.split()[:3] for line in said.out.splitlines()[1:]] == [
        ["a", "A_LAB_KEY", "accepted"],
        ["b", "B_LAB_KEY", "accepted"],
    ]
    assert KEY not in said.out
    lab.__exit__(None, None, None)
    shell.labs.clear()
    said = shell("keys", "test", "a", "--json")
    assert said.code == 5
    (row,) = said.json["tests"]
    assert (row["provider"], row["outcome"]) == ("a", "down")


def test_a_key_that_is_accepted_after_all_closes_the_circuit_that_its_rejection_opened(shell, monkeypatch):
    broken = [Behavior(status=401, error_message="not activated"), Behavior("here again")]
    poor = [Behavior(status=402, error_message="out of credit"), Behavior("never asked")]
    _with_key(shell, monkeypatch, a=broken, b=poor)
    assert shell("chat", "hi").code == 6
    said = shell("chat", "-m", "a/lab-model", "hi")
    assert (said.code, "`llmr providers reset a`" in said.err) == (4, True)
    said = shell("keys", "test")
    assert (said.code, "a: was out of service" in said.out, "b: was" in said.out) == (0, True, False)
    said = shell("chat", "-m", "a/lab-model", "hi")
    assert (said.code, said.out.strip()) == (0, "here again")
    assert shell("chat", "-m", "b/lab-model", "hi").code == 6  # a good key says nothing of the purse
    assert [row["circuits_closed"] for row in shell("keys", "test", "--json").json["tests"]] == [0, 0]


def test_there_must_be_a_key_to_test(shell):
    assert shell("keys", "test").code == 4
    assert "OPENAI_API_KEY is not set" in shell("keys", "test", "openai").err
    assert "without a key" in shell("keys", "test", "ollama").err


# A person at a terminal


def test_b46_a_typed_key_is_not_echoed_and_not_in_the_process_list(tmp_path):
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [LLMR, "keys", "set", "openai"],
        env={"HOME": str(tmp_path), "PATH": os.environ["PATH"], "PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring"},
        stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
    )  # fmt: skip
    os.close(slave)
    seen = b""
    while b"not shown: " not in seen:
        seen += os.read(master, 1024)
    assert KEY.encode() not in Path(f"/proc/{process.pid}/cmdline").read_bytes()
    os.write(master, KEY.encode() + b"\n")
    while True:
        try:
            piece = os.read(master, 1024)
        except OSError:
            break
        if not piece:
            break
        seen += piece
    assert process.wait(20) == 0
    os.close(master)
    assert KEY.encode() not in seen
    assert b"OPENAI_API_KEY (" in seen


def test_a_provider_that_is_called_by_its_models_name_is_found(shell):
    said = shell("keys", "set", "gemini", stdin=KEY.encode())
    assert (said.code, said.err) == (2, "llmr: unknown provider 'gemini'; did you mean google?\n")
