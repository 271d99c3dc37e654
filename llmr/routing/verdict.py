"""Many failures, one verdict: the kind of failure that a request comes down to.

Whoever asks wants to know whether to try again, so the most retryable class wins: a rate limit among dead providers is
something to wait for. An end that the request itself caused (a policy's, a malformed one) is that, whatever went before. The
command line's exit codes and the server's statuses are both read off this.
"""

from collections.abc import Sequence
from typing import Final

from llmr.errors import ErrorKind, Failure
from llmr.routing.disposition import Onward, disposition

_CLASSES: Final[Sequence[frozenset[ErrorKind]]] = (  # the most retryable first
    frozenset({ErrorKind.RATE_LIMIT, ErrorKind.QUOTA}),
    frozenset({ErrorKind.CONNECT_TIMEOUT, ErrorKind.FIRST_TOKEN_TIMEOUT, ErrorKind.STALL, ErrorKind.DEADLINE}),
    frozenset(
        {ErrorKind.CONNECT, ErrorKind.TLS, ErrorKind.SERVER, ErrorKind.OVERLOADED}
        | {ErrorKind.GATEWAY, ErrorKind.BAD_RESPONSE, ErrorKind.INCOMPLETE}
    ),
    frozenset({ErrorKind.BUDGET}),  # it is full again tomorrow
    frozenset({ErrorKind.NOT_ACCEPTED}),  # somebody answered: another key would not have made that a better answer
    frozenset({ErrorKind.AUTH}),
    frozenset({ErrorKind.NOT_SENT}),
    frozenset(
        {ErrorKind.TOO_LARGE_FOR_LIMIT, ErrorKind.MODEL_NOT_FOUND, ErrorKind.CONTEXT_LENGTH, ErrorKind.UNSUPPORTED}
        | {ErrorKind.BAD_REQUEST, ErrorKind.TOOL_USE_FAILED}
    ),
    frozenset({ErrorKind.CONTENT_FILTER}),
)


def verdict(failures: Sequence[Failure]) -> ErrorKind:
    """The kind that stands for all of them; the last one of its class. SERVER where no failure says anything: what was
    cancelled does not."""
    last = next((failure.error.kind for failure in reversed(failures) if failure.error is not None), None)
    if last not in (None, ErrorKind.CANCELLED) and disposition(last).onward is Onward.NOBODY:
        return last
    kinds = [failure.kind for failure in reversed(failures) if failure.kind is not None]
    for alike in _CLASSES:
        for kind in kinds:
            if kind in alike:
                return kind
    return ErrorKind.SERVER
