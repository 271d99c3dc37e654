"""A failed request, told: the lines on stderr and the `error` of the JSON, from the same facts."""

from collections.abc import Iterator

from llmr.chat import ChatResponse, FinishReason
from llmr.cli.exit_codes import ExitCode, exit_code_of
from llmr.errors import (
    AllAttemptsFailed,
    ConfigError,
    ErrorKind,
    Failure,
    LlmrError,
    NoProviderReady,
    RequestDenied,
    StateError,
    StreamInterrupted,
)
from llmr.render.chat_json import ErrorNote
from llmr.render.figures import left
from llmr.routing.breaker import HELD, OUT_OF_SERVICE
from llmr.routing.verdict import verdict

_HINTS = {
    ExitCode.NO_KEY: "check the key: `llmr providers status` shows which one was rejected",
    ExitCode.ALL_DOWN: "`llmr providers status` shows who is down, and until when nobody is asked",
    ExitCode.RATE_LIMITED: "wait, or name another model with --model",
    ExitCode.TIMEOUT: "raise [timeouts] in routing.toml, or name another model with --model",
    ExitCode.REJECTED: "change the request: no other provider would take it as it is",
    ExitCode.BUDGET: "raise [budget] in routing.toml, or the rule's max_price_usd, or wait: days and months are local time",
    ExitCode.CONTENT_FILTER: "the provider's policy refuses this content",
}

_KIND_HINTS = {  # before what its exit code says
    ErrorKind.NOT_ACCEPTED: "they answered, and not in the shape that was asked for: try another model, or a simpler schema",
}

_KINDS = {
    ExitCode.USAGE: "usage",
    ExitCode.NOT_CONFIGURED: "not_configured",
    ExitCode.NO_KEY: ErrorKind.AUTH.value,
    ExitCode.OUTPUT: "output",
}


def note_of(error: LlmrError) -> ErrorNote:
    """The error as the JSON has it."""
    code = exit_code_of(error)
    match error:
        case AllAttemptsFailed():
            hint = _hint(error, code)
            return ErrorNote(verdict(error.failures).value, str(error), int(code), error.retry_after_s, hint)
        case StreamInterrupted():
            return ErrorNote(error.error.kind.value, str(error), int(code), None, _HINTS.get(code))
        case NoProviderReady():
            return ErrorNote("not_configured", str(error), int(code), None, _set_keys(error))
        case RequestDenied():  # of the exit code of what is not configured, but a script may want to know
            return ErrorNote("denied", str(error), int(code))
        case StateError():
            return ErrorNote("state", str(error), int(code))
        case ConfigError():
            return ErrorNote(_KINDS.get(code, "unexpected"), str(error), int(code), None, check_hint(error))
        case _:
            return ErrorNote(_KINDS.get(code, "unexpected"), str(error), int(code))


def check_hint(error: ConfigError) -> str | None:
    """Where all of it is told; None for what is not about a file's text."""
    return "`llmr config check` tells everything that is wrong" if error.every[0].file else None


def refusal_note(response: ChatResponse) -> ErrorNote | None:
    """The error of an answer that a content policy ended; None: none did."""
    if response.finish_reason not in {FinishReason.CONTENT_FILTER, FinishReason.REFUSAL}:
        return None
    code = ExitCode.CONTENT_FILTER
    said = "the answer was ended by a content policy"
    return ErrorNote(ErrorKind.CONTENT_FILTER.value, said, int(code), None, _HINTS[code])


def failure_lines(error: LlmrError) -> Iterator[str]:
    """What is said on stderr: what, where, what next."""
    yield str(error)
    match error:
        case AllAttemptsFailed():
            yield from (f"  {failure.candidate}: {_reason(failure)}" for failure in _each_once(error.failures))
            if error.retry_after_s and error.retry_after_s >= 0.5:  # less is a poll, and no time to be told
                yield f"  the first of them may be asked again in {left(error.retry_after_s)}"
        case ConfigError() if (hint := check_hint(error)) is not None:
            yield f"  {hint}"
        case _:
            pass
    code = exit_code_of(error)
    hint = _hint(error, code) if isinstance(error, AllAttemptsFailed) else _HINTS.get(code)
    if hint is not None:
        yield f"  {hint}"


def _hint(error: AllAttemptsFailed, code: ExitCode) -> str | None:
    """What to do about it."""
    held = _held_hint(error)
    if held is not None:
        return held
    hint = _KIND_HINTS.get(verdict(error.failures)) or _HINTS.get(code)
    mendable = dict.fromkeys(
        f.candidate.partition("/")[0] for f in error.failures if f.error is None and OUT_OF_SERVICE in f.reason
    )
    if not mendable:
        return hint
    mended = (
        f"once mended: {', '.join(f'`llmr providers reset {name}`' for name in mendable)} has it asked again at once"
    )
    return mended if hint is None else f"{hint}; {mended}"


def _held_hint(error: AllAttemptsFailed) -> str | None:
    """Who is held open by hand, as the first thing to be undone, for no waiting ends it; None: nobody is."""
    held = dict.fromkeys(f.candidate.partition("/")[0] for f in error.failures if f.reason.endswith(HELD))
    return f"let it be asked again: {', '.join(f'`llmr providers reset {name}`' for name in held)}" if held else None


def _set_keys(error: NoProviderReady) -> str | None:
    return f"set one of {', '.join(error.missing)}, or try `llmr chat --demo`" if error.missing else None


def _reason(failure: Failure) -> str:
    status = f"{failure.error.status} " if failure.error and failure.error.status else ""
    kind = f"{failure.kind.value.replace('_', ' ')}: " if failure.error and failure.kind else ""
    return f"{status}{kind}{failure.reason}"


def _each_once(failures: tuple[Failure, ...]) -> Iterator[Failure]:
    """The last word on each candidate, in order of first mention; retries say the same thing twice."""
    last = {failure.candidate: failure for failure in failures}
    yield from last.values()
