"""`POST /v1/embeddings`: routed like a chat, over whoever has the very model that was asked for.

Vectors of one model mean nothing to another, so nobody stands in by likeness: candidates are those of a `[models.NAME]`
table, which is the user's own word that they are the same, or the one `provider/model-id`, or everybody who lists that id.
"""

from collections.abc import Mapping
from contextlib import aclosing
from typing import Any, Final

from llmr.app import App
from llmr.chat import ChatRequest, Message, Role, Usage
from llmr.router import AttemptStarted, Decided, Finished
from llmr.server.call import Call
from llmr.wire import json_text
from llmr.wire.embeddings import FIELDS, vectors_of

_LIKE_ONE: Final = "word"  # as long as a token is taken to be (routing/tokens.py): token ids are counted, not read


def embeddings_request(body: Mapping[str, Any]) -> ChatRequest:
    """The request, of a body whose shape is right. Its messages are there to be counted; what is sent is `extra`."""
    said: Any = body["input"]
    inputs: list[Any] = [said] if isinstance(said, str) or isinstance(said[0], int) else said
    return ChatRequest(
        messages=tuple(
            Message.text(Role.USER, one if isinstance(one, str) else _LIKE_ONE * len(one)) for one in inputs
        ),
        model=body["model"],
        stream=False,
        extra={name: body[name] for name in FIELDS if body.get(name) is not None},
    )


async def answer_embeddings(call: Call, app: App, request: ChatRequest) -> None:
    """Ask and answer. Raises LlmrError, Gone."""
    async with call.while_there(), aclosing(app.embedder().stream(request)) as events:
        async for event in events:
            if call.trace is not None:
                call.trace.event(event)
            match event:
                case Decided():
                    call.request_id = event.request_id or call.request_id
                case AttemptStarted():
                    call.attempts = event.number
                    await app.transport.prepare(event.candidate.model.provider)
                case Finished():
                    await _say(call, event)
                case _:
                    pass


async def _say(call: Call, done: Finished) -> None:
    model, usage = done.candidate.model, done.response.usage or Usage()
    call.provider, call.model, call.outcome = model.provider.name, model.id, "ok"
    call.told |= {
        "x-llmr-provider": model.provider.name,
        "x-llmr-model": model.id,
        "x-llmr-attempts": str(call.attempts),
    }
    tokens = usage.input_tokens or 0
    answer = {
        "object": "list",
        "data": vectors_of(done.response.text),
        "model": model.id,
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    }
    await call.answer(200, json_text.encode(answer))
