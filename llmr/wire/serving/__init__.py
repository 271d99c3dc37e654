"""The wires the other way round: requests that clients send us, and answers in the words that they expect.

Everywhere else in wire/ we are the client: `encode` says a request, a reader reads the answer. Here we are the server.
`Dialect.request` reads what `encode` would have said, `AnswerWriter` says what a reader would have read; the tests hold each
pair against the other, so that whatever passes through llmr comes out as it went in.

The shape of a request (types, ranges, unknown fields) has been checked before it comes here, at the server's edge, once. What
is read here is its meaning. What cannot be meant (base64 that is none) is a `RequestUnfit`, which names the field.
"""

from collections.abc import Mapping
from importlib import import_module
from typing import Any, Final, Protocol

from llmr.chat import ChatRequest, ChatResponse, Delta
from llmr.dataclass import dataclass
from llmr.errors import UsageError


class RequestUnfit(UsageError):
    """A client's request cannot be used. `param` names the field as the client wrote it: `messages.0.content`."""

    def __init__(self, message: str, *, param: str | None = None) -> None:
        super().__init__(message)
        self.param = param


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a client gets no answer, in no dialect. `code` is for programs; `should_retry` None: the status says it all;
    `retry_after_s` seconds until somebody may be asked, None: not a matter of time."""

    status: int
    code: str
    message: str
    param: str | None = None
    retry_after_s: float | None = None
    should_retry: bool | None = None


@dataclass(frozen=True, slots=True)
class AnswerHead:
    """What an answer says of itself. `id` without a dialect's prefix; `created` wall-clock seconds."""

    id: str
    model: str
    created: int


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as read. `usage_in_stream`: the client wants to be told at the end of a stream; `unsaid` names what was in
    it and changes nothing here."""

    request: ChatRequest
    usage_in_stream: bool = True
    unsaid: tuple[str, ...] = ()


class AnswerWriter(Protocol):
    """One streamed answer, as server-sent events. Every method gives the bytes to send now, perhaps none."""

    def delta(self, delta: Delta) -> bytes:
        """A piece of the answer."""
        ...

    def note(self, text: str) -> bytes:
        """A remark for people who look at the stream: a comment, which no client reads as content."""
        ...

    def end(self) -> bytes:
        """The answer is whole."""
        ...

    def failed(self, problem: Problem) -> bytes:
        """The answer broke off: an error event, and nothing that looks like an end."""
        ...


class Dialect(Protocol):
    """What clients of one API expect of us."""

    @property
    def name(self) -> str: ...

    def request(self, body: Mapping[str, Any]) -> Asked:
        """The request, of a body whose shape is right. Raises RequestUnfit."""
        ...

    def whole(self, response: ChatResponse, head: AnswerHead) -> bytes:
        """An answer in one piece, as JSON."""
        ...

    def writer(self, head: AnswerHead, *, usage: bool) -> AnswerWriter:
        """An answer in pieces."""
        ...

    def error(self, problem: Problem, *, request_id: str) -> bytes:
        """The body of an error answer."""
        ...


_DIALECTS: Final = {
    "openai": ("llmr.wire.serving.openai_answer", "OpenAIDialect"),
    "anthropic": ("llmr.wire.serving.anthropic_answer", "AnthropicDialect"),
}


def dialect_named(name: str) -> Dialect:
    """The dialect `openai` or `anthropic`. Dialects hold no state."""
    module, kind = _DIALECTS[name]
    dialect: Dialect = getattr(import_module(module), kind)()
    return dialect


def comment(text: str) -> bytes:
    """A comment of server-sent events, on one line."""
    return f": {' '.join(text.split())}\n\n".encode("utf-8", "replace")
