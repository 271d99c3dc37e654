"""How fast a streamed answer is read, for each wire, beside the official SDK on the same bytes in the same run.

    python -m bench.wire [--rounds 7] [--tokens 2000]         (pip install 'llmr[sdk]' for the SDKs)

Two kinds of streams: the recorded ones of ../shared/wire, where that is there, and one long made-up answer per wire, by the
lab. Each event is a chunk of its own, as providers send them. The clock is CPU time, and it starts where the response's
headers are handed over, so that nobody pays for building a request; it ends with the last delta. Every reader runs once
uncounted, then the readers take turns, and the least time of all rounds counts: what is above it is the machine's noise. All
readers get their bytes from an httpx response; a recording on which the SDK falls over is left out for both.
"""

import argparse
import importlib
import json
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx

from llmr.catalog import Model, Provider, WireFormat
from llmr.lab.behavior import Behavior
from llmr.lab.dialect import Asked
from llmr.lab.provider import DIALECTS
from llmr.wire import wire_for

RECORDED: Final = Path(__file__).parents[2] / "shared" / "wire" / "recorded"
FOLDERS: Final = {
    WireFormat.OPENAI: "openai-chat",
    WireFormat.ANTHROPIC: "anthropic-messages",
    WireFormat.GEMINI: "gemini",
    WireFormat.RESPONSES: "openai-responses",
}
SDKS: Final = {
    WireFormat.OPENAI: "openai",
    WireFormat.ANTHROPIC: "anthropic",
    WireFormat.GEMINI: "google.genai",
    WireFormat.RESPONSES: "openai",
}
HEADERS: Final = {"content-type": "text/event-stream"}

Chunks = Sequence[bytes]
Reader = Callable[[Chunks], float]
"""Reads one stream to its end; CPU seconds from the headers to the last delta."""


@dataclass
class Headers:
    """When the last response's headers were handed over, in CPU seconds of this process."""

    at_s: float = 0.0


def llmr_reader(wire: WireFormat) -> Reader:
    """Ours: an httpx response's raw bytes through the wire's decoder."""
    model = Model(Provider("bench", wire, "http://127.0.0.1:1"), "bench")

    def read(chunks: Chunks) -> float:
        response = httpx.Response(200, headers=HEADERS, stream=Pieces(chunks))
        start = time.process_time()
        decoder = wire_for(wire).decoder(model, streamed=True)
        for chunk in response.iter_raw():
            for _ in decoder.feed(chunk):
                pass
        for _ in decoder.end():
            pass
        return time.process_time() - start

    return read


class Pieces(httpx.SyncByteStream):
    """A body that arrives in these pieces."""

    def __init__(self, chunks: Chunks) -> None:
        self.chunks = chunks

    def __iter__(self) -> Iterator[bytes]:
        yield from self.chunks


def sdk_reader(wire: WireFormat) -> Reader:
    """The maker's own client, its transport replaced by one that hands out the bytes. Raises ImportError without it."""
    sdk = importlib.import_module(SDKS[wire])
    httpx2 = importlib.import_module("httpx2")  # what all three are built on
    headers, body = Headers(), [b""]

    def handle(_: Any) -> Any:
        headers.at_s = time.process_time()
        return httpx2.Response(200, headers=HEADERS, content=iter(body))

    http = httpx2.Client(transport=httpx2.MockTransport(handle))
    ask = asking(wire, sdk, http)

    def read(chunks: Chunks) -> float:
        body[:] = chunks
        for _ in ask():
            pass
        return time.process_time() - headers.at_s

    return read


def asking(wire: WireFormat, sdk: Any, http: Any) -> Callable[[], Iterable[Any]]:
    """A call that asks for a stream, the plain one that accumulates nothing."""
    said = [{"role": "user", "content": "hi"}]
    match wire:
        case WireFormat.OPENAI:
            client = sdk.OpenAI(api_key="none", http_client=http, max_retries=0)
            return lambda: client.chat.completions.create(model="bench", messages=said, stream=True)
        case WireFormat.RESPONSES:
            client = sdk.OpenAI(api_key="none", http_client=http, max_retries=0)
            return lambda: client.responses.create(model="bench", input="hi", stream=True)
        case WireFormat.ANTHROPIC:
            client = sdk.Anthropic(api_key="none", http_client=http, max_retries=0)
            return lambda: client.messages.create(model="bench", messages=said, max_tokens=9, stream=True)
        case WireFormat.GEMINI:
            client = sdk.Client(api_key="none", http_options=sdk.types.HttpOptions(httpx_client=http))
            return lambda: client.models.generate_content_stream(model="bench", contents="hi")


def events_of(body: bytes) -> Chunks:
    """The body cut after each event."""
    end = b"\r\n\r\n" if b"\r\n\r\n" in body else b"\n\n"
    return [event + end for event in body.split(end) if event]


def recorded(wire: WireFormat) -> Iterator[Chunks]:
    for path in sorted((RECORDED / FOLDERS[wire]).glob("*.json")):
        response = json.loads(path.read_text())["response"]
        if response["status"] == 200 and response.get("stream_format") == "sse" and response.get("body_text"):
            yield events_of(response["body_text"].encode())


def made_up(wire: WireFormat, tokens: int) -> Chunks:
    """One long answer, in the lab's words."""
    target = ":streamGenerateContent?alt=sse"
    asked = Asked("bench", 1, target, {"model": "bench", "stream": True, "stream_options": {"include_usage": True}}, 40)
    return [frame.payload for frame in DIALECTS[wire].stream(Behavior(tokens=tokens), asked)]


def deltas_in(wire: WireFormat, chunks: Chunks) -> int:
    decoder = wire_for(wire).decoder(Model(Provider("bench", wire, "http://127.0.0.1:1"), "bench"), streamed=True)
    return sum(len(decoder.feed(chunk)) for chunk in chunks) + len(decoder.end())


def reads(reader: Reader, chunks: Chunks) -> bool:
    """Whether the reader gets to the end of it. The SDKs raise what they like, pydantic's and their own."""
    try:
        reader(chunks)
    except Exception:  # noqa: BLE001 - a bench of other people's code
        return False
    return True


def least_s(readers: Sequence[Reader], streams: Sequence[Chunks], rounds: int) -> list[float]:
    """Of each reader the least CPU seconds for all streams; the readers take turns."""
    times = [[sum(map(reader, streams)) for reader in readers] for _ in range(rounds)]
    return [min(column) for column in zip(*times, strict=True)]


def row(wire: WireFormat, kind: str, streams: Sequence[Chunks], sdk: Reader | None, rounds: int) -> bool:
    """Print one line; False where the SDK was faster."""
    ours = llmr_reader(wire)
    readers = [ours, *([sdk] if sdk else [])]
    usable = [chunks for chunks in streams if all(reads(reader, chunks) for reader in readers)]
    if not usable:
        return True
    megabytes = sum(len(chunk) for chunks in usable for chunk in chunks) / 1e6
    deltas = sum(deltas_in(wire, chunks) for chunks in usable)
    took = least_s(readers, usable, rounds)
    cells = [f"{megabytes / t:8.1f} {t / deltas * 1e6:9.1f}" for t in took]
    beside = f"{cells[1]}  {took[1] / took[0]:6.1f}" if sdk else f"{'not installed':>18}       –"
    print(f"{wire:10} {kind:10} {len(usable):4} of {len(streams):<3} {deltas:7} {cells[0]}   {SDKS[wire]:13}{beside}")
    return sdk is None or took[0] <= took[1]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--tokens", type=int, default=2000, help="of the made-up answers")
    arguments = parser.parse_args()
    sdks: dict[WireFormat, Reader] = {}
    missing: set[str] = set()
    for wire in WireFormat:
        try:
            sdks[wire] = sdk_reader(wire)
        except ImportError as error:
            missing.add(f"{SDKS[wire]} ({error})")
    if missing:
        print(f"not installed: {', '.join(sorted(missing))}; for the comparison: pip install 'llmr[sdk]'")
    if not RECORDED.is_dir():
        print(f"no recordings at {RECORDED}: made-up streams only")
    cost = f"{'MB/s':>8} {'µs/delta':>9}"
    print(f"{'':44}{'llmr':>14}{'SDK':>35}")
    print(f"{'wire':10} {'streams':10} {'used':>11} {'deltas':>7} {cost}   {'SDK':13}{cost}  {'SDK/llmr':>6}")
    as_fast = True
    for wire in WireFormat:
        for kind, streams in (("recorded", list(recorded(wire))), ("made up", [made_up(wire, arguments.tokens)])):
            if streams:
                as_fast &= row(wire, kind, streams, sdks.get(wire), arguments.rounds)
    if sdks:
        print("llmr is at least as fast everywhere" if as_fast else "llmr is SLOWER somewhere: SDK/llmr below 1.0")
    return 0 if as_fast else 1


if __name__ == "__main__":
    raise SystemExit(main())
