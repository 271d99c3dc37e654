"""What a client may say about the routing of its request: headers `x-llmr-*`, or `llmr_*` in its metadata.

Both say the same; a header, which a proxy can set for a tool that cannot, outranks metadata. What is misspelt is refused:
a request that asked for the cheapest provider must not silently get another.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

from llmr.catalog import Strategy
from llmr.chat import ChatRequest
from llmr.dataclass import dataclass, replace
from llmr.routing.policy import OnBreak
from llmr.server.cache_control import cache_wish
from llmr.server.call import Call
from llmr.wire.serving import RequestUnfit

HEADER: Final = "x-llmr-"
METADATA: Final = "llmr_"
_FLAGS: Final = {"true": True, "false": False, "1": True, "0": False}
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
    return _FLAGS[word.lower()]


def _on_break(word: str) -> str:
    return _ON_BREAK[_ON_BREAK.index(OnBreak(word))].value


def _something(word: str) -> str:
    if not word:
        raise ValueError
    return word


def _tags(words: str) -> tuple[str, ...]:
    return tuple(tag for word in words.split(",") if (tag := word.strip()))


@dataclass(frozen=True, slots=True)
class Hint:
    """The request's field that it sets, how its words are read, what it takes: in words, and as a JSON schema."""

    field: str
    read: Callable[[str], Any]
    takes: str
    schema: Mapping[str, Any]


def _one_of(field: str, read: Callable[[str], Any], words: Sequence[str]) -> Hint:
    return Hint(field, read, " | ".join(words), {"type": "string", "enum": list(words)})


def _number(field: str, most: float, takes: str, *, such_as: float) -> Hint:
    schema = {"type": "number", "exclusiveMinimum": 0, "maximum": most, "examples": [such_as]}
    return Hint(field, _positive(most), takes, schema)


_WORD: Final = {"type": "string", "pattern": "^[!-~]+$"}

# by name, as a header has it
HINTS: Final[Mapping[str, Hint]] = {
    "strategy": _one_of("strategy", lambda word: Strategy(word).value, [one.value for one in Strategy]),
    "provider": Hint("provider", str, "a provider's name", _WORD),
    "tags": Hint("tags", _tags, "words with commas between them", _WORD),
    "max-price": _number("max_price_usd", _MOST_USD, "dollars", such_as=0.05),
    "timeout": _number("deadline_s", _MOST_S, f"seconds, at most {_MOST_S:g}", such_as=30),
    "hedge": _one_of("hedge", _flag, tuple(_FLAGS)),
    "cache": _one_of("cache", _flag, tuple(_FLAGS)),
    "on-break": _one_of("on_break", _on_break, [one.value for one in _ON_BREAK]),
}


def hinted(request: ChatRequest, call: Call, *, query: Mapping[str, str] = MappingProxyType({})) -> ChatRequest:
    """The request with what its client said about routing; `query` says it in a URL, and headers outrank it. Raises
    RequestUnfit.

    Where nobody said what follows a break after text was sent, it fails: a program at the other end cannot see a seam. An
    answer in one piece can begin anew for as long as nothing of it was sent.
    """
    # the hint → where it was said, and its value
    said: dict[str, tuple[str, str]] = {name: (name, value) for name, value in query.items()}
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
        if hint not in HINTS:
            raise RequestUnfit(f"is no routing hint; known: {', '.join(HINTS)}", param=place)
        known = HINTS[hint]
        try:
            fields[known.field] = known.read(_something(value))
        except (ValueError, KeyError):
            raise RequestUnfit(f"takes {known.takes}", param=place) from None
    fields["cache"] = cache_wish(call, said=fields.pop("cache", None))
    extra = request.extra
    if "metadata" in extra and len(metadata) != len(request.metadata):
        extra = {**extra, "metadata": metadata}
    return replace(request, metadata=metadata, extra=extra, **fields)
