"""Variables: settings, proxies, colours; and what is reserved or unknown."""

from pathlib import Path
from typing import Any

import pytest

from llmr.catalog import Strategy
from llmr.config.environment import RESERVED, Environment
from llmr.config.proxies import UnfitProxy, password_in, proxy_for
from llmr.errors import ConfigError

World = Any  # the fixture, see conftest.py


def _environment(**variables: str) -> Environment:
    return Environment.of(variables, cwd=Path("/"))


def test_variables_outrank_every_file(world: World) -> None:
    world.user('strategy = "cost"\n[timeouts]\ndeadline_s = 9\nstall_s = 8\n').repo('strategy = "quality"\n')
    config = world.load(LLMR_STRATEGY="latency", LLMR_TIMEOUTS__DEADLINE_S="5")
    assert config.policy.strategy is Strategy.LATENCY
    assert config.policy.timeouts.deadline_s == 5
    assert config.policy.timeouts.stall_s == 8


def test_variables_reach_every_depth_and_type(world: World) -> None:
    config = world.load(
        LLMR_PROVIDERS__LAB__BASE_URL="http://127.0.0.1:9/v1",
        LLMR_PROVIDERS__LAB__API_KEY_ENV="LAB_KEY",
        LLMR_PROVIDERS__LAB__MODELS='["m"]',
        LLMR_PROVIDERS__LAB__RATE_LIMIT__CONCURRENT="3",
        LLMR_PROVIDERS__OPENAI__ENABLED="false",
        LLMR_MODELS='{"mine": {"candidates": ["lab/m"]}}',
        LLMR_RULES='[{"avoid": ["openai/*"], "continue": true}]',
        LLMR_DEFAULT_MODEL="mine",
        LLMR_EXPLORATION="0.5",
        LLMR_FALLBACK__MAX_ATTEMPTS="3",
        LLMR_TIMEOUTS__FIRST_TOKEN_S="auto",
        LAB_KEY="lab-key-123",
    )
    lab = config.catalog.providers["lab"]
    assert lab.key is not None
    assert lab.models == ("m",)
    assert lab.rate_limit.concurrent == 3
    assert config.catalog.providers["openai"].off_reason == "turned off in LLMR_PROVIDERS__OPENAI__ENABLED"
    assert config.catalog.default_model == "mine"
    assert config.rules[0].avoid == ("openai/*",)
    assert config.rules[0].then_continue
    assert config.policy.exploration == 0.5
    assert config.policy.fallback.max_attempts == 3
    assert config.policy.timeouts.first_token_s is None


@pytest.mark.parametrize(
    ("name", "notice"),
    [
        ("LLMR_STRATEGI", "LLMR_STRATEGI: unknown variable, ignored; did you mean LLMR_STRATEGY?"),
        ("LLMR_COLOUR", "LLMR_COLOUR: unknown variable, ignored; did you mean LLMR_COLOR?"),
        (
            "LLMR_TIMEOUTS__STAL_S",
            "LLMR_TIMEOUTS__STAL_S: unknown variable, ignored; did you mean LLMR_TIMEOUTS__STALL_S?",
        ),
        (
            "LLMR_PROVIDERS__OPENAI__BASE_ULR",
            "LLMR_PROVIDERS__OPENAI__BASE_ULR: unknown variable, ignored; did you mean LLMR_PROVIDERS__OPENAI__BASE_URL?",
        ),
        ("LLMR_ZZZZZZ", "LLMR_ZZZZZZ: unknown variable, ignored"),
        ("LLMR_STRATEGY__X", "LLMR_STRATEGY__X: unknown variable, ignored; did you mean LLMR_STRATEGY?"),
        ("LLMR_", "LLMR_: unknown variable, ignored"),
    ],
)
def test_an_unknown_variable_is_a_notice_not_an_error(world: World, name: str, notice: str) -> None:
    config = world.load(**{name: "x"})
    assert len(config.notices) == 1
    assert config.notices[0].startswith(notice)
    assert world.load(**{name: "x"}).notices == config.notices


def test_reserved_variables_are_no_settings(world: World) -> None:
    (world.project / "c.toml").write_text("")
    said = dict.fromkeys(RESERVED, "x") | {"LLMR_CONFIG": "c.toml"}
    assert world.load(**said).notices == ()
    assert _environment(LLMR_LOG="off", LLMR_SAVE="on", LLMR_DEBUG="1", LLMR_STRATEGY="cost").settings == {
        "LLMR_STRATEGY": "cost"
    }


def test_what_the_terminal_is_told() -> None:
    nothing = _environment(NO_COLOR="", FORCE_COLOR="0", COLUMNS="-5", TERM="xterm")
    assert (nothing.no_color, nothing.force_color, nothing.columns, nothing.dumb_terminal, nothing.color) == (
        False, False, None, False, None,
    )  # fmt: skip
    said = _environment(NO_COLOR="1", FORCE_COLOR="1", COLUMNS="120", TERM="dumb", LLMR_COLOR="never")
    assert (said.no_color, said.force_color, said.columns, said.dumb_terminal, said.color) == (
        True,
        True,
        120,
        True,
        "never",
    )
    assert _environment(COLUMNS="9" * 5000).columns is None
    assert _environment(COLUMNS="\u00b2").columns is None


def test_programs_are_named_by_ones_own_variable_first() -> None:
    assert _environment(EDITOR="vi").editor == "vi"
    assert _environment(EDITOR="vi", VISUAL="code -w").editor == "code -w"
    assert _environment(EDITOR="vi", LLMR_EDITOR="ed").editor == "ed"
    assert (_environment(LLMR_LOG="off").log, _environment(LLMR_SAVE="no").save, _environment(LLMR_DEBUG="0").debug) == (
        "off", "no", False,
    )  # fmt: skip


def test_the_environment_of_the_process_is_read_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LLMR_STRATEGY", "cost")
    environment = Environment.from_process()
    monkeypatch.setenv("LLMR_STRATEGY", "latency")
    assert environment.cwd == tmp_path
    assert environment.variable("LLMR_STRATEGY") == "cost"
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert Environment.from_process().cwd is None


# Proxies


def test_a_proxy_is_for_its_scheme_and_all_proxy_for_the_rest(world: World) -> None:
    providers = world.load(HTTPS_PROXY="http://p.example:3128", ALL_PROXY="http://all.example").catalog.providers
    assert providers["openai"].proxy == "http://p.example:3128"
    assert proxy_for("http", "h", _environment(ALL_PROXY="all.example:1")) == "http://all.example:1"
    assert proxy_for("https", "h", _environment(http_proxy="http://p")) is None


def test_the_lower_case_name_wins() -> None:
    assert proxy_for("https", "h", _environment(https_proxy="http://a", HTTPS_PROXY="http://b")) == "http://a"


def test_a_cgi_script_does_not_take_its_proxy_from_the_client() -> None:
    assert proxy_for("http", "h", _environment(HTTP_PROXY="http://evil", REQUEST_METHOD="GET")) is None
    assert proxy_for("http", "h", _environment(http_proxy="http://p", REQUEST_METHOD="GET")) == "http://p"


def test_loopback_is_never_proxied(world: World) -> None:
    providers = world.load(HTTP_PROXY="http://p", HTTPS_PROXY="http://p", ALL_PROXY="http://p").catalog.providers
    assert providers["ollama"].proxy is None
    assert providers["openai"].proxy == "http://p"


@pytest.mark.parametrize(
    ("no_proxy", "exempt"),
    [
        ("api.openai.com", True),
        ("openai.com", True),
        (".openai.com", True),
        ("*.openai.com", True),
        ("*", True),
        ("x, OPENAI.com ,y", True),
        ("penai.com", False),
        ("openai.com.evil", False),
        (",", False),
        (".", False),
    ],
)
def test_no_proxy_exempts_a_name_and_all_under_it(no_proxy: str, exempt: bool) -> None:
    environment = _environment(HTTPS_PROXY="http://p", NO_PROXY=no_proxy)
    assert (proxy_for("https", "api.openai.com", environment) is None) is exempt


@pytest.mark.parametrize(
    "value", ["socks5://u:pw-secret@p:1", "ftp://pw-secret", "http://a b", "http://p/path?pw-secret", "://"]
)
def test_an_unusable_proxy_turns_remote_providers_off_and_is_not_shown(world: World, value: str) -> None:
    config = world.load(ALL_PROXY=value, OPENAI_API_KEY="sk-test-0123456789")
    openai = config.catalog.providers["openai"]
    assert openai.off_reason is not None
    assert openai.off_reason.startswith("ALL_PROXY ")
    assert "secret" not in repr(config)
    assert config.catalog.providers["ollama"].off_reason is None
    with pytest.raises(UnfitProxy):
        proxy_for("https", "h", _environment(ALL_PROXY=value))


def test_a_proxys_password_is_masked(world: World) -> None:
    config = world.load(HTTPS_PROXY="http://me:pw-secret@p.example:1")
    assert config.catalog.providers["openai"].proxy == "http://me:pw-secret@p.example:1"
    assert "pw-secret" in {secret.reveal() for secret in config.secrets()}
    assert "pw-secret" not in repr(config)
    assert password_in("http://p") is None


def test_an_empty_variable_says_nothing(world: World) -> None:
    config = world.user('strategy = "cost"\n').load(LLMR_STRATEGY="", LLMR_DEFAULT_MODEL="", LLMR_TYPO="")
    assert config.policy.strategy is Strategy.COST
    assert config.notices == ()


@pytest.mark.parametrize(
    "name", ["LLMR_DEFAULT_MODEL", "LLMR_STATE__PATH", "LLMR_STRATEGY", "LLMR_PROVIDERS__X__BASE_URL", "LLMR_\udcff"]
)
def test_bytes_that_are_no_text_are_no_traceback(world: World, name: str) -> None:
    try:
        shown = "".join(world.load(**{name: "a\udcffb"}).notices)
    except ConfigError as error:
        shown = str(error)
    assert shown.isprintable()
