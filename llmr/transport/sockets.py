"""The network under httpcore, over plain asyncio.

httpcore's own (anyio) looks names up in the loop's thread pool, whose threads are joined when the process
ends: a resolver that hangs delays the exit of a finished program by its own time-out. Here a name is looked
up in a daemon thread, which nobody waits for. Closing aborts the socket at once and awaits nothing, so
whatever is cancelled is closed.

The time-outs in these signatures are httpcore's and are not used: asyncio's bound the whole of a step, see
client.py. What went wrong is the argument of the exception raised, as well as its cause: httpcore's pool
raises it again `from None`, which forgets the cause.
"""

import asyncio
import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterable, Sequence
from itertools import chain, zip_longest
from typing import Any, Final, cast, final

import httpcore

Address = tuple[socket.AddressFamily, tuple[Any, ...]]
"""A family, and what `connect()` takes in that family."""

_HIGH_WATER_BYTES: Final = 256 * 1024  # received and unread; beyond it the peer has to wait
_STAGGER_S: Final = 0.25  # RFC 8305 §5: the delay before the next address is tried as well


class LookupFailed(httpcore.ConnectError):
    """The name has no address, or nobody could say."""


@final
class Sockets(httpcore.AsyncNetworkBackend):
    """Opens connections. `look_up` is `socket.getaddrinfo`; it may block, it runs in a thread."""

    def __init__(self, look_up: Callable[..., Iterable[Any]] = socket.getaddrinfo) -> None:
        self._look_up = look_up

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's signature
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Raises LookupFailed, or httpcore.ConnectError from the OSError."""
        del timeout, local_address, socket_options
        try:
            addresses = _numeric(host, port) or await self._addresses(host, port)
        except (OSError, UnicodeError) as error:
            raise LookupFailed(error) from error
        try:
            return await _first_to_connect(addresses)
        except OSError as error:
            raise httpcore.ConnectError(error) from error

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    async def _addresses(self, host: str, port: int) -> Sequence[Address]:
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Sequence[Address]] = loop.create_future()

        def settle(found: Sequence[Address] | Exception) -> None:
            if answer.done():
                return
            if isinstance(found, Exception):
                answer.set_exception(found)
            else:
                answer.set_result(found)

        def ask() -> None:
            found: Sequence[Address] | Exception
            try:
                found = _interleaved(self._look_up(host, port, type=socket.SOCK_STREAM))
            except (OSError, UnicodeError) as error:
                found = error
            # The loop may be closed by now: the question outlived whoever asked it.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(settle, found)

        threading.Thread(target=ask, name="llmr-lookup", daemon=True).start()
        return await answer


def _numeric(host: str, port: int) -> Sequence[Address]:
    """The address that `host` spells out; none where it is a name."""
    try:
        return _interleaved(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST))
    except socket.gaierror:
        return ()


def _interleaved(found: Iterable[Any]) -> Sequence[Address]:
    """Addresses in the resolver's order, but families in turn (RFC 8305 §4)."""
    addresses: list[Address] = [(family, address) for family, _, _, _, address in found]
    first = [address for address in addresses if address[0] == addresses[0][0]]
    others = [address for address in addresses if address[0] != addresses[0][0]]
    return [address for address in chain.from_iterable(zip_longest(first, others)) if address is not None]


async def _first_to_connect(addresses: Sequence[Address]) -> "Socket":
    """The first of the addresses that answers; each next one is tried when one failed, or after a while."""
    if len(addresses) == 1:
        return await _dial(addresses[0])
    waiting = list(addresses)
    dialling: set[asyncio.Task[Socket]] = set()
    failure = OSError("the name has no address")
    try:
        while waiting or dialling:
            if waiting:
                dialling.add(asyncio.ensure_future(_dial(waiting.pop(0))))
            patience_s = _STAGGER_S if waiting else None
            done, _ = await asyncio.wait(dialling, timeout=patience_s, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                error = task.exception()
                if error is None:
                    dialling.discard(task)
                    return task.result()
                dialling.discard(task)
                failure = error if isinstance(error, OSError) else failure
        raise failure
    finally:
        await _abandon(dialling)


async def _abandon(dialling: Iterable["asyncio.Task[Socket]"]) -> None:
    for task in dialling:
        task.cancel()
    for outcome in await asyncio.gather(*dialling, return_exceptions=True):
        if isinstance(outcome, Socket):
            await outcome.aclose()


async def _dial(address: Address) -> "Socket":
    family, where = address
    loop = asyncio.get_running_loop()
    raw = socket.socket(family, socket.SOCK_STREAM)
    try:
        raw.setblocking(False)
        await loop.sock_connect(raw, where)
        _, opened = await loop.create_connection(Socket, sock=raw)
    except BaseException:
        raw.close()
        raise
    return opened


@final
class Socket(asyncio.Protocol, httpcore.AsyncNetworkStream):
    """One connection. It reads ahead, up to a limit, so that a peer's leaving is known before the next
    request.
    """

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()
        self._ended = False
        self._told_of_end = False
        self._failure: Exception | None = None
        self._full = False
        self._changed: asyncio.Future[None] | None = None

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # of a TCP connection; uvloop's is no subclass

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if len(self._buffer) > _HIGH_WATER_BYTES and self._transport is not None:
            self._transport.pause_reading()
        self._notify()

    def eof_received(self) -> None:
        self._ended = True
        self._notify()

    def connection_lost(self, exc: Exception | None) -> None:
        self._ended = True
        self._failure = self._failure or exc
        self._full = False
        self._notify()

    def pause_writing(self) -> None:
        self._full = True

    def resume_writing(self) -> None:
        self._full = False
        self._notify()

    # What httpcore calls.

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109 - httpcore's signature
        """What has arrived, b"" at the end. Raises httpcore.ReadError from what broke the connection."""
        del timeout
        while not self._buffer and not self._ended:
            await self._change()
        if self._buffer:
            taken = bytes(self._buffer[:max_bytes])
            del self._buffer[:max_bytes]
            if self._transport is not None and not self._ended and len(self._buffer) <= _HIGH_WATER_BYTES:
                self._transport.resume_reading()
            return taken
        if self._failure is not None:
            raise httpcore.ReadError(self._failure) from self._failure
        self._told_of_end = True
        return b""

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109 - httpcore's signature
        """Send, and wait until most has left or something has come: who answers early may never read the rest. Raises
        httpcore.WriteError where the peer takes no more."""
        del timeout
        if self._transport is None or self._transport.is_closing():
            raise httpcore.WriteError(self._failure) from self._failure
        self._transport.write(buffer)
        while self._full and not self._buffer and not self._ended:
            await self._change()
        if self._failure is not None:
            raise httpcore.WriteError(self._failure) from self._failure

    async def aclose(self) -> None:
        """Close at once: nothing is awaited, nothing unsent is sent."""
        if self._transport is not None:
            self._transport.abort()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's signature
    ) -> httpcore.AsyncNetworkStream:
        """The same connection under TLS. Raises httpcore.ConnectError from the ssl.SSLError or OSError."""
        del timeout
        if self._transport is None or self._buffer or self._ended:
            await self.aclose()  # plaintext before the handshake would be taken for the peer's TLS
            raise httpcore.ConnectError(self._failure)
        secured = Socket()
        loop = asyncio.get_running_loop()
        try:
            secured._transport = await loop.start_tls(
                self._transport, secured, ssl_context, server_hostname=server_hostname
            )
        except OSError as error:  # ssl.SSLError is one
            await self.aclose()
            raise httpcore.ConnectError(error) from error
        except BaseException:
            await self.aclose()
            raise
        return secured

    def get_extra_info(self, info: str) -> Any:
        """`is_readable`: something came, or the end did, or what was sent has not left, so that an idle connection is no good
        any more. `told_of_end`: the reader has been given the end."""
        match info:
            case "is_readable":
                return bool(self._buffer) or self._ended or self._unsent_bytes() > 0
            case "told_of_end":
                return self._told_of_end
            case _:
                return None if self._transport is None else self._transport.get_extra_info(info)

    def _unsent_bytes(self) -> int:
        return 0 if self._transport is None else self._transport.get_write_buffer_size()

    async def _change(self) -> None:
        self._changed = asyncio.get_running_loop().create_future()
        try:
            await self._changed
        finally:
            self._changed = None

    def _notify(self) -> None:
        if self._changed is not None and not self._changed.done():
            self._changed.set_result(None)
