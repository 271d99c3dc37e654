"""One HTTP/1.1 connection, used for one exchange after the other: bytes in, an answer out.

      idle ──send──▶ waiting ──head──▶ answering ──last byte──▶ whole ──send──▶ …
                                                                  └─ `is_reusable`: the peer keeps it open, nothing unasked
                                                                     came behind the answer, and all of it was understood

httptools, the parser under uvicorn, knows the grammar (it is Node's). What it does not do is done here: an answer whose end is
the end of the connection, interim answers (1xx), limits on what is no content, framing that is neither a length nor chunks.
What can be read in two ways (a length and chunks, two lengths, lines that end in LF alone) it refuses, where h11 guesses.
Whatever goes wrong is an exception of httpcore's, as sockets.py raises them too, so that failures.py judges both clients alike.
"""

from collections.abc import AsyncGenerator, Sequence
from typing import Final, final

import httpcore
import httptools

_READ_BYTES: Final = 64 * 1024
_OVERHEAD_BYTES: Final = 100 * 1024  # a head, trailers, or chunk extensions; h11 takes as much (trust.md B29)
_SWITCHING: Final = 101

Fields = Sequence[tuple[bytes, bytes]]


@final
class Connection:
    """`stream` is connected, and under TLS where there is any."""

    def __init__(self, stream: httpcore.AsyncNetworkStream) -> None:
        self._stream = stream
        self._parser = httptools.HttpResponseParser(self)
        self.idle_since_s = 0.0  # of the event loop's clock
        self._begin()

    def _begin(self) -> None:
        self._status = 0
        self._fields: list[tuple[bytes, bytes]] = []
        self._pieces: list[bytes] = []
        self._overhead_bytes = 0
        self._has_head = False
        self._is_whole = False
        self._ends_with_connection = False
        self._keeps_alive = False
        self._spoilt = False
        self._has_heard = False
        self._told_of_end = False
        self._fault: Exception | None = None

    @property
    def told_of_end(self) -> bool:
        """Whether the peer closed the connection before the answer was whole."""
        return self._told_of_end

    @property
    def has_heard(self) -> bool:
        """Whether a byte has come since the last request was sent."""
        return self._has_heard

    @property
    def is_reusable(self) -> bool:
        """Whether another request may follow on this connection."""
        sound = self._is_whole and self._keeps_alive and not self._spoilt and self._fault is None
        return sound and not self._stream.get_extra_info("is_readable")

    async def send(self, message: bytes) -> None:
        """The whole request. A peer that takes no more may have answered all the same: then it is for `head` to tell."""
        self._begin()
        try:
            await self._stream.write(message)
        except httpcore.WriteError:
            self._spoilt = True

    async def head(self) -> tuple[int, Fields]:
        """The status and the header fields of the answer. Raises httpcore's exceptions."""
        while not self._has_head and self._fault is None:
            await self._read()
            if self._told_of_end:
                raise httpcore.RemoteProtocolError("Server disconnected without an answer")
        if not self._has_head and self._fault is not None:
            raise self._fault
        return self._status, self._fields

    async def body(self) -> AsyncGenerator[bytes]:
        """The content as it comes, without its framing. Raises httpcore's exceptions, behind what came intact."""
        while True:
            if self._pieces:
                came = b"".join(self._pieces)
                self._pieces.clear()
                yield came
            if self._is_whole:
                return
            if self._fault is not None:
                raise self._fault
            await self._read()
            if self._told_of_end:
                if not self._ends_with_connection:
                    raise httpcore.RemoteProtocolError("the connection ended before the answer")
                self._is_whole = True

    async def aclose(self) -> None:
        """Close the socket, at once."""
        await self._stream.aclose()

    async def _read(self) -> None:
        data = await self._stream.read(_READ_BYTES)
        if not data:
            self._told_of_end = True
            return
        self._has_heard = True
        self._overhead_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._fault = httpcore.RemoteProtocolError(error)
        if self._overhead_bytes > _OVERHEAD_BYTES:
            self._fault = httpcore.RemoteProtocolError("too much that is no content")

    # What httptools calls. Behind the end of the answer nothing is wanted, so whatever comes spoils the connection.

    def on_message_begin(self) -> None:
        self._overhead_bytes = 0
        self._spoilt = self._spoilt or self._is_whole

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._has_head:  # else a trailer, or another message
            self._fields.append((name, value))

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if self._has_head or (status < 200 and status != _SWITCHING):
            return
        self._status = status
        self._keeps_alive = self._parser.should_keep_alive()
        codings = [value.strip().lower() for name, value in self._fields if name.lower() == b"transfer-encoding"]
        if codings not in ([], [b"chunked"]):
            self._fault = httpcore.RemoteProtocolError("an unknown transfer encoding")
            return
        self._has_head = True
        self._ends_with_connection = not codings and all(name.lower() != b"content-length" for name, _ in self._fields)

    def on_body(self, piece: bytes) -> None:
        self._overhead_bytes = 0
        if self._is_whole:
            self._spoilt = True
        else:
            self._pieces.append(piece)

    def on_message_complete(self) -> None:
        if self._has_head:
            self._is_whole = True
        else:
            self._fields.clear()  # of an interim answer
