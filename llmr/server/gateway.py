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

import asyncio
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import field
from random import Random
from types import MappingProxyType
from typing import Final, NoReturn

from llmr.app import App
from llmr.dataclass import dataclass
from llmr.errors import LlmrError, TurnedAway
from llmr.server.access_log import AccessLog
from llmr.server.body import read_json
from llmr.server.call import TURNED_AWAY, Asgi, Call, Gone, Receive, Scope, Send
from llmr.server.generations import Generations
from llmr.server.guard import Guard
from llmr.server.limits import LIMITS, Limits
from llmr.server.metrics import Metrics
from llmr.server.problems import headers_of, problem_of, refuse
from llmr.server.route import Route
from llmr.server.routes import ROUTES, dialect_of, found
from llmr.server.schema import check_shape
from llmr.server.trace import Tracer
from llmr.wire.serving import Problem


@dataclass(slots=True)
class Gateway:
    """The ASGI application."""

    generations: Generations
    guard: Guard
    log: AccessLog
    metrics: Metrics
    chance: Random
    limits: Limits = LIMITS
    tracer: Tracer | None = None
    passes: frozenset[str] = frozenset()  # fields that go to providers unread, because the user says so
    under_way: int = field(default=0, init=False)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, from its head to its log line."""
        with self.generations.use() as app:
            call = self._call(app, scope, receive, send)
            row = found(call.path)
            try:
                await self._answered(call, app, row)
            except Gone:
                call.outcome = "client_gone"
            except asyncio.CancelledError:
                call.outcome = "cut_off"
                if call.status is None:
                    await self._refused(refuse(503, "server_stopped", _STOPPED, retry_after_s=1.0), call, app, row)
                raise
            finally:
                self._over(call, app, row)

    def refusing(self, problem: Problem) -> Asgi:
        """An application that answers whatever it is asked with `problem`, and ends the connection: for a head that is read,
        and over its limits."""

        async def refuse(scope: Scope, receive: Receive, send: Send) -> None:
            with self.generations.use() as app:
                call = self._call(app, scope, receive, send)
                call.outcome = problem.code
                body = dialect_of(None, call).error(problem, request_id=call.request_id)
                await call.answer(problem.status, body, headers={"connection": "close"})
                self._over(call, app, None)

        return refuse

    def refused(self, problem: Problem) -> str:
        """Log and count a request whose head could not be read, which the connection itself has refused; its id."""
        with self.generations.use() as app:
            call = self._call(app, {"method": None, "path": "", "headers": []}, _nothing, _nowhere)
            call.status, call.outcome = problem.status, problem.code
            self._over(call, app, None)
            return call.request_id

    def _call(self, app: App, scope: Scope, receive: Receive, send: Send) -> Call:
        request_id, started_s = f"{self.chance.getrandbits(64):016x}", app.clock.monotonic()
        return Call(scope, receive, send, request_id=request_id, started_s=started_s)

    def _over(self, call: Call, app: App, row: str | None) -> None:
        took_s = app.clock.monotonic() - call.started_s
        self.log.ended(call, now=app.clock.now(), took_s=took_s)
        if call.trace is not None:
            call.trace.end(call)
        self.metrics.ended(call, app, path=row, took_s=took_s)

    async def _answered(self, call: Call, app: App, row: str | None) -> None:
        route = None if row is None else ROUTES[row]
        try:
            self.guard.check(call)
            if call.method == "OPTIONS" and call.origin is not None:
                await call.answer(204, headers=_PREFLIGHT)
            else:
                await self._served(_fit(route, call), call, app)
        except LlmrError as error:
            if call.status is not None:  # nothing can be said any more, and nobody may take it for whole
                call.outcome = call.outcome or problem_of(error, app.redact).code
                raise
            await self._refused(error, call, app, row)

    async def _refused(self, error: LlmrError, call: Call, app: App, row: str | None) -> None:
        problem = problem_of(error, app.redact)
        call.outcome = call.outcome or (TURNED_AWAY if isinstance(error, TurnedAway) else problem.code)
        if call.attempts:
            call.told["x-llmr-attempts"] = str(call.attempts)
        headers = {**headers_of(problem), **getattr(error, "headers", {})}
        body = dialect_of(None if row is None else ROUTES[row], call).error(problem, request_id=call.request_id)
        await call.answer(problem.status, body, headers=headers)

    async def _served(self, route: Route, call: Call, app: App) -> None:
        if route.takes is None:
            await route.serve(self, call, app, {})
            return
        with self._room():
            body = await read_json(call, self.limits)
            check_shape(route.takes, body, passes=self.passes if route.is_open else None)
            await route.serve(self, call, app, body)

    @contextmanager
    def _room(self) -> Generator[None]:
        """Room for one request more. Raises Refused."""
        if self.under_way >= self.limits.requests:
            told = f"{self.under_way} requests are under way"
            raise refuse(429, "too_many_requests", told, retry_after_s=self.limits.retry_after_s)
        self.under_way += 1
        self.metrics.begun()
        try:
            yield
        finally:
            self.under_way -= 1
            self.metrics.over()


def _fit(route: Route | None, call: Call) -> Route:
    """The route, where the path has one and it takes this method. Raises Refused."""
    if route is None:
        raise refuse(404, "not_found", f"there is no such path; there are: {', '.join(ROUTES)}")
    if call.method not in route.methods:
        takes = ", ".join(route.methods)
        refused = refuse(405, "method_not_allowed", f"{call.path[:200]} takes {takes}")
        refused.headers = {"allow": takes}
        raise refused
    return route


async def _nothing() -> NoReturn:
    raise Gone


async def _nowhere(_message: object) -> NoReturn:
    raise Gone


_STOPPED: Final = "the server stopped before anybody had answered"
_PREFLIGHT: Final = MappingProxyType(
    {
        "access-control-allow-methods": "GET, HEAD, POST",
        "access-control-allow-headers": "authorization, content-type, x-api-key, anthropic-version",
        "access-control-max-age": "600",
    }
)
