"""Requests and replies: `HttpTransport` keeps the connections, `HttpReply` is one answer as it arrives."""

import asyncio
import contextlib
import logging
import ssl
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing
from functools import lru_cache
from types import MappingProxyType, ModuleType, TracebackType
from typing import Any, Final, Self, cast, final

from llmr.dataclass import dataclass

# `import httpx` runs httpx._main, its command line, which imports click, rich and pygments where they are installed, and
# rich is: 60–90 ms for nothing (libraries.md). An empty module in its place makes that import fail, as httpx expects.
sys.modules.setdefault("httpx._main", ModuleType("httpx._main"))

import httpcore  # noqa: E402
import httpx  # noqa: E402

from llmr.catalog import Provider  # noqa: E402
from llmr.errors import ConfigError, ErrorKind, ProviderError, TrustError  # noqa: E402
from llmr.transport.coding import body_decoder  # noqa: E402
from llmr.transport.failures import FAILURES, Progress, provider_error  # noqa: E402
from llmr.transport.late_keys import at_hand  # noqa: E402
from llmr.transport.outgoing import outgoing_headers  # noqa: E402
from llmr.transport.sockets import Sockets  # noqa: E402
from llmr.wire.contract import HttpRequest  # noqa: E402

_BODY_LIMIT_BYTES: Final = 64 * 1024 * 1024  # trust.md T21, decoded
_ERROR_BODY_LIMIT_BYTES: Final = 16 * 1024 * 1024  # trust.md T21
_HEADER_LIMIT: Final = 256  # fields; h11 bounds their bytes, not their number (trust.md B29)
_IDLE_S: Final = 5.0  # an idle connection is kept for so long; servers close theirs from 5 s on (Node's default)
_LOGGERS: Final = (
    # At INFO and DEBUG they print whole URLs and headers: trust.md T8. Each by name, so that no -vvv revives one.
    *("httpx", "httpcore", "httpcore.connection", "httpcore.http11", "httpcore.http2", "httpcore.proxy"),
    *("httpcore.socks", "hpack"),
)


@dataclass(frozen=True, slots=True)
class _Route:
    """What a connection pool is for. `tls_ca` None: the usual authorities; `verified` False: any certificate will do."""

    secure: bool
    tls_ca: str | None
    proxy: str | None
    verified: bool = True


@final
class HttpReply:
    """An answer whose headers have arrived. Header names are lower-case; a repeated header is joined by ", "."""

    def __init__(self, response: httpx.Response, progress: Progress) -> None:
        self._response = response
        self._progress = progress
        self.status: int = response.status_code
        self.headers: Mapping[str, str] = MappingProxyType(dict(response.headers.items()))

    async def chunks(self) -> AsyncGenerator[bytes]:
        """The decoded body, as it arrives, once.

        Raises ProviderError: INCOMPLETE where it breaks off, BAD_RESPONSE where it is no HTTP, too large, or
        in an encoding that we do not take.
        """
        async with aclosing(self._pieces(_BODY_LIMIT_BYTES)) as pieces:
            async for piece in pieces:
                yield piece

    async def body(self, limit_bytes: int = _ERROR_BODY_LIMIT_BYTES, *, within_s: float | None = None) -> bytes:
        """The body of an error, for the wire to read: as much as arrives intact, at most `limit_bytes` (≤ 16
        MiB) of it.

        Never raises for a body that breaks, nor for one that is not there after `within_s` seconds (None: no
        limit): the status says what matters.
        """
        limit_bytes = min(limit_bytes, _ERROR_BODY_LIMIT_BYTES)
        collected = bytearray()
        with contextlib.suppress(ProviderError, TimeoutError):
            async with asyncio.timeout(within_s), aclosing(self._pieces(_BODY_LIMIT_BYTES)) as pieces:
                async for piece in pieces:
                    collected += piece
                    if len(collected) >= limit_bytes:
                        break
        return bytes(collected[:limit_bytes])

    async def _pieces(self, limit_bytes: int) -> AsyncGenerator[bytes]:
        peer = self._progress.peer
        decoder = body_decoder(self.headers.get("content-encoding", ""), peer=peer, limit_bytes=limit_bytes)
        try:
            async with aclosing(_generator(self._response.aiter_raw())) as chunks:
                async for chunk in chunks:
                    for piece in decoder.feed(chunk):
                        yield piece
        except FAILURES as error:
            stream = self._response.extensions["network_stream"]
            told_of_end = bool(stream.get_extra_info("told_of_end"))
            raise provider_error(error, self._progress, told_of_end=told_of_end) from error
        decoder.end()


@final
class HttpTransport:
    """Keeps connections and sends requests over them. An async context manager, for one event loop.

    `ca_file` replaces the usual certificate authorities where a provider names none of its own (what
    SSL_CERT_FILE says).
    """

    def __init__(self, *, ca_file: str | None = None, sockets: Sockets | None = None) -> None:
        self._ca_file = ca_file
        self._sockets = sockets or Sockets()
        self._pools: dict[_Route, _Pool] = {}
        for name in _LOGGERS:
            logger = logging.getLogger(name)
            logger.setLevel(max(logger.level, logging.WARNING))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        pools, self._pools = self._pools, {}
        for pool in pools.values():
            await pool.aclose()

    async def prepare(self, provider: Provider) -> None:
        """Fetch the provider's key where a vault has it: that may take as long as a person does."""
        if provider.key is not None:
            await at_hand(provider.key)

    @contextlib.asynccontextmanager
    async def stream(self, request: HttpRequest, provider: Provider, *, connect_s: float) -> AsyncGenerator[HttpReply]:
        """Send `request`; the block runs once the headers are there, and the reply is closed when the block
        ends.

        `connect_s` bounds looking the name up, connecting, the proxy and TLS together, by the wall clock.
        Raises ProviderError; ConfigError and CredentialError for what cannot be sent at all.
        """
        url = _checked_url(request, provider)
        if request.credential is not None:
            await at_hand(request.credential.secret)
        headers = outgoing_headers(request, provider_name=provider.name)
        ca_file = provider.tls_ca or self._ca_file
        pool = self._pool(_Route(url.scheme == "https", ca_file, provider.proxy, not provider.insecure))
        progress = Progress(_peer(url, provider.proxy), connect_s)
        response = await _send(pool, request, url, headers, progress)
        try:
            if len(response.headers.raw) > _HEADER_LIMIT:
                raise ProviderError(ErrorKind.BAD_RESPONSE, f"{progress.peer}: more than {_HEADER_LIMIT} headers")
            yield HttpReply(response, progress)
        finally:
            await response.aclose()

    def _pool(self, route: _Route) -> "_Pool":
        pool = self._pools.get(route)
        if pool is None:
            pool = self._pools[route] = _Pool(route, self._sockets)
        return pool


async def _send(
    pool: "_Pool",
    request: HttpRequest,
    url: httpx.URL,
    headers: Any,
    progress: Progress,
) -> httpx.Response:
    """Everything up to the answer's headers, with the wall clock on the connecting.

    httpx's transport is asked without a client around it: what a client adds is cookies, redirects, authentication and the
    environment's proxies, none of which a provider is to get, and half of what a request costs.
    """
    try:
        async with asyncio.timeout(progress.connect_s) as connecting:

            async def trace(event: str, info: dict[str, Any]) -> None:
                if progress.follow(event, info) and not connecting.expired():
                    connecting.reschedule(None)

            outgoing = httpx.Request(
                request.method, url, headers=headers, content=request.body, extensions={"trace": trace}
            )
            return await pool.handle_async_request(outgoing)
    except httpcore.LocalProtocolError as error:
        # Its text, and so its traceback, quotes the header it dislikes.
        raise provider_error(error, progress) from None
    except FAILURES as error:
        raise provider_error(error, progress) from error


@final
class _Pool(httpx.AsyncBaseTransport):
    """httpx's transport over our sockets; what httpx.AsyncHTTPTransport is over anyio's."""

    def __init__(self, route: _Route, sockets: Sockets) -> None:
        # A TLS context costs 20 ms: made where it is used, never for http.
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=_context(route) if route.secure else None,
            proxy=None if route.proxy is None else _proxy(route.proxy, route.tls_ca),
            max_connections=None,  # how many at once is the rate limiter's decision
            keepalive_expiry=_IDLE_S,
            network_backend=sockets,
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        url = request.url
        response = await self._pool.handle_async_request(
            httpcore.Request(
                method=request.method,
                url=httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
                headers=request.headers.raw,
                content=request.stream,
                extensions=request.extensions,
            )
        )
        return httpx.Response(
            status_code=response.status,
            headers=response.headers,
            stream=_Body(response),
            extensions=response.extensions,  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType] - half typed
        )

    async def aclose(self) -> None:
        await self._pool.aclose()


@final
class _Body(httpx.AsyncByteStream):
    """httpcore's body as httpx wants it."""

    def __init__(self, response: httpcore.Response) -> None:
        self._response = response

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._response.aiter_stream()

    async def aclose(self) -> None:
        await self._response.aclose()


def _generator(chunks: AsyncIterator[bytes]) -> AsyncGenerator[bytes]:
    """httpx types its generators as iterators; they have to be closed all the same."""
    return cast("AsyncGenerator[bytes]", chunks)


@lru_cache(maxsize=256)  # a URL per provider, for Google one per model: parsing is a fifth of what a request costs
def _parsed(url: str) -> httpx.URL:
    return httpx.URL(url)


def _checked_url(request: HttpRequest, provider: Provider) -> httpx.URL:
    """The URL, if it is one and at the provider's own origin: a key never leaves for another."""
    try:
        url, base = _parsed(request.url), _parsed(provider.base_url)
    except httpx.InvalidURL:
        raise ConfigError(f"provider {provider.name!r}: its base_url makes no valid URL") from None
    if url.scheme not in ("http", "https") or not url.host or url.userinfo:
        raise ConfigError(f"provider {provider.name!r}: base_url must be http(s)://host/… without a user name")
    if (url.scheme, url.host, url.port) != (base.scheme, base.host, base.port):
        raise TrustError(f"provider {provider.name!r}: a request for another origin than its base_url was stopped")
    return url


def _peer(url: httpx.URL, proxy: str | None) -> str:
    """`host:port`, and through which proxy, without anybody's password."""
    peer = url.netloc.decode("ascii")
    return peer if proxy is None else f"{peer} (through the proxy {_proxy_url(proxy).netloc.decode('ascii')})"


def _proxy_url(proxy: str) -> httpx.URL:
    try:
        return httpx.Proxy(proxy).url
    except (httpx.InvalidURL, ValueError):
        raise ConfigError("the proxy's URL is not usable: http://, https:// or socks5:// and a host is") from None


def _proxy(proxy: str, tls_ca: str | None) -> httpcore.Proxy:
    url = _proxy_url(proxy)
    if url.scheme.startswith("socks"):
        try:
            import socksio as _  # type: ignore  # noqa: F401, PGH003, PLC0415
        except ImportError:
            raise ConfigError("a SOCKS proxy needs one more package: pip install 'httpx[socks]'") from None
    return httpcore.Proxy(
        url=httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
        auth=httpx.Proxy(proxy).raw_auth,
        ssl_context=_tls(tls_ca) if url.scheme == "https" else None,
    )


def _context(route: _Route) -> ssl.SSLContext:
    if route.verified:
        return _tls(route.tls_ca)
    context = ssl.SSLContext(
        ssl.PROTOCOL_TLS_CLIENT
    )  # `insecure = true`, which the settings allow for private hosts alone
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _tls(ca_file: str | None) -> ssl.SSLContext:
    """A context that verifies, against `ca_file` or the authorities that httpx brings."""
    if ca_file is None:
        import certifi  # noqa: PLC0415 - httpx's own, and only TLS needs it

        ca_file = certifi.where()
    try:
        return ssl.create_default_context(cafile=ca_file)
    except OSError as error:  # a missing file, or one without certificates (ssl.SSLError)
        raise ConfigError(f"{ca_file}: cannot be read as PEM certificates; check tls_ca and SSL_CERT_FILE") from error
