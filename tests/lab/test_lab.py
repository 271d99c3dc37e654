"""The lab keeps its word: what a behaviour says is what a client sees. The client here is bytes on a socket."""

import asyncio
import gzip
import json
import math
import random
import socket
import statistics
import subprocess
import sys
import threading
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from llmr.catalog import WireFormat
from llmr.lab import (
    HTML_502,
    Behavior,
    Drip,
    Encoding,
    Fact,
    Fault,
    Framing,
    Lab,
    LabProvider,
    LabRequest,
    LabThread,
    LabToolCall,
    LogNormal,
    html_page,
    rate_limited,
    redirect,
)
from llmr.lab.behavior import seconds
from llmr.lab.script import read_providers

PATIENCE_S = 10.0


def dial(lab: LabThread, name: str = "a") -> socket.socket:
    port = int(lab.origin(name).rpartition(":")[2])
    return socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S)


def ask_for(body: dict[str, Any] | bytes = b"{}", *, target: str = "/v1/chat/completions", close: bool = True) -> bytes:
    payload = body if isinstance(body, bytes) else json.dumps(body).encode()
    ending = "Connection: close\r\n" if close else ""
    return f"POST {target} HTTP/1.1\r\nHost: lab\r\nContent-Length: {len(payload)}\r\n{ending}\r\n".encode() + payload


def read_to_end(connection: socket.socket) -> bytes:
    """Everything until the peer closes; a reset is an error."""
    received = bytearray()
    while chunk := connection.recv(65536):
        received += chunk
    return bytes(received)


def exchange(
    behavior: Behavior, request: bytes | None = None, *, wire: WireFormat = WireFormat.OPENAI
) -> tuple[bytes, bytes]:
    """Head and body of the answer, as sent."""
    with LabThread([LabProvider("a", [behavior], wire=wire)]) as lab, dial(lab) as connection:
        connection.sendall(ask_for() if request is None else request)
        head, _, body = read_to_end(connection).partition(b"\r\n\r\n")
        return head, body


def unchunked(body: bytes) -> bytes:
    payload = bytearray()
    while True:
        size, _, body = body.partition(b"\r\n")
        if int(size, 16) == 0:
            return bytes(payload)
        payload += body[: int(size, 16)]
        body = body[int(size, 16) + 2 :]


def events(payload: bytes) -> list[dict[str, Any]]:
    lines = [line for line in payload.replace(b"\r\n", b"\n").split(b"\n") if line.startswith(b"data: ")]
    return [json.loads(line[6:]) for line in lines if line != b"data: [DONE]"]


def streamed(behavior: Behavior, **body: Any) -> bytes:
    return unchunked(exchange(behavior, ask_for({"stream": True, "model": "m", **body}))[1])


# The OpenAI dialect.


def test_a_stream_is_role_words_finish_reason_usage_and_done() -> None:
    payload = streamed(Behavior("Hello there."), stream_options={"include_usage": True})
    chunks = events(payload)
    assert [chunk["choices"][0]["delta"] for chunk in chunks[:-1]] == [
        {"role": "assistant", "content": ""},
        {"content": "Hello "},
        {"content": "there."},
        {},
    ]
    assert [chunk["choices"][0]["finish_reason"] for chunk in chunks[:-1]] == [None, None, None, "stop"]
    assert (chunks[-1]["choices"], chunks[-1]["usage"]["completion_tokens"], chunks[-1]["model"]) == ([], 2, "m")
    assert payload.endswith(b"data: [DONE]\n\n")


def test_usage_comes_only_where_it_was_asked_for() -> None:
    assert not any("usage" in chunk for chunk in events(streamed(Behavior())))


def test_an_unstreamed_answer_is_one_document() -> None:
    head, body = exchange(Behavior("Hello there.", reasoning="hm", input_tokens=7))
    answer = json.loads(body)
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"content-type: application/json" in head
    assert answer["choices"][0]["message"] == {
        "role": "assistant",
        "content": "Hello there.",
        "refusal": None,
        "reasoning_content": "hm",
    }
    assert (answer["usage"]["prompt_tokens"], answer["usage"]["completion_tokens"]) == (7, 3)


def test_a_tool_call_comes_in_pieces_that_join() -> None:
    chunks = events(streamed(Behavior("", tool_calls=(LabToolCall("look", '{"at":1}'),))))
    calls = [
        chunk["choices"][0]["delta"]["tool_calls"][0]
        for chunk in chunks
        if "tool_calls" in chunk["choices"][0]["delta"]
    ]
    assert "".join(call["function"]["arguments"] for call in calls) == '{"at":1}'
    assert (calls[0]["function"]["name"], chunks[-1]["choices"][0]["finish_reason"]) == ("look", "tool_calls")


def test_an_ending_may_lack_its_finish_reason_or_its_mark() -> None:
    assert streamed(Behavior(finish_reason=None)).endswith(b"data: [DONE]\n\n")
    assert all(chunk["choices"][0]["finish_reason"] is None for chunk in events(streamed(Behavior(finish_reason=None))))
    assert b"[DONE]" not in streamed(Behavior(done=False))


def test_an_error_has_its_status_and_the_dialect_s_shape() -> None:
    head, body = exchange(Behavior(status=401, error_message="no", error_code="invalid_api_key"))
    assert head.startswith(b"HTTP/1.1 401 Unauthorized\r\n")
    assert json.loads(body)["error"] == {
        "message": "no",
        "type": "invalid_request_error",
        "param": None,
        "code": "invalid_api_key",
    }


def test_an_error_event_comes_after_as_many_tokens_as_told_and_done_still_follows() -> None:
    payload = streamed(Behavior(tokens=5, fault=Fault.ERROR_EVENT, fault_at=2, error_message="broke"))
    chunks = events(payload)
    assert [chunk["choices"][0]["delta"].get("content") for chunk in chunks[:-1]] == ["", "w1 ", "w2 "]
    assert chunks[-1]["error"]["message"] == "broke"
    assert payload.endswith(b"data: [DONE]\n\n")


# The other dialects.


def test_the_anthropic_dialect_opens_and_closes_its_blocks() -> None:
    behavior = Behavior("Hi there", reasoning="hm", tool_calls=(LabToolCall("look", '{"a":1}'),), input_tokens=9)
    head, body = exchange(behavior, ask_for({"stream": True}, target="/v1/messages"), wire=WireFormat.ANTHROPIC)
    chunks = events(unchunked(body))
    names = [chunk["type"] for chunk in chunks]
    assert b"text/event-stream" in head
    assert names[:2] == ["message_start", "ping"]
    assert names[-2:] == ["message_delta", "message_stop"]
    assert names.count("content_block_start") == names.count("content_block_stop") == 3
    assert chunks[0]["message"]["usage"]["input_tokens"] == 9
    assert chunks[-2]["delta"]["stop_reason"] == "tool_use"
    deltas = [chunk["delta"] for chunk in chunks if chunk["type"] == "content_block_delta"]
    assert "".join(delta.get("text", "") for delta in deltas) == "Hi there"
    assert json.loads("".join(delta.get("partial_json", "") for delta in deltas)) == {"a": 1}


def test_the_anthropic_dialect_has_its_own_errors_and_whole_answers() -> None:
    _, overloaded = exchange(Behavior(status=529), wire=WireFormat.ANTHROPIC)
    assert json.loads(overloaded)["error"]["type"] == "overloaded_error"
    _, whole = exchange(Behavior("Hi"), wire=WireFormat.ANTHROPIC)
    assert (json.loads(whole)["content"], json.loads(whole)["stop_reason"]) == (
        [{"type": "text", "text": "Hi"}],
        "end_turn",
    )
    broken = Behavior("Hi", fault=Fault.ERROR_EVENT, fault_at=0, error_type="overloaded_error")
    _, body = exchange(broken, ask_for({"stream": True}), wire=WireFormat.ANTHROPIC)
    assert [event["type"] for event in events(unchunked(body))] == ["error"]


def test_the_gemini_dialect_repeats_its_usage_and_ends_without_a_mark() -> None:
    request = ask_for(target="/v1beta/models/gemini-x:streamGenerateContent?alt=sse")
    _, body = exchange(Behavior("Hi there", reasoning="hm"), request, wire=WireFormat.GEMINI)
    chunks = events(unchunked(body))
    parts = [part for chunk in chunks[:-1] for part in chunk["candidates"][0]["content"]["parts"]]
    assert parts == [{"text": "hm", "thought": True}, {"text": "Hi "}, {"text": "there"}]
    assert [chunk["usageMetadata"]["candidatesTokenCount"] for chunk in chunks] == [0, 1, 2, 2]
    assert chunks[-1]["candidates"][0]["finishReason"] == "STOP"
    assert {chunk["modelVersion"] for chunk in chunks} == {"gemini-x"}
    assert unchunked(body).endswith(b"}\r\n\r\n")


def test_the_gemini_dialect_has_its_own_errors_and_whole_answers() -> None:
    _, limited = exchange(Behavior(status=429), wire=WireFormat.GEMINI)
    assert json.loads(limited)["error"]["status"] == "RESOURCE_EXHAUSTED"
    _, bad_key = exchange(Behavior(status=400, error_code="API_KEY_INVALID"), wire=WireFormat.GEMINI)
    assert json.loads(bad_key)["error"]["details"][0]["reason"] == "API_KEY_INVALID"
    request = ask_for(target="/v1beta/models/gemini-x:generateContent")
    behavior = Behavior("Hi", tool_calls=(LabToolCall("look", '{"a":1}'),))
    _, whole = exchange(behavior, request, wire=WireFormat.GEMINI)
    assert [next(iter(part)) for part in json.loads(whole)["candidates"][0]["content"]["parts"]] == [
        "text",
        "functionCall",
    ]


@pytest.mark.parametrize("wire", WireFormat)
def test_a_base_url_lists_its_models_and_that_is_no_request(wire: WireFormat) -> None:
    provider = LabProvider("a", wire=wire, models=("m1", "m2"))
    with LabThread([provider]) as lab, dial(lab) as connection:
        path = lab.url("a").removeprefix(lab.origin("a"))
        connection.sendall(f"GET {path}/models HTTP/1.1\r\nHost: lab\r\n\r\n".encode())
        received = connection.recv(65536)
        while not received.endswith(b"}"):
            received += connection.recv(65536)
    assert b"m1" in received
    assert b"m2" in received
    assert provider.requests == ()


# Faults.


def test_a_cut_is_a_clean_end_in_the_wrong_place() -> None:
    _, body = exchange(Behavior(tokens=5, fault=Fault.CUT, fault_at=3), ask_for({"stream": True}))
    assert b"w3 " in body
    assert b"w4 " not in body
    assert not body.endswith(b"0\r\n\r\n")


def test_an_end_finishes_the_message_but_not_the_answer() -> None:
    payload = streamed(Behavior(tokens=5, fault=Fault.END, fault_at=3))
    assert b"w3 " in payload
    assert b'finish_reason": "stop' not in payload


def test_a_reset_is_a_reset() -> None:
    for at in (None, 2):
        with LabThread([LabProvider("a", [Behavior(fault=Fault.RESET, fault_at=at)])]) as lab, dial(lab) as connection:
            connection.sendall(ask_for({"stream": True}))
            with pytest.raises(ConnectionResetError):
                read_to_end(connection)


def test_a_fault_beyond_the_last_token_strikes_at_the_last_token() -> None:
    payload = streamed(Behavior(tokens=2, fault=Fault.END, fault_at=99))
    assert b"w2 " in payload
    assert b"[DONE]" not in payload


def test_a_fault_in_an_unstreamed_answer_strikes_in_its_middle() -> None:
    head, body = exchange(Behavior(fault=Fault.CUT, fault_at=3))
    length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
    assert 0 < len(body) < length


def test_garbage_is_not_http() -> None:
    with LabThread([LabProvider("a", [Behavior(fault=Fault.GARBAGE)])]) as lab, dial(lab) as connection:
        connection.sendall(ask_for())
        assert not read_to_end(connection).startswith(b"HTTP/")


def test_raw_bytes_are_sent_as_they_are() -> None:
    with LabThread([LabProvider("a", [Behavior(raw=b"ICY 200 OK\r\n\r\nx")])]) as lab, dial(lab) as connection:
        connection.sendall(ask_for())
        assert read_to_end(connection) == b"ICY 200 OK\r\n\r\nx"


def test_a_gateway_s_page_is_html() -> None:
    head, body = exchange(html_page())
    assert head.startswith(b"HTTP/1.1 502 Bad Gateway\r\n")
    assert b"content-type: text/html" in head
    assert body == HTML_502


def test_headers_are_added_and_replace_the_usual_ones() -> None:
    assert b"retry-after: 7\r\n" in exchange(rate_limited("7"))[0] + b"\r\n"
    assert b"location: http://x/\r\n" in exchange(redirect("http://x/"))[0] + b"\r\n"
    head, _ = exchange(Behavior(headers=(("Content-Type", "text/plain"),)))
    assert head.lower().count(b"content-type") == 1
    assert b"text/plain" in head


@pytest.mark.parametrize(
    ("encoding", "decode"), [(Encoding.GZIP, gzip.decompress), (Encoding.DEFLATE, zlib.decompress)]
)
def test_an_encoded_answer_decodes_to_the_answer(encoding: Encoding, decode: Any) -> None:
    head, body = exchange(Behavior("Hello", encoding=encoding))
    assert f"content-encoding: {encoding}".encode() in head
    assert json.loads(decode(body))["choices"][0]["message"]["content"] == "Hello"
    payload = decode(streamed(Behavior("Hello", encoding=encoding)))
    assert payload.endswith(b"data: [DONE]\n\n")


def test_a_drip_sends_byte_by_byte() -> None:
    with LabThread([LabProvider("a", [Behavior(body=b"abc", drip=Drip(0.001))])]) as lab, dial(lab) as connection:
        connection.sendall(ask_for())
        received = read_to_end(connection)
    assert received.endswith(b"\r\n\r\nabc")


def test_pieces_are_sent_one_by_one_and_counted_as_tokens() -> None:
    _, body = exchange(Behavior(body=(b"one", b"two", b"three"), fault=Fault.END, fault_at=2))
    assert unchunked(body) == b"onetwo"


def test_a_framing_can_be_chosen() -> None:
    head, body = exchange(Behavior("Hi", framing=Framing.CLOSE), ask_for({"stream": True}, close=False))
    assert b"connection: close" in head
    assert b"content-length" not in head
    assert body.endswith(b"data: [DONE]\n\n")


# Script and record.


def test_the_last_behaviour_repeats() -> None:
    provider = LabProvider("a", [Behavior(status=500), Behavior(status=503), Behavior()])
    with LabThread([provider]) as lab:
        statuses = [status_of(lab) for _ in range(5)]
    assert statuses == [500, 503, 200, 200, 200]


def status_of(lab: LabThread) -> int:
    with dial(lab) as connection:
        connection.sendall(ask_for())
        return int(read_to_end(connection).split(b" ")[1])


def test_a_script_may_look_at_the_request_and_its_number() -> None:
    provider = LabProvider("a", lambda n, request: Behavior(status=400 + n + request.json["add"]))
    with LabThread([provider]) as lab:
        for expected in (411, 412):
            with dial(lab) as connection:
                connection.sendall(ask_for({"add": 10}))
                assert int(read_to_end(connection).split(b" ")[1]) == expected


def test_a_script_can_be_changed_while_it_is_followed() -> None:
    provider = LabProvider("a", [Behavior(status=500)])
    with LabThread([provider]) as lab:
        before = status_of(lab)
        provider.follow([Behavior()])
        assert (before, status_of(lab), len(provider.requests)) == (500, 200, 2)


def test_a_request_is_recorded_as_it_came() -> None:
    provider = LabProvider("a")
    with LabThread([provider]) as lab:
        for _ in range(2):
            with dial(lab) as connection:
                connection.sendall(
                    b"POST /v1/x?y=1 HTTP/1.1\r\nHost: lab\r\nX-Key: k\r\nTransfer-Encoding: chunked\r\n\r\n"
                )
                connection.sendall(b'5\r\n{"a":\r\n2\r\n1}\r\n0\r\n\r\n')
                assert connection.recv(12) == b"HTTP/1.1 200"
    first, second = provider.requests
    assert (first.method, first.target, first.header("x-key"), first.json) == ("POST", "/v1/x?y=1", "k", {"a": 1})
    assert (first.n, second.n, first.connection, second.connection, provider.connections) == (1, 2, 1, 2, 2)
    assert first.arrived_s <= second.arrived_s


def test_a_connection_carries_one_request_after_the_other() -> None:
    provider = LabProvider("a", [Behavior(body=b"x")])
    with LabThread([provider]) as lab, dial(lab) as connection:
        for _ in range(3):
            connection.sendall(ask_for(close=False))
            received = b""
            while not received.endswith(b"\r\n\r\nx"):
                received += connection.recv(65536)
    assert [request.connection for request in provider.requests] == [1, 1, 1]


@pytest.mark.parametrize(
    "request_line", [b"nonsense\r\n\r\n", b"POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n", b"a" * 70000]
)
def test_what_is_no_request_is_answered_with_400(request_line: bytes) -> None:
    provider = LabProvider("a")
    with LabThread([provider]) as lab, dial(lab) as connection:
        connection.sendall(request_line)
        assert connection.recv(12) == b"HTTP/1.1 400"
    assert provider.requests == ()


@pytest.mark.parametrize(
    "behavior",
    [
        Behavior(fault=Fault.HANG),
        Behavior(fault=Fault.HANG, fault_at=1),
        Behavior(raw=b"x", flood=b"x" * 65536),
        Behavior(gate="never", gate_at=1),
        Behavior(drip=Drip(60.0)),
    ],
)
def test_a_client_that_leaves_early_is_noticed(behavior: Behavior) -> None:
    provider = LabProvider("a", [behavior])
    with LabThread([provider]) as lab:
        with dial(lab) as connection:
            connection.sendall(ask_for({"stream": True}))
            assert provider.wait_for_requests(1, PATIENCE_S)
        assert provider.requests[0].client_closed.wait(PATIENCE_S)
        assert provider.requests[0].settled.wait(PATIENCE_S)


def test_a_client_that_stays_to_the_end_did_not_leave() -> None:
    provider = LabProvider("a")
    with LabThread([provider]) as lab, dial(lab) as connection:
        connection.sendall(ask_for())
        read_to_end(connection)
        assert provider.requests[0].settled.wait(PATIENCE_S)
    assert not provider.requests[0].client_closed


def test_a_gate_holds_the_answer_until_it_is_opened() -> None:
    provider = LabProvider("a", [Behavior(tokens=3, gate="third", gate_at=2)])
    with LabThread([provider]) as lab, dial(lab) as connection:
        connection.sendall(ask_for({"stream": True}))
        received = b""
        while b"w2 " not in received:
            received += connection.recv(65536)
        connection.setblocking(False)
        with pytest.raises(BlockingIOError):
            connection.recv(1)
        connection.settimeout(PATIENCE_S)
        lab.release("third")
        assert b"w3 " in read_to_end(connection)


def test_requests_in_flight_are_counted_at_their_peak() -> None:
    provider = LabProvider("a", [Behavior(gate="all")])
    with LabThread([provider]) as lab:
        connections = [dial(lab) for _ in range(3)]
        for connection in connections:
            connection.sendall(ask_for())
        assert provider.wait_for_requests(3, PATIENCE_S)
        lab.release("all")
        for connection in connections:
            read_to_end(connection)
            connection.close()
    assert (provider.peak_in_flight, provider.connections) == (3, 3)


def test_waiting_for_a_request_that_never_comes_ends() -> None:
    assert not LabProvider("a").wait_for_requests(1, 0.01)


def test_ending_the_lab_ends_what_hangs_in_it() -> None:
    provider = LabProvider("a", [Behavior(fault=Fault.HANG)])
    with LabThread([provider]) as lab:
        connection = dial(lab)
        connection.sendall(ask_for())
        assert provider.wait_for_requests(1, PATIENCE_S)
    with connection:
        assert connection.recv(1) == b""
    assert not [thread for thread in threading.enumerate() if thread.name == "llmr-lab"]


def test_a_lab_that_cannot_listen_says_so() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        lab = LabThread([LabProvider("a")], ports=(taken.getsockname()[1],))
        with pytest.raises(RuntimeError, match="did not start"), lab:
            pass


def test_a_lab_runs_in_the_loop_that_is_there() -> None:
    async def scenario() -> tuple[bytes, str]:
        lab = Lab([LabProvider("a", [Behavior(body=b"hello")])])
        async with lab.serving():
            reader, writer = await asyncio.open_connection("127.0.0.1", int(lab.origin("a").rpartition(":")[2]))
            writer.write(ask_for())
            received = await reader.read()
            writer.close()
            return received, lab.url("a")

    received, url = asyncio.run(scenario())
    assert received.endswith(b"hello")
    assert url.endswith("/v1")


# Facts and delays.


def test_a_fact_wakes_threads_and_coroutines_alike() -> None:
    fact = Fact()

    async def scenario() -> None:
        waiting = [asyncio.ensure_future(fact.happened()) for _ in range(2)]
        given_up = asyncio.ensure_future(fact.happened())
        await asyncio.sleep(0)
        given_up.cancel()
        threading.Thread(target=fact.set).start()
        await asyncio.gather(*waiting)
        await fact.happened()

    assert not fact
    assert not fact.wait(0.0)
    asyncio.run(scenario())
    assert fact
    assert fact.wait(0.0)


def test_a_delay_is_fixed_or_drawn_around_its_median() -> None:
    rng = random.Random(7)
    assert seconds(0.5, rng) == 0.5
    drawn = [seconds(LogNormal(median_s=2.0, sigma=0.5), rng) for _ in range(2000)]
    assert statistics.median(drawn) == pytest.approx(2.0, rel=0.1)
    assert statistics.stdev(map(math.log, drawn)) == pytest.approx(0.5, rel=0.1)


# A process of its own.


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "lab.toml"
    path.write_text(
        """
        [[providers]]
        name = "a"
        script = [
            { status = 429, headers = { retry-after = "7" } },
            { text = "Hello.", ttft_s = { median_s = 0.001, sigma = 0.1 }, token_s = 0, drip = { interval_s = 0.0 } },
            { body = ["x", "y"], framing = "close", encoding = "gzip", fault = "cut", fault_at = 1 },
            { tool_calls = [{ name = "look" }] },
        ]
        """
    )
    return path


@pytest.fixture
def lab_process(script: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    command = [sys.executable, "-m", "llmr.lab", str(script), "--port", "0"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield process, json.loads(process.stdout.readline())["a"]
        process.kill()


def test_a_lab_may_be_a_process_of_its_own(lab_process: tuple[subprocess.Popen[str], str]) -> None:
    process, url = lab_process
    port = int(url.removesuffix("/v1").rpartition(":")[2])
    heads = []
    for _ in range(2):
        with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S) as connection:
            connection.sendall(ask_for())
            heads.append(read_to_end(connection).partition(b"\r\n\r\n")[0])
    assert heads[0].startswith(b"HTTP/1.1 429")
    assert b"retry-after: 7" in heads[0]
    assert heads[1].startswith(b"HTTP/1.1 200")
    assert process.stdin is not None
    process.stdin.close()
    assert process.wait(PATIENCE_S) == 0


def test_a_lab_process_ends_at_a_signal(lab_process: tuple[subprocess.Popen[str], str]) -> None:
    process, _ = lab_process
    process.terminate()
    assert process.wait(PATIENCE_S) == 0


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[[providers]]",
        "[[providers]]\nname='a'\nscript=[{ stutter = 1 }]",
        "not toml",
        "[[providers]]\nname='a'\nwire='x'",
    ],
)
def test_a_script_that_is_none_is_told_in_one_line(tmp_path: Path, text: str) -> None:
    path = tmp_path / "lab.toml"
    path.write_text(text)
    done = subprocess.run(
        [sys.executable, "-m", "llmr.lab", str(path)], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.startswith(f"llmr.lab: {path}: not a lab script: ")
    assert done.stderr.count("\n") == 1


def test_a_script_says_everything_that_a_behaviour_can(script: Path) -> None:
    (provider,) = read_providers(script)
    behaviors = [provider.arrived(lambda n: LabRequest(n, 1, "POST", "/", (), b"", 0.0))[1] for _ in range(4)]
    assert behaviors == [
        Behavior(status=429, headers=(("retry-after", "7"),)),
        Behavior("Hello.", ttft_s=LogNormal(0.001, 0.1), token_s=0.0, drip=Drip(0.0)),
        Behavior(body=(b"x", b"y"), framing=Framing.CLOSE, encoding=Encoding.GZIP, fault=Fault.CUT, fault_at=1),
        Behavior(tool_calls=(LabToolCall("look"),)),
    ]


def test_a_script_may_be_json(tmp_path: Path) -> None:
    path = tmp_path / "lab.json"
    path.write_text('{"providers": [{"name": "a", "wire": "gemini"}, {"name": "b", "script": [{"raw": "x"}]}]}')
    assert [provider.name for provider in read_providers(path)] == ["a", "b"]
