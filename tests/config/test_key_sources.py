"""Keys that are not at hand: the user's command, the keyring, the private file (trust.md T7, T29, C3; B33, B38, B41, B45)."""

import os
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keyring
import keyring.backend
import keyring.errors
import pytest

from llmr.catalog import KeySource
from llmr.config.credentials import InKeyring, forget, store, stored_keys
from llmr.config.key_sources import fingerprint_of, key_of_command, put_into_keyring
from llmr.errors import ConfigError, CredentialError, TrustError
from llmr.secret import Redactor, Secret

World = Any  # the fixture, see conftest.py
KEY = "sk-test-0123456789abcdef"


class FakeKeyring(keyring.backend.KeyringBackend):
    """The operating system's, in memory; `asked` counts."""

    priority = 1.0

    def __init__(self) -> None:
        super().__init__()
        self.kept: dict[tuple[str, str], str] = {}
        self.asked = 0
        self.locked = False

    def get_password(self, service: str, username: str) -> str | None:
        self.asked += 1
        if self.locked:
            raise keyring.errors.KeyringLocked("sk-in-an-error-text")
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        if self.locked:
            raise keyring.errors.KeyringLocked
        self.kept[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        if self.kept.pop((service, username), None) is None:
            raise keyring.errors.PasswordDeleteError


@pytest.fixture
def vault() -> Iterator[FakeKeyring]:
    before = keyring.get_keyring()
    fake = FakeKeyring()
    keyring.set_keyring(fake)
    yield fake
    keyring.set_keyring(before)


def _program(world: World, body: str) -> Path:
    path: Path = world.root / "vault"
    path.write_text(f"#!{sys.executable}\nimport os, sys, time\n{body}\n")
    path.chmod(0o755)
    return path


def _provider(world: World, **variables: str) -> Any:
    return world.load(**variables).catalog.providers["openai"]


# The command


def test_a_command_gives_the_key_only_when_the_provider_is_asked(world: World, tmp_path: Path) -> None:
    trace = tmp_path / "ran"
    program = _program(world, f"open({str(trace)!r}, 'a').write('x'); print('{KEY}')")
    world.user(f'[providers.openai]\napi_key_cmd = "{program}"\n')
    openai = _provider(world)
    assert (openai.off_reason, openai.key_source, trace.exists()) == (None, KeySource.COMMAND, False)
    assert [openai.key.reveal(), openai.key.reveal()] == [KEY, KEY]
    assert trace.read_text() == "x"  # once a run, however often it is needed


def test_a_variable_outranks_the_command_and_the_command_the_file(world: World) -> None:
    world.user(f'[providers.openai]\napi_key_cmd = ["{_program(world, "print(chr(99) * 9)")}"]\n')
    store("OPENAI_API_KEY", Secret(KEY), world.environment())
    assert _provider(world, OPENAI_API_KEY="variable-1").key == Secret("variable-1")
    assert _provider(world).key_source is KeySource.COMMAND


def test_another_command_is_another_account_and_a_masked_key_stays_masked(world: World) -> None:
    program = _program(world, f"print('{KEY}')")
    world.user(f'[providers.openai]\napi_key_cmd = "{program} a"\n')
    config = world.load()
    first = config.catalog.providers["openai"]
    first.key.reveal()
    assert Redactor(config.secrets())(f"it is {KEY[3:]}…{KEY}") == f"it is {KEY[3:]}…***"
    world.user(f'[providers.openai]\napi_key_cmd = "{program} b"\n')
    assert _provider(world).account != first.account


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("print('secret-output'); print('secret-complaint', file=sys.stderr); sys.exit(3)", "failed with exit code 3"),
        ("pass", "printed nothing"),
        ("print('short')", "is shorter than 8 characters"),
        ("print('two words of it')", "holds a blank in the middle"),
        ("print('k☃y-0123456')", "holds a character that is not ASCII"),
        ("os.write(1, b'k\\0y-0123456')", "holds a control character"),
        ("while True: os.write(1, b'x' * 300_000)", "printed more than a key"),
    ],
)
def test_b41_what_a_command_prints_is_judged_and_never_shown(
    world: World, capfd: pytest.CaptureFixture[str], body: str, message: str
) -> None:
    with pytest.raises(CredentialError) as caught:
        key_of_command([str(_program(world, body))], world.environment(PATH=os.environ["PATH"], LANG="C.UTF-8"))
    assert message in str(caught.value)
    assert str(caught.value).isprintable()
    for told in (str(caught.value), *capfd.readouterr()):
        assert "secret-" not in told
        assert "0123456" not in told


def test_a_command_that_does_not_end_is_given_up_on_even_if_its_child_holds_the_pipe(world: World) -> None:
    program = _program(world, "os.fork() or time.sleep(40); time.sleep(40)")
    began = time.monotonic()
    with pytest.raises(CredentialError, match=r"gave no key within 0.3 s"):
        key_of_command([str(program)], world.environment(PATH=os.environ["PATH"]), within_s=0.3)
    assert time.monotonic() - began < 30


def test_a_command_gets_no_shell_no_input_and_no_key(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    program = _program(
        world, "print(os.environ.get('GROQ_API_KEY', 'none'), sys.argv[1], repr(sys.stdin.read()), sep='/')"
    )
    environment = world.environment(PATH=os.environ["PATH"], GROQ_API_KEY="gsk_0123456789")
    assert key_of_command([str(program), "$(id);$HOME"], environment) == "none/$(id);$HOME/''"


def test_a_command_that_is_not_there_is_named(world: World) -> None:
    with pytest.raises(CredentialError, match="api_key_cmd /nowhere/op cannot be run: no such file"):
        key_of_command(["/nowhere/op", "read"], world.environment())


@pytest.mark.parametrize("said", ['"op \'read"', '""', "[]", '["", "x"]', '"a\\u0000b"'])
def test_a_command_that_is_none_is_an_error_in_its_line(world: World, said: str) -> None:
    assert "routing.toml:2: providers.openai.api_key_cmd" in world.error(f"[providers.openai]\napi_key_cmd = {said}\n")


@pytest.mark.parametrize("trusted", [False, True])
def test_b33_a_project_runs_no_command_trusted_or_not(world: World, trusted: bool) -> None:
    from vouching import trust

    world.repo('[providers.openai]\napi_key_cmd = "touch /tmp/owned"\n')
    if trusted:
        trust(world.project_file, world.environment())
    config = world.load()
    assert config.catalog.providers["openai"].key is None
    assert any("api_key_cmd" in notice and "ignored" in notice for notice in config.notices)


def test_b38_a_trusted_project_cannot_send_a_commands_key_elsewhere(world: World) -> None:
    from vouching import trust

    world.user(
        '[providers.work]\nbase_url = "https://llm.corp.example/v1"\napi_key_cmd = "op read x"\n'
        '[providers.other]\nbase_url = "https://evil.example/v1"\napi_key_cmd = "op read y"\n'
    )
    world.load()
    world.repo('[providers.work]\nbase_url = "https://evil.example/v1"\n')
    trust(world.project_file, world.environment())
    with pytest.raises(TrustError, match=r"api_key_cmd is not sent to https://evil\.example"):
        world.load()


def test_a_commands_key_crosses_no_network_in_plain_text(world: World) -> None:
    text = '[providers.work]\nbase_url = "http://llm.corp.example/v1"\napi_key_cmd = "op read x"\n'
    assert "unencrypted" in world.distrust(text)


# The keyring


def test_the_keyring_is_asked_for_the_one_key_that_is_needed(world: World, vault: FakeKeyring) -> None:
    assert put_into_keyring("OPENAI_API_KEY", KEY) is None
    store("OPENAI_API_KEY", InKeyring(fingerprint_of(KEY)), world.environment())
    openai = _provider(world)
    assert (openai.key_source, openai.key_fingerprint, vault.asked) == (KeySource.KEYRING, fingerprint_of(KEY), 0)
    assert openai.key.reveal() == KEY
    assert KEY not in (world.home / ".config/llmr/credentials.toml").read_text()


def test_a_keyring_that_cannot_be_opened_or_has_lost_the_key_is_a_clear_failure(
    world: World, vault: FakeKeyring
) -> None:
    store("OPENAI_API_KEY", InKeyring(fingerprint_of(KEY)), world.environment())
    with pytest.raises(CredentialError, match="no longer in the keyring"):
        _provider(world).key.reveal()
    vault.locked = True
    with pytest.raises(CredentialError, match=r"cannot be opened \(KeyringLocked\)$"):
        _provider(world).key.reveal()
    assert put_into_keyring("OPENAI_API_KEY", KEY) == "the keyring refuses (KeyringLocked)"


# The file


def test_storing_keeps_every_other_line_and_the_file_private(world: World) -> None:
    environment = world.environment()
    previous = os.umask(0)
    try:
        path = store("OPENAI_API_KEY", Secret(KEY), environment)
    finally:
        os.umask(previous)
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    path.write_text(path.read_text() + "# mine\nGROQ_API_KEY = 'gsk_with\"quote'\n")
    store("OPENAI_API_KEY", Secret("sk-another-one"), environment)
    store("XAI_API_KEY", InKeyring("0123abcd"), environment)
    forget("MISTRAL_API_KEY", environment)
    assert path.read_text().splitlines()[1:] == [
        "# mine",
        "GROQ_API_KEY = 'gsk_with\"quote'",
        'OPENAI_API_KEY = "sk-another-one"',
        'XAI_API_KEY = { keyring = "0123abcd" }',
    ]
    assert stored_keys(environment)["XAI_API_KEY"] == InKeyring("0123abcd")
    assert stored_keys(environment)["GROQ_API_KEY"] == Secret('gsk_with"quote')


def test_b45_nothing_is_written_over_a_file_that_is_unsafe_or_no_list(world: World) -> None:
    path = store("OPENAI_API_KEY", Secret(KEY), world.environment())
    path.chmod(0o640)
    with pytest.raises(TrustError, match="run: chmod 600 "):
        store("XAI_API_KEY", Secret(KEY), world.environment())
    path.chmod(0o600)
    path.write_text("what is this\n")
    with pytest.raises(ConfigError, match=":1: expected a line such as"):
        store("XAI_API_KEY", Secret(KEY), world.environment())
    assert path.read_text() == "what is this\n"
    path.unlink()
    path.symlink_to(world.root / "elsewhere")
    with pytest.raises(TrustError, match="is a symbolic link"):
        store("XAI_API_KEY", Secret(KEY), world.environment())
    assert not (world.root / "elsewhere").exists()


def test_many_who_store_at_once_lose_no_key(world: World) -> None:
    environment = world.environment()
    names = [f"K{number}_API_KEY" for number in range(12)]
    threads = [threading.Thread(target=store, args=(name, Secret(KEY), environment)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(stored_keys(environment)) == set(names)


def test_a_key_that_cannot_be_written_down_or_has_nowhere_to_go_is_told(world: World, tmp_path: Path) -> None:
    with pytest.raises(CredentialError, match="both kinds of quotes; set the variable OPENAI_API_KEY"):
        store("OPENAI_API_KEY", Secret("a\"b'c-12345"), world.environment())
    with pytest.raises(CredentialError, match="HOME is not set"):
        store("OPENAI_API_KEY", Secret(KEY), world.environment(HOME=""))
    (tmp_path / "file").write_text("")
    with pytest.raises(CredentialError, match="cannot be written"):
        store("OPENAI_API_KEY", Secret(KEY), world.environment(XDG_CONFIG_HOME=str(tmp_path / "file")))


# insecure


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "192.168.1.5", "10.0.0.1", "[fd00::1]", "nas.local", "llm.home.arpa", "localhost"]
)
def test_an_unverified_certificate_is_for_private_hosts_and_told_on_every_run(world: World, host: str) -> None:
    world.user(f'[providers.work]\nbase_url = "https://{host}/v1"\ninsecure = true\n')
    for _ in range(2):  # from the snapshot too
        config = world.load()
        assert config.catalog.providers["work"].insecure
        assert any(notice.startswith("work: insecure = true") for notice in config.notices)


@pytest.mark.parametrize("host", ["api.example.com", "8.8.8.8", "local", "local.example.com", "[2606:4700::1111]"])
def test_an_unverified_certificate_is_refused_for_public_hosts(world: World, host: str) -> None:
    message = world.distrust(f'[providers.work]\nbase_url = "https://{host}/v1"\ninsecure = true\n')
    assert "routing.toml:3: providers.work.insecure: is for this machine and private networks only" in message


def test_a_url_from_a_variable_must_be_private_too(world: World) -> None:
    world.user("[providers.azure]\ninsecure = true\n")
    azure = world.load(AZURE_OPENAI_ENDPOINT="https://x.example.com", AZURE_OPENAI_API_KEY=KEY).catalog.providers[
        "azure"
    ]
    assert azure.off_reason == "AZURE_OPENAI_ENDPOINT names a public host, and insecure = true is for private ones"
