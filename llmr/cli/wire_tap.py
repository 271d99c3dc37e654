"""`--debug`: what goes over the wire and comes back, line by line on stderr.

It stands between the router and the transport, so it sees requests before the transport has put the key in: there is none to
leak. What providers send back is redacted and neutralised like everything on stderr. `>` is ours, `<` is theirs.
"""

from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from typing import Final, final

from llmr.catalog import Provider
from llmr.exchange import HttpReply, Transport
from llmr.secret import MASK
from llmr.wire.contract import HttpRequest

MOST_BYTES: Final = 16 * 1024  # of one body or piece; an attached picture says nothing here


@final
class WireTap:
    """A transport that tells what it carries."""

    def __init__(self, inner: Transport, tell: Callable[[str], None]) -> None:
        self._inner = inner
        self._tell = tell

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
        for line in _lines(request.body):
            self._tell(f"> {line}")
        async with self._inner.stream(request, provider, connect_s=connect_s) as reply:
            self._tell(f"< {reply.status}")
            for name, value in reply.headers.items():
                self._tell(f"< {name}: {value}")
            yield _TappedReply(reply, self._tell)


@final
class _TappedReply:
    """An answer that is told as it is read."""

    def __init__(self, reply: HttpReply, tell: Callable[[str], None]) -> None:
        self._reply = reply
        self._tell = tell

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
        async with aclosing(self._reply.chunks()) as chunks:
            async for chunk in chunks:
                self._told(chunk)
                yield chunk

    async def body(self, limit_bytes: int, *, within_s: float) -> bytes:
        """As HttpReply.body."""
        body = await self._reply.body(limit_bytes, within_s=within_s)
        self._told(body)
        return body

    def _told(self, content: bytes) -> None:
        for line in _lines(content):
            self._tell(f"< {line}")


def _lines(content: bytes) -> list[str]:
    lines = [line for line in content[:MOST_BYTES].decode("utf-8", "replace").splitlines() if line.strip()]
    return [*lines, f"… {len(content) - MOST_BYTES:,} more bytes"] if len(content) > MOST_BYTES else lines
