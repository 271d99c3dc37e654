"""`GET /openapi.json`: the table of routes and the models that check requests, said as OpenAPI 3.2 (3.1 has no streams).

Nothing is described here that something else does not decide: paths and methods are routes.py's, bodies and queries are the
very models that validate them, headers are hints.py's table, statuses are problems.py's. It knows no configuration, so it is
made once.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from http.client import responses
from typing import Any, Final

from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from llmr import __version__
from llmr.server.guard import OPEN_PATHS
from llmr.server.hints import HEADER, HINTS
from llmr.server.problems import STATUSES
from llmr.server.route import Route
from llmr.server.schema_answers import AnthropicError, ChatCompletionChunk, OpenAIError
from llmr.wire import json_text

_JSON: Final = "application/json"
_EVENTS: Final = "text/event-stream"
_MODE: Final[JsonSchemaMode] = "validation"
_REFS: Final = "#/components/schemas/{model}"
_ERRORS: Final[Mapping[str, type[BaseModel]]] = {"openai": OpenAIError, "anthropic": AnthropicError}

_OF_THE_CONNECTION: Final = (400, 408, 429, 431)  # no path is known yet, so these are always in OpenAI's words
_OF_ALL: Final = (*_OF_THE_CONNECTION, 403, 421)  # Host and Origin are looked at before the path
_OF_GUARDED: Final = (401,)
_OF_BODIES: Final = (400, 408, 413, 415, 429)  # here in the path's
_OF_NAMED: Final = (404,)  # no such model
_OF_THE_STORE: Final = (503,)

Doc = dict[str, Any]


def openapi_body(routes: Mapping[str, Route]) -> bytes:
    """The document, as JSON."""
    return _made(tuple(routes.items()))


@cache
def _made(routes: tuple[tuple[str, Route], ...]) -> bytes:
    models = dict.fromkeys(model for _, route in routes for model in _models_of(route))
    _, defs = models_json_schema([(model, _MODE) for model in models], ref_template=_REFS)
    return json_text.encode(
        {
            "openapi": "3.2.0",
            "info": {
                "title": "llmr serve",
                "version": __version__,
                "description": "One endpoint, any provider behind.",
            },
            "security": [{"bearer": []}, {"key": []}],
            "paths": {path: {route.method.lower(): _operation(path, route)} for path, route in routes},
            "components": {
                "schemas": defs["$defs"],
                "securitySchemes": {
                    "bearer": {"type": "http", "scheme": "bearer"},
                    "key": {"type": "apiKey", "in": "header", "name": "x-api-key"},
                },
            },
        }
    )


def _models_of(route: Route) -> Sequence[type[BaseModel]]:
    given = route.gives if isinstance(route.gives, tuple) else ()
    said = (route.takes, route.events)
    return (*given, *(model for model in said if model is not None), *_ERRORS.values())


def _errors_of(route: Route, status: int) -> tuple[type[BaseModel], ...]:
    """What its refusals look like: one dialect's, or that of whoever asks."""
    if route.dialect is None:
        return tuple(_ERRORS.values())
    own = _ERRORS[route.dialect.name]
    return (own, OpenAIError) if status in _OF_THE_CONNECTION and own is not OpenAIError else (own,)


def _operation(path: str, route: Route) -> Doc:
    said: Doc = {"summary": route.about, "operationId": route.serve.__name__.lstrip("_")}
    if path in OPEN_PATHS:
        said["security"] = []
    if parameters := [*_in_path(path), *_in_query(route), *_in_headers(route)]:
        said["parameters"] = parameters
    if route.takes is not None:
        said["requestBody"] = {"required": True, "content": {_JSON: {"schema": _ref(route.takes)}}}
    refusals = {str(status): _refusal(route, status) for status in _statuses(path, route)}
    return {**said, "responses": {"200": {"description": "Answered", "content": _content(route)}, **refusals}}


def _refusal(route: Route, status: int) -> Doc:
    content = {_JSON: {"schema": _any_of(_errors_of(route, status))}}
    return {"description": responses[status], "content": content}


def _content(route: Route) -> Doc:
    if isinstance(route.gives, str):
        return {route.gives.partition(";")[0]: {"schema": {"type": "string"}}}
    content: Doc = {_JSON: {"schema": _any_of(route.gives)}}
    if route.events is not None:
        content[_EVENTS] = {"itemSchema": _event_of(route.events)}
    return content


def _event_of(model: type[BaseModel]) -> Doc:
    """One event of a stream; the word that ends OpenAI's is no JSON."""
    told: Doc = {"type": "string", "contentMediaType": _JSON, "contentSchema": _ref(model)}
    data = {"anyOf": [told, {"const": "[DONE]"}]} if model is ChatCompletionChunk else told
    return {"type": "object", "required": ["data"], "properties": {"event": {"type": "string"}, "data": data}}


def _statuses(path: str, route: Route) -> list[int]:
    statuses: set[int] = set(_OF_ALL)
    if path not in OPEN_PATHS:
        statuses.update(_OF_GUARDED)
    if route.takes is not None:
        statuses.update(_OF_BODIES)
    if "{" in path:
        statuses.update(_OF_NAMED)
    if route.routed:
        statuses.update(STATUSES)
    if route.reads_store:
        statuses.update(_OF_THE_STORE)
    return sorted(statuses)


def _in_path(path: str) -> list[Doc]:
    if "{" not in path:
        return []
    name = path.partition("{")[2].partition("}")[0]
    return [{"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}]


def _in_query(route: Route) -> list[Doc]:
    if route.asks is None:
        return []
    shape = route.asks.model_json_schema(mode=_MODE)
    needed = shape.get("required", ())
    return [
        {"name": name, "in": "query", "required": name in needed, "schema": schema}
        for name, schema in shape["properties"].items()
    ]


def _in_headers(route: Route) -> list[Doc]:
    if not route.routed:
        return []
    return [
        {"name": HEADER + name, "in": "header", "description": hint.takes, "schema": dict(hint.schema)}
        for name, hint in HINTS.items()
    ]


def _ref(model: type[BaseModel]) -> Doc:
    return {"$ref": _REFS.format(model=model.__name__)}


def _any_of(models: Sequence[type[BaseModel]]) -> Doc:
    return _ref(models[0]) if len(models) == 1 else {"anyOf": [_ref(model) for model in models]}
