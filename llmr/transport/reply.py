"""An answer as it arrives, whoever reads it off the socket: decoded within limits, its failures told in our words."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from typing import Final, final

from llmr.errors import ErrorKind, ProviderError
from llmr.transport.coding import body_decoder
from llmr.transport.failures import FAILURES, Progress, provider_error

BODY_LIMIT_BYTES: Final = 64 * 1024 * 1024  # trust.md T21, decoded
ERROR_BODY_LIMIT_BYTES: Final = 16 * 1024 * 1024  # trust.md T21
HEADER_LIMIT: Final = 256  # fields; parsers bound their bytes, not their number (trust.md B29)


@final
class HttpReply:
    """An answer whose headers have arrived. Header names are lower-case; a repeated header is joined by ", "."""

    def __init__(
        self,
        status: int,
        headers: Mapping[str, str],
        raw: AsyncGenerator[bytes],
        progress: Progress,
        told_of_end: Callable[[], bool],
    ) -> None:
        """`raw` is the body without its framing; `told_of_end`: whether its reader has seen the connection end."""
        self.status = status
        self.headers = headers
        self._raw = raw
        self._progress = progress
        self._told_of_end = told_of_end

    async def chunks(self) -> AsyncGenerator[bytes]:
        """The decoded body, as it arrives, once.

        Raises ProviderError: INCOMPLETE where it breaks off, BAD_RESPONSE where it is no HTTP, too large, or
        in an encoding that we do not take.
        """
        coding = self.headers.get("content-encoding", "")
        decoder = body_decoder(coding, peer=self._progress.peer, limit_bytes=BODY_LIMIT_BYTES)
        try:
            async with aclosing(self._raw) as chunks:
                async for chunk in chunks:
                    for piece in decoder.feed(chunk):
                        yield piece
        except FAILURES as error:
            raise provider_error(error, self._progress, told_of_end=self._told_of_end()) from error
        decoder.end()

    async def body(self, limit_bytes: int = ERROR_BODY_LIMIT_BYTES, *, within_s: float | None = None) -> bytes:
        """The body of an error, for the wire to read: as much as arrives intact, at most `limit_bytes` (≤ 16
        MiB) of it.

        Never raises for a body that breaks, nor for one that is not there after `within_s` seconds (None: no
        limit): the status says what matters.
        """
        limit_bytes = min(limit_bytes, ERROR_BODY_LIMIT_BYTES)
        collected = bytearray()
        with contextlib.suppress(ProviderError, TimeoutError):
            async with asyncio.timeout(within_s), aclosing(self.chunks()) as pieces:
                async for piece in pieces:
                    collected += piece
                    if len(collected) >= limit_bytes:
                        break
        return bytes(collected[:limit_bytes])


def refuse_too_many_headers(count: int, peer: str) -> None:
    """Raise ProviderError(BAD_RESPONSE) where an answer has more headers than anybody needs."""
    if count > HEADER_LIMIT:
        raise ProviderError(ErrorKind.BAD_RESPONSE, f"{peer}: more than {HEADER_LIMIT} headers")
