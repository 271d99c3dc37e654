"""A changed or new routing.toml, or key, takes effect while the server runs; a wrong one is said and changes nothing.

The places are looked at once a second: a few `stat` calls, on every system and file system alike.
"""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from llmr.config.build import Config
from llmr.errors import LlmrError
from llmr.server.generations import Generations

EVERY_S: Final = 1.0

Stamp = tuple[int, int, int] | None
Load = Callable[[], Config]
"""Reads the configuration anew. Raises LlmrError."""


async def follow(files: Sequence[Path], load: Load, generations: Generations, say: Callable[[str], None]) -> None:
    """Reload whenever one of the files changes, comes or goes, until cancelled."""
    seen = [_stamp(file) for file in files]
    while True:
        await asyncio.sleep(EVERY_S)
        now = [_stamp(file) for file in files]
        if now == seen:
            continue
        seen = now
        try:
            config = await asyncio.to_thread(load)
            await generations.renew(config)
        except LlmrError as error:
            say(f"the configuration changed and cannot be used; the old one stays: {error}")
        else:
            say("the configuration changed: the next request is served by it")
            for notice in config.notices:
                say(notice)


def _stamp(file: Path) -> Stamp:
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
