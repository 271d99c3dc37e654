"""Who fails together with whom: failure domains.

A failure is evidence about more than the one who failed. Two models of one account go down with that account; two tables
with one key are one account; what an aggregator resells stands and falls with the maker it buys from. So once somebody has
failed in a request, the rest of their domain is only half as likely to answer (routing.md §3), and a hedge beside them is
none.

    same provider or account · same `shares = "…"` · openrouter/openai/gpt-4o and openai/gpt-4o

An aggregator is recognised by the shape of its names: its model-id is the key of the other candidate, dots and dashes alike.
No list of aggregators is kept: groq/openai/gpt-oss-120b names a maker too, but openai serves no gpt-oss-120b.
"""

from collections.abc import Collection
from typing import Final

from llmr.catalog import Model
from llmr.errors import ErrorKind
from llmr.routing.circuit import Outcome
from llmr.routing.disposition import disposition

SHARED_FATE: Final = 0.5  # of the chance of success, per failed sibling: routing.md §3


def share_fate(one: Model, other: Model) -> bool:
    """Whether the two would fail together. Symmetric; true of a model and itself."""
    a, b = one.provider, other.provider
    return (
        a.name == b.name
        or (a.shares is not None and a.shares == b.shares)
        or (a.key_fingerprint != "" and (a.key_fingerprint, a.base_url) == (b.key_fingerprint, b.base_url))
        or _resells(one, other)
        or _resells(other, one)
    )


def chance_left(model: Model, failed: Collection[Model]) -> float:
    """The factor on the model's chance of success after those in `failed` have failed in the same request.

    The model's own failures are not counted: they are booked in its own statistics.
    """
    siblings = sum(share_fate(model, other) for other in failed if other.key != model.key)
    return SHARED_FATE**siblings


def strikes_its_domain(kind: ErrorKind) -> bool:
    """Whether a failure of this kind says something about the account, the quota or the network, and not only about this
    request or this one model."""
    row = disposition(kind)
    return row.provider is not Outcome.NEUTRAL or row.shared is not Outcome.NEUTRAL


def _resells(one: Model, other: Model) -> bool:
    return one.id.replace(".", "-") == other.key.replace(".", "-")
