"""One reply of a lab provider: a behaviour, obeyed on a socket.

What is to be sent is known before the first byte leaves (`_Plan`); sending it is a walk over the positions of
behavior.py.
"""

import asyncio
import random
import socket
import struct
import zlib
from collections.abc import Sequence
from typing import Final, final

from llmr.dataclass import dataclass
from llmr.lab.behavior import Behavior, Encoding, Fault, Framing, Part, seconds
from llmr.lab.dialect import Asked, Frame, token_count
from llmr.lab.http1 import LAST_CHUNK, chunk, response_head
from llmr.lab.provider import LabProvider, LabRequest

_GARBAGE: Final = b"\x00\xff\xfe not a status line, nor a chunk \x1b[2J\r\n\r\n"
_JSON: Final = "application/json"
_EVENT_STREAM: Final = "text/event-stream; charset=utf-8"
_BODILESS: Final = frozenset({204, 304})  # RFC 9110 §6.4.1
_WBITS: Final = {Encoding.GZIP: 31, Encoding.DEFLATE: 15}  # zlib's own numbers for the two containers
_LINGER_RESET: Final = struct.pack("ii", 1, 0)  # on, 0 s: close() sends RST, socket(7)


@dataclass(frozen=True, slots=True)
class _Plan:
    """The reply, framed and encoded but for the chunk sizes. `tail` closes the encoding."""

    head: bytes
    frames: tuple[Frame, ...]
    tail: bytes
    framing: Framing
    streamed: bool
    keep_alive: bool

    @property
    def tokens(self) -> int:
        return sum(frame.is_token for frame in self.frames)


@final
class Reply:
    """Sends one reply."""

    def __init__(
        self,
        writer: asyncio.StreamWriter,
        provider: LabProvider,
        request: LabRequest,
        behavior: Behavior,
        rng: random.Random,
    ) -> None:
        self._writer = writer
        self._provider = provider
        self._request = request
        self._behavior = behavior
        self._rng = rng

    async def send(self) -> bool:
        """Send it all. Returns whether the connection can carry another request. Raises OSError where the
        peer is gone.
        """
        behavior = self._behavior
        if behavior.raw is not None:
            if not await self._stops_at(None):
                await self._write(Part.BODY, behavior.raw)
                await self._flood(Framing.CLOSE)
            return False
        plan = _plan(self._provider, self._request, behavior)
        await self._sleep_before_headers(plan)
        if await self._stops_at(None):
            return False
        await self._write(Part.HEADERS, plan.head)
        if await self._send_frames(plan):
            return False
        await self._flood(plan.framing)
        await self._write(Part.BODY, _framed(plan.framing, plan.tail))
        await self._write(Part.BODY, LAST_CHUNK if plan.framing is Framing.CHUNKED else b"")
        return plan.keep_alive

    async def _send_frames(self, plan: _Plan) -> bool:
        """Send the frames; True where a fault ended the reply."""
        if await self._stops_at(0, plan):
            return True
        sent_tokens = 0
        for frame in plan.frames:
            if frame.is_token and plan.streamed:
                await self._sleep_before_token(sent_tokens)
            await self._write(Part.BODY, _framed(plan.framing, frame.payload))
            if frame.is_token:
                sent_tokens += 1
                if await self._stops_at(sent_tokens, plan):
                    return True
        return False

    async def _sleep_before_headers(self, plan: _Plan) -> None:
        delay_s = seconds(self._behavior.headers_s, self._rng)
        if not plan.streamed and self._behavior.body is None and self._behavior.status < 400:
            delay_s += seconds(self._behavior.ttft_s, self._rng)
            delay_s += sum(seconds(self._behavior.token_s, self._rng) for _ in range(1, token_count(self._behavior)))
        await asyncio.sleep(delay_s)

    async def _sleep_before_token(self, sent_tokens: int) -> None:
        delay = self._behavior.token_s if sent_tokens else self._behavior.ttft_s
        await asyncio.sleep(seconds(delay, self._rng))

    async def _stops_at(self, position: int | None, plan: _Plan | None = None) -> bool:
        """Wait at the gate that is here, obey the fault that is here; True where the reply is over."""
        behavior = self._behavior
        if behavior.gate is not None and _reached(behavior.gate_at, position, plan):
            await self._provider.gate(behavior.gate).happened()
        if behavior.fault is None or not _reached(behavior.fault_at, position, plan):
            return False
        await self._strike(behavior.fault, plan)
        return True

    async def _strike(self, fault: Fault, plan: _Plan | None) -> None:
        framing = Framing.CLOSE if plan is None else plan.framing
        ending = LAST_CHUNK if framing is Framing.CHUNKED else b""
        match fault:
            case Fault.HANG:
                await asyncio.get_running_loop().create_future()
            case Fault.CUT:
                pass
            case Fault.END:
                await self._write(Part.BODY, ending)
            case Fault.RESET:
                raw_socket: socket.socket = self._writer.get_extra_info("socket")
                raw_socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_RESET)
                self._writer.transport.abort()
            case Fault.ERROR_EVENT:
                event = self._provider.dialect.error_event(self._behavior, self._provider.asked(self._request))
                await self._write(Part.BODY, _framed(framing, event) + ending)
            case Fault.GARBAGE:
                await self._write(Part.BODY, _GARBAGE)

    async def _flood(self, framing: Framing) -> None:
        while self._behavior.flood:
            await self._write(Part.BODY, _framed(framing, self._behavior.flood))
            await asyncio.sleep(seconds(self._behavior.token_s, self._rng))

    async def _write(self, part: Part, payload: bytes) -> None:
        drip = self._behavior.drip
        if drip is None or drip.part is not part:
            self._writer.write(payload)
            await self._writer.drain()
            return
        for at in range(0, len(payload), drip.size_bytes):
            self._writer.write(payload[at : at + drip.size_bytes])
            await self._writer.drain()
            await asyncio.sleep(drip.interval_s)


def _reached(at: int | None, position: int | None, plan: _Plan | None) -> bool:
    """Whether `position` is the one meant by `at`; one beyond the last token means the last token."""
    if at is None or position is None or plan is None:
        return at is position
    return min(at, plan.tokens) == position


def _framed(framing: Framing, payload: bytes) -> bytes:
    return chunk(payload) if framing is Framing.CHUNKED else payload


def _plan(provider: LabProvider, request: LabRequest, behavior: Behavior) -> _Plan:
    asked = provider.asked(request)
    streamed = behavior.body is None and behavior.status < 400 and provider.dialect.is_streamed(asked)
    if streamed:
        frames = tuple(provider.dialect.stream(behavior, asked))
    elif isinstance(behavior.body, tuple):
        frames = tuple(Frame(piece, is_token=True) for piece in behavior.body)
    elif behavior.body is not None:
        frames = _in_halves(behavior.body)
    elif behavior.status >= 400:
        frames = _in_halves(provider.dialect.error(behavior, asked))
    else:
        frames = _in_halves(provider.dialect.whole(behavior, asked))
    return _framed_plan(behavior, frames, streamed, asked)


def _framed_plan(behavior: Behavior, frames: Sequence[Frame], streamed: bool, asked: Asked) -> _Plan:
    frames, tail = _encoded(behavior.encoding, frames)
    framing = behavior.framing or _usual_framing(behavior, streamed)
    size_bytes = len(tail) + sum(len(frame.payload) for frame in frames)
    keep_alive = behavior.keep_alive and framing is not Framing.CLOSE
    headers = {
        "content-type": behavior.content_type or (_EVENT_STREAM if streamed else _JSON),
        "x-request-id": asked.reply_id,
    }
    if behavior.status not in _BODILESS:
        match framing:
            case Framing.LENGTH:
                headers["content-length"] = str(size_bytes)
            case Framing.CHUNKED:
                headers["transfer-encoding"] = "chunked"
            case Framing.CLOSE:
                pass
    if behavior.encoding is not Encoding.IDENTITY:
        headers["content-encoding"] = behavior.encoding
    if not keep_alive:
        headers["connection"] = "close"
    named = {name.lower() for name, _ in behavior.headers}
    kept = [(name, value) for name, value in headers.items() if name not in named]
    head = response_head(behavior.status, [*kept, *behavior.headers])
    return _Plan(head, frames, tail, framing, streamed, keep_alive)


def _usual_framing(behavior: Behavior, streamed: bool) -> Framing:
    if behavior.status in _BODILESS:
        return Framing.LENGTH
    pieces = streamed or isinstance(behavior.body, tuple)
    return Framing.CHUNKED if pieces or behavior.flood or behavior.fault is Fault.END else Framing.LENGTH


def _in_halves(body: bytes) -> tuple[Frame, ...]:
    """An unstreamed body: its middle is position 1."""
    middle = len(body) // 2
    return (Frame(body[:middle], is_token=True), Frame(body[middle:]))


def _encoded(encoding: Encoding, frames: Sequence[Frame]) -> tuple[tuple[Frame, ...], bytes]:
    """The frames in this Content-Encoding, each flushed so that it can be read at once, and what closes the
    encoding.
    """
    if encoding is Encoding.IDENTITY:
        return tuple(frames), b""
    packer = zlib.compressobj(wbits=_WBITS[encoding])
    packed = [
        Frame(packer.compress(frame.payload) + packer.flush(zlib.Z_SYNC_FLUSH), is_token=frame.is_token)
        for frame in frames
    ]
    return tuple(packed), packer.flush()
