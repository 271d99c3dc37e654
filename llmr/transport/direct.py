"""Requests without an HTTP client in between: what `llmr serve` asks with.

httpx and httpcore, with h11 under them, are a fifth of what a request costs the gateway with one connection, and a third with
64, for their pool looks at every connection twice a request. Here a request is one write, an answer is parsed in C (http1.py),
and an idle connection is the last one of a list. The rules are the same, for they are the same code: the origin is checked, the
headers are checked, the sockets and the failures are ours; and the tests of the one are run against the other.

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
        connection = await self._idle_one(origin) or await self._new_one(origin, progress)
        try:
            yield await _asked(connection, message, progress)
        finally:
            await self._done_with(connection, origin)

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
    """Everything up to the answer's headers. Raises ProviderError."""
    try:
        progress.phase = Phase.SENDING
        await connection.send(message)
        progress.phase = Phase.WAITING
        status, fields = await connection.head()
        progress.phase = Phase.READING
    except FAILURES as error:
        raise provider_error(error, progress) from error
    refuse_too_many_headers(len(fields), progress.peer)
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
