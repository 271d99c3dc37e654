"""Makes the table: prices from genai-prices, windows and capabilities from LiteLLM, one row a model.

Where genai-prices knows no price, LiteLLM's stands; where both know one, genai-prices' does, and `differences` lists every
figure on which they are more than 5 % apart, because one of them is then wrong. Names that genai-prices says are one
model, with the same facts, are one row and its other names.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import date
from types import MappingProxyType
from typing import Any, Final, cast

from llmr.catalog import Capabilities
from llmr.dataclass import dataclass
from llmr.model_table.offer import Listed, Offer, Source
from llmr.model_table.rows import LETTERS, Facts, row_of
from llmr.model_table.table import FORMAT, ModelTable

Json = dict[str, Any]

PROVIDERS: Final = (
    "openai",
    "anthropic",
    "google",
    "groq",
    "mistral",
    "deepseek",
    "xai",
    "together",
    "fireworks",
    "cerebras",
    "perplexity",
    "azure",
    "openrouter",
)
"""The hosted providers of data/providers.toml; openrouter last, it borrows from the others."""

ALSO: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType({"azure": ("openai", "anthropic", "deepseek", "xai")})
"""Whose models a provider serves besides its own rows (genai-prices, fallback_model_providers)."""

PRICED: Final = (*PROVIDERS, "moonshotai")
"""Whose prices are read: Azure serves Moonshot's models too, which llmr has no provider for."""

VENDORS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "openai": "openai",
        "anthropic": "anthropic",
        "google": "google",
        "mistralai": "mistral",
        "deepseek": "deepseek",
        "x-ai": "xai",
        "perplexity": "perplexity",
    }
)
"""OpenRouter's word for a maker → the provider here that lists the same models."""

APART: Final = 0.05  # issue 4, item 6
_COMPARED: Final = ("input_usd", "output_usd", "cached_input_usd")
_PREFERRED: Final[Mapping[str, str]] = MappingProxyType({"fireworks": "accounts/"})
"""How the ids begin that the API takes, where the sources have short ones too."""

_NOT_CHAT: Final = re.compile(
    r"embed|moderation|whisper|transcribe|realtime|-tts|-live|ocr|lyria|dall-e|-image|decider|rerank"
    r"|^container$|^ada$|babbage|^curie$|davinci|turbo-instruct"
)
_ELSEWHERE: Final[Mapping[str, re.Pattern[str]]] = MappingProxyType({"google": re.compile("claude|-maas")})
"""Models of Vertex AI, which is not the Gemini API."""

LICENCE: Final = (
    "Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated "
    'documentation files (the "Software"), to deal in the Software without restriction, including without limitation the '
    "rights to use, copy, modify, merge, publish, distribute, sublicense, and/or sell copies of the Software, and to permit "
    "persons to whom the Software is furnished to do so, subject to the following conditions: The above copyright notice "
    "and this permission notice shall be included in all copies or substantial portions of the Software. "
    'THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE '
    "WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR "
    "COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR "
    "OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE."
)
"""The MIT licence, under which both sources stand."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A figure on which the sources are more than 5 % apart, in dollars per million tokens."""

    key: str
    figure: str
    ours_usd: float
    other_usd: float


def document(prices: Source, facts: Source, day: date) -> Json:
    """The table as JSON."""
    providers: dict[str, Json] = {}
    for name in PROVIDERS:
        own = prices.offers.get(name, Offer())
        known = facts.offers.get(name, Offer())
        if name == "openrouter":
            known = _borrowed(own, providers)
        others = (*ALSO[name], *PRICED[len(PROVIDERS) :]) if name in ALSO else ()
        fallback = [prices.offers[other] for other in others if other in prices.offers]
        providers[name] = _provider(name, own, known, fallback)
    return {
        "made": day.isoformat(),
        "format": FORMAT,
        "about": "Estimates. Made by `python -m llmr.model_table`; the columns are explained in llmr/model_table/rows.py.",
        "sources": [
            {
                "name": source.name,
                "version": source.version,
                "url": source.url,
                "licence": "MIT",
                "notice": source.notice,
            }
            for source in (prices, facts)
        ],
        "licence": LICENCE,
        "providers": providers,
    }


def text_of(made: Json) -> str:
    """The document with one model a line, so that a new version is a readable diff."""
    head = {key: value for key, value in made.items() if key != "providers"}
    lines = [_dumps(head)[:-1] + ',"providers":{']
    for name, provider in made["providers"].items():
        lines.append(f"{_dumps(name)}: {{")
        for part, said in provider.items():
            if isinstance(said, dict):
                items = cast("Json", said)
                inner, ends = ",\n".join(f"{_dumps(key)}:{_dumps(value)}" for key, value in items.items()), "{}"
            else:
                inner, ends = ",\n".join(_dumps(value) for value in said), "[]"
            lines.append(f"{_dumps(part)}: {ends[0]}\n{inner}\n{ends[1]},")
        lines[-1] = lines[-1][:-1]
        lines.append("},")
    lines[-1] = "}"
    return "\n".join(lines) + "}}\n"


def differences(prices: Source, facts: Source) -> Iterator[Difference]:
    """Every figure on which the two are more than 5 % apart."""
    for name in PROVIDERS:
        own, known = prices.offers.get(name, Offer()), facts.offers.get(name, Offer())
        finder = _Finder(own, [])
        for model_id, theirs in known.models.items():
            found = finder.find(model_id)
            ours = found[1].price if found is not None else None
            if ours is None or theirs.price is None:
                continue
            for figure in _COMPARED:
                one, other = getattr(ours, figure), getattr(theirs.price, figure)
                if one is not None and other is not None and abs(one - other) > APART * max(one, other):
                    yield Difference(f"{name}/{model_id}", figure, one, other)


class _Finder:
    """Finds a model in one provider's offer as genai-prices does (types.py, Provider.find_model)."""

    def __init__(self, own: Offer, fallback: list[Offer]) -> None:
        self._tables = [_as_table(offer) for offer in (own, *fallback)]
        self._offers = [own, *fallback]

    def find(self, model_id: str) -> tuple[str, Listed] | None:
        """Its id there, and what is listed."""
        for table, offer in zip(self._tables, self._offers, strict=True):
            row = table.row("", model_id.lower())
            if row is not None:
                return row[0], offer.models[row[0]]
        return None


def _as_table(offer: Offer) -> ModelTable:
    """The offer as a table whose rows are ids: one implementation of the rules."""
    aliases: dict[str, str] = {}
    for model_id, listed in offer.models.items():
        for name in listed.names:
            aliases.setdefault(name, model_id)
    rules = [[model_id, rule] for model_id, listed in offer.models.items() for rule in listed.rules]
    rows = {model_id: [model_id] for model_id in offer.models}
    return ModelTable({"providers": {"": {"models": rows, "aliases": aliases, "rules": rules}}})


def _provider(name: str, own: Offer, known: Offer, fallback: list[Offer]) -> Json:
    finder = _Finder(own, fallback)
    ids = [
        model_id
        for model_id in dict.fromkeys([*own.models, *known.models])
        if _is_chat(name, model_id, own, known) and not (model_id not in known.models and _is_priceless(own, model_id))
    ]
    rows = {model_id: row_of(_facts(model_id, finder, known)) for model_id in ids}
    families: dict[str, list[str]] = {}
    for model_id in ids:
        found = finder.find(model_id)
        family = found[0] if found is not None and found[0] in own.models else model_id
        families.setdefault(family, []).append(model_id)
    models: Json = {}
    aliases: dict[str, str] = {}
    rules: list[list[Any]] = []
    for family, members in families.items():
        chosen = min(members, key=lambda member: _rank(name, family, member, known))
        models[chosen] = rows[chosen]
        for member in members:
            if member == chosen:
                continue
            if rows[member] != rows[chosen]:
                models[member] = rows[member]
            else:
                aliases[member.lower()] = chosen
        listed = own.models.get(family, Listed())
        for alias in (*listed.names, chosen.lower()):
            if alias not in models:
                aliases.setdefault(alias, chosen)
        rules += [[chosen, rule] for rule in listed.rules]
    made: Json = {"models": models, "aliases": aliases, "rules": rules}
    if name in ALSO:
        made["also"] = list(ALSO[name])
    return {part: said for part, said in made.items() if said or part == "models"}


def _is_chat(name: str, model_id: str, own: Offer, known: Offer) -> bool:
    if model_id in known.models:
        return not _NOT_CHAT.search(model_id.lower())
    elsewhere = _ELSEWHERE.get(name)
    names = {model_id, *own.models[model_id].names}
    return not (names & known.not_chat or _NOT_CHAT.search(model_id) or (elsewhere and elsewhere.search(model_id)))


def _is_priceless(own: Offer, model_id: str) -> bool:
    """Nothing is known of it that would be worth a row."""
    listed = own.models[model_id]
    return listed.price is None and listed.capabilities.context_window_tokens is None


def _rank(name: str, family: str, member: str, known: Offer) -> tuple[bool, bool, bool, int]:
    """Which of several names of one model is its row: one that the API takes, as far as is known."""
    preferred = member.startswith(_PREFERRED.get(name, ""))
    return (not preferred, member not in known.models, member != family, len(member))


def _facts(model_id: str, finder: _Finder, known: Offer) -> Facts:
    found = finder.find(model_id)
    listed = found[1] if found is not None else Listed()
    names = dict.fromkeys([model_id, *((found[0],) if found is not None else ()), *listed.names])
    described = next((known.models[name] for name in names if name in known.models), Listed())
    price = listed.price if listed.price is not None else described.price
    return Facts(price, replace(described.capabilities, context_window_tokens=_window(listed, described)))


def _window(listed: Listed, described: Listed) -> int | None:
    """The whole window. LiteLLM's figure is the input's; where the other is that plus the output, the other is the whole."""
    ours, theirs = listed.capabilities.context_window_tokens, described.capabilities.context_window_tokens
    if ours is None or theirs is None:
        return theirs or ours
    return ours if ours == theirs + (described.capabilities.max_output_tokens or 0) else theirs


def _borrowed(own: Offer, providers: Mapping[str, Json]) -> Offer:
    """What OpenRouter's models can do, from their makers' rows: only the yes, since a gateway may add what is missing."""
    table = ModelTable({"providers": providers})
    models: dict[str, Listed] = {}
    for model_id in own.models:
        vendor, _, maker_id = model_id.partition("/")
        facts = table.facts(VENDORS[vendor], maker_id.partition(":")[0]) if vendor in VENDORS else None
        if facts is not None:
            able = {name: True for name in LETTERS if getattr(facts.capabilities, name)}
            models[model_id] = Listed(
                capabilities=Capabilities(
                    context_window_tokens=own.models[model_id].capabilities.context_window_tokens
                    or facts.capabilities.context_window_tokens,
                    **able,
                )
            )
    return Offer(models)


def _dumps(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
