"""What `llmr serve` adds to a request: latency and throughput against an upstream that answers at once.

    python -P bench/serve.py [--seconds 3] [--workers N] [--upstream-port P --other NAME=BASE_URL=KEY … --pid NAME=PID …]

One process is the upstream, one is the gateway, this one is the client; upstream and client speak raw bytes over kept
connections, so that what is measured is the gateway. "added" is its median (and 99th percentile) less the upstream's own,
asked directly by the same client. "CPU ms" is what a request costs the gateway, which holds on a busy machine too. `--other`
measures a gateway that you have started yourself, in the same run, against the same upstream, one after the other.

2026-11-26, two virtual cores of an AMD EPYC (Firecracker), Python 3.11.7, uvloop, nothing else running, one worker; start
.27 s, 55 to 68 MB. Added p50 ms / requests a second / CPU ms, Portkey in the same run, LiteLLM in another, beside a load of 8:

                        c = 1                c = 16               c = 64
    llmr, whole         .64 / 1,242 / .83    11.1 / 1,366 / .78   45 / 1,393 / .76
    Portkey 1.15.2      .64 / 1,071 / 1.19    7.2 / 1,868 / .67   36 / 1,729 / .68
    LiteLLM 1.108.7     12.6 /   58 / 12      146 /    86 / 9.3   454 /  107 / 8.0
    llmr, streamed      .92 /   876 / 1.15   15.6 /   977 / 1.07  66 /   949 / 1.10
    Portkey             27.6 /   36 / 3.06   28.9 /   532 / 1.08  39 / 1,514 / .81
    LiteLLM             24.1 /   21 / 32      547 /    28 / 25   2,161 /  27 / 31

llmr's p99 at c = 1 is 2.2 ms whole and 3.1 streamed: that is the thread that writes history. Two workers at c = 64: 2,427 a
second whole and 1,559 streamed (one: 1,207 and 723 in the run before), 170 MB for all three processes.

So with one caller llmr is level with Node whole and far ahead streamed; with many at once Portkey, which keeps no limits,
circuits, history or log, answers a third more whole ones. A stream of twenty chunks comes in one read here, which llmr passes
on in one piece. Before (4347cf3, quiet machine): 1.24 CPU ms whole, 1.71 streamed, 2.5 at c = 64. What of it went where:

    httpx, httpcore, h11     .24 ms at c = 1, .45 at 64 ─▶ .025 (transport/direct.py)
    history, in its thread   .11 ─▶ .08: `replace`, one INSERT for many rows
    reading the store        .05 ─▶ .01 where nobody has written since (state/seen.py)
    20 writes a stream ─▶ 1  .17
    p99 at c = 64            336 ms ─▶ 83: connections were let in one a turn of the loop (run.py)

LiteLLM:  pip install 'litellm[proxy]'; litellm --config … --port P, one model `bench-model` with api_base = the upstream's.
Portkey:  npm i @portkey-ai/gateway with "overrides": {"@hono/node-server": "1.13.8"};
          TRUSTED_CUSTOM_HOSTS=127.0.0.1 node …/build/start-server.js --headless --port=P, and as fourth part of `--other`
          'x-portkey-provider: openai|x-portkey-custom-host: http://127.0.0.1:UPSTREAM/v1'.
"""

import argparse
import asyncio
import json
import multiprocessing
import os
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

try:
    import uvloop
except ImportError:
    uvloop = None

MODEL = "bench-model"
WORDS = 20  # chunks of a streamed answer
LEVELS = (1, 16, 64)

_CHUNK = {"id": "x", "object": "chat.completion.chunk", "created": 1, "model": MODEL}


def _event(delta, finish=None):
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return b"data: " + json.dumps({**_CHUNK, "choices": [choice]}).encode() + b"\n\n"


_STREAM = b"".join([*(_event({"content": f"word{n} "}) for n in range(WORDS)), _event({}, "stop"), b"data: [DONE]\n\n"])
_WHOLE = json.dumps({
    "id": "x", "object": "chat.completion", "created": 1, "model": MODEL,
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "word " * WORDS}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 10, "completion_tokens": WORDS, "total_tokens": 10 + WORDS},
}).encode()  # fmt: skip


def _reply(kind, body):
    return b"HTTP/1.1 200 OK\r\ncontent-type: %b\r\ncontent-length: %d\r\n\r\n" % (kind, len(body)) + body


REPLIES = {False: _reply(b"application/json", _WHOLE), True: _reply(b"text/event-stream", _STREAM)}


class Upstream(asyncio.Protocol):
    """Answers every request at once."""

    def connection_made(self, transport):
        self.transport, self.buffer = transport, b""

    def data_received(self, data):
        self.buffer += data
        while (end := self.buffer.find(b"\r\n\r\n")) >= 0:
            head = self.buffer[:end].lower()
            at = head.find(b"content-length:")
            length = int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
            if len(self.buffer) < end + 4 + length:
                return
            body, self.buffer = self.buffer[end + 4 : end + 4 + length], self.buffer[end + 4 + length :]
            self.transport.write(REPLIES[b'"stream":true' in body.replace(b" ", b"")])


def upstream(port):
    """Run until killed."""

    async def serve():
        server = await asyncio.get_running_loop().create_server(Upstream, "127.0.0.1", port, backlog=512)
        await server.serve_forever()

    _run(serve())


def _run(main):
    return asyncio.run(main) if uvloop is None else uvloop.run(main)


class Client(asyncio.Protocol):
    """One kept connection: a request, its whole answer, the next request."""

    def __init__(self, request, until_s, times):
        self.request, self.until_s, self.times = request, until_s, times
        self.done = asyncio.get_running_loop().create_future()
        self.buffer, self.failed = bytearray(), 0

    def connection_made(self, transport):
        self.transport = transport
        self._ask()

    def _ask(self):
        self.buffer.clear()
        self.began_s = time.perf_counter()
        self.transport.write(self.request)

    def data_received(self, data):
        self.buffer += data
        if not self._whole():
            return
        now_s = time.perf_counter()
        self.times.append(now_s - self.began_s)
        self.failed += not self.buffer.startswith(b"HTTP/1.1 200")
        if now_s < self.until_s:
            self._ask()
        else:
            self.transport.close()

    def _whole(self):
        end = self.buffer.find(b"\r\n\r\n")
        if end < 0:
            return False
        head = bytes(self.buffer[:end]).lower()
        at = head.find(b"\r\ncontent-length:")  # LiteLLM has an x-…-content-length as well
        if at >= 0:
            return len(self.buffer) >= end + 4 + int(head[at + 17 :].split(b"\r\n", 1)[0])
        return self.buffer.endswith(b"0\r\n\r\n")

    def connection_lost(self, _exc):
        if not self.done.done():
            self.done.set_result(self.failed)


@dataclass
class Measured:
    """Seconds, sorted; requests a second."""

    times_s: list
    rate: float
    failed: int

    def at(self, share):
        """A percentile, in ms."""
        return self.times_s[min(len(self.times_s) - 1, int(share * len(self.times_s)))] * 1000


def measure(base_url, key, model, level, seconds, *, stream, headers=""):
    """Ask `base_url` over `level` connections for so long."""
    where = urlsplit(base_url)
    body = json.dumps(
        {"model": model, "stream": stream, "messages": [{"role": "user", "content": "Say words."}]}
    ).encode()
    head = (
        f"POST {where.path}/chat/completions HTTP/1.1\r\nhost: {where.netloc}\r\nauthorization: Bearer {key}\r\n"
        f"content-type: application/json\r\n{headers}content-length: {len(body)}\r\n\r\n"
    ).encode()

    async def run():
        times = []
        loop = asyncio.get_running_loop()
        began_s = time.perf_counter()
        clients = [
            (
                await loop.create_connection(
                    lambda: Client(head + body, began_s + seconds, times), where.hostname, where.port
                )
            )[1]
            for _ in range(level)
        ]
        failed = sum(await asyncio.gather(*(client.done for client in clients)))
        return Measured(sorted(times), len(times) / (time.perf_counter() - began_s), failed)

    return _run(run())


def wait_for(port, process, patience_s=20.0):
    """Seconds until somebody listens."""
    began_s = time.perf_counter()
    while time.perf_counter() - began_s < patience_s:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            if process is not None and process.poll() is not None:
                raise SystemExit(f"the gateway ended: {process.stderr.read().decode()}") from None
            time.sleep(0.005)
        else:
            return time.perf_counter() - began_s
    raise SystemExit(f"nobody listens on {port}")


def free_port():
    """A port that was free just now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def rss_mb(pid):
    """Resident memory of a process and its children."""
    pids = [pid, *map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())]
    pages = sum(int(Path(f"/proc/{each}/statm").read_text().split()[1]) for each in pids)
    return pages * resource.getpagesize() / 1e6


def cpu_s(pid):
    """CPU seconds that a process and its children have used: what a busy machine cannot falsify."""
    pids = [pid, *map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())]
    stats = (Path(f"/proc/{each}/stat").read_text().rsplit(") ", 1)[1].split() for each in pids)
    return sum(int(stat[11]) + int(stat[12]) for stat in stats) / os.sysconf("SC_CLK_TCK")


def main():
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--upstream-port", type=int, default=0, help="where others were told that the upstream is")
    parser.add_argument("--other", action="append", default=[], help="NAME=BASE_URL=KEY[=HEADER: VALUE|…]")
    parser.add_argument("--pid", action="append", default=[], help="NAME=PID, to tell what it costs that other gateway")
    said = parser.parse_args()
    ours, theirs = free_port(), said.upstream_port or free_port()
    answering = multiprocessing.get_context("spawn").Process(target=upstream, args=(theirs,), daemon=True)
    answering.start()
    wait_for(theirs, None)
    with tempfile.TemporaryDirectory() as home:
        settings = Path(home) / "routing.toml"
        settings.write_text(
            f'exploration = 0\n[models.m]\ncandidates = ["up/{MODEL}"]\n'
            f'[providers.up]\nwire = "openai"\nbase_url = "http://127.0.0.1:{theirs}/v1"\n'
        )
        token = "bench-token-0123456789"
        environment = {"PATH": os.environ["PATH"], "HOME": home, "LLMR_SERVE_TOKEN": token}
        llmr = [sys.executable, "-P", "-m", "llmr"]  # -P: modules of the working directory are no business of ours
        command = [*llmr, "serve", "--port", str(ours), "--config", str(settings), "--quiet"]
        command += ["--workers", str(said.workers)] if said.workers > 1 else []
        subprocess.run(
            [*llmr, "rank", "-m", "m", "--config", str(settings)],
            env=environment,
            capture_output=True,
            check=True,
        )
        gateway = subprocess.Popen(
            command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, cwd=home
        )
        try:
            started_s = wait_for(ours, gateway)
            print(f"start {started_s:.2f} s, {rss_mb(gateway.pid):.0f} MB resident")
            targets = [
                ("upstream", f"http://127.0.0.1:{theirs}/v1", "", MODEL, ""),
                ("llmr", f"http://127.0.0.1:{ours}/v1", token, "m", ""),
            ]
            targets += [target(other) for other in said.other]
            others = {name: int(pid) for name, pid in (each.split("=") for each in said.pid)}
            table(targets, said.seconds, {"llmr": gateway.pid, **others})
            print(f"{rss_mb(gateway.pid):.0f} MB resident at the end")
        finally:
            gateway.send_signal(signal.SIGTERM)
            gateway.wait(20)
            answering.kill()


def target(other):
    """Another gateway, as it was named on the command line."""
    name, url, key, *headers = other.split("=", 3)
    return name, url, key, MODEL, "".join(f"{header}\r\n" for header in "=".join(headers).split("|") if header)


def table(targets, seconds, pids):
    """A line per gateway, level and form."""
    print(
        f"{'':10} {'':8} {'c':>3} {'p50 ms':>8} {'p99 ms':>8} {'added p50':>10} {'added p99':>10} {'req/s':>8} {'CPU ms':>7}"
    )
    for stream in (False, True):
        for level in LEVELS:
            base = None
            for name, url, key, model, headers in targets:
                measure(url, key, model, level, 0.3, stream=stream, headers=headers)  # warm
                pid = pids.get(name)
                before_s = cpu_s(pid) if pid else 0.0
                got = measure(url, key, model, level, seconds, stream=stream, headers=headers)
                cpu = f"{(cpu_s(pid) - before_s) / len(got.times_s) * 1000:7.2f}" if pid else ""
                base = base or got
                added = [f"{got.at(share) - base.at(share):.2f}" for share in (0.5, 0.99)]
                failed = f"  {got.failed} failed" if got.failed else ""
                print(
                    f"{name:10} {'streamed' if stream else 'whole':8} {level:3} {got.at(0.5):8.2f} {got.at(0.99):8.2f} "
                    f"{added[0]:>10} {added[1]:>10} {got.rate:8.0f} {cpu}{failed}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
