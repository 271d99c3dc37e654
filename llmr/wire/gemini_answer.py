"""Reading Gemini's generateContent: events, one object, or an array of chunks (a stream without `alt=sse`); wire.md §B.1.

Every chunk is a whole GenerateContentResponse. Calls come whole, in one part, mostly without an id. `usageMetadata` is
cumulative: the last one counts. A candidate may have no parts. There is no terminator: the end is a `finishReason`, or a
`promptFeedback.blockReason` without any candidate. STOP beside a function call means "call it".
"""

from typing import Any, Final

from llmr.chat import Delta, FinishReason, ToolCallDelta, Usage
from llmr.wire import json_text
from llmr.wire.decoding import incomplete
from llmr.wire.errors import bad_response, error_inside
from llmr.wire.json_text import count_of, list_of, object_of, text_of
from llmr.wire.parts import call_id

FORMAT: Final = "google-gemini-v1"  # OpenRouter's name for thinking of this origin
_FINISH: Final[dict[Any, FinishReason]] = {  # wire.md §B.3; numbers: Vertex with enum-encoding=int (recorded)
    "STOP": FinishReason.STOP,
    1: FinishReason.STOP,
    "FUNCTION_CALL": FinishReason.STOP,  # no word of Google's; servers that imitate it end a call so (aimock)
    "MAX_TOKENS": FinishReason.LENGTH,
    2: FinishReason.LENGTH,
    **dict.fromkeys(
        (
            *("SAFETY", "RECITATION", "PROHIBITED_CONTENT", "BLOCKLIST", "SPII", "MODEL_ARMOR", "LANGUAGE"),
            *("IMAGE_SAFETY", "IMAGE_PROHIBITED_CONTENT", "IMAGE_RECITATION", 3, 4, 6, 7, 8),
        ),
        FinishReason.CONTENT_FILTER,
    ),
}
_UNSPECIFIED: Final = ("FINISH_REASON_UNSPECIFIED", 0)


class GenerateContentReader:
    """`AnswerReader` for generateContent."""

    __slots__ = (
        "_blocked",
        "_call_count",
        "_cited",
        "_finish",
        "_said",
        "_saw_candidate",
        "_served",
        "_stop",
        "_usage",
    )

    def __init__(self) -> None:
        self._blocked = False
        self._call_count = 0
        self._cited: set[str] = set()
        self._finish: FinishReason | None = None
        self._said = False
        self._saw_candidate = False
        self._served: str | None = None
        self._stop: FinishReason | None = None  # the last finishReason as given, before calls are considered
        self._usage: Usage | None = None

    def event(self, name: str, value: Any, out: list[Delta]) -> None:
        """One chunk."""
        chunk = _checked(value, is_error=name == "error")
        candidate = _first_candidate(chunk)
        for part in list_of(object_of(candidate.get("content")).get("parts")):
            self._part(object_of(part), text_of(chunk.get("responseId")), out)
        self._saw_candidate = self._saw_candidate or bool(candidate)
        refusal = self._block(chunk)
        finish = self._new_finish(candidate.get("finishReason"))
        usage = self._new_usage(chunk)
        citations = self._new_citations(candidate)
        logprobs = _logprobs(candidate)
        served = self._new_served(chunk)
        if refusal or finish or usage or citations or logprobs or served:
            out.append(
                Delta(
                    refusal=refusal,
                    finish_reason=finish,
                    usage=usage,
                    citations=citations,
                    logprobs=logprobs,
                    served_model=served,
                )
            )

    def whole(self, value: Any, out: list[Delta]) -> None:
        """One response, or the array that a stream without `alt=sse` is."""
        for chunk in list_of(value) if isinstance(value, list) else [value]:
            self.event("message", chunk, out)

    def finish(self) -> None:
        """The end."""
        if self._blocked:
            return
        if not self._saw_candidate:
            raise bad_response("the answer holds no candidates")
        if self._finish is None:
            raise incomplete("a finishReason")
        billed = self._usage is not None and bool(self._usage.output_tokens)
        if self._finish is FinishReason.STOP and not self._said and not billed:
            raise bad_response("the answer is empty")

    def _part(self, part: dict[str, Any], answer_id: str, out: list[Delta]) -> None:
        signature = text_of(part.get("thoughtSignature")) or None
        call = object_of(part.get("functionCall"))
        text = text_of(part.get("text"))
        if call:
            self._said = True
            out.append(Delta(tool_calls=(self._call(call, signature, answer_id),)))
        elif part.get("thought") is True:
            self._said = self._said or bool(text)
            if text or signature:
                out.append(Delta(reasoning=text, reasoning_signature=signature, reasoning_format=FORMAT))
        elif text or signature:
            self._said = self._said or bool(text)
            out.append(Delta(text, text_signature=signature))

    def _call(self, call: dict[str, Any], signature: str | None, answer_id: str) -> ToolCallDelta:
        number = self._call_count
        self._call_count += 1
        given = text_of(call.get("id")) or call_id(answer_id, number)
        arguments = json_text.dump(call.get("args") or {})
        return ToolCallDelta(number, given, text_of(call.get("name")), arguments, signature)

    def _block(self, chunk: dict[str, Any]) -> str:
        """Why the prompt was refused, in words; "" where it was not."""
        feedback = object_of(chunk.get("promptFeedback"))
        reason = feedback.get("blockReason")
        if not reason or self._blocked or self._saw_candidate:
            return ""
        self._blocked = True
        return text_of(feedback.get("blockReasonMessage")) or f"the prompt was blocked: {reason}"

    def _new_finish(self, said: Any) -> FinishReason | None:
        """The finish reason where it is news. A reason that no table knows is a failure of theirs: Gemini has one word for
        success.
        """
        if isinstance(said, str | int) and said and said not in _UNSPECIFIED:
            self._stop = _FINISH.get(said, FinishReason.ERROR)
        finish = FinishReason.CONTENT_FILTER if self._blocked else self._stop
        if finish is FinishReason.STOP and self._call_count:
            finish = FinishReason.TOOL_CALLS
        if finish is self._finish:
            return None
        self._finish = finish
        return finish

    def _new_usage(self, chunk: dict[str, Any]) -> Usage | None:
        said = object_of(chunk.get("usageMetadata"))
        usage = usage_of(said)
        if not said or usage == self._usage:
            return None
        self._usage = usage
        return usage

    def _new_served(self, chunk: dict[str, Any]) -> str | None:
        if self._served is not None:
            return None
        self._served = text_of(chunk.get("modelVersion")) or None
        return self._served

    def _new_citations(self, candidate: dict[str, Any]) -> tuple[dict[str, Any], ...]:
        """Sources of grounding and of recitation, each once."""
        found = [
            *list_of(object_of(candidate.get("groundingMetadata")).get("groundingChunks")),
            *list_of(object_of(candidate.get("citationMetadata")).get("citationSources")),
            *list_of(object_of(candidate.get("citationMetadata")).get("citations")),
        ]
        new: list[dict[str, Any]] = []
        for item in map(object_of, found):
            key = json_text.dump(item)
            if item and key not in self._cited:
                self._cited.add(key)
                new.append(item)
        return tuple(new)


def usage_of(said: dict[str, Any]) -> Usage:
    """Usage in our terms (wire.md §B.5): prompt and tool-use prompt are input, candidates and thoughts are output.

    A count of 0 is not sent (protobuf's JSON): where neither kind of output is there, the total tells.
    """
    thoughts, total = count_of(said, "thoughtsTokenCount"), count_of(said, "totalTokenCount")
    input_tokens = _sum(count_of(said, "promptTokenCount"), count_of(said, "toolUsePromptTokenCount"))
    output_tokens = _sum(count_of(said, "candidatesTokenCount"), thoughts)
    if output_tokens is None and total is not None and input_tokens is not None:
        output_tokens = max(0, total - input_tokens)
    return Usage(
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        reasoning_tokens=thoughts,
        cached_tokens=count_of(said, "cachedContentTokenCount"),
        audio_input_tokens=_modality(said.get("promptTokensDetails"), "AUDIO"),
        audio_output_tokens=_modality(said.get("candidatesTokensDetails"), "AUDIO"),
    )


def _sum(*counts: int | None) -> int | None:
    """The sum of those that were said, None where none was."""
    said = [count for count in counts if count is not None]
    return sum(said) if said else None


def _modality(details: Any, modality: str) -> int | None:
    counts = [
        count_of(object_of(item), "tokenCount")
        for item in list_of(details)
        if object_of(item).get("modality") == modality
    ]
    return _sum(*counts)


def _first_candidate(chunk: dict[str, Any]) -> dict[str, Any]:
    """Candidate 0, {} where the chunk has none; a candidate without an index is 0."""
    for item in list_of(chunk.get("candidates")):
        candidate = object_of(item)
        if candidate and not candidate.get("index"):
            return candidate
    return {}


def _logprobs(candidate: dict[str, Any]) -> tuple[dict[str, Any], ...]:
    """`logprobsResult` in the shape of chat completions: token, logprob, top_logprobs."""
    result = object_of(candidate.get("logprobsResult"))
    tops = [
        [_logprob(object_of(choice)) for choice in list_of(object_of(top).get("candidates"))]
        for top in list_of(result.get("topCandidates"))
    ]
    chosen = [_logprob(object_of(choice)) for choice in list_of(result.get("chosenCandidates"))]
    return tuple({**choice, "top_logprobs": tops[at]} if at < len(tops) else choice for at, choice in enumerate(chosen))


def _logprob(choice: dict[str, Any]) -> dict[str, Any]:
    return {"token": choice.get("token"), "logprob": choice.get("logProbability")}


def _checked(value: Any, *, is_error: bool) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise bad_response("a part of the answer is not a JSON object", json_text.dump(value))
    chunk = object_of(value)
    if is_error or chunk.get("error"):
        raise error_inside(chunk, json_text.dump(chunk))
    return chunk
