"""What a tracer is to the server: told of a request's beginning, of what happens on its way, and of its end.

With no tracer (the usual case) nothing of it exists but a None. The one that exists speaks OpenTelemetry: tracing.py.
"""

from typing import Protocol

from llmr.chat import ChatRequest
from llmr.router import Event
from llmr.server.call import Call


class Trace(Protocol):
    """One request."""

    def event(self, event: Event) -> None:
        """Something happened; never called for a piece of the answer."""
        ...

    def end(self, call: Call) -> None:
        """It is over, one way or the other."""
        ...


class Tracer(Protocol):
    """All of them."""

    def begin(self, call: Call, request: ChatRequest, operation: str) -> Trace:
        """A request whose meaning is known. `operation`: `chat` or `embeddings`."""
        ...

    def close(self) -> None:
        """Send what has not been sent."""
        ...
