"""Every way in which providers say "wait" (wire.md §A.2, trust.md B28)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmr.wire.retry_delay import go_duration_s, retry_delay_s

NOW = 1_800_000_000.0  # Fri, 15 Jan 2027 08:00:00 GMT


def delay(
    headers: dict[str, str] | None = None, body: object = None, message: str = "", *, limited: bool = True
) -> float | None:
    return retry_delay_s(headers or {}, body, message, limited=limited, now=NOW)


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("3", 3.0),
        (" 3 ", 3.0),
        ("0", 0.0),
        ("1.5", 1.5),
        ("1000000000", 1e9),
        ("6m0s", 360.0),
        ("Fri, 15 Jan 2027 08:00:30 GMT", 30.0),
        ("Friday, 15-Jan-27 08:00:30 GMT", 30.0),
        ("Fri, 15 Jan 2027 07:00:00 GMT", 0.0),
        ("-1", None),
        ("1e9", None),
        ("inf", None),
        ("nan", None),
        ("x", None),
        ("", None),
        ("Wed,…", None),
        ("Fri, 99 Jan 2027 08:00:30 GMT", None),
        ("٣", None),
        ("9" * 400, None),
    ],
)
def test_retry_after_is_seconds_a_fraction_or_a_date(said: str, seconds: float | None) -> None:
    assert delay({"retry-after": said}) == seconds


def test_a_date_counts_from_the_servers_own_clock() -> None:
    assert delay({"retry-after": "Fri, 15 Jan 2027 09:00:30 GMT", "date": "Fri, 15 Jan 2027 09:00:00 GMT"}) == 30.0
    assert delay({"retry-after": "Fri, 15 Jan 2027 08:00:30 GMT", "date": "garbage"}) == 30.0


def test_milliseconds_come_before_seconds() -> None:
    assert delay({"retry-after-ms": "660", "retry-after": "1"}) == 0.66
    assert delay({"retry-after-ms": "-5", "retry-after": "1"}) == 1.0


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("23s", 23.0),
        ("48.903s", 48.903),
        ({"seconds": 3, "nanos": 500_000_000}, 3.5),
        ({"seconds": "3"}, 3.0),
        ({"seconds": -3}, None),
        ("-3s", None),
        (5, None),
    ],
)
def test_googles_retry_info_is_read(said: object, seconds: float | None) -> None:
    details = [
        {"@type": "QuotaFailure"},
        "x",
        {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": said},
    ]
    got = delay(body={"error": {"details": details}})
    assert got == (pytest.approx(seconds) if seconds is not None else None)


@pytest.mark.parametrize(
    ("message", "seconds"),
    [
        ("Rate limit reached. Please try again in 1.2s. Visit …", 1.2),
        ("Please try again in 6m0s.", 360.0),
        ("please try again in 1h2m3.5s", 3723.5),
        ("Try again in 120ms", 0.12),
        ("Please retry in 48.903s.", 48.903),
        ("Please retry after 44 seconds.", 44.0),
        ("Please wait for 2 minutes and try again", 120.0),
        ("Please try again after 1 minute 30 seconds.", 90.0),
        ("wait 1 hour, 2 minutes and 3.5 seconds", 3723.5),
        ("Retry in 1.5 min", 90.0),
        ("try again in 12.5 s", 12.5),
        ("Try again in 1 day", 86400.0),
        ("retry 2 more times", None),
        ("Please try again later.", None),
        ("Please try again in 5 steps", None),
        ("retry in 1e9s", None),
        ("", None),
    ],
)
def test_a_sentence_may_say_it(message: str, seconds: float | None) -> None:
    assert delay(message=message) == (pytest.approx(seconds) if seconds is not None else None)


def test_a_header_comes_before_a_sentence() -> None:
    assert delay({"retry-after": "6"}, message="Please try again in 5.54s") == 6.0


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "1m3s"}, 63.0),
        ({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "12ms"}, 0.012),
        ({"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "19"}, 19.0),
        ({"x-ratelimit-remaining-requests": "199", "x-ratelimit-reset-requests": "300ms"}, None),
        ({"x-ratelimit-reset-requests": "300ms"}, None),
        (
            {
                "x-ratelimit-remaining-requests": "0",
                "x-ratelimit-reset-requests": "2s",
                "x-ratelimit-remaining-tokens": "0",
                "x-ratelimit-reset-tokens": "7s",
            },
            7.0,
        ),
        (
            {
                "anthropic-ratelimit-tokens-remaining": "0",
                "anthropic-ratelimit-tokens-reset": "2027-01-15T08:00:20Z",
            },
            20.0,
        ),
        (
            {"anthropic-ratelimit-tokens-remaining": "0", "anthropic-ratelimit-tokens-reset": "1970-01-01T00:00:00Z"},
            0.0,
        ),
        (
            {"anthropic-ratelimit-tokens-remaining": "0", "anthropic-ratelimit-tokens-reset": "2027-01-15T08:00:20"},
            None,
        ),
        ({"anthropic-ratelimit-tokens-remaining": "0", "anthropic-ratelimit-tokens-reset": "soon"}, None),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1800000005"}, 5.0),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1800000005000"}, 5.0),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1700000000"}, 0.0),
        ({"x-ratelimit-timeremaining": "44"}, 44.0),
    ],
)
def test_the_reset_clock_of_an_empty_limit_counts(headers: dict[str, str], seconds: float | None) -> None:
    assert delay(headers) == (pytest.approx(seconds) if seconds is not None else None)
    assert delay(headers, limited=False) is None


def test_go_durations() -> None:
    assert go_duration_s("1h0.5m.5s") == 3630.5
    assert go_duration_s("2µs") == go_duration_s("2us") == pytest.approx(2e-6)
    assert go_duration_s("5") is None
    assert go_duration_s("9999999999s") is None


@given(st.dictionaries(st.sampled_from(["retry-after", "retry-after-ms", "date", "x-ratelimit-remaining", "x-ratelimit-reset"]),
       st.text(max_size=40)), st.text(max_size=200))  # fmt: skip
def test_garbage_is_never_a_negative_or_infinite_wait(headers: dict[str, str], message: str) -> None:
    got = delay(headers, {"error": {"details": [{"retryDelay": message}]}}, message)
    assert got is None or 0 <= got < float("inf")
