"""The pipeline: what happens to a request, in the order in which it happens. There is one, and it is wired here.

    log           every request, one line, at its end
     └ guard      Host, Origin, token                        400 421 403 401
        └ route   path, method                               404 405
           └ room     how many are under way                 429
              └ body     content type, size, time, JSON      415 413 408 400
                 └ shape    pydantic, once                   400
                    └ meaning  dialect ─▶ ChatRequest, hints 400
                       └ router ─▶ answer                    its own errors, in the caller's dialect

Whatever is refused on the way is refused in the words of the API that the path belongs to.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import field
from random import Random
from types import MappingProxyType
from typing import Any, Final

from pydantic import BaseModel

from llmr.app import App
from llmr.dataclass import dataclass
from llmr.errors import LlmrError
from llmr.server.access_log import AccessLog
from llmr.server.answering import LEFT_OUT, answer, asked_with
from llmr.server.body import read_json
from llmr.server.call import Call, Gone, Receive, Scope, Send
from llmr.server.embeddings import answer_embeddings
from llmr.server.generations import Generations
from llmr.server.guard import Guard
from llmr.server.hints import hinted
from llmr.server.limits import LIMITS, Limits
from llmr.server.listings import HEALTHY, model_body, models_body, rank_body, tokens_body
from llmr.server.metrics import CONTENT_TYPE, Metrics
from llmr.server.page import page
from llmr.server.problems import headers_of, problem_of, refuse
from llmr.server.schema import check_shape
from llmr.server.schema_anthropic import CountTokensRequest, MessagesRequest
from llmr.server.schema_embeddings import EmbeddingsRequest
from llmr.server.schema_openai import ChatCompletionRequest
from llmr.server.status import status_body
from llmr.wire.serving import Dialect, dialect_named

_OPENAI: Final = dialect_named("openai")
_ANTHROPIC: Final = dialect_named("anthropic")
_MODELS: Final = "/v1/models"


@dataclass(frozen=True, slots=True)
class Route:
    """What a path is for. `dialect` is the one in which its refusals are said."""

    method: str
    serve: "Callable[[Gateway, Call, App], Awaitable[None]]"
    dialect: Dialect = _OPENAI


@dataclass(slots=True)
class Gateway:
    """The ASGI application."""

    generations: Generations
    guard: Guard
    log: AccessLog
    metrics: Metrics
    chance: Random
    limits: Limits = LIMITS
    under_way: int = field(default=0, init=False)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, from its head to its log line."""
        with self.generations.use() as app:
            request_id, started_s = f"{self.chance.getrandbits(64):016x}", app.clock.monotonic()
            call = Call(scope, receive, send, request_id=request_id, started_s=started_s)
            try:
                await self._answered(call, app)
            except Gone:
                call.outcome = "client_gone"
            finally:
                took_s = app.clock.monotonic() - started_s
                self.log.ended(call, now=app.clock.now(), took_s=took_s)
                self.metrics.ended(call, app, path=_known_path(call), took_s=took_s)

    async def _answered(self, call: Call, app: App) -> None:
        dialect = _dialect_of(call)
        try:
            self.guard.check(call)
            if call.method == "OPTIONS" and call.origin is not None:
                await call.answer(204, headers=_PREFLIGHT)
                return
            await self._route(call).serve(self, call, app)
        except LlmrError as error:
            problem = problem_of(error, app.redact)
            call.outcome = call.outcome or problem.code
            if call.status is not None:  # nothing can be said any more, and nobody may take it for whole
                raise
            if call.attempts:
                call.told["x-llmr-attempts"] = str(call.attempts)
            headers = {**headers_of(problem), **getattr(error, "headers", {})}
            await call.answer(problem.status, dialect.error(problem, request_id=call.request_id), headers=headers)

    def _route(self, call: Call) -> Route:
        route = ROUTES.get(call.path) or (_ONE_MODEL if call.path.startswith(f"{_MODELS}/") else None)
        if route is None:
            raise refuse(404, "not_found", f"there is no such path; there are: {', '.join(ROUTES)}")
        if call.method != route.method:
            refused = refuse(405, "method_not_allowed", f"{call.path} takes {route.method}")
            refused.headers = {"allow": route.method}
            raise refused
        return route

    async def chat(self, call: Call, app: App, dialect: Dialect, shape: type[BaseModel]) -> None:
        """A chat, in either dialect."""
        async with self.reading(call, shape) as body:
            asked = dialect.request(body)
            if asked.unsaid:
                call.told[LEFT_OUT] = ", ".join(asked.unsaid)
            await answer(call, app, asked_with(asked, hinted(asked.request, call)), dialect)

    async def embed(self, call: Call, app: App) -> None:
        """Embeddings."""
        async with self.reading(call, EmbeddingsRequest) as body:
            await answer_embeddings(call, app, body)

    @asynccontextmanager
    async def reading(self, call: Call, shape: type[BaseModel]) -> AsyncGenerator[dict[str, Any], None]:
        """Room for the request, and its body, whose shape is right. Raises Refused, RequestUnfit."""
        if self.under_way >= self.limits.requests:
            raise refuse(
                429,
                "too_many_requests",
                f"{self.under_way} requests are under way",
                retry_after_s=self.limits.retry_after_s,
            )
        self.under_way += 1
        try:
            body = await read_json(call, self.limits)
            check_shape(shape, body)
            yield body
        finally:
            self.under_way -= 1


async def _completions(gateway: Gateway, call: Call, app: App) -> None:
    await gateway.chat(call, app, _OPENAI, ChatCompletionRequest)


async def _messages(gateway: Gateway, call: Call, app: App) -> None:
    await gateway.chat(call, app, _ANTHROPIC, MessagesRequest)


async def _embeddings(gateway: Gateway, call: Call, app: App) -> None:
    await gateway.embed(call, app)


async def _count_tokens(gateway: Gateway, call: Call, _app: App) -> None:
    async with gateway.reading(call, CountTokensRequest) as body:
        await call.answer(200, tokens_body(_ANTHROPIC.request(body).request))


async def _models(_gateway: Gateway, call: Call, app: App) -> None:
    await call.answer(200, models_body(app, anthropic=_by_anthropic(call)))


async def _model(_gateway: Gateway, call: Call, app: App) -> None:
    model_id = call.path.removeprefix(f"{_MODELS}/")
    await call.answer(200, model_body(app, model_id, anthropic=_by_anthropic(call)))


async def _rank(_gateway: Gateway, call: Call, app: App) -> None:
    await call.answer(200, rank_body(app, call))


async def _status(gateway: Gateway, call: Call, app: App) -> None:
    await call.answer(200, status_body(app, under_way=gateway.under_way))


async def _page(_gateway: Gateway, call: Call, _app: App) -> None:
    content, headers = page()
    await call.answer(200, content, content_type=b"text/html; charset=utf-8", headers=headers)


async def _metrics(gateway: Gateway, call: Call, app: App) -> None:
    page = gateway.metrics.page(app, under_way=gateway.under_way)
    await call.answer(200, page, content_type=CONTENT_TYPE)


async def _health(_gateway: Gateway, call: Call, _app: App) -> None:
    await call.answer(200, HEALTHY)


ROUTES: Final[Mapping[str, Route]] = MappingProxyType(
    {
        "/v1/chat/completions": Route("POST", _completions),
        "/v1/messages": Route("POST", _messages, _ANTHROPIC),
        "/v1/messages/count_tokens": Route("POST", _count_tokens, _ANTHROPIC),
        "/v1/embeddings": Route("POST", _embeddings),
        _MODELS: Route("GET", _models),
        "/v1/rank": Route("GET", _rank),
        "/v1/status": Route("GET", _status),
        "/": Route("GET", _page),
        "/metrics": Route("GET", _metrics),
        "/health": Route("GET", _health),
    }
)
_ONE_MODEL: Final = Route("GET", _model)
_PREFLIGHT: Final = MappingProxyType(
    {
        "access-control-allow-methods": "GET, POST",
        "access-control-allow-headers": "authorization, content-type, x-api-key, anthropic-version",
        "access-control-max-age": "600",
    }
)


def _known_path(call: Call) -> str | None:
    return call.path if call.path in ROUTES else _MODELS if call.path.startswith(f"{_MODELS}/") else None


def _by_anthropic(call: Call) -> bool:
    """Whether Anthropic's SDK asks: it always says its version."""
    return bool(call.values(b"anthropic-version"))


def _dialect_of(call: Call) -> Dialect:
    """In whose words a refusal is said: the path's, before anything of the request is trusted; a list's by who asks."""
    if call.path.startswith(_MODELS):
        return _ANTHROPIC if _by_anthropic(call) else _OPENAI
    route = ROUTES.get(call.path)
    return route.dialect if route is not None else _OPENAI
