"""What a path is for, in one value: the pipeline serves by it, and `/openapi.json` is made of it."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol

from pydantic import BaseModel

from llmr.app import App
from llmr.dataclass import dataclass
from llmr.server.call import Call
from llmr.server.metrics import Metrics
from llmr.server.trace import Tracer
from llmr.wire.serving import Dialect


class Counts(Protocol):
    """What a route may know of the server beside the App: how busy it is."""

    @property
    def under_way(self) -> int: ...

    @property
    def metrics(self) -> Metrics: ...

    @property
    def tracer(self) -> Tracer | None: ...


Serve = Callable[[Counts, Call, App, Mapping[str, Any]], Awaitable[None]]
"""Answers a call whose body, where the route takes one, has been read and checked. Raises LlmrError, Gone."""


@dataclass(frozen=True, slots=True)
class Route:
    """`gives`: what the answer is, JSON of one of these models or a content type of its own; `takes` is the body's model,
    which is read and checked before `serve`, `asks` the query's, `events` that of one event where it may be streamed.

    `dialect` is the one in which refusals are said, None: that of the SDK that asks. `routed`: it reaches the router, so hints
    may steer it and providers may fail it. `reads_store`: without the store there is no answer. `is_open`: its body may hold
    more fields, which the user named.
    """

    about: str
    serve: Serve
    gives: tuple[type[BaseModel], ...] | str
    takes: type[BaseModel] | None = None
    asks: type[BaseModel] | None = None
    events: type[BaseModel] | None = None
    dialect: Dialect | None = None
    routed: bool = False
    reads_store: bool = False
    is_open: bool = False

    @property
    def method(self) -> str:
        """How it is asked: what takes a body is posted."""
        return self.methods[0]

    @property
    def methods(self) -> tuple[str, ...]:
        """The same, with HEAD wherever GET is: uvicorn leaves the body out."""
        return ("GET", "HEAD") if self.takes is None else ("POST",)
