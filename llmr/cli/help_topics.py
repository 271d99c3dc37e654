"""The names of the topics of `llmr help`, for whoever lists them without importing their texts."""

from typing import Final

TOPICS: Final = ("exit-codes", "json", "env", "worlds")
