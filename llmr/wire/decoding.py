"""Bytes of one answer → deltas: what all wires share, so that a wire only has to read JSON objects.

    bytes ─▶ form? ─┬─ event stream ─▶ SseParser ─▶ JSON ─▶ AnswerReader.event ─┐
                    ├─ one JSON text ─────────────▶ JSON ─▶ AnswerReader.whole ─┼─▶ Delta, Delta, …
                    └─ a page of HTML ─▶ BAD_RESPONSE                          end ─▶ AnswerReader.finish

Which form an answer has is read off its first bytes, not believed: a gateway may answer a request for a stream with one
JSON text, most often an error, and the other way round. Only where the bytes leave it open does `streamed` decide.

An error that follows deltas in the same chunk must not swallow them: they are returned first, and the error is raised by
the next call (`feed(b"")` asks for it at once). So the deltas are the same wherever the bytes were cut.

Limits (trust.md T21, T23): one JSON text 64 MiB, one event 1 MiB, what the model wrote 32 MiB. Above: BAD_RESPONSE.
"""

from collections.abc import Sequence
from enum import Enum, auto
from typing import Any, Final, Protocol

from llmr.chat import Delta
from llmr.errors import ErrorKind, ProviderError
from llmr.wire import json_text
from llmr.wire.errors import RAW_LIMIT_BYTES, bad_response, error_inside
from llmr.wire.sse import SseParser

MAX_BODY_BYTES: Final = 64 << 20  # trust.md T21
MAX_ANSWER_CHARS: Final = 32 << 20  # trust.md T23; characters are at least bytes
_SSE_STARTS: Final = (b"data:", b"event:", b"id:", b"retry:", b":")
_LONGEST_SSE_START: Final = 6
_SNIFF_LIMIT: Final = 4096  # bytes of a page in which its title is looked for
_BLANK: Final = b" \t\r\n"
_BOM: Final = b"\xef\xbb\xbf"


class AnswerReader(Protocol):
    """One wire's reading of one answer. Deltas go into `out`; an error in the answer is raised as ProviderError."""

    def event(self, name: str, value: Any, out: list[Delta]) -> None:
        """One event of a stream: its name ("message" where none was given) and the JSON of its data."""
        ...

    def whole(self, value: Any, out: list[Delta]) -> None:
        """The answer as one JSON value."""
        ...

    def finish(self) -> None:
        """The body ended. Raises INCOMPLETE where the wire's own end was not seen, BAD_RESPONSE where nothing was."""
        ...


class _Form(Enum):
    OPEN = auto()  # too few bytes to tell
    EVENTS = auto()
    JSON = auto()


class AnswerDecoder:
    """The `Decoder` of every wire."""

    __slots__ = (
        "_beside_chars",
        "_chars",
        "_done",
        "_failure",
        "_form",
        "_held",
        "_held_bytes",
        "_reader",
        "_sse",
        "_streamed",
    )

    def __init__(self, reader: AnswerReader, *, streamed: bool) -> None:
        self._reader = reader
        self._streamed = streamed
        self._form = _Form.OPEN
        self._held: list[bytes] = []
        self._held_bytes = 0
        self._sse = SseParser()
        self._chars = 0
        self._beside_chars = 0
        self._done = False
        self._failure: ProviderError | None = None

    def feed(self, chunk: bytes) -> Sequence[Delta]:
        """Deltas completed by this chunk. Raises ProviderError for an error inside the answer, after its deltas."""
        if self._failure is not None:
            raise self._failure
        out: list[Delta] = []
        try:
            self._take(chunk, out)
        except ProviderError as error:
            self._failure = error
            if not out:
                raise
        return out

    def end(self) -> Sequence[Delta]:
        """The last deltas. Raises ProviderError: a pending one, INCOMPLETE or BAD_RESPONSE."""
        if self._failure is not None:
            raise self._failure
        out: list[Delta] = []
        if self._form is _Form.OPEN:
            self._settle(b"".join(self._held), out, ended=True)
        if self._form is _Form.JSON:
            self._read_whole(out)
        try:
            self._reader.finish()
        except ProviderError as error:
            error.raw = error.raw or b"".join(self._held)[:RAW_LIMIT_BYTES]
            raise
        return out

    def _take(self, chunk: bytes, out: list[Delta]) -> None:
        match self._form:
            case _Form.EVENTS:
                self._read_events(chunk, out)
            case _Form.JSON:
                self._hold(chunk)
            case _Form.OPEN:  # pragma: no branch - the set is closed
                self._hold(chunk)
                self._settle(b"".join(self._held), out, ended=False)

    def _settle(self, start: bytes, out: list[Delta], *, ended: bool) -> None:
        """Decide the form, if the bytes so far allow it, and go on with them."""
        self._form = _form_of(start, streamed=self._streamed, ended=ended)
        if self._form is _Form.OPEN and len(start) > _SNIFF_LIMIT:
            self._held = [start.removeprefix(_BOM).lstrip(_BLANK)]  # the blanks were keep-alive before the answer
        if self._form is _Form.EVENTS:
            self._held = [start[:RAW_LIMIT_BYTES]]  # what `raw` shows if no event ever comes
            self._read_events(start, out)

    def _hold(self, chunk: bytes) -> None:
        self._held.append(chunk)
        self._held_bytes += len(chunk)
        if self._held_bytes > MAX_BODY_BYTES:
            raise bad_response("the answer is larger than 64 MiB", self._held[0])

    def _read_events(self, chunk: bytes, out: list[Delta]) -> None:
        for name, data in self._sse.feed(chunk):
            if self._done or not data or data.isspace():
                continue
            if data.strip() == "[DONE]":  # it ends the stream and proves nothing: `finish` does
                self._done = True
                continue
            before = len(out)
            self._reader.event(name, _parsed(data, name), out)
            self._count(out[before:], len(data))

    def _read_whole(self, out: list[Delta]) -> None:
        body = b"".join(self._held)
        text = body.decode("utf-8", "replace").removeprefix("\ufeff")
        if not text.strip():
            raise bad_response("the answer is empty")
        self._reader.whole(_parsed(text, "message"), out)
        self._count(out, len(text))

    def _count(self, deltas: list[Delta], size: int) -> None:
        """Bound what a stream can make its readers keep. `size`: characters of the JSON that these deltas came from."""
        for delta in deltas:
            self._chars += len(delta.text) + len(delta.reasoning) + len(delta.refusal)
            self._chars += len(delta.reasoning_signature or "") + len(delta.redacted_reasoning or "")
            for piece in delta.tool_calls:
                self._chars += len(piece.id) + len(piece.name) + len(piece.arguments) + len(piece.signature or "")
            if delta.citations or delta.logprobs:
                self._beside_chars += size
        if self._chars > MAX_ANSWER_CHARS or self._beside_chars > MAX_BODY_BYTES:
            raise bad_response("the model's answer is larger than 32 MiB")


def _parsed(text: str, name: str) -> Any:
    """The JSON of `text`; text of an `error` event that is no JSON is itself the error."""
    try:
        return json_text.parse(text)
    except json_text.JsonError as error:
        if name == "error":
            raise error_inside({}, text) from None
        raise bad_response(f"the answer is not JSON ({error})", text) from None


def _form_of(start: bytes, *, streamed: bool, ended: bool) -> _Form:
    """The form of the answer that starts like this. Raises BAD_RESPONSE for a page of HTML."""
    text = start.removeprefix(_BOM).lstrip(_BLANK)
    if not text or (_BOM.startswith(start) and not ended):
        return _Form.JSON if ended else _Form.OPEN
    if text[:1] in b"{[":
        return _Form.JSON
    if text[:1] == b"<":  # the title may still be to come
        if not ended and len(text) < _SNIFF_LIMIT and b"</title" not in text.lower():
            return _Form.OPEN
        raise bad_response("the answer is a page of HTML", text)
    if streamed:
        return _Form.EVENTS
    if text.startswith(_SSE_STARTS):
        return _Form.EVENTS
    return _Form.JSON if ended or len(text) >= _LONGEST_SSE_START else _Form.OPEN


def incomplete(what: str) -> ProviderError:
    """The stream ended without the wire's own end; `what` names the missing piece."""
    return ProviderError(ErrorKind.INCOMPLETE, f"the answer ended without {what}")
