"""The table of paths: what each is for, what it takes and what it gives.

Whoever adds a path adds a row. Serving, refusing, counting and describing (`/openapi.json`) all read this table.
"""

import asyncio
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from llmr.app import App
from llmr.dataclass import replace
from llmr.server.answering import LEFT_OUT, answer
from llmr.server.call import Call
from llmr.server.embeddings import answer_embeddings, embeddings_request
from llmr.server.hints import hinted
from llmr.server.listings import HEALTHY, model_body, models_body, rank_body, tokens_body
from llmr.server.metrics import CONTENT_TYPE
from llmr.server.openapi import openapi_body
from llmr.server.page import page
from llmr.server.route import Counts, Route
from llmr.server.schema_answers import (
    AnthropicModel,
    AnthropicModelList,
    ChatCompletion,
    ChatCompletionChunk,
    EmbeddingList,
    Health,
    MessageAnswer,
    MessageEvent,
    ModelCard,
    ModelList,
    OpenApiDocument,
    RankAnswer,
    StatusAnswer,
    TokenCount,
)
from llmr.server.schema_anthropic import CountTokensRequest, MessagesRequest
from llmr.server.schema_embeddings import EmbeddingsRequest
from llmr.server.schema_openai import ChatCompletionRequest
from llmr.server.schema_rank import RankQuery
from llmr.server.status import status_body
from llmr.wire.serving import Dialect, dialect_named

_OPENAI: Final = dialect_named("openai")
_ANTHROPIC: Final = dialect_named("anthropic")
_MODELS: Final = "/v1/models"
_ONE_MODEL: Final = "/v1/models/{model}"
_HTML: Final = "text/html; charset=utf-8"

Body = Mapping[str, Any]


def found(path: str) -> str | None:
    """The row of the table that a path belongs to; None: there is no such path."""
    if path in ROUTES:
        return path
    return _ONE_MODEL if path.startswith(f"{_MODELS}/") else None


def dialect_of(route: Route | None, call: Call) -> Dialect:
    """In whose words a refusal is said: the path's, before anything of the request is trusted; a list's by who asks."""
    if route is None:
        return _OPENAI
    return route.dialect or (_ANTHROPIC if _by_anthropic(call) else _OPENAI)


async def _chat(counts: Counts, call: Call, app: App, dialect: Dialect, body: Body) -> None:
    asked = dialect.request(body)
    if asked.unsaid:
        call.told[LEFT_OUT] = ", ".join(asked.unsaid)
    request = hinted(asked.request, call)
    if counts.tracer is not None:
        call.trace = counts.tracer.begin(call, request, "chat")
    await answer(call, app, replace(asked, request=request), dialect)


async def _completions(counts: Counts, call: Call, app: App, body: Body) -> None:
    await _chat(counts, call, app, _OPENAI, body)


async def _messages(counts: Counts, call: Call, app: App, body: Body) -> None:
    await _chat(counts, call, app, _ANTHROPIC, body)


async def _embeddings(counts: Counts, call: Call, app: App, body: Body) -> None:
    request = hinted(embeddings_request(body), call)
    if counts.tracer is not None:
        call.trace = counts.tracer.begin(call, request, "embeddings")
    await answer_embeddings(call, app, request)


async def _count_tokens(_counts: Counts, call: Call, _app: App, body: Body) -> None:
    await call.answer(200, tokens_body(_ANTHROPIC.request(body).request))


async def _models(_counts: Counts, call: Call, app: App, _body: Body) -> None:
    await call.answer(
        200, models_body(app, everything=b"all=true" in call.query.split(b"&"), anthropic=_by_anthropic(call))
    )


async def _model(_counts: Counts, call: Call, app: App, _body: Body) -> None:
    model_id = call.path.removeprefix(f"{_MODELS}/")
    await call.answer(200, model_body(app, model_id, anthropic=_by_anthropic(call)))


async def _rank(_counts: Counts, call: Call, app: App, _body: Body) -> None:
    await call.answer(200, rank_body(app, call))


async def _status(counts: Counts, call: Call, app: App, _body: Body) -> None:
    under_way = counts.under_way
    await call.answer(200, await asyncio.to_thread(lambda: status_body(app, under_way=under_way)))


async def _page(_counts: Counts, call: Call, _app: App, _body: Body) -> None:
    content, headers = page()
    await call.answer(200, content, content_type=_HTML.encode(), headers=headers)


async def _metrics(counts: Counts, call: Call, app: App, _body: Body) -> None:
    page = await asyncio.to_thread(lambda: counts.metrics.page(app))
    await call.answer(200, page, content_type=CONTENT_TYPE)


async def _health(_counts: Counts, call: Call, _app: App, _body: Body) -> None:
    await call.answer(200, HEALTHY)


async def _openapi(_counts: Counts, call: Call, _app: App, _body: Body) -> None:
    await call.answer(200, openapi_body(ROUTES))


def _by_anthropic(call: Call) -> bool:
    """Whether Anthropic's SDK asks: it always says its version."""
    return bool(call.values(b"anthropic-version"))


ROUTES: Final[Mapping[str, Route]] = MappingProxyType(
    {
        "/v1/chat/completions": Route(
            "A chat, in OpenAI's words.", _completions, (ChatCompletion,),
            takes=ChatCompletionRequest, events=ChatCompletionChunk, dialect=_OPENAI, routed=True, is_open=True,
        ),
        "/v1/messages": Route(
            "A chat, in Anthropic's words.", _messages, (MessageAnswer,),
            takes=MessagesRequest, events=MessageEvent, dialect=_ANTHROPIC, routed=True,
        ),
        "/v1/messages/count_tokens": Route(
            "How long a prompt is: an estimate, nobody is asked.", _count_tokens, (TokenCount,),
            takes=CountTokensRequest, dialect=_ANTHROPIC,
        ),
        "/v1/embeddings": Route(
            "Vectors, of whoever has the very model.", _embeddings, (EmbeddingList,),
            takes=EmbeddingsRequest, dialect=_OPENAI, routed=True,
        ),
        _MODELS: Route(
            "What may stand in `model` and can be asked; `?all=true`: whatever may stand there.", _models,
            (ModelList, AnthropicModelList),
        ),
        _ONE_MODEL: Route("One of them.", _model, (ModelCard, AnthropicModel)),
        "/v1/rank": Route(
            "The decision that a request would meet now; nobody is asked.", _rank, (RankAnswer,),
            asks=RankQuery, dialect=_OPENAI, routed=True,
        ),
        "/v1/status": Route(
            "How the providers stand, and the last decisions.", _status, (StatusAnswer,),
            dialect=_OPENAI, reads_store=True,
        ),
        "/": Route("The page that shows it.", _page, _HTML, dialect=_OPENAI),
        "/metrics": Route("Counters, for Prometheus.", _metrics, CONTENT_TYPE.decode(), dialect=_OPENAI),
        "/health": Route("Whether it serves.", _health, (Health,), dialect=_OPENAI),
        "/openapi.json": Route("This table, as OpenAPI 3.2.", _openapi, (OpenApiDocument,), dialect=_OPENAI),
    }
)  # fmt: skip
