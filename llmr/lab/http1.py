"""Just enough HTTP/1.1 to be a server that misbehaves on purpose.

No library is used: most of what the lab must do (half a header, a wrong chunk size, a reset) is what a
library exists to prevent.
"""

import asyncio
from collections.abc import Sequence
from http import HTTPStatus
from typing import Final, final

from llmr.dataclass import dataclass

_HEAD_LIMIT_BYTES: Final = 64 * 1024
_BODY_LIMIT_BYTES: Final = 64 * 1024 * 1024  # a 20 MB prompt and more
_READ_BYTES: Final = 64 * 1024


class NotHttpError(Exception):
    """The peer sent something that is not an HTTP/1.1 request, or too much of it."""


@dataclass(frozen=True, slots=True)
class RequestHead:
    """A request line and headers; header names are lower-case."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...]

    def header(self, name: str) -> str | None:
        """The first value of `name` (lower-case), None where it was not sent."""
        return next((value for key, value in self.headers if key == name), None)


@final
class Incoming:
    """What a peer sends, read ahead so that its leaving is noticed while a reply is under way."""

    def __init__(self, reader: asyncio.StreamReader) -> None:
        self._reader = reader
        self._buffer = bytearray()

    async def left(self) -> None:
        """Return when the peer has closed or reset the connection; what it still sends is kept for the next
        request.
        """
        while await self._more():
            pass

    async def _more(self) -> bool:
        try:
            chunk = await self._reader.read(_READ_BYTES)
        except OSError:
            return False
        self._buffer += chunk
        return bool(chunk)

    async def _until(self, mark: bytes, limit_bytes: int) -> bytes | None:
        """Bytes before `mark`, which is dropped; None where the peer left first."""
        while (at := self._buffer.find(mark)) < 0:
            if len(self._buffer) > limit_bytes:
                raise NotHttpError("head too long")
            if not await self._more():
                return None
        return self._take(at + len(mark))[:at]

    async def _exactly(self, size_bytes: int) -> bytes:
        if size_bytes > _BODY_LIMIT_BYTES:
            raise NotHttpError("body too long")
        while len(self._buffer) < size_bytes:
            if not await self._more():
                raise NotHttpError("the peer left in the middle of a request")
        return self._take(size_bytes)

    def _take(self, size_bytes: int) -> bytes:
        taken = bytes(self._buffer[:size_bytes])
        del self._buffer[:size_bytes]
        return taken

    async def head(self) -> RequestHead | None:
        """The next request's head, None where the peer has left. Raises NotHttpError."""
        head = await self._until(b"\r\n\r\n", _HEAD_LIMIT_BYTES)
        if head is None:
            return None
        first, *lines = head.decode("latin-1").split("\r\n")
        words = first.split(" ")
        if len(words) != 3:
            raise NotHttpError(f"request line {first!r}")
        headers = tuple(
            (name.strip().lower(), value.strip()) for name, _, value in (line.partition(":") for line in lines)
        )
        return RequestHead(words[0], words[1], headers)

    async def body(self, head: RequestHead) -> bytes:
        """The body that belongs to `head`. Raises NotHttpError."""
        if head.header("transfer-encoding") == "chunked":
            return await self._chunked()
        length = head.header("content-length") or "0"
        if not length.isdecimal():
            raise NotHttpError(f"content-length {length!r}")
        return await self._exactly(int(length))

    async def _chunked(self) -> bytes:
        body = bytearray()
        while True:
            line = await self._until(b"\r\n", _HEAD_LIMIT_BYTES)
            try:
                size_bytes = int((line or b"").split(b";")[0], 16)
            except ValueError as error:
                raise NotHttpError("chunk size") from error
            body += await self._exactly(size_bytes)
            await self._exactly(2)
            if size_bytes == 0:
                return bytes(body)


def response_head(status: int, headers: Sequence[tuple[str, str]]) -> bytes:
    """Status line and headers, ready to send."""
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = "Lab"  # 529 and friends are nobody's standard
    lines = [f"HTTP/1.1 {status} {phrase}", *(f"{name}: {value}" for name, value in headers)]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def chunk(payload: bytes) -> bytes:
    """One chunk of a chunked body; an empty payload would end it, so it makes nothing."""
    return b"%x\r\n%b\r\n" % (len(payload), payload) if payload else b""


LAST_CHUNK: Final = b"0\r\n\r\n"
