"""`llmr config check`: everything that is wrong in one round; and that a broken file leads there."""

import json

import pytest

WRONG = """\
strategy = "fastst"
[providers.work]
base_ur = "https://x.example/v1"
[providers.openai]
weight = "heavy"
base_url = "ftp://x"
[models.m]
candidates = ["openai/gpt-4o", "opnai/gpt-4o"]
[[rules]]
name = "x"
onlyy = ["a/*"]
[timeouts]
stall_s = -1
"""
PLACES = [
    (1, "strategy"),
    (3, "providers.work.base_ur"),
    (5, "providers.openai.weight"),
    (6, "providers.openai.base_url"),
    (8, "models.m.candidates[1]"),
    (11, "rules[0].onlyy"),
    (13, "timeouts.stall_s"),
]


@pytest.fixture
def wrong(shell):
    file = shell.home / "wrong.toml"
    file.write_text(WRONG)
    return file


def test_what_types_hide_and_what_checks_find_is_told_in_one_round_and_in_the_files_order(shell, wrong):
    said = shell("config", "check", str(wrong))
    assert (said.code, said.out) == (3, "")
    assert [line.split(": ")[1:3] for line in said.err_lines] == [[f"wrong.toml:{line}", key] for line, key in PLACES]


def test_as_json_each_is_in_its_parts(shell, wrong):
    said = shell("config", "check", "--json", str(wrong))
    assert (said.code, said.err) == (3, "")
    assert (said.json["schema"], said.json["ok"], said.json["more"]) == ("llmr.check/1", False, 0)
    assert [(each["line"], each["key"]) for each in said.json["errors"]] == PLACES
    assert {each["file"] for each in said.json["errors"]} == {"wrong.toml"}
    assert [each["suggestion"] for each in said.json["errors"] if each["suggestion"]] == ["base_url", "openai", "only"]


def test_what_is_right_is_told_as_json_too(shell):
    shell.configure('[models.m]\ncandidates = ["openai/gpt-4o"]\n')
    said = shell("config", "check", "--json")
    assert said.code == 0
    assert (said.json["ok"], said.json["errors"]) == (True, [])
    assert str(shell.home / ".config/llmr/routing.toml") in said.json["files"]


def test_a_variable_that_means_nothing_is_told_with_the_one_that_was_meant(shell, monkeypatch):
    monkeypatch.setenv("LLMR_STRATEGI", "cost")
    said = shell("config", "check")
    assert (said.code, said.out.startswith("ok: ")) == (0, True)
    assert said.err == "llmr: LLMR_STRATEGI: unknown variable, ignored; did you mean LLMR_STRATEGY?\n"
    assert shell("config", "check", "--json").json["notices"] == [said.err.removeprefix("llmr: ").rstrip()]


def test_what_is_only_wrong_because_of_something_else_is_not_told(shell):
    (shell.home / "f.toml").write_text('[models.m]\ncandidates = "openai/gpt-4o"\n[models.n]\ncandidates = ["openai/x"]\n'
                                       'fallback = ["m"]\n')  # fmt: skip
    said = shell("config", "check", "f.toml")
    assert [line.split(": ")[2] for line in said.err_lines] == ["models.m.candidates"], "n's fallback is right"


def test_files_that_are_no_toml_are_all_named(shell, monkeypatch):
    shell.configure("mine = = 1\n")
    project = shell.home / "project"
    (project / ".git").mkdir(parents=True)
    (project / "routing.toml").write_text("\n\ntheirs\n")
    monkeypatch.chdir(project)
    said = shell("config", "check", "--json")
    assert [(each["file"], each["line"]) for each in said.json["errors"]] == [
        ("routing.toml", 3), ("~/.config/llmr/routing.toml", 1),
    ]  # fmt: skip


def test_a_key_that_would_go_astray_is_told_beside_a_typo_elsewhere(shell):
    shell.configure('strategy = "fastst"\n[providers.openai]\nbase_url = "https://other.example/v1"\n')
    said = shell("config", "check")
    assert said.code == 3
    assert "strategy: found 'fastst'" in said.err_lines[0]
    assert "OPENAI_API_KEY is not sent to https://other.example" in said.err_lines[1]


def test_thousands_of_errors_are_fifty_and_a_count(shell):
    shell.configure("".join(f"[providers.p{n}]\nbase_url = 7\n" for n in range(60)))
    said = shell("config", "check")
    assert len(said.err_lines) == 51
    assert said.err_lines[-1] == "llmr: and 10 more errors"


def test_the_file_is_named_once(shell, wrong):
    said = shell("config", "check", str(wrong), "--config", str(wrong))
    assert said.code == 2


def test_chat_with_a_broken_file_leads_to_the_check(shell):
    shell.configure('strategy = "fastst"\n')
    said = shell("chat", "hi")
    assert said.code == 3
    assert said.err_lines[1] == "  `llmr config check` tells everything that is wrong"
    assert json.loads(shell("chat", "--json", "hi").out)["error"]["hint"] == said.err_lines[1].strip()


# trust


@pytest.fixture
def project(shell, monkeypatch):
    shell.configure("")
    directory = shell.home / "project"
    (directory / ".git").mkdir(parents=True)
    monkeypatch.chdir(directory)

    def write(text):
        (directory / "routing.toml").write_text(text)
        return directory / "routing.toml"

    return write


WORK = """\
strategy = "cost"
[providers.work]
base_url = "https://llm.corp.example/v1/a-rather-long-path-that-fits-no-narrow-column"
headers = { x-team = "crimson" }
api_key_cmd = "op read x"
[timeouts]
stall_s = 7
"""


def test_trust_shows_each_setting_without_it_and_with_it_and_where_prompts_would_go(shell, project):
    file = project(WORK)
    said = shell("config", "trust")
    assert said.code == 0
    rows = {line.split()[0]: line.split()[1:] for line in said.out.splitlines()}
    assert rows["timeouts.stall_s"] == ["–", "7.0"]
    assert rows["providers.work.base_url"][1].startswith('"https://llm.corp.example')
    assert "strategy" not in rows, "that it may say anyhow"
    assert "prompts to work would go to https://llm.corp.example" in said.out
    assert "without a key" in said.out
    assert said.out.splitlines()[-1] == f"trusted {file} as it is now; any change of it ends that"
    assert "crimson" not in said.out + said.err
    assert "api_key_cmd: ignored: only the user's own file may set it" in said.err


def test_to_look_is_not_to_trust(shell, project):
    project(WORK)
    assert "timeouts.stall_s" in shell("config", "trust", "--show").out
    assert "llmr config trust" in shell("config", "check").err, "it is as little trusted as before"


def test_no_url_is_cut_on_a_narrow_screen(shell, project, monkeypatch):
    project(WORK)
    monkeypatch.setenv("COLUMNS", "60")
    assert "https://llm.corp.example/v1/a-rather-long-path-that-fits-no-narrow-column" in shell("config", "trust").out


def test_a_file_that_reaches_for_nothing_needs_no_trust(shell, project):
    project('strategy = "cost"\n')
    assert shell("config", "trust", "--show").out.startswith("it says nothing that an untrusted file may not say\n")


EVIL = """\
[providers.evil]
wire = "openai"
base_url = "https://evil.example/v1"
models = ["x"]
"""


def test_what_is_written_while_a_person_looks_is_not_vouched_for(shell, project, monkeypatch):
    import llmr.cli.config_trust

    project(WORK)
    shown = llmr.cli.config_trust._show_changes

    def swapped(*those):
        shown(*those)
        project(EVIL)  # as by `git checkout` in another window

    monkeypatch.setattr(llmr.cli.config_trust, "_show_changes", swapped)
    assert shell("config", "trust").code == 0
    assert "providers.evil" in shell("config", "check").err, "it was not shown, so it is not trusted"
    project(WORK)
    assert "timeouts.stall_s" not in shell("config", "check").err, "what was shown is"


def test_what_is_shown_is_the_file_that_is_named_and_nothing_that_stands_beside_it(shell, project):
    other = project('strategy = "cost"\n').with_name("evil2.toml")
    other.write_text(EVIL)
    assert "prompts to evil would go to https://evil.example/v1" in shell("config", "trust", "--show", str(other)).out


def test_a_named_configuration_does_not_hide_what_is_trusted(shell, project, monkeypatch):
    project(EVIL)
    named = shell.home / "named.toml"
    named.write_text("")
    monkeypatch.setenv("LLMR_CONFIG", str(named))
    assert "prompts to evil would go to https://evil.example/v1" in shell("config", "trust", "--show").out


def test_nothing_is_trusted_that_cannot_be_shown(shell, project):
    project(EVIL)
    shell.configure('strategy = "fastst"\n')
    said = shell("config", "trust")
    assert said.code == 3
    assert "strategy" in said.err
    assert "nothing is trusted" in said.err
    assert said.out == ""
    shell.configure("")
    assert "providers.evil" in shell("config", "check").err
