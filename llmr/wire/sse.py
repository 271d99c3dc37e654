"""Server-sent events out of bytes that are cut anywhere.

The rules are WHATWG HTML §9.2.6. Libraries get three of them wrong in ways that lose answers (trust.md §0.6): a line ends
at LF, CR or CRLF *only*, never at U+2028, U+0085, VT or FF, which are legal inside JSON strings; one byte order mark is
stripped; and a CRLF may be cut between its two bytes. So this parser works on bytes: line ends, colons and field names are
ASCII, and text is decoded only once an event is whole, so that no character is ever cut. Invalid UTF-8 becomes U+FFFD.

An event that no blank line closed when the body ended is dropped, as the standard asks, even where its data is complete
JSON. It may be the last one of a cut stream (B14), and all SSE recordings end with a blank line, so nothing real is lost;
whoever needs the end of an answer must have *seen* it. `id` and `retry` are for whoever reconnects, which no answer allows.

It works on whole chunks (`find`, `replace`, `split`), never byte by byte. What is kept between chunks is bounded: an event
over 1 MiB is an error, and comments, which belong to no event, are thrown away before they can count as one.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple

from llmr.errors import ErrorKind, ProviderError

MAX_EVENT_BYTES: Final = 1 << 20  # trust.md T23
_BOM: Final = b"\xef\xbb\xbf"


class SseEvent(NamedTuple):
    """One event. `name` is "message" where the stream gives none."""

    name: str
    data: str


class SseParser:
    """Feed it bytes, get the events they complete."""

    __slots__ = ("_at_start", "_held", "_held_bytes", "_skip_lf")

    def __init__(self) -> None:
        self._held: list[bytes] = []  # the pieces of the event that is still open, line ends already LF
        self._held_bytes = 0
        self._at_start = True
        self._skip_lf = False

    def feed(self, chunk: bytes) -> Iterator[SseEvent]:
        """The events that `chunk` completes, in order; lazily, so iterate it to the end before the next chunk.

        Raises ProviderError(BAD_RESPONSE) for an event over 1 MiB, after the events before it.
        """
        if self._at_start:
            chunk = self._after_bom(chunk)
        chunk = self._with_lf_only(chunk)
        if not chunk:
            return
        closes = b"\n\n" in chunk or (chunk[0] == 10 and bool(self._held) and self._held[-1][-1] == 10)
        self._held.append(chunk)
        self._held_bytes += len(chunk)
        if not closes:
            if self._held_bytes > MAX_EVENT_BYTES:
                self._shed_comments()
            return
        blocks = b"".join(self._held).split(b"\n\n")
        rest = blocks.pop()
        self._held = [rest] if rest else []
        self._held_bytes = len(rest)
        for block in blocks:
            event = self._event(block)
            if event is not None:
                yield event
        if self._held_bytes > MAX_EVENT_BYTES:
            self._shed_comments()

    def _after_bom(self, chunk: bytes) -> bytes:
        """The chunk without the byte order mark that may open the stream; b"" while that is undecided."""
        chunk = b"".join(self._held) + chunk
        if len(chunk) < len(_BOM) and _BOM.startswith(chunk):
            self._held = [chunk] if chunk else []
            return b""
        self._held = []
        self._at_start = False
        return chunk.removeprefix(_BOM)

    def _with_lf_only(self, chunk: bytes) -> bytes:
        """CR and CRLF as LF. A CR ends its line at once; the LF that may follow it in the next chunk is then skipped."""
        if self._skip_lf and chunk:
            self._skip_lf = False
            chunk = chunk.removeprefix(b"\n")
        if b"\r" in chunk:
            self._skip_lf = chunk.endswith(b"\r")
            chunk = chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        return chunk

    def _event(self, block: bytes) -> SseEvent | None:
        """The event in the lines of `block`, or None where they hold no data."""
        if len(block) > MAX_EVENT_BYTES:
            block = _without_comments(block)
            _refuse_over_limit(block)
        if block.startswith(b"data: ") and b"\n" not in block:  # nearly every event of every provider
            return SseEvent("message", block[6:].decode("utf-8", "replace"))
        name = b""
        data: list[bytes] = []
        for line in block.split(b"\n"):
            field, _, value = line.partition(b":")
            value = value.removeprefix(b" ")
            match field:
                case b"data":
                    data.append(value)
                case b"event":
                    name = value
                case _:  # a comment (empty field name), or a field that says nothing of an answer
                    pass
        if not data:
            return None
        text = b"\n".join(data).decode("utf-8", "replace")
        return SseEvent(name.decode("utf-8", "replace") or "message", text)

    def _shed_comments(self) -> None:
        """Drop the whole comment lines of the open event, then refuse it if it is still too large."""
        rest = _without_comments(b"".join(self._held))
        _refuse_over_limit(rest)
        self._held = [rest] if rest else []
        self._held_bytes = len(rest)


def _without_comments(lines: bytes) -> bytes:
    """The lines but for comments; the last line is kept, since it may go on in the next chunk."""
    *whole, last = lines.split(b"\n")
    return b"\n".join([*(line for line in whole if not line.startswith(b":")), last])


def _refuse_over_limit(event: bytes) -> None:
    if len(event.strip(b"\n")) > MAX_EVENT_BYTES:
        raise ProviderError(ErrorKind.BAD_RESPONSE, "an event of the stream is larger than 1 MiB")
