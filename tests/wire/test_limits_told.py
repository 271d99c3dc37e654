"""Rate-limit headers, as each vendor writes them."""

import pytest

from llmr.catalog import LimitsTold, Window
from llmr.wire.limits_told import limits_told

NOW = 1_795_435_200.0  # 2026-11-23T12:00:00Z


@pytest.mark.parametrize(
    ("headers", "told"),
    [
        (
            {
                "x-ratelimit-limit-requests": "500",
                "x-ratelimit-remaining-requests": "499",
                "x-ratelimit-reset-requests": "120ms",
                "x-ratelimit-limit-tokens": "30000",
                "x-ratelimit-remaining-tokens": "29985",
                "x-ratelimit-reset-tokens": "30ms",
            },
            LimitsTold(Window(499, 500, 0.12), Window(29985, 30000, 0.03)),
        ),
        (
            {
                "anthropic-ratelimit-requests-limit": "50",
                "anthropic-ratelimit-requests-remaining": "49",
                "anthropic-ratelimit-requests-reset": "2026-11-23T12:00:30Z",
            },
            LimitsTold(Window(49, 50, 30.0)),
        ),
        (
            {"x-ratelimit-limit": "600", "x-ratelimit-remaining": "0", "x-ratelimit-reset": "9"},
            LimitsTold(Window(0, 600, 9.0)),
        ),
        (
            {"x-ratelimit-limit-req-minute": "60", "x-ratelimit-remaining-req-minute": "59"},
            LimitsTold(Window(59, 60, 60.0)),
        ),
        ({"x-ratelimit-remaining-requests": "7"}, LimitsTold(Window(7, None, None))),
        ({"x-ratelimit-remaining-tokens": "12"}, LimitsTold(None, Window(12, None, None))),
    ],
    ids=["openai", "anthropic", "together", "mistral", "remaining only", "tokens only"],
)
def test_each_vendors_headers_are_read(headers: dict[str, str], told: LimitsTold) -> None:
    assert limits_told(headers, now=NOW) == told


def test_the_tightest_of_several_windows_speaks() -> None:
    headers = {
        "anthropic-ratelimit-tokens-limit": "90000",
        "anthropic-ratelimit-tokens-remaining": "80000",
        "anthropic-ratelimit-tokens-reset": "2026-11-23T12:00:01Z",
        "anthropic-ratelimit-input-tokens-limit": "50000",
        "anthropic-ratelimit-input-tokens-remaining": "100",
        "anthropic-ratelimit-input-tokens-reset": "2026-11-23T12:00:50Z",
    }
    assert limits_told(headers, now=NOW) == LimitsTold(None, Window(100, 50000, 50.0))


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"x-ratelimit-limit-requests": "500"},
        {"x-ratelimit-remaining-requests": "-1"},
        {"x-ratelimit-remaining-requests": "many"},
        {"x-ratelimit-remaining-requests": "5", "x-ratelimit-limit-requests": "0"},
        {"x-ratelimit-remaining-requests": "5", "x-ratelimit-limit-requests": "3"},
    ],
)
def test_garbage_and_silence_tell_nothing(headers: dict[str, str]) -> None:
    assert limits_told(headers, now=NOW) is None
