"""Asks a provider which models it has: the cheapest real request there is, free everywhere, and it needs the key.

What comes back says whether the key is good (`llmr keys test`), and whether a local server is up and what it serves (first
run, `llmr config init`). It touches no books: nothing that is asked for here says how the provider answers a chat.
"""

import asyncio
from collections.abc import Mapping, Sequence
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from llmr.app import LateTransport, SystemClock
from llmr.catalog import Model, Provider, WireFormat
from llmr.dataclass import dataclass
from llmr.errors import LlmrError, ProviderError
from llmr.wire import json_text, wire_for
from llmr.wire.anthropic import VERSION
from llmr.wire.contract import Credential, HttpRequest
from llmr.wire.parts import credential_for

_LIST_BYTES: Final = 1024 * 1024

_HEADERS: Final[Mapping[WireFormat, tuple[str, str]]] = MappingProxyType(
    {
        WireFormat.OPENAI: ("authorization", "Bearer "),
        WireFormat.RESPONSES: ("authorization", "Bearer "),
        WireFormat.ANTHROPIC: ("x-api-key", ""),
        WireFormat.GEMINI: ("x-goog-api-key", ""),
    }
)
"""The header that carries the key where the dialect names none."""

_ASKING: Final[Mapping[str, str]] = MappingProxyType({"https://openrouter.ai/api/v1": "/key"})
"""Providers that list their models to everybody: what to ask instead, so that the answer says something of the key."""


class Outcome(StrEnum):
    """What an answer says of the key, or of the server."""

    OK = "ok"
    REJECTED = "rejected"  # 401, 403
    UNCLEAR = "unclear"  # it answered, but not to this question
    DOWN = "down"  # nobody there, or an error of theirs
    NO_KEY = "no_key"  # our own side had none to send


@dataclass(frozen=True, slots=True)
class Answer:
    """What one provider said. `models` are ids as it lists them; `took_s` seconds until it was read."""

    provider: Provider
    outcome: Outcome
    took_s: float
    status: int | None = None
    detail: str = ""
    models: tuple[str, ...] = ()


def counted(models: Sequence[str]) -> str:
    """How many there are, in words."""
    return "1 model" if len(models) == 1 else f"{len(models) or 'no'} models"


async def ask(transport: LateTransport, provider: Provider, *, within_s: float) -> Answer:
    """Ask it, within so many seconds after its key is at hand. Never raises for what the provider does."""
    clock = SystemClock()
    try:
        await transport.prepare(provider)
        began_s = clock.monotonic()
        request = HttpRequest("GET", *_where(provider), b"", _credential(provider))
        async with asyncio.timeout(within_s), transport.stream(request, provider, connect_s=within_s) as reply:
            body = await reply.body(_LIST_BYTES, within_s=within_s)
            return _read(provider, reply.status, reply.headers, body, clock, began_s)
    except TimeoutError:
        return Answer(provider, Outcome.DOWN, within_s, detail=f"no answer within {within_s:g} s")
    except ProviderError as error:
        return Answer(provider, Outcome.DOWN, 0.0, error.status, error.message)
    except LlmrError as error:  # a key that could not be fetched or cannot be sent
        return Answer(provider, Outcome.NO_KEY, 0.0, detail=str(error))


def _read(
    provider: Provider, status: int, headers: Mapping[str, str], body: bytes, clock: SystemClock, began_s: float
) -> Answer:
    took_s = clock.monotonic() - began_s
    if 200 <= status < 300:
        models = _listed(body)
        asked_for_list = provider.base_url not in _ASKING
        if models is None and asked_for_list:
            return Answer(provider, Outcome.UNCLEAR, took_s, status, "answered, but with no list of models")
        return Answer(provider, Outcome.OK, took_s, status, models=models or ())
    said = wire_for(provider.wire).classify(status, headers, body, now=clock.now()).message
    if status in {401, 403}:
        return Answer(provider, Outcome.REJECTED, took_s, status, said)
    if status in {404, 405}:
        return Answer(provider, Outcome.UNCLEAR, took_s, status, "it has no list of models to ask for")
    outcome = Outcome.DOWN if status >= 500 else Outcome.UNCLEAR
    return Answer(provider, outcome, took_s, status, said)


def _listed(body: bytes) -> tuple[str, ...] | None:
    """The ids, from `data[].id` (OpenAI, Anthropic) or `models[].name` (Gemini); None: this is no list."""
    try:
        document = json_text.object_of(json_text.parse(body.decode("utf-8", "replace")))
    except json_text.JsonError:
        return None
    for key, name in (("data", "id"), ("models", "name")):
        if isinstance(document.get(key), list):
            found = (
                json_text.text_of(json_text.object_of(item).get(name)) for item in json_text.list_of(document[key])
            )
            return tuple(model.removeprefix("models/") for model in found if model)
    return None


def _where(provider: Provider) -> tuple[str, tuple[tuple[str, str], ...]]:
    """The URL to ask, and the headers without the key."""
    from urllib.parse import urlencode

    base = provider.base_url.rstrip("/")
    query = f"?{urlencode(provider.dialect.query)}" if provider.dialect.query else ""
    version = {"anthropic-version": VERSION} if provider.wire is WireFormat.ANTHROPIC else {}
    headers = {"accept": "application/json", **version, **{n.lower(): v for n, v in provider.headers.items()}}
    return base + _ASKING.get(base, "/models") + query, tuple(headers.items())


def _credential(provider: Provider) -> Credential | None:
    header, prefix = _HEADERS[provider.wire]
    return credential_for(Model(provider, "any"), header, prefix)
