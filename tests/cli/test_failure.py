"""A failure becomes an exit code, lines on stderr and the `error` of the JSON, all from the same facts."""

from typing import Any

import pytest

from llmr.cli.choices import check_on_break, check_strategy
from llmr.cli.exit_codes import BY_KIND, ExitCode, exit_code_of
from llmr.cli.failure import failure_lines, note_of
from llmr.cli.output import ClosedPipe
from llmr.errors import (
    AllAttemptsFailed,
    ConfigError,
    CredentialError,
    ErrorKind,
    Failure,
    LlmrError,
    NoProviderReady,
    OutputError,
    ProviderError,
    RequestDenied,
    StateBusy,
    StreamInterrupted,
    TrustError,
    UsageError,
)


def tried(kind: ErrorKind, name: str = "a/m", **facts: Any) -> Failure:
    error = ProviderError(kind, f"{name} said {kind}", **facts)
    return Failure(name, error.message, kind, error)


def refused(kind: ErrorKind | None, name: str = "z/m") -> Failure:
    return Failure(name, "its circuit is open", kind, retry_at=1.0)


def all_failed(*failures: Failure, **facts: Any) -> AllAttemptsFailed:
    return AllAttemptsFailed("no answer for 'm'", failures=failures, **facts)


K = ErrorKind
BROKE = StreamInterrupted("a/m broke off", candidate="a/m", error=ProviderError(K.STALL, "silent"))


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UsageError(""), 2),
        (ConfigError(""), 3),
        (TrustError(""), 3),
        (NoProviderReady(""), 3),
        (RequestDenied(""), 3),
        (CredentialError(""), 4),
        (BROKE, 8),
        (OutputError(""), 12),
        (StateBusy(""), 12),
        (LlmrError(""), 1),
    ],
)
def test_each_error_has_its_code(error: LlmrError, code: int) -> None:
    assert exit_code_of(error) == code


@pytest.mark.parametrize("kind", ErrorKind)
def test_each_kind_of_failure_has_a_code(kind: ErrorKind) -> None:
    expected = ExitCode.ALL_DOWN if kind is K.CANCELLED else BY_KIND[kind]
    assert exit_code_of(all_failed(tried(kind))) is expected


@pytest.mark.parametrize(
    ("failures", "code"),
    [
        ((), 5),
        ((refused(None),), 5),
        ((tried(K.SERVER), tried(K.RATE_LIMIT)), 6),
        ((tried(K.RATE_LIMIT), tried(K.STALL), tried(K.AUTH)), 6),
        ((tried(K.STALL), tried(K.SERVER)), 7),
        ((tried(K.AUTH), tried(K.CONNECT)), 5),
        ((tried(K.CONTEXT_LENGTH), tried(K.AUTH)), 4),
        ((tried(K.SERVER), refused(K.RATE_LIMIT)), 6),
        # an end that the request itself caused is that, whatever went before and whoever was not asked
        ((tried(K.RATE_LIMIT), tried(K.CONTENT_FILTER)), 10),
        ((tried(K.CONTENT_FILTER), refused(K.SERVER)), 10),
        ((tried(K.RATE_LIMIT), tried(K.BAD_REQUEST)), 9),
        ((tried(K.BAD_REQUEST), refused(K.RATE_LIMIT)), 9),
        ((tried(K.CONTENT_FILTER), tried(K.SERVER)), 5),
    ],
)
def test_of_mixed_failures_the_most_retryable_wins(failures: tuple[Failure, ...], code: int) -> None:
    assert exit_code_of(all_failed(*failures)) == code


def test_the_lines_say_what_who_why_and_what_next() -> None:
    error = all_failed(
        tried(K.SERVER, status=500), tried(K.SERVER, status=503), tried(K.CONNECT, "b/m"), refused(K.AUTH),
        retry_after_s=12.0,
    )  # fmt: skip
    assert list(failure_lines(error)) == [
        "no answer for 'm'",
        "  a/m: 503 server: a/m said server",
        "  b/m: connect: b/m said connect",
        "  z/m: its circuit is open",
        "  the first of them may be asked again in 12 s",
        "  `llmr providers status` shows who is down, and until when nobody is asked",
    ]


@pytest.mark.parametrize("error", [UsageError("no such thing"), NoProviderReady("nobody", missing=("A_KEY",))])
def test_an_error_that_explains_itself_is_one_line(error: LlmrError) -> None:
    assert list(failure_lines(error)) == [str(error)]


def test_a_broken_stream_is_one_line() -> None:
    """It follows half an answer: whoever reads it knows what to do, and a script greps for one line."""
    assert list(failure_lines(BROKE)) == ["a/m broke off"]
    assert note_of(BROKE).hint is None


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (all_failed(tried(K.SERVER), tried(K.RATE_LIMIT), tried(K.CONNECT)), "rate_limit"),
        (all_failed(tried(K.CONTENT_FILTER), refused(K.SERVER)), "content_filter"),
        (all_failed(), "server"),
        (BROKE, "stall"),
        (NoProviderReady(""), "not_configured"),
        (ConfigError(""), "not_configured"),
        (UsageError(""), "usage"),
        (CredentialError(""), "auth"),
        (OutputError(""), "output"),
        (StateBusy(""), "state"),
    ],
)
def test_the_note_names_the_kind_that_the_code_stands_for(error: LlmrError, kind: str) -> None:
    note = note_of(error)
    assert note.kind == kind
    assert note.exit_code == exit_code_of(error)


def test_the_note_carries_when_to_ask_again_and_what_to_do() -> None:
    note = note_of(all_failed(tried(K.RATE_LIMIT), retry_after_s=30.0))
    assert (note.retry_after_s, note.hint) == (30.0, "wait, or name another model with --model")
    assert note_of(NoProviderReady("", missing=("A", "B"))).hint == "set one of A, B, or try `llmr chat --demo`"
    assert note_of(NoProviderReady("")).hint is None


def test_a_reader_that_has_gone_is_an_output_that_cannot_be_written() -> None:
    assert exit_code_of(ClosedPipe("")) is ExitCode.OUTPUT


def test_an_option_that_does_not_exist_is_refused_with_the_nearest() -> None:
    for known in (None, "priority", "round_robin"):
        check_strategy(known)
    for known in (None, "fail", "buffer"):
        check_on_break(known)
    with pytest.raises(UsageError, match=r"unknown strategy 'latncy'; did you mean latency\?"):
        check_strategy("latncy")
    with pytest.raises(UsageError, match="known: fail, restart, continue, buffer"):
        check_on_break("explode")
