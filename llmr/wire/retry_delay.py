"""How long a provider asks us to wait: every form in which providers say it (wire.md §A.2), as seconds from now.

The order is from the explicit to the inferred: `retry-after-ms`, `retry-after` (seconds, fraction or HTTP date), Google's
RetryInfo, a sentence such as "Please try again in 1.2s", and last the reset clock of a limit that has nothing remaining. A
form that is negative or garbage counts as not said. Nothing is clamped: what is too long is for the router to judge.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from llmr.wire.json_text import list_of, object_of

_SENTENCE: Final = (
    r"(?:try again|retry|wait)(?: \w+){0,3}? (?:in |after |for )?"
    r"((?:\d{1,9}(?:\.\d{1,9})?(?:ms|us|µs|ns|h|m|s))+)(?!\w)"
)
_WORDED: Final = r"(\d{1,9}(?:\.\d{1,9})?) ?(days?|d|hours?|hrs?|h|minutes?|mins?|m|seconds?|secs?|s)\b"
_SENTENCE_IN_WORDS: Final = rf"(?:try again|retry|wait)(?: \w+){{0,3}}? ({_WORDED}(?:(?:,? and |, ?| ){_WORDED})*)"
_GO_PART: Final = r"(\d{1,9}(?:\.\d{1,9})?|\.\d{1,9})(h|ms|m|us|µs|ns|s)"
_UNIT_S: Final[Mapping[str, float]] = {
    "d": 86400.0,
    "h": 3600.0,
    "m": 60.0,
    "s": 1.0,
    "ms": 1e-3,
    "us": 1e-6,
    "µs": 1e-6,
    "ns": 1e-9,
}

# (what remains, when it is full again): the reset counts only where nothing remains, else it is no reason to wait.
_RESETS: Final[Sequence[tuple[str, str]]] = (
    (
        "x-ratelimit-remaining-requests",
        "x-ratelimit-reset-requests",
    ),  # OpenAI, Groq: Go durations; Azure: seconds
    ("x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens"),
    ("anthropic-ratelimit-requests-remaining", "anthropic-ratelimit-requests-reset"),  # RFC 3339
    ("anthropic-ratelimit-tokens-remaining", "anthropic-ratelimit-tokens-reset"),
    ("anthropic-ratelimit-input-tokens-remaining", "anthropic-ratelimit-input-tokens-reset"),
    ("anthropic-ratelimit-output-tokens-remaining", "anthropic-ratelimit-output-tokens-reset"),
    ("x-ratelimit-remaining", "x-ratelimit-reset"),  # Together: seconds; OpenRouter: epoch milliseconds
    ("ratelimitbysize-remaining", "ratelimitbysize-reset"),  # Mistral
    ("x-ratelimitbysize-remaining-minute", "x-ratelimitbysize-reset"),
)
_ALWAYS: Final = "x-ratelimit-timeremaining"  # GitHub Models: seconds, sent only once the limit is hit
_EPOCH_S: Final = 1e9  # a larger "duration" is a date: 1e9 seconds are 32 years, or September 2001
_EPOCH_MS: Final = 1e12


def retry_delay_s(headers: Mapping[str, str], body: Any, message: str, *, limited: bool, now: float) -> float | None:
    """Seconds to wait, ≥ 0, or None. `limited`: the status says that a limit was hit, so that reset clocks count."""
    for said in (
        plain_number(headers.get("retry-after-ms"), 1e-3),
        _retry_after(headers, now),
        _retry_info(body),
        _in_a_sentence(message),
        _reset(headers, now) if limited else None,
    ):
        if said is not None:
            return said
    return None


def go_duration_s(text: str) -> float | None:
    """`1m3.5s`, `12ms`, `2h` → seconds; None for anything else."""
    if not re.fullmatch(f"(?:{_GO_PART})+", text):
        return None
    return sum(float(number) * _UNIT_S[unit] for number, unit in re.findall(_GO_PART, text))


def plain_number(text: str | None, unit_s: float = 1.0) -> float | None:
    """A plain decimal ≥ 0 in seconds. Signs, exponents, `inf` and `nan` are garbage here."""
    if text is None or not re.fullmatch(r"\s*\d{1,15}(?:\.\d{0,15})?\s*", text, re.ASCII):
        return None
    return float(text) * unit_s


def _retry_after(headers: Mapping[str, str], now: float) -> float | None:
    text = headers.get("retry-after")
    if text is None:
        return None
    seconds = plain_number(text)
    if seconds is not None:
        return seconds
    seconds = go_duration_s(text.strip())
    return seconds if seconds is not None else _until_http_date(text, headers.get("date"), now)


def _until_http_date(text: str, sent: str | None, now: float) -> float | None:
    """Seconds until the date; 0 for one that has passed. The answer's own `date` is the better now: clocks differ."""
    at = _http_date(text)
    if at is None:
        return None
    base = _http_date(sent) if sent is not None else None
    return max(0.0, at - (now if base is None else base))


def _http_date(text: str) -> float | None:
    from email.utils import parsedate_to_datetime  # noqa: PLC0415 - 10 ms, and needed for one answer in thousands

    try:
        at = parsedate_to_datetime(text)
        return at.timestamp()
    except (ValueError, OverflowError, TypeError, IndexError):
        return None


def _retry_info(body: Any) -> float | None:
    """google.rpc.RetryInfo: `{"@type": "…RetryInfo", "retryDelay": "23s"}` among `error.details`."""
    for detail in list_of(object_of(object_of(body).get("error")).get("details")):
        delay = object_of(detail).get("retryDelay")
        if isinstance(delay, str):
            return go_duration_s(delay)
        if isinstance(delay, dict):  # the long form of a protobuf Duration
            parts = object_of(delay)
            seconds = plain_number(str(parts.get("seconds", 0)))
            nanos = plain_number(str(parts.get("nanos", 0)), 1e-9)
            return seconds + nanos if seconds is not None and nanos is not None else None
    return None


def _in_a_sentence(message: str) -> float | None:
    found = re.search(_SENTENCE, message, re.IGNORECASE)
    if found:
        return go_duration_s(found[1].lower())
    found = re.search(_SENTENCE_IN_WORDS, message, re.IGNORECASE)
    if not found:
        return None
    return sum(
        float(number) * _UNIT_S[unit[0].lower()] for number, unit in re.findall(_WORDED, found[1], re.IGNORECASE)
    )


def _reset(headers: Mapping[str, str], now: float) -> float | None:
    """The longest wait among the limits that have nothing remaining."""
    waits = [
        wait
        for remaining, reset in _RESETS
        if plain_number(headers.get(remaining)) == 0
        and (wait := until_reset_s(headers.get(reset, ""), now)) is not None
    ]
    if waits:
        return max(waits)
    return plain_number(headers.get(_ALWAYS))


def until_reset_s(text: str, now: float) -> float | None:
    """A reset is a duration (`12ms`, `19`), a date in epoch seconds or milliseconds, or an RFC 3339 date."""
    number = plain_number(text)
    if number is not None:
        if number >= _EPOCH_MS:
            return max(0.0, number / 1000 - now)
        return max(0.0, number - now) if number >= _EPOCH_S else number
    duration = go_duration_s(text.strip())
    return duration if duration is not None else _until_rfc3339(text, now)


def _until_rfc3339(text: str, now: float) -> float | None:
    from datetime import datetime  # noqa: PLC0415 - as above

    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return max(0.0, at.timestamp() - now) if at.tzinfo is not None else None
