"""What leaves the machine, and what never does: trust.md T8, T9, T13, T15, B41, B44."""

import logging
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from llmr.errors import ConfigError, CredentialError, TrustError
from llmr.lab import Behavior, Lab, LabProvider, LabRequest

Run = Callable[[Any], Any]
Client = Callable[..., Any]

HEALTHY = (Behavior(),)


def request_of(client: Client, run: Run, ask: Any, script: Any = HEALTHY, times: int = 1, **asked: Any) -> LabRequest:
    """The last request as the provider saw it."""

    async def scenario() -> LabRequest:
        provider = LabProvider("a", script)
        lab = Lab([provider])
        async with lab.serving(), client() as transport:
            for _ in range(times):
                await ask(transport, lab.url("a") + "/chat/completions", **asked)
        return provider.requests[-1]

    last: LabRequest = run(scenario())
    return last


def test_a_request_says_what_it_must_and_nothing_more(client: Client, run: Run, ask: Any) -> None:
    request = request_of(
        client, run, ask, body=b"{}", headers=(("Content-Type", "application/json"),), key="sk-secret-key"
    )
    assert sorted(request.headers) == [
        ("accept-encoding", "identity"),
        ("authorization", "Bearer sk-secret-key"),
        ("content-length", "2"),
        ("content-type", "application/json"),
        ("host", request.header("host")),
        ("user-agent", "llmr/0.1.0"),
    ]
    assert (request.method, request.target, request.body) == ("POST", "/v1/chat/completions", b"{}")


def test_without_a_key_none_is_sent(client: Client, run: Run, ask: Any) -> None:
    assert request_of(client, run, ask, key=None).header("authorization") is None


def test_a_wire_may_name_its_own_accept_and_user_agent(client: Client, run: Run, ask: Any) -> None:
    request = request_of(client, run, ask, headers=(("accept", "text/event-stream"), ("User-Agent", "mine/1")))
    sent = [header for header in request.headers if header[0] in ("accept", "user-agent")]
    assert sorted(sent) == [("accept", "text/event-stream"), ("user-agent", "mine/1")]


@pytest.mark.parametrize(
    "key",
    [
        "",
        "sk-secret\n",
        "sk-\r\nx-evil: 1",
        "sk-\0secret",
        "sk-☃",
        " sk-secret",
        "sk secret",
        "s" * 5000,
        "sk-secret\u2028",
    ],
)
def test_a_key_that_is_no_key_is_never_sent_nor_shown(client: Client, run: Run, ask: Any, key: str) -> None:
    with pytest.raises(CredentialError) as caught:
        request_of(client, run, ask, key=key)
    assert "secret" not in str(caught.value)
    assert not key or key.strip() not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Host", "evil.example"),
        ("content-length", "0"),
        ("Transfer-Encoding", "chunked"),
        ("Authorization", "Bearer other"),
        ("connection", "upgrade"),
        ("cookie", "a=b"),
        ("x evil", "1"),
        ("x-evil:", "1"),
        ("", "1"),
        ("x-a", "1\r\nx-evil: 1"),
        ("x-a", "1\n"),
        ("x-a", "ü"),
        ("x-a", "\x1b[2J"),
    ],
)
def test_a_header_that_would_change_the_request_is_refused(
    client: Client, run: Run, ask: Any, name: str, value: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        request_of(client, run, ask, headers=((name, value),))
    assert value.strip() not in str(caught.value) or value in ("0", "1")


def test_a_request_for_another_origin_than_the_provider_s_never_leaves(client: Client, run: Run, ask: Any) -> None:
    async def scenario() -> int:
        decoy = LabProvider("decoy")
        lab = Lab([LabProvider("a"), decoy])
        async with lab.serving(), client() as transport:
            with pytest.raises(TrustError):
                await ask(transport, lab.url("decoy"), base_url=lab.url("a"))
        return decoy.connections

    assert run(scenario()) == 0


@pytest.mark.parametrize("url", ["http://me:hunter2@127.0.0.1:1/", "ftp://127.0.0.1/", "http:///x", "x", "http://[::/"])
def test_a_url_that_cannot_be_asked_is_refused_without_quoting_it(client: Client, run: Run, ask: Any, url: str) -> None:
    async def scenario() -> None:
        async with client() as transport:
            await ask(transport, url)

    with pytest.raises(ConfigError) as caught:
        run(scenario())
    assert "hunter2" not in str(caught.value)


def test_a_cookie_is_never_given_back(client: Client, run: Run, ask: Any) -> None:
    script = [Behavior(headers=(("set-cookie", "id=1; path=/"),))]
    assert request_of(client, run, ask, script, times=2).header("cookie") is None


def test_the_environment_is_not_obeyed(client: Client, run: Run, ask: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.setenv("SSL_CERT_FILE", "/nonexistent")
    assert request_of(client, run, ask).n == 1


def test_repeated_headers_of_an_answer_are_joined_and_names_are_lower_case(client: Client, run: Run, ask: Any) -> None:
    async def scenario() -> Any:
        lab = Lab([LabProvider("a", [Behavior(headers=(("X-Limit", "1"), ("x-limit", "2")))])])
        async with lab.serving(), client() as transport:
            return await ask(transport, lab.url("a"))

    assert run(scenario()).headers["x-limit"] == "1, 2"


def test_the_libraries_log_nothing_however_verbose_the_rest_is(
    client: Client, run: Run, ask: Any, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        request_of(client, run, ask, key="sk-secret-key")
    assert [record.name for record in caplog.records if record.name.startswith(("httpx", "httpcore", "hpack"))] == []


def test_an_exception_shows_no_key_anywhere_in_its_chain(client: Client, run: Run, ask: Any) -> None:
    async def scenario() -> Any:
        lab = Lab([LabProvider("a", [Behavior(raw=b"")])])
        async with lab.serving(), client() as transport:
            return await ask(transport, lab.url("a"), key="sk-secret-key")

    error = run(scenario()).error
    chain = []
    while error is not None:
        chain.append(repr(error) + str(error))
        error = error.__cause__ or error.__context__
    assert len(chain) > 1
    assert "secret" not in "".join(chain)


def test_importing_the_transport_imports_no_command_line() -> None:
    program = "import sys, llmr.transport; print(sorted({name.partition('.')[0] for name in sys.modules}))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    unwanted = {"rich", "click", "pygments", "typer", "pydantic", "trio", "sqlite3", "socksio", "h2"}
    assert unwanted.isdisjoint(eval(done.stdout))
