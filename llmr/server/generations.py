"""The App that requests are served with, and the ones before it that still serve some.

A new configuration takes effect between two requests: it gets an App of its own, and the old one is closed when its last
request is over. Streams that run for minutes are not disturbed. Both write to the same store.

Opening and closing wait for the store's lock, which another process may hold for seconds: a thread does both.
"""

import asyncio
from collections.abc import AsyncGenerator, Generator
from contextlib import AbstractContextManager, AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import field
from types import TracebackType
from typing import Self

from llmr.app import App, opened
from llmr.config.build import Config
from llmr.dataclass import dataclass


@dataclass(slots=True, eq=False)
class _Generation:
    app: App
    resources: AsyncExitStack
    users: int = 0
    unused: asyncio.Event = field(default_factory=asyncio.Event)

    def left(self) -> None:
        """One user less."""
        self.users -= 1
        if self.users == 0:
            self.unused.set()


class Generations:
    """An async context manager: the first App is there from its beginning, and all are closed at its end."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._now: _Generation | None = None
        self._retiring: set[asyncio.Task[None]] = set()
        self._retired: list[App] = []

    async def __aenter__(self) -> Self:
        self._now = await _begun(self._config)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for retiring in self._retiring:
            retiring.cancel()  # the server has drained: whoever still asks is being cut off
        await asyncio.gather(*self._retiring, return_exceptions=True)
        if self._now is not None:
            await self._now.resources.aclose()

    @property
    def app(self) -> App:
        """The App of the next request."""
        assert self._now is not None  # noqa: S101 - within the block
        return self._now.app

    @property
    def notices(self) -> tuple[str, ...]:
        """What a person should be told of the files, by every App that there was, once."""
        apps = (*self._retired, *(() if self._now is None else (self._now.app,)))
        return tuple(dict.fromkeys(notice for app in apps for notice in app.notices))

    @contextmanager
    def use(self) -> Generator[App]:
        """The App for one request, kept until it is over."""
        generation = self._now
        assert generation is not None  # noqa: S101 - within the block
        generation.users += 1
        try:
            yield generation.app
        finally:
            generation.left()

    async def renew(self, config: Config) -> None:
        """Serve by `config` from the next request on. Raises LlmrError, having changed nothing."""
        fresh = await _begun(config)
        old, self._now = self._now, fresh
        if old is not None:
            self._retired.append(old.app)
            task = asyncio.create_task(_retired(old))
            self._retiring.add(task)
            task.add_done_callback(self._retiring.discard)


async def _begun(config: Config) -> _Generation:
    async with AsyncExitStack() as stack:
        app = await stack.enter_async_context(_by_a_thread(opened(config, serving=True, with_cache=True)))
        await stack.enter_async_context(app.transport)
        return _Generation(app, stack.pop_all())
    raise AssertionError("a stack swallows nothing")  # pragma: no cover


@asynccontextmanager
async def _by_a_thread(opening: AbstractContextManager[App]) -> AsyncGenerator[App, None]:
    """The App, entered and left by a thread. Whoever is cancelled meanwhile leaves what has been entered, and waits for it."""
    entered = asyncio.create_task(asyncio.to_thread(opening.__enter__))

    async def leave() -> None:
        await entered
        await asyncio.to_thread(opening.__exit__, None, None, None)

    try:
        yield await asyncio.shield(entered)
    finally:
        if not entered.done() or entered.exception() is None:
            await _to_its_end(asyncio.create_task(leave()))


async def _to_its_end(task: asyncio.Task[None]) -> None:
    """Wait for the task, also while cancelled: that is told when it is over."""
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise


async def _retired(generation: _Generation) -> None:
    """Close it when its last request is over."""
    try:
        if generation.users:
            generation.unused.clear()
            await generation.unused.wait()
    finally:
        await generation.resources.aclose()
