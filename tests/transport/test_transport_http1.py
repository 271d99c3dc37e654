"""One connection, answer after answer: what belongs to an answer, what does not, and when a connection is done with.

What is asked of the direct transport alone, httpcore does otherwise.
"""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from llmr.errors import ErrorKind
from llmr.transport.direct import DirectTransport

Run = Callable[[Any], Any]
Client = Callable[..., Any]

OK = b"HTTP/1.1 200 OK\r\n"
KIBIBYTE = 1024


def answers_of(client: Client, run: Run, ask: Any, *scripts: bytes, times: int, ends: bool = False) -> tuple[Any, int]:
    """Ask `times` times a peer that answers each request on a connection with the next of `scripts`, and how many connections
    it took; `ends`: the peer closes the connection behind each answer."""
    accepted = 0

    async def peer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal accepted
        accepted += 1
        try:
            for script in scripts:
                await reader.readuntil(b"\r\n\r\n{}")
                writer.write(script)
                if ends:
                    break
            await writer.drain()
            if not ends:
                await reader.read()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def scenario() -> Any:
        server = await asyncio.start_server(peer, "127.0.0.1", 0)
        async with server, client() as transport:
            url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
            return [await ask(transport, url, body=b"{}") for _ in range(times)]

    return run(scenario()), accepted


def bodies(outcomes: Any) -> list[bytes]:
    return [outcome.body for outcome in outcomes]


def test_chunks_that_come_together_are_one_content(client: Client, run: Run, ask: Any) -> None:
    script = OK + b"transfer-encoding: chunked\r\n\r\n" + b"3\r\nabc\r\n" * 20 + b"0\r\n\r\n"
    outcomes, accepted = answers_of(client, run, ask, script, script, times=2)
    assert (bodies(outcomes), accepted) == ([b"abc" * 20] * 2, 1)


@pytest.mark.parametrize("interim", [b"100 Continue", b"102 Processing", b"103 Early Hints"])
def test_an_interim_answer_is_none(client: Client, run: Run, ask: Any, interim: bytes) -> None:
    before = b"HTTP/1.1 " + interim + b"\r\nx-early: yes\r\n\r\n"
    outcomes, _ = answers_of(client, run, ask, before * 2 + OK + b"content-length: 2\r\n\r\nhi", times=1)
    assert (outcomes[0].status, outcomes[0].body, "x-early" in outcomes[0].headers) == (200, b"hi", False)


@pytest.mark.parametrize(
    "behind", [pytest.param(OK + b"content-length: 4\r\n\r\nevil", id="an answer"), pytest.param(b"junk", id="junk")]
)
def test_what_comes_unasked_behind_an_answer_is_nobodys_answer(run: Run, ask: Any, behind: bytes) -> None:
    """Of the direct transport alone: httpcore takes it for the answer to the next request."""
    script = OK + b"content-length: 4\r\n\r\nmine" + behind
    outcomes, accepted = answers_of(DirectTransport, run, ask, script, script, times=3)
    assert bodies(outcomes) == [b"mine"] * 3
    assert accepted == 3


def test_trailers_are_no_headers_and_end_the_answer(client: Client, run: Run, ask: Any) -> None:
    script = OK + b"transfer-encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nx-late: yes\r\n\r\n"
    outcomes, accepted = answers_of(client, run, ask, script, script, times=2)
    assert (bodies(outcomes), accepted) == ([b"hi", b"hi"], 1)
    assert "x-late" not in outcomes[0].headers


@pytest.mark.parametrize(
    "framing",
    [
        pytest.param(b"0\r\n" + b"x-late: yes\r\n" * 40 * KIBIBYTE, id="trailers"),
        pytest.param(b"0;" + b"x" * 400 * KIBIBYTE, id="a chunk extension"),
    ],
)
def test_framing_without_end_is_refused(client: Client, run: Run, ask: Any, framing: bytes) -> None:
    script = OK + b"transfer-encoding: chunked\r\n\r\n2\r\nhi\r\n" + framing
    outcomes, _ = answers_of(client, run, ask, script, times=1)
    assert (outcomes[0].kind, outcomes[0].body) == (ErrorKind.BAD_RESPONSE, b"hi")


def test_an_answer_without_length_ends_with_its_connection(client: Client, run: Run, ask: Any) -> None:
    outcomes, accepted = answers_of(client, run, ask, OK + b"\r\nall of it", times=2, ends=True)
    assert (bodies(outcomes), accepted) == ([b"all of it"] * 2, 2)
    assert [outcome.error for outcome in outcomes] == [None, None]


def test_an_answer_of_http_1_0_closes_its_connection(client: Client, run: Run, ask: Any) -> None:
    script = b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nhi"
    outcomes, accepted = answers_of(client, run, ask, script, script, times=2)
    assert (bodies(outcomes), accepted) == ([b"hi", b"hi"], 2)


def test_no_content_leaves_the_connection_usable(client: Client, run: Run, ask: Any) -> None:
    script = b"HTTP/1.1 204 No Content\r\n\r\n"
    outcomes, accepted = answers_of(client, run, ask, script, script, times=2)
    assert ([outcome.status for outcome in outcomes], accepted) == ([204, 204], 1)


def test_headers_of_one_name_are_one_and_odd_bytes_are_text(client: Client, run: Run, ask: Any) -> None:
    head = b"X-A: one\r\nx-a: two\r\nx-latin: caf\xe9 \r\ncontent-length: 0\r\n\r\n"
    outcomes, _ = answers_of(client, run, ask, OK + head, times=1)
    assert outcomes[0].headers["x-a"] == "one, two"
    assert outcomes[0].headers["x-latin"] == "café"


def test_a_protocol_that_nobody_asked_for_is_not_switched_to(client: Client, run: Run, ask: Any) -> None:
    script = b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n"
    outcomes, accepted = answers_of(client, run, ask, script, script, times=2)
    assert accepted == 2
    assert [(outcome.status, outcome.body) for outcome in outcomes] in ([(101, b"")] * 2, [(None, b"")] * 2)


def test_a_connection_that_nobody_needed_for_a_while_is_closed(
    client: Client, run: Run, ask: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("llmr.transport.client.IDLE_S", 0.0)
    monkeypatch.setattr("llmr.transport.direct.IDLE_S", 0.0)
    script = OK + b"content-length: 2\r\n\r\nhi"
    outcomes, accepted = answers_of(client, run, ask, script, script, times=2)
    assert (bodies(outcomes), accepted) == ([b"hi", b"hi"], 2)


def test_a_status_without_content_has_none_whatever_its_length_says(client: Client, run: Run, ask: Any) -> None:
    script = b"HTTP/1.1 304 Not Modified\r\ncontent-length: 100\r\n\r\n"
    outcomes, accepted = answers_of(client, run, ask, script, script, times=2)
    assert ([(outcome.status, outcome.body) for outcome in outcomes], accepted) == ([(304, b"")] * 2, 1)


def test_a_chunk_s_extensions_are_no_content(client: Client, run: Run, ask: Any) -> None:
    script = OK + b'transfer-encoding: chunked\r\n\r\n2;a=b;c="d e"\r\nhi\r\n0;last\r\n\r\n'
    outcomes, accepted = answers_of(client, run, ask, script, script, times=2)
    assert (bodies(outcomes), accepted) == ([b"hi", b"hi"], 1)


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(b"HTTP/1.1 200 OK\ncontent-length: 2\n\nhi", id="lines that end in LF"),
        pytest.param(OK + b"content-length: 2\r\ncontent-length: 3\r\n\r\nhi!", id="two lengths"),
        pytest.param(
            OK + b"transfer-encoding: chunked\r\ncontent-length: 5\r\n\r\n2\r\nhi\r\n0\r\n\r\n", id="length and chunks"
        ),
        pytest.param(OK + b"x: a\r\n b\r\ncontent-length: 2\r\n\r\nhi", id="a folded header"),
    ],
)
def test_what_can_be_read_in_two_ways_is_refused(run: Run, ask: Any, answer: bytes) -> None:
    outcomes, accepted = answers_of(DirectTransport, run, ask, answer, answer, times=2)
    assert ([outcome.kind for outcome in outcomes], accepted) == ([ErrorKind.BAD_RESPONSE] * 2, 2)
