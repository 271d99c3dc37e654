"""The exit codes, and which error means which. The table is in the README, `llmr help exit-codes` and the JSON."""

from collections.abc import Collection, Mapping
from enum import IntEnum
from types import MappingProxyType
from typing import Final

from llmr.errors import (
    AllAttemptsFailed,
    ConfigError,
    CredentialError,
    ErrorKind,
    LlmrError,
    NoProviderReady,
    OutputError,
    RequestDenied,
    StateError,
    StreamInterrupted,
    UsageError,
)
from llmr.routing.verdict import verdict


class ExitCode(IntEnum):
    """What a script can rely on (shared/design/cli.md)."""

    OK = 0
    UNEXPECTED = 1  # a bug
    USAGE = 2
    NOT_CONFIGURED = 3  # not configured, invalid, or not trusted
    NO_KEY = 4  # missing or rejected by every candidate
    ALL_DOWN = 5
    RATE_LIMITED = 6  # or out of quota, everywhere
    TIMEOUT = 7
    PARTIAL = 8  # what came is on stdout
    REJECTED = 9  # too long, bad parameters, schema not met
    CONTENT_FILTER = 10
    BUDGET = 11
    OUTPUT = 12
    HANGUP = 129
    INTERRUPTED = 130
    CLOSED_PIPE = 141
    TERMINATED = 143


BY_KIND: Final[Mapping[ErrorKind, ExitCode]] = MappingProxyType(
    {
        ErrorKind.CONNECT: ExitCode.ALL_DOWN,
        ErrorKind.CONNECT_TIMEOUT: ExitCode.TIMEOUT,
        ErrorKind.TLS: ExitCode.ALL_DOWN,
        ErrorKind.FIRST_TOKEN_TIMEOUT: ExitCode.TIMEOUT,
        ErrorKind.DEADLINE: ExitCode.TIMEOUT,
        ErrorKind.STALL: ExitCode.TIMEOUT,
        ErrorKind.SERVER: ExitCode.ALL_DOWN,
        ErrorKind.GATEWAY: ExitCode.ALL_DOWN,
        ErrorKind.OVERLOADED: ExitCode.ALL_DOWN,
        ErrorKind.RATE_LIMIT: ExitCode.RATE_LIMITED,
        ErrorKind.TOO_LARGE_FOR_LIMIT: ExitCode.REJECTED,
        ErrorKind.QUOTA: ExitCode.RATE_LIMITED,
        ErrorKind.AUTH: ExitCode.NO_KEY,
        ErrorKind.MODEL_NOT_FOUND: ExitCode.REJECTED,
        ErrorKind.CONTEXT_LENGTH: ExitCode.REJECTED,
        ErrorKind.UNSUPPORTED: ExitCode.REJECTED,
        ErrorKind.CONTENT_FILTER: ExitCode.CONTENT_FILTER,
        ErrorKind.BAD_REQUEST: ExitCode.REJECTED,
        ErrorKind.TOOL_USE_FAILED: ExitCode.REJECTED,
        ErrorKind.NOT_ACCEPTED: ExitCode.REJECTED,
        ErrorKind.BAD_RESPONSE: ExitCode.ALL_DOWN,
        ErrorKind.INCOMPLETE: ExitCode.ALL_DOWN,
        ErrorKind.NOT_SENT: ExitCode.NOT_CONFIGURED,
        ErrorKind.BUDGET: ExitCode.BUDGET,
        ErrorKind.CANCELLED: ExitCode.INTERRUPTED,
    }
)


def exit_code_of(error: LlmrError) -> ExitCode:
    """The code for an error that reached the command line."""
    match error:
        case AllAttemptsFailed():
            return BY_KIND[verdict(error.failures)]
        case StreamInterrupted():
            return ExitCode.PARTIAL
        case UsageError():
            return ExitCode.USAGE
        case ConfigError() | NoProviderReady() | RequestDenied():
            return ExitCode.NOT_CONFIGURED
        case CredentialError():
            return ExitCode.NO_KEY
        case OutputError() | StateError():
            return ExitCode.OUTPUT
        case _:
            return ExitCode.UNEXPECTED


_OF_SEVERAL: Final = (  # cli.md: what came is told first, then the most retryable class wins
    ExitCode.PARTIAL,
    ExitCode.RATE_LIMITED,
    ExitCode.TIMEOUT,
    ExitCode.ALL_DOWN,
    ExitCode.BUDGET,
    ExitCode.NO_KEY,
    ExitCode.NOT_CONFIGURED,
    ExitCode.REJECTED,
    ExitCode.CONTENT_FILTER,
)


def worst_of(codes: Collection[ExitCode]) -> ExitCode:
    """The code of a run that asked after several: of what no waiting mends, if anything is of that kind; OK of nothing."""
    return next(
        (code for code in reversed(_OF_SEVERAL) if code in codes), ExitCode.UNEXPECTED if codes else ExitCode.OK
    )


def exit_code_of_several(codes: Collection[ExitCode]) -> ExitCode:
    """The code of a run that asked several at once, of what each of them would have ended with: OK where one is whole."""
    if ExitCode.OK in codes:
        return ExitCode.OK
    return next((code for code in _OF_SEVERAL if code in codes), ExitCode.UNEXPECTED)
