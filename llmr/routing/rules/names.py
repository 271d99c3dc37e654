"""Names: which models a name stands for.

In this order: a `[models.NAME]` table; `provider/model-id`; a bare id that some provider lists. Names listed as `fallback`
follow, each once, in later tiers, so that another *model* is asked only when no candidate of the first is left.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from llmr.catalog import Catalog, Model, NamedModel, Strategy
from llmr.dataclass import replace
from llmr.errors import UsageError
from llmr.routing.rules.plan import Candidate

_KNOWN_SHOWN: Final = 12


def candidates(names: Sequence[str], catalog: Catalog) -> tuple[Candidate, ...]:
    """Candidates of `names` and of their fallbacks, breadth first, each model once, in its earliest tier.

    Raises UsageError for a name that nobody serves.
    """
    found: dict[str, Candidate] = {}
    seen: set[str] = set()
    tier_names, tier = list(names), 0
    while tier_names:
        following: list[str] = []
        for name in tier_names:
            if name in seen:
                continue
            seen.add(name)
            models = models_of(name, catalog)
            if not models and name not in catalog.names:
                raise UsageError(_unknown_model(name, catalog))
            for model in models:
                found.setdefault(model.key, Candidate(model, name, tier, len(found)))
            named = catalog.names.get(name)
            following += named.fallback if named else ()
        tier_names, tier = following, tier + 1
    return tuple(found.values())


def models_of(name: str, catalog: Catalog) -> tuple[Model, ...]:
    """Models that serve `name`, in the user's order; none for a name nobody knows."""
    named = catalog.names.get(name)
    if named is not None:
        known = (model for key in named.candidates if (model := catalog.model(key)) is not None)
        return tuple(_judged(model, named) for model in known)
    if "/" in name:
        model = catalog.model(name)
        if model is not None:
            return (model,)
    keys = (f"{provider.name}/{name}" for provider in catalog.providers.values() if name in provider.models)
    return tuple(model for model in map(catalog.model, keys) if model is not None)


def strategy_named(word: str) -> Strategy:
    """Raises UsageError with the known ones."""
    try:
        return Strategy(word)
    except ValueError:
        known = [strategy.value for strategy in Strategy]
        raise UsageError(f"unknown strategy {word!r}{close(word, known)} Known: {', '.join(known)}.") from None


def close(word: str, known: Iterable[str]) -> str:
    """`; did you mean …?`, or a full stop."""
    from difflib import get_close_matches  # noqa: PLC0415 - 11 ms, paid only by whoever mistyped

    near = get_close_matches(word, list(known), n=1)
    return f"; did you mean {near[0]!r}?" if near else "."


def _judged(model: Model, named: NamedModel) -> Model:
    """The model with the user's judgement of the name it serves, where it has none of its own."""
    if model.quality is not None or named.quality is None:
        return model
    return replace(model, quality=named.quality)


def _unknown_model(name: str, catalog: Catalog) -> str:
    provider, slash, _ = name.partition("/")
    if provider in catalog.providers:
        return f"model {name!r} is a provider without a model; any model can be asked as {provider}/MODEL-ID"
    if slash:
        what, known = f"unknown provider {provider!r} in model {name!r}", sorted(catalog.providers)
        hint = close(provider, known)
    else:
        what, known = (
            f"unknown model {name!r}",
            sorted({*catalog.names, *(model_id for p in catalog.providers.values() for model_id in p.models)}),
        )
        hint = close(name, known)
    names = ", ".join(known[:_KNOWN_SHOWN]) + (" …" if len(known) > _KNOWN_SHOWN else "")
    return f"{what}{hint} Known: {names or 'none'}. Any model can be asked as provider/model-id."
