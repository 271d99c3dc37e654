"""Reading chat completions, streamed or whole, in every form that was recorded (wire.md §B.2).

The rules that survive thirty providers: usage is the last one given, wherever it stands (`usage`, `x_groq.usage`, in every
chunk, in a chunk without choices); the finish reason is the last one given; tool calls are told apart by index, else by id,
else by a new name; arguments come whole or in pieces, as text or as an object; content is text, a list of parts, an object
or null; only choice 0 is read. Unknown keys mean nothing. An `error` key anywhere is an error, even beside a choice
(OpenRouter).

The end of an answer is a finish reason. `[DONE]` is neither needed (Perplexity, HF, Groq on failure) nor enough (OpenAI
sent it after an error).
"""

from typing import Any, Final

from llmr.chat import Delta, FinishReason, Usage
from llmr.wire import json_text
from llmr.wire.decoding import incomplete
from llmr.wire.errors import bad_response, error_inside
from llmr.wire.json_text import list_of, object_of, text_of
from llmr.wire.openai_tool_calls import ToolCalls, signature_of
from llmr.wire.openai_usage import usage_of

# wire.md §B.3, lower case. The synonyms are what other wires say, since gateways pass them through.
_FINISH: Final = {
    "stop": FinishReason.STOP,
    "eos": FinishReason.STOP,  # Together
    "end_turn": FinishReason.STOP,
    "stop_sequence": FinishReason.STOP,
    "length": FinishReason.LENGTH,
    "max_tokens": FinishReason.LENGTH,
    "model_length": FinishReason.LENGTH,  # Mistral
    "model_context_window_exceeded": FinishReason.LENGTH,
    "tool_calls": FinishReason.TOOL_CALLS,
    "function_call": FinishReason.TOOL_CALLS,
    "tool_use": FinishReason.TOOL_CALLS,
    "content_filter": FinishReason.CONTENT_FILTER,
    "safety": FinishReason.CONTENT_FILTER,
    "recitation": FinishReason.CONTENT_FILTER,
    "prohibited_content": FinishReason.CONTENT_FILTER,
    "sensitive": FinishReason.CONTENT_FILTER,  # z.ai
    "refusal": FinishReason.REFUSAL,
    "pause_turn": FinishReason.PAUSED,
    "error": FinishReason.ERROR,  # OpenRouter
    "abort": FinishReason.ERROR,  # vLLM
    "network_error": FinishReason.ERROR,  # z.ai
    "function_call_filter": FinishReason.ERROR,  # Google's compatible endpoint, before ": MALFORMED_FUNCTION_CALL"
    "malformed_function_call": FinishReason.ERROR,
    "insufficient_system_resource": FinishReason.ERROR,  # DeepSeek
}


class ChatCompletionReader:
    """`AnswerReader` for chat completions. `reasoning_excluded`: completion_tokens leaves reasoning out (xAI)."""

    __slots__ = (
        "_calls",
        "_cited",
        "_finish",
        "_reasoning_excluded",
        "_refused",
        "_said",
        "_saw_choice",
        "_served",
        "_text_given",
        "_usage",
    )

    def __init__(self, *, reasoning_excluded: bool = False) -> None:
        self._reasoning_excluded = reasoning_excluded
        self._calls = ToolCalls()
        self._cited: set[str] = set()
        self._finish: FinishReason | None = None
        self._refused = False
        self._said = False
        self._saw_choice = False
        self._served: str | None = None
        self._text_given = False
        self._usage: Usage | None = None

    def event(self, name: str, value: Any, out: list[Delta]) -> None:
        """One chunk."""
        chunk = _checked(value, is_error=name == "error")
        choice = _first_choice(chunk)
        said = choice.get("delta")
        self._read(chunk, choice, object_of(said if isinstance(said, dict) else choice.get("message")), out)

    def whole(self, value: Any, out: list[Delta]) -> None:
        """One completion."""
        completion = _checked(value, is_error=False)
        choice = _first_choice(completion)
        self._read(completion, choice, object_of(choice.get("message")), out)

    def finish(self) -> None:
        """The end. An answer that says nothing is none, unless it says "" and was billed for it (an agent's last turn)."""
        if not self._saw_choice:
            raise bad_response("the answer holds no choices")
        if self._finish is None:
            raise incomplete("a finish reason")
        meant = self._text_given and self._usage is not None and bool(self._usage.output_tokens)
        if self._finish is FinishReason.STOP and not self._said and not meant:
            raise bad_response("the answer is empty")

    def _read(self, chunk: dict[str, Any], choice: dict[str, Any], said: dict[str, Any], out: list[Delta]) -> None:
        failed = _failed_inside(chunk, choice)
        if failed is not None:
            raise error_inside(failed, json_text.dump(chunk))
        usage = self._new_usage(chunk)
        text, reasoning = _content(said.get("content"))
        text = text or text_of(object_of(said.get("audio")).get("transcript"))  # the words of an answer in sound
        signature = signature_of(said)
        reasoning += text_of(said.get("reasoning_content")) or text_of(said.get("reasoning"))
        details = _reasoning_details(said, reasoning)
        if details:
            reasoning = ""
            out.extend(details)
        if not text and not said and choice:
            text = text_of(choice.get("text"))  # a completions server behind a chat URL
        refusal = text_of(said.get("refusal"))
        calls = self._calls.read(said, text_of(chunk.get("id")))
        citations = self._new_citations(chunk, said)
        logprobs = _logprobs(choice.get("logprobs"))
        if choice:
            self._saw_choice = True
            self._refused = self._refused or bool(refusal)
            self._text_given = self._text_given or isinstance(said.get("content"), str)
            self._said = self._said or bool(text or reasoning or refusal or calls or details)
        finish = self._new_finish(choice.get("finish_reason"))
        if not (text or signature or reasoning or refusal or calls or citations or logprobs or finish or usage):
            return
        out.append(
            Delta(
                text=text,
                text_signature=signature,
                reasoning=reasoning,
                refusal=refusal,
                tool_calls=calls,
                citations=citations,
                logprobs=logprobs,
                finish_reason=finish,
                usage=usage,
                served_model=self._new_served(chunk),
            )
        )

    def _new_served(self, chunk: dict[str, Any]) -> str | None:
        if self._served is not None:
            return None
        self._served = text_of(chunk.get("model"))
        return self._served or None

    def _new_finish(self, said: Any) -> FinishReason | None:
        """The finish reason where it is news; a word that no table knows is still an end."""
        if not isinstance(said, str) or not said:
            return None
        finish = _FINISH.get(said.lower().partition(":")[0], FinishReason.STOP)
        if finish is FinishReason.STOP and self._refused:
            finish = FinishReason.REFUSAL
        if finish is self._finish:
            return None
        self._finish = finish
        return finish

    def _new_usage(self, chunk: dict[str, Any]) -> Usage | None:
        said = chunk.get("usage") or object_of(chunk.get("x_groq")).get("usage")
        if not said:
            return None
        usage = usage_of(object_of(said), reasoning_excluded=self._reasoning_excluded, cost=chunk.get("cost"))
        if usage == self._usage:
            return None
        self._usage = usage
        return usage

    def _new_citations(self, chunk: dict[str, Any], said: dict[str, Any]) -> tuple[dict[str, Any], ...]:
        """Annotations of the message, and Perplexity's lists, which every chunk repeats."""
        found = [object_of(item) for item in list_of(said.get("annotations"))]
        found += [object_of(item) for item in list_of(chunk.get("search_results"))]
        if not chunk.get("search_results"):
            found += [{"url": item} for item in list_of(chunk.get("citations")) if isinstance(item, str)]
        new: list[dict[str, Any]] = []
        for item in found:
            key = json_text.dump(item)
            if item and key not in self._cited:
                self._cited.add(key)
                new.append(item)
        return tuple(new)


def _checked(value: Any, *, is_error: bool) -> dict[str, Any]:
    """The chunk as an object. Raises ProviderError for an error in it, or BAD_RESPONSE where it is no object."""
    if not isinstance(value, dict):
        raise bad_response("a part of the answer is not a JSON object", json_text.dump(value))
    chunk = object_of(value)
    failed = "choices" not in chunk and (chunk.get("object") == "error" or "detail" in chunk)
    if is_error or failed or chunk.get("error"):
        raise error_inside(chunk, json_text.dump(chunk))
    return chunk


def _failed_inside(chunk: dict[str, Any], choice: dict[str, Any]) -> dict[str, Any] | None:
    """The part of the chunk that holds an error of its own: OpenRouter's choice, Groq's field."""
    groq = object_of(chunk.get("x_groq"))
    return choice if choice.get("error") else groq if groq.get("error") else None


def _first_choice(chunk: dict[str, Any]) -> dict[str, Any]:
    """Choice 0, {} where the chunk has none; a choice without an index is 0."""
    for item in list_of(chunk.get("choices")):
        choice = object_of(item)
        if choice and not choice.get("index"):
            return choice
    return {}


def _content(content: Any) -> tuple[str, str]:
    """Text and reasoning out of `content`: text, null, Mistral's list of parts, Cloudflare's object for JSON mode."""
    if isinstance(content, str):
        return content, ""
    if isinstance(content, dict):
        return json_text.dump(object_of(content)), ""
    text: list[str] = []
    reasoning: list[str] = []
    for item in list_of(content):
        part = object_of(item)
        thinking = part.get("thinking")
        if thinking is None:
            text.append(text_of(item) or text_of(part.get("text")))
        else:
            reasoning.append(text_of(thinking) or "".join(text_of(object_of(t).get("text")) for t in list_of(thinking)))
    return "".join(text), "".join(reasoning)


def _reasoning_details(said: dict[str, Any], reasoning: str) -> list[Delta]:
    """OpenRouter's `reasoning_details`, one delta each: text, signed text, or an encrypted block.

    `reasoning` is the text given beside them. Mostly both say the same; where not, the text beside is the text.
    """
    details = [object_of(item) for item in list_of(said.get("reasoning_details"))]
    spelled = [text_of(detail.get("text")) or text_of(detail.get("summary")) for detail in details]
    deltas: list[Delta] = []
    if reasoning and "".join(spelled) != reasoning:
        deltas.append(Delta(reasoning=reasoning))
        spelled = [""] * len(details)
    for detail, text in zip(details, spelled, strict=True):
        redacted = text_of(detail.get("data")) or None
        signature = text_of(detail.get("signature" if redacted is None else "id")) or None
        if text or signature or redacted:
            origin = text_of(detail.get("format")) if detail.get("format") != "unknown" else ""
            deltas.append(
                Delta(
                    reasoning=text,
                    reasoning_signature=signature,
                    redacted_reasoning=redacted,
                    reasoning_format=origin or None,
                )
            )
    return deltas


def _logprobs(said: Any) -> tuple[dict[str, Any], ...]:
    """Entries `{"token", "logprob", …}`; Together's older two lists become the same."""
    given = object_of(said)
    entries = list_of(given.get("content")) or list_of(given.get("refusal"))
    if entries:
        return tuple(object_of(entry) for entry in entries)
    pairs = zip(list_of(given.get("tokens")), list_of(given.get("token_logprobs")), strict=False)
    return tuple({"token": token, "logprob": logprob} for token, logprob in pairs)
