"""Connections that are kept for the next request: which are, which must not be, and whose fault it is when one is gone."""

import asyncio
import contextlib
import socket
import struct
from collections.abc import Callable
from typing import Any

import pytest

from llmr.catalog import Provider, WireFormat
from llmr.errors import ErrorKind
from llmr.exchange import Transport
from llmr.transport.direct import DirectTransport
from llmr.wire.contract import HttpRequest

Run = Callable[[Any], Any]
Client = Callable[..., Any]

OK = b"HTTP/1.1 200 OK\r\n"
MEBIBYTE = 1024 * 1024


def bodies(outcomes: Any) -> list[bytes]:
    return [outcome.body for outcome in outcomes]


def test_an_answer_that_comes_while_nobody_asks_is_not_the_next_one(run: Run, ask: Any) -> None:
    accepted, asked = 0, asyncio.Event()

    async def peer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal accepted
        accepted += 1
        await reader.readuntil(b"\r\n\r\n{}")
        writer.write(OK + b"content-length: 4\r\n\r\nmine")
        await asked.wait()
        writer.write(OK + b"content-length: 4\r\n\r\nevil")
        await reader.read()
        writer.close()

    async def scenario() -> list[bytes]:
        server = await asyncio.start_server(peer, "127.0.0.1", 0)
        async with server, DirectTransport() as transport:
            url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
            first = await ask(transport, url, body=b"{}")
            asked.set()
            while any(idle.is_reusable for kept in transport._idle.values() for idle in kept):
                await asyncio.sleep(0)
            return bodies([first, await ask(transport, url, body=b"{}")])

    assert (run(scenario()), accepted) == ([b"mine", b"mine"], 2)


def test_the_connection_of_a_cancelled_answer_is_never_asked_again(client: Client, run: Run, ask: Any) -> None:
    accepted, half, closed = 0, asyncio.Event(), asyncio.Event()

    async def peer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal accepted
        accepted += 1
        await reader.readuntil(b"\r\n\r\n{}")
        writer.write(OK + b"content-length: 4\r\n\r\n" + (b"ev" if accepted == 1 else b"mine"))
        await reader.read()
        writer.close()
        closed.set()

    async def read(transport: Transport, url: str) -> None:
        request = HttpRequest("POST", url, (), b"{}")
        async with transport.stream(request, Provider("a", WireFormat.OPENAI, url), connect_s=5) as reply:
            async for _ in reply.chunks():
                half.set()

    async def scenario() -> Any:
        server = await asyncio.start_server(peer, "127.0.0.1", 0)
        async with server, client() as transport:
            url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
            reading = asyncio.ensure_future(read(transport, url))
            await half.wait()
            reading.cancel()
            with pytest.raises(asyncio.CancelledError):
                await reading
            await asyncio.wait_for(closed.wait(), 5)
            return await ask(transport, url, body=b"{}")

    assert (run(scenario()).body, accepted) == (b"mine", 2)


def test_who_answers_early_and_never_reads_the_rest_is_heard(client: Client, run: Run, ask: Any) -> None:
    """The connection, on which the rest is still to be sent, is none for the next request."""
    accepted, over = 0, asyncio.Event()

    async def peer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal accepted
        accepted += 1
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 413 Content Too Large\r\ncontent-length: 3\r\n\r\nbig")
        await over.wait()
        writer.close()

    async def scenario() -> Any:
        server = await asyncio.start_server(peer, "127.0.0.1", 0)
        async with server, client() as transport:
            url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
            outcomes = [await ask(transport, url, body=bytes(32 * MEBIBYTE)) for _ in range(2)]
            over.set()
            return outcomes

    outcomes = run(scenario())
    assert [(outcome.status, outcome.body) for outcome in outcomes] == [(413, b"big")] * 2
    assert accepted == 2


def leaving(
    run: Run, ask: Any, *, last_words: bytes = b"", good: int = 1, resets: bool = False
) -> tuple[Any, list[int]]:
    """Ask twice a peer that answers `good` requests and leaves at the next, with `last_words`; then it answers again. What came
    of it, and over which of its connections each request came."""
    connections, asked = 0, list[int]()

    async def peer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        mine = connections
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while await reader.readuntil(b"\r\n\r\n{}"):
                asked.append(mine)
                if len(asked) == good + 1:
                    writer.write(last_words)
                    break
                writer.write(OK + b"content-length: 2\r\n\r\nhi")
        if resets:
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.close()

    async def scenario() -> Any:
        server = await asyncio.start_server(peer, "127.0.0.1", 0)
        async with server, DirectTransport() as transport:
            url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
            return [await ask(transport, url, body=b"{}") for _ in range(2)]

    return run(scenario()), asked


@pytest.mark.parametrize("resets", [False, True], ids=["closes", "resets"])
def test_a_kept_connection_that_its_peer_has_given_up_costs_nobody_an_answer(run: Run, ask: Any, resets: bool) -> None:
    outcomes, asked = leaving(run, ask, resets=resets)
    assert (bodies(outcomes), asked) == ([b"hi", b"hi"], [1, 1, 2])


def test_who_leaves_a_new_connection_is_not_asked_again(run: Run, ask: Any) -> None:
    outcomes, asked = leaving(run, ask, good=0)
    assert ([outcome.kind for outcome in outcomes], asked) == ([ErrorKind.CONNECT, None], [1, 2])


def test_who_has_begun_to_answer_is_not_asked_again(run: Run, ask: Any) -> None:
    outcomes, asked = leaving(run, ask, last_words=b"HTTP/1.1 ")
    assert ([outcome.kind for outcome in outcomes], asked) == ([None, ErrorKind.CONNECT], [1, 1])


def test_who_had_the_time_to_work_on_a_request_is_not_asked_again(
    run: Run, ask: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("llmr.transport.direct._STALE_S", -1.0)
    outcomes, asked = leaving(run, ask)
    assert ([outcome.kind for outcome in outcomes], asked) == ([None, ErrorKind.CONNECT], [1, 1])
