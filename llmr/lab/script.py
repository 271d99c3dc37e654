"""Lab providers from a file, for a lab that is a process of its own.

    [[providers]]
    name = "flaky"
    wire = "openai"                      # or anthropic, gemini
    script = [
        { status = 500 },
        { status = 429, headers = { retry-after = "7" } },
        { text = "Hello.", ttft_s = { median_s = 0.3, sigma = 0.5 }, token_s = 0.02 },
        { fault = "cut", fault_at = 3 },
    ]

The keys are `Behavior`'s own. JSON says the same with the same names.
"""

import dataclasses
import json
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from llmr.catalog import WireFormat
from llmr.errors import ConfigError
from llmr.lab.behavior import Behavior, Drip, Encoding, Fault, Framing, LabToolCall, LogNormal, Part
from llmr.lab.provider import LabProvider


def read_providers(path: Path) -> tuple[LabProvider, ...]:
    """The providers that a TOML or JSON file describes. Raises ConfigError naming the file and what is wrong."""
    try:
        text = path.read_text(encoding="utf-8")
        document = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
        return tuple(_provider(entry) for entry in document["providers"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(f"{path}: not a lab script: {error!r}") from error


def _provider(entry: Mapping[str, Any]) -> LabProvider:
    script = [_behavior(one) for one in entry.get("script", [{}])]
    models = tuple(entry.get("models", ["lab-model"]))
    return LabProvider(entry["name"], script, wire=WireFormat(entry.get("wire", "openai")), models=models)


def _behavior(entry: Mapping[str, Any]) -> Behavior:
    known = {field.name for field in dataclasses.fields(Behavior)}
    unknown = sorted(set(entry) - known)
    if unknown:
        raise ValueError(f"unknown {', '.join(unknown)}; known: {', '.join(sorted(known))}")
    return Behavior(**{key: _READERS.get(key, _as_it_is)(value) for key, value in entry.items()})


def _as_it_is(value: Any) -> Any:
    return value


def _delay(value: Any) -> Any:
    return float(value) if isinstance(value, int | float) else LogNormal(value["median_s"], value["sigma"])


def _bytes(value: Any) -> Any:
    return value.encode() if isinstance(value, str) else tuple(piece.encode() for piece in value)


def _drip(value: Any) -> Drip:
    return Drip(value["interval_s"], Part(value.get("part", "body")), value.get("size_bytes", 1))


_READERS: Final[Mapping[str, Callable[[Any], Any]]] = MappingProxyType(
    {
        "fault": Fault,
        "framing": Framing,
        "encoding": Encoding,
        "headers": lambda value: tuple(value.items()),
        "tool_calls": lambda value: tuple(LabToolCall(**call) for call in value),
        "drip": _drip,
        **dict.fromkeys(("body", "raw", "flood"), _bytes),
        **dict.fromkeys(("headers_s", "ttft_s", "token_s"), _delay),
    }
)
