"""200 streams at once, as a process that is looked at from outside: what they hold, and that each comes whole."""

import json
import re
import socket
from pathlib import Path
from urllib.parse import urlsplit

from served import eventually, read_all

from llmr.lab import Behavior, LabProvider

MANY = 200
WORDS = " ".join(f"word{n}" for n in range(50))
MOST_GROWTH_MB = 30.0  # 9 measured: sockets, tasks and buffers of 200 requests, both sides
WARM = 20


def resident_mb(pid):
    return int(re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())[1]) / 1000


def test_200_streams_under_way_hold_little_memory_and_all_come_whole(start):
    lab = LabProvider("a", lambda n, _: Behavior(WORDS, gate="go", gate_at=1) if n > WARM else Behavior(WORDS))
    running = start("--quiet", providers=[lab])
    token = running.token_file.read_text().strip()
    for _ in range(WARM):  # what is made once is no part of it
        assert running.chat(token, stream=True).status_code == 200
    before_mb = resident_mb(running.process.pid)
    streams = [asked(running.origin, token) for _ in range(MANY)]
    heads = [stream.recv(65536) for stream in streams]  # each has its first word, and none its second
    grown_mb = resident_mb(running.process.pid) - before_mb
    lab.release("go")
    answers = [head + read_all(stream) for head, stream in zip(heads, streams, strict=True)]
    for stream in streams:
        stream.close()
    assert [text_of(answer) for answer in answers] == [WORDS] * MANY
    assert lab.peak_in_flight == MANY
    assert grown_mb < MOST_GROWTH_MB
    assert eventually(lambda: running.requests_kept() == WARM + MANY)


def asked(origin, token):
    where = urlsplit(origin)
    stream = socket.create_connection((where.hostname, where.port), timeout=60)
    body = json.dumps({"model": "m", "stream": True, "messages": [{"role": "user", "content": "hi"}]})
    stream.sendall(
        f"POST /v1/chat/completions HTTP/1.1\r\nhost: {where.netloc}\r\nauthorization: Bearer {token}\r\n"
        f"content-type: application/json\r\nconnection: close\r\ncontent-length: {len(body)}\r\n\r\n{body}".encode()
    )
    return stream


def text_of(answer):
    events = re.findall(rb"^data: (\{.*\})", answer, re.MULTILINE)
    assert answer.startswith(b"HTTP/1.1 200")
    assert b"data: [DONE]" in answer
    choices = [choice for event in events for choice in json.loads(event)["choices"]]
    return "".join(choice["delta"].get("content") or "" for choice in choices)
