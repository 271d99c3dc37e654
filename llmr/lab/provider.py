"""A lab provider: a name, a dialect, a script, and a record of all that was asked of it."""

import json
import ssl
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from types import MappingProxyType
from typing import Any, Final, final

from llmr.catalog import WireFormat
from llmr.dataclass import dataclass
from llmr.lab.anthropic import AnthropicDialect
from llmr.lab.behavior import Behavior
from llmr.lab.dialect import Asked, Dialect
from llmr.lab.fact import Fact
from llmr.lab.gemini import GeminiDialect
from llmr.lab.openai import OpenAIDialect
from llmr.lab.responses import ResponsesDialect

DIALECTS: Final[Mapping[WireFormat, Dialect]] = MappingProxyType(
    {
        WireFormat.OPENAI: OpenAIDialect(),
        WireFormat.ANTHROPIC: AnthropicDialect(),
        WireFormat.GEMINI: GeminiDialect(),
        WireFormat.RESPONSES: ResponsesDialect(),
    }
)


@dataclass(frozen=True, slots=True, eq=False)
class LabRequest:
    """One request as it arrived. `n` counts the provider's requests from 1, `connection` its connections from
    1.

    `arrived_s` is seconds on the event loop's clock, which on Linux is one clock for the whole machine.
    Header names are lower-case. `client_closed` happens when the peer leaves before the reply was complete;
    `settled` when the exchange is over, one way or the other.
    """

    n: int
    connection: int
    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    arrived_s: float
    client_closed: Fact = field(default_factory=Fact)
    settled: Fact = field(default_factory=Fact)

    def header(self, name: str) -> str | None:
        """The first value of `name` (lower-case), None where it was not sent."""
        return next((value for key, value in self.headers if key == name), None)

    @property
    def json(self) -> Any:
        """The body's JSON, {} where it is none."""
        try:
            return json.loads(self.body)
        except ValueError:
            return {}


Script = Sequence[Behavior] | Callable[[int, LabRequest], Behavior]
"""Behaviours in the order of the requests, the last one repeated; or a function of (n-th request, from 1;
request).
"""

HEALTHY: Final[Script] = (Behavior(),)


@final
class LabProvider:
    """A scripted provider. What it records may be read from any thread, at any time."""

    def __init__(
        self,
        name: str,
        script: Script = HEALTHY,
        *,
        wire: WireFormat = WireFormat.OPENAI,
        models: tuple[str, ...] = ("lab-model",),
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """`tls` is the server's side of TLS, None: plain HTTP."""
        self.name = name
        self.models = models
        self.dialect = DIALECTS[wire]
        self.tls = tls
        self._script = script
        self._changed = threading.Condition()
        self._requests: list[LabRequest] = []
        self._connections = 0
        self._in_flight = 0
        self._peak_in_flight = 0
        self._gates: dict[str, Fact] = {}

    def __repr__(self) -> str:
        return f"LabProvider({self.name!r}, {len(self._requests)} requests)"

    @property
    def requests(self) -> tuple[LabRequest, ...]:
        """Every request so far, in the order of arrival; the list of models is not counted."""
        with self._changed:
            return tuple(self._requests)

    @property
    def connections(self) -> int:
        """How many connections were accepted. 0: nobody sent it a byte."""
        with self._changed:
            return self._connections

    @property
    def peak_in_flight(self) -> int:
        """The most requests that were ever unsettled at the same moment."""
        with self._changed:
            return self._peak_in_flight

    def wait_for_requests(self, count: int, timeout_s: float = 30.0) -> bool:
        """Block this thread until `count` requests arrived; False if that took longer than `timeout_s`."""
        with self._changed:
            return self._changed.wait_for(lambda: len(self._requests) >= count, timeout_s)

    def gate(self, name: str) -> Fact:
        """The gate `name`; it is open once the fact has happened."""
        with self._changed:
            return self._gates.setdefault(name, Fact())

    def release(self, name: str) -> None:
        """Open the gate `name` for every reply that waits there or will."""
        self.gate(name).set()

    def follow(self, script: Script) -> None:
        """Follow another script from the next request on; the counting goes on."""
        with self._changed:
            self._script = script

    def connected(self) -> int:
        """For the server: a connection was accepted; its number."""
        with self._changed:
            self._connections += 1
            return self._connections

    def arrived(self, request_with_number: Callable[[int], LabRequest]) -> tuple[LabRequest, Behavior]:
        """For the server: record a request and say how to treat it."""
        with self._changed:
            request = request_with_number(len(self._requests) + 1)
            self._requests.append(request)
            self._in_flight += 1
            self._peak_in_flight = max(self._peak_in_flight, self._in_flight)
            self._changed.notify_all()
            script = self._script
        if callable(script):
            return request, script(request.n, request)
        return request, script[min(request.n, len(script)) - 1]

    def settle(self, request: LabRequest) -> None:
        """For the server: the exchange is over."""
        with self._changed:
            self._in_flight -= 1
        request.settled.set()

    def asked(self, request: LabRequest) -> Asked:
        """What the dialect needs to know of `request`."""
        return Asked(self.name, request.n, request.target, request.json, len(request.body))
