"""What stands in for the world in tests: time that moves only when someone sleeps, providers that follow a script, a store that
fails when told to, and builders of the few values that every test needs.

Nothing here patches anything: these are implementations of the protocols that llmr itself declares (Clock, Transport,
StateStore). Test modules import this as `fakes`; conftest.py puts this folder on the path.
"""

import asyncio
import json
import math
import selectors
from collections.abc import AsyncGenerator, Callable, Collection, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from random import Random
from types import TracebackType
from typing import Any, Self, TypeVar

from llmr.catalog import (
    Capabilities,
    Catalog,
    Dialect,
    Model,
    NamedModel,
    Price,
    Provider,
    RateLimit,
    Strategy,
    TimeoutOverrides,
    WireFormat,
)
from llmr.chat import ChatRequest, Message, Role
from llmr.conversations import Turn
from llmr.errors import ErrorKind, ProviderError
from llmr.secret import Secret
from llmr.state import AttemptRecord, RequestRecord, Row, Step
from llmr.state.memory import MemoryStore
from llmr.wire.contract import HttpRequest

T = TypeVar("T")

NOON = 1_795_435_200.0  # 2026-11-23 12:00 UTC
KEY = "sk-very-secret-0123456789"
PROMPT = "tell nobody about Rosebud-4711"
PATIENCE_S = 30.0  # real seconds: a hang is a failure, not a hang of the suite


class _Expired(asyncio.CancelledError):
    """What a sleeper meets when a deadline around it comes first; only its own block turns it into TimeoutError."""

    def __init__(self, deadline: "_Deadline") -> None:
        super().__init__()
        self.deadline = deadline


class _Deadline:
    """One `timeout()` block."""

    def __init__(self, clock: "FakeClock", seconds: float) -> None:
        self._clock = clock
        self._seconds = seconds
        self.at_s = math.inf

    async def __aenter__(self) -> Self:
        self.at_s = self._clock.monotonic() + max(0.0, self._seconds)
        self._clock.deadlines.append(self)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._clock.deadlines.remove(self)
        if isinstance(error, _Expired) and error.deadline is self:
            raise TimeoutError from error


class FakeClock:
    """Time that moves only when someone sleeps. `slept` are the router's own waits, in seconds; what providers take is not
    among them. For one task at a time."""

    def __init__(self, now: float = NOON) -> None:
        self.started_at = now
        self.elapsed_s = 0.0
        self.slept: list[float] = []
        self.deadlines: list[_Deadline] = []
        self.skew_s = 0.0  # of the wall clock alone

    def now(self) -> float:
        return self.started_at + self.elapsed_s + self.skew_s

    def monotonic(self) -> float:
        return self.elapsed_s

    def minute_of_week(self) -> int:
        return 12 * 60

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        await self.take(seconds)

    async def take(self, seconds: float) -> None:
        """Let `seconds` go by, or whatever is left until the first deadline around the caller. Infinite: a hang."""
        await asyncio.sleep(0)  # a place where the task can be cancelled
        first = min(self.deadlines, key=lambda deadline: deadline.at_s, default=None)
        if first is not None and first.at_s < self.elapsed_s + seconds:
            self.elapsed_s = max(self.elapsed_s, first.at_s)
            raise _Expired(first)
        assert math.isfinite(seconds), "this hangs for ever: nobody has set a deadline"
        self.elapsed_s += seconds

    def advance(self, seconds: float) -> None:
        """Let time go by outside of any wait, as a slow reader does."""
        self.elapsed_s += seconds

    def timeout(self, seconds: float) -> _Deadline:
        return _Deadline(self, seconds)


class RacingClock(FakeClock):
    """The same for several tasks at once: its time is that of the event loop, which must be a `VirtualLoop`."""

    def __init__(self, now: float = NOON) -> None:
        super().__init__(now)
        self.began_s: float | None = None

    def monotonic(self) -> float:
        loop_s = asyncio.get_running_loop().time()
        self.began_s = loop_s if self.began_s is None else self.began_s
        return loop_s - self.began_s

    def now(self) -> float:
        try:
            return self.started_at + self.monotonic()
        except RuntimeError:  # outside the loop: between two requests
            return self.started_at

    async def take(self, seconds: float) -> None:
        await asyncio.sleep(seconds if math.isfinite(seconds) else 10 * 365 * 86_400)

    def timeout(self, seconds: float) -> Any:
        return asyncio.timeout(seconds)


class _JumpingSelector(selectors.DefaultSelector):
    """Waits for nothing but files that are ready: the time that the loop wanted to wait goes by at once."""

    skipped_s = 0.0

    def select(self, timeout: float | None = None) -> Any:
        ready = super().select(0)
        if not ready and timeout is None:
            raise AssertionError("this hangs for ever: no task will ever wake")
        if not ready and timeout:
            self.skipped_s += timeout
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop in which nobody waits: time jumps to the next deadline. For what uses no socket and no thread."""

    def __init__(self) -> None:
        self._jumps = _JumpingSelector()
        super().__init__(self._jumps)

    def time(self) -> float:
        return self._jumps.skipped_s


# What providers answer


@dataclass(frozen=True)
class Answer:
    """One scripted answer. `refused` is raised instead of a head, `head_s` seconds after the request. `pieces` are bytes with
    the seconds before each; `broken` is raised after them; infinite seconds: a hang. `tail_s` passes before the end."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    head_s: float = 0.0
    pieces: tuple[tuple[float, bytes], ...] = ()
    tail_s: float = 0.0
    refused: ProviderError | None = None
    broken: ProviderError | None = None
    reached: asyncio.Event | None = None  # set, and then nothing more happens, after the pieces: a hang in real time
    reached_before_head: bool = False


def event(value: Any) -> bytes:
    return f"data: {json.dumps(value)}\n\n".encode()


def token(text: str) -> bytes:
    return event({"choices": [{"index": 0, "delta": {"content": text}}]})


def finish(reason: str = "stop", usage: tuple[int, int] | None = (7, 3)) -> bytes:
    """The finish reason, the usage and [DONE]."""
    end: dict[str, Any] = {"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]}
    if usage is not None:
        end["usage"] = {"prompt_tokens": usage[0], "completion_tokens": usage[1]}
    return event(end) + b"data: [DONE]\n\n"


KEEP_ALIVE = b": still here\n\n"
EMPTY_DELTA = event({"choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}}]})


def says(*words: str, ttft_s: float = 0.5, gap_s: float = 0.01, reason: str = "stop", usage: Any = (7, 3)) -> Answer:
    """A whole streamed answer."""
    first = (ttft_s, token(words[0]))
    return Answer(pieces=(first, *((gap_s, token(word)) for word in words[1:]), (gap_s, finish(reason, usage))))


def completion(text: str, *, after_s: float = 1.0, usage: tuple[int, int] = (7, 3)) -> Answer:
    """A whole unstreamed answer."""
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    body = {"choices": [choice], "usage": {"prompt_tokens": usage[0], "completion_tokens": usage[1]}}
    return Answer(pieces=((after_s, json.dumps(body).encode()),))


def breaks_off(*words: str, error: ProviderError | None = None, ttft_s: float = 0.5) -> Answer:
    """Words, and then the connection is gone."""
    gone = error or ProviderError(ErrorKind.INCOMPLETE, "the connection was reset")
    return Answer(pieces=tuple((ttft_s if n == 0 else 0.01, token(word)) for n, word in enumerate(words)), broken=gone)


def fails(status: int, message: str = "no", *, code: str | None = None, after_s: float = 0.1, **headers: str) -> Answer:
    """An error of this status. Header names are written with underscores."""
    body = json.dumps({"error": {"message": message, "code": code}}).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status, named, after_s, ((0.0, body),))


def unreachable(kind: ErrorKind = ErrorKind.CONNECT, after_s: float = 0.05) -> Answer:
    return Answer(head_s=after_s, refused=ProviderError(kind, "cannot be reached"))


def hangs(*words: str) -> Answer:
    """Words, and then silence for ever."""
    return Answer(pieces=tuple((0.5 if n == 0 else 0.01, token(word)) for n, word in enumerate(words)), tail_s=math.inf)


def hangs_before_head() -> Answer:
    return Answer(head_s=math.inf)


class _Reply:
    def __init__(self, answer: Answer, clock: FakeClock) -> None:
        self._answer = answer
        self._clock = clock
        self.status = answer.status
        self.headers = answer.headers

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        for after_s, piece in self._answer.pieces:
            await self._clock.take(after_s)
            yield piece
        if self._answer.reached is not None:
            self._answer.reached.set()
            await asyncio.Event().wait()
        if self._answer.tail_s:
            await self._clock.take(self._answer.tail_s)
        if self._answer.broken is not None:
            raise self._answer.broken

    async def body(self, limit_bytes: int, *, within_s: float) -> bytes:
        read = bytearray()
        try:
            async with self._clock.timeout(within_s):
                async for piece in self.chunks():
                    read += piece
        except (ProviderError, TimeoutError):
            pass
        return bytes(read[:limit_bytes])


class ScriptedTransport:
    """Providers that answer by the script: per provider, one Answer per request, the last one again and again."""

    def __init__(self, clock: FakeClock, script: Mapping[str, Answer | Sequence[Answer]]) -> None:
        self._clock = clock
        self._script = {name: [said] if isinstance(said, Answer) else list(said) for name, said in script.items()}
        self.asked: list[str] = []
        self.prepared: list[str] = []
        self.requests: list[HttpRequest] = []
        self.asked_at_s: list[float] = []
        self.open = 0  # connections not closed yet

    async def prepare(self, provider: Provider) -> None:
        self.prepared.append(provider.name)

    @asynccontextmanager
    async def stream(
        self, request: HttpRequest, provider: Provider, *, connect_s: float
    ) -> AsyncGenerator[_Reply, None]:
        assert connect_s > 0
        self.asked.append(provider.name)
        self.requests.append(request)
        self.asked_at_s.append(self._clock.monotonic())
        answers = self._script[provider.name]
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        self.open += 1
        try:
            if answer.reached is not None and answer.reached_before_head:
                answer.reached.set()
                await asyncio.Event().wait()
            await self._clock.take(answer.head_s)
            if answer.refused is not None:
                raise answer.refused
            yield _Reply(answer, self._clock)
        finally:
            self.open -= 1


# Stores that fail


class FaultyStore:
    """A MemoryStore behind a switch: `fault(method, call number)` gives the error to raise instead, or None.

    Methods are "read", "scan" and "transact". A step that only reads succeeds while `lets_reads_through`: SQLite takes no lock
    for it.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self.inner = MemoryStore(now)
        self.fault: Callable[[str], Exception | None] = lambda _: None
        self.before_transact: Callable[[], None] = lambda: None
        self.waits: list[float | None] = []

    @property
    def notices(self) -> Sequence[str]:
        return self.inner.notices

    def _check(self, method: str) -> None:
        error = self.fault(method)
        if error is not None:
            raise error

    def read(self, keys: Collection[str]) -> Mapping[str, Row]:
        self._check("read")
        return self.inner.read(keys)

    def scan(self, prefix: str) -> Mapping[str, Row]:
        self._check("scan")
        return self.inner.scan(prefix)

    def transact(self, keys: Collection[str], step: Step[T], *, wait_s: float | None = None) -> T:
        self.before_transact()
        self.waits.append(wait_s)
        change = step(self.inner.read(keys), self.inner._now())
        if not change.writes and not change.append:
            return change.result
        self._check("transact")
        return self.inner.transact(keys, step, wait_s=wait_s)

    def attempts(self, *, since: float = 0.0, limit: int | None = None) -> Sequence[AttemptRecord]:
        return self.inner.attempts(since=since, limit=limit)

    def requests(self, *, since: float = 0.0, limit: int | None = None) -> Sequence[RequestRecord]:
        return self.inner.requests(since=since, limit=limit)

    def close(self) -> None:
        self.inner.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        self.close()


# Builders


def provider(name: str, **facts: Any) -> Provider:
    """A provider on loopback that has a key."""
    facts.setdefault("key", Secret(KEY))
    facts.setdefault("key_fingerprint", "0badcafe")
    facts.setdefault("api_key_env", f"{name.upper()}_API_KEY")
    return Provider(name, WireFormat.OPENAI, f"http://127.0.0.1:9/{name}", **facts)


def model(owner: Provider | str, model_id: str = "m", **facts: Any) -> Model:
    return Model(provider(owner) if isinstance(owner, str) else owner, model_id, **facts)


def catalog(
    *models: Model, name: str = "best", fallback: Sequence[str] = (), more: Iterable[NamedModel] = ()
) -> Catalog:
    """`name` stands for all of `models`, in this order, by priority."""
    named = NamedModel(name, tuple(m.key for m in models), tuple(fallback), Strategy.PRIORITY)
    return Catalog(
        {m.provider.name: m.provider for m in models},
        {named.name: named, **{other.name: other for other in more}},
        {m.key: m for m in models},
        default_model=name,
    )


def request(text: str = PROMPT, **facts: Any) -> ChatRequest:
    return ChatRequest(messages=(Message.text(Role.USER, text),), **facts)


def turn(prompt: str, answer: str | None = "fine", *, outcome: str = "ok", at: float = NOON, **more: Any) -> Turn:
    """A turn of plain text, as a conversation keeps it."""
    said = Message.text(Role.ASSISTANT, answer) if answer is not None else None
    return Turn((Message.text(Role.USER, prompt),), said, outcome, at, **more)


__all__ = [
    "EMPTY_DELTA", "KEEP_ALIVE", "KEY", "NOON", "PATIENCE_S", "PROMPT", "Answer", "Capabilities", "Dialect",
    "FakeClock", "FaultyStore", "Price", "RacingClock", "RateLimit", "ScriptedTransport", "TimeoutOverrides",
    "VirtualLoop", "breaks_off", "catalog", "completion", "event", "fails", "finish", "hangs", "hangs_before_head",
    "model", "provider", "request", "says", "token", "turn", "unreachable",
]  # fmt: skip


def in_virtual_time(work: Any) -> Any:
    """What `work` gives, in an event loop whose time jumps."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(work)


class Dice(Random):
    """Chance that always says the same."""

    def __init__(self, says: float) -> None:
        super().__init__(7)
        self.says = says

    def random(self) -> float:
        """`says`, which may be changed."""
        return self.says
