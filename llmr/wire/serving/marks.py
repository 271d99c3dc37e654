"""`cache_control`, which Anthropic's clients put on blocks, and clients of gateways on OpenAI's parts as well."""

from collections.abc import Mapping
from typing import Any

from llmr.chat import CacheMark
from llmr.wire.json_text import object_of


def mark_of(said: Mapping[str, Any]) -> CacheMark | None:
    """The mark on a block, a part, a tool or a request; None: there is none."""
    mark = object_of(said.get("cache_control"))
    return CacheMark(mark.get("ttl")) if mark else None
