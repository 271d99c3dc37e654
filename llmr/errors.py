"""Everything that can go wrong, as one tree and one closed list of kinds.

    LlmrError
    ├── UsageError            what was typed cannot be used
    ├── ConfigError           a setting is wrong: names file, line or key, and the mend
    │   └── TrustError        a file or an origin is not trusted with this
    ├── CredentialError       a key is unusable before anything was sent
    ├── NoProviderReady       nothing to ask: no key, no local server
    ├── RequestDenied         a rule says no
    ├── ProviderError         one attempt failed, for one `ErrorKind`
    ├── AllAttemptsFailed     every candidate was tried or refused; keeps each failure
    │   └── TurnedAway        by a server's throttle, before anybody was asked
    ├── StreamInterrupted     text was shown, then the stream broke
    ├── StateError            the state store
    │   ├── StateBusy         another process holds the lock
    │   └── StateUnusable     it cannot be opened, read or written
    └── OutputError           the answer could not be written

An `ErrorKind` says *what happened*; what to do about it is a row in `routing/disposition.py`; what it looks like on a wire
is a row in `wire/errors.py`. The kinds follow shared/design/wire.md §A.4.
"""

from collections.abc import Sequence
from enum import StrEnum

from llmr.dataclass import dataclass


class ErrorKind(StrEnum):
    """Why one attempt failed."""

    CONNECT = "connect"  # DNS, refused, unreachable, reset before headers
    CONNECT_TIMEOUT = "connect_timeout"
    TLS = "tls"
    FIRST_TOKEN_TIMEOUT = "first_token_timeout"  # noqa: S105 - a token of text
    DEADLINE = "deadline"  # the caller's own time was up before what the provider may usually take
    STALL = "stall"  # silence between two tokens
    SERVER = "server"  # 5xx, 408, gateway text
    GATEWAY = "gateway"  # a 5xx that is a page of HTML: of what stands before the provider, and before all its models
    OVERLOADED = "overloaded"  # 529, "at capacity"
    RATE_LIMIT = "rate_limit"
    TOO_LARGE_FOR_LIMIT = "too_large_for_limit"  # a 429 that no waiting mends
    QUOTA = "quota"  # money or a day's quota is gone
    AUTH = "auth"
    MODEL_NOT_FOUND = "model_not_found"
    CONTEXT_LENGTH = "context_length"
    UNSUPPORTED = "unsupported"  # this model lacks a feature the request needs
    CONTENT_FILTER = "content_filter"
    BAD_REQUEST = "bad_request"
    TOOL_USE_FAILED = "tool_use_failed"
    NOT_ACCEPTED = "not_accepted"  # a whole answer that the request's own check refused
    BAD_RESPONSE = "bad_response"  # a 200 that is no answer: HTML, empty, garbage, a redirect, too large
    INCOMPLETE = "incomplete"  # the stream ended without the wire's own end
    NOT_SENT = "not_sent"  # our own side could not send it: a header, a CA file, an origin that is not trusted
    BUDGET = "budget"  # the user's own price cap or spend limit: nothing was sent
    CANCELLED = "cancelled"  # by the user, or a hedge that lost


def kind_named(word: str) -> ErrorKind | None:
    """The kind of that value; None for a word that this version does not know, as a newer one may have stored."""
    try:
        return ErrorKind(word)
    except ValueError:
        return None


class LlmrError(Exception):
    """Root of the tree. `str()` is one line for a person: what, where, what next."""


class UsageError(LlmrError):
    """What was typed cannot be used."""


@dataclass(frozen=True, slots=True)
class Wrong:
    """One thing that is wrong with the settings, as a line for people and in its parts. `file` is a file's name or a
    variable's; `line` counts from 1, None: it is not about a line; `key` "": not about one key; `suggestion`: what was
    probably meant."""

    text: str
    file: str = ""
    line: int | None = None
    key: str = ""
    message: str = ""
    suggestion: str | None = None


class ConfigError(LlmrError):
    """A setting is wrong. The message names file, line or key path, what was found and what is known.

    `every` is each thing that is wrong, in their order; `more`: how many others were left out of it.
    """

    def __init__(self, message: str, *, every: Sequence[Wrong] = (), more: int = 0) -> None:
        super().__init__(message)
        self.every = tuple(every) or (Wrong(message, message=message),)
        self.more = more


class TrustError(ConfigError):
    """A file, or the pairing of a key with an origin, is not trusted."""


class CredentialError(LlmrError):
    """A key is missing or malformed; the value is never in the message."""


class NoProviderReady(LlmrError):
    """No candidate could be asked at all; `missing` names the key variables that would change that."""

    def __init__(self, message: str, *, missing: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.missing = tuple(missing)


class RequestDenied(LlmrError):
    """A rule refuses this request; the message is the rule's own."""


class ProviderError(LlmrError):
    """One attempt failed.

    `retry_after_s` is the provider's own word, in seconds from now, unclamped but never negative; None when it said
    nothing usable. `should_retry` is its explicit verdict (`x-should-retry`), None when it gave none. `message` is foreign
    text: it passes the neutraliser before a terminal. `raw` is the body as received, cut to 64 KiB, for `--debug` only.
    """

    def __init__(
        self,
        kind: ErrorKind,
        message: str,
        *,
        status: int | None = None,
        code: str | None = None,
        retry_after_s: float | None = None,
        should_retry: bool | None = None,
        request_id: str | None = None,
        raw: bytes = b"",
    ) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.status = status
        self.code = code
        self.retry_after_s = retry_after_s
        self.should_retry = should_retry
        self.request_id = request_id
        self.raw = raw

    def __repr__(self) -> str:
        return (
            f"ProviderError({self.kind}, status={self.status}, code={self.code!r}, retry_after_s={self.retry_after_s})"
        )


@dataclass(frozen=True, slots=True)
class Failure:
    """A candidate that was tried and failed, or (`error` None) that could not be tried.

    `kind` is what it comes down to, None for a rule or an account that is off. `retry_at` is wall-clock seconds, None: not
    a matter of time.
    """

    candidate: str
    reason: str
    kind: ErrorKind | None = None
    error: ProviderError | None = None
    retry_at: float | None = None


class AllAttemptsFailed(LlmrError):
    """No candidate answered. `failures` keeps every attempt and refusal in the order in which they happened; `asked` is the
    name that was asked for, `ended` why no more was tried where somebody was left, "": nobody was."""

    def __init__(
        self,
        message: str,
        *,
        failures: Sequence[Failure],
        retry_after_s: float | None = None,
        asked: str = "",
        ended: str = "",
    ) -> None:
        super().__init__(message)
        self.failures = tuple(failures)
        self.retry_after_s = retry_after_s
        self.asked = asked
        self.ended = ended


class TurnedAway(AllAttemptsFailed):
    """While nobody can answer, a share of the requests is spared the asking (routing/throttle.py)."""


class StreamInterrupted(LlmrError):
    """The stream broke after text was shown, `after_s` seconds into the attempt. Nothing is repeated and nobody continues
    it."""

    def __init__(self, message: str, *, candidate: str, error: ProviderError, after_s: float | None = None) -> None:
        super().__init__(message)
        self.after_s = after_s
        self.candidate = candidate
        self.error = error


class StateError(LlmrError):
    """The state store failed. Bookkeeping: it never fails a request."""


class StateBusy(StateError):
    """Another process holds the store's lock for longer than we are willing to wait."""


class StateUnusable(StateError):
    """The store cannot be opened, read or written."""


class OutputError(LlmrError):
    """The answer could not be written to where it was to go."""
