"""What a client may say about the routing of its request: headers `x-llmr-*`, or `llmr_*` in its metadata.

Both say the same; a header, which a proxy can set for a tool that cannot, outranks metadata. What is misspelt is refused:
a request that asked for the cheapest provider must not silently get another.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from llmr.catalog import Strategy
from llmr.chat import ChatRequest
from llmr.routing.policy import OnBreak
from llmr.server.cache_control import cache_wish
from llmr.server.call import Call
from llmr.wire.serving import RequestUnfit

HEADER: Final = "x-llmr-"
METADATA: Final = "llmr_"
_MOST_S: Final = 3600.0
_MOST_USD: Final = 1e6
# `restart` is not offered: a client would read the broken text and the new one as one answer
_ON_BREAK: Final = (OnBreak.FAIL, OnBreak.CONTINUE, OnBreak.BUFFER)


def _positive(most: float) -> Callable[[str], float]:
    def read(word: str) -> float:
        value = float(word)
        if not (0 < value <= most) or not math.isfinite(value):
            raise ValueError
        return value

    return read


def _flag(word: str) -> bool:
    return {"true": True, "1": True, "false": False, "0": False}[word.lower()]


def _on_break(word: str) -> str:
    return _ON_BREAK[_ON_BREAK.index(OnBreak(word))].value


def _tags(words: str) -> tuple[str, ...]:
    return tuple(tag for word in words.split(",") if (tag := word.strip()))


# name (as a header has it) → the request's field, how to read it, what it takes
_HINTS: Final[Mapping[str, tuple[str, Callable[[str], Any], str]]] = {
    "strategy": ("strategy", lambda word: Strategy(word).value, " | ".join(Strategy)),
    "provider": ("provider", str, "a provider's name"),
    "tags": ("tags", _tags, "words with commas between them"),
    "max-price": ("max_price_usd", _positive(_MOST_USD), "dollars"),
    "timeout": ("deadline_s", _positive(_MOST_S), f"seconds, at most {_MOST_S:g}"),
    "hedge": ("hedge", _flag, "true | false"),
    "cache": ("cache", _flag, "true | false"),
    "on-break": ("on_break", _on_break, " | ".join(_ON_BREAK)),
}


def hinted(request: ChatRequest, call: Call) -> ChatRequest:
    """The request with what its client said about routing. Raises RequestUnfit.

    Where nobody said what follows a break after text was sent, it fails: a program at the other end cannot see a seam. An
    answer in one piece can begin anew for as long as nothing of it was sent.
    """
    said: dict[str, tuple[str, str]] = {}  # the hint → where it was said, and its value
    metadata: dict[str, str] = {}
    for name, value in request.metadata.items():
        if name.startswith(METADATA):
            said[name.removeprefix(METADATA).replace("_", "-")] = (f"metadata.{name}", value)
        else:
            metadata[name] = value
    for raw_name, raw_value in call.headers:
        name = raw_name.decode("ascii", "replace")
        if name.startswith(HEADER):
            said[name.removeprefix(HEADER)] = (name, raw_value.decode("ascii", "replace").strip())
    fields: dict[str, Any] = {"on_break": (OnBreak.FAIL if request.stream else OnBreak.BUFFER).value}
    for hint, (place, value) in said.items():
        if hint not in _HINTS:
            raise RequestUnfit(f"is no routing hint; known: {', '.join(_HINTS)}", param=place)
        field, read, takes = _HINTS[hint]
        try:
            fields[field] = read(value)
        except (ValueError, KeyError):
            raise RequestUnfit(f"takes {takes}", param=place) from None
    fields["cache"] = cache_wish(call, said=fields.pop("cache", None))
    extra = request.extra
    if "metadata" in extra and len(metadata) != len(request.metadata):
        extra = {**extra, "metadata": metadata}
    return replace(request, metadata=metadata, extra=extra, **fields)
