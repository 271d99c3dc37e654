"""What is not a chat: the models that can be asked, the order in which they would be, how long a prompt is."""

from collections.abc import Iterable, Mapping
from typing import Any, Final
from urllib.parse import parse_qsl

from llmr.app import App
from llmr.catalog import Catalog
from llmr.chat import ChatRequest, Message, Role
from llmr.render.decision_json import decision_json
from llmr.routing.rules.names import candidates
from llmr.routing.tokens import estimate_tokens
from llmr.server.call import Call
from llmr.server.hints import HINTS, hinted
from llmr.server.problems import refuse
from llmr.server.schema import check_shape
from llmr.server.schema_rank import RankQuery
from llmr.wire import json_text
from llmr.wire.serving import RequestUnfit

HEALTHY: Final = b'{"status":"ok"}'


def _ids(app: App, names: Iterable[str]) -> Mapping[str, str]:
    """What may stand in `model` → who answers to it: the user's own names, then every model of a provider that is on."""
    ids = dict.fromkeys(names, "llmr")
    for key, model in app.config.catalog.models.items():
        if model.provider.off_reason is None:
            ids.setdefault(key, model.provider.name)
    return ids


def askable(catalog: Catalog) -> tuple[str, ...]:
    """The user's names, and the shipped ones, that somebody who is on answers to."""
    return tuple(
        name
        for name in catalog.names
        if any(candidate.model.provider.off_reason is None for candidate in candidates((name,), catalog))
    )


def models_body(app: App, *, everything: bool, anthropic: bool) -> bytes:
    """The list, as the SDK that asks for it reads it; `everything`: names that nobody can answer to yet as well."""
    ids = _ids(app, app.config.catalog.names if everything else askable(app.config.catalog))
    items = [_model(model_id, owner, anthropic=anthropic) for model_id, owner in ids.items()]
    if not anthropic:
        return json_text.encode({"object": "list", "data": items})
    names = list(ids)
    ends = {"first_id": names[0] if names else None, "last_id": names[-1] if names else None}
    return json_text.encode({"data": items, "has_more": False, **ends})


def model_body(app: App, model_id: str, *, anthropic: bool) -> bytes:
    """One of them. Raises Refused."""
    owner = _ids(app, app.config.catalog.names).get(model_id)
    if owner is None:
        raise refuse(404, "model_not_found", f"there is no model {model_id[:200]!r} in the list", param="model")
    return json_text.encode(_model(model_id, owner, anthropic=anthropic))


def _model(model_id: str, owner: str, *, anthropic: bool) -> dict[str, Any]:
    if anthropic:
        return {"type": "model", "id": model_id, "display_name": model_id, "created_at": "1970-01-01T00:00:00Z"}
    return {"id": model_id, "object": "model", "created": 0, "owned_by": owner}


def tokens_body(request: ChatRequest) -> bytes:
    """How many tokens a prompt has, as the router itself reckons it: an estimate, for nobody is asked."""
    return json_text.encode({"input_tokens": estimate_tokens(request)})


def rank_body(app: App, call: Call) -> bytes:
    """The decision that a request would meet now, as `llmr rank --json` has it. Raises LlmrError."""
    try:
        said = dict(parse_qsl(call.query.decode("ascii", "replace"), keep_blank_values=True, max_num_fields=20))
    except ValueError:
        raise RequestUnfit("the query has too many fields") from None
    steering = {name: said.pop(name) for name in HINTS if name in said}
    query = check_shape(RankQuery, said)
    request = ChatRequest(
        messages=(Message.text(Role.USER, query.prompt),), model=query.model, stream=query.stream == "true"
    )
    return json_text.encode(decision_json(app.router.rank(hinted(request, call, query=steering))))
