"""When two requests are the same: a hash of all that the answer depends on, and of nothing else.

In it: the messages with the content of their attachments, the name asked for, every sampling setting (seed included), tools,
output format, and what is passed on as it is. Not in it: whether the answer streams, how it is routed, by when, for how much,
and labels that providers only file away. Who answers is not in it either: a hit counts only where that one may still be
asked (router/cached.py). The hash is of JSON with sorted keys, so the order in which a client says things does not matter.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict
from hashlib import sha256
from typing import Any, Final

from llmr.chat import ChatRequest, Role, Text
from llmr.conversations.message_json import encoded

_VERSION: Final = 1  # of what is hashed; another number and nothing old is found
_LONGEST_COMPARED: Final = 4_000  # characters
_ONLY_LABELS: Final = frozenset(
    {"metadata", "store", "service_tier", "prompt_cache_key", "prompt_cache_retention", "stream_options"}
)
"""Of what is passed on: said to the provider's accounting, not to the model. `user` and `safety_identifier` are *not* among
them: one end user's answer is not another's."""


def request_key(request: ChatRequest, asked: str) -> str:
    """The hash, in hex. `asked` is the name that was asked for, the default where none was said."""
    return _hash({"messages": encoded(request.messages, _content_hash), **_settings(request, asked)})


def group_key(request: ChatRequest, asked: str) -> str:
    """The hash of all but the last message: what two requests must share before their last words are compared."""
    return _hash({"before": encoded(request.messages[:-1], _content_hash), **_settings(request, asked)})


def comparable_prompt(request: ChatRequest) -> str | None:
    """The text that the semantic cache compares: the user's last words. None where there is more than text in them, where
    something else comes last, or where they are so long that two would never be alike."""
    if not request.messages or request.messages[-1].role is not Role.USER:
        return None
    parts = request.messages[-1].parts
    texts = [part.text for part in parts if isinstance(part, Text)]
    text = "\n".join(texts).strip()
    return text if len(texts) == len(parts) and 0 < len(text) <= _LONGEST_COMPARED else None


def _settings(request: ChatRequest, asked: str) -> dict[str, Any]:
    return {
        "version": _VERSION,
        "asked": asked,
        "max_output_tokens": request.max_output_tokens,
        "temperature": request.temperature,
        "top_p": request.top_p,
        "stop": request.stop,
        "seed": request.seed,
        "reasoning_effort": request.reasoning_effort,
        "logprobs": request.logprobs,
        "tools": [[tool.name, tool.description, tool.parameters, tool.strict] for tool in request.tools],
        "tool_choice": asdict(request.tool_choice),
        "output": [
            request.output.format,
            request.output.schema,
            request.output.name,
            request.output.strict,
            request.output.description,
        ],
        "extra": {name: value for name, value in request.extra.items() if name not in _ONLY_LABELS},
    }


def _hash(document: Mapping[str, Any]) -> str:
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), default=dict)
    return sha256(text.encode()).hexdigest()


def _content_hash(content: bytes) -> str:
    return sha256(content).hexdigest()
