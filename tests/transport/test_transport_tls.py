"""TLS against real handshakes; certificates are made on the spot."""

import asyncio
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from llmr.errors import ConfigError, ErrorKind
from llmr.lab import Behavior, Fault, Lab, LabProvider

trustme = pytest.importorskip("trustme", reason="certificates are made with trustme (extra: test)")

Run = Callable[[Any], Any]
Client = Callable[..., Any]


@pytest.fixture(scope="module")
def authority() -> Any:
    return trustme.CA()


@pytest.fixture
def ca_file(authority: Any, tmp_path: Path) -> str:
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(path)
    return str(path)


def server_side(authority: Any, *names: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*names).configure_cert(context)
    return context


def ask_tls(client: Client, run: Run, ask: Any, tls: ssl.SSLContext, behavior: Behavior, **provider: Any) -> Any:
    async def scenario() -> Any:
        lab = Lab([LabProvider("a", [behavior], tls=tls)])
        async with lab.serving(), client(ca_file=provider.pop("usual_ca", None)) as transport:
            return await ask(transport, lab.url("a"), **provider)

    return run(scenario())


def test_a_provider_s_own_authority_is_trusted(
    client: Client, run: Run, ask: Any, authority: Any, ca_file: str
) -> None:
    outcome = ask_tls(client, run, ask, server_side(authority, "127.0.0.1"), Behavior("one two"), tls_ca=ca_file)
    assert (outcome.status, outcome.error) == (200, None)
    assert outcome.body.endswith(b"[DONE]\n\n")


def test_the_usual_authorities_can_be_replaced(
    client: Client, run: Run, ask: Any, authority: Any, ca_file: str
) -> None:
    assert ask_tls(client, run, ask, server_side(authority, "127.0.0.1"), Behavior(), usual_ca=ca_file).status == 200


def test_an_unknown_authority_is_refused(client: Client, run: Run, ask: Any, authority: Any) -> None:
    outcome = ask_tls(client, run, ask, server_side(authority, "127.0.0.1"), Behavior())
    assert outcome.kind == ErrorKind.TLS
    assert "certificate: " in outcome.message


def test_where_the_user_says_insecure_any_certificate_will_do_and_nowhere_else(
    client: Client, run: Run, ask: Any, authority: Any
) -> None:
    tls = server_side(authority, "bank.example")
    assert ask_tls(client, run, ask, tls, Behavior(), insecure=True).status == 200

    async def both() -> Any:
        lab = Lab([LabProvider("a", [Behavior(), Behavior()], tls=tls)])
        async with lab.serving(), client() as transport:  # one transport: its connections are kept apart
            first = await ask(transport, lab.url("a"), insecure=True)
            return first.status, (await ask(transport, lab.url("a"))).kind

    assert run(both()) == (200, ErrorKind.TLS)


def test_a_certificate_for_another_host_is_refused(
    client: Client, run: Run, ask: Any, authority: Any, ca_file: str
) -> None:
    outcome = ask_tls(client, run, ask, server_side(authority, "bank.example"), Behavior(), tls_ca=ca_file)
    assert outcome.kind == ErrorKind.TLS
    assert "certificate is not valid for '127.0.0.1'" in outcome.message


@pytest.mark.parametrize(
    ("first_words", "kind", "reason"),
    [
        # A fatal alert, protocol_version (RFC 8446 §6.2): what a server says that speaks only what is too old.
        pytest.param(b"\x15\x03\x01\x00\x02\x02\x46", ErrorKind.TLS, "alert protocol version", id="too old"),
        pytest.param(b"HTTP/1.1 400 Bad Request\r\n\r\n", ErrorKind.TLS, "(", id="no TLS at all"),
        pytest.param(b"", ErrorKind.CONNECT, "", id="hangs up"),
    ],
)
def test_a_peer_that_does_not_shake_hands_says_why(
    client: Client, run: Run, ask: Any, first_words: bytes, kind: ErrorKind, reason: str
) -> None:
    async def peer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(16)
        writer.write(first_words)
        writer.close()

    async def scenario() -> Any:
        server = await asyncio.start_server(peer, "127.0.0.1", 0)
        async with server, client() as transport:
            return await ask(transport, f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/")

    outcome = run(scenario())
    assert outcome.kind == kind
    assert "shaking hands (TLS)" in outcome.message
    assert reason in outcome.message


@pytest.mark.parametrize(
    ("behavior", "kind"),
    [
        pytest.param(Behavior(fault=Fault.RESET, fault_at=2), ErrorKind.INCOMPLETE, id="reset in the answer"),
        pytest.param(Behavior(fault=Fault.CUT, fault_at=2), ErrorKind.INCOMPLETE, id="cut in the answer"),
        pytest.param(Behavior(fault=Fault.RESET), ErrorKind.CONNECT, id="reset before the headers"),
        pytest.param(Behavior(fault=Fault.CUT), ErrorKind.CONNECT, id="cut before the headers"),
    ],
)
def test_faults_are_the_same_under_tls(
    client: Client, run: Run, ask: Any, authority: Any, ca_file: str, behavior: Behavior, kind: ErrorKind
) -> None:
    assert ask_tls(client, run, ask, server_side(authority, "127.0.0.1"), behavior, tls_ca=ca_file).kind == kind


def test_a_cancelled_answer_is_closed_under_tls(
    client: Client, run: Run, ask: Any, authority: Any, ca_file: str
) -> None:
    async def scenario() -> None:
        provider = LabProvider("a", [Behavior(fault=Fault.HANG, fault_at=1)], tls=server_side(authority, "127.0.0.1"))
        lab = Lab([provider])
        async with lab.serving(), client() as transport:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.2):
                    await ask(transport, lab.url("a"), tls_ca=ca_file)
            await provider.requests[0].client_closed.happened()

    run(scenario())


def test_https_goes_through_a_proxy_s_tunnel(client: Client, run: Run, ask: Any, authority: Any, ca_file: str) -> None:
    targets: list[bytes] = []

    async def scenario() -> Any:
        lab = Lab([LabProvider("a", tls=server_side(authority, "api.example"))])

        async def tunnel(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            targets.append((await reader.readuntil(b"\r\n\r\n")).split(b"\r\n")[0])
            port = int(lab.origin("a").rpartition(":")[2])
            upstream_reader, upstream_writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            await asyncio.gather(_pump(reader, upstream_writer), _pump(upstream_reader, writer))

        async with lab.serving():
            server = await asyncio.start_server(tunnel, "127.0.0.1", 0)
            async with server, client() as transport:
                proxy = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
                answers = [await ask(transport, "https://api.example/v1", tls_ca=ca_file, proxy=proxy) for _ in "12"]
            return answers, len(lab.provider("a").requests), lab.provider("a").connections

    answers, asked, connected = run(scenario())
    assert [answer.status for answer in answers] == [200, 200]
    assert (asked, connected, targets) == (2, 1, [b"CONNECT api.example:443 HTTP/1.1"])


def test_a_proxy_may_want_tls_itself(client: Client, run: Run, ask: Any, authority: Any, ca_file: str) -> None:
    async def scenario() -> Any:
        proxy = LabProvider("proxy", tls=server_side(authority, "127.0.0.1"))
        lab = Lab([proxy])
        async with lab.serving(), client() as transport:
            outcome = await ask(transport, "http://api.example/v1", tls_ca=ca_file, proxy=lab.origin("proxy"))
            return outcome.status, proxy.requests[0].target

    assert run(scenario()) == (200, "http://api.example/v1")


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while chunk := await reader.read(65536):
            writer.write(chunk)
            await writer.drain()
    finally:
        writer.close()


def test_a_missing_authority_file_is_a_matter_of_configuration(
    client: Client, run: Run, ask: Any, tmp_path: Path
) -> None:
    empty = tmp_path / "empty.pem"
    empty.write_text("nothing")
    for path in (tmp_path / "missing.pem", empty):
        with pytest.raises(ConfigError, match="cannot be read as PEM certificates"):
            run(_ask_https(client, ask, str(path)))


async def _ask_https(client: Client, ask: Any, tls_ca: str) -> None:
    async with client() as transport:
        await ask(transport, "https://127.0.0.1:1/", tls_ca=tls_ca)


def test_http_makes_no_tls_context(client: Client, run: Run, ask: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: Any, **__: Any) -> None:
        raise AssertionError("20 ms for nothing")

    monkeypatch.setattr(ssl, "create_default_context", never)

    async def scenario() -> Any:
        lab = Lab([LabProvider("a")])
        async with lab.serving(), client() as transport:
            return await ask(transport, lab.url("a"))

    assert run(scenario()).status == 200
