"""HTTP/1.1 on a socket, with the deadlines that uvicorn does not keep (trust.md T20, B62).

    connected ──first byte──▶ head ──complete──▶ request under way ──answered──▶ idle ──first byte──▶ head …
        └──── header_s ────────┘ 408                                              └─ idle_s: closed
                                 431 for a head that is too large

uvicorn bounds none of: how long a head may take, how large it is, how long an answer may lie unread, and what 1000 idle sockets
cost. Here each connection has one timer for its head and one for its reader, and where too many connections are open the one
that has been idle longest makes room. How long a *body* may take is body.py's business: by then there is somebody to answer.
"""

import asyncio
from typing import Any, Final, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from llmr.server.call import ALWAYS
from llmr.server.gateway import Gateway
from llmr.server.limits import LIMITS, Limits
from llmr.wire.serving import Problem, dialect_named

_OPENAI: Final = dialect_named("openai")
_TOO_LARGE: Final = Problem(431, "headers_too_large", "the headers are too large, or too many")
_NO_PATH: Final = Problem(400, "bad_target", "the target of the request must be a path")
_LATE: Final = Problem(408, "request_timeout", "the head of the request did not come in time")
_FULL: Final = Problem(429, "too_many_connections", "every connection is busy")
_NO_HTTP: Final = Problem(400, "bad_request", "this is no HTTP request")
_REASONS: Final = {400: "Bad Request", 408: "Request Timeout", 429: "Too Many Requests"}


class BoundedProtocol(HttpToolsProtocol):
    """One connection."""

    limits: Limits = LIMITS

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._gateway = cast("Gateway", self.app)  # which this class changes for a moment, so a checker expects either
        self._head_bytes = 0
        self._head_fields = 0
        self._head_timer: asyncio.TimerHandle | None = None
        self._reader_timer: asyncio.TimerHandle | None = None
        self.idle_since_s = 0.0

    @property
    def is_idle(self) -> bool:
        """Whether no request is under way."""
        return self.cycle is None or self.cycle.response_complete  # pyright: ignore[reportUnnecessaryComparison] - uvicorn types it otherwise

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Make room where there is none; start the clock for the head."""
        super().connection_made(transport)
        self.idle_since_s = self.loop.time()
        if len(self.connections) > self.limits.connections and not self._make_room():
            self._refuse(_FULL, "retry-after: 1\r\n")
            return
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the timers."""
        self._stop_head_timer()
        self.resume_writing()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Bytes of a head are counted and timed; a body is not our business."""
        if self.is_idle and self._head_timer is None:
            self._expect_head()
        self._head_bytes += len(data)
        super().data_received(data)
        if self._head_timer is not None and self._head_bytes > self.limits.header_bytes:
            self._stop_head_timer()
            self._refuse(_TOO_LARGE, "")

    def on_message_begin(self) -> None:
        """A request begins."""
        super().on_message_begin()
        self._head_fields = 0
        self.app = self._gateway

    def on_header(self, name: bytes, value: bytes) -> None:
        """One field; what is beyond the limits is not kept."""
        self._head_fields += 1
        kept = sum(len(key) + len(said) + 4 for key, said in self.headers)
        if self._head_fields <= self.limits.header_fields and kept + len(name) + len(value) <= self.limits.header_bytes:
            super().on_header(name, value)
        else:
            self.app = self._gateway.refusing(_TOO_LARGE)

    def on_headers_complete(self) -> None:
        """The head is there. A target in absolute form would make its own host count (RFC 9112 §3.2.2), not the one checked."""
        self._stop_head_timer()
        if not self.url.startswith(b"/"):
            self.app = self._gateway.refusing(_NO_PATH)
        super().on_headers_complete()

    def on_response_complete(self) -> None:
        """The connection is idle again."""
        self.idle_since_s = self.loop.time()
        super().on_response_complete()

    def pause_writing(self) -> None:
        """The reader does not keep up: whoever writes waits, for a while."""
        super().pause_writing()
        self._reader_timer = self.loop.call_later(self.limits.unread_s, self.transport.abort)

    def resume_writing(self) -> None:
        """The reader is back."""
        if self._reader_timer is not None:
            self._reader_timer.cancel()
            self._reader_timer = None
        super().resume_writing()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - uvicorn's words are not JSON
        """What is no HTTP, or a target longer than the parser takes. While an answer is under way, a word of ours would stand
        in the middle of it and be taken for a part: then the connection ends, and nobody takes the answer for whole."""
        self._stop_head_timer()
        if not self.is_idle:
            self.transport.abort()
            return
        self._refuse(_TOO_LARGE if self._head_bytes > self.limits.header_bytes else _NO_HTTP, "")

    def _unsupported_upgrade_warning(self) -> None:
        """An upgrade is not made and not worth a line in the log."""

    def _expect_head(self) -> None:
        self._head_bytes = 0
        self._head_timer = self.loop.call_later(self.limits.header_s, self._head_is_late)

    def _stop_head_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _head_is_late(self) -> None:
        self._head_timer = None
        if self._head_bytes:
            self._refuse(_LATE, "")
        else:
            self.transport.close()

    def _make_room(self) -> bool:
        """Close the connection that has been idle longest; False where none is."""
        idle = [
            other
            for other in self.connections
            if isinstance(other, BoundedProtocol) and other.is_idle and other is not self
        ]
        if not idle:
            return False
        oldest = min(idle, key=lambda other: other.idle_since_s)
        self.connections.discard(oldest)
        oldest.transport.abort()
        return True

    def _refuse(self, problem: Problem, more: str) -> None:
        request_id = self._gateway.refused(problem)
        body = _OPENAI.error(problem, request_id=request_id)
        always = "".join(f"{name.decode()}: {value.decode()}\r\n" for name, value in ALWAYS)
        reason = _REASONS.get(problem.status, "Request Header Fields Too Large")
        head = (
            f"HTTP/1.1 {problem.status} {reason}\r\ncontent-type: application/json\r\n"
            f"content-length: {len(body)}\r\nconnection: close\r\n"
            f"{always}x-llmr-request-id: {request_id}\r\n{more}\r\n"
        )
        self.transport.write(head.encode() + body)
        self.transport.close()
