"""One HTTP request under way: what was asked, what has been answered, and whether the client is still there.

The three ASGI callables are wrapped once, here, so that every answer leaves through the same two doors (`answer`, or `begin`
and `piece`) and carries the same headers.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, MutableMapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Asgi = Callable[[Scope, Receive, Send], Awaitable[None]]

if TYPE_CHECKING:
    from llmr.server.trace import Trace

TURNED_AWAY: Final = "turned_away"  # the outcome of what the throttle spared everybody

ALWAYS: Final = (
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
)


class Gone(Exception):
    """The client left before its request was read, or its answer was written."""


class Call:
    """One request. `told` are headers that the answer will carry; `status` None: nothing has been answered yet."""

    __slots__ = (
        "_left", "_receive", "_send", "attempts", "cached", "headers", "host", "method", "model", "origin", "outcome", "path",
        "provider", "query", "request_id", "sent_bytes", "started_s", "status", "told", "trace",
    )  # fmt: skip

    def __init__(self, scope: Scope, receive: Receive, send: Send, *, request_id: str, started_s: float) -> None:
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.query: bytes = scope.get("query_string") or b""
        self.headers: list[tuple[bytes, bytes]] = scope["headers"]
        self._receive = receive
        self._send = send
        self._left = False
        self.request_id = request_id
        self.started_s = started_s
        self.status: int | None = None
        self.told: dict[str, str] = {}
        self.host = ""  # as the guard found it to be ours
        self.origin: str | None = None  # of a page that may read the answer
        self.sent_bytes = 0
        # for the log
        self.attempts = 0
        self.provider: str | None = None
        self.model: str | None = None
        self.outcome: str | None = None
        self.cached: str | None = None  # hit, miss; None: the cache was not asked
        self.trace: Trace | None = None

    def values(self, name: bytes) -> list[bytes]:
        """Every value of this header; names are lower-case."""
        return [value for key, value in self.headers if key == name]

    def value(self, name: bytes) -> str | None:
        """The first value, None where it was not sent; bytes beyond ASCII become U+FFFD."""
        found = self.values(name)
        return found[0].decode("ascii", "replace").strip() if found else None

    @property
    def left(self) -> bool:
        """Whether the client has gone."""
        return self._left

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        """The body as it arrives. Raises Gone."""
        while True:
            message = await self._receive()
            if message["type"] != "http.request":
                self._left = True
                raise Gone
            yield message.get("body", b"")
            if not message.get("more_body"):
                return

    @asynccontextmanager
    async def while_there(self) -> AsyncGenerator[None, None]:
        """A block that ends in Gone, at once, when the client leaves. The body has been read before."""
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - for the type checker
        watching = asyncio.create_task(self._leaving(task))
        try:
            yield
        except asyncio.CancelledError:
            if self._left and task.uncancel() == 0:
                raise Gone from None
            raise
        finally:
            watching.cancel()

    async def _leaving(self, task: "asyncio.Task[Any]") -> None:
        while (await self._receive())["type"] == "http.request":
            pass
        self._left = True
        task.cancel()

    async def answer(
        self,
        status: int,
        body: bytes = b"",
        *,
        content_type: bytes = b"application/json",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """The whole answer."""
        more = [(b"content-type", content_type)] if body else []
        more.append((b"content-length", str(len(body)).encode()))
        await self._start(status, more, headers)
        self.sent_bytes += len(body)
        await self._send({"type": "http.response.body", "body": body})

    async def begin(self, content_type: bytes) -> None:
        """The head of an answer that comes in pieces."""
        await self._start(200, [(b"content-type", content_type)], None)

    async def piece(self, body: bytes) -> None:
        """A piece. Returns when the reader keeps up."""
        self.sent_bytes += len(body)
        await self._send({"type": "http.response.body", "body": body, "more_body": True})

    async def end(self) -> None:
        """The end of the HTTP message."""
        await self._send({"type": "http.response.body", "body": b""})

    async def _start(self, status: int, own: list[tuple[bytes, bytes]], headers: Mapping[str, str] | None) -> None:
        self.status = status
        told = {**self.told, "x-llmr-request-id": self.request_id, **(headers or {})}
        if self.origin is not None:
            told |= {"access-control-allow-origin": self.origin, "vary": "origin"}
        said = [(name.encode("ascii"), _field(value)) for name, value in told.items()]
        await self._send({"type": "http.response.start", "status": status, "headers": [*own, *ALWAYS, *said]})


def _field(value: str) -> bytes:
    """A header's value: visible ASCII; a model's name may hold anything."""
    return "".join(char if " " <= char <= "~" else "?" for char in value).encode("ascii")
