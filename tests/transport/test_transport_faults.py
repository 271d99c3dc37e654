"""Every way in which a provider can fail on the wire, over real sockets: trust.md B16–B29 where they concern HTTP."""

import asyncio
import gzip
import resource
import zlib
from collections.abc import Callable
from typing import Any

import pytest

from llmr.errors import ErrorKind, ProviderError
from llmr.exchange import Transport
from llmr.lab import HTML_502, Behavior, Encoding, Fault, Framing, Lab, LabProvider, html_page, rate_limited, redirect

Run = Callable[[Any], Any]
Client = Callable[..., Any]

TEXT = "one two three four"
MEBIBYTE = 1024 * 1024
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"


def outcome_of(client: Client, run: Run, ask: Any, behavior: Behavior) -> Any:
    async def scenario() -> Any:
        lab = Lab([LabProvider("a", [behavior])])
        async with lab.serving(), client() as transport:
            return await ask(transport, lab.url("a") + "/chat/completions")

    return run(scenario())


@pytest.mark.parametrize(
    ("behavior", "status"),
    [
        pytest.param(Behavior(TEXT), 200, id="a healthy stream"),
        pytest.param(Behavior(TEXT, framing=Framing.CLOSE), 200, id="a stream that ends with the connection"),
        pytest.param(Behavior(TEXT, encoding=Encoding.GZIP), 200, id="unasked gzip"),
        pytest.param(Behavior(TEXT, encoding=Encoding.DEFLATE), 200, id="unasked deflate"),
        pytest.param(Behavior(status=500), 500, id="an error"),
        pytest.param(rate_limited("7"), 429, id="a rate limit"),
        pytest.param(html_page(), 502, id="a gateway's HTML page"),
        pytest.param(Behavior(status=529), 529, id="a status that is nobody's standard"),
        pytest.param(Behavior(status=204, body=b""), 204, id="no content"),
        pytest.param(Behavior(status=431, body=b""), 431, id="our headers are too large"),
        pytest.param(redirect("http://127.0.0.1:1/"), 302, id="a redirect, which is an answer like any other"),
        pytest.param(Behavior(fault=Fault.END, fault_at=2), 200, id="an unfinished answer in a finished message"),
        pytest.param(Behavior(fault=Fault.CUT, fault_at=2, framing=Framing.CLOSE), 200, id="a cut nobody can see here"),
    ],
)
def test_an_http_answer_is_an_answer_whatever_it_says(
    client: Client, run: Run, ask: Any, behavior: Behavior, status: int
) -> None:
    outcome = outcome_of(client, run, ask, behavior)
    assert (outcome.status, outcome.error) == (status, None)


@pytest.mark.parametrize(
    ("behavior", "kind", "words"),
    [
        pytest.param(Behavior(fault=Fault.RESET), ErrorKind.CONNECT, "Connection reset", id="reset before headers"),
        pytest.param(Behavior(fault=Fault.CUT), ErrorKind.CONNECT, "closed the connection", id="closed before headers"),
        pytest.param(Behavior(raw=HEAD[:20]), ErrorKind.CONNECT, "closed the connection", id="closed within headers"),
        pytest.param(Behavior(raw=b""), ErrorKind.CONNECT, "closed the connection", id="nothing at all"),
        pytest.param(Behavior(fault=Fault.GARBAGE), ErrorKind.BAD_RESPONSE, "not HTTP", id="garbage status line"),
        pytest.param(
            Behavior(raw=b"SSH-2.0-OpenSSH_9.6\r\n\r\n"), ErrorKind.BAD_RESPONSE, "not HTTP", id="another protocol"
        ),
        pytest.param(
            Behavior(raw=HEAD + b"x:" + b"y" * MEBIBYTE + b"\r\n\r\n"),
            ErrorKind.BAD_RESPONSE,
            "too much",
            id="1 MB header",
        ),
        pytest.param(
            Behavior(raw=HEAD + b"x: y\r\n" * 9000 + b"\r\n"), ErrorKind.BAD_RESPONSE, "headers", id="9000 headers"
        ),
        pytest.param(
            Behavior(raw=HEAD + b"transfer-encoding: gzip\r\n\r\n"),
            ErrorKind.BAD_RESPONSE,
            "not HTTP",
            id="unknown framing",
        ),
    ],
)
def test_without_headers_there_is_no_answer(
    client: Client, run: Run, ask: Any, behavior: Behavior, kind: ErrorKind, words: str
) -> None:
    outcome = outcome_of(client, run, ask, behavior)
    assert (outcome.status, outcome.kind) == (None, kind)
    assert words in outcome.message


@pytest.mark.parametrize(
    ("behavior", "kind"),
    [
        pytest.param(Behavior(TEXT, fault=Fault.CUT, fault_at=3), ErrorKind.INCOMPLETE, id="cut between chunks"),
        pytest.param(Behavior(TEXT, fault=Fault.RESET, fault_at=3), ErrorKind.INCOMPLETE, id="reset"),
        pytest.param(Behavior(TEXT, fault=Fault.CUT, fault_at=0), ErrorKind.INCOMPLETE, id="cut after the headers"),
        pytest.param(
            Behavior(TEXT, fault=Fault.CUT, fault_at=3, framing=Framing.LENGTH), ErrorKind.INCOMPLETE, id="short length"
        ),
        pytest.param(
            Behavior(TEXT, fault=Fault.CUT, fault_at=3, encoding=Encoding.GZIP, framing=Framing.CLOSE),
            ErrorKind.INCOMPLETE,
            id="gzip cut short",
        ),
        pytest.param(Behavior(TEXT, fault=Fault.GARBAGE, fault_at=3), ErrorKind.BAD_RESPONSE, id="bad chunk size"),
        pytest.param(
            Behavior(body=b"plain", headers=(("content-encoding", "br"),)), ErrorKind.BAD_RESPONSE, id="unasked br"
        ),
        pytest.param(
            Behavior(body=b"plain", headers=(("content-encoding", "gzip"),)), ErrorKind.BAD_RESPONSE, id="plain as gzip"
        ),
        pytest.param(
            Behavior(body=gzip.compress(b"x" * 500)[:-8] + b"bad crc!", headers=(("content-encoding", "gzip"),)),
            ErrorKind.BAD_RESPONSE,
            id="corrupt gzip",
        ),
        pytest.param(
            Behavior(body=b"x", headers=(("content-encoding", ", ".join(["gzip"] * 8)),)),
            ErrorKind.BAD_RESPONSE,
            id="gzip eight times",
        ),
    ],
)
def test_an_answer_that_breaks_is_never_a_whole_one(
    client: Client, run: Run, ask: Any, behavior: Behavior, kind: ErrorKind
) -> None:
    outcome = outcome_of(client, run, ask, behavior)
    assert (outcome.status, outcome.kind) == (200, kind)


def test_what_came_before_the_break_is_delivered(client: Client, run: Run, ask: Any) -> None:
    outcome = outcome_of(client, run, ask, Behavior(TEXT, fault=Fault.RESET, fault_at=3))
    assert [word in outcome.body for word in (b"one", b"two", b"three", b"four")] == [True, True, True, False]


@pytest.mark.parametrize("encoding", Encoding)
def test_a_decoded_stream_is_the_stream(client: Client, run: Run, ask: Any, encoding: Encoding) -> None:
    outcome = outcome_of(client, run, ask, Behavior(TEXT, encoding=encoding))
    assert outcome.body.startswith(b"data: {")
    assert outcome.body.endswith(b"data: [DONE]\n\n")


def memory_peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024  # Linux counts KiB: getrusage(2)


@pytest.mark.parametrize(
    ("behavior", "words"),
    [
        pytest.param(
            Behavior(
                body=gzip.compress(bytes(256 * MEBIBYTE), compresslevel=1), headers=(("content-encoding", "gzip"),)
            ),
            "bomb",
            id="B20 a gzip bomb",
        ),
        pytest.param(Behavior(body=b"data: ", flood=b"x" * 65536), "too large", id="B16 an endless line"),
    ],
)
def test_an_answer_without_end_costs_no_memory(
    client: Client, run: Run, ask: Any, behavior: Behavior, words: str
) -> None:
    async def scenario() -> tuple[str, int, int]:
        lab = Lab([LabProvider("a", [Behavior(), behavior])])
        async with lab.serving(), client() as transport:
            url = lab.url("a") + "/chat/completions"
            await ask(transport, url)
            before = memory_peak_bytes()
            message, size_bytes = await count(transport, url)
            return message, size_bytes, memory_peak_bytes() - before

    async def count(transport: Transport, url: str) -> tuple[str, int]:
        from llmr.catalog import Provider, WireFormat
        from llmr.wire.contract import HttpRequest

        size_bytes = 0
        try:
            async with transport.stream(
                HttpRequest("POST", url, (), b""), Provider("a", WireFormat.OPENAI, url), connect_s=5
            ) as reply:
                async for chunk in reply.chunks():
                    assert len(chunk) <= 2 * 65536
                    size_bytes += len(chunk)
        except ProviderError as error:
            return str(error), size_bytes
        return "", size_bytes

    message, size_bytes, grown_bytes = run(scenario())
    assert words in message
    assert size_bytes <= 64 * MEBIBYTE
    assert grown_bytes < 16 * MEBIBYTE


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(client: Client, run: Run, ask: Any, status: int) -> None:
    async def scenario() -> tuple[Any, int, int]:
        decoy = LabProvider("decoy")
        first = LabProvider("first", lambda _n, _r: redirect(lab.url("decoy") + "/", status))
        lab = Lab([first, decoy])
        async with lab.serving(), client() as transport:
            outcome = await ask(transport, lab.url("first") + "/chat/completions")
            return outcome, len(first.requests), decoy.connections

    outcome, asked, decoyed = run(scenario())
    assert (outcome.status, asked, decoyed) == (status, 1, 0)
    assert outcome.headers["location"].startswith("http://127.0.0.1:")


def test_the_body_of_an_error_is_cut(client: Client, run: Run, ask: Any) -> None:
    assert error_body(client, run, Behavior(status=500, body=b"x" * 100_000), limit_bytes=1000) == b"x" * 1000


@pytest.mark.parametrize(
    "behavior",
    [
        pytest.param(Behavior(status=503, body=b"0123456789", fault=Fault.RESET, fault_at=1), id="reset"),
        pytest.param(Behavior(status=503, body=b"0123456789", fault=Fault.CUT, fault_at=1), id="cut"),
        pytest.param(Behavior(status=503, body=b"0123456789", fault=Fault.HANG, fault_at=1), id="hanging"),
    ],
)
def test_the_broken_body_of_an_error_is_what_came_of_it(client: Client, run: Run, behavior: Behavior) -> None:
    assert error_body(client, run, behavior, within_s=0.2) == b"01234"


def test_an_error_in_an_unknown_encoding_has_no_body_but_is_an_error(client: Client, run: Run) -> None:
    assert error_body(client, run, Behavior(status=500, body=b"x", headers=(("content-encoding", "br"),))) == b""


def test_an_error_page_comes_whole(client: Client, run: Run) -> None:
    assert error_body(client, run, html_page()) == HTML_502


def error_body(
    client: Client, run: Run, behavior: Behavior, limit_bytes: int = MEBIBYTE, within_s: float | None = None
) -> bytes:
    async def scenario() -> bytes:
        from llmr.catalog import Provider, WireFormat
        from llmr.wire.contract import HttpRequest

        lab = Lab([LabProvider("a", [behavior])])
        async with lab.serving(), client() as transport:
            request = HttpRequest("POST", lab.url("a") + "/chat/completions", (), b"{}")
            provider = Provider("a", WireFormat.OPENAI, lab.url("a"))
            async with transport.stream(request, provider, connect_s=5) as reply:
                assert reply.status == behavior.status
                return await reply.body(limit_bytes, within_s=within_s)

    body: bytes = run(scenario())
    return body


def test_a_server_that_answers_before_it_has_read_everything_is_heard(client: Client, run: Run, ask: Any) -> None:
    over = asyncio.Event()

    async def too_large(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 413 Content Too Large\r\nconnection: close\r\ncontent-length: 3\r\n\r\nbig")
        while await reader.read(65536):
            pass
        writer.close()
        over.set()

    async def scenario() -> Any:
        server = await asyncio.start_server(too_large, "127.0.0.1", 0)
        async with server, client() as transport:
            url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
            outcome = await ask(transport, url, body=bytes(8 * MEBIBYTE))
            await over.wait()
            return outcome

    outcome = run(scenario())
    assert (outcome.status, outcome.body) == (413, b"big")


def test_zlib_is_the_only_decoder_that_is_asked(client: Client, run: Run, ask: Any) -> None:
    raw_deflate = zlib.compressobj(wbits=-15)
    body = raw_deflate.compress(b"bare deflate") + raw_deflate.flush()
    outcome = outcome_of(client, run, ask, Behavior(body=body, headers=(("content-encoding", "deflate"),)))
    assert outcome.body == b"bare deflate"
