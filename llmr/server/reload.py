"""A changed or new routing.toml, or key, takes effect while the server runs; a wrong one is said and changes nothing.

The places are looked at twice a second: a few `stat` calls, on every system and file system alike. A file that is gone may be
in an editor's hands (moved away, written anew): for some seconds everything stays as it was. Only then it counts as gone.
"""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from llmr.config.build import Config
from llmr.errors import LlmrError
from llmr.server.generations import Generations

EVERY_S: Final = 0.5
_LOOKS_FOR_GONE: Final = 10  # so many in a row must find nothing before a file counts as gone

Stamp = tuple[int, int, int] | None
Load = Callable[[], Config]
"""Reads the configuration anew. Raises LlmrError."""


async def follow(files: Sequence[Path], load: Load, generations: Generations, say: Callable[[str], None]) -> None:
    """Reload whenever one of the files changes, comes or goes, until cancelled."""
    seen = [_stamp(file) for file in files]
    looks: dict[Path, int] = {}  # of a file that was there when it was last read: how often it was missed
    while True:
        await asyncio.sleep(EVERY_S)
        now = [_stamp(file) for file in files]
        missed = [file for file, was, found in zip(files, seen, now, strict=True) if was is not None and found is None]
        for file in looks.keys() - missed:
            say(f"{file.name} is back")
        looks = {file: looks.get(file, 0) + 1 for file in missed}
        for file in (file for file, times in looks.items() if times == 1):
            say(
                f"{file.name} is gone; for {_LOOKS_FOR_GONE * EVERY_S:g} s the old configuration stays, should it come back"
            )
        if now == seen or any(times < _LOOKS_FOR_GONE for times in looks.values()):
            continue
        seen, looks = now, {}
        gone = ", ".join(file.name for file in missed)
        await _renew(f"{gone} is gone" if gone else "the configuration changed", load, generations, say)


async def _renew(what: str, load: Load, generations: Generations, say: Callable[[str], None]) -> None:
    try:
        config = await asyncio.to_thread(load)
        await generations.renew(config)
    except LlmrError as error:
        say(f"{what}; the old configuration stays: {error}")
        return
    say(f"{what}: the next request is served by what is there now")
    for notice in config.notices:
        say(notice)


def _stamp(file: Path) -> Stamp:
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
