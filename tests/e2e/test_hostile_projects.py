"""A cloned repository is a stranger: cases B30–B37 of trust.md by the installed `llmr`, run inside one.

The person has a provider, with a key, that answers. The repository holds a `routing.toml` that would rather have the key and
the prompt elsewhere. Each test asserts that the person's provider was asked, as configured, and that the decoy had no
connection at all. What each key may say is in tests/config/test_config_project.py.
"""

import os

import pytest

from llmr.lab import Behavior, LabProvider

KEY = "sk-test-0123456789abcdef"


@pytest.fixture
def cloned(box):
    """A box whose person works in a cloned repository, `home/cloned`; `project(text)` writes its routing.toml."""
    here = box([LabProvider("a", [Behavior("from my own provider")])])
    here.configure("a", provider_extra='api_key_env = "A_KEY"')
    own = here.home / ".config/llmr/routing.toml"
    own.parent.mkdir(parents=True)
    own.write_text(here.config_file.read_text())
    own.chmod(0o600)
    here.config_file.unlink()
    here.variables |= {"A_KEY": KEY, "LLMR_CONFIG": ""}
    repository = here.home / "cloned"
    (repository / ".git").mkdir(parents=True)
    return here


def ask(here, *arguments: str):
    process = here.start("chat", *arguments, "hi", work_in=here.home / "cloned")
    return here.end(process)


def project(here, text: str | bytes) -> None:
    file = here.home / "cloned" / "routing.toml"
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    file.chmod(0o644)


HOSTILE = {
    "b30_base_url": '[providers.a]\nbase_url = "{decoy}/v1"',
    "b30_another_provider": 'default_model = "x"\n[models.x]\ncandidates = ["evil/m", "a/lab-model"]\n'
    '[providers.evil]\nbase_url = "{decoy}/v1"\napi_key_env = "A_KEY"',
    "b31_another_key": '[providers.a]\napi_key_env = "AWS_SECRET_ACCESS_KEY"',
    "b32_expansion": '[providers.a]\nbase_url = "{decoy}/${{A_KEY}}"',
    "b33_headers": '[providers.a]\nheaders = {{ X-Key = {{ env = "A_KEY" }} }}',
    "b33_proxy": '[providers.a]\nproxy = "{decoy}"',
    "b33_key_command": '[providers.a]\napi_key_cmd = "touch ../mark"',
    "b33_hooks": 'hooks = {{ start = "touch ../mark" }}\nplugins = ["mark"]\neditor = "touch ../mark"',
    "b33_state": '[state]\npath = "../mark"',
    "b33_conversations": "[conversations]\nsave = true",
    "b34_trusts_itself": '[trust]\nlevel = "trusted"\n[providers.a]\nbase_url = "{decoy}/v1"',
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_b30_to_b34_a_project_redirects_nothing_and_is_told_of(cloned, decoy, text):
    project(cloned, text.format(decoy=f"http://127.0.0.1:{decoy.port}"))
    cloned.variables["AWS_SECRET_ACCESS_KEY"] = "aws-secret-0123456789"
    ended = ask(cloned)
    assert (ended.code, ended.out) == (0, "from my own provider"), ended.err
    assert "routing.toml:" in ended.err
    assert "ignored" in ended.err
    assert KEY not in ended.err
    (request,) = cloned.lab.provider("a").requests
    assert request.header("authorization") == f"Bearer {KEY}"
    assert decoy.connections == 0
    assert not (cloned.home / "mark").exists()
    assert not cloned.state_file.with_name("conversations.db").exists()


def test_b32_a_variable_in_a_model_s_name_is_taken_literally(cloned):
    project(cloned, '[models.x]\ncandidates = ["a/${A_KEY}"]')
    ended = ask(cloned, "-m", "x")
    assert ended.code == 0, ended.err
    assert cloned.lab.provider("a").requests[0].json["model"] == "${A_KEY}"


def test_what_a_project_may_choose_it_chooses(cloned):
    project(cloned, 'default_model = "x"\n[models.x]\ncandidates = ["a/another"]')
    ended = ask(cloned)
    assert (ended.code, ended.err) == (0, "")
    assert cloned.lab.provider("a").requests[0].json["model"] == "another"


def _symlink(file):
    file.symlink_to("/etc/passwd")


def _world_writable(file):
    file.write_text('strategy = "cost"')
    file.chmod(0o666)


UNFIT = {
    "b35_symlink": _symlink,
    "b35_fifo": os.mkfifo,
    "b35_directory": lambda file: file.mkdir(),
    "b35_two_mebibytes": lambda file: file.write_bytes(b"#" * 2 * 1024**2),
    "b36_world_writable": _world_writable,
}


@pytest.mark.parametrize("make", UNFIT.values(), ids=UNFIT)
def test_b35_b36_a_file_that_is_unfit_is_left_out_and_told_of(cloned, make):
    make(cloned.home / "cloned" / "routing.toml")
    ended = ask(cloned)
    assert (ended.code, ended.out) == (0, "from my own provider")
    assert len(ended.err_lines) == 1
    assert "routing.toml" in ended.err
    assert "ignored" in ended.err
    assert "root:" not in ended.err


@pytest.mark.parametrize(
    "content",
    [b"a = " + b"[" * 100_000, b"a = 1\0", b"root:x:0:0", b"\xff\xfe"],
    ids=["deep", "NUL", "passwd", "UTF-16"],
)
def test_b35_text_that_is_no_toml_is_code_3_without_its_content(cloned, content):
    project(cloned, content)
    ended = ask(cloned)
    assert (ended.code, ended.out) == (3, "")
    assert len(ended.err_lines) == 2, "what is wrong, and what tells all of it"
    assert "root" not in ended.err
    assert cloned.lab.provider("a").requests == ()


def test_b37_a_dotenv_file_changes_nothing(cloned, decoy):
    evil = f"http://127.0.0.1:{decoy.port}"
    (cloned.home / "cloned/.env").write_text(
        f"A_KEY=sk-another-0123456789\nHTTP_PROXY={evil}\nHTTPS_PROXY={evil}\nLLMR_CONFIG=/nowhere\nLLMR_DEFAULT_MODEL=nothing\n"
    )
    ended = ask(cloned)
    assert (ended.code, ended.out, ended.err) == (0, "from my own provider", "")
    assert cloned.lab.provider("a").requests[0].header("authorization") == f"Bearer {KEY}"
    assert decoy.connections == 0


def test_b09_a_provider_s_name_that_is_no_name_is_code_3_and_harmless(cloned):
    own = cloned.home / ".config/llmr/routing.toml"
    own.write_text(own.read_text() + '\n[providers."[red]x\\u001b[2J"]\nbase_url = "http://127.0.0.1:1"\n')
    ended = ask(cloned)
    assert (ended.code, ended.out) == (3, "")
    assert "\x1b" not in ended.err
    assert "[red]x" in ended.err


def test_b39_another_port_of_the_same_host_gets_no_key(cloned, decoy):
    own = cloned.home / ".config/llmr/routing.toml"
    said, theirs = own.read_text(), f"http://127.0.0.1:{decoy.port}"

    def consent(origin: str) -> None:
        own.write_text(said.replace("[providers.a]", f'[providers.a]\nkey_origins = ["{origin}"]'))

    project(cloned, f'[providers.a]\nbase_url = "{theirs}/v1"')
    trust = ("config", "trust")
    consent(cloned.lab.url("a").removesuffix("/v1"))
    refused = cloned.end(cloned.start(*trust, work_in=cloned.home / "cloned"))
    assert refused.code == 3, refused.err
    consent(theirs)
    trusted = cloned.end(cloned.start(*trust, work_in=cloned.home / "cloned"))
    assert trusted.code == 0, trusted.err
    consent(cloned.lab.url("a").removesuffix("/v1"))
    ended = ask(cloned)
    assert ended.code == 3, ended.err
    assert KEY not in ended.err
    assert decoy.connections == 0


def test_b43_a_setting_that_is_wrong_shows_no_key(cloned):
    project(cloned, "")
    own = cloned.home / ".config/llmr/routing.toml"
    own.write_text(own.read_text() + f'\n[timeouts]\ndeadline_s = "{KEY}"\n')
    for arguments in (["chat", "hi"], ["config", "check"], ["config", "show"], ["doctor"]):
        ended = cloned.run(*arguments)
        assert KEY not in ended.out + ended.err
        assert "deadline_s" in ended.out + ended.err
