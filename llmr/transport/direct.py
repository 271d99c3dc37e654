"""Requests without an HTTP client in between: what `llmr serve` asks with.

httpx and httpcore, with h11 under them, are a fifth of what a request costs the gateway with one connection, and a third with
64, for their pool looks at every connection twice a request. Here a request is one write, an answer is parsed in C (http1.py),
and an idle connection is the last one of a list. The rules are the same, for they are the same code: the origin is checked, the
headers are checked, the sockets and the failures are ours; and the tests of the one are run against the other.

A kept connection may be closed by its peer in the very moment in which it is used again. A peer that leaves so, at once and
without a byte, is asked once more over a new connection, and nothing is held against it. RFC 9112 §9.3.1 leaves that to who
knows that asking twice does no harm: an answer changes nothing at a provider (wire/ stores nothing there), and the router would
ask again as well, later and after counting a failure.

Tried in its place, under the same tests: aiohttp 3.14.5 (November 2026). 68–74 µs a request against 27–31 here and 198–435 of
httpx; `serve`, best of two: whole .84–.94 CPU ms against .76–.94, streamed 1.26–1.55 against 1.14–1.21; 77 MB against 67–70.
An answer that came while a connection was idle went to the next request, bad chunk sizes and endless chunk extensions were
never given up, `transfer-encoding: gzip` was taken for content: only aiohttp's private parts could mend it, so this code stays.

What goes through a proxy is left to HttpTransport, which knows their kinds.
"""

import asyncio
import contextlib
import ssl
from collections import deque
from collections.abc import AsyncGenerator, Iterable
from types import TracebackType
from typing import Final, Self, final

import httpx

from llmr.catalog import Provider
from llmr.dataclass import dataclass
from llmr.errors import ProviderError
from llmr.transport.client import IDLE_S, HttpTransport
from llmr.transport.failures import FAILURES, Phase, Progress, provider_error
from llmr.transport.http1 import Connection, Fields
from llmr.transport.late_keys import at_hand
from llmr.transport.origin import checked_url, tls_context
from llmr.transport.outgoing import outgoing_headers
from llmr.transport.reply import HttpReply, refuse_too_many_headers
from llmr.transport.sockets import Sockets
from llmr.wire.contract import HttpRequest

_WITH_BODY: Final = frozenset({"POST", "PUT", "PATCH"})  # they say their length, be it 0 (RFC 9110 §8.6)
_PORTS: Final = {"http": 80, "https": 443}
_STALE_S: Final = 1.0  # a long round trip: who leaves later has had the time to begin an answer


@dataclass(frozen=True, slots=True)
class _Origin:
    """What a connection leads to. `tls_ca` None: the usual authorities; `verified` False: any certificate will do."""

    secure: bool
    host: str
    port: int
    tls_ca: str | None
    verified: bool


@final
class DirectTransport:
    """As HttpTransport: keeps connections and sends requests over them. An async context manager, for one event loop."""

    def __init__(self, *, ca_file: str | None = None, sockets: Sockets | None = None) -> None:
        """`ca_file` as HttpTransport has it."""
        self._ca_file = ca_file
        self._sockets = sockets or Sockets()
        self._proxied = HttpTransport(ca_file=ca_file, sockets=self._sockets)
        self._idle: dict[_Origin, deque[Connection]] = {}
        self._contexts: dict[tuple[str | None, bool], ssl.SSLContext] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        idle, self._idle = self._idle, {}
        for connections in idle.values():
            await _close(connections)
        await self._proxied.__aexit__(kind, error, trace)

    async def prepare(self, provider: Provider) -> None:
        """As HttpTransport.prepare."""
        await self._proxied.prepare(provider)

    @contextlib.asynccontextmanager
    async def stream(self, request: HttpRequest, provider: Provider, *, connect_s: float) -> AsyncGenerator[HttpReply]:
        """As HttpTransport.stream."""
        if provider.proxy is not None:
            async with self._proxied.stream(request, provider, connect_s=connect_s) as reply:
                yield reply
            return
        url = checked_url(request, provider)
        if request.credential is not None:
            await at_hand(request.credential.secret)
        message = _message(request, url, outgoing_headers(request, provider_name=provider.name))
        origin = _origin(url, provider.tls_ca or self._ca_file, verified=not provider.insecure)
        progress = Progress(url.netloc.decode("ascii"), connect_s)
        connection, reply = await self._answered(origin, message, progress)
        try:
            yield reply
        finally:
            await self._done_with(connection, origin)

    async def _answered(self, origin: _Origin, message: bytes, progress: Progress) -> tuple[Connection, HttpReply]:
        """An answer as far as its headers, and what it comes over. Raises ProviderError, ConfigError."""
        kept = await self._idle_one(origin)
        if kept is not None:
            asked_s = _now_s()
            try:
                return kept, await _asked(kept, message, progress)
            except ProviderError:
                if kept.has_heard or _now_s() - asked_s > _STALE_S:
                    raise
            progress.phase = Phase.CONNECTING
        new = await self._new_one(origin, progress)
        return new, await _asked(new, message, progress)

    async def _idle_one(self, origin: _Origin) -> Connection | None:
        """The connection that was used last, if it is still good; then all before it are older, and stay."""
        idle = self._idle.get(origin)
        while idle:
            connection = idle.pop()
            if connection.is_reusable and _now_s() - connection.idle_since_s < IDLE_S:
                return connection
            await connection.aclose()
        return None

    async def _new_one(self, origin: _Origin, progress: Progress) -> Connection:
        """Connected, by the wall clock. Raises ProviderError, ConfigError."""
        context = self._context(origin) if origin.secure else None
        try:
            async with asyncio.timeout(progress.connect_s):
                stream = await self._sockets.connect_tcp(origin.host, origin.port)
                if context is not None:
                    progress.phase = Phase.TLS
                    stream = await stream.start_tls(context, origin.host)
        except FAILURES as error:
            raise provider_error(error, progress) from error
        return Connection(stream)

    def _context(self, origin: _Origin) -> ssl.SSLContext:
        kind = (origin.tls_ca, origin.verified)
        if kind not in self._contexts:
            context = self._contexts[kind] = tls_context(origin.tls_ca, verified=origin.verified)
            context.set_alpn_protocols(["http/1.1"])
        return self._contexts[kind]

    async def _done_with(self, connection: Connection, origin: _Origin) -> None:
        """Keep it for the next request, or close it; and close those that nobody has needed for a while."""
        if not connection.is_reusable:
            await connection.aclose()
            return
        connection.idle_since_s = now_s = _now_s()
        idle = self._idle.setdefault(origin, deque())
        idle.append(connection)
        while idle and now_s - idle[0].idle_since_s >= IDLE_S:
            await idle.popleft().aclose()


async def _asked(connection: Connection, message: bytes, progress: Progress) -> HttpReply:
    """Everything up to the answer's headers; where there are none, the connection is closed. Raises ProviderError."""
    try:
        progress.phase = Phase.SENDING
        await connection.send(message)
        progress.phase = Phase.WAITING
        status, fields = await connection.head()
        progress.phase = Phase.READING
        refuse_too_many_headers(len(fields), progress.peer)
    except FAILURES as error:
        await connection.aclose()
        raise provider_error(error, progress) from error
    except BaseException:
        await connection.aclose()
        raise
    return HttpReply(status, _joined(fields), connection.body(), progress, lambda: connection.told_of_end)


def _message(request: HttpRequest, url: httpx.URL, headers: Iterable[tuple[str, str]]) -> bytes:
    """The request as it leaves, in one piece: one system call, and one packet where it fits."""
    lines = [f"{request.method} {url.raw_path.decode('ascii')} HTTP/1.1", f"host: {url.netloc.decode('ascii')}"]
    lines += [f"{name}: {value}" for name, value in headers]
    if request.body or request.method in _WITH_BODY:
        lines.append(f"content-length: {len(request.body)}")
    return "\r\n".join([*lines, "", ""]).encode("ascii") + request.body


def _origin(url: httpx.URL, tls_ca: str | None, *, verified: bool) -> _Origin:
    port = url.port if url.port is not None else _PORTS[url.scheme]
    return _Origin(url.scheme == "https", url.raw_host.decode("ascii"), port, tls_ca, verified)


def _joined(fields: Fields) -> dict[str, str]:
    """Header fields by lower-case name, as httpx reads them: those of one name joined by ", "."""
    joined: dict[str, str] = {}
    for name, value in fields:
        key, text = name.decode("ascii").lower(), _text(value)
        joined[key] = f"{joined[key]}, {text}" if key in joined else text
    return joined


def _text(value: bytes) -> str:
    value = value.strip(b" \t")
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")


def _now_s() -> float:
    return asyncio.get_running_loop().time()


async def _close(connections: Iterable[Connection]) -> None:
    for connection in connections:
        await connection.aclose()
