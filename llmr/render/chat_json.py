"""One request as JSON: the document of `chat --json`, and the events of `--jsonl`, one a line, as they happen.

Both are promises to scripts (`llmr.chat/1`, `llmr.events/1`): keys are added, never changed or removed. A failure is a document
too. ASCII only, so that no terminal obeys what a model wrote (trust.md T5).

The words of the answer are the model's own: of them only secrets that llmr holds are masked. An answer about keys may hold
words that are shaped like one, and masking those would change what was asked for. What providers say in errors is masked by
shape too.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any, Final

from llmr.chat import Delta, Usage
from llmr.dataclass import dataclass
from llmr.errors import ProviderError
from llmr.render.transcript import OUTPACED, Transcript, Tried
from llmr.router import AttemptFailed, AttemptStarted, BrokeOff, Decided, Event, Found, LookedUp, Outpaced, Waiting
from llmr.routing.rules import Candidate
from llmr.secret import Redactor

CHAT_SCHEMA: Final = "llmr.chat/1"
EVENTS_SCHEMA: Final = "llmr.events/1"


@dataclass(frozen=True, slots=True)
class ErrorNote:
    """The `error` member. `retry_after_s` None: unknown or not a matter of time."""

    kind: str
    message: str
    exit_code: int
    retry_after_s: float | None = None
    hint: str | None = None


def json_line(document: Mapping[str, Any]) -> bytes:
    """A document as one line of ASCII."""
    return json.dumps(document, ensure_ascii=True, allow_nan=False).encode() + b"\n"


def chat_document(transcript: Transcript, error: ErrorNote | None, redact: Redactor) -> dict[str, Any]:
    """The document of `chat --json`."""
    return {**_head(transcript), "text": redact.known(transcript.response.text), **_rest(transcript, error, redact)}


def ending(transcript: Transcript, error: ErrorNote | None, redact: Redactor) -> dict[str, Any]:
    """The last event: what the document says, without the words that have gone out already."""
    name = "end" if error is None else "error"
    rest = _rest(transcript, error, redact)
    return {"event": name, **_head(transcript), **{key: rest[key] for key in rest if key not in _WORDS}}


def events(event: Event, redact: Redactor) -> Iterator[dict[str, Any]]:
    """The lines that an event makes; the last one is `ending`."""
    match event:
        case Decided():
            ranked = [one.candidate.key for one in event.selection.ranked]
            yield {
                "event": "start",
                "schema": EVENTS_SCHEMA,
                "id": event.request_id,
                "asked": event.selection.asked,
                "candidates": ranked,
            }
        case LookedUp(found=found) if found is not None:
            who = _who(found.candidate)
            yield {"event": "start", "schema": EVENTS_SCHEMA, "id": event.request_id, "asked": None, "candidates": []}
            yield {"event": "cached", **who, **(_cached(found) or {})}
        case AttemptStarted():
            who = _who(event.candidate)
            yield {"event": "attempt", "number": event.number, **who, "probe": event.probe, "hedge": event.hedge}
        case AttemptFailed():
            yield {**_failed(event.number, event.candidate, event.error, event.after_s, redact), "then": "next"}
        case BrokeOff():
            failed = _failed(event.number, event.candidate, event.error, event.after_s, redact)
            yield {**failed, "then": event.then.value}
        case Outpaced():
            who = _who(event.candidate)
            yield {"event": "fallback", "number": event.number, **who, "outcome": OUTPACED, "ms": _ms(event.after_s)}
        case Waiting() if not event.goes_on:  # the looks of one wait are one event
            within_s = event.seconds if event.within_s is None else event.within_s
            wait = {"s": round(event.seconds, 3), "within_s": round(within_s, 3), "reason": redact(event.reason)}
            yield {"event": "wait", **wait}
        case Delta():
            yield from _words(event, redact)
        case _:
            pass


_WORDS: Final = ("reasoning", "refusal", "tool_calls")


def _words(delta: Delta, redact: Redactor) -> Iterator[dict[str, Any]]:
    if delta.reasoning:
        yield {"event": "reasoning", "text": redact.known(delta.reasoning)}
    if delta.text:
        yield {"event": "delta", "text": redact.known(delta.text)}
    if delta.usage is not None:
        yield {"event": "usage", **_usage(delta.usage)}


def _head(transcript: Transcript) -> dict[str, Any]:
    return {"schema": CHAT_SCHEMA, "id": transcript.request_id, "conversation_id": transcript.conversation_id}


def _rest(transcript: Transcript, error: ErrorNote | None, redact: Redactor) -> dict[str, Any]:
    response, by, done = transcript.response, transcript.answered_by, transcript.finished
    document: dict[str, Any] = {
        "model": by.candidate.model.id if by else None,
        "provider": by.candidate.model.provider.name if by else None,
        "finish_reason": response.finish_reason.value if response.finish_reason else None,
        "usage": _usage(response.usage or Usage()),
        "cost_usd": transcript.cost_usd,
        "estimated_usd": transcript.estimated_usd,
        "timing_ms": {
            "total": _ms(transcript.total_s),
            "first_token": _ms(by.ttft_s if by else None),
        },
        "attempts": [_attempt(tried, redact) for tried in transcript.attempts],
        "fallback": transcript.fell_back,
        "cached": _cached(transcript.found),
        "partial": done is None and bool(response.text),
        "error": None if error is None else {**asdict(error), "message": redact(error.message)},
    }
    if response.reasoning:
        document["reasoning"] = redact.known(response.reasoning)
    if response.refusal:
        document["refusal"] = redact.known(response.refusal)
    if response.citations:
        document["citations"] = list(response.citations)
    if response.left_out:
        document["left_out"] = list(response.left_out)
    if response.tool_calls:
        document["tool_calls"] = [
            {"id": call.id, "name": call.name, "arguments": redact.known(call.arguments)}
            for call in response.tool_calls
        ]
    return document


def _cached(found: Found | None) -> dict[str, float | None] | None:
    """None: somebody was asked."""
    return None if found is None else {"age_s": round(found.age_s, 3), "likeness": found.likeness}


def _usage(usage: Usage) -> dict[str, int | None]:
    return {
        "input": usage.input_tokens,
        "output": usage.output_tokens,
        "reasoning": usage.reasoning_tokens,
        "cached": usage.cached_tokens,
    }


def _who(candidate: Candidate) -> dict[str, str]:
    return {"provider": candidate.model.provider.name, "model": candidate.model.id}


def _failed(
    number: int, candidate: Candidate, error: ProviderError, after_s: float, redact: Redactor
) -> dict[str, Any]:
    return {
        "event": "fallback",
        "number": number,
        **_who(candidate),
        "outcome": error.kind.value,
        "http": error.status,
        "ms": _ms(after_s),
        "error": redact(error.message),
        "retry_after_s": error.retry_after_s,
    }


def _attempt(tried: Tried, redact: Redactor) -> dict[str, Any]:
    return {
        **_who(tried.candidate),
        "outcome": tried.outcome,
        "http": (tried.error.status if tried.error else None) or (200 if tried.ttft_s is not None else None),
        "ms": _ms(tried.after_s),
        "ttft_ms": _ms(tried.ttft_s),
        "hedge": tried.hedge,
        "error": redact(tried.error.message) if tried.error else None,
    }


def _ms(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds * 1000)
