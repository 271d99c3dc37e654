"""`llmr config init | edit | show | check`: written right, edited safely, shown with who says it."""

import os
import pty
import subprocess
import sys
import sysconfig
import tomllib
from pathlib import Path

import pytest

from llmr.lab import Behavior

KEY = "sk-test-0123456789abcdef"
LLMR = Path(sysconfig.get_path("scripts")) / "llmr"


@pytest.fixture
def file(shell):
    return shell.home / ".config/llmr/routing.toml"


# init


def test_in_a_pipe_the_defaults_are_written_and_nobody_is_asked(shell, file):
    said = shell("config", "init")
    assert said.code == 0
    assert said.out == f"{file} is written\n"
    assert "  add one  llmr keys set openai\n  then     llmr chat hello\n" in said.err, "what is said to be tried works"
    written = tomllib.loads(file.read_text())
    assert (written["strategy"], written["default_model"]) == ("balanced", "everyday")
    assert file.stat().st_mode & 0o777 == 0o600
    assert shell("config", "check").code == 0


def test_what_it_shows_commented_out_is_right_too(shell, file):
    shell("config", "init")
    lines = file.read_text().splitlines()
    shown = [line.removeprefix("# ") if line.startswith(("# [", "# candidates", "# fallback", "# name", "# when", "# only",
             "# per_day")) else line for line in lines]  # fmt: skip
    shell.configure("\n".join(shown))
    assert shell("config", "check").err == ""


def test_what_is_found_is_told_and_written_down(shell, file, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    said = shell("config", "init")
    assert "found    openai: OPENAI_API_KEY is set" in said.err
    assert "  try it   llmr chat hello\n" in said.err
    assert "# [providers.openai] # OPENAI_API_KEY is set" in file.read_text()
    assert KEY not in file.read_text() + said.err + said.out


def test_a_file_that_is_there_is_not_replaced_without_a_word(shell, file):
    shell.configure('strategy = "cost" # mine\n')
    said = shell("config", "init")
    assert (said.code, "--force replaces it" in said.err) == (3, True)
    assert file.read_text() == 'strategy = "cost" # mine\n'
    assert shell("config", "init", "--force").code == 0
    assert file.with_name("routing.toml.old").read_text() == 'strategy = "cost" # mine\n'


def test_a_broken_file_can_be_replaced(shell, file):
    shell.configure("this is no toml")
    assert shell("config", "init", "--force").code == 0
    assert shell("config", "check").code == 0


def test_a_link_of_ones_own_is_followed(shell, file):
    (shell.home / "dotfiles").mkdir()
    target = shell.home / "dotfiles/routing.toml"
    target.write_text('strategy = "cost"\n')
    file.parent.mkdir(parents=True)
    file.symlink_to(target)
    assert shell("config", "init", "--force").code == 0
    assert file.is_symlink()
    assert "balanced" in target.read_text()


def test_without_a_home_there_is_nowhere_to_write(shell, monkeypatch):
    monkeypatch.setenv("HOME", "")
    said = shell("config", "init")
    assert (said.code, said.err) == (3, "llmr: there is nowhere to keep it: HOME is not set\n")


def _at_a_terminal(home, arguments, typed, **variables):
    """What a person sees who types these lines, one after each question."""
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [LLMR, *arguments], env={"HOME": str(home), "PATH": os.environ["PATH"], "TERM": "xterm", **variables}, cwd=home,
        stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
    )  # fmt: skip
    os.close(slave)
    seen, answers = "", list(typed)
    while True:
        try:
            piece = os.read(master, 4096)
        except OSError:
            break
        if not piece:
            break
        seen += piece.decode()
        if answers and seen.endswith(("] ", "limit ")):
            os.write(master, answers.pop(0).encode() + b"\n")
            seen += "\n"
    os.close(master)
    return process.wait(30), seen


def test_a_person_is_asked_and_a_typo_is_asked_again(tmp_path):
    code, seen = _at_a_terminal(tmp_path, ["config", "init"], ["latancy", "latency", "gpt-4o", "x", "2.50"])
    assert code == 0, seen
    assert "unknown: latancy; did you mean latency?" in seen
    assert "x is no amount above 0" in seen
    written = tomllib.loads((tmp_path / ".config/llmr/routing.toml").read_text())
    assert written["strategy"] == "latency"
    assert written["default_model"] == "gpt-4o"
    assert written["budget"] == {"per_day_usd": 2.5}


def test_enter_takes_the_defaults_and_no_is_no(tmp_path):
    assert _at_a_terminal(tmp_path, ["config", "init"], ["", "", ""])[0] == 0
    file = tmp_path / ".config/llmr/routing.toml"
    before = file.read_text()
    code, seen = _at_a_terminal(tmp_path, ["config", "init"], ["n"])
    assert (code, "Replace it?" in seen) == (3, True)
    assert file.read_text() == before


# edit


def _editor(shell, body):
    program = shell.home / "editor"
    program.write_text(f"#!{sys.executable}\nimport os, sys\nfile = sys.argv[-1]\n{body}\n")
    program.chmod(0o755)
    shell.monkeypatch.setenv("EDITOR", f"{program} --wait")
    return program


def test_a_right_edit_takes_the_files_place(shell, file):
    shell.configure('strategy = "cost" # mine\n')
    _editor(shell, "text = open(file).read(); open(file, 'w').write(text.replace('cost', 'latency'))")
    said = shell("config", "edit")
    assert (said.code, said.out) == (0, f"{file} is written and right\n")
    assert file.read_text() == 'strategy = "latency" # mine\n'


def test_a_wrong_edit_never_does_and_is_not_lost(shell, file):
    shell.configure('strategy = "cost"\n')
    _editor(shell, "open(file, 'a').write('stratgy = 1\\ndefault_modl = 2\\n')")
    said = shell("config", "edit")
    assert said.code == 3
    assert "~/.config/llmr/routing.toml:2: stratgy: unknown key; did you mean strategy?" in said.err
    assert "~/.config/llmr/routing.toml:3: default_modl: unknown key; did you mean default_model?" in said.err
    assert file.read_text() == 'strategy = "cost"\n'
    assert "stratgy" in file.with_name("routing.toml.rejected").read_text()
    assert shell("config", "check").code == 0


def test_the_editor_gets_no_key(shell, file, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("LLMR_SERVE_TOKEN", KEY)
    shell.configure("\n")
    _editor(shell, f"open(file, 'w').write('# clean' if {KEY!r} not in os.environ.values() else 'dirty')")
    assert shell("config", "edit").code == 0
    assert file.read_text() == "# clean"


@pytest.mark.parametrize("more", ["", "stratgy = 1\n", "no TOML at all\n"])
def test_nor_one_under_a_name_that_the_file_says_however_broken_it_is(shell, file, monkeypatch, more):
    shell.configure(f'{more}[providers.work]\nbase_url = "https://x.example/v1"\napi_key_env = "WORK_SECRET"\n')
    monkeypatch.setenv("WORK_SECRET", KEY)
    _editor(shell, f"open(file, 'w').write('# clean' if {KEY!r} not in os.environ.values() else 'dirty')")
    assert shell("config", "edit").code == 0
    assert file.read_text() == "# clean"


def test_no_change_no_write_and_a_failing_editor_is_told(shell, file):
    shell.configure("\n")
    _editor(shell, "pass")
    assert shell("config", "edit").out == "nothing was changed\n"
    _editor(shell, "sys.exit(7)")
    said = shell("config", "edit")
    assert (said.code, "ended with code 7; nothing was changed" in said.err) == (2, True)
    shell.monkeypatch.setenv("EDITOR", "/nowhere/vi")
    assert "cannot be run: no such file or directory; set LLMR_EDITOR" in shell("config", "edit").err
    shell.monkeypatch.setenv("EDITOR", "vi 'open")
    assert "cannot be read as a command" in shell("config", "edit").err


def test_a_first_edit_begins_with_the_commented_file(shell, file):
    _editor(shell, "text = open(file).read(); open(file, 'w').write(text + '# and mine\\n')")
    assert shell("config", "edit").code == 0
    assert "# and mine" in file.read_text()
    assert file.stat().st_mode & 0o777 == 0o600


# show


def test_every_setting_shows_who_says_it_and_where(shell, file, monkeypatch):
    shell.configure(
        'strategy = "cost"\n\n[providers.work]\nbase_url = "https://llm.corp.example/v1"\n'
        'headers = { X-Token = "very-secret" }\n'
        '[[rules]]\nname = "mine"\nwhen = { tags = ["x"] }\nonly = ["work/*"]\n'
    )
    monkeypatch.setenv("LLMR_TIMEOUTS__STALL_S", "7")
    said = shell("config", "show", "--origin", "--json")
    assert said.json["schema"] == "llmr.config/1"
    rows = {row["key"]: row for row in said.json["settings"]}
    where = {key: (row["scope"], row["where"]) for key, row in rows.items()}
    assert where["strategy"][0] == "user"
    assert where["strategy"][1].endswith(".config/llmr/routing.toml:1")
    assert where["rules[0].only"][1].endswith("routing.toml:9")
    assert where["timeouts.stall_s"] == ("environment", "LLMR_TIMEOUTS__STALL_S")
    assert rows["timeouts.stall_s"]["value"] == 7
    assert rows["providers.work.headers.X-Token"]["value"] == "***"
    assert "very-secret" not in said.out
    assert "providers.openai.base_url" not in rows


def test_what_llmr_ships_is_shown_when_asked_for(shell):
    said = shell("config", "show")
    assert "nothing is set beyond what llmr ships" in said.out
    assert "providers.openai.base_url = " in shell("config", "show", "--all").out
    lines = shell("config", "show", "providers.openai").out.splitlines()
    assert 'providers.openai.base_url = "https://api.openai.com/v1"' in lines
    assert all(line.startswith("providers.openai.") for line in lines)
    assert "known" in shell("config", "show", "providers.openai", "--origin").out


def test_a_setting_that_there_is_not_is_a_usage_error(shell):
    said = shell("config", "show", "provdiers")
    assert (said.code, "did you mean providers?" in said.err) == (2, True)


def test_a_key_in_the_wrong_place_is_masked(shell):
    shell.configure('[providers.work]\nbase_url = "https://x.example/v1"\napi_key_cmd = "echo sk-oops-0123456789"\n')
    said = shell("config", "show", "--origin")
    assert "sk-oops" not in said.out
    assert "***" in said.out


def test_a_project_shows_as_what_it_is(shell):
    (shell.home / "repo/.git").mkdir(parents=True)
    (shell.home / "repo/routing.toml").write_text(
        'strategy = "latency"\n[providers.openai]\nbase_url = "https://evil.example"\n'
    )
    shell.monkeypatch.chdir(shell.home / "repo")
    said = shell("config", "show", "--origin", "--json")
    rows = {row["key"]: row for row in said.json["settings"]}
    assert (rows["strategy"]["scope"], rows["strategy"]["where"]) == ("project", "routing.toml:1")
    assert "evil" not in said.out
    assert "ignored" in said.err


# check


def test_everything_that_is_wrong_is_told_with_its_line(shell):
    shell.configure('stratgy = "cost"\n\n[timeouts]\nstall_s = "soon"\n[providers.x]\nbase_url = "ftp://x"\n')
    said = shell("config", "check")
    assert said.code == 3
    assert [line.split(": ")[1].rpartition(":")[2] for line in said.err_lines] == ["1", "4", "6"]
    shell.configure('[providers.x]\nbase_url = "ftp://x"\n[providers.y]\nwire = "smtp"\n')
    said = shell("config", "check")
    assert "routing.toml:4: providers.y.wire" in said.err


def test_a_right_file_is_ok(shell):
    shell.serve(a=[Behavior("hi")])
    said = shell("config", "check")
    assert (said.code, said.err) == (0, "")
    assert said.out.startswith("ok: ")
