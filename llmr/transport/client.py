"""Requests over httpx and httpcore, which know every kind of proxy: what the command line asks with."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, AsyncIterator
from types import MappingProxyType, TracebackType
from typing import Any, Final, Self, cast, final

import httpcore
import httpx

from llmr.catalog import Provider
from llmr.dataclass import dataclass
from llmr.errors import ConfigError
from llmr.transport.failures import FAILURES, Progress, provider_error
from llmr.transport.late_keys import at_hand
from llmr.transport.origin import checked_url, tls_context
from llmr.transport.outgoing import outgoing_headers
from llmr.transport.reply import HttpReply, refuse_too_many_headers
from llmr.transport.sockets import Sockets
from llmr.transport.without_anyio import spare_anyio
from llmr.wire.contract import HttpRequest

IDLE_S: Final = 5.0  # an idle connection is kept for so long; servers close theirs from 5 s on (Node's default)
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
class HttpTransport:
    """Keeps connections and sends requests over them. An async context manager, for one event loop.

    `ca_file` replaces the usual certificate authorities where a provider names none of its own (what
    SSL_CERT_FILE says).
    """

    def __init__(self, *, ca_file: str | None = None, sockets: Sockets | None = None) -> None:
        self._ca_file = ca_file
        self._sockets = sockets or Sockets()
        self._pools: dict[_Route, _Pool] = {}
        spare_anyio()
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
        url = checked_url(request, provider)
        if request.credential is not None:
            await at_hand(request.credential.secret)
        headers = outgoing_headers(request, provider_name=provider.name)
        ca_file = provider.tls_ca or self._ca_file
        pool = self._pool(_Route(url.scheme == "https", ca_file, provider.proxy, not provider.insecure))
        progress = Progress(_peer(url, provider.proxy), connect_s)
        response = await _send(pool, request, url, headers, progress)
        try:
            refuse_too_many_headers(len(response.headers.raw), progress.peer)
            yield _reply(response, progress)
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
            ssl_context=tls_context(route.tls_ca, verified=route.verified) if route.secure else None,
            proxy=None if route.proxy is None else _proxy(route.proxy, route.tls_ca),
            max_connections=None,  # how many at once is the rate limiter's decision
            keepalive_expiry=IDLE_S,
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


def _reply(response: httpx.Response, progress: Progress) -> HttpReply:
    network = response.extensions["network_stream"]
    return HttpReply(
        response.status_code,
        MappingProxyType(dict(response.headers.items())),
        _generator(response.aiter_raw()),
        progress,
        lambda: bool(network.get_extra_info("told_of_end")),
    )


def _generator(chunks: AsyncIterator[bytes]) -> AsyncGenerator[bytes]:
    """httpx types its generators as iterators; they have to be closed all the same."""
    return cast("AsyncGenerator[bytes]", chunks)


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
        ssl_context=tls_context(tls_ca) if url.scheme == "https" else None,
    )
