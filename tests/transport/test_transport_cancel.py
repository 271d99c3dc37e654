"""Whatever is cancelled is closed, at once: the router's watchdog relies on it (trust.md §0.5, B17–B19)."""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

import pytest

from llmr.catalog import Provider, WireFormat
from llmr.exchange import Transport
from llmr.lab import Behavior, Drip, Fault, Lab, LabProvider, Part
from llmr.wire.contract import HttpRequest

Run = Callable[[Any], Any]
Client = Callable[..., Any]

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n"


async def read_all(transport: Transport, url: str, *, saw: asyncio.Event | None = None) -> None:
    request = HttpRequest("POST", url, (), b'{"stream":true}')
    async with transport.stream(request, Provider("a", WireFormat.OPENAI, url), connect_s=10) as reply:
        async for _ in reply.chunks():
            if saw is not None:
                saw.set()


@pytest.mark.parametrize(
    "behavior",
    [
        pytest.param(Behavior(fault=Fault.HANG), id="hanging before the headers"),
        pytest.param(Behavior(drip=Drip(0.01, Part.HEADERS)), id="B19 headers that drip"),
        pytest.param(Behavior(raw=b"", flood=b"HTTP/1.1 103 Early Hints\r\n\r\n"), id="B19 endless 103"),
        pytest.param(Behavior(raw=b"", flood=b"HTTP/1.1 103 Early Hints\r\n\r\n", token_s=0.001), id="B19 slow 103"),
    ],
)
def test_a_request_cancelled_before_its_headers_is_closed(client: Client, run: Run, behavior: Behavior) -> None:
    async def scenario() -> None:
        provider = LabProvider("a", [behavior])
        lab = Lab([provider])
        async with lab.serving(), client() as transport:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.1):
                    await read_all(transport, lab.url("a"))
            await provider.requests[0].client_closed.happened()

    run(scenario())


@pytest.mark.parametrize(
    "behavior",
    [
        pytest.param(Behavior(fault=Fault.HANG, fault_at=1), id="stalled"),
        pytest.param(Behavior(drip=Drip(0.001)), id="B18 a body that drips"),
        pytest.param(Behavior(raw=HEAD, flood=b": ping\n\n", token_s=0.001), id="B17 endless keep-alives"),
        pytest.param(Behavior(raw=HEAD, flood=b"x" * 65536), id="an endless line"),
    ],
)
def test_an_answer_cancelled_in_its_middle_is_closed(client: Client, run: Run, behavior: Behavior) -> None:
    async def scenario() -> None:
        provider = LabProvider("a", [behavior])
        lab = Lab([provider])
        saw = asyncio.Event()
        async with lab.serving(), client() as transport:
            reading = asyncio.ensure_future(read_all(transport, lab.url("a"), saw=saw))
            await saw.wait()
            reading.cancel()
            with pytest.raises(asyncio.CancelledError):
                await reading
            await provider.requests[0].client_closed.happened()

    run(scenario())


def test_a_reader_that_leaves_early_closes_the_answer(client: Client, run: Run) -> None:
    async def scenario() -> None:
        provider = LabProvider("a", [Behavior(fault=Fault.HANG, fault_at=1)])
        lab = Lab([provider])
        async with lab.serving(), client() as transport:
            request = HttpRequest("POST", lab.url("a"), (), b'{"stream":true}')
            async with transport.stream(request, Provider("a", WireFormat.OPENAI, lab.url("a")), connect_s=5) as reply:
                chunks = reply.chunks()
                await anext(chunks)
                await chunks.aclose()
            await provider.requests[0].client_closed.happened()

    run(scenario())


def test_a_reply_that_nobody_reads_is_closed(client: Client, run: Run) -> None:
    async def scenario() -> None:
        provider = LabProvider("a", [Behavior(fault=Fault.HANG, fault_at=1)])
        lab = Lab([provider])
        async with lab.serving(), client() as transport:
            request = HttpRequest("POST", lab.url("a"), (), b'{"stream":true}')
            async with transport.stream(request, Provider("a", WireFormat.OPENAI, lab.url("a")), connect_s=5):
                pass
            await provider.requests[0].client_closed.happened()

    run(scenario())


def test_an_upload_that_nobody_reads_can_be_cancelled(client: Client, run: Run) -> None:
    async def scenario() -> None:
        accepted, cancelled, left = asyncio.Event(), asyncio.Event(), asyncio.Event()

        async def never_read(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            accepted.set()
            await cancelled.wait()
            with contextlib.suppress(ConnectionError):
                while await reader.read(1 << 20):
                    pass
            writer.close()
            left.set()

        async def upload(transport: Transport, url: str) -> None:
            request = HttpRequest("POST", url, (), bytes(32 * 1024 * 1024))
            async with transport.stream(request, Provider("a", WireFormat.OPENAI, url), connect_s=10):
                pass

        server = await asyncio.start_server(never_read, "127.0.0.1", 0)
        async with server, client() as transport:
            url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
            uploading = asyncio.ensure_future(upload(transport, url))
            await accepted.wait()
            uploading.cancel()
            with pytest.raises(asyncio.CancelledError):
                await uploading
            cancelled.set()
            await left.wait()

    run(scenario())


def test_a_connection_is_used_again_and_a_broken_one_is_not(client: Client, run: Run, ask: Any) -> None:
    async def scenario() -> list[int]:
        script = [
            Behavior(),
            Behavior(),
            Behavior(fault=Fault.CUT, fault_at=1),
            Behavior(),
            Behavior(keep_alive=False),
            Behavior(),
        ]
        provider = LabProvider("a", script)
        lab = Lab([provider])
        async with lab.serving(), client() as transport:
            for _ in script:
                await ask(transport, lab.url("a"))
        return [request.connection for request in provider.requests]

    assert run(scenario()) == [1, 1, 1, 2, 2, 3]


def test_many_requests_at_once_have_a_connection_each(client: Client, run: Run, ask: Any) -> None:
    async def scenario() -> tuple[int, int]:
        provider = LabProvider("a", [Behavior(gate="all", gate_at=0)])
        lab = Lab([provider])
        async with lab.serving(), client() as transport:
            asking = [asyncio.ensure_future(ask(transport, lab.url("a"))) for _ in range(20)]
            await asyncio.to_thread(provider.wait_for_requests, 20)
            provider.release("all")
            answers = await asyncio.gather(*asking)
            assert all(answer.error is None for answer in answers)
        return provider.connections, provider.peak_in_flight

    assert run(scenario()) == (20, 20)
