"""Waits for a key that a vault or a keyring gives out, without holding up the event loop or the end of the process.

As with names that are looked up (sockets.py): the question is asked in a daemon thread, which nobody waits for, so Ctrl-C
ends a run although a vault still waits for a finger.
"""

import asyncio
import contextlib
import threading

from llmr.errors import LlmrError
from llmr.secret import Secret


async def at_hand(secret: Secret) -> None:
    """Return once `reveal()` answers at once, with the key or with its failure."""
    if secret.is_at_hand:
        return
    loop = asyncio.get_running_loop()
    done: asyncio.Future[None] = loop.create_future()

    def settle() -> None:
        if not done.done():
            done.set_result(None)

    def fetch() -> None:
        with contextlib.suppress(LlmrError):  # the secret keeps it, and reveal() raises it where it can be told
            secret.reveal()
        with contextlib.suppress(RuntimeError):  # the loop may be closed by now
            loop.call_soon_threadsafe(settle)

    threading.Thread(target=fetch, name="llmr-key", daemon=True).start()
    await done
