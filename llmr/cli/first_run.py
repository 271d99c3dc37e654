"""Nobody can be asked: say what is missing, which local servers were looked for, and what works right now.

The local servers of the catalogue are asked for their models at once, all together, for at most 200 ms, and only here: a
machine that has a key never pays for the look.
"""

import asyncio
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from llmr.app import LateTransport
from llmr.catalog import Provider
from llmr.errors import NoProviderReady, ProviderError
from llmr.wire import json_text
from llmr.wire.contract import HttpRequest

LOOK_S: Final = 0.2  # cli.md, First run
_LIST_BYTES: Final = 256 * 1024
_NAMED: Final = 4  # more variables than that are no help on one line


@dataclass(frozen=True, slots=True)
class Found:
    """A server that answered. `models` are ids as it lists them, possibly none."""

    provider: Provider
    models: tuple[str, ...]


def first_run_lines(error: NoProviderReady, local: Sequence[Provider]) -> Iterator[str]:
    """What is said below the error. Looks for the local servers."""
    found = asyncio.run(_look_for(local))
    for server in found:
        count = f"{len(server.models)} models" if len(server.models) != 1 else "1 model"
        model = f"{server.provider.name}/{server.models[0]}" if server.models else f"{server.provider.name}/MODEL"
        yield f"  found    {server.provider.name} at {_place(server.provider)} ({count}): llmr chat -m {shlex.quote(model)} …"
    missed = [provider for provider in local if provider not in [server.provider for server in found]]
    if missed:
        yield f"  not up   {', '.join(f'{p.name} ({_place(p)})' for p in missed)}"
    if error.missing:
        more = " …" if len(error.missing) > _NAMED else ""
        yield f"  missing  {', '.join(error.missing[:_NAMED])}{more}"
        yield f"  add one  export {error.missing[0]}=…"
    yield "  try it   llmr chat --demo …"


async def _look_for(local: Sequence[Provider]) -> list[Found]:
    async with LateTransport() as transport:
        answers = await asyncio.gather(*(_ask(transport, provider) for provider in local))
    return [answer for answer in answers if answer is not None]


async def _ask(transport: LateTransport, provider: Provider) -> Found | None:
    """The models a server lists; None where nobody answers like one."""
    request = HttpRequest("GET", f"{provider.base_url}/models", (), b"")
    try:
        async with asyncio.timeout(LOOK_S), transport.stream(request, provider, connect_s=LOOK_S) as reply:
            if reply.status != 200:
                return None
            document = json_text.object_of(json_text.parse((await reply.body(_LIST_BYTES, within_s=LOOK_S)).decode()))
    except (TimeoutError, ProviderError, ValueError):
        return None
    listed = json_text.list_of(document.get("data"))
    ids = (json_text.text_of(json_text.object_of(item).get("id")) for item in listed)
    return Found(provider, tuple(model for model in ids if model))


def _place(provider: Provider) -> str:
    """host:port, with localhost as people know it."""
    return (urlsplit(provider.base_url).netloc or provider.base_url).replace("127.0.0.1", "localhost")
