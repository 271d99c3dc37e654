"""Windows, capabilities and second opinions on prices from LiteLLM's model table, without LiteLLM.

The table is one JSON file in the litellm wheel. It is read out of the installed distribution or out of a wheel that was
only downloaded; the package itself (41 MB, twenty dependencies) is never imported.
"""

import json
import re
from collections.abc import Iterable, Mapping
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final
from zipfile import BadZipFile, ZipFile

from llmr.catalog import Capabilities, LongContext, Price
from llmr.model_table.offer import Listed, Offer, Source, SourceMissing

Entry = Mapping[str, Any]

FILE: Final = "model_prices_and_context_window_backup.json"
_MEND: Final = "pip install --no-deps litellm, or pip download --no-deps litellm and name the wheel with --litellm"

PREFIXES: Final[Mapping[str, tuple[tuple[str, str], ...]]] = MappingProxyType(
    {
        "openai": (("", "openai"),),
        "anthropic": (("", "anthropic"),),
        "google": (("gemini/", "gemini"),),
        "groq": (("groq/", "groq"),),
        "mistral": (("mistral/", "mistral"),),
        "deepseek": (("deepseek/", "deepseek"),),
        "xai": (("xai/", "xai"),),
        "together": (("together_ai/", "together_ai"),),
        "fireworks": (("fireworks_ai/", "fireworks_ai"),),
        "cerebras": (("cerebras/", "cerebras"),),
        "perplexity": (("perplexity/", "perplexity"),),
        "azure": (("azure/", "azure"), ("azure_ai/", "azure_ai")),
    }
)
"""Per provider of data/providers.toml: how LiteLLM's keys begin, and its name for the provider. It has no OpenRouter."""

_ONE_WORD: Final = frozenset({"openai", "anthropic", "azure", "perplexity"})
"""Where an id with a slash is something else: a region of Azure, a foreign model behind another endpoint."""

_CHAT: Final = frozenset({"chat", "responses"})
_ABLE: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "tools": ("supports_function_calling",),
        "images": ("supports_vision", "supports_image_input"),
        "json": ("supports_response_schema",),
        "reasoning": ("supports_reasoning",),
        "documents": ("supports_pdf_input",),
        "audio": ("supports_audio_input",),
    }
)
_MODALITIES: Final[Mapping[str, str]] = MappingProxyType({"images": "image", "audio": "audio"})
_COSTS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "input_usd": "input_cost_per_token",
        "output_usd": "output_cost_per_token",
        "cached_input_usd": "cache_read_input_token_cost",
        "cache_write_usd": "cache_creation_input_token_cost",
        "reasoning_usd": "output_cost_per_reasoning_token",
        "audio_input_usd": "input_cost_per_audio_token",
        "audio_output_usd": "output_cost_per_audio_token",
    }
)
_ABOVE: Final = re.compile(r"input_cost_per_token_above_(\d+)k_tokens")


def read(names: Iterable[str], file: Path | None = None) -> Source:
    """What LiteLLM's table says of these providers; `file` is a wheel or the JSON itself. Raises SourceMissing."""
    content, release = _installed() if file is None else _from_file(file)
    try:
        table: dict[str, Entry] = json.loads(content)
    except ValueError as error:
        raise SourceMissing(f"{file or FILE} is no JSON: {_MEND}") from error
    return Source(
        name="litellm",
        version=release,
        url="https://github.com/BerriAI/litellm",
        notice="Copyright (c) 2023 Berri AI",
        offers={name: _offer(name, table) for name in names if name in PREFIXES},
    )


def _installed() -> tuple[bytes, str]:
    try:
        found = distribution("litellm")
    except PackageNotFoundError as error:
        raise SourceMissing(f"litellm is not installed: {_MEND}") from error
    path = Path(str(found.locate_file(f"litellm/{FILE}")))
    if not path.is_file():
        raise SourceMissing(f"litellm {found.version} has no {FILE}: {_MEND}")
    return path.read_bytes(), found.version


def _from_file(file: Path) -> tuple[bytes, str]:
    try:
        if file.suffix != ".whl":
            return file.read_bytes(), "of unknown version"
        with ZipFile(file) as wheel:
            return wheel.read(f"litellm/{FILE}"), file.name.split("-")[1]
    except (OSError, BadZipFile, KeyError, IndexError) as error:
        raise SourceMissing(f"{file} cannot be read as a litellm wheel or its {FILE}") from error


def _offer(name: str, table: Mapping[str, Entry]) -> Offer:
    models: dict[str, Listed] = {}
    not_chat: set[str] = set()
    for prefix, provider in PREFIXES[name]:
        for key, entry in table.items():
            model_id = key.removeprefix(prefix)
            fits = key.startswith(prefix) and entry.get("litellm_provider") == provider
            if not fits or (name in _ONE_WORD and "/" in model_id):
                continue
            if entry.get("mode") in _CHAT:
                models.setdefault(model_id, Listed(_price(entry), _capabilities(entry)))
            else:
                not_chat.add(model_id)
    return Offer(models, frozenset(not_chat - set(models)))


def _capabilities(entry: Entry) -> Capabilities:
    """A flag that is absent is unknown, unless the entry lists all that the model takes."""
    able: dict[str, bool | None] = {}
    takes = entry.get("supported_modalities")
    for name, flags in _ABLE.items():
        said = [entry[flag] for flag in flags if isinstance(entry.get(flag), bool)]
        modality = _MODALITIES.get(name)
        listed = modality in takes if isinstance(takes, list) and modality else None
        able[name] = True if any(said) or listed else False if said or listed is False else None
    return Capabilities(
        context_window_tokens=_tokens(entry.get("max_input_tokens")),
        max_output_tokens=_tokens(entry.get("max_output_tokens")),
        **able,
    )


def _price(entry: Entry) -> Price | None:
    """None where the entry has no figure for input and output, or 0 for both: that is how it leaves one open."""
    thresholds = sorted({int(found[1]) for key in entry if (found := _ABOVE.fullmatch(key))}, reverse=True)
    longer: LongContext | None = None
    base = _figures(entry, "")
    if base.get("input_usd") is None or base.get("output_usd") is None or not (base["input_usd"] or base["output_usd"]):
        return None
    for thousands in thresholds:
        above = base | _figures(entry, f"_above_{thousands}k_tokens")
        longer = LongContext(thousands * 1000, Price(**above, long_context=longer))
    return Price(**base, long_context=longer)


def _figures(entry: Entry, suffix: str) -> dict[str, float]:
    """Dollars per million tokens, of what is said."""
    costs = {name: entry.get(cost + suffix) for name, cost in _COSTS.items()}
    return {name: round(cost * 1e6, 6) for name, cost in costs.items() if isinstance(cost, int | float)}


def _tokens(said: Any) -> int | None:
    return said if isinstance(said, int) and not isinstance(said, bool) and said > 0 else None
