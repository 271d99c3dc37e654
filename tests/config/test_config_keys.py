"""Keys: where they come from, what they must look like, and where they may go (B38, B39, B41, B43–B45)."""

import hashlib
import os
import pickle
from pathlib import Path
from typing import Any

import pytest

from llmr.config.build import missing_keys
from llmr.errors import ConfigError, LlmrError, TrustError
from llmr.secret import Redactor, Secret

World = Any  # the fixture, see conftest.py
KEY = "sk-test-0123456789abcdef"


def test_a_key_turns_its_provider_on(world: World) -> None:
    openai = world.load(OPENAI_API_KEY=KEY).catalog.providers["openai"]
    assert openai.off_reason is None
    assert openai.key == Secret(KEY)
    assert openai.key_fingerprint == hashlib.sha256(KEY.encode()).hexdigest()[:8]
    assert openai.account == f"openai#{openai.key_fingerprint}"


def test_a_provider_without_its_key_is_off_with_the_reason(world: World) -> None:
    config = world.load()
    providers = config.catalog.providers
    assert providers["openai"].off_reason == "OPENAI_API_KEY is not set"
    assert providers["openai"].key_fingerprint == ""
    assert providers["google"].off_reason == "GEMINI_API_KEY or GOOGLE_API_KEY is not set"
    assert missing_keys(config)[:3] == ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GEMINI_API_KEY")


def test_the_first_of_several_variables_that_is_set_counts(world: World) -> None:
    google = world.load(GEMINI_API_KEY=" ", GOOGLE_API_KEY=KEY).catalog.providers["google"]
    assert google.key == Secret(KEY)
    assert google.api_key_env == "GOOGLE_API_KEY"
    both = world.load(GEMINI_API_KEY="gemini-key-1", GOOGLE_API_KEY=KEY).catalog.providers["google"]
    assert both.key == Secret("gemini-key-1")


def test_a_changed_key_needs_no_new_snapshot(world: World) -> None:
    world.load(OPENAI_API_KEY=KEY)
    before = world.snapshots
    assert world.load(OPENAI_API_KEY=KEY + "x").catalog.providers["openai"].key == Secret(KEY + "x")
    assert world.snapshots == before


@pytest.mark.parametrize("value", [KEY + "\n", f"  {KEY}\r\n", f"\t{KEY} ", KEY])
def test_b41_blanks_around_a_key_are_trimmed(world: World, value: str) -> None:
    assert world.load(OPENAI_API_KEY=value).catalog.providers["openai"].key == Secret(KEY)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("sk-half\r\nhalf-key-rest", "holds a line break in the middle"),
        ("sk-half\nhalf-key-rest", "holds a line break in the middle"),
        ("sk-half half-key-rest", "holds a blank in the middle"),
        ("sk-half\0half-key-rest", "holds a control character"),
        ("sk-half\x7fhalf-key-rest", "holds a control character"),
        ("sk-half\u2603half-key-rest", "holds a character that is not ASCII"),
        ("\ufeffsk-half-key-rest", "holds a character that is not ASCII"),
        ("\udcffsk-half-key-rest", "holds a character that is not ASCII"),
        ("sk-half", "is shorter than 8 characters"),
        ("sk-half" * 1500, "is longer than 4096 characters"),
        ("", "is not set"),
        (" \n", "is not set"),
    ],
)
def test_b41_a_key_that_no_header_carries_turns_the_provider_off_and_is_never_shown(
    world: World, value: str, reason: str
) -> None:
    config = world.load(OPENAI_API_KEY=value)
    openai = config.catalog.providers["openai"]
    assert openai.off_reason == f"OPENAI_API_KEY {reason}"
    assert openai.key is None
    assert "half" not in repr(config)
    if "half" in value:
        assert "half" not in Redactor(config.secrets())(f"boom: {value.strip()!s}")
        assert "OPENAI_API_KEY" not in missing_keys(config)


def test_a_key_is_in_no_repr_and_in_no_pickle(world: World) -> None:
    config = world.load(OPENAI_API_KEY=KEY)
    assert KEY not in repr(config)
    assert KEY not in str(config.catalog)
    assert KEY not in repr(world.environment(OPENAI_API_KEY=KEY))
    with pytest.raises(TypeError):
        pickle.dumps(config.catalog.providers["openai"].key)


def test_a_custom_provider_without_a_variable_sends_no_key(world: World) -> None:
    world.user('[providers.work]\nbase_url = "https://llm.corp.example/v1"\n')
    work = world.load().catalog.providers["work"]
    assert (work.off_reason, work.key, work.api_key_env) == (None, None, None)


def test_an_empty_variable_name_switches_the_key_off(world: World) -> None:
    world.user('[providers.openai]\nbase_url = "http://127.0.0.1:9/v1"\napi_key_env = ""\n')
    openai = world.load(OPENAI_API_KEY=KEY).catalog.providers["openai"]
    assert (openai.off_reason, openai.key) == (None, None)


# Which key goes where


def test_b38_a_known_key_does_not_go_to_another_origin(world: World) -> None:
    message = world.distrust('[providers.openai]\nbase_url = "https://evil.example/v1"\n', OPENAI_API_KEY=KEY)
    assert message == (
        "~/.config/llmr/routing.toml:2: providers.openai.base_url: OPENAI_API_KEY is not sent to https://evil.example; "
        'if it should be, write in your own routing.toml: [providers.openai] key_origins = ["https://evil.example"]'
    )


def test_b38_nor_under_another_providers_name(world: World) -> None:
    text = '[providers.copy]\nbase_url = "https://evil.example/v1"\napi_key_env = "OPENAI_API_KEY"\n'
    assert "OPENAI_API_KEY is not sent to https://evil.example" in world.distrust(text)


def test_b38_nor_by_a_variable(world: World) -> None:
    with pytest.raises(TrustError, match="LLMR_PROVIDERS__OPENAI__BASE_URL: OPENAI_API_KEY is not sent"):
        world.load(LLMR_PROVIDERS__OPENAI__BASE_URL="https://evil.example/v1")


def test_the_users_consent_lets_a_key_go_elsewhere(world: World) -> None:
    world.user(
        '[providers.openai]\nbase_url = "https://gw.corp.example/v1"\nkey_origins = ["https://GW.corp.example:443"]\n'
    )
    openai = world.load(OPENAI_API_KEY=KEY).catalog.providers["openai"]
    assert openai.base_url == "https://gw.corp.example/v1"
    assert openai.key is not None


def test_consent_for_one_provider_is_none_for_another(world: World) -> None:
    text = (
        '[providers.a]\nbase_url = "https://a.example"\napi_key_env = "OPENAI_API_KEY"\nkey_origins = ["https://a.example"]\n'
        '[providers.b]\nbase_url = "https://a.example"\napi_key_env = "OPENAI_API_KEY"\n'
    )
    assert "providers.b.base_url" in world.distrust(text)


@pytest.mark.parametrize("origin", ["https://api.openai.com/v2", "HTTPS://API.OpenAI.com:443/v1/"])
def test_b39_the_same_origin_in_another_spelling_is_the_same(world: World, origin: str) -> None:
    world.user(f'[providers.openai]\nbase_url = "{origin}"\n')
    assert world.load(OPENAI_API_KEY=KEY).catalog.providers["openai"].base_url.startswith("https://api.openai.com/v")


@pytest.mark.parametrize(
    "url",
    [
        "https://api.openai.com./v1",
        "https://api.openai.com:8443/v1",
        "https://api.openai.com.evil.example/v1",
        "https://evil.example/api.openai.com/v1",
        "https://apiXopenai.com/v1",
        "https://\u0430pi.openai.com/v1",  # a Cyrillic letter
        "https://api.openai.com\u3002evil.example/v1",  # an ideographic full stop
        "https://[::ffff:1.2.3.4]/v1",
        "https://openai.com/v1",
    ],
)
def test_b39_any_other_origin_is_refused(world: World, url: str) -> None:
    assert "is not sent to" in world.distrust(f'[providers.openai]\nbase_url = "{url}"\n')


def test_b39_what_was_compared_is_what_is_dialled(world: World) -> None:
    world.user('[providers.openai]\nbase_url = "https://\uff41pi.openai.com/v1"\n')  # a full-width letter
    assert world.load(OPENAI_API_KEY=KEY).catalog.providers["openai"].base_url == "https://api.openai.com/v1"


def test_a_key_crosses_no_network_in_plain_text(world: World) -> None:
    text = '[providers.work]\nbase_url = "http://llm.corp.example/v1"\napi_key_env = "WORK_KEY"\n'
    assert "unencrypted" in world.distrust(text)
    assert world.user(text + "allow_plaintext = true\n").load(WORK_KEY=KEY).catalog.providers["work"].key
    assert world.user(text.replace('api_key_env = "WORK_KEY"', "")).load().catalog.providers["work"]
    for host in ("127.0.0.1:8000", "localhost", "[::1]:80"):
        assert world.user(text.replace("llm.corp.example", host)).load(WORK_KEY=KEY).catalog.providers["work"].key
    for host in ("127.1", "2130706433", "0.0.0.0", "localhost.evil.example", "127.0.0.1.evil.example"):
        world.distrust(text.replace("llm.corp.example", host))


@pytest.mark.parametrize(
    "url",
    [
        "http://user:pw-secret@h.example/?key=K-secret",
        "https://pw-secret@h.example",
        "https://h.example/v1?key=K-secret",
        "https://h.example/v1#K-secret",
        "https://h.example/\\u0007K-secret",
        "https://h.example\\\\@evil/K-secret",
        "ftp://h.example/K-secret",
        "h.example/K-secret",
        "https:///K-secret",
        "https://h.example:0/K-secret",
        "https://h.example:99999/K-secret",
        "https://h.example:/K-secret",
        "https://h%2eexample/K-secret",
        "https://[::1/K-secret",
        "https://[fe80::1%25eth0]/K-secret",
        "https://${HOST}/K-secret",
        "https://h.example/" + "K-secret" * 300,
        " https://h.example/K-secret",
        "",
    ],
)
def test_b44_an_unfit_url_is_refused_without_being_shown(world: World, url: str) -> None:
    message = world.error(f'[providers.work]\nbase_url = "{url}"\n')
    assert message.startswith("~/.config/llmr/routing.toml:2: providers.work.base_url: ")
    assert "secret" not in message


def test_b43_an_error_elsewhere_shows_no_key(world: World) -> None:
    bad = '[models.x]\n[providers.work]\napi_key_env = 5\nkey = "K-secret-1"\nheaders = "K-secret-2"\n'
    message = world.error(bad, OPENAI_API_KEY=KEY, LLMR_DEFAULT_MODEL=KEY)
    assert KEY not in message
    assert "K-secret" not in message
    with pytest.raises(LlmrError) as caught:
        world.load(LLMR_DEFAULT_MODEL=KEY)
    chain = [caught.value, caught.value.__cause__, caught.value.__context__]
    assert not any(KEY in str(error) for error in chain)


# The credentials file


def _credentials(world: World, text: str, mode: int = 0o600) -> Path:
    path: Path = world.home / ".config/llmr/credentials.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)
    return path


def test_a_stored_key_counts_where_the_variable_is_not_set(world: World) -> None:
    _credentials(world, f"# mine\nOPENAI_API_KEY = \"{KEY}\"  # work\n\nGROQ_API_KEY='gsk_0123456789'\n")
    config = world.load(GROQ_API_KEY="gsk_from_variable")
    assert config.catalog.providers["openai"].key == Secret(KEY)
    assert config.catalog.providers["groq"].key == Secret("gsk_from_variable")


def test_b45_a_credentials_file_that_others_can_read_is_refused_with_the_mend(world: World) -> None:
    path = _credentials(world, f'OPENAI_API_KEY = "{KEY}"\n', 0o644)
    with pytest.raises(TrustError) as caught:
        world.load(strict=True)
    assert str(caught.value) == f"{path}: mode 0644 lets others at your keys; run: chmod 600 {path}"


def test_b45_a_link_a_directory_and_a_foreign_file_are_refused(world: World, tmp_path: Path) -> None:
    path = _credentials(world, "")
    if os.geteuid() == 0:
        os.chown(path, 12345, -1)
        with pytest.raises(TrustError, match="another user; run: chown 0 "):
            world.load(strict=True)
    path.unlink()
    path.symlink_to(tmp_path)
    with pytest.raises(TrustError, match="is a symbolic link"):
        world.load(strict=True)
    path.unlink()
    path.mkdir()
    with pytest.raises(TrustError, match="is not a regular file"):
        world.load(strict=True)
    path.rmdir()
    os.mkfifo(path)
    with pytest.raises(TrustError, match="is not a regular file"):
        world.load(strict=True)


def test_a_line_that_is_no_key_is_named_and_not_shown(world: World) -> None:
    _credentials(world, f"\nOPENAI_API_KEY = {KEY}\n")
    with pytest.raises(ConfigError) as caught:
        world.load(strict=True)
    assert str(caught.value).endswith('credentials.toml:2: expected a line such as OPENAI_API_KEY = "…"')


def test_b45_without_strictness_a_file_that_is_unfit_is_a_notice_and_who_wants_a_key_from_it_is_off(
    world: World,
) -> None:
    path = _credentials(world, f'OPENAI_API_KEY = "{KEY}"\n', 0o644)
    config = world.load(GROQ_API_KEY=KEY)
    (notice,) = config.notices
    assert notice.startswith(f"{path}: mode 0644 lets others at your keys; run: chmod 600 {path}")
    assert config.catalog.providers["groq"].off_reason is None
    assert f"chmod 600 {path}" in (config.catalog.providers["openai"].off_reason or "")
    assert "OPENAI_API_KEY" not in config.missing_keys, "it may well be there"
