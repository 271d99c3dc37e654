"""Something that happens once: the peer left, the gate was opened.

A test runs in one thread, the lab often in another, and neither may sleep to find out. So a fact can be
awaited from a coroutine in any loop and waited for from any thread.
"""

import asyncio
import threading
from typing import final


@final
class Fact:
    """False until `set()`, true for ever after. Every method may be called from any thread."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self._lock = threading.Lock()
        self._waiting: list[asyncio.Future[None]] = []

    def __bool__(self) -> bool:
        return self._event.is_set()

    def __repr__(self) -> str:
        return f"Fact({bool(self)})"

    def set(self) -> None:
        """It happened. Saying so again changes nothing."""
        with self._lock:
            self._event.set()
            waiting, self._waiting = self._waiting, []
        for future in waiting:
            loop = future.get_loop()
            if not loop.is_closed():
                loop.call_soon_threadsafe(_resolve, future)

    def wait(self, timeout_s: float = 30.0) -> bool:
        """Block this thread until it happened; False if that took longer than `timeout_s`."""
        return self._event.wait(timeout_s)

    async def happened(self) -> None:
        """Wait in a coroutine until it happened."""
        with self._lock:
            if self._event.is_set():
                return
            future = asyncio.get_running_loop().create_future()
            self._waiting.append(future)
        await future


def _resolve(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
