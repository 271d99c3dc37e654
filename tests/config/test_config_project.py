"""What a project's own routing.toml may say, trusted and untrusted (trust.md §3, B30–B37)."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path
from time import process_time
from typing import Any

import pytest
from fakes import request
from vouching import trust

from llmr.catalog import Strategy
from llmr.config.trusted import sha256_of
from llmr.errors import ConfigError, StateError, TrustError
from llmr.routing.policy import Policy
from llmr.routing.rules import Rule, RulesEngine
from llmr.routing.situation import Situation

World = Any  # the fixture, see conftest.py
KEY = {"OPENAI_API_KEY": "sk-test-0123456789abcdef"}


class Decoy:
    """A listener that must stay alone."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._socket.setblocking(False)
        self.port = self._socket.getsockname()[1]

    def visitors(self) -> int:
        try:
            self._socket.accept()[0].close()
        except BlockingIOError:
            return 0
        return 1

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def decoy() -> Iterator[Decoy]:
    listener = Decoy()
    yield listener
    assert listener.visitors() == 0
    listener.close()


# What an untrusted file may say


def test_a_project_may_choose_among_what_the_user_has(world: World) -> None:
    world.user('[providers.work]\nbase_url = "https://llm.corp.example/v1"\n')
    world.repo(
        """
        strategy = "cost"
        default_model = "here"
        second_is_worth_usd = 0.5
        [models.here]
        candidates = ["work/m", "openai/gpt-4o"]
        fallback = ["claude-sonnet"]
        quality = 0.4
        [[rules]]
        avoid = ["openai/*"]
        [providers.work]
        weight = 3
        """
    )
    config = world.load()
    assert config.notices == ()
    assert config.policy.strategy is Strategy.COST
    assert config.policy.second_is_worth_usd == 0.5
    assert config.catalog.default_model == "here"
    assert config.catalog.names["here"].candidates == ("work/m", "openai/gpt-4o")
    assert config.catalog.names["here"].fallback == ("claude-sonnet",)
    assert config.catalog.providers["work"].weight == 3
    assert config.rules[-1].avoid == ("openai/*",)


def test_the_users_rules_are_asked_before_a_projects(world: World) -> None:
    world.user('[[rules]]\nname = "mine"\ndeny = "no"\nwhen = { tags = ["x"] }\n')
    world.repo('[[rules]]\nname = "theirs"\nprefer = ["openai/*"]\n')
    assert [rule.name for rule in world.load().rules] == ["mine", "theirs"]


@pytest.mark.parametrize("own", [None, "", 'strategy = "cost"\n'])
@pytest.mark.parametrize("is_trusted", [False, True])
def test_where_the_user_has_no_rules_the_shipped_ones_are_asked_before_a_projects(
    world: World, own: str | None, is_trusted: bool
) -> None:
    """A cloned repository must not get before "private stays at home"."""
    if own is not None:
        world.user(own)
    world.repo('[[rules]]\nname = "theirs"\nprefer = ["openai/*"]\n')
    if is_trusted:
        trust(None, world.environment())
    config = world.load()
    assert [rule.name for rule in config.rules] == [
        "private stays at home",
        "long prompts prefer long windows",
        "theirs",
    ]


@pytest.mark.parametrize(
    "theirs",
    [
        'rules = []\n[models.m]\ncandidates = ["openai/m", "ollama/m"]\n',
        '[[rules]]\nonly = ["openai/*"]\n',
        '[[rules]]\ntags = ["public"]\ncontinue = true\n[[rules]]\nwhen.tags = ["private"]\nprefer = ["openai/*"]\n',
        '[[rules]]\nname = "private stays at home"\nwhen.tags = ["private"]\nonly = ["openai/*"]\n',
        '[[rules]]\nmodels = ["gpt-4o"]\n',
    ],
)
@pytest.mark.parametrize(
    "own", [None, 'strategy = "cost"\n', '[[rules]]\nwhen.tags = ["private"]\nonly = ["ollama/*"]\n']
)
def test_whatever_rules_a_project_has_private_stays_at_home(world: World, theirs: str, own: str | None) -> None:
    if own is not None:
        world.user(own)
    config = world.repo(theirs).load(**KEY)
    asked = request(model="m" if "models.m" in theirs else "local", tags=("private",))
    plan = RulesEngine(config.rules, config.policy.strategy).evaluate(
        asked, config.catalog, prompt_tokens=200_000, situation=Situation(0)
    )
    assert plan.candidates
    assert {candidate.model.provider.name for candidate in plan.candidates} <= {
        "ollama",
        "lmstudio",
        "llamacpp",
        "vllm",
    }


def test_the_shipped_taste_for_long_windows_does_not_shield_from_a_projects_rules(world: World) -> None:
    config = world.repo('[[rules]]\nonly = ["groq/*"]\n').load()
    plan = RulesEngine(config.rules, config.policy.strategy).evaluate(
        request(), config.catalog, prompt_tokens=200_000, situation=Situation(0)
    )
    assert {candidate.model.provider.name for candidate in plan.candidates} == {"groq"}


def test_candidates_at_providers_that_this_user_lacks_are_left_out(world: World) -> None:
    world.repo(
        'default_model = "gone"\n[models.here]\ncandidates = ["work/m", "openai/m"]\n[models.gone]\ncandidates = ["work/m"]\n'
    )
    config = world.load()
    assert config.catalog.names["here"].candidates == ("openai/m",)
    assert "gone" not in config.catalog.names
    assert config.catalog.default_model == "everyday"
    assert [notice.split(": ", 1)[1] for notice in config.notices] == [
        "models.here.candidates[0]: ignored: no provider 'work' is known",
        "models.gone.candidates[0]: ignored: no provider 'work' is known",
    ]


def test_a_wrong_value_of_an_open_key_is_an_error(world: World) -> None:
    world.repo('\nstrategy = "fastest"\n')
    with pytest.raises(ConfigError, match=r"^routing\.toml:2: strategy: found 'fastest'"):
        world.load()


# What an untrusted file may not say


def test_b30_a_project_cannot_redirect_a_provider(world: World, decoy: Decoy) -> None:
    world.repo(f'[providers.openai]\nbase_url = "http://127.0.0.1:{decoy.port}/v1"\n')
    config = world.load(**KEY)
    assert config.catalog.providers["openai"].base_url == "https://api.openai.com/v1"
    assert config.notices == (
        "routing.toml:2: providers.openai.base_url: ignored: a project's file may not set it; trust it: llmr config trust",
    )


def test_b30_a_project_cannot_add_a_provider(world: World, decoy: Decoy) -> None:
    world.repo(
        f"""
        default_model = "x"
        [models.x]
        candidates = ["decoy/m", "openai/m"]
        [providers.decoy]
        weight = 5
        base_url = "http://127.0.0.1:{decoy.port}/v1"
        """
    )
    config = world.load(**KEY)
    assert "decoy" not in config.catalog.providers
    assert config.catalog.names["x"].candidates == ("openai/m",)
    assert len(config.notices) == 3


def test_b31_a_project_cannot_name_a_variable(world: World) -> None:
    world.repo('[providers.openai]\napi_key_env = "AWS_SECRET_ACCESS_KEY"\n')
    config = world.load(AWS_SECRET_ACCESS_KEY="aws-secret-value-1")
    assert config.catalog.providers["openai"].off_reason == "OPENAI_API_KEY is not set"
    assert len(config.notices) == 1
    assert config.secrets() == ()


def test_b32_nothing_is_expanded_in_a_project_file(world: World) -> None:
    world.repo(
        '[models.x]\ncandidates = ["openai/${OPENAI_API_KEY}"]\n[providers.openai]\nbase_url = "https://${OPENAI_API_KEY}.example"\n'
    )
    config = world.load(**KEY)
    assert config.catalog.names["x"].candidates == ("openai/${OPENAI_API_KEY}",)
    assert "routing.toml:2: models.x.candidates[0]: ${…} is taken literally" in config.notices
    assert any("providers.openai.base_url: ignored" in notice for notice in config.notices)
    assert KEY["OPENAI_API_KEY"] not in repr(config)


@pytest.mark.parametrize(
    "text",
    [
        '[providers.openai]\nheaders = { X-A = "b" }',
        '[providers.openai]\nproxy = "http://127.0.0.1:1"',
        '[providers.openai]\ntls_ca = "/tmp/ca.pem"',
        '[providers.openai]\nkey_origins = ["http://127.0.0.1:1"]',
        "[providers.openai]\nallow_plaintext = true",
        "[providers.openai]\ninsecure = true",
        "[providers.openai]\nenabled = false",
        '[providers.openai]\ndialect = { auth_header = "x-leak" }',
        "[providers.openai]\nrate_limit = { requests_per_minute = 1e6 }",
        '[providers.openai.models."gpt-4o"]\nprice = { input_usd = 0, output_usd = 0 }',
        'log = "all"',
        "[log]\ncontent = true",
        'plugins = ["evil"]',
        'hooks = { start = "rm -rf /" }',
        '[serve]\nhost = "0.0.0.0"',
        '[state]\npath = "/tmp/evil.db"',
        "[circuit_breaker]\nfailure_threshold = 1",
        "[fallback]\nretries_per_candidate = 20",
        "[timeouts]\nfirst_token_s = 0.001",
        "exploration = 1.0",
        'editor = "evil"',
    ],
)
def test_b33_every_protected_key_is_ignored_with_one_notice_and_an_error_when_strict(world: World, text: str) -> None:
    before = world.load(**KEY)
    world.repo(text)
    config = world.load(**KEY)
    assert config.catalog == before.catalog
    assert config.policy == before.policy == Policy()
    assert config.state_path == before.state_path
    assert len(config.notices) == 1
    assert config.notices[0].startswith("routing.toml:")
    with pytest.raises(TrustError, match="ignored"):
        world.load(strict=True, **KEY)


def test_b34_a_project_cannot_vouch_for_itself(world: World) -> None:
    text = '[trust]\nlevel = "trusted"\n[projects."."]\ntrusted = true\n[state]\npath = "/tmp/x.db"\n'
    config = world.repo(text).load()
    assert config.state_path == world.home / ".local/state/llmr/state.db"
    assert len(config.notices) == 3


def test_a_foreign_routing_toml_of_some_other_program_is_no_error(world: World) -> None:
    config = world.repo('[routes]\n"/" = "index.html"\n[[redirects]]\nfrom = "/a"\n').load()
    assert len(config.notices) == 2
    assert config.catalog.default_model == "everyday"


# Files that are no fit files


@pytest.fixture(params=["link", "directory", "fifo", "socket", "large", "foreign", "world-writable", "group-writable"])
def unfit(request: pytest.FixtureRequest, world: World) -> Iterator[World]:
    file: Path = world.project_file
    listener = None
    match request.param:
        case "link":
            file.symlink_to("/etc/passwd")
        case "directory":
            file.mkdir()
        case "fifo":
            os.mkfifo(file)
        case "socket":
            listener = socket.socket(socket.AF_UNIX)
            here = Path.cwd()
            os.chdir(world.project)  # a socket's name may be no longer than 107 bytes
            listener.bind("routing.toml")
            os.chdir(here)
        case "large":
            file.write_bytes(b"#" * (2 * 1024 * 1024))
        case "foreign":
            if os.geteuid() != 0:
                pytest.skip("only root can give a file away")
            world.repo('strategy = "cost"')
            os.chown(file, 12345, -1)
        case "world-writable":
            world.repo('strategy = "cost"').project_file.chmod(0o646)
        case _:
            world.repo('strategy = "cost"').project_file.chmod(0o664)
    yield world
    if listener is not None:
        listener.close()


def test_b35_b36_an_unfit_project_file_is_left_out_at_once_with_a_notice(unfit: World) -> None:
    config = unfit.load()  # a pipe has no end
    assert config.policy.strategy is Strategy.BALANCED
    (notice,) = config.notices
    assert notice.startswith("routing.toml: ")
    assert notice.endswith("; ignored")
    assert "root:" not in notice
    with pytest.raises(TrustError):
        unfit.load(strict=True)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a = " + b"[" * 100_000, "routing.toml: is nested too deeply"),
        (b"a = " + b"{a=" * 100_000, "routing.toml: is nested too deeply"),
        (b'strategy = "cost"\n\0', "routing.toml:2: is not valid TOML"),
        (b'\n\nstrategy = "\xff"', "routing.toml:3: is not UTF-8 text"),
        (b"x = " + b"9" * 5000, "routing.toml: is not valid TOML"),
        (b"root:x:0:0:root:/root:/bin/bash\n", "routing.toml:1: is not valid TOML"),
        (b"a = 1\na = 2\n", "routing.toml:2: is not valid TOML"),
        (b'a = "', "routing.toml, at its end: is not valid TOML"),
    ],
)
def test_b35_text_that_is_no_toml_is_one_clear_line(world: World, content: bytes, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        world.repo(content).load()
    assert str(caught.value).startswith(message)
    assert str(caught.value).isprintable()
    assert "root" not in str(caught.value).removeprefix("routing.toml")


def test_b35_a_byte_order_mark_is_no_error(world: World) -> None:
    world.repo(b'\xef\xbb\xbfstrategy = "cost"\r\n')
    assert world.load().policy.strategy is Strategy.COST


def test_b35_a_named_config_is_read_through_no_fifo(world: World, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ConfigError, match="is not a regular file"):
        world.load(config_file=tmp_path / "pipe")
    with pytest.raises(ConfigError, match="is not a regular file"):
        world.load(config_file=Path("/dev/zero"))
    with pytest.raises(ConfigError, match="is not a file name"):
        world.load(config_file=Path("a\0b"))


def test_b37_a_dotenv_file_has_no_effect(world: World) -> None:
    before = world.load()
    (world.project / ".env").write_text(
        "OPENAI_API_KEY=sk-from-dotenv-123\nHTTPS_PROXY=http://127.0.0.1:1\nLLMR_CONFIG=/x\nLLMR_STRATEGY=cost\n"
    )
    assert world.load(LLMR_DEFAULT_MODEL="everyday") == before


# Trusted


def test_a_trusted_file_counts_as_the_users_own(world: World) -> None:
    world.repo('[providers.lab]\nbase_url = "http://127.0.0.1:9/v1"\n[timeouts]\nstall_s = 7\n')
    assert len(world.load().notices) == 2
    trusted = trust(None, world.environment())
    assert trusted.path == world.project_file
    assert trusted.sha256 == sha256_of(world.project_file.read_bytes())
    config = world.load()
    assert config.notices == ()
    assert config.catalog.providers["lab"].base_url == "http://127.0.0.1:9/v1"
    assert config.policy.timeouts.stall_s == 7


def test_another_content_is_not_trusted(world: World) -> None:
    world.repo("[timeouts]\nstall_s = 7\n")
    trust(world.project_file, world.environment())
    assert world.load().policy.timeouts.stall_s == 7
    world.repo("[timeouts]\nstall_s = 8\n")
    assert world.load().policy.timeouts.stall_s == 30
    world.repo("[timeouts]\nstall_s = 7\n")
    assert world.load().policy.timeouts.stall_s == 7


def test_the_same_content_elsewhere_is_not_trusted(world: World) -> None:
    world.repo("[timeouts]\nstall_s = 7\n")
    trust(world.project, world.environment())
    other = world.root / "other"
    (other / ".git").mkdir(parents=True)
    (other / "routing.toml").write_bytes(world.project_file.read_bytes())
    assert world.load(cwd=other).policy.timeouts.stall_s == 30


def test_trusting_a_second_content_forgets_the_first(world: World) -> None:
    for seconds in (7, 8):
        world.repo(f"[timeouts]\nstall_s = {seconds}\n")
        trust(None, world.environment())
    world.repo("[timeouts]\nstall_s = 7\n")
    assert world.load().policy.timeouts.stall_s == 30


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            '[providers.openai]\nbase_url = "https://evil.example/v1"',
            "OPENAI_API_KEY is not sent to https://evil.example",
        ),
        (
            '[providers.openai]\nbase_url = "https://evil.example/v1"\nkey_origins = ["https://evil.example"]',
            "OPENAI_API_KEY is not sent to https://evil.example",
        ),
        (
            '[providers.evil]\nbase_url = "https://evil.example/v1"\napi_key_env = "AWS_SECRET_ACCESS_KEY"',
            "AWS_SECRET_ACCESS_KEY is not sent to https://evil.example",
        ),
        (
            '[providers.evil]\nbase_url = "https://evil.example/v1"\napi_key_env = "WORK_KEY"',
            "WORK_KEY is not sent to https://evil.example",
        ),
        ('[providers.work]\nbase_url = "https://evil.example/v1"', "WORK_KEY is not sent to https://evil.example"),
        (
            '[providers.evil]\nbase_url = "http://work.example/v1"\napi_key_env = "WORK_KEY"\nallow_plaintext = true',
            "unencrypted",
        ),
    ],
)
def test_even_a_trusted_file_sends_no_key_where_the_user_did_not(world: World, text: str, problem: str) -> None:
    world.user('[providers.work]\nbase_url = "https://work.example/v1"\napi_key_env = "WORK_KEY"\n').repo(text)
    trust(None, world.environment())
    with pytest.raises(TrustError, match=problem):
        world.load()


def test_a_trusted_file_may_repeat_a_pair_that_the_user_made(world: World) -> None:
    world.user('[providers.work]\nbase_url = "https://work.example/v1"\napi_key_env = "WORK_KEY"\n')
    world.repo('[providers.again]\nbase_url = "https://WORK.example:443/v2"\napi_key_env = "WORK_KEY"\n')
    trust(None, world.environment())
    assert world.load(WORK_KEY="work-key-12345").catalog.providers["again"].base_url == "https://work.example/v2"


def test_a_trusted_file_reads_no_variables_and_does_not_vouch(world: World) -> None:
    world.repo(
        """
        [providers.openai]
        headers = { X-A = { env = "AWS_SECRET_ACCESS_KEY" } }
        allow_plaintext = true
        """
    )
    trust(None, world.environment())
    config = world.load(AWS_SECRET_ACCESS_KEY="aws-secret-value-1")
    assert dict(config.catalog.providers["openai"].headers) == {}
    assert [notice.split(": ")[1] for notice in config.notices] == [
        "providers.openai.headers",
        "providers.openai.allow_plaintext",
    ]


def test_the_root_and_the_home_directory_are_never_trusted(world: World) -> None:
    (world.home / "routing.toml").write_text("")
    with pytest.raises(TrustError, match="no project"):
        trust(world.home, world.environment())
    with pytest.raises(TrustError, match="no project"):
        trust(Path("/"), world.environment())


def test_there_must_be_something_fit_to_trust(world: World) -> None:
    with pytest.raises(ConfigError, match=r"there is no routing\.toml here"):
        trust(None, world.environment())
    with pytest.raises(ConfigError, match="no such file"):
        trust(Path("routing.toml"), world.environment())
    world.repo("").project_file.chmod(0o666)
    with pytest.raises(TrustError, match="lets others write"):
        trust(None, world.environment())


def test_without_a_home_nothing_can_be_trusted(world: World) -> None:
    world.repo("")
    with pytest.raises(StateError, match="HOME"):
        trust(None, world.environment(HOME=""))


def test_the_list_of_trusted_files_is_private_and_an_unsafe_one_counts_as_empty(world: World) -> None:
    world.repo("[timeouts]\nstall_s = 7\n")
    trust(None, world.environment())
    store = world.home / ".local/state/llmr/trusted.json"
    assert store.stat().st_mode & 0o777 == 0o600
    assert store.parent.stat().st_mode & 0o777 == 0o700
    store.chmod(0o602)
    assert world.load().policy.timeouts.stall_s == 30
    store.chmod(0o600)
    assert world.load().policy.timeouts.stall_s == 7
    store.write_text("[" * 100_000)
    assert world.load().policy.timeouts.stall_s == 30


def test_rules_of_a_project_are_rules(world: World) -> None:
    world.user("").repo('[[rules]]\nname = "r"\navoid = ["nobody/*"]\n')
    assert world.load().rules[-1] == Rule("r", avoid=("nobody/*",))
    world.repo('[[rules]]\nname = "r"\nonly = ["nobody/*"]\n')
    with pytest.raises(ConfigError, match=r"routing\.toml:3: rules\[0\]\.only: unknown provider in 'nobody'"):
        world.load()  # counted as in its own file


def test_a_name_of_ones_own_that_a_project_redefines_is_told(world: World) -> None:
    world.user('[models.local]\ncandidates = ["ollama/llama3.2"]\n')
    world.repo('[models.local]\ncandidates = ["openrouter/x/y"]\n[models.new]\ncandidates = ["ollama/x"]\n')
    config = world.load()
    assert config.catalog.names["local"].candidates == ("openrouter/x/y",)
    assert config.notices == ("routing.toml:1: models.local: replaces, here, the one of your own",)
    trust(None, world.environment())
    assert world.load().notices == ()


LARGE = {
    "keys": "".join(f"k{number} = 1\n" for number in range(15_000)),
    "providers": "".join(f'[providers.p{number}]\nbase_url = "x"\n' for number in range(8_000)),
    "names": "".join(f'[models.n{number}]\ncandidates = ["openai/m"]\n' for number in range(1_500)),
    "too many names": "".join(f'[models.n{number}]\ncandidates = ["openai/m"]\n' for number in range(8_000)),
    "candidates": "[models.x]\ncandidates = [" + '"nobody/x",' * 15_000 + "]",
    "own candidates": "[models.x]\ncandidates = [" + ",".join(f'"openai/{number}"' for number in range(15_000)) + "]",
    "unknown fallbacks": "".join(
        f'[models.n{number}]\ncandidates = ["openai/m"]\nfallback = ["{"x" * 60}{number}"]\n' for number in range(1_900)
    ),
    "rules": "".join(f"[[rules]]\nonly = ['zzz{number}/*']\n" for number in range(400)),
    "rule keys": "[[rules]]\n" + "".join(f"k{number} = 1\n" for number in range(15_000)),
    "globs": "[[rules]]\nwhen.model = [" + "'*a*b*c*d*e*'," * 100 + "]\n",
    "expansions": "[models.x]\nfallback = [" + '"${A}",' * 15_000 + "]",
    "one long key": "k" * 1_000_000 + " = 1",
    "one long line": "strategy = '" + "${A}" * 200_000 + "'",
}


@pytest.mark.parametrize("text", LARGE.values(), ids=LARGE.keys())
def test_b35_a_large_project_file_costs_seconds_at_most_and_fills_no_screen(world: World, text: str) -> None:
    started = process_time()
    try:
        shown = list(world.repo(text).load().notices)
    except ConfigError as error:
        shown = [str(error)]
    assert process_time() - started < 10  # a quadratic step takes minutes
    assert len(shown) <= 21
    assert max(map(len, shown), default=0) < 500
