"""`llmr doctor`: finds what is wrong, says what to do, gives nothing away, changes nothing."""

import os
import sqlite3
import subprocess
import sysconfig
import time
from pathlib import Path

import pytest

from llmr.lab import Behavior

LLMR = Path(sysconfig.get_path("scripts")) / "llmr"
KEY = "sk-test-0123456789abcdef"


def _findings(said, name=None):
    found = said.json["findings"]
    return [f for f in found if name is None or f["name"] == name]


def _bad(said):
    return [f for f in said.json["findings"] if f["verdict"] == "bad"]


def test_on_a_new_machine_nothing_is_wrong(shell):
    said = shell("doctor", "--json")
    assert (said.code, said.json["ok"], _bad(said)) == (0, True, [])
    assert said.json["schema"] == "llmr.doctor/1"
    sections = [f["section"] for f in said.json["findings"]]
    assert list(dict.fromkeys(sections)) == [
        "versions", "settings", "providers", "paths", "state", "clock", "network", "terminal",
    ]  # fmt: skip
    (ready,) = _findings(said, "ready")
    assert (ready["verdict"], "llmr keys set" in ready["mend"]) == ("warn", True)


def test_for_people_it_ends_in_one_sentence(shell, monkeypatch):
    assert shell("doctor").out.endswith("! it works; one thing is worth a look\n")
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    assert shell("doctor").out.endswith("✓ all is well\n")
    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere.pem")
    said = shell("doctor")
    assert said.out.endswith("✗ one thing is wrong\n")
    assert said.code == 3


def test_a_setting_that_is_wrong_is_named_with_its_line_and_the_rest_is_looked_at_all_the_same(shell):
    shell.configure("strategi = 'cost'\n")
    said = shell("doctor", "--json")
    assert said.code == 3
    (bad,) = _bad(said)
    assert ".config/llmr/routing.toml:1: strategi: unknown key; did you mean strategy?" in bad["text"]
    assert _findings(said, "sqlite")


def test_what_is_ignored_is_listed(shell):
    (shell.home / "repo/.git").mkdir(parents=True)
    (shell.home / "repo/routing.toml").write_text('[providers.openai]\nbase_url = "https://evil.example"\n')
    shell.monkeypatch.chdir(shell.home / "repo")
    shell.monkeypatch.setenv("LLMR_NONSENSE", "1")
    said = shell("doctor", "--json")
    ignored = " ".join(f["text"] for f in _findings(said, "ignored"))
    assert "providers.openai.base_url: ignored" in ignored
    assert "LLMR_NONSENSE: unknown variable" in ignored
    assert _findings(said, "project, not trusted: it may only choose among your providers")


@pytest.mark.parametrize("mode", [0o644, 0o640])
def test_b45_a_credentials_file_that_others_can_read_is_bad_with_its_mend(shell, mode):
    shell("keys", "set", "openai", "--file", stdin=KEY.encode())
    file = shell.home / ".config/llmr/credentials.toml"
    file.chmod(mode)
    said = shell("doctor", "--json")
    assert said.code == 3
    assert any(f["mend"] == "chmod 600 ~/.config/llmr/credentials.toml" for f in _findings(said, "credentials.toml"))
    assert KEY not in said.out


def test_a_state_file_that_is_damaged_or_newer_is_bad_and_left_as_it_is(shell):
    shell.serve(a=[Behavior("hi")])
    shell("chat", "hi")
    path = shell.home / ".local/state/llmr/state.db"
    assert any("1 attempt" in f["text"] for f in _findings(shell("doctor", "--json"), "database"))
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 999")
    connection.close()
    before = path.read_bytes()
    said = shell("doctor", "--json")
    assert (said.code, "from a newer llmr" in _bad(said)[0]["text"]) == (3, True)
    assert path.read_bytes() == before
    path.write_bytes(b"no database at all, but long enough to be looked at" * 100)
    said = shell("doctor", "--json")
    assert (said.code, "not a database" in _bad(said)[0]["text"]) == (3, True)


def test_b55_a_clock_that_went_back_is_told(shell):
    shell.serve(a=[Behavior("hi")])
    shell("chat", "hi")
    path = shell.home / ".local/state/llmr/state.db"
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE attempts SET at = ?", (time.time() + 86_400,))
    connection.close()
    (jumped,) = _findings(shell("doctor", "--json"), "jumped")
    assert "the clock has gone back" in jumped["text"]


def test_nothing_that_it_prints_is_a_secret_or_says_who_you_are(shell, monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://alice:proxy-pass-1@proxy.corp.example:3128")
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("GROQ_API_KEY", "bad key with blanks gsk_0123456789")
    monkeypatch.setenv("LLMR_DEFAULT_MODEL", "gpt-4o")
    for arguments in (["doctor"], ["doctor", "--json"]):
        said = shell(*arguments)
        for secret in (KEY, "proxy-pass-1", "alice", "gsk_0123456789"):
            assert secret not in said.out + said.err
        assert "proxy.corp.example" in said.out
        assert str(shell.home) not in said.out
        assert "GROQ_API_KEY holds a blank" in said.out


def test_it_writes_nothing(shell):
    shell("doctor")
    before = {path: path.stat().st_mtime_ns for path in shell.home.rglob("*")}
    shell("doctor")
    assert {path: path.stat().st_mtime_ns for path in shell.home.rglob("*")} == before
    assert not (shell.home / ".local/state/llmr/state.db").exists()


def test_b51_without_a_home_it_still_looks(shell, monkeypatch):
    monkeypatch.setenv("HOME", "")
    said = shell("doctor", "--json")
    assert said.code == 0
    assert _findings(said, "home")[0]["verdict"] == "warn"


def test_directories_are_made_for_their_owner_alone(shell):
    previous = os.umask(0)
    try:
        shell("rank")
    finally:
        os.umask(previous)
    for directory in (".cache/llmr", ".cache/llmr/config", ".cache/llmr/names"):
        assert (shell.home / directory).stat().st_mode & 0o777 == 0o700


READERS = [
    (">/dev/full", (12,)),
    (">&-", (12,)),
    ("2>&-", (0,)),
    ("| true; exit ${PIPESTATUS[0]}", (0, 141)),
]
VIEWS = (
    ["doctor"],
    ["keys", "list"],
    ["config", "show", "--all", "--origin"],
    ["help", "env"],
    ["man"],
    ["completion", "zsh"],
)


@pytest.mark.parametrize("arguments", VIEWS, ids=" ".join)
@pytest.mark.parametrize("variables", [
    {"TERM": "dumb"}, {"NO_COLOR": "1"}, {"COLUMNS": "1"}, {"COLUMNS": "20"}, {"LANG": "C", "PYTHONIOENCODING": "ascii"}, {},
], ids=str)  # fmt: skip
def test_b58_every_view_of_setting_up_stands_any_terminal(shell, monkeypatch, arguments, variables):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    said = shell(*arguments)
    assert (said.code, said.err) == (0, "")
    assert "\x1b" not in said.out
    assert all(line == line.rstrip() for line in said.out.splitlines())


@pytest.mark.parametrize("arguments", VIEWS, ids=" ".join)
@pytest.mark.parametrize(("redirection", "codes"), READERS)
def test_b56_every_view_of_setting_up_ends_well_whatever_reads_it(tmp_path, arguments, redirection, codes):
    done = subprocess.run(
        ["bash", "-c", f"{LLMR} {' '.join(arguments)} {redirection}"],
        env={"HOME": str(tmp_path), "PATH": os.environ["PATH"]},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in codes
    assert "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) == (1 if codes == (12,) else 0)


def test_conversations_are_looked_at_as_what_is_learnt_is(shell, monkeypatch):
    monkeypatch.setenv("LLMR_SAVE", "1")
    shell.serve(a=[Behavior("hi")])
    shell("chat", "hi")
    (sound,) = _findings(shell("doctor", "--json"), "conversations")
    assert (sound["verdict"], sound["text"].endswith("1 turn")) == ("fine", True)
    path = shell.home / ".local/state/llmr/conversations.db"
    for each in path.parent.glob("conversations.db-*"):
        each.unlink()
    path.write_bytes(b"not a database at all" * 400)
    said = shell("doctor", "--json")
    (broken,) = _findings(said, "conversations")
    assert (said.code, broken["verdict"]) == (3, "bad")
    assert "not a database" in broken["text"]


def test_what_sqlite_keeps_beside_a_database_must_be_private_too(shell, monkeypatch):
    monkeypatch.setenv("LLMR_SAVE", "1")
    shell.serve(a=[Behavior("hi")])
    shell("chat", "hi")
    log = shell.home / ".local/state/llmr/conversations.db-wal"
    log.touch()
    log.chmod(0o644)
    (found,) = _findings(shell("doctor", "--json"), "conversations.db-wal")
    assert (found["verdict"], found["mend"]) == ("bad", "chmod 600 ~/.local/state/llmr/conversations.db-wal")


def test_a_template_that_cannot_be_used_is_told(shell):
    shell("templates", "save", "good", "Explain $input")
    folder = shell.home / ".config/llmr/templates"
    (folder / "bad.toml").write_text("prompt = 7\n")
    said = shell("doctor", "--json")
    (found,) = _findings(said, "template bad")
    assert (said.code, found["verdict"], found["mend"]) == (0, "warn", "llmr templates edit bad")
    assert _findings(said, "templates")[0]["verdict"] == "fine"


def test_extras_are_named_as_they_are_installed(shell):
    (found,) = _findings(shell("doctor", "--json"), "extras")
    assert "serve (uvicorn " in found["text"]
    assert "schema (jsonschema " in found["text"]
