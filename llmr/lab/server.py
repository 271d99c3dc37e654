"""The lab's sockets: in the loop that runs already (`Lab.serving`), or in a thread of its own (`LabThread`).

Each connection has two tasks: one answers, one reads ahead. The second is how a provider notices that its
client has gone while it still answers or hangs, which is what a test of cancellation is about.
"""

import asyncio
import contextlib
import random
import threading
from collections.abc import AsyncGenerator, Sequence
from types import TracebackType
from typing import Final, Self, final

from llmr.lab.http1 import Incoming, NotHttpError, RequestHead, response_head
from llmr.lab.provider import LabProvider, LabRequest
from llmr.lab.reply import Reply

_HOST: Final = "127.0.0.1"
_START_S: Final = 10.0  # far more than a loopback listener needs; a test must not hang for ever
_BAD_REQUEST: Final = response_head(400, [("connection", "close"), ("content-length", "0")])


@final
class Lab:
    """Several lab providers, each on a port of its own. Delays are drawn from `rng`."""

    def __init__(
        self, providers: Sequence[LabProvider], *, rng: random.Random | None = None, ports: Sequence[int] = ()
    ) -> None:
        """`ports` are the ports to listen on, in the providers' order; 0 or absent: any free one."""
        self.providers = tuple(providers)
        self._rng = rng or random.Random(0)  # noqa: S311 - delays, not secrets
        self._wanted_ports = tuple(ports) + (0,) * (len(self.providers) - len(ports))
        self._ports: dict[str, int] = {}
        self._connections: set[asyncio.Task[None]] = set()

    def provider(self, name: str) -> LabProvider:
        """The provider of that name."""
        return next(provider for provider in self.providers if provider.name == name)

    def origin(self, name: str) -> str:
        """Scheme, host and port, known once the lab is serving."""
        scheme = "http" if self.provider(name).tls is None else "https"
        return f"{scheme}://{_HOST}:{self._ports[name]}"

    def url(self, name: str) -> str:
        """The base URL, as a configuration would name it."""
        return self.origin(name) + self.provider(name).dialect.base_path

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncGenerator[Self]:
        """Listen until the block ends; then every connection is closed."""
        async with contextlib.AsyncExitStack() as stack:
            for provider, port in zip(self.providers, self._wanted_ports, strict=True):
                server = await asyncio.start_server(_Accepting(self, provider), _HOST, port, ssl=provider.tls)
                stack.push_async_callback(self._stop, server)
                self._ports[provider.name] = server.sockets[0].getsockname()[1]
            yield self

    async def _stop(self, server: asyncio.Server) -> None:
        server.close()
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)
        await server.wait_closed()

    async def serve(self, provider: LabProvider, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection until it ends."""
        task = asyncio.current_task()
        if task is not None:
            self._connections.add(task)
            task.add_done_callback(self._connections.discard)
        connection = _Connection(provider, reader, writer, self._rng)
        # The lab being closed is an ordinary end for a connection; asyncio.streams would log it.
        with contextlib.suppress(asyncio.CancelledError):
            await connection.run()


@final
class _Accepting:
    """What asyncio calls for each connection, and for whom."""

    def __init__(self, lab: Lab, provider: LabProvider) -> None:
        self._lab = lab
        self._provider = provider

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._lab.serve(self._provider, reader, writer)


@final
class _Connection:
    """One accepted connection."""

    def __init__(
        self,
        provider: LabProvider,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        rng: random.Random,
    ) -> None:
        self._provider = provider
        self._incoming = Incoming(reader)
        self._writer = writer
        self._rng = rng
        self._number = provider.connected()

    async def run(self) -> None:
        try:
            while await self._exchange():
                pass
        except NotHttpError:
            self._writer.write(_BAD_REQUEST)
        except OSError:
            pass  # the peer is gone; whom it left waiting has been told
        finally:
            self._writer.close()

    async def _exchange(self) -> bool:
        """One request and its reply; False when the connection is over."""
        head = await self._incoming.head()
        if head is None:
            return False
        if head.header("expect") is not None:
            self._writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        body = await self._incoming.body(head)
        if head.method == "GET" and head.target.partition("?")[0].endswith("/models"):
            return await self._list_models()
        request, behavior = self._provider.arrived(lambda n: self._request(n, head, body))
        try:
            reply = Reply(self._writer, self._provider, request, behavior, self._rng)
            return await self._while_the_peer_stays(reply, request) and head.header("connection") != "close"
        finally:
            self._provider.settle(request)

    async def _while_the_peer_stays(self, reply: Reply, request: LabRequest) -> bool:
        sending = asyncio.ensure_future(reply.send())
        leaving = asyncio.ensure_future(self._incoming.left())
        try:
            await asyncio.wait({sending, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if not sending.done() or isinstance(sending.exception(), OSError):
                request.client_closed.set()
                return False
            return sending.result()
        finally:
            sending.cancel()
            leaving.cancel()
            await asyncio.gather(sending, leaving, return_exceptions=True)

    def _request(self, n: int, head: RequestHead, body: bytes) -> LabRequest:
        now_s = asyncio.get_running_loop().time()
        return LabRequest(n, self._number, head.method, head.target, head.headers, body, now_s)

    async def _list_models(self) -> bool:
        body = self._provider.dialect.models(self._provider.models)
        headers = [("content-type", "application/json"), ("content-length", str(len(body)))]
        self._writer.write(response_head(200, headers) + body)
        await self._writer.drain()
        return True


@final
class LabThread:
    """A lab in a thread of its own, for tests without a loop and for subprocesses that need somebody to talk
    to.
    """

    def __init__(
        self, providers: Sequence[LabProvider], *, rng: random.Random | None = None, ports: Sequence[int] = ()
    ) -> None:
        self._lab = Lab(providers, rng=rng, ports=ports)
        self._thread = threading.Thread(target=self._run, name="llmr-lab", daemon=True)
        self._ready = threading.Event()
        self._failure: OSError | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop = asyncio.Event()

    def __enter__(self) -> Self:
        self._thread.start()
        if not self._ready.wait(_START_S) or self._failure is not None:
            raise RuntimeError(f"the lab did not start: {self._failure}")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    @property
    def providers(self) -> Sequence[LabProvider]:
        """All of them."""
        return self._lab.providers

    def provider(self, name: str) -> LabProvider:
        """The provider of that name."""
        return self._lab.provider(name)

    def url(self, name: str) -> str:
        """Its base URL."""
        return self._lab.url(name)

    def origin(self, name: str) -> str:
        """Its scheme, host and port."""
        return self._lab.origin(name)

    @property
    def base_url(self) -> str:
        """The first provider's base URL."""
        return self._lab.url(self._lab.providers[0].name)

    def release(self, gate: str) -> None:
        """Open the gate of that name at every provider."""
        for provider in self._lab.providers:
            provider.release(gate)

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except OSError as error:
            self._failure = error
            self._ready.set()

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        async with self._lab.serving():
            self._ready.set()
            await self._stop.wait()
