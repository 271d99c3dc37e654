"""Real requests of Anthropic, Gemini and the Responses API, said again: those of chat completions are next door.

A recorded body is read into our types by a reader that knows nothing but what it names: anything else is `CannotSay`. What
can be said is encoded by the wire and compared with the original, both without the liberties that the protocol leaves its
clients (`plain_*`, each with its reason). The same bodies are then shown to the official SDK's request types and to the
maker's OpenAPI document, where those are there.
"""

import base64
import binascii
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest

from llmr.catalog import Capabilities, Model, Provider, WireFormat
from llmr.chat import (
    ChatRequest,
    Media,
    MediaKind,
    Message,
    OutputFormat,
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
from llmr.wire import wire_for
from llmr.wire.responses_answer import FORMAT as OF_RESPONSES

TRAFFIC: Final = Path(__file__).parents[2].parent / "shared" / "wire" / "recorded"
pytestmark = pytest.mark.skipif(not TRAFFIC.is_dir(), reason=f"no recorded traffic at {TRAFFIC}")

Json = dict[str, Any]
UNSIGNED: Final = "skip_thought_signature_validator"  # what Gemini takes in place of a signature that never was


class CannotSay(Exception):
    """Our types have no place for it."""


def only(item: Json, *known: str) -> Json:
    """The item, if it has no key but these."""
    beyond = item.keys() - {*known, "type"}
    if beyond:
        raise CannotSay(f"{', '.join(sorted(beyond))} in {item.get('type') or 'an item'}")
    return item


def decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise CannotSay("the recording cut the base64 text") from error


def media_of(kind: MediaKind, url: str, **more: Any) -> Media:
    if not url.startswith("data:"):
        return Media(kind, "image/png", url=url, **more)
    head, _, data = url.partition(",")
    return Media(kind, head.removeprefix("data:").removesuffix(";base64"), content=decoded(data), **more)


def texts(content: Any) -> Iterator[Text]:
    for item in [{"text": content}] if isinstance(content, str) else content:
        yield Text(only(item, "text")["text"])


# Anthropic

BESIDE_MESSAGES: Final = (
    "thinking",
    "output_config",
    "top_k",
    "metadata",
    "service_tier",
    "context_management",
    "container",
)


def anthropic_part(block: Json) -> Part:
    match block["type"]:
        case "text":
            return Text(only(block, "text")["text"])
        case "thinking":
            return Thinking(only(block, "thinking", "signature")["thinking"], block["signature"])
        case "tool_use":
            only(block, "id", "name", "input")
            return ToolCall(block["id"], block["name"], json.dumps(block["input"]))
        case "tool_result":
            only(block, "tool_use_id", "content", "is_error")
            said = list(texts(block.get("content", "")))
            if len(said) != 1:
                raise CannotSay("a tool result in several pieces")
            return ToolResult(block["tool_use_id"], "", said[0].text, is_error=block.get("is_error", False))
        case "image" | "document":
            source = only(block, "source", "title")["source"]
            kind, name = MediaKind(block["type"]), block.get("title")
            match source["type"]:
                case "url":
                    return Media(kind, "application/pdf", url=source["url"], name=name)
                case "text":
                    return Media(kind, "text/plain", content=source["data"].encode(), name=name)
                case "base64":
                    return Media(kind, source["media_type"], content=decoded(source["data"]), name=name)
    raise CannotSay(f"a block of type {block['type']}")


def from_anthropic(body: Json) -> ChatRequest:
    body = dict(body)
    del body["model"]
    messages = [Message(Role.SYSTEM, tuple(texts(body.pop("system"))))] if "system" in body else []
    for message in body.pop("messages"):
        content = only(message, "role", "content")["content"]
        parts = texts(content) if isinstance(content, str) else map(anthropic_part, content)
        messages.append(Message(Role(message["role"]), tuple(parts)))
    tools = [only(tool, "name", "description", "input_schema", "strict") for tool in body.pop("tools", ())]
    if any("input_schema" not in tool for tool in tools):
        raise CannotSay("a tool that Anthropic runs")
    choice = body.pop("tool_choice", {"type": "auto"})
    modes = {"any": ToolChoiceMode.REQUIRED, "tool": ToolChoiceMode.NAMED}
    alone = choice.get("disable_parallel_tool_use")
    schema = body.pop("output_format", None)
    return ChatRequest(
        tuple(messages),
        stream=body.pop("stream", False),
        max_output_tokens=body.pop("max_tokens"),
        temperature=body.pop("temperature", None),
        stop=tuple(body.pop("stop_sequences", ())),
        tools=tuple(Tool(t["name"], t.get("description", ""), t["input_schema"], t.get("strict")) for t in tools),
        tool_choice=ToolChoice(
            modes.get(choice["type"]) or ToolChoiceMode(choice["type"]),
            choice.get("name"),
            parallel=None if alone is None else not alone,
        ),
        output=OutputFormat(ResponseFormat.JSON_SCHEMA, schema["schema"]) if schema else OutputFormat(),
        extra=only(body, *BESIDE_MESSAGES),
    )


def plain_anthropic(said: Json, _: Json) -> Json:
    """A text is a list of one block; one speaker's messages in a row are one turn; defaults need not be said."""
    said = json.loads(json.dumps(said))
    if "system" in said:
        said["system"] = [{"type": "text", "text": text.text} for text in texts(said["system"])]
    turns: list[Json] = []
    for turn in said["messages"]:
        content = turn["content"]
        blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
        for block in blocks:
            if block["type"] == "tool_result":
                block["content"] = next(texts(block.get("content", ""))).text
                block.setdefault("is_error", False)
        if turns and turns[-1]["role"] == turn["role"]:
            turns[-1]["content"] += blocks
        else:
            turns.append({"role": turn["role"], "content": blocks})
    if "output_format" in said:  # its name while it was in beta
        said["output_config"] = {"format": said.pop("output_format")}
    if said.get("tool_choice") == {"type": "auto"}:
        del said["tool_choice"]
    if not said.get("stream"):
        said.pop("stream", None)
    return {**said, "messages": turns}


# Gemini

CAMEL: Final = {
    "function_call": "functionCall",
    "function_response": "functionResponse",
    "thought_signature": "thoughtSignature",
}
CONFIG: Final = (
    *("maxOutputTokens", "temperature", "topP", "seed", "stopSequences"),
    *("responseMimeType", "responseSchema", "responseJsonSchema"),
)


def camel(part: Json) -> Json:
    """Google's parser takes both spellings."""
    return {CAMEL.get(name, name): value for name, value in part.items()}


def gemini_part(said: Json) -> Part:
    part = camel(said)
    signature = part.get("thoughtSignature")
    match part:
        case {"text": text}:
            return Text(only(part, "text", "thoughtSignature") and text, signature)
        case {"functionCall": call}:
            only(part, "functionCall", "thoughtSignature")
            only(call, "name", "args", "id")
            return ToolCall(call.get("id", ""), call["name"], json.dumps(call.get("args", {})), signature)
        case {"functionResponse": result}:
            only(part, "functionResponse")
            only(result, "name", "response", "id")
            content, is_error = told(result["response"])
            return ToolResult(result.get("id", ""), result["name"], content, is_error=is_error)
        case {"inlineData": data}:
            kinds = {"image": MediaKind.IMAGE, "audio": MediaKind.AUDIO}
            kind = kinds.get(data["mimeType"].partition("/")[0], MediaKind.DOCUMENT)
            return Media(kind, data["mimeType"], content=decoded(only(part, "inlineData")["inlineData"]["data"]))
    raise CannotSay(f"a part with {sorted(part)}")


def told(response: Json) -> tuple[str, bool]:
    """A result as text. FunctionResponse.response: `output` and `error` have a meaning, else the whole is the output."""
    match response:
        case {"error": str(text), **rest} if not rest:
            return text, True
        case {"output": str(text), **rest} if not rest:
            return text, False
    return json.dumps(response), False


def from_gemini(body: Json) -> ChatRequest:
    body = dict(body)
    messages = []
    if "systemInstruction" in body:
        parts = only(body.pop("systemInstruction"), "role", "parts")["parts"]
        messages.append(Message(Role.SYSTEM, tuple(map(gemini_part, parts))))
    for content in body.pop("contents"):
        roles = {"user": Role.USER, "model": Role.ASSISTANT}
        if content.get("role") not in roles:
            raise CannotSay(f"role {content.get('role')}")
        parts = tuple(map(gemini_part, only(content, "role", "parts")["parts"]))
        messages.append(Message(roles[content["role"]], parts))
    tools = []
    for tool in body.pop("tools", ()):
        for f in only(tool, "functionDeclarations").get("functionDeclarations", ()):
            only(f, "name", "description", "parameters", "parametersJsonSchema")
            schema = f.get("parameters") or f.get("parametersJsonSchema", {})
            tools.append(Tool(f["name"], f.get("description") or "", schema))
    choice = only(body.pop("toolConfig", {}), "functionCallingConfig").get("functionCallingConfig", {})
    mode = {"ANY": ToolChoiceMode.REQUIRED, "NONE": ToolChoiceMode.NONE}.get(choice.get("mode"), ToolChoiceMode.AUTO)
    if "allowedFunctionNames" in choice:
        raise CannotSay("a list of allowed functions")
    config = dict(body.pop("generationConfig", {}))
    schema = config.get("responseSchema") or config.get("responseJsonSchema")
    json_only = ResponseFormat.JSON if config.get("responseMimeType") == "application/json" else ResponseFormat.TEXT
    more = {name: value for name, value in config.items() if name not in CONFIG}
    extra = only(body, "safetySettings", "cachedContent", "labels")
    return ChatRequest(
        tuple(messages),
        stream=False,
        max_output_tokens=config.get("maxOutputTokens"),
        temperature=config.get("temperature"),
        top_p=config.get("topP"),
        seed=config.get("seed"),
        stop=tuple(config.get("stopSequences", ())),
        tools=tuple(tools),
        tool_choice=ToolChoice(mode),
        output=OutputFormat(ResponseFormat.JSON_SCHEMA, schema) if schema else OutputFormat(json_only),
        extra={**extra, "generationConfig": more} if more else extra,
    )


def plain_gemini(said: Json, _: Json) -> Json:
    """The newer names of the schema fields take the older ones' values; AUTO, a text of nothing, an empty object and a
    system's role say nothing.
    """
    said = json.loads(json.dumps(said))
    turns: list[Json] = []
    for turn in said["contents"]:
        parts = [camel(part) for part in turn["parts"] if part != {"text": ""}]
        for part in parts:
            if part.get("thoughtSignature") == UNSIGNED:
                del part["thoughtSignature"]
            if "functionResponse" in part:
                content, is_error = told(part["functionResponse"]["response"])
                part["functionResponse"]["response"] = {"error" if is_error else "output": content}
        if turns and turns[-1]["role"] == turn["role"]:
            turns[-1]["parts"] += parts
        else:
            turns.append({"role": turn["role"], "parts": parts})
    said["contents"] = turns
    said.get("systemInstruction", {}).pop("role", None)
    functions = [f for tool in said.pop("tools", ()) for f in tool["functionDeclarations"]]
    for function in functions:
        schema = function.pop("parameters", None) or function.pop("parametersJsonSchema", None)
        function["parametersJsonSchema"] = schema or {}
        function["description"] = function.get("description") or ""
    config = said.get("generationConfig", {})
    if "responseSchema" in config:
        config["responseJsonSchema"] = config.pop("responseSchema")
    if said.get("toolConfig") == {"functionCallingConfig": {"mode": "AUTO"}}:
        del said["toolConfig"]
    return {name: value for name, value in {**said, "functions": functions}.items() if value not in ({}, [])}


# Responses

BESIDE_INPUT: Final = (
    *("include", "store", "reasoning", "instructions", "previous_response_id", "prompt_cache_key", "user", "metadata"),
    *("truncation", "service_tier", "safety_identifier"),
)


def responses_part(item: Json) -> Part:
    match item["type"]:
        case "input_text":
            return Text(only(item, "text")["text"])
        case "output_text":
            if item.get("annotations"):
                raise CannotSay("annotations of an earlier answer")
            return Text(only(item, "text", "annotations")["text"])
        case "input_image":
            only(item, "image_url", "detail")
            return media_of(MediaKind.IMAGE, item["image_url"], detail=item.get("detail"))
        case "input_file" if "file_data" in item:
            only(item, "file_data", "filename")
            return media_of(MediaKind.DOCUMENT, item["file_data"], name=item.get("filename"))
    raise CannotSay(f"content of type {item['type']}")


def responses_message(item: Json) -> Message:
    match item.get("type", "message"):
        case "message":
            content = only(item, "role", "content", "status", "id")["content"]
            role = Role.SYSTEM if item["role"] == "developer" else Role(item["role"])
            parts = texts(content) if isinstance(content, str) else map(responses_part, content)
            return Message(role, tuple(parts))
        case "function_call":
            only(item, "call_id", "name", "arguments", "id", "status")
            return Message(Role.ASSISTANT, (ToolCall(item["call_id"], item["name"], item["arguments"]),))
        case "function_call_output":
            output = only(item, "call_id", "output")["output"]
            if not isinstance(output, str):
                raise CannotSay("a tool result that is a list")
            return Message(Role.TOOL, (ToolResult(item["call_id"], "", output),))
        case "reasoning":
            only(item, "id", "summary", "encrypted_content")
            if not item.get("encrypted_content") or len(item["summary"]) > 1:
                raise CannotSay("reasoning that was not encrypted, or with a summary in pieces")
            summary = "".join(text["text"] for text in item["summary"])
            opened = Thinking(summary, signature=item.get("id"), format=OF_RESPONSES)
            closed = Thinking("", redacted=item["encrypted_content"], format=OF_RESPONSES)
            return Message(Role.ASSISTANT, (opened, closed))
    raise CannotSay(f"an item of type {item['type']}")


def from_responses(body: Json) -> ChatRequest:
    body = dict(body)
    del body["model"]
    said = body.pop("input")
    items = [{"role": "user", "content": said}] if isinstance(said, str) else said
    tools = [only(tool, "name", "description", "parameters", "strict") for tool in body.pop("tools", ())]
    if any(tool["type"] != "function" for tool in tools):
        raise CannotSay("a tool that OpenAI runs")
    choice = body.pop("tool_choice", "auto")
    shape = only(body.pop("text", {}), "format").get("format", {"type": "text"})
    formats = {"json_object": ResponseFormat.JSON, "json_schema": ResponseFormat.JSON_SCHEMA}
    effort = body["reasoning"]["effort"] if body.get("reasoning", {}).keys() == {"effort"} else None
    if effort:
        del body["reasoning"]
    return ChatRequest(
        tuple(map(responses_message, items)),
        stream=body.pop("stream", False),
        max_output_tokens=body.pop("max_output_tokens", None),
        temperature=body.pop("temperature", None),
        top_p=body.pop("top_p", None),
        reasoning_effort=effort,
        tools=tuple(Tool(t["name"], t.get("description") or "", t["parameters"], t.get("strict")) for t in tools),
        tool_choice=ToolChoice(ToolChoiceMode(choice), parallel=body.pop("parallel_tool_calls", None)),
        output=OutputFormat(
            formats.get(shape["type"], ResponseFormat.TEXT),
            shape.get("schema", {}),
            shape.get("name", "answer"),
            strict=shape.get("strict"),
            description=shape.get("description", ""),
        ),
        extra=only(body, *BESIDE_INPUT),
    )


def plain_responses(said: Json, original: Json) -> Json:
    """Ids and states of items mean nothing where nothing is stored. We never store unless told to, and then need the
    encrypted reasoning: both are ours.
    """
    said = json.loads(json.dumps(said))
    items = [{"role": "user", "content": said["input"]}] if isinstance(said["input"], str) else said["input"]
    for item in items:
        item.setdefault("type", "message")
        item.pop("status", None)
        if item["type"] == "function_call":
            item.pop("id", None)
        if item.get("role") == "developer":
            item["role"] = "system"
        content = item.get("content")
        if item["type"] == "message" and not isinstance(content, str):
            for part in content:
                if part["type"] == "input_image":
                    part.setdefault("detail", "auto")
            if all("text" in part for part in content):
                item["content"] = "".join(part["text"] for part in content)
    for tool in said.get("tools", ()):
        tool["strict"] = bool(tool.get("strict"))
        tool.setdefault("description", "")
    for ours in ("store", "include"):
        if ours not in original:
            said.pop(ours, None)
    if said.get("tool_choice") == "auto":
        del said["tool_choice"]
    if not said.get("stream"):
        said.pop("stream", None)
    if said.get("text", {}).get("format") == {"type": "text"}:
        del said["text"]
    return {**said, "input": items}


# All of them


class Api(NamedTuple):
    """How one API's requests are read and compared. `least` is the share that our types must be able to express."""

    wire: WireFormat
    read: Callable[[Json], ChatRequest]
    plain: Callable[[Json, Json], Json]
    least: float
    document: str
    schema: str


APIS: Final = {
    "anthropic-messages": Api(
        WireFormat.ANTHROPIC, from_anthropic, plain_anthropic, 0.7, "anthropic.openapi.json", "CreateMessageParams"
    ),
    "gemini": Api(
        *(WireFormat.GEMINI, from_gemini, plain_gemini, 0.75),
        *("google-generativelanguage-v1beta.openapi.json", "GenerateContentRequest"),
    ),
    "openai-responses": Api(
        WireFormat.RESPONSES, from_responses, plain_responses, 0.75, "openai.openapi.json", "CreateResponse"
    ),
}


class Said(NamedTuple):
    """A recorded request, in our types and back."""

    name: str
    api: str
    body: Json
    request: ChatRequest

    def again(self) -> Json:
        provider = Provider("recorded", APIS[self.api].wire, "https://api.example/v1")
        model = Model(provider, self.body.get("model", "gemini-2.5-flash"), capabilities=Capabilities())
        made: Json = json.loads(wire_for(APIS[self.api].wire).encode(self.request, model).body)
        return made


def read_all() -> Iterator[Said | tuple[str, str, str]]:
    """Each request, or (api, name, why our types cannot express it)."""
    for api, how in APIS.items():
        for path in sorted((TRAFFIC / api).glob("*.json")):
            body = json.loads(path.read_text())["request"]["body"]
            if isinstance(body, dict):
                try:
                    yield Said(path.stem, api, body, how.read(body))
                except CannotSay as reason:
                    yield (api, path.stem, str(reason))


READ: Final = list(read_all()) if TRAFFIC.is_dir() else []
EXPRESSIBLE: Final = [item for item in READ if isinstance(item, Said)]
INEXPRESSIBLE: Final = [item for item in READ if not isinstance(item, Said)]


@pytest.mark.parametrize("api", APIS)
def test_few_requests_of_other_apis_are_beyond_our_types(api: str) -> None:
    beyond = [item for item in INEXPRESSIBLE if item[0] == api]
    said = [item for item in EXPRESSIBLE if item.api == api]
    assert len(said) >= APIS[api].least * (len(said) + len(beyond)), beyond


@pytest.mark.parametrize("said", EXPRESSIBLE, ids=[item.name for item in EXPRESSIBLE])
def test_a_recorded_request_of_another_api_is_said_again_as_it_was(said: Said) -> None:
    plain = APIS[said.api].plain
    assert plain(said.again(), said.body) == plain(said.body, said.body)


@pytest.mark.parametrize("api", APIS)
def test_the_maker_s_document_accepts_what_we_say_where_it_accepts_the_original(api: str, accepted_by) -> None:
    accepts = accepted_by(APIS[api].document, APIS[api].schema)
    ours = [item for item in EXPRESSIBLE if item.api == api]
    fit = [item for item in ours if accepts(item.body)]
    refused = [item.name for item in fit if not accepts(item.again())]
    assert refused == []
    assert len(fit) >= len(ours) / 2, "the document accepts too few originals to say anything"


def consumed(value: Any) -> None:
    """pydantic checks an Iterable only while it is read: read everything."""
    if isinstance(value, dict):
        for item in value.values():
            consumed(item)
    elif not isinstance(value, (str, bytes)) and hasattr(value, "__iter__"):
        for item in value:
            consumed(item)


def test_anthropics_own_types_accept_its_requests_said_again() -> None:
    pytest.importorskip("anthropic", reason="the anthropic SDK is not installed")
    from anthropic.types.message_create_params import MessageCreateParamsNonStreaming, MessageCreateParamsStreaming
    from pydantic import TypeAdapter

    whole, streamed = TypeAdapter(MessageCreateParamsNonStreaming), TypeAdapter(MessageCreateParamsStreaming)
    for said in (item.again() for item in EXPRESSIBLE if item.api == "anthropic-messages"):
        consumed((streamed if said.get("stream") else whole).validate_python(said))


def test_openais_own_types_accept_its_responses_requests_said_again() -> None:
    pytest.importorskip("openai", reason="the openai SDK is not installed")
    from openai.types.responses.response_create_params import (
        ResponseCreateParamsNonStreaming,
        ResponseCreateParamsStreaming,
    )
    from pydantic import TypeAdapter

    whole, streamed = TypeAdapter(ResponseCreateParamsNonStreaming), TypeAdapter(ResponseCreateParamsStreaming)
    for said in (item.again() for item in EXPRESSIBLE if item.api == "openai-responses"):
        if any(item["type"] == "reasoning" and "id" not in item for item in said["input"]):
            continue  # the types ask for an id, the API does not (recorded)
        consumed((streamed if said.get("stream") else whole).validate_python(said))


def test_googles_own_types_accept_its_requests_said_again() -> None:
    pytest.importorskip("google.genai", reason="the google-genai SDK is not installed")
    from google.genai import types

    models = {
        "systemInstruction": types.Content,
        "generationConfig": types.GenerationConfig,
        "toolConfig": types.ToolConfig,
    }
    for said in (item.again() for item in EXPRESSIBLE if item.api == "gemini"):
        for content in said.pop("contents"):
            types.Content.model_validate(content)
        for tool in said.pop("tools", ()):
            types.Tool.model_validate(tool)
        for setting in said.pop("safetySettings", ()):
            types.SafetySetting.model_validate(setting)
        for name, value in said.items():
            if name != "cachedContent":
                models[name].model_validate(value)
