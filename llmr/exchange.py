"""One exchange with one provider, under watch: request out, deltas in, or a ProviderError.

The watchdog bounds every wait for bytes by the wall clock, because HTTP clients' own time-outs bound a read and not a
request: a provider that drips one byte a second keeps those happy for ever (trust.md §0.5). Only content moves its
deadlines: keep-alive comments and empty deltas do not (trust.md T23). Leaving the block closes the socket.

This module also declares what the router needs of the world: Clock, Transport, Wires, Aside. Others implement them; nothing
here imports an HTTP client, an event loop or the time.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, aclosing
from typing import Final, Protocol, TypeVar

from llmr.catalog import Model, Provider, WireFormat
from llmr.chat import ChatRequest, Delta, merged
from llmr.dataclass import dataclass
from llmr.errors import ErrorKind, ProviderError
from llmr.wire.contract import HttpRequest, Wire

T = TypeVar("T")

ERROR_BODY_BYTES: Final = 256 * 1024  # no more of an error's body is read
ERROR_BODY_S: Final = 2.0  # nor waited for: the status is known, and someone else can be asked
TAIL_S: Final = 2.0  # after the finish reason come usage and the end, at once: the recordings' chunks are one burst


class Clock(Protocol):
    """Time."""

    def now(self) -> float:
        """Wall-clock seconds since the epoch."""
        ...

    def monotonic(self) -> float:
        """Seconds that never run backwards, from anywhere."""
        ...

    def minute_of_week(self) -> int:
        """Local minutes since Monday, 0:00, for rules."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Return after `seconds`."""
        ...

    def timeout(self, seconds: float) -> AbstractAsyncContextManager[object]:
        """A block that ends in TimeoutError after `seconds`."""
        ...


class HttpReply(Protocol):
    """An answer's head, and its body as it comes. Header names are lower-case."""

    @property
    def status(self) -> int: ...

    @property
    def headers(self) -> Mapping[str, str]: ...

    def chunks(self) -> AsyncGenerator[bytes, None]:
        """The body, decoded and bounded. Raises ProviderError."""
        ...

    async def body(self, limit_bytes: int, *, within_s: float) -> bytes:
        """The body's first `limit_bytes`, as much of them as came within `within_s`. Never raises: the status says more."""
        ...


class Transport(Protocol):
    """The network. Entering raises ProviderError for what goes wrong before the head; leaving closes the socket."""

    async def prepare(self, provider: Provider) -> None:
        """Have at hand what a request to `provider` needs and what is no time of the provider's: a key from a vault."""
        ...

    def stream(
        self, request: HttpRequest, provider: Provider, *, connect_s: float
    ) -> AbstractAsyncContextManager[HttpReply]: ...


class Aside(Protocol):
    """Where work is done that may have to wait for a file: here and now, or in a thread while the loop goes on."""

    async def __call__(self, work: Callable[[], T], /) -> T: ...


class Wires(Protocol):
    """Who speaks which dialect."""

    def __call__(self, wire: WireFormat, /) -> Wire: ...


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds of waiting for the provider: until its first content, between two pieces of content, and in all.

    `hurried`: the first bound is shorter than what the provider may usually take, because the caller has no more time; `short`:
    so is the last. What ends by such a bound says nothing of the provider.
    """

    connect_s: float
    first_token_s: float
    stall_s: float
    total_s: float
    hurried: bool = False
    short: bool = False


class _Watchdog:
    """Bounds each wait for bytes by whichever limit comes first.

    Only time spent waiting counts: a reader that pauses its pager for a minute has not made the provider silent.
    """

    def __init__(self, clock: Clock, limits: Limits) -> None:
        self._clock = clock
        self._limits = limits
        self._waited_s = 0.0
        self._silent_s = 0.0
        self._answering = False
        self.finished = False

    def saw(self, delta: Delta) -> None:
        """Content ends a silence, and the wait for the first token."""
        if delta.has_content or delta.finish_reason is not None:
            self._answering = True
            self._silent_s = 0.0
        if delta.finish_reason is not None:
            self.finished = True

    def left_s(self) -> float:
        """Seconds that the next wait may take."""
        return max(0.0, self._strictest()[0])

    async def wait(self, awaitable: Awaitable[T]) -> T:
        """The result of `awaitable`. Raises ProviderError(FIRST_TOKEN_TIMEOUT, STALL or DEADLINE) when its time is up."""
        left_s, kind, message = self._strictest()
        began_s = self._clock.monotonic()
        try:
            async with self._clock.timeout(left_s):
                return await awaitable
        except TimeoutError as error:
            raise ProviderError(kind, message) from error
        finally:
            waited_s = self._clock.monotonic() - began_s
            self._waited_s += waited_s
            self._silent_s += waited_s

    def _strictest(self) -> tuple[float, ErrorKind, str]:
        """Seconds left, and what it is called when they are over."""
        limits = self._limits
        late = ErrorKind.DEADLINE if limits.short else ErrorKind.STALL
        total = (limits.total_s - self._waited_s, late, f"no end of the answer within {_time(limits.total_s)}")
        if self.finished:
            return min((TAIL_S - self._silent_s, ErrorKind.STALL, "the answer is finished, but not its stream"), total)
        if self._answering:
            return min((limits.stall_s - self._silent_s, ErrorKind.STALL, f"silent for {_time(limits.stall_s)}"), total)
        first = f"no first token within {_time(limits.first_token_s)}"
        silent = ErrorKind.DEADLINE if limits.hurried else ErrorKind.FIRST_TOKEN_TIMEOUT
        return min((limits.first_token_s - self._waited_s, silent, first), total)


def _time(limit_s: float) -> str:
    """A limit for people; one below a millisecond is what another attempt left of a deadline."""
    return f"{limit_s:.3g} s" if limit_s >= 0.001 else "less than a millisecond: the time was already over"


async def exchange(
    request: ChatRequest,
    model: Model,
    *,
    transport: Transport,
    wires: Wires,
    clock: Clock,
    limits: Limits,
    heard: Callable[[Mapping[str, str]], None] = lambda _: None,
) -> AsyncGenerator[Delta, None]:
    """Ask `model` and yield its answer. Raises ProviderError for everything that can go wrong on the way.

    `heard` is told the headers of the answer, an error's too, as soon as they are there; names are lower-case.
    """
    watchdog = _Watchdog(clock, limits)
    wire = wires(model.provider.wire)
    http = wire.encode(request, model)
    if http.left_out:
        yield Delta(left_out=http.left_out)
    async with AsyncExitStack() as stack:
        connection = transport.stream(http, model.provider, connect_s=limits.connect_s)
        reply = await watchdog.wait(stack.enter_async_context(connection))
        heard(reply.headers)
        if not 200 <= reply.status < 300:
            body = await reply.body(ERROR_BODY_BYTES, within_s=min(ERROR_BODY_S, watchdog.left_s()))
            raise wire.classify(reply.status, reply.headers, body, now=clock.now())
        decoder = wire.decoder(model, streamed=request.stream)
        chunks = await stack.enter_async_context(aclosing(reply.chunks()))
        while (chunk := await _next(chunks, watchdog)) is not None:
            for piece in (chunk, b""):  # b"": an error behind this chunk's deltas is told now, not with the next byte
                for delta in merged(decoder.feed(piece)):
                    watchdog.saw(delta)
                    yield delta
        for delta in decoder.end():
            yield delta


async def _next(chunks: AsyncGenerator[bytes, None], watchdog: _Watchdog) -> bytes | None:
    """The next bytes; None at the end. An answer that has its finish reason is whole, however its connection ends."""
    try:
        return await watchdog.wait(anext(chunks, None))
    except ProviderError:
        if watchdog.finished:
            return None
        raise
