"""JSON text from strangers → values: the one place where answers are parsed.

`json.loads` alone is too trusting (trust.md T24): it raises RecursionError on deep nesting, accepts `NaN`, `Infinity` and
`1e999`, raises a bare ValueError on a 5000-digit integer, and hands out lone surrogates that blow up later, at the first
`print`. Here each of these is either an error of ours or a defined value:

- nesting deeper than `MAX_DEPTH`, non-finite numbers, huge integers, anything that is not JSON: `JsonError`
- a key given twice: the last one counts, as in ECMAScript
- a lone surrogate: U+FFFD

The C scanner does the work; the two extra passes run only on text that holds what they look for.
"""

import json
import re
from collections.abc import Mapping
from typing import Any, Final, cast

MOST_COUNTED: Final = 10**12  # tokens in one answer: a million times the largest window of 2026
MAX_DEPTH: Final = 200  # far above any real answer (logprobs: 7) and far below the interpreter's own limit (1000)

_LONE_SURROGATE: Final = re.compile("[\ud800-\udfff]")


class JsonError(ValueError):
    """The text is not JSON that we accept. The message says why, without the text."""


def _reject_constant(name: str) -> float:
    raise JsonError(f"{name} is not JSON")


def _finite(digits: str) -> float:
    value = float(digits)
    if value - value != 0.0:  # only an infinity differs from 0 here: the scanner passes digits alone
        raise JsonError("a number is too large")
    return value


_DECODER: Final = json.JSONDecoder(parse_constant=_reject_constant, parse_float=_finite)


def parse(text: str, *, max_depth: int = MAX_DEPTH) -> Any:
    """The value of `text`, nested at most `max_depth` deep. Raises JsonError."""
    try:
        value = _DECODER.decode(text)
    except JsonError:
        raise
    except RecursionError:
        raise JsonError("nested too deeply") from None
    except json.JSONDecodeError as error:
        raise JsonError(f"{error.msg} at character {error.pos}") from None
    except ValueError:  # more digits than `int` takes (sys.set_int_max_str_digits)
        raise JsonError("a number is too long") from None
    if text.count("[") + text.count("{") > max_depth and _deeper_than(value, max_depth):
        raise JsonError("nested too deeply")
    if "\\ud" in text or "\\uD" in text:
        return _without_surrogates(value)
    return value


def dump(value: Any) -> str:
    """Compact JSON text, not ASCII-escaped; any Mapping is an object. Raises ValueError for what JSON cannot say."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False, default=_plain)


def encode(value: Any) -> bytes:
    """`dump` as UTF-8; lone surrogates leave as U+FFFD. Raises ValueError for what JSON cannot say."""
    return utf8(dump(value))


def utf8(text: str) -> bytes:
    """The text as UTF-8; lone surrogates leave as U+FFFD."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        return without_surrogates(text).encode()


def without_surrogates(text: str) -> str:
    """The text with each lone surrogate replaced by U+FFFD."""
    return _LONE_SURROGATE.sub("\ufffd", text)


def object_of(value: Any) -> dict[str, Any]:
    """The value where it is an object, else {}: what a reader of foreign JSON goes on with."""
    if not isinstance(value, dict):
        return {}
    return value  # pyright: ignore[reportUnknownVariableType] - JSON keys are strings; mypy calls a cast redundant


def list_of(value: Any) -> list[Any]:
    """The value where it is an array, else []."""
    if not isinstance(value, list):
        return []
    return value  # pyright: ignore[reportUnknownVariableType] - as above


def objects_in(value: Any) -> tuple[dict[str, Any], ...]:
    """The objects in an array that are not empty."""
    return tuple(found for item in list_of(value) if (found := object_of(item)))


def text_of(value: Any) -> str:
    """The value where it is a string, else ""."""
    return value if isinstance(value, str) else ""


def count_of(item: Mapping[str, Any], field: str) -> int | None:
    """A count ≥ 0, None where the field holds none, or one that nobody can have counted: 1e308 tokens overflow a price."""
    value = item.get(field)
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    return int(value) if 0 <= value <= MOST_COUNTED else None


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(cast("Mapping[str, Any]", value))
    raise ValueError(f"{type(value).__name__} has no JSON form")


def _deeper_than(value: Any, limit: int) -> bool:
    """Whether containers nest more than `limit` deep. Level by level: the value may be deeper than the stack."""
    level: list[Any] = [value]
    for _ in range(limit):
        inner: list[Any] = []
        for item in level:
            if isinstance(item, dict):
                inner.extend(object_of(item).values())
            else:
                inner.extend(list_of(item))
        if not inner:
            return False
        level = inner
    return any(isinstance(item, (dict, list)) for item in level)


def _without_surrogates(value: Any) -> Any:
    """The value with every string mended; its depth is at most MAX_DEPTH."""
    match value:
        case str():
            return without_surrogates(value)
        case list():
            return [_without_surrogates(item) for item in list_of(value)]
        case dict():
            return {without_surrogates(key): _without_surrogates(item) for key, item in object_of(value).items()}
        case _:
            return value
