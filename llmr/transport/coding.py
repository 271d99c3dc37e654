"""Content-Encoding, undone with limits.

We ask for `identity` and mean it; some servers compress all the same. httpx would decode a 64 KiB chunk to 64
MB in one piece, and pass on what it cannot decode as if it were fine (trust.md T21, T22). Here output is made
in small pieces, the ratio is watched, and what is not understood is refused.
"""

import zlib
from collections.abc import Iterator
from typing import Final, Protocol, final

from llmr.errors import ErrorKind, ProviderError

_PIECE_BYTES: Final = 64 * 1024
_RATIO_LIMIT: Final = 100  # trust.md T21
_RATIO_FREE_BYTES: Final = 1024 * 1024  # trust.md T21: the ratio counts from here on
_GZIP_WBITS: Final = 31  # zlib's numbers for its containers: zlib.net/manual.html, inflateInit2
_ZLIB_WBITS: Final = 15
_RAW_WBITS: Final = -15
_GZIP_MAGIC: Final = b"\x1f\x8b"
_HEADER_BYTES: Final = 2  # of zlib's container: RFC 1950 §2.2


def body_decoder(content_encoding: str, *, peer: str, limit_bytes: int) -> "BodyDecoder":
    """A decoder for this header value. Raises ProviderError(BAD_RESPONSE) for stacked and unknown encodings."""
    names = [name.strip().lower() for name in content_encoding.split(",")]
    match [name for name in names if name not in ("", "identity")]:
        case []:
            return BodyDecoder(None, peer=peer, limit_bytes=limit_bytes)
        case ["gzip" | "x-gzip"]:
            return BodyDecoder(_GZIP_WBITS, peer=peer, limit_bytes=limit_bytes)
        case ["deflate"]:
            return BodyDecoder(_ZLIB_WBITS, peer=peer, limit_bytes=limit_bytes)
        case unknown:
            reason = (
                "with several Content-Encodings" if len(unknown) > 1 else "in a Content-Encoding it was not asked for"
            )
            raise ProviderError(ErrorKind.BAD_RESPONSE, f"{peer}: answered {reason}")


class _Unpacker(Protocol):
    """zlib's decompressobj, whose type has no public name."""

    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    @property
    def unconsumed_tail(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


@final
class BodyDecoder:
    """Decodes one body. `limit_bytes` bounds what comes in and what comes out."""

    def __init__(self, wbits: int | None, *, peer: str, limit_bytes: int) -> None:
        """`wbits` is zlib's number for the container, None: the body is not encoded."""
        self._wbits = wbits
        self._peer = peer
        self._limit_bytes = limit_bytes
        self._unpacker: _Unpacker | None = None
        self._held: bytes = b""
        self._in_bytes = 0
        self._out_bytes = 0

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """Decoded pieces. Raises ProviderError(BAD_RESPONSE) for what is corrupt, too large or a bomb."""
        self._in_bytes += len(chunk)
        self._check(self._in_bytes <= self._limit_bytes, "is too large")
        if self._wbits is None:
            self._out_bytes += len(chunk)
            yield chunk
            return
        chunk = self._held + chunk
        if self._unpacker is None and len(chunk) < _HEADER_BYTES:
            self._held = chunk
            return
        self._held = b""
        self._unpacker = self._unpacker or zlib.decompressobj(_container(self._wbits, chunk))
        piece = b""
        while chunk or len(piece) == _PIECE_BYTES:  # a full piece: zlib may hold more of what it has read already
            piece, chunk = self._unpack(self._unpacker, chunk)
            self._out_bytes += len(piece)
            self._check(self._out_bytes <= self._limit_bytes, "is too large")
            small = self._out_bytes <= max(_RATIO_FREE_BYTES, _RATIO_LIMIT * self._in_bytes)
            self._check(small, "is a decompression bomb")
            if piece:
                yield piece

    def end(self) -> None:
        """The body ended. Raises ProviderError(INCOMPLETE) where its encoding did not."""
        if self._wbits is not None and self._in_bytes and (self._unpacker is None or not self._unpacker.eof):
            raise ProviderError(ErrorKind.INCOMPLETE, f"{self._peer}: the compressed answer is cut short")

    def _unpack(self, unpacker: _Unpacker, chunk: bytes) -> tuple[bytes, bytes]:
        """At most one piece, and the input that is left."""
        if unpacker.eof and chunk:
            self._check(self._wbits == _GZIP_WBITS and _GZIP_MAGIC.startswith(chunk[:2]), "is corrupt after its end")
            unpacker = self._unpacker = zlib.decompressobj(_GZIP_WBITS)  # RFC 1952 §2.2: members may follow
        try:
            piece = unpacker.decompress(chunk, _PIECE_BYTES)
        except zlib.error as error:
            raise self._refusal("is corrupt") from error
        return piece, unpacker.unused_data if unpacker.eof else unpacker.unconsumed_tail

    def _check(self, holds: bool, fault: str) -> None:
        if not holds:
            raise self._refusal(fault)

    def _refusal(self, fault: str) -> ProviderError:
        return ProviderError(ErrorKind.BAD_RESPONSE, f"{self._peer}: the answer {fault}")


def _container(wbits: int, start: bytes) -> int:
    """zlib's number for what really came: some servers send deflate bare (RFC 9110 §8.4.1.2)."""
    has_zlib_header = start[0] & 0x0F == 8 and int.from_bytes(start[:_HEADER_BYTES], "big") % 31 == 0  # RFC 1950 §2.2
    return _RAW_WBITS if wbits == _ZLIB_WBITS and not has_zlib_header else wbits
