"""What a request says, a wire says too, or refuses, or names as left out: for each feature and each wire, which of the three.

A feature is laid over a request that has none of it. If the wire takes both, the bodies must differ, and what is unique to the
feature (its mark) must stand in the body; if they do not, `left_out` must name it. The few cells in which neither holds are
`UNSAID`, each with its reason.
"""

import json
from base64 import b64encode
from collections.abc import Callable
from dataclasses import replace
from typing import Final

import pytest

from llmr.catalog import Capabilities, Dialect, Model, Provider, WireFormat
from llmr.chat import (
    CacheMark,
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
from llmr.errors import ErrorKind, ProviderError
from llmr.wire import anthropic_answer, gemini_answer, responses_answer, wire_for
from llmr.wire.contract import HttpRequest

WIRES: Final = (WireFormat.OPENAI, WireFormat.ANTHROPIC, WireFormat.GEMINI, WireFormat.RESPONSES)
MODELS: Final = {
    WireFormat.OPENAI: "deepseek/chat",
    WireFormat.ANTHROPIC: "claude-sonnet-4-5",
    WireFormat.GEMINI: "gemini-2.5-pro",
    WireFormat.RESPONSES: "gpt-5",
}
BASE: Final = ChatRequest((Message.text(Role.USER, "hello"),), stream=False)
TOOL: Final = Tool("look_up", "finds it", {"type": "object", "properties": {"marked": {"type": "string"}}})
BYTES: Final = b"marked bytes"
MARKED_BYTES: Final = b64encode(BYTES).decode()
SCHEMA: Final = {"type": "object", "properties": {"marked": {"type": "string"}}}

Lay = Callable[[ChatRequest], ChatRequest]


def beside(**fields: object) -> Lay:
    """The same with these fields."""
    return lambda request: replace(request, **fields)  # type: ignore[arg-type]


def turn(role: Role, *parts: Part) -> Lay:
    """One more turn."""
    return lambda request: replace(request, messages=(*request.messages, Message(role, parts)))


def attached(kind: MediaKind, media_type: str, **more: str) -> Lay:
    content = None if "url" in more else BYTES
    return turn(Role.USER, Media(kind, media_type, content=content, **more))


def tooled(**choice: object) -> Lay:
    return beside(tools=(TOOL,), tool_choice=ToolChoice(**choice))  # type: ignore[arg-type]


def thought(thinking: Thinking) -> Lay:
    return turn(Role.ASSISTANT, thinking, Text("so"))


HOUR: Final = CacheMark("1h")
CALL: Final = ToolCall("toolu_1", "look_up", '{"a":"marked"}')
RESULT: Final = ToolResult("toolu_1", "look_up", "marked result")

# what is laid over, its mark, and what becomes of it at OpenAI, Anthropic, Gemini and Responses:
# said, refused or left out by name
FEATURES: Final[dict[str, tuple[Lay, str, str]]] = {
    "a system prompt": (
        lambda request: replace(request, messages=(Message.text(Role.SYSTEM, "marked"), *request.messages)),
        "marked",
        "said said said said",
    ),
    "the answer so far": (turn(Role.ASSISTANT, Text("marked")), "marked", "said said said said"),
    "an image": (attached(MediaKind.IMAGE, "image/png"), MARKED_BYTES, "said said said said"),
    "an image by URL": (
        attached(MediaKind.IMAGE, "image/png", url="https://marked/"), "https://marked/", "said said said said",
    ),
    "a PDF": (attached(MediaKind.DOCUMENT, "application/pdf"), MARKED_BYTES, "said said said said"),
    "a PDF by URL": (
        attached(MediaKind.DOCUMENT, "application/pdf", url="https://marked/"), "https://marked/", "refused said said said",
    ),
    "sound": (attached(MediaKind.AUDIO, "audio/wav"), MARKED_BYTES, "said refused said refused"),
    "a tool": (tooled(), "finds it", "said said said said"),
    "a tool's schema": (tooled(), '"marked"', "said said said said"),
    "a tool's strictness": (beside(tools=(replace(TOOL, strict=True),)), "", "said said said said"),
    "no tool may be called": (tooled(mode=ToolChoiceMode.NONE), "", "said said said said"),
    "a tool must be called": (tooled(mode=ToolChoiceMode.REQUIRED), "", "said said said said"),
    "this tool must be called": (tooled(mode=ToolChoiceMode.NAMED, name="look_up"), "look_up", "said said said said"),
    "one call at a time": (tooled(parallel=False), "", "said said refused said"),
    "a call of no tool": (beside(tool_choice=ToolChoice(ToolChoiceMode.REQUIRED)), "", "refused refused refused refused"),
    "a call": (turn(Role.ASSISTANT, CALL), "marked", "said said said said"),
    "calls side by side": (
        turn(Role.ASSISTANT, CALL, ToolCall("toolu_2", "other", '{"b":"second"}')), "second", "said said said said",
    ),
    "a result": (turn(Role.TOOL, RESULT), "marked result", "said said said said"),
    "a failed result": (turn(Role.TOOL, replace(RESULT, is_error=True)), "rror", "said said said said"),
    "an image in a result": (
        turn(Role.TOOL, replace(RESULT, media=(Media(MediaKind.IMAGE, "image/png", BYTES),))), MARKED_BYTES,
        "said said said said",
    ),
    "a PDF in a result": (
        turn(Role.TOOL, replace(RESULT, media=(Media(MediaKind.DOCUMENT, "application/pdf", BYTES),))), MARKED_BYTES,
        "said said said said",
    ),
    "a cache mark on a text": (turn(Role.USER, Text("so", mark=HOUR)), '"1h"', "left said left left"),
    "a cache mark on an image": (
        turn(Role.USER, Media(MediaKind.IMAGE, "image/png", BYTES, mark=HOUR)), '"1h"', "left said left left",
    ),
    "a cache mark on a call": (turn(Role.ASSISTANT, replace(CALL, mark=HOUR)), '"1h"', "left said left left"),
    "a cache mark on a result": (turn(Role.TOOL, replace(RESULT, mark=HOUR)), '"1h"', "left said left left"),
    "a cache mark on a tool": (beside(tools=(replace(TOOL, mark=HOUR),)), '"1h"', "left said left left"),
    "JSON": (beside(output=OutputFormat(ResponseFormat.JSON)), "json", "said refused said said"),
    "a JSON schema": (beside(output=OutputFormat(ResponseFormat.JSON_SCHEMA, SCHEMA)), '"marked"', "said said said said"),
    "a schema's description": (
        beside(output=OutputFormat(ResponseFormat.JSON_SCHEMA, SCHEMA, description="this")), "this", "said said said said",
    ),
    "the most tokens": (beside(max_output_tokens=4321), "4321", "said said said said"),
    "a temperature": (beside(temperature=0.321), "0.321", "said said said said"),
    "top_p": (beside(top_p=0.654), "0.654", "said said said said"),
    "a stop sequence": (beside(stop=("HALT",)), "HALT", "said said said refused"),
    "a seed": (beside(seed=98765), "98765", "said refused said refused"),
    "reasoning effort": (beside(reasoning_effort="medium", max_output_tokens=20_000), "", "said said said said"),
    "logprobs": (beside(logprobs=3), "3", "said refused said said"),
    "Claude's signed thinking": (
        thought(Thinking("marked", "signature", format=anthropic_answer.FORMAT)), "signature", "said said – –",
    ),
    "Claude's redacted thinking": (
        thought(Thinking("", redacted="opaque", format=anthropic_answer.FORMAT)), "opaque", "said said – –",
    ),
    "Gemini's signed thought": (
        thought(Thinking("marked", "signature", format=gemini_answer.FORMAT)), "signature", "said – said –",
    ),
    "Gemini's signature of a text": (turn(Role.ASSISTANT, Text("so", "signature")), "signature", "– – said –"),
    "Gemini's signature of a call": (
        turn(Role.ASSISTANT, replace(CALL, signature="signature")), "signature", "– – said –",
    ),
    "OpenAI's encrypted reasoning": (
        thought(Thinking("", redacted="opaque", format=responses_answer.FORMAT)), "opaque", "said – – said",
    ),
    "the id of OpenAI's encrypted reasoning": (
        thought(Thinking("", "rs_marked", "opaque", format=responses_answer.FORMAT)),
        "rs_marked",
        "said – – said",
    ),
    "an image's detail": (attached(MediaKind.IMAGE, "image/png", detail="low"), "low", "said left left said"),
    "a user's label": (beside(extra={"user": "u-1"}), "u-1", "said left left said"),
    "a later system message": (
        lambda request: turn(Role.USER, Text("and"))(turn(Role.SYSTEM, Text("marked"))(request)), "marked",
        "said left left said",
    ),
    "a field of someone's own": (beside(extra={"frequency_penalty": 0.987}), "0.987", "said refused said said"),
    "a field of nobody's": (beside(extra={"wobble": 0.987}), "0.987", "said refused refused said"),
}  # fmt: skip
UNSAID: Final = "–"  # a seal on a thought means something to its maker alone: elsewhere there is nothing to say with it


def encode(request: ChatRequest, wire: WireFormat) -> HttpRequest:
    dialect = Dialect(reasoning_field="reasoning_details") if wire is WireFormat.OPENAI else Dialect()
    provider = Provider("acme", wire, "https://api.example", dialect=dialect)
    model = Model(provider, MODELS[wire], capabilities=Capabilities(max_output_tokens=8000))
    return wire_for(wire).encode(request, model)


CELLS: Final = [
    (name, wire, becomes)
    for name, (_, _, row) in FEATURES.items()
    for wire, becomes in zip(WIRES, row.split(), strict=True)
]


@pytest.mark.parametrize(("name", "wire", "becomes"), CELLS)
def test_what_is_asked_is_said_or_refused_or_named_as_left_out(name: str, wire: WireFormat, becomes: str) -> None:
    lay, mark, _ = FEATURES[name]
    if becomes == "refused":
        with pytest.raises(ProviderError) as failed:
            encode(lay(BASE), wire)
        assert failed.value.kind is ErrorKind.UNSUPPORTED
        return
    without, made = encode(BASE, wire), encode(lay(BASE), wire)
    assert bool(made.left_out) is (becomes == "left"), made.left_out
    if becomes == "said":
        assert made.body != without.body
        assert mark in json.dumps(json.loads(made.body))
    elif becomes == UNSAID:
        assert mark not in made.body.decode()


def test_a_wire_says_by_name_what_it_leaves_out() -> None:
    asked = beside(extra={"user": "u-1", "metadata": {"a": "b"}, "stream_options": {"include_usage": True}})(
        turn(Role.SYSTEM, Text("late"))(attached(MediaKind.IMAGE, "image/png", detail="low")(BASE))
    )
    for wire in (WireFormat.ANTHROPIC, WireFormat.GEMINI):
        assert encode(asked, wire).left_out == (
            "metadata",
            "user",
            "an image's detail",
            "the place of a later system message (it moves to the front)",
        )
    assert encode(BASE, WireFormat.GEMINI).left_out == ()


def test_tools_that_the_user_passes_through_may_be_required() -> None:
    extra = {"tools": [{"type": "web_search"}]}
    asked = beside(tool_choice=ToolChoice(ToolChoiceMode.REQUIRED), extra=extra)(BASE)
    assert json.loads(encode(asked, WireFormat.RESPONSES).body)["tools"] == extra["tools"]


def test_what_tools_showed_stands_behind_the_last_of_their_results_in_chat_completions() -> None:
    icon = Media(MediaKind.IMAGE, "image/png", BYTES)
    asked = BASE
    for lay in (
        turn(Role.ASSISTANT, CALL, replace(CALL, id="toolu_2")),
        turn(Role.TOOL, replace(RESULT, media=(icon,))),
        turn(Role.TOOL, replace(RESULT, call_id="toolu_2", media=(icon,))),
        turn(Role.USER, Text("and now?")),
    ):
        asked = lay(asked)
    said = json.loads(encode(asked, WireFormat.OPENAI).body)["messages"]
    assert [message["role"] for message in said] == ["user", "assistant", "tool", "tool", "user", "user"]
    assert [part["type"] for part in said[4]["content"]] == ["image_url", "image_url"]


def test_gemini_3_takes_what_a_tool_showed_inside_its_result_and_2_behind_it() -> None:
    icon = Media(MediaKind.IMAGE, "image/png", BYTES)
    asked = turn(Role.TOOL, replace(RESULT, media=(icon,)))(turn(Role.ASSISTANT, CALL)(BASE))
    provider = Provider("acme", WireFormat.GEMINI, "https://api.example")
    shown = {"inlineData": {"mimeType": "image/png", "data": MARKED_BYTES}}
    for model_id, inside, behind in (("gemini-3-pro", [shown], []), ("gemini-2.5-pro", None, [shown])):
        body = json.loads(wire_for(WireFormat.GEMINI).encode(asked, Model(provider, model_id)).body)
        result, *rest = body["contents"][-1]["parts"]
        assert result["functionResponse"].get("parts") == inside
        assert rest == behind
