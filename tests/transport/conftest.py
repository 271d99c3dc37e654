"""Asking over real sockets: one request, and what came of it."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

import pytest

from llmr.catalog import Provider, WireFormat
from llmr.errors import ProviderError
from llmr.exchange import Transport
from llmr.secret import Secret
from llmr.transport import HttpTransport
from llmr.transport.direct import DirectTransport
from llmr.wire.contract import Credential, HttpRequest

T = TypeVar("T")

KEY = "sk-very-secret-0123456789"
PATIENCE_S = 30.0  # a hang is a failure, not a hang of the suite


@dataclass(frozen=True)
class Outcome:
    """What a request came to: an answer, an error, or an answer that ended in an error."""

    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    error: ProviderError | None = None

    @property
    def kind(self) -> str | None:
        return None if self.error is None else str(self.error.kind)

    @property
    def message(self) -> str:
        return "" if self.error is None else str(self.error)


class Ask(Protocol):
    async def __call__(
        self,
        transport: Transport,
        url: str,
        *,
        body: bytes = b'{"stream":true}',
        headers: tuple[tuple[str, str], ...] = (),
        connect_s: float = 5.0,
        key: str | None = KEY,
        **provider: Any,
    ) -> Outcome: ...


@pytest.fixture(params=[HttpTransport, DirectTransport], ids=["httpx", "direct"])
def client(request: pytest.FixtureRequest) -> Callable[..., Any]:
    """Each of the two transports: what holds for the command line holds for the server."""
    made: Callable[..., Any] = request.param
    return made


@pytest.fixture
def ask() -> Ask:
    """Send one request to `url` and read the whole answer. `provider` overrides fields of the Provider."""

    async def asking(
        transport: Transport,
        url: str,
        *,
        body: bytes = b'{"stream":true}',
        headers: tuple[tuple[str, str], ...] = (),
        connect_s: float = 5.0,
        key: str | None = KEY,
        **provider: Any,
    ) -> Outcome:
        credential = None if key is None else Credential("authorization", "Bearer ", Secret(key))
        request = HttpRequest("POST", url, headers, body, credential)
        to = Provider("lab", WireFormat.OPENAI, provider.pop("base_url", url), **provider)
        status: int | None = None
        answer_headers: Mapping[str, str] = {}
        received = bytearray()
        try:
            async with transport.stream(request, to, connect_s=connect_s) as reply:
                status, answer_headers = reply.status, reply.headers
                async for chunk in reply.chunks():
                    received += chunk
        except ProviderError as error:
            return Outcome(status, answer_headers, bytes(received), error)
        return Outcome(status, answer_headers, bytes(received))

    return asking


@pytest.fixture
def run() -> Callable[[Coroutine[Any, Any, T]], T]:
    """Run a coroutine in a loop of its own, with an end."""

    def running(scenario: Coroutine[Any, Any, T]) -> T:
        return asyncio.run(asyncio.wait_for(scenario, PATIENCE_S))

    return running
