"""What a wire format must be able to do, and the values that cross to the transport.

A wire is pure grammar: request → bytes, bytes → deltas, status and body → error. It never sees a socket, a
clock or a key: `HttpRequest.credential` carries the key wrapped in a `Secret`, and only the transport unwraps
it.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

from llmr.catalog import Model
from llmr.chat import ChatRequest, Delta
from llmr.dataclass import dataclass
from llmr.errors import ProviderError
from llmr.secret import Secret


@dataclass(frozen=True, slots=True)
class Credential:
    """A key and the header it travels in: `header: prefix + secret`."""

    header: str
    prefix: str
    secret: Secret


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """One HTTP request. `headers` hold no secret.

    `left_out` names what the wire has no words for and what asks nothing of the model (a label, a hint): the user is told.
    What does ask something of it is refused instead.
    """

    method: str
    url: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    credential: Credential | None = None
    left_out: tuple[str, ...] = ()


class Decoder(Protocol):
    """Bytes of one answer in, deltas out. One instance per answer.

    Deltas are never lost to an error behind them: what came first is returned, and the error is raised by the next call.
    Whoever has no more bytes yet can ask for it with `feed(b"")`.
    """

    def feed(self, chunk: bytes) -> Sequence[Delta]:
        """Deltas completed by this chunk. Chunks may cut anywhere. Raises ProviderError for an error inside the answer."""
        ...

    def end(self) -> Sequence[Delta]:
        """The body ended: the last deltas. Raises ProviderError(INCOMPLETE) where the wire's own end was not seen."""
        ...


class Wire(Protocol):
    """A dialect."""

    def encode(self, request: ChatRequest, model: Model) -> HttpRequest:
        """The HTTP request that asks `model`. Raises ProviderError(UNSUPPORTED) for what this wire cannot say."""
        ...

    def decoder(self, model: Model, *, streamed: bool) -> Decoder:
        """A fresh decoder; `streamed` is whether the *answer* is an event stream, which is read off its content."""
        ...

    def classify(self, status: int, headers: Mapping[str, str], body: bytes, *, now: float) -> ProviderError:
        """The error that an answer with this status means. `headers` have lower-case names; `now` is wall-clock seconds."""
        ...
