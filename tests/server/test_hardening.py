"""The hardening contract (trust.md §4) and its cases B59–B64, over real sockets. No test here has a token unless it says so."""

import contextlib
import json
import socket
import sqlite3
from dataclasses import replace

import pytest
from served import TOKEN, eventually, read_all

from llmr.lab import Behavior, Fault, LabProvider, redirect
from llmr.server.limits import LIMITS

BODY = json.dumps({"model": "m", "messages": [{"role": "user", "content": "hi"}]}).encode()
PATHS = [
    ("POST", "/v1/chat/completions"),
    ("POST", "/v1/messages"),
    ("GET", "/v1/models"),
    ("GET", "/v1/models/m"),
    ("GET", "/v1/rank"),
    ("GET", "/nonsense"),
    ("OPTIONS", "/v1/chat/completions"),
]


@pytest.fixture
def lab():
    return LabProvider("a")


@pytest.fixture
def served(serve, lab):
    return serve(lab)


def head(served, *lines, method="POST", target="/v1/chat/completions", host=None, token=TOKEN, body=BODY, length=None):
    """One request, byte for byte, that asks for the connection to be closed."""
    said = [f"{method} {target} HTTP/1.1"]
    if host != "":
        said.append(f"host: {host or f'127.0.0.1:{served.port}'}")
    if token:
        said.append(f"authorization: Bearer {token}")
    said += [
        "connection: close",
        "content-type: application/json",
        f"content-length: {len(body) if length is None else length}",
    ]
    return "\r\n".join([*said, *lines, "", ""]).encode("latin-1") + body


def status(answer):
    return int(answer.split(b" ", 2)[1])


def silent(lab):
    """No provider saw so much as a connection."""
    return lab.connections == 0


# B59


@pytest.mark.parametrize(("method", "path"), PATHS)
def test_b59_without_a_token_no_path_says_anything_else(served, lab, method, path):
    answer = served.raw(head(served, method=method, target=path, token=None))
    assert status(answer) == 401
    assert b"www-authenticate: Bearer" in answer
    assert silent(lab)


@pytest.mark.parametrize(
    "lines",
    [
        ["authorization: Bearer wrong"],
        ["authorization: Bearer "],
        [f"authorization: Bearer {TOKEN}x"],
        [f"authorization: Bearer {TOKEN[:-1]}"],
        ["authorization: Bearer t\xf6ken"],
        ["authorization: Bearer \xff\xfe"],
        [f"authorization: Basic {TOKEN}"],
        [f"authorization: {TOKEN}"],
        [f"authorization: Bearer {TOKEN}", f"authorization: Bearer {TOKEN}"],
        [f"authorization: Bearer {TOKEN}", "x-api-key: wrong"],
        [f"x-api-key: {TOKEN}", f"x-api-key: {TOKEN}"],
        ["x-api-key: "],
    ],
)
def test_b59_a_wrong_a_strange_or_a_second_token_is_401(served, lab, lines):
    assert status(served.raw(head(served, *lines, token=None))) == 401
    assert silent(lab)


def test_b59_the_token_is_taken_from_either_header(served):
    for line in (f"authorization: Bearer {TOKEN}", f"authorization: bearer {TOKEN}", f"x-api-key: {TOKEN}"):
        assert status(served.raw(head(served, line, token=None))) == 200


def test_b59_health_is_a_constant_and_needs_no_token(served):
    answer = served.raw(head(served, method="GET", target="/health", token=None, body=b""))
    assert status(answer) == 200
    assert answer.endswith(b'\r\n\r\n{"status":"ok"}')
    for path in ("/health/", "/health?x=1/v1/models", "//health", "/health%2f..%2fv1/models", "/HEALTH"):
        told = served.raw(head(served, method="GET", target=path, token=None, body=b""))
        assert status(told) == 401 or told.endswith(b'{"status":"ok"}')


# B60


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("evil.example", 421),
        ("evil.example:{port}", 421),
        ("127.0.0.1", 421),
        ("127.0.0.1:1", 421),
        ("127.0.0.1.evil.example:{port}", 421),
        ("localhost.evil.example:{port}", 421),
        ("x/?#", 421),
        ("x@127.0.0.1:{port}", 421),
        ("0.0.0.0:{port}", 421),
        ("[::1", 421),
        ("", 400),
        ("localhost:{port}", 200),
        ("LOCALHOST:{port}", 200),
        ("[::1]:{port}", 200),
    ],
)
def test_b60_only_our_own_names_are_answered(served, lab, host, expected):
    answer = served.raw(head(served, host=host.format(port=served.port)))
    assert status(answer) == expected
    if expected != 200:
        assert silent(lab)


def test_b60_two_hosts_are_400(served, lab):
    assert status(served.raw(head(served, f"host: 127.0.0.1:{served.port}"))) == 400
    assert silent(lab)


@pytest.mark.parametrize(
    "target", ["http://evil.example/v1/chat/completions", "http://127.0.0.1/health", "*", "evil:443"]
)
def test_b60_a_target_that_is_no_path_is_refused(served, lab, target):
    assert status(served.raw(head(served, target=target))) == 400
    assert status(served.raw(head(served, target=target, token=None))) == 400
    assert silent(lab)


def test_b60_a_host_that_the_user_named_is_answered(serve, lab):
    from llmr.server.run import Options

    served = serve(lab, options=Options(port=0, hosts=("llm.corp.example",)))
    assert status(served.raw(head(served, host="llm.corp.example"))) == 200
    assert status(served.raw(head(served, host="llm.corp.example:443"))) == 200
    assert status(served.raw(head(served, host="other.corp.example"))) == 421


# B61


@pytest.mark.parametrize(
    "lines",
    [
        ["origin: https://evil.example"],
        ["origin: null"],
        ["origin: http://127.0.0.1:1"],
        ["origin: http://localhost.evil.example"],
        ["sec-fetch-site: cross-site"],
        ["sec-fetch-site: same-site"],
        ["origin: https://evil.example", "sec-fetch-site: same-origin"],
    ],
)
@pytest.mark.parametrize("method", ["POST", "OPTIONS", "GET"])
def test_b61_a_page_of_another_origin_is_403_even_with_the_token(served, lab, lines, method):
    answer = served.raw(head(served, *lines, method=method))
    assert status(answer) == 403
    assert b"access-control" not in answer.lower()
    assert silent(lab)


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
def test_b61_only_json_is_taken(served, lab, content_type):
    request = head(served).replace(b"content-type: application/json", b"content-type: " + content_type.encode())
    assert status(served.raw(request)) == 415
    assert silent(lab)


def test_b61_no_answer_has_a_cors_header_unless_the_origin_was_allowed(serve, lab):
    from llmr.server.run import Options

    served = serve(lab, options=Options(port=0, origins=("https://chat.example",)))
    assert b"access-control" not in served.raw(head(served)).lower()
    allowed = served.raw(head(served, "origin: https://chat.example"))
    assert status(allowed) == 200
    assert b"access-control-allow-origin: https://chat.example\r\n" in allowed
    preflight = served.raw(head(served, "origin: https://chat.example", method="OPTIONS", token=None, body=b""))
    assert status(preflight) == 204
    assert status(served.raw(head(served, "origin: https://chat.example.evil.example"))) == 403
    assert status(served.raw(head(served, "origin: https://chat.example", token=None))) == 401


# B62

SMALL = replace(LIMITS, body_bytes=64 * 1024, body_s=0.4, header_s=0.4, unread_s=0.5, connections=20)


def test_b62_a_body_that_is_too_large_is_413_by_its_length_before_it_is_read(served, lab):
    answer = served.raw(head(served, length=11 * 1024 * 1024))
    assert status(answer) == 413
    assert silent(lab)


def test_b62_a_body_that_grows_too_large_is_413_whatever_it_said(serve, lab):
    served = serve(lab, limits=SMALL)
    chunked = head(served, "transfer-encoding: chunked", body=b"").replace(b"content-length: 0\r\n", b"")
    piece = b"2000\r\n" + b" " * 0x2000 + b"\r\n"
    with served.connection() as connection:
        connection.sendall(chunked)
        try:
            for _ in range(40):
                connection.sendall(piece)
        except OSError:
            pass
        answer = read_all(connection)
    assert not answer or status(answer) == 413  # a reset may overtake the answer
    assert silent(lab)
    assert served.chat().status_code == 200


def test_b62_a_length_that_lies_is_a_bad_request_or_a_time_out(serve, lab):
    served = serve(lab, limits=SMALL)
    assert status(served.raw(head(served, length=len(BODY) + 10))) == 408
    assert status(served.raw(head(served, length=len(BODY) - 10))) == 400
    assert status(served.raw(head(served, "content-length: 3"))) == 400
    assert silent(lab)


def test_b62_a_body_of_a_byte_now_and_then_is_408(serve, lab):
    served = serve(lab, limits=SMALL)
    with served.connection() as connection:
        connection.sendall(head(served, body=b"", length=1000))
        connection.settimeout(0.05)
        answer, sent = b"", 0
        while not answer and sent < 999:  # what was announced never comes whole
            connection.sendall(b" ")
            sent += 1
            with contextlib.suppress(TimeoutError):
                answer = connection.recv(4096)
    assert status(answer) == 408
    assert silent(lab)


def test_b62_headers_that_never_end_are_408_and_too_many_of_them_431(serve, lab):
    served = serve(lab, limits=SMALL)
    assert status(served.raw(b"POST /v1/messages HTTP/1.1\r\nhost: x\r\n")) == 408
    assert served.raw(b"") == b""  # not a byte: closed without a word
    assert status(served.raw(head(served, *(f"x-{n}: y" for n in range(100))))) == 431
    assert status(served.raw(head(served, f"x: {'y' * 33_000}"))) == 431
    assert status(served.raw(b"GET /health HTTP/1.1\r\nx: " + b"y" * 70_000)) == 431
    assert silent(lab)


def test_b62_idle_sockets_make_room_for_whoever_asks(serve, lab):
    served = serve(lab, limits=replace(SMALL, header_s=30.0))
    idle = [served.connection() for _ in range(60)]
    try:
        assert served.chat().status_code == 200
        assert served.on_loop(lambda: len(served.server.server_state.connections)) <= SMALL.connections
    finally:
        for connection in idle:
            connection.close()


def test_b62_more_requests_than_there_is_room_for_are_told_when_to_come_back(serve):
    lab = LabProvider("a", [Behavior(fault=Fault.HANG)])
    served = serve(lab, limits=replace(LIMITS, requests=1))
    with served.connection() as first:
        first.sendall(head(served))
        assert lab.wait_for_requests(1)
        second = served.chat()
    assert second.status_code == 429
    assert second.headers["retry-after"] == "1"
    assert second.json()["error"]["code"] == "too_many_requests"


def test_b62_a_reader_that_stops_reading_is_let_go_and_holds_up_nobody(serve):
    endless = " ".join(["x" * 20_000] * 1_000)  # 20 MB: more than any socket holds
    lab = LabProvider("a", lambda n, _: Behavior(endless) if n == 1 else Behavior())
    served = serve(lab, limits=SMALL)
    body = BODY[:-1] + b', "stream": true}'
    with socket.socket() as slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.connect(("127.0.0.1", served.port))
        slow.sendall(head(served, body=body))
        assert lab.wait_for_requests(1)
        assert served.chat().status_code == 200
        assert lab.requests[0].client_closed.wait()


# B63


@pytest.mark.parametrize(
    "field",
    [
        {"api_base": "http://127.0.0.1:{decoy}"},
        {"base_url": "http://127.0.0.1:{decoy}"},
        {"api_key": "sk-x"},
        {"extra_headers": {"x": "y"}},
        {"extra_body": {}},
        {"proxy": "http://127.0.0.1:{decoy}"},
        {"mcp_servers": [{"type": "url", "url": "http://127.0.0.1:{decoy}", "name": "x"}]},
        {"custom_llm_provider": "openai"},
        {"metadata": {"llmr_base_url": "http://127.0.0.1:{decoy}"}},
        {"n": 10**9},
        {"n": 2},
        {"max_tokens": 10**12},
        {"max_tokens": -1},
        {"temperature": 1e308},
        {"messages": []},
        {"messages": "hi"},
        {"messages": [{"role": "root", "content": "hi"}]},
        {"model": ""},
        {"stream": "yes"},
    ],
)
@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages"])
def test_b63_a_field_that_nobody_reads_or_that_is_out_of_range_is_400(served, lab, field, path):
    decoy = socket.create_server(("127.0.0.1", 0))
    decoy.setblocking(False)
    said = json.loads(json.dumps(field).replace("{decoy}", str(decoy.getsockname()[1])))
    reply = served.post(path, {"model": "m", "max_tokens": 5, "messages": [{"role": "user", "content": "hi"}], **said})
    assert reply.status_code == 400, reply.text
    assert next(iter(field)) in reply.text
    assert silent(lab)
    with pytest.raises(BlockingIOError):
        decoy.accept()
    decoy.close()


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 10_000,
        b'{"model":"m","messages":' + b'{"a":' * 10_000,
        b'{"model":"m","messages":[{"role":"user","content":"hi"}],"logit_bias":' + b"[" * 65 + b"]" * 65 + b"}",
        b"",
        b"null",
        b"[]",
        b'"x"',
        b"{",
        b'{"model":"m","messages":[],"temperature":NaN}',
        b'{"model":"m","seed":' + b"9" * 5000 + b"}",
        b"\xff\xfe",
        b'{"model":"m" "messages":[]}',
    ],
)
def test_b63_what_is_no_usable_json_is_400(served, lab, body):
    answer = served.raw(head(served, body=body))
    assert status(answer) == 400
    assert b"invalid_json" in answer
    assert silent(lab)


@pytest.mark.parametrize(
    "model", ["../x", "../../etc/passwd", "a/../b/x", "x" * 513, "http://127.0.0.1:1/x", "\x00", "a/"]
)
def test_b63_a_model_s_name_is_a_name(served, lab, model):
    reply = served.chat(model=model)
    assert reply.status_code in (400, 404)
    assert silent(lab)


# B64


def test_b64_a_redirect_upstream_is_502_and_is_not_followed(serve):
    decoy = socket.create_server(("127.0.0.1", 0))
    decoy.setblocking(False)
    served = serve(LabProvider("a", [redirect(f"http://127.0.0.1:{decoy.getsockname()[1]}/secret-path")]))
    reply = served.chat()
    assert reply.status_code == 502
    assert "secret-path" not in reply.text
    with pytest.raises(BlockingIOError):
        decoy.accept()
    decoy.close()


def test_b64_nothing_of_an_upstream_s_headers_is_passed_on(serve):
    sent = (
        ("set-cookie", "a=b"),
        ("server", "secret/1"),
        ("x-powered-by", "y"),
        ("x-request-id", "theirs"),
        ("via", "z"),
    )
    served = serve(LabProvider("a", [Behavior(headers=sent)]))
    reply = served.chat()
    assert set(reply.headers) == {
        "content-type", "content-length", "cache-control", "x-content-type-options",
        "x-llmr-provider", "x-llmr-model", "x-llmr-attempts", "x-llmr-request-id",
    }  # fmt: skip


def test_b64_an_image_s_url_is_passed_on_and_never_opened(served, lab):
    decoy = socket.create_server(("127.0.0.1", 0))
    decoy.setblocking(False)
    for url in (f"http://127.0.0.1:{decoy.getsockname()[1]}/x.png", "http://169.254.169.254/latest/meta-data"):
        content = [{"type": "image_url", "image_url": {"url": url}}]
        reply = served.post("/v1/chat/completions", {"model": "m", "messages": [{"role": "user", "content": content}]})
        assert reply.status_code == 200
        assert lab.requests[-1].json["messages"][0]["content"][0]["image_url"]["url"] == url
    with pytest.raises(BlockingIOError):
        decoy.accept()
    decoy.close()


def test_b64_an_upstream_s_error_is_cut_and_redacted(serve, monkeypatch):
    leaky = Behavior(status=400, error_message="your key sk-live-0123456789abcdef \x1b[2J " + "x" * 10_000)
    reply = serve(LabProvider("a", [leaky])).chat()
    assert "sk-live" not in reply.text
    assert len(reply.json()["error"]["message"]) <= 2048


# The rest of the contract


def test_the_end_of_the_server_lets_an_answer_finish(serve):
    lab = LabProvider("a", [Behavior(text="one two three", gate="go", gate_at=1)])
    served = serve(lab)
    with (
        served.client() as client,
        client.stream(
            "POST",
            "/v1/chat/completions",
            json={"model": "m", "stream": True, "messages": [{"role": "user", "content": "hi"}]},
        ) as reply,
    ):
        pieces = reply.iter_bytes()
        first = next(pieces)
        served.server.should_exit = True
        eventually(lambda: refuses(served))
        lab.release("go")
        assert (first + b"".join(pieces)).rstrip().endswith(b"data: [DONE]")


def refuses(served):
    try:
        served.connection().close()
    except OSError:
        return True
    return False


def test_an_unknown_path_and_a_wrong_method_are_said_in_json(served):
    assert served.get("/v1/nothing").json()["error"]["code"] == "not_found"
    reply = served.get("/v1/messages")
    assert (reply.status_code, reply.headers["allow"]) == (405, "POST")
    assert reply.json()["type"] == "error"


def test_pipelined_requests_are_answered_in_order(served):
    one = head(served, method="GET", target="/health", body=b"").replace(b"connection: close\r\n", b"")
    answer = served.raw(one + head(served, method="GET", target="/v1/models", body=b""))
    assert answer.index(b'{"status":"ok"}') < answer.index(b'"object":"list"')


def test_garbage_is_400(served):
    assert status(served.raw(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 50)) == 400


def test_garbage_behind_a_request_ends_the_connection_and_is_no_part_of_its_answer(serve):
    lab = LabProvider("a", [Behavior(text="one two three", gate="go", gate_at=1)])
    served = serve(lab)
    with served.connection() as connection:
        streamed = BODY[:-1] + b', "stream": true}'
        connection.sendall(head(served, body=streamed).replace(b"connection: close\r\n", b""))
        answer = connection.recv(65536)
        connection.sendall(b"junk junk\r\n\r\n")
        answer += read_all(connection)
    lab.release("go")
    assert answer.startswith(b"HTTP/1.1 200 OK")
    assert b"bad_request" not in answer


def test_models_are_listed_for_either_sdk(served):
    assert "m" in [model["id"] for model in served.get("/v1/models").json()["data"]]
    listed = served.get("/v1/models", **{"anthropic-version": "2023-06-01"}).json()
    assert listed["data"][0]["type"] == "model"
    assert listed["has_more"] is False
    assert served.get("/v1/models/a/lab-model").json()["owned_by"] == "a"
    assert served.get("/v1/models/nobody").status_code == 404


def test_tokens_are_counted_without_asking_anybody(served, lab):
    said = {"model": "m", "messages": [{"role": "user", "content": "hello there"}]}
    short = served.post("/v1/messages/count_tokens", said).json()["input_tokens"]
    longer = {**said, "system": "word " * 1000}
    assert served.post("/v1/messages/count_tokens", longer).json()["input_tokens"] > short + 500
    assert served.post("/v1/messages/count_tokens", {"model": "m"}).status_code == 400
    assert silent(lab)


def test_what_is_no_http_is_refused_in_json_like_everything_else(served):
    head, _, body = served.raw(b"this is no http\r\n\r\n").partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 Bad Request\r\ncontent-type: application/json")
    assert json.loads(body)["error"]["code"] == "bad_request"
    long_target = b"GET /v1/rank?prompt=" + b"x" * 100_000 + b" HTTP/1.1\r\n\r\n"
    assert served.raw(long_target).startswith(b"HTTP/1.1 431 ")


def test_rank_gives_the_decision_and_asks_nobody(served, lab):
    decision = served.get("/v1/rank?model=m").json()
    assert decision["ranked"][0]["candidate"] == "a/lab-model"
    assert served.get("/v1/rank?model=m&url=x").status_code == 400
    assert served.get("/v1/rank?model=m" + "&x=1" * 30).status_code == 400
    assert served.get("/v1/rank?model=../m").status_code == 400
    assert served.get("/v1/rank?model=nobody").status_code == 404
    assert silent(lab)


def test_the_address_of_a_network_is_refused_without_tls():
    from llmr.errors import UsageError
    from llmr.server.run import Options, listening

    for host in ("0.0.0.0", "::", "192.168.1.1"):
        with pytest.raises(UsageError, match="--behind-tls"):
            listening(Options(host, 0))


def test_a_process_that_holds_the_store_s_lock_slows_no_answer_down(served):
    served.chat()
    served.stored("requests")
    other = sqlite3.connect(served.app.config.state_path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    for _ in range(5):
        assert served.chat().status_code == 200
    assert other.execute("SELECT count(*) FROM requests").fetchone() == (1,)
    other.execute("ROLLBACK")
    other.close()
    assert len(served.stored("requests", 6)) == 6


def test_head_is_answered_wherever_get_is(served):
    with served.client() as client:
        for path in ("/health", "/", "/v1/models", "/metrics"):
            reply = client.head(path)
            assert (reply.status_code, reply.content) == (200, b"")
            assert int(reply.headers["content-length"]) > 0
        assert client.head("/v1/messages").status_code == 405
        assert client.post("/health").headers["allow"] == "GET, HEAD"


@pytest.mark.parametrize("read_whole", [True, False])
def test_headers_that_are_too_large_are_refused_with_all_that_an_answer_has(served, read_whole):
    whole = head(served, f"x: {'y' * 33_000}")
    answer = served.raw(whole if read_whole else b"GET /health HTTP/1.1\r\nx: " + b"y" * 70_000)
    said = answer.partition(b"\r\n\r\n")[0].lower()
    assert status(answer) == 431
    assert b"cache-control: no-store" in said
    assert b"x-content-type-options: nosniff" in said
    request_id = said.partition(b"x-llmr-request-id: ")[2][:16].decode()
    entry = json.loads(eventually(lambda: served.log and served.log[0]))
    assert (entry["status"], entry["outcome"], entry["request_id"]) == (431, "headers_too_large", request_id)


def test_how_large_a_body_may_be_can_be_said_at_the_start(start):
    running = start("--max-body-mb", "12")
    token = running.token_file.read_text().strip()
    assert running.chat(token, messages=[{"role": "user", "content": "x" * 11 * 1024 * 1024}]).status_code != 413
    refused = running.chat(token, messages=[{"role": "user", "content": "x" * 13 * 1024 * 1024}])
    assert refused.status_code == 413
    assert "12 MiB" in refused.json()["error"]["message"]
    assert "--max-body-mb" in refused.json()["error"]["message"]
