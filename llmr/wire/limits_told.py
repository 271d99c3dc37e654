"""What an answer's headers tell of the account's rate limits: how much is left, of how much, full again when.

Every answer tells it, not only a 429, so a client that listens need not run into the wall. The families (wire.md §A.2):

    x-ratelimit-{limit,remaining,reset}-{requests,tokens}     OpenAI, Groq, Azure, Fireworks; reset is a duration
    anthropic-ratelimit-{requests,tokens,input-tokens,output-tokens}-{limit,remaining,reset}     reset is RFC 3339
    x-ratelimit-{limit,remaining,reset}                       Together, OpenRouter
    x-ratelimit-{limit,remaining}-{req,tokens}-minute         Mistral, Cerebras: per minute, without a reset
    {,x-}ratelimitbysize-{limit,remaining,reset}              Mistral, older

Where several windows of a kind are told, the one with the smallest share left speaks.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from llmr.catalog import LimitsTold, Window
from llmr.wire.retry_delay import plain_number, until_reset_s

MINUTE_S: Final = 60.0

# remaining, limit, reset ("": the window is a minute)
_REQUESTS: Final[Sequence[tuple[str, str, str]]] = (
    ("x-ratelimit-remaining-requests", "x-ratelimit-limit-requests", "x-ratelimit-reset-requests"),
    (
        "anthropic-ratelimit-requests-remaining",
        "anthropic-ratelimit-requests-limit",
        "anthropic-ratelimit-requests-reset",
    ),
    ("x-ratelimit-remaining", "x-ratelimit-limit", "x-ratelimit-reset"),
    ("x-ratelimit-remaining-req-minute", "x-ratelimit-limit-req-minute", ""),
    ("x-ratelimit-remaining-requests-minute", "x-ratelimit-limit-requests-minute", "x-ratelimit-reset-requests-minute"),
)
_TOKENS: Final[Sequence[tuple[str, str, str]]] = (
    ("x-ratelimit-remaining-tokens", "x-ratelimit-limit-tokens", "x-ratelimit-reset-tokens"),
    ("anthropic-ratelimit-tokens-remaining", "anthropic-ratelimit-tokens-limit", "anthropic-ratelimit-tokens-reset"),
    (
        "anthropic-ratelimit-input-tokens-remaining",
        "anthropic-ratelimit-input-tokens-limit",
        "anthropic-ratelimit-input-tokens-reset",
    ),
    ("x-ratelimit-remaining-tokens-minute", "x-ratelimit-limit-tokens-minute", "x-ratelimit-reset-tokens-minute"),
    ("ratelimitbysize-remaining", "ratelimitbysize-limit", "ratelimitbysize-reset"),
    ("x-ratelimitbysize-remaining-minute", "x-ratelimitbysize-limit-minute", ""),
)


def limits_told(headers: Mapping[str, str], *, now: float) -> LimitsTold | None:
    """The limits in `headers` (lower-case names), None where there are none. `now` is wall-clock seconds."""
    requests, tokens = _tightest(_REQUESTS, headers, now), _tightest(_TOKENS, headers, now)
    return None if requests is None and tokens is None else LimitsTold(requests, tokens)


def _tightest(family: Sequence[tuple[str, str, str]], headers: Mapping[str, str], now: float) -> Window | None:
    return min(_windows(family, headers, now), key=lambda window: window.left / (window.most or 1.0), default=None)


def _windows(family: Sequence[tuple[str, str, str]], headers: Mapping[str, str], now: float) -> Iterator[Window]:
    for remaining, limit, reset in family:
        left, most = plain_number(headers.get(remaining)), plain_number(headers.get(limit))
        if left is None or (most is not None and most < max(left, 1.0)):
            continue  # a limit of 0, or less than what is left, is no limit anybody can act on
        full_in_s = until_reset_s(headers.get(reset, ""), now) if reset else MINUTE_S
        yield Window(left, most, full_in_s)
