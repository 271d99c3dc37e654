"""Getting connected: names, addresses, the wall clock, proxies. One bound over all of it."""

import asyncio
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from llmr.errors import ConfigError, ErrorKind
from llmr.lab import Behavior, Lab, LabProvider
from llmr.transport.sockets import Sockets

Run = Callable[[Any], Any]
Client = Callable[..., Any]


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port of 127.0.0.1 on which nobody listens, and nobody will while the test runs."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


@pytest.fixture
def deaf_port() -> Iterator[int]:
    """A port whose backlog is full: connecting hangs."""
    with socket.socket() as listening, socket.socket() as first, socket.socket() as second:
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        for filler in (first, second):
            filler.setblocking(False)
            filler.connect_ex(listening.getsockname())
        yield listening.getsockname()[1]


def found(*ports: int) -> Callable[..., Any]:
    """A resolver that knows these ports of 127.0.0.1, whatever it is asked."""
    return lambda *_, **__: [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port)) for port in ports]


def test_a_refused_connection_says_so(client: Client, run: Run, ask: Any, closed_port: int) -> None:
    async def scenario() -> Any:
        async with client() as transport:
            return await ask(transport, f"http://127.0.0.1:{closed_port}/")

    outcome = run(scenario())
    assert outcome.kind == ErrorKind.CONNECT
    assert outcome.message == f"127.0.0.1:{closed_port}: failed while connecting (Connection refused)"


def test_a_name_without_address_says_so(client: Client, run: Run, ask: Any) -> None:
    def unknown(*_: Any, **__: Any) -> Any:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    async def scenario() -> Any:
        async with client(sockets=Sockets(unknown)) as transport:
            return await ask(transport, "http://nowhere.example/")

    outcome = run(scenario())
    assert outcome.kind == ErrorKind.CONNECT
    assert outcome.message == "nowhere.example: name lookup failed (Name or service not known)"


def test_a_name_that_is_no_name_is_a_failed_lookup(client: Client, run: Run, ask: Any) -> None:
    async def scenario() -> Any:
        async with client() as transport:
            return await ask(transport, f"http://{'x' * 64}.example/")

    assert run(scenario()).kind == ErrorKind.CONNECT


def test_the_next_address_is_tried_when_one_refuses(client: Client, run: Run, ask: Any, closed_port: int) -> None:
    async def scenario() -> Any:
        lab = Lab([LabProvider("a")])
        async with lab.serving():
            port = int(lab.origin("a").rpartition(":")[2])
            async with client(sockets=Sockets(found(closed_port, port))) as transport:
                return await ask(transport, "http://two.example/")

    assert run(scenario()).status == 200


def test_the_next_address_is_tried_when_one_is_silent(client: Client, run: Run, ask: Any, deaf_port: int) -> None:
    async def scenario() -> Any:
        lab = Lab([LabProvider("a")])
        async with lab.serving():
            port = int(lab.origin("a").rpartition(":")[2])
            async with client(sockets=Sockets(found(deaf_port, port))) as transport:
                return await ask(transport, "http://two.example/")

    assert run(scenario()).status == 200


def test_when_every_address_refuses_that_is_the_error(client: Client, run: Run, ask: Any, closed_port: int) -> None:
    async def scenario() -> Any:
        async with client(sockets=Sockets(found(closed_port, closed_port))) as transport:
            return await ask(transport, "http://two.example/")

    outcome = run(scenario())
    assert (outcome.kind, "Connection refused" in outcome.message) == (ErrorKind.CONNECT, True)


async def _silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Accepts, and never says a word."""
    while await reader.read(4096):
        pass
    writer.close()


@pytest.mark.parametrize(
    ("scheme", "proxied", "phase"),
    [("https", False, "shaking hands (TLS)"), ("https", True, "asking the proxy for a tunnel")],
)
def test_connecting_is_bounded_by_the_wall_clock(
    client: Client, run: Run, ask: Any, scheme: str, proxied: bool, phase: str
) -> None:
    closed = threading.Event()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _silent(reader, writer)
        closed.set()

    async def scenario() -> Any:
        server = await asyncio.start_server(silent, "127.0.0.1", 0)
        async with server, client() as transport:
            port = server.sockets[0].getsockname()[1]
            proxy = f"http://127.0.0.1:{port}" if proxied else None
            outcome = await ask(transport, f"{scheme}://127.0.0.1:{port}/", connect_s=0.15, proxy=proxy)
            while not closed.is_set():
                await asyncio.sleep(0)
            return outcome

    outcome = run(scenario())
    assert outcome.kind == ErrorKind.CONNECT_TIMEOUT
    assert outcome.message.endswith(f"no connection within 0.15 s, gave up {phase}")


def test_a_silent_address_is_bounded_as_well(client: Client, run: Run, ask: Any, deaf_port: int) -> None:
    async def scenario() -> Any:
        async with client() as transport:
            return await ask(transport, f"http://127.0.0.1:{deaf_port}/", connect_s=0.15)

    assert run(scenario()).kind == ErrorKind.CONNECT_TIMEOUT


def test_the_bound_on_connecting_does_not_bound_the_answer(client: Client, run: Run, ask: Any) -> None:
    async def scenario() -> Any:
        lab = Lab([LabProvider("a", [Behavior(headers_s=0.2, ttft_s=0.2)])])
        async with lab.serving(), client() as transport:
            return await ask(transport, lab.url("a"), connect_s=0.1)

    outcome = run(scenario())
    assert (outcome.status, outcome.error) == (200, None)


def test_a_lookup_that_hangs_holds_nobody_up(client: Client, run: Run, ask: Any) -> None:
    never = threading.Event()

    def hanging(*_: Any, **__: Any) -> Any:
        never.wait()
        return []

    async def scenario() -> Any:
        async with client(sockets=Sockets(hanging)) as transport:
            return await ask(transport, "http://slow.example/", connect_s=0.1)

    try:
        outcome = run(scenario())  # asyncio.run has joined its own threads by now
        assert outcome.kind == ErrorKind.CONNECT_TIMEOUT
        assert [thread.daemon for thread in threading.enumerate() if thread.name == "llmr-lookup"] == [True]
    finally:
        never.set()


def test_a_lookup_that_hangs_does_not_delay_the_end_of_the_process(client: Client) -> None:
    program = f"""
import asyncio, threading
from llmr.catalog import Provider, WireFormat
from {client.__module__} import {client.__name__}
from llmr.transport.sockets import Sockets
from llmr.wire.contract import HttpRequest

async def main():
    async with {client.__name__}(sockets=Sockets(lambda *_, **__: threading.Event().wait())) as transport:
        url = "http://slow.example/"
        async with transport.stream(HttpRequest("GET", url, (), b""), Provider("a", WireFormat.OPENAI, url), connect_s=0.05):
            pass
asyncio.run(main())
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 1
    assert done.stderr.strip().endswith("no connection within 0.05 s, gave up connecting")


def test_an_http_request_goes_through_its_proxy_and_says_who_it_is(client: Client, run: Run, ask: Any) -> None:
    async def scenario() -> Any:
        proxy = LabProvider("proxy")
        lab = Lab([proxy])
        async with lab.serving(), client() as transport:
            url = lab.origin("proxy").replace("//", "//me:hunter2@")
            outcome = await ask(transport, "http://api.example/v1/chat", proxy=url)
            return outcome, proxy.requests[0]

    outcome, request = run(scenario())
    assert outcome.status == 200
    assert request.target == "http://api.example/v1/chat"
    assert request.header("proxy-authorization") == "Basic bWU6aHVudGVyMg=="  # me:hunter2


def test_a_proxy_that_refuses_is_named_without_its_password(client: Client, run: Run, ask: Any) -> None:
    async def scenario() -> Any:
        lab = Lab([LabProvider("proxy", [Behavior(status=407, body=b"")])])
        async with lab.serving(), client() as transport:
            url = lab.origin("proxy").replace("//", "//me:hunter2@")
            return await ask(transport, "https://api.example/v1/chat", proxy=url), lab.origin("proxy")

    outcome, origin = run(scenario())
    assert outcome.kind == ErrorKind.CONNECT
    proxy = origin.removeprefix("http://")
    assert outcome.message == f"api.example (through the proxy {proxy}): the proxy refused the tunnel (407)"


@pytest.mark.parametrize("proxy", ["ftp://me:hunter2@h/", "socks5://me:hunter2@127.0.0.1:1", "http://me:hunter2@[::/"])
def test_a_proxy_that_cannot_be_used_is_a_matter_of_configuration(
    client: Client, run: Run, ask: Any, proxy: str
) -> None:
    async def scenario() -> None:
        async with client() as transport:
            await ask(transport, "http://api.example/", proxy=proxy)

    with pytest.raises(ConfigError) as caught:
        run(scenario())
    assert "hunter2" not in str(caught.value)


def test_an_idle_connection_that_the_peer_has_closed_is_known_to_be_useless(run: Run) -> None:
    async def goodbye(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async def scenario() -> None:
        server = await asyncio.start_server(goodbye, "127.0.0.1", 0)
        async with server:
            stream = await Sockets().connect_tcp("127.0.0.1", server.sockets[0].getsockname()[1])
            while not stream.get_extra_info("is_readable"):
                await asyncio.sleep(0)
            await stream.aclose()

    run(scenario())


def test_an_idle_connection_on_which_something_arrives_is_known_to_be_useless(run: Run) -> None:
    async def speak_first(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n")
        await reader.read()
        writer.close()

    async def scenario() -> None:
        server = await asyncio.start_server(speak_first, "127.0.0.1", 0)
        async with server:
            stream = await Sockets().connect_tcp("127.0.0.1", server.sockets[0].getsockname()[1])
            while not stream.get_extra_info("is_readable"):
                await asyncio.sleep(0)
            await stream.aclose()
            await asyncio.sleep(0.01)

    run(scenario())


def test_a_slow_reader_makes_the_peer_wait_and_loses_nothing(run: Run) -> None:
    size_bytes = 8 * 1024 * 1024

    async def send(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(bytes(size_bytes))
        writer.close()

    async def scenario() -> tuple[int, int]:
        server = await asyncio.start_server(send, "127.0.0.1", 0)
        async with server:
            stream = await Sockets().connect_tcp("127.0.0.1", server.sockets[0].getsockname()[1])
            for _ in range(2000):  # turns of the loop in which everything could have been read ahead
                await asyncio.sleep(0)
            ahead_bytes, read_bytes = len(stream._buffer), 0
            while chunk := await stream.read(65536):
                read_bytes += len(chunk)
            await stream.aclose()
            return ahead_bytes, read_bytes

    ahead_bytes, read_bytes = run(scenario())
    assert 0 < ahead_bytes <= 1024 * 1024
    assert read_bytes == size_bytes
