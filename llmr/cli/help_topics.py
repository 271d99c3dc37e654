"""The topics of `llmr help`, a line each, for whoever lists them without importing their texts."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

TOPICS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "exit-codes": "what each exit code means",
        "json": "the documents of --json and --jsonl",
        "env": "the environment variables that are obeyed",
        "worlds": "a world for `llmr simulate -w FILE.toml`, whole",
    }
)
