"""How an attempt or a request ends that does not end in a whole answer: which error says so, and in which words."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from llmr.chat import ChatRequest, ChatResponse, FinishReason
from llmr.errors import (
    AllAttemptsFailed,
    ErrorKind,
    LlmrError,
    NoProviderReady,
    ProviderError,
    RequestDenied,
    StreamInterrupted,
)
from llmr.router.events import AttemptFailed
from llmr.router.progress import Progress
from llmr.routing.action import ENDINGS_IN_WORDS, Ending, GiveUp
from llmr.routing.disposition import Onward, onward
from llmr.routing.policy import OnBreak
from llmr.routing.seam import may_continue
from llmr.routing.selection import Barrier, Selection

_EMPTY: Final[Mapping[FinishReason | None, tuple[ErrorKind, str]]] = MappingProxyType(
    {
        FinishReason.CONTENT_FILTER: (ErrorKind.CONTENT_FILTER, "a content policy withheld the whole answer"),
        FinishReason.REFUSAL: (ErrorKind.CONTENT_FILTER, "the model refused without a word"),
        FinishReason.LENGTH: (
            ErrorKind.UNSUPPORTED,
            "the token limit was used up before the first word (a reasoning model thinks on it): raise the token limit",
        ),
    }
)  # what an answer without content failed of, by its finish reason
_NOTHING: Final = (ErrorKind.BAD_RESPONSE, "the answer has no content")


def all_failed(asked: str, end: GiveUp, now: float) -> AllAttemptsFailed:
    """Nobody answered. `now` is wall-clock seconds."""
    retry_after_s = None if end.retry_at is None else max(0.0, end.retry_at - now)
    tried = sum(failure.error is not None for failure in end.failures)
    attempts = f"{tried} attempt" if tried == 1 else f"{tried} attempts"
    because = f" ({end.because})" if end.because else ""
    words = ENDINGS_IN_WORDS[end.ending]
    message = f"no answer for {asked!r}: {words}{because}, {attempts}"
    ended = end.because if end.ending is Ending.EXHAUSTED else f"{words}{because}"
    return AllAttemptsFailed(message, failures=end.failures, retry_after_s=retry_after_s, asked=asked, ended=ended)


def not_sent(problem: LlmrError) -> ProviderError:
    """A request that our own side could not send: a header, an authority, an origin. Somebody else may still be asked."""
    error = ProviderError(ErrorKind.NOT_SENT, str(problem))
    error.__cause__ = problem
    return error


def refuse_unless_accepted(request: ChatRequest, response: ChatResponse) -> None:
    """Raise ProviderError(NOT_ACCEPTED) with what the request's own check has against the answer."""
    wrong = request.accept(response) if request.accept is not None else None
    if wrong is not None:
        raise ProviderError(ErrorKind.NOT_ACCEPTED, wrong)


def refuse_if_empty(finish: FinishReason | None, *, spoke: bool) -> None:
    """Raise ProviderError with what an answer that ended with `finish` failed of, if it did. `spoke`: content came."""
    if finish is FinishReason.ERROR:
        raise ProviderError(ErrorKind.SERVER, "the provider ended its answer with an error")
    if not spoke:
        raise ProviderError(*_EMPTY.get(finish, _NOTHING))


def after_break(progress: Progress, error: ProviderError) -> OnBreak:
    """What follows a break after text was shown: the user's wish, as far as it can be met."""
    if onward(error.kind, progress.handler.policy) is Onward.NOBODY:
        return OnBreak.FAIL
    match progress.on_break:
        case OnBreak.CONTINUE:
            return OnBreak.CONTINUE if may_continue(progress.request) else OnBreak.FAIL
        case OnBreak.RESTART:
            return OnBreak.RESTART
        case OnBreak.FAIL | OnBreak.BUFFER:  # pragma: no branch - a wish is one of the four
            return OnBreak.FAIL


def interrupted(failure: AttemptFailed) -> StreamInterrupted:
    """An answer broke off after text was shown, and nobody goes on from it."""
    key, error = failure.candidate.key, failure.error
    return StreamInterrupted(f"{key} broke off: {error.message}", candidate=key, error=error, after_s=failure.after_s)


def refuse_if_nobody_is_ready(selection: Selection) -> None:
    """Raise NoProviderReady where no candidate is so much as set up, RequestDenied where rules leave nobody: there is nothing
    to try, wait for or book.

    Absent keys are facts on the error; only what else is in the way is spelt out.
    """
    if selection.ranked or any(r.barrier not in (Barrier.OFF, Barrier.RULE) for r in selection.rejected):
        return
    lacking = [r.candidate.model.provider.missing_key for r in selection.rejected if r.barrier is Barrier.OFF]
    missing = dict.fromkeys(name for name in lacking if name)
    ruled = dict.fromkeys(r.reason for r in selection.rejected if r.barrier is Barrier.RULE)
    if selection.rejected and all(r.barrier is Barrier.RULE for r in selection.rejected):
        names = ", ".join(r.candidate.key for r in selection.rejected)
        raise RequestDenied(f"{'; '.join(ruled)}: that leaves nobody for {selection.asked!r} (candidates: {names})")
    off = (r for r in selection.rejected if r.barrier is Barrier.OFF and not r.candidate.model.provider.missing_key)
    reasons = "; ".join([*ruled, *dict.fromkeys(f"{r.candidate.key}: {r.reason}" for r in off)])
    message = f"no provider is ready for {selection.asked!r}" + (f" ({reasons})" if reasons else "")
    raise NoProviderReady(message, missing=tuple(missing))
