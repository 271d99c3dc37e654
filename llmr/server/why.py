"""Why nobody answered, for whoever reads a client's exception: who said what, who was not asked and why, from when on.

    No provider could answer for 'm': alpha/gpt-4o failed with HTTP 500: boom; beta/gpt-4o was not asked: its circuit is open.
    Ask again in 12 s.

Whoever reads it holds one key, that of llmr; a provider's "incorrect API key" is about another one, and says so.
"""

import math
from collections import Counter
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from llmr.errors import AllAttemptsFailed, ErrorKind, Failure

_SAID: Final[Mapping[ErrorKind, str]] = MappingProxyType(
    {
        ErrorKind.AUTH: "rejects the API key that llmr has for it, which is not yours for llmr",
        ErrorKind.QUOTA: "says that the account llmr has there is used up",
        ErrorKind.RATE_LIMIT: "limits the rate",
        ErrorKind.OVERLOADED: "is overloaded",
        ErrorKind.MODEL_NOT_FOUND: "does not have the model",
        ErrorKind.BAD_REQUEST: "rejects the request",
        ErrorKind.CONTEXT_LENGTH: "says that the prompt is too long",
    }
)  # else it failed


def why(error: AllAttemptsFailed, *, nobody_there: bool) -> str:
    """The whole message. `nobody_there`: nobody was in a state to answer, as opposed to unwilling to."""
    if not error.failures:
        return f"No providers available: {error}"
    head = "No providers available" if nobody_there else "No provider could answer"
    times = Counter(failure.candidate for failure in error.failures if failure.error is not None)
    last = {failure.candidate: failure for failure in error.failures}
    reasons = "; ".join(_reason(failure, times[candidate]) for candidate, failure in last.items())
    told = [f"{head}{f' for {error.asked!r}' if error.asked else ''}: {reasons}"]
    if error.ended:
        told.append(error.ended)
    elif all(failure.error is not None for failure in last.values()):
        told.append("there is no other candidate")
    if error.retry_after_s:
        told.append(f"ask again in {math.ceil(error.retry_after_s)} s")
    return "; ".join(told)


def _reason(failure: Failure, times: int) -> str:
    if failure.error is None:
        return f"{failure.candidate} was not asked: {failure.reason}"
    status = failure.error.status
    said = _SAID.get(failure.error.kind, "failed")
    by = ""
    if status and not failure.reason.startswith("HTTP "):
        by = f" with HTTP {status}" if said == "failed" else f" (HTTP {status})"
    often = f", {times} times" if times > 1 else ""
    return f"{failure.candidate} {said}{by}{often}: {failure.reason}"
