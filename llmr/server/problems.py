"""What went wrong → what the client is told: one table, one status and code per kind of failure.

The statuses are chosen for what clients do with them. The official SDKs try again on 408, 409, 429 and 5xx, obey `Retry-After`
and believe `x-should-retry`, so whatever no waiting mends says `x-should-retry: false`. A provider's own 401 is *not* passed
on as 401: it would tell the client that its token is wrong. The user's own price cap is 402, which no SDK tries again. Messages
from providers are foreign text: redacted and cut.
"""

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from llmr.errors import (
    AllAttemptsFailed,
    ErrorKind,
    LlmrError,
    NoProviderReady,
    RequestDenied,
    StreamInterrupted,
    UsageError,
)
from llmr.routing.verdict import verdict
from llmr.secret import Redactor
from llmr.server.why import why
from llmr.wire.serving import Problem, RequestUnfit

LEAST_RETRY_AFTER_S: Final = 1.0  # "at once" is what the client did already
MESSAGE_LIMIT: Final = 2048  # characters, trust.md T21


class Refused(LlmrError):
    """The server itself says no, before the router is asked."""

    def __init__(self, problem: Problem, *, headers: Mapping[str, str] = MappingProxyType({})) -> None:
        super().__init__(problem.message)
        self.problem = problem
        self.headers = headers


def refuse(
    status: int, code: str, message: str, *, param: str | None = None, retry_after_s: float | None = None
) -> Refused:
    """A refusal, to be raised."""
    return Refused(Problem(status, code, message, param, retry_after_s))


_BY_KIND: Final[Mapping[ErrorKind, tuple[int, str, bool | None]]] = MappingProxyType(
    {
        # kind                          status  code                        should the client try again? None: by status
        ErrorKind.CONNECT:             (503, "no_provider_available", None),
        ErrorKind.TLS:                 (503, "no_provider_available", None),
        ErrorKind.SERVER:              (503, "no_provider_available", None),
        ErrorKind.GATEWAY:             (503, "no_provider_available", None),
        ErrorKind.OVERLOADED:          (503, "no_provider_available", None),
        ErrorKind.BAD_RESPONSE:        (502, "bad_provider_response", None),
        ErrorKind.INCOMPLETE:          (502, "incomplete_provider_response", None),
        ErrorKind.CONNECT_TIMEOUT:     (504, "provider_timeout", None),
        ErrorKind.FIRST_TOKEN_TIMEOUT: (504, "provider_timeout", None),
        ErrorKind.DEADLINE: (504, "deadline_exceeded", None),
        ErrorKind.STALL:               (504, "provider_timeout", None),
        ErrorKind.RATE_LIMIT:          (429, "rate_limit_exceeded", None),
        ErrorKind.TOO_LARGE_FOR_LIMIT: (413, "request_too_large", False),
        ErrorKind.QUOTA:               (429, "insufficient_quota", False),
        ErrorKind.BUDGET:              (402, "budget_exceeded", False),
        ErrorKind.AUTH:                (502, "provider_key_rejected", False),
        ErrorKind.NOT_SENT:            (500, "not_configured", False),
        ErrorKind.MODEL_NOT_FOUND:     (404, "model_not_found", None),
        ErrorKind.CONTEXT_LENGTH:      (400, "context_length_exceeded", None),
        ErrorKind.UNSUPPORTED:         (400, "unsupported_feature", None),
        ErrorKind.CONTENT_FILTER:      (400, "content_filter", None),
        ErrorKind.BAD_REQUEST:         (400, "invalid_request", None),
        ErrorKind.TOOL_USE_FAILED:     (400, "tool_use_failed", None),
        ErrorKind.NOT_ACCEPTED:        (502, "answer_not_accepted", None),
        ErrorKind.CANCELLED:           (503, "cancelled", None),
    }
)  # fmt: skip

STATUSES: Final = frozenset({status for status, _, _ in _BY_KIND.values()} | {403})  # of what the router may end in


def problem_of(error: LlmrError, redact: Redactor) -> Problem:
    """What the client is told of `error`."""
    match error:
        case Refused():
            return error.problem
        case AllAttemptsFailed():
            status, code, should_retry = _BY_KIND[verdict(error.failures)]
            message = why(error, nobody_there=code == "no_provider_available")
            return Problem(status, code, _shown(message, redact), None, error.retry_after_s, should_retry)
        case StreamInterrupted():
            status, code, should_retry = _BY_KIND[error.error.kind]
            return Problem(status, code, _shown(f"The stream broke off: {error}", redact), None, None, should_retry)
        case NoProviderReady():
            lacking = f"; set one of {', '.join(error.missing)}" if error.missing else ""
            return Problem(503, "no_provider_ready", _shown(f"{error}{lacking}", redact), should_retry=False)
        case RequestDenied():
            return Problem(403, "request_denied", _shown(str(error), redact))
        case RequestUnfit():
            where = f"{error.param}: " if error.param else ""
            return Problem(400, "invalid_request", _shown(f"{where}{error}", redact), error.param)
        case UsageError():  # the router's: a model or a provider that nobody knows
            return Problem(404, "model_not_found", _shown(str(error), redact), "model")
        case _:
            return Problem(
                500, "internal_error", "llmr cannot serve this request; its log says why", should_retry=False
            )


def headers_of(problem: Problem) -> dict[str, str]:
    """What HTTP says of it: when to come back, and whether to."""
    headers: dict[str, str] = {}
    if problem.retry_after_s is not None:
        after_s = max(LEAST_RETRY_AFTER_S, problem.retry_after_s)
        headers["retry-after"] = str(math.ceil(after_s))  # who comes a moment early comes in vain
        headers["retry-after-ms"] = str(math.ceil(after_s * 1000))
    if problem.should_retry is not None:
        headers["x-should-retry"] = str(problem.should_retry).lower()
    return headers


def _shown(text: str, redact: Redactor) -> str:
    return redact(" ".join(text.split()))[:MESSAGE_LIMIT]
