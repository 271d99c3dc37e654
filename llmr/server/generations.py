"""The App that requests are served with, and the ones before it that still serve some.

A new configuration takes effect between two requests: it gets an App of its own, and the old one is closed when its last
request is over. Streams that run for minutes are not disturbed. Both write to the same store.
"""

import asyncio
from collections.abc import Generator
from contextlib import AsyncExitStack, contextmanager
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
            task = asyncio.create_task(_retired(old))
            self._retiring.add(task)
            task.add_done_callback(self._retiring.discard)


async def _begun(config: Config) -> _Generation:
    async with AsyncExitStack() as stack:
        app = stack.enter_context(opened(config, serving=True, with_cache=True))
        await stack.enter_async_context(app.transport)
        return _Generation(app, stack.pop_all())
    raise AssertionError("a stack swallows nothing")  # pragma: no cover


async def _retired(generation: _Generation) -> None:
    """Close it when its last request is over."""
    try:
        if generation.users:
            generation.unused.clear()
            await generation.unused.wait()
    finally:
        await generation.resources.aclose()
