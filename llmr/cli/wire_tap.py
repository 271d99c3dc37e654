"""`--debug`: what goes over the wire and comes back, line by line on stderr.

It stands between the router and the transport, so it sees requests before the transport has put the key in: there is none to
leak. What providers send back is redacted and neutralised like everything on stderr. `>` is ours, `<` is theirs.

A line is told when it has ended, however many pieces it came in, and is redacted before it is cut: half of a key is one that
no redactor knows.
"""

import re
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from typing import Final, final

from llmr.catalog import Provider
from llmr.exchange import HttpReply, Transport
from llmr.secret import MASK
from llmr.wire.contract import HttpRequest

MOST_BYTES: Final = 16 * 1024  # of one body, or of one line of a stream; an attached picture says nothing here
_HELD_BYTES: Final = MOST_BYTES + 64 * 1024  # of one line; a key that begins before the cut ends before this
_LINE_END: Final = re.compile(rb"\r\n|\r|\n")


@final
class WireTap:
    """A transport that tells what it carries."""

    def __init__(self, inner: Transport, tell: Callable[[str], None], redact: Callable[[str], str]) -> None:
        self._inner = inner
        self._tell = tell
        self._redact = redact

    async def prepare(self, provider: Provider) -> None:
        """As Transport.prepare."""
        await self._inner.prepare(provider)

    def stream(
        self, request: HttpRequest, provider: Provider, *, connect_s: float
    ) -> AbstractAsyncContextManager[HttpReply]:
        """As Transport.stream."""
        return self._streaming(request, provider, connect_s)

    @asynccontextmanager
    async def _streaming(self, request: HttpRequest, provider: Provider, connect_s: float) -> AsyncGenerator[HttpReply]:
        self._tell(f"> {request.method} {request.url}")
        for name, value in request.headers:
            self._tell(f"> {name}: {value}")
        if request.credential is not None:
            self._tell(f"> {request.credential.header}: {request.credential.prefix}{MASK}")
        for line in _cut(_Lines(self._redact).all_of(request.body)):
            self._tell(f"> {line}")
        async with self._inner.stream(request, provider, connect_s=connect_s) as reply:
            self._tell(f"< {reply.status}")
            for name, value in reply.headers.items():
                self._tell(f"< {name}: {value}")
            yield _TappedReply(reply, self._tell, self._redact)


@final
class _TappedReply:
    """An answer that is told as it is read."""

    def __init__(self, reply: HttpReply, tell: Callable[[str], None], redact: Callable[[str], str]) -> None:
        self._reply = reply
        self._tell = tell
        self._redact = redact

    @property
    def status(self) -> int:
        """As HttpReply.status."""
        return self._reply.status

    @property
    def headers(self) -> Mapping[str, str]:
        """As HttpReply.headers."""
        return self._reply.headers

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        """As HttpReply.chunks."""
        lines = _Lines(self._redact)
        whole = False
        try:
            async with aclosing(self._reply.chunks()) as chunks:
                async for chunk in chunks:
                    self._told(lines.feed(chunk))
                    yield chunk
            whole = True
        finally:
            self._told(lines.end(whole=whole))

    async def body(self, limit_bytes: int, *, within_s: float) -> bytes:
        """As HttpReply.body."""
        body = await self._reply.body(limit_bytes, within_s=within_s)
        self._told(_cut(_Lines(self._redact).all_of(body)))
        return body

    def _told(self, lines: Iterator[str]) -> None:
        for line in lines:
            self._tell(f"< {line}")


@final
class _Lines:
    """Bytes as they come, redacted lines as they end. Blank ones are left out."""

    def __init__(self, redact: Callable[[str], str]) -> None:
        self._redact = redact
        self._open = bytearray()
        self._more_bytes = 0  # of the open line, beyond what is held

    def feed(self, content: bytes) -> Iterator[str]:
        """The lines that `content` ends."""
        *ended, rest = _LINE_END.split(content)
        for piece in ended:
            self._hold(piece)
            yield from self._line()
        self._hold(rest)

    def end(self, *, whole: bool) -> Iterator[str]:
        """What came after the last line end; only how much, where the rest of it never came: it may be half of a key."""
        if whole:
            yield from self._line()
        elif self._open:
            yield f"… {len(self._open) + self._more_bytes:,} bytes of a line that did not end"

    def all_of(self, content: bytes) -> Iterator[str]:
        """The lines of `content`, and no more comes."""
        yield from self.feed(content)
        yield from self.end(whole=True)

    def _hold(self, piece: bytes) -> None:
        room = _HELD_BYTES - len(self._open)
        self._open += piece[:room]
        self._more_bytes += max(len(piece) - room, 0)

    def _line(self) -> Iterator[str]:
        text = self._redact(self._open.decode("utf-8", "replace"))
        more = max(len(text) - MOST_BYTES, 0) + self._more_bytes
        self._open.clear()
        self._more_bytes = 0
        if text.strip():
            yield f"{text[:MOST_BYTES]} … {more:,} more bytes" if more else text


def _cut(lines: Iterator[str]) -> Iterator[str]:
    """The first lines of a body, and how much is left out."""
    room, left_out = MOST_BYTES, 0
    for line in lines:
        room -= len(line)
        if room + len(line) > 0:
            yield line
        else:
            left_out += len(line)
    if left_out:
        yield f"… {left_out:,} more bytes"
