"""Completion in the shells themselves: sourced, asked, and no Python started (the shell's PATH has none).

The man page is made of the same tree. Whether what a wheel ships is current: tests/test_shipped.py.
"""

import os
import pty
import re
import select
import shutil
import subprocess
import time

import pytest

from llmr.cli.completion import script
from llmr.cli.man import man_page
from llmr.cli.tree import Values, command_tree
from llmr.config.environment import Environment
from llmr.config.names import write_names
from llmr.lab import Behavior

NAMES = {
    "models": [
        "claude-sonnet",
        "gpt-4o",
        "gpt-4o-mini",
        "ollama/qwen3:8b",
        "ollama/qwen3:32b",
        "openai/gpt-4o",
        "openai/o5",
    ],
    "providers": ["ollama", "openai", "xai"],
    "conversations": ["bce0c97d4a", "b261cc500f", "4b3648eac9"],
    "requests": ["91a830e0f85c44ed", "c70682db430ce40c"],
}

ASKED = [
    ("llmr ch", {"chat"}),
    ("llmr rank --str", {"--strategy"}),
    ("llmr chat -m gpt", {"gpt-4o", "gpt-4o-mini"}),
    ("llmr chat --model claude", {"claude-sonnet"}),
    ("llmr chat -m openai/", {"openai/gpt-4o", "openai/o5"}),
    ("llmr chat hello -p x", {"xai"}),
    ("llmr chat --strategy bal", {"balanced"}),
    ("llmr providers reset op", {"openai"}),
    ("llmr keys se", {"set"}),
    ("llmr keys set ol", {"ollama"}),
    ("llmr completion z", {"zsh"}),
    ("llmr help exit", {"exit-codes"}),
    ("llmr chat -t rev", {"review"}),
    ("llmr templates edit re", {"review", "reword"}),
    ("llmr chat --color al", {"always"}),
    ("llmr keys import l", {"llm"}),
    ("llmr stats --by mo", {"model"}),
    ("llmr simulate -w out", {"outage"}),
    ("llmr log show b", {"bce0c97d4a", "b261cc500f"}),
    ("llmr chat --conversation 4", {"4b3648eac9"}),
    ("llmr explain c7", {"c70682db430ce40c"}),
    ("llmr nonsense qq", set()),
]


@pytest.fixture
def home(tmp_path):
    directory = tmp_path / ".cache/llmr/names"
    directory.mkdir(parents=True)
    for name, lines in NAMES.items():
        (directory / name).write_text("".join(f"{line}\n" for line in lines))
    templates = tmp_path / ".config/llmr/templates"
    templates.mkdir(parents=True)
    for name in ("review", "reword", "plain"):
        (templates / f"{name}.toml").write_text("")
    return tmp_path


def _shell(name):
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"{name} is not installed here")
    return path


def _run(program, home, *arguments):
    return subprocess.run(
        [program, *arguments],
        env={"HOME": str(home), "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"},  # where the shells are, and no llmr
        cwd=home, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip


# bash


def _bash(home, line):
    (home / "llmr.bash").write_text(script("bash"))
    asking = 'source ./llmr.bash; COMP_LINE=$1 COMP_POINT=${#1}; _llmr; printf "%s\\n" "${COMPREPLY[@]}"'
    done = _run(_shell("bash"), home, "-c", asking, "bash", line)
    assert done.stderr == ""
    return {reply for reply in done.stdout.splitlines() if reply}


@pytest.mark.parametrize(("line", "replies"), ASKED)
def test_bash_completes(home, line, replies):
    assert _bash(home, line) == replies


def test_bash_offers_a_providers_models_once_its_slash_is_there(home):
    assert _bash(home, "llmr chat -m o") == {"ollama/", "openai/"}


def test_bash_completes_behind_an_equals_sign_a_colon_and_an_at(home):
    (home / "notes.txt").write_text("")
    assert _bash(home, "llmr chat --model=cl") == {"claude-sonnet"}
    assert _bash(home, "llmr chat -m ollama/qwen3:8") == {"8b"}  # readline keeps what stands before the colon
    assert _bash(home, "llmr chat @no") == {"@notes.txt"}
    assert _bash(home, "llmr chat --config no") == {"notes.txt"}


def test_bash_completes_without_a_cache_file(tmp_path):
    assert _bash(tmp_path, "llmr chat -m gpt") == set()
    assert _bash(tmp_path, "llmr chat --mod") == {"--model"}


def test_a_name_in_the_cache_is_never_run(home):
    (home / ".cache/llmr/names/models").write_text("gpt$(touch owned)\ngpt`touch owned`\n")
    assert _bash(home, "llmr chat -m gpt") == {"gpt$(touch owned)", "gpt`touch owned`"}
    assert not (home / "owned").exists()


# fish


@pytest.mark.parametrize(("line", "replies"), ASKED)
def test_fish_completes(home, line, replies):
    fish = _shell("fish")
    (home / "llmr.fish").write_text(script("fish"))
    done = _run(fish, home, "--no-config", "-c", "source llmr.fish; complete -C $argv[1]", line)
    assert done.stderr == ""
    assert {reply.partition("\t")[0] for reply in done.stdout.splitlines()} == replies


# A person at the keyboard


def _typed(program, home, setup, line):
    """What the shell's line holds after TAB, as the shell itself says it when the line is run."""
    master, slave = pty.openpty()
    environment = {"HOME": str(home), "PATH": "/usr/bin:/bin", "TERM": "dumb", "LANG": "C.UTF-8", "PS1": "> "}
    process = subprocess.Popen(
        program, env=environment, cwd=home, stdin=slave, stdout=slave, stderr=slave, start_new_session=True
    )
    os.close(slave)
    seen = ""

    def until(pattern, seconds=20.0):
        nonlocal seen
        ends = time.monotonic() + seconds
        while not re.search(pattern, seen):
            left = ends - time.monotonic()
            assert left > 0, seen
            if select.select([master], [], [], left)[0]:
                seen += os.read(master, 4096).decode("utf-8", "replace")

    try:
        os.write(master, f"{setup}; echo rea''dy\n".encode())
        until(r"(?m)^ready")
        seen = ""
        os.write(master, f"{line}\t\n".encode())
        until(r"<[^>]*>\r?\n")
        return re.findall(r"<([^>\n]*)>\r?\n", seen)[-1]
    finally:
        process.kill()
        process.wait()
        os.close(master)


TYPED = [
    ("chat -m claude", "chat -m claude-sonnet"),
    ("chat -m ollama/qwen3:8", "chat -m ollama/qwen3:8b"),
    ("ra", "rank"),
]


@pytest.mark.parametrize(("typed", "completed"), TYPED)
def test_a_tab_in_bash(home, typed, completed):
    (home / "llmr.bash").write_text(script("bash"))
    program = [_shell("bash"), "--norc", "--noprofile", "-i"]
    setup = 'source ./llmr.bash; llmr() { echo "<$*>"; }'
    assert _typed(program, home, setup, f"llmr {typed}") == completed


@pytest.mark.parametrize(("typed", "completed"), [*TYPED, ("chat --strategy bal", "chat --strategy balanced")])
def test_a_tab_in_zsh(home, typed, completed):
    (home / "llmr.zsh").write_text(script("zsh"))
    program = [_shell("zsh"), "-f", "-i"]
    setup = (
        'unsetopt zle_bracketed_paste; autoload -U compinit; compinit -u; source ./llmr.zsh; llmr() { echo "<$*>"; }'
    )
    assert _typed(program, home, setup, f"llmr {typed}") == completed


def test_a_tab_in_zsh_where_the_script_is_autoloaded(home):
    (home / "functions").mkdir()
    (home / "functions/_llmr").write_text(script("zsh"))
    program = [_shell("zsh"), "-f", "-i"]
    setup = 'fpath=($PWD/functions $fpath); autoload -U compinit; compinit -u; llmr() { echo "<$*>"; }'
    assert _typed(program, home, setup, "llmr chat -m claude") == "chat -m claude-sonnet"


# What they are made of


def test_every_command_and_option_is_in_every_script_and_in_the_man_page():
    scripts = [script("bash"), script("zsh"), script("fish")]
    page = man_page(command_tree()).replace("\\-", "-")
    for node in command_tree().walk():
        for text in (*scripts, page):
            assert node.name in text
        for option in node.options:
            for name in option.names:
                assert name in page
                if name.startswith("--"):
                    assert name in scripts[0]
                    assert name in scripts[1]
                    assert f"-l {name[2:]}" in scripts[2]


def test_an_unknown_shell_is_a_usage_error(shell):
    said = shell("completion", "tcsh")
    assert (said.code, "known: bash, zsh, fish" in said.err) == (2, True)


@pytest.mark.parametrize(("name", "place"), [
    ("bash", ".local/share/bash-completion/completions/llmr"),
    ("zsh", ".local/share/zsh/site-functions/_llmr"),
    ("fish", ".config/fish/completions/llmr.fish"),
])  # fmt: skip
def test_a_script_is_installed_where_the_shell_looks(shell, name, place):
    said = shell("completion", name, "--install")
    assert said.code == 0
    assert (shell.home / place).read_text() == script(name)


def test_options_that_take_names_or_files_are_known_as_such():
    chat = next(node for node in command_tree().children if node.name == "chat")
    values = {option.names[0]: option.values for option in chat.options}
    assert values["--model"] is Values.MODELS
    assert values["--provider"] is Values.PROVIDERS
    assert values["--config"] is Values.FILES
    assert values["--json"] is Values.NOTHING


def test_the_man_page_is_roff_without_a_warning(tmp_path):
    groff = _shell("groff")
    page = tmp_path / "llmr.1"
    page.write_text(man_page(command_tree()))
    done = subprocess.run([groff, "-man", "-Tutf8", "-P-cbou", "-ww", page], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert "llmr - The LLM router that lives in your terminal" in done.stdout
    for heading in ("NAME", "SYNOPSIS", "EXIT STATUS", "ENVIRONMENT", "FILES"):
        assert heading in done.stdout


def test_the_page_is_printed(shell):
    assert shell("man").out == man_page(command_tree())


# The cache file


def test_names_that_are_not_plain_never_reach_a_shell(tmp_path):
    environment = Environment.of({"HOME": str(tmp_path)}, cwd=tmp_path)
    row = {"off": None, "models": {"fine-1": {}, "a b": {}, "$(x)": {}}}
    normal = {
        "providers": {"mine": row, "gone": {"off": "turned off", "models": {"x": {}}}},
        "names": {
            "good": {"candidates": ["mine/fine-2", "mine/'q'"]},
            "`bad`": {"candidates": []},
            "-x": {"candidates": []},
        },
    }
    write_names(environment, normal)
    directory = tmp_path / ".cache/llmr/names"
    assert (directory / "providers").read_text() == "mine\n"
    assert (directory / "models").read_text().splitlines() == ["good", "mine/fine-1", "mine/fine-2"]
    assert (directory / "models").stat().st_mode & 0o777 == 0o600


def test_a_run_after_a_change_of_settings_writes_them_and_the_next_one_does_not(shell):
    shell.configure('[models.my-own]\ncandidates = ["openai/gpt-4o"]\n')
    shell("rank")
    file = shell.home / ".cache/llmr/names/models"
    assert "my-own" in file.read_text().splitlines()
    assert "openai/gpt-4o" in file.read_text().splitlines()
    before = file.stat().st_mtime_ns
    shell("rank")
    assert file.stat().st_mtime_ns == before


def test_the_ids_of_what_was_said_last_are_there_for_the_shells_and_a_purge_takes_them_away(shell, monkeypatch):
    monkeypatch.setenv("LLMR_SAVE", "1")
    shell.serve(a=[Behavior("hi")])
    said = shell("chat", "--json", "hi").json
    shell("chat", "hi")
    names = shell.home / ".cache/llmr/names"
    ids = (names / "conversations").read_text().splitlines()
    assert (len(ids), ids[-1]) == (2, said["conversation_id"]), "the newest first"
    assert (names / "requests").read_text().splitlines()[-1] == said["id"]
    assert (names / "requests").stat().st_mode & 0o777 == 0o600
    assert shell("log", "purge", "--all", "--yes").code == 0
    assert not (names / "conversations").exists()
    assert not (names / "requests").exists()
