"""A prompt's vector, for the semantic cache: asked of a provider like anything else, and never worth waiting long for.

The prompt leaves the machine for it. So the request carries what the user's own request says about itself, its tags and its
provider: where a rule or the user keeps that one at home, nobody else is asked for its vector, and there is none.
"""

from collections.abc import Awaitable, Callable
from contextlib import aclosing
from typing import Any, Final

from llmr.cache.likeness import packed
from llmr.catalog import Provider
from llmr.chat import ChatRequest, Message, Role
from llmr.dataclass import dataclass
from llmr.errors import LlmrError
from llmr.router.events import AttemptStarted, Finished
from llmr.router.loop import Router
from llmr.wire.embeddings import vectors_of
from llmr.wire.json_text import list_of, object_of

_PATIENCE_S: Final = 3.0  # then the request goes on without


@dataclass(frozen=True, slots=True)
class Embedder:
    """Asks `model` (provider/model-id, or a name) through a router with the wires for embeddings."""

    router: Router
    model: str
    prepare: Callable[[Provider], Awaitable[None]]

    async def vector(self, text: str, of: ChatRequest) -> bytes:
        """The packed vector of `text`, which is from the request `of`; empty where there is none to be had."""
        request = ChatRequest(
            messages=(Message.text(Role.USER, text),),
            model=self.model,
            stream=False,
            extra={"input": [text], "encoding_format": "float"},
            provider=of.provider,
            tags=of.tags,
            metadata=of.metadata,
            deadline_s=_PATIENCE_S,
        )
        try:
            async with aclosing(self.router.stream(request)) as events:
                async for event in events:
                    if isinstance(event, AttemptStarted):
                        await self.prepare(event.candidate.model.provider)
                    elif isinstance(event, Finished):
                        return _first(vectors_of(event.response.text))
        except LlmrError:  # in the history, as any failure; the cache is not worth an error
            pass
        return b""


def _first(rows: list[Any]) -> bytes:
    vector = list_of(object_of(rows[0]).get("embedding")) if rows else []
    return packed(vector) if all(isinstance(value, int | float) for value in vector) else b""
