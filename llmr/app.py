"""The composition root: the only place that picks the real clock, HTTP client, state store and chance.

`App` is what a command works with: a frozen configuration, the registry over the opened store, and the router. The HTTP
client is imported when the first request leaves, so that `rank` and `providers status` never pay for it.
"""

import random
import time
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import AbstractAsyncContextManager, AbstractContextManager, ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self, TypeVar, final

from llmr.catalog import Model, Provider
from llmr.chat import ChatRequest
from llmr.config.build import Config
from llmr.dataclass import dataclass
from llmr.errors import StateError
from llmr.exchange import Aside, HttpReply, Transport
from llmr.registry import Later, ProviderRegistry
from llmr.router import Event, Router
from llmr.routing.rules import RulesEngine
from llmr.secret import Redactor
from llmr.state import StateStore
from llmr.wire import wire_for
from llmr.wire.contract import HttpRequest

if TYPE_CHECKING:
    from llmr.cache.store import AnswerStore
    from llmr.conversations.store import ConversationStore
    from llmr.router.cached import CachedRouter
    from llmr.router.throttle import Throttle
    from llmr.transport import HttpTransport
    from llmr.transport.direct import DirectTransport


T = TypeVar("T")

_PATIENCE_WHEN_SERVING_S: Final = 0.02  # while one request waits for the store's lock, every other answer waits too


@final
class SystemClock:
    """Real time."""

    def now(self) -> float:
        """Wall-clock seconds since the epoch."""
        return time.time()  # noqa: TID251 - the real clock's home

    def monotonic(self) -> float:
        """Seconds that never run backwards."""
        return time.monotonic()  # noqa: TID251 - the real clock's home

    def minute_of_week(self) -> int:
        """Local minutes since Monday, 0:00."""
        local = time.localtime()
        return (local.tm_wday * 24 + local.tm_hour) * 60 + local.tm_min

    async def sleep(self, seconds: float) -> None:
        """Return after `seconds`."""
        import asyncio

        await asyncio.sleep(seconds)

    def timeout(self, seconds: float) -> AbstractAsyncContextManager[object]:
        """A block that ends in TimeoutError after `seconds`; time in which this process stood still is no one's."""
        from llmr.patience import Patience

        return Patience(seconds)


@final
class LateTransport:
    """The HTTP transport, imported when the block begins: `rank` never pays for it, and no first token's time contains it."""

    def __init__(self, ca_file: str | None = None, *, serving: bool = False) -> None:
        """`ca_file` as transport.HttpTransport has it; `serving`: by the one that needs the packages of a server."""
        self._ca_file = ca_file
        self._serving = serving
        self._transport: HttpTransport | DirectTransport | None = None

    async def __aenter__(self) -> Self:
        self._transport = await self._chosen().__aenter__()
        return self

    def _chosen(self) -> "HttpTransport | DirectTransport":
        if self._serving:
            from llmr.transport.direct import DirectTransport

            return DirectTransport(ca_file=self._ca_file)
        from llmr.transport import HttpTransport

        return HttpTransport(ca_file=self._ca_file)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        transport, self._transport = self._transport, None
        if transport is not None:
            await transport.__aexit__(kind, error, trace)

    async def prepare(self, provider: Provider) -> None:
        """As exchange.Transport.prepare, within the block."""
        if self._transport is None:
            raise RuntimeError("the transport is used outside its block")
        await self._transport.prepare(provider)

    def stream(
        self, request: HttpRequest, provider: Provider, *, connect_s: float
    ) -> AbstractAsyncContextManager[HttpReply]:
        """As exchange.Transport.stream, within the block."""
        if self._transport is None:
            raise RuntimeError("the transport is used outside its block")
        return self._transport.stream(request, provider, connect_s=connect_s)


@final
@dataclass(frozen=True, slots=True)
class App:
    """What a command works with. `redact` is the last filter before any text leaves for stderr or JSON; `cached` None: no
    answer is looked up or kept."""

    config: Config
    store: StateStore
    registry: ProviderRegistry
    router: Router
    transport: LateTransport
    clock: SystemClock
    redact: Redactor
    cached: "CachedRouter | None" = None

    def stream(self, request: ChatRequest) -> AsyncGenerator[Event, None]:
        """As `Router.stream`, through the cache where there is one."""
        return self.router.stream(request) if self.cached is None else self.cached.stream(request)

    def embedder(self) -> Router:
        """The same router with the wires for embeddings. A model's window is each text's own, not the batch's, so it is the
        provider's to judge; what is asked of it is counted all the same."""
        from llmr.wire.embeddings import embedding_wire_for

        catalog = self.config.catalog
        models = {key: _boundless(model) for key, model in catalog.models.items()}

        def describe(provider: Provider, model_id: str) -> Model:
            return _boundless(catalog.describe(provider, model_id))

        return Router(
            catalog=replace(catalog, models=models, describe=describe),
            rules=RulesEngine(self.config.rules, self.config.policy.strategy),
            policy=self.config.policy,
            registry=self.registry,
            transport=self.transport,
            wires=embedding_wire_for,
            clock=self.clock,
            chance=random.Random(),  # noqa: S311 - as in `opened`
        )

    @contextmanager
    def apart(self) -> Generator["App"]:
        """The same over a connection of its own, for a thread that reads much: no request waits for the store's lock with it.
        Raises StateError."""
        from llmr.state.memory import MemoryStore

        if self.config.state_path is None or isinstance(self.store, MemoryStore):
            yield self
            return
        from llmr.state.sqlite import SqliteStore

        policy = self.config.policy
        with SqliteStore(self.config.state_path, self.clock.now) as store:
            registry = ProviderRegistry(store, policy.breaker, random.Random(), spend=policy.spend)  # noqa: S311 - as in `opened`
            yield replace(self, store=store, registry=registry)

    @property
    def notices(self) -> tuple[str, ...]:
        """What a person should be told of the files, once."""
        return (*self.registry.notices, *(self.cached.store.notices if self.cached is not None else ()))


def _boundless(model: Model) -> Model:
    return replace(model, capabilities=replace(model.capabilities, context_window_tokens=None))


@contextmanager
def opened(
    config: Config,
    *,
    remember: bool = True,
    serving: bool = False,
    tap: Callable[[Transport], Transport] | None = None,
    with_cache: bool = False,
) -> Generator[App]:
    """The parts, put together over the configured state; `remember` False: over memory that is gone with the process;
    `serving`: what may be written a moment later is, by a thread. `tap` stands between the router and the transport.
    `with_cache`: answers may be looked up and kept, as far as it is wished.

    What had to wait for the store's lock is written at the end. Trouble with the store is told by `registry.notices`.
    """
    _leave_no_core()
    clock = SystemClock()
    chance = random.Random()  # noqa: S311 - jitter and exploration, no secrets
    with (
        _store(config, clock, remember=remember, serving=serving) as store,
        _later(store, config, clock, serving=serving) as later,
    ):
        registry = ProviderRegistry(store, config.policy.breaker, chance, spend=config.policy.spend, later=later)
        transport = LateTransport(config.ca_file, serving=serving)
        router = Router(
            catalog=config.catalog,
            rules=RulesEngine(config.rules, config.policy.strategy),
            policy=config.policy,
            registry=registry,
            transport=transport if tap is None else tap(transport),
            wires=wire_for,
            clock=clock,
            chance=chance,
            throttle=_throttle(clock, chance) if serving else None,
        )
        redact = Redactor(config.secrets())
        try:
            with ExitStack() as stack:
                app = App(config, store, registry, router, transport, clock, redact)
                if with_cache and config.cache_path is not None:
                    answers = stack.enter_context(open_answers(config.cache_path, config))
                    aside = stack.enter_context(_one_thread()) if serving else _here
                    app = replace(app, cached=_cached(app, answers, aside, chance))
                yield app
        finally:
            registry.flush()


def _throttle(clock: SystemClock, chance: random.Random) -> "Throttle":
    from llmr.router.throttle import Throttle

    return Throttle(clock.monotonic, chance)


def _leave_no_core() -> None:
    """A crash must not write the keys that are in memory to a file (trust.md §6). Programs that are started inherit it."""
    import resource

    hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
    resource.setrlimit(resource.RLIMIT_CORE, (0, hard))


@contextmanager
def _later(store: StateStore, config: Config, clock: SystemClock, *, serving: bool) -> Generator[Later | None]:
    """What takes writes that may wait; None where they need not: a single request, or a store that is memory."""
    from llmr.state.memory import MemoryStore

    if not serving or config.state_path is None or isinstance(store, MemoryStore):
        yield None
        return
    from llmr.state.behind import WriteBehind
    from llmr.state.sqlite import SqliteStore

    try:
        behind = WriteBehind(SqliteStore(config.state_path, clock.now), clock.monotonic)
    except StateError:  # the other connection could be had, this one not: everything is written at once
        yield None
        return
    try:
        yield behind
    finally:
        behind.close()


async def _here(work: Callable[[], T], /) -> T:
    return work()


@contextmanager
def _one_thread() -> Generator[Aside]:
    """A thread for what may have to wait for a file: a server's other answers do not wait with it."""
    import asyncio
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1, thread_name_prefix="llmr-cache") as thread:

        async def aside(work: Callable[[], T], /) -> T:
            return await asyncio.get_running_loop().run_in_executor(thread, work)

        yield aside


def _cached(app: App, answers: "AnswerStore", aside: Aside, chance: random.Random) -> "CachedRouter":
    from llmr.router.cached import CachedRouter
    from llmr.router.embedding import Embedder

    policy = app.config.policy.cache
    embedder = None
    if policy.semantic.enabled:
        embedder = Embedder(app.embedder(), policy.semantic.model, app.transport.prepare)
    return CachedRouter(
        app.router,
        answers,
        app.registry,
        app.clock,
        chance,
        app.redact,
        enabled=policy.enabled,
        aside=aside,
        embedder=embedder,
        threshold=policy.semantic.threshold,
    )


def open_answers(path: Path, config: Config) -> "AnswerStore":
    """The answer cache in `path`; the file is made when something is kept or looked for."""
    from llmr.cache.store import AnswerStore

    policy = config.policy.cache
    return AnswerStore(path, SystemClock().now, ttl_s=policy.ttl_s, max_bytes=int(policy.max_mb * 1e6))


def open_conversations(path: Path, *, patience_s: float | None = None) -> "ConversationStore":
    """The conversations in `path`, made where it is missing. `patience_s`: as ConversationStore has it, None: its own. Raises
    StateBusy, StateUnusable."""
    from llmr.conversations.store import PATIENCE_S, ConversationStore

    patience_s = PATIENCE_S if patience_s is None else patience_s
    chance = random.Random()  # noqa: S311 - ids that nobody has to guess
    return ConversationStore(path, SystemClock().now, chance, patience_s=patience_s)


def read_conversations(path: Path) -> "AbstractContextManager[ConversationStore]":
    """The same, to be read alone: it works where nothing can be written."""
    from llmr.conversations.reading import read_only

    return read_only(path, SystemClock().now, random.Random())  # noqa: S311 - as above


def _store(config: Config, clock: SystemClock, *, remember: bool, serving: bool) -> StateStore:
    if not remember:
        from llmr.state.memory import MemoryStore

        return MemoryStore(clock.now)
    if config.state_path is None:
        from llmr.state.memory import MemoryStore

        return MemoryStore(clock.now, notices=(config.state_note,) if config.state_note is not None else ())
    from llmr.state.sqlite import open_store

    return open_store(config.state_path, clock.now, **({"patience_s": _PATIENCE_WHEN_SERVING_S} if serving else {}))
