"""Parts of messages in the words that several wires share: data URLs, base64, sound formats, call ids, tool results.

What a wire cannot say is refused here, before anything is sent: `refuse` is the one way, so that nothing is dropped
silently and every message reads alike.
"""

from binascii import b2a_base64
from collections.abc import Collection, Mapping
from typing import Any, Final, NoReturn
from urllib.parse import quote, urlencode

from llmr.catalog import Model
from llmr.chat import ChatRequest, Media, OutputFormat, Role, ToolCall, ToolChoiceMode, ToolResult
from llmr.errors import ErrorKind, ProviderError
from llmr.wire import json_text
from llmr.wire.contract import Credential

SOUND_FORMATS: Final[Mapping[str, str]] = {  # media type → the short name OpenAI's input_audio takes
    "audio/wav": "wav", "audio/x-wav": "wav", "audio/wave": "wav", "audio/mpeg": "mp3", "audio/mp3": "mp3",
    "audio/flac": "flac", "audio/ogg": "ogg", "audio/opus": "opus", "audio/aac": "aac", "audio/mp4": "m4a",
}  # fmt: skip
# Fields of an OpenAI client that are labels for OpenAI's own books or hints to its cache: they change neither what is
# answered, nor what it costs, nor what is kept, so other wires leave them out, and a fallback may cross wires.
_BOOKKEEPING: Final = frozenset({
    "metadata", "prompt_cache_key", "prompt_cache_retention", "safety_identifier", "user",
})  # fmt: skip
_ASKED_ANYWAY: Final = "stream_options"  # usage comes unasked on the other wires
_DEFAULTS: Final[Mapping[str, tuple[Any, ...]]] = {
    "n": (1,), "frequency_penalty": (0,), "presence_penalty": (0,), "logit_bias": ({},), "logprobs": (False,),
    "modalities": (["text"],), "service_tier": ("auto", "default"), "store": (False,),
}  # fmt: skip
# Google's compatibility table for reasoning_effort (ai.google.dev/gemini-api/docs/openai#thinking); Anthropic has none.
THINKING_BUDGET_TOKENS: Final[Mapping[str, int]] = {
    "minimal": 1024, "low": 1024, "medium": 8192, "high": 24576, "xhigh": 32768, "max": 32768,
}  # fmt: skip
_CALL_ID_STEM = 24  # characters: "call_" + stem + "_999" stays within OpenAI's 40 for a call id


def refuse(model: Model, what: str) -> NoReturn:
    """This wire has no words for `what`."""
    raise ProviderError(ErrorKind.UNSUPPORTED, f"{model.key}: its wire ({model.provider.wire}) cannot say: {what}")


def base64_of(media: Media) -> str:
    """The content in base64; "" for a URL."""
    return b2a_base64(media.content or b"", newline=False).decode("ascii")


def url_of(media: Media) -> str:
    """The URL, or the content as a data URL."""
    return media.url if media.url is not None else f"data:{media.media_type};base64,{base64_of(media)}"


def result_text(result: ToolResult) -> str:
    """The result for a wire that has no mark for failure: a failed one says so in its text."""
    return f"Error: {result.content}" if result.is_error and not result.content.startswith("Error") else result.content


def arguments_of(call: ToolCall) -> dict[str, Any]:
    """The arguments as the object that Anthropic and Gemini ask for.

    A model may write something else. It is sent back as `{"INVALID_JSON": …}`, as Anthropic's documentation
    advises (fine-grained tool streaming), so that a conversation in which it happened can go on.
    """
    try:
        value = json_text.parse(call.arguments or "{}")
    except json_text.JsonError:
        value = None
    return json_text.object_of(value) if isinstance(value, dict) else {"INVALID_JSON": call.arguments}


def extra_beyond(extra: Mapping[str, Any], known: Collection[str], model: Model) -> dict[str, Any]:
    """The fields of `extra` that this wire knows. Bookkeeping and defaults are left out; anything else is refused."""
    passed_over = {*known, *_BOOKKEEPING, _ASKED_ANYWAY}
    unknown = [name for name in extra if name not in passed_over and not _is_default(name, extra[name])]
    if unknown:
        refuse(model, ", ".join(sorted(unknown)))
    return {name: value for name, value in extra.items() if name in known}


def marks_left_out(request: ChatRequest) -> tuple[str, ...]:
    """Marks for a prompt cache, where the wire has none: those providers keep one unasked, or not at all."""
    return ("cache_control",) if request.is_marked else ()


def left_out(request: ChatRequest, known: Collection[str]) -> tuple[str, ...]:
    """What Anthropic and Gemini have no words for, where leaving it out asks nothing else of the model, by name."""
    named = sorted(name for name in request.extra if name in _BOOKKEEPING and name not in known)
    if any(media.detail is not None for media in request.media):
        named.append("an image's detail")
    roles = [message.role for message in request.messages]
    if Role.SYSTEM in roles[next((at for at, role in enumerate(roles) if role is not Role.SYSTEM), 0) :]:
        named.append("the place of a later system message (it moves to the front)")
    return tuple(named)


def refuse_a_call_of_nothing(request: ChatRequest, model: Model) -> None:
    """A tool that must be called is asked for where there is none."""
    must = request.tool_choice.mode in (ToolChoiceMode.REQUIRED, ToolChoiceMode.NAMED)
    if must and not request.tools and "tools" not in request.extra:
        refuse(model, "that a tool must be called, without tools")


def _is_default(name: str, value: Any) -> bool:
    return name in _DEFAULTS and value in (*_DEFAULTS[name], None)


def schema_of(output: OutputFormat) -> dict[str, Any]:
    """The schema for a wire that has no place for its description but the schema itself."""
    schema = dict(output.schema)
    return {"description": output.description, **schema} if output.description else schema


def call_id(answer_id: str, index: int) -> str:
    """An id for a call that came without one. It must differ between the answers of one conversation, so it is made of the
    answer's own id, in the characters that every provider takes back ([A-Za-z0-9_-], Anthropic).
    """
    stem = "".join(char for char in answer_id if char.isascii() and (char.isalnum() or char in "_-"))[-_CALL_ID_STEM:]
    return f"call_{stem}_{index}" if stem else f"call_{index}"


def url_for(model: Model, own_path: str, own_query: Mapping[str, str] | None = None) -> str:
    """base_url + path + query; the dialect's path replaces ours. `{model}` in it is the model's id, escaped."""
    dialect = model.provider.dialect
    path = (dialect.chat_path or own_path).replace("{model}", quote(model.id, safe=""))
    query = {**(own_query or {}), **dialect.query}
    return model.provider.base_url.rstrip("/") + path + (f"?{urlencode(query)}" if query else "")


def credential_for(model: Model, own_header: str, own_prefix: str) -> Credential | None:
    """The provider's key in the header that its dialect names, else in the wire's own; None without a key."""
    provider = model.provider
    if provider.key is None:
        return None
    if provider.dialect.auth_header:
        return Credential(provider.dialect.auth_header.lower(), provider.dialect.auth_prefix, provider.key)
    return Credential(own_header, own_prefix, provider.key)


def headers_for(model: Model, *, stream: bool, more: Mapping[str, str] | None = None) -> tuple[tuple[str, str], ...]:
    """Headers with lower-case names; the provider's own win over ours."""
    headers = {
        "content-type": "application/json",
        "accept": "text/event-stream" if stream else "application/json",
        **(more or {}),
        **{name.lower(): value for name, value in model.provider.headers.items()},
    }
    return tuple(headers.items())
