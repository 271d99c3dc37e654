"""Gemini generateContent: requests, for the Gemini API and for Vertex.

What differs from chat completions: the model and the way of answering stand in the path; the speakers are `user` and
`model`; calls and results carry names and objects, and ids only sometimes; a thought signature goes back with the very part
it came with, or Gemini 3 answers 400. No words exist for "one call at a time".

The key travels in `x-goog-api-key`, never as `?key=`, which ends in logs.
"""

import re
from collections.abc import Mapping
from typing import Any, Final, cast

from llmr.catalog import Model
from llmr.chat import (
    ChatRequest,
    Media,
    Message,
    Part,
    ResponseFormat,
    Role,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolChoice,
    ToolChoiceMode,
    ToolResult,
)
from llmr.errors import ProviderError
from llmr.wire import errors, json_text
from llmr.wire.contract import Decoder, HttpRequest
from llmr.wire.decoding import AnswerDecoder
from llmr.wire.gemini_answer import FORMAT, GenerateContentReader
from llmr.wire.parts import (
    THINKING_BUDGET_TOKENS,
    arguments_of,
    base64_of,
    credential_for,
    extra_beyond,
    headers_for,
    left_out,
    marks_left_out,
    refuse,
    refuse_a_call_of_nothing,
    schema_of,
    url_for,
)

_LEVELS: Final = frozenset({"minimal", "low", "medium", "high", "xhigh"})  # google-genai 3.4.0, types.ThinkingLevel
_THINKS_IN_LEVELS: Final = r"gemini-(?:[3-9]|\d\d|flash-latest|pro-latest)"
_CHECKS_SIGNATURES: Final = r"gemini-(?:[3-9]|\d\d|flash-latest|pro-latest)"
# For calls that another model made: ai.google.dev/gemini-api/docs/thought-signatures, FAQ.
_UNSIGNED: Final = "skip_thought_signature_validator"
_MADE_BY_US_OR_OPENAI: Final = "call_"  # an id that Gemini did not give means nothing to it
_EXTRA: Final = frozenset({"cachedContent", "generationConfig", "labels", "safetySettings"})
_EXTRA_CONFIG: Final[Mapping[str, str]] = {
    "top_k": "topK",
    "frequency_penalty": "frequencyPenalty",
    "presence_penalty": "presencePenalty",
}


class GeminiWire:
    """generateContent."""

    def encode(self, request: ChatRequest, model: Model) -> HttpRequest:
        """POST {base_url}/models/{model}:[stream]GenerateContent. Raises ProviderError(UNSUPPORTED) for what it cannot say."""
        try:
            content = json_text.encode(_body(request, model))
        except ValueError as error:
            refuse(model, f"a value that has no JSON form ({error})")
        action = "streamGenerateContent" if request.stream else "generateContent"
        return HttpRequest(
            "POST",
            url_for(model, f"/models/{{model}}:{action}", {"alt": "sse"} if request.stream else None),
            headers_for(model, stream=request.stream),
            content,
            credential_for(model, "x-goog-api-key", ""),
            (*left_out(request, _EXTRA | _EXTRA_CONFIG.keys()), *marks_left_out(request)),
        )

    def decoder(self, model: Model, *, streamed: bool) -> Decoder:  # noqa: ARG002 - `Wire` says so; Gemini has no dialects
        """A decoder for one answer."""
        return AnswerDecoder(GenerateContentReader(), streamed=streamed)

    def classify(self, status: int, headers: Mapping[str, str], body: bytes, *, now: float) -> ProviderError:
        """The error that an answer with this status means."""
        return errors.classify(status, headers, body, now=now)


def _body(request: ChatRequest, model: Model) -> dict[str, Any]:
    refuse_a_call_of_nothing(request, model)
    system, contents = _contents(request, model)
    body: dict[str, Any] = {"contents": contents}
    if system:
        body["systemInstruction"] = {"parts": system}
    if request.tools:
        body["tools"] = [{"functionDeclarations": [_tool(tool) for tool in request.tools]}]
        body |= _tool_choice(request.tool_choice, model, strict=any(tool.strict for tool in request.tools))
    extra = extra_beyond(request.extra, _EXTRA | _EXTRA_CONFIG.keys(), model)
    config = _config(request, model)
    config |= {name: extra.pop(said) for said, name in _EXTRA_CONFIG.items() if said in extra}
    more = extra.pop("generationConfig", {})
    if not isinstance(more, Mapping):
        refuse(model, "a generationConfig that is no object")
    config |= cast("Mapping[str, Any]", more)  # the user's own word wins
    if config:
        body["generationConfig"] = config
    return body | extra


def _config(request: ChatRequest, model: Model) -> dict[str, Any]:
    plain = {
        "maxOutputTokens": request.max_output_tokens,
        "temperature": request.temperature,
        "topP": request.top_p,
        "seed": request.seed,
        "stopSequences": list(request.stop) or None,
    }
    config: dict[str, Any] = {field: value for field, value in plain.items() if value is not None}
    if request.logprobs is not None:
        config["responseLogprobs"] = True
        if request.logprobs > 0:
            config["logprobs"] = request.logprobs
    if request.wants_json:
        config["responseMimeType"] = "application/json"
    if request.output.format is ResponseFormat.JSON_SCHEMA:
        config["responseJsonSchema"] = schema_of(request.output)
    if request.reasoning_effort is not None:
        config["thinkingConfig"] = _thinking(request.reasoning_effort, model)
    return config


def _thinking(effort: str, model: Model) -> dict[str, Any]:
    """Gemini 3 and later take a level, 2.5 a budget; 0 turns thinking off where the model allows that."""
    if effort == "none":
        return {"thinkingBudget": 0}
    if re.search(_THINKS_IN_LEVELS, model.id):
        if effort not in _LEVELS:
            refuse(model, f"reasoning effort {effort!r}")
        return {"thinkingLevel": effort, "includeThoughts": True}
    if effort not in THINKING_BUDGET_TOKENS:
        refuse(model, f"reasoning effort {effort!r}")
    return {"thinkingBudget": THINKING_BUDGET_TOKENS[effort], "includeThoughts": True}


def _contents(request: ChatRequest, model: Model) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The system parts, and the turns: one speaker's messages in a row are one turn."""
    names = {part.id: part.name for message in request.messages for part in message.parts if isinstance(part, ToolCall)}
    system: list[dict[str, Any]] = []
    turns: list[tuple[str, list[dict[str, Any]]]] = []
    for message in request.messages:
        parts = [said for part in message.parts for said in _parts(part, message, names, model)]
        if message.role is Role.ASSISTANT and re.search(_CHECKS_SIGNATURES, model.id):
            _sign(parts)
        if message.role is Role.SYSTEM:
            system += parts
            continue
        role = "model" if message.role is Role.ASSISTANT else "user"
        if not parts:
            continue
        if turns and turns[-1][0] == role:
            turns[-1][1].extend(parts)
        else:
            turns.append((role, parts))
    return system, [{"role": role, "parts": parts} for role, parts in turns]


def _sign(parts: list[dict[str, Any]]) -> None:
    """The first call of a turn must be signed; one that another model made never was."""
    first = next((part for part in parts if "functionCall" in part), None)
    if first is not None:
        first.setdefault("thoughtSignature", _UNSIGNED)


def _parts(  # noqa: RET503 - `refuse` never returns
    part: Part, message: Message, names: Mapping[str, str], model: Model
) -> list[dict[str, Any]]:
    """The part in Gemini's words; none for a text of nothing and for thinking that is not Gemini's own."""
    match part:
        case Text(text, signature):
            if not text and signature is None:
                return []
            return [{"text": text} if signature is None else {"text": text, "thoughtSignature": signature}]
        case Media() if message.role is Role.USER:
            return [_media(part)]
        case ToolCall() if message.role is Role.ASSISTANT:
            call: dict[str, Any] = {
                "functionCall": {**_call_id(part.id), "name": part.name, "args": arguments_of(part)}
            }
            return [call if part.signature is None else {**call, "thoughtSignature": part.signature}]
        case ToolResult() if message.role in (Role.TOOL, Role.USER):
            return _result(part, names, model)
        case Thinking() if message.role is Role.ASSISTANT:
            if part.format != FORMAT or part.signature is None:
                return []
            return [{"text": part.text, "thought": True, "thoughtSignature": part.signature}]
        case Media() | ToolCall() | ToolResult() | Thinking():  # pragma: no branch - the set is closed
            refuse(model, f"{type(part).__name__} in a turn of the {message.role}")


def _result(result: ToolResult, names: Mapping[str, str], model: Model) -> list[dict[str, Any]]:
    """FunctionResponse, API reference. What a tool shows beside its text stands inside it from Gemini 3 on, which alone
    takes it there, and behind it before."""
    said: dict[str, Any] = {
        **_call_id(result.call_id),
        "name": result.name or names.get(result.call_id, ""),
        "response": {"error" if result.is_error else "output": result.content},
    }
    shown = [_media(media) for media in result.media]
    if shown and re.search(_THINKS_IN_LEVELS, model.id):
        return [{"functionResponse": {**said, "parts": shown}}]
    return [{"functionResponse": said}, *shown]


def _call_id(said: str) -> dict[str, str]:
    return {} if not said or said.startswith(_MADE_BY_US_OR_OPENAI) else {"id": said}


def _media(media: Media) -> dict[str, Any]:
    if media.content is None:
        return {"fileData": {"mimeType": media.media_type, "fileUri": media.url}}
    return {"inlineData": {"mimeType": media.media_type, "data": base64_of(media)}}


def _tool(tool: Tool) -> dict[str, Any]:
    said: dict[str, Any] = {"name": tool.name}
    if tool.description:
        said["description"] = tool.description
    if tool.parameters:
        said["parametersJsonSchema"] = dict(tool.parameters)
    return said


def _tool_choice(choice: ToolChoice, model: Model, *, strict: bool) -> dict[str, Any]:
    """VALIDATED is AUTO with arguments held to their schema, which ANY does anyway (API reference): it says `strict`."""
    if choice.parallel is False:
        refuse(model, "one tool call at a time")
    match choice.mode:
        case ToolChoiceMode.AUTO:
            if not strict:
                return {}
            said: dict[str, Any] = {"mode": "VALIDATED"}
        case ToolChoiceMode.NONE:
            said = {"mode": "NONE"}
        case ToolChoiceMode.REQUIRED:
            said = {"mode": "ANY"}
        case ToolChoiceMode.NAMED:  # pragma: no branch - the set is closed
            said = {"mode": "ANY", "allowedFunctionNames": [choice.name]}
    return {"toolConfig": {"functionCallingConfig": said}}
