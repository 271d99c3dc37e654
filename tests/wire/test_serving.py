"""The server's grammar against the client's: what one says, the other reads, and it is the same."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmr.catalog import Dialect as ProviderDialect
from llmr.catalog import Model, Provider, WireFormat
from llmr.chat import (
    ChatRequest,
    ChatResponse,
    Delta,
    FinishReason,
    Media,
    MediaKind,
    Message,
    OutputFormat,
    ResponseFormat,
    Role,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolCallDelta,
    ToolChoice,
    ToolChoiceMode,
    ToolResult,
    Usage,
)
from llmr.errors import ProviderError
from llmr.wire import wire_for
from llmr.wire.serving import AnswerHead, Problem, RequestUnfit, dialect_named

HEAD: Final = AnswerHead("0123", "lab-model", 1_795_000_000)
WIRES: Final = {"openai": WireFormat.OPENAI, "anthropic": WireFormat.ANTHROPIC}
TRAFFIC: Final = Path(__file__).parents[2].parent / "shared" / "wire" / "recorded"
PNG: Final = b"\x89PNG\r\n\x1a\n"


def model_for(dialect: str) -> Model:
    keeps_all = ProviderDialect(reasoning_field="reasoning_details")
    return Model(Provider("x", WIRES[dialect], "https://x.example/v1", dialect=keeps_all), "m")


def said(dialect: str, request: ChatRequest) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(wire_for(WIRES[dialect]).encode(request, model_for(dialect)).body)
    return body


def read_back(dialect: str, response: ChatResponse, deltas: list[Delta] | None) -> ChatResponse:
    """What our own reader makes of our own answer: streamed where there are deltas."""
    decoder = wire_for(WIRES[dialect]).decoder(model_for(dialect), streamed=deltas is not None)
    if deltas is None:
        body = dialect_named(dialect).whole(response, HEAD)
    else:
        writer = dialect_named(dialect).writer(HEAD, usage=True)
        body = b"".join([*map(writer.delta, deltas), writer.end()])
    return ChatResponse.from_deltas([*decoder.feed(body), *decoder.feed(b""), *decoder.end()])


TEXTS: Final = st.text(st.characters(codec="utf-8"), min_size=1, max_size=20)
USAGES: Final = st.builds(
    lambda fresh, cached, out, thought: Usage(fresh + cached, out + thought, thought, cached),
    *(st.integers(0, 10_000),) * 4,
)


@st.composite
def answers(draw: st.DrawFn) -> list[Delta]:
    """An answer as deltas: thinking, then text in pieces, then calls in pieces, then the end."""
    deltas: list[Delta] = []
    if draw(st.booleans()):
        deltas += [Delta(reasoning=text) for text in draw(st.lists(TEXTS, min_size=1, max_size=3))]
    deltas += [Delta(text) for text in draw(st.lists(TEXTS, min_size=1, max_size=5))]
    calls = draw(st.integers(0, 3))
    for index in range(calls):
        deltas.append(Delta(tool_calls=(ToolCallDelta(index, f"call_{index}", draw(st.sampled_from(["f", "g"]))),)))
        arguments = json.dumps(
            draw(st.dictionaries(st.sampled_from("abc"), st.integers() | TEXTS, min_size=1)),
            separators=(",", ":"),
            ensure_ascii=False,
        )
        cut = draw(st.integers(0, len(arguments)))
        deltas += [
            Delta(tool_calls=(ToolCallDelta(index, arguments=piece),))
            for piece in (arguments[:cut], arguments[cut:])
            if piece
        ]
    finish = FinishReason.TOOL_CALLS if calls else draw(st.sampled_from([FinishReason.STOP, FinishReason.LENGTH]))
    return [*deltas, Delta(finish_reason=finish, usage=draw(USAGES), served_model="lab-model")]


def seen(response: ChatResponse) -> ChatResponse:
    """Without the name of the origin of thoughts, which only OpenRouter's field has a place for."""
    return replace(response, thinking=tuple(replace(block, format=None) for block in response.thinking))


@pytest.mark.parametrize("dialect", WIRES)
@pytest.mark.parametrize("streamed", [True, False])
@given(deltas=answers())
def test_an_answer_passes_through_unchanged(dialect: str, streamed: bool, deltas: list[Delta]) -> None:
    response = ChatResponse.from_deltas(deltas)
    assert seen(read_back(dialect, response, deltas if streamed else None)) == seen(response)


@pytest.mark.parametrize("dialect", WIRES)
@pytest.mark.parametrize("streamed", [True, False])
def test_signed_and_withheld_thoughts_come_back_as_they_were(dialect: str, streamed: bool) -> None:
    claude = "anthropic-claude-v1"
    deltas = [
        Delta(reasoning="let me ", reasoning_format=claude),
        Delta(reasoning="see", reasoning_format=claude),
        Delta(reasoning_signature="sig1", reasoning_format=claude),
        Delta(redacted_reasoning="opaque", reasoning_format=claude),
        Delta("hi"),
        Delta(finish_reason=FinishReason.STOP, usage=Usage(1, 1), served_model="lab-model"),
    ]
    response = ChatResponse.from_deltas(deltas)
    assert response.thinking == (
        Thinking("let me see", "sig1", format=claude),
        Thinking("", redacted="opaque", format=claude),
    )
    assert read_back(dialect, response, deltas if streamed else None).thinking == response.thinking


def test_google_s_signatures_survive_chat_completions() -> None:
    deltas = [
        Delta(tool_calls=(ToolCallDelta(0, "c", "f", "{}", "sig"),)),
        Delta(finish_reason=FinishReason.TOOL_CALLS, usage=Usage(1, 1), served_model="lab-model"),
    ]
    response = ChatResponse.from_deltas(deltas)
    assert read_back("openai", response, deltas) == read_back("openai", response, None) == response


def test_calls_that_come_interleaved_are_told_apart() -> None:
    deltas = [
        Delta(tool_calls=(ToolCallDelta(0, "a", "f", "["), ToolCallDelta(1, "b", "g", "{"))),
        Delta(tool_calls=(ToolCallDelta(1, arguments="}"), ToolCallDelta(0, arguments="]"))),
        Delta(finish_reason=FinishReason.TOOL_CALLS, usage=Usage(1, 1), served_model="lab-model"),
    ]
    response = ChatResponse.from_deltas(deltas)
    for dialect in WIRES:
        assert read_back(dialect, response, deltas).tool_calls == response.tool_calls


@pytest.mark.parametrize(("finish", "openai", "anthropic"), [
    (FinishReason.STOP, "stop", "end_turn"),
    (FinishReason.LENGTH, "length", "max_tokens"),
    (FinishReason.CONTENT_FILTER, "content_filter", "refusal"),
    (FinishReason.REFUSAL, "stop", "refusal"),
    (FinishReason.PAUSED, "length", "pause_turn"),
])  # fmt: skip
def test_every_end_has_a_word(finish: FinishReason, openai: str, anthropic: str) -> None:
    response = ChatResponse("x", finish)
    assert json.loads(dialect_named("openai").whole(response, HEAD))["choices"][0]["finish_reason"] == openai
    assert json.loads(dialect_named("anthropic").whole(response, HEAD))["stop_reason"] == anthropic


def test_a_refusal_is_a_refusal_to_openai_s_clients_and_text_to_anthropic_s() -> None:
    response = ChatResponse("", FinishReason.REFUSAL, refusal="I would rather not.")
    message = json.loads(dialect_named("openai").whole(response, HEAD))["choices"][0]["message"]
    assert (message["content"], message["refusal"]) == (None, "I would rather not.")
    answer = json.loads(dialect_named("anthropic").whole(response, HEAD))
    assert (answer["content"][0]["text"], answer["stop_reason"]) == ("I would rather not.", "refusal")


def test_usage_that_nobody_counted_is_null_to_openai_s_clients_and_0_to_anthropic_s() -> None:
    assert json.loads(dialect_named("openai").whole(ChatResponse("x", FinishReason.STOP), HEAD))["usage"] is None
    said = json.loads(dialect_named("anthropic").whole(ChatResponse("x", FinishReason.STOP), HEAD))["usage"]
    assert said == {"input_tokens": 0, "output_tokens": 0}


TOOL: Final = Tool("weather", "tells it", {"type": "object", "properties": {"city": {"type": "string"}}}, strict=True)
REQUEST: Final = ChatRequest(
    messages=(
        Message.text(Role.SYSTEM, "be brief"),
        Message(Role.USER, (Text("what is this?"), Media(MediaKind.IMAGE, "image/png", content=PNG))),
        Message(Role.ASSISTANT, (Text("a picture"), ToolCall("call_1", "weather", '{"city":"Rome"}'))),
        Message(Role.TOOL, (ToolResult("call_1", "weather", "sunny"),)),
        Message.text(Role.USER, "so?"),
    ),
    model="m",
    max_output_tokens=100,
    temperature=0.5,
    top_p=0.9,
    stop=("END",),
    tools=(TOOL,),
    tool_choice=ToolChoice(ToolChoiceMode.NAMED, "weather", parallel=False),
    output=OutputFormat(ResponseFormat.JSON_SCHEMA, {"type": "object"}),
)


@pytest.mark.parametrize("dialect", WIRES)
def test_a_request_is_read_as_it_was_said(dialect: str) -> None:
    for request in (
        REQUEST,
        replace(REQUEST, stream=False),
        replace(REQUEST, tool_choice=ToolChoice(ToolChoiceMode.REQUIRED)),
    ):
        assert dialect_named(dialect).request(said(dialect, request)).request == request


def test_what_only_chat_completions_can_say_is_read_too() -> None:
    request = replace(
        REQUEST,
        seed=7,
        logprobs=3,
        reasoning_effort="high",
        output=OutputFormat(ResponseFormat.JSON),
        extra={"user": "u1", "frequency_penalty": 0.5},
        messages=(*REQUEST.messages, Message(Role.USER, (Media(MediaKind.AUDIO, "audio/mpeg", content=b"\xff\xfb"),))),
    )
    assert dialect_named("openai").request(said("openai", request)).request == request


def test_thinking_in_tokens_becomes_an_effort() -> None:
    for budget, effort in ((1024, "low"), (2000, "medium"), (20_000, "high"), (10**6, "xhigh")):
        body = {**said("anthropic", REQUEST), "thinking": {"type": "enabled", "budget_tokens": budget}}
        assert dialect_named("anthropic").request(body).request.reasoning_effort == effort
    off = {**said("anthropic", REQUEST), "thinking": {"type": "disabled"}}
    assert dialect_named("anthropic").request(off).request.reasoning_effort is None


EVER: dict[str, Any] = {"cache_control": {"type": "ephemeral"}}
HOUR: dict[str, Any] = {"cache_control": {"type": "ephemeral", "ttl": "1h"}}
PICTURE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aWNvbg=="}}


def test_cache_marks_pass_from_anthropic_s_clients_to_anthropic_unchanged() -> None:
    body = {
        "model": "m",
        "max_tokens": 9,
        "system": [{"type": "text", "text": "be brief"}, {"type": "text", "text": "a long rule", **HOUR}],
        "tools": [{"name": "look_up", "input_schema": {"type": "object", "properties": {"a": {}}}, **EVER}],
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "so?", **EVER}, {**PICTURE, **HOUR}]},
            {
                "role": "assistant",
                "content": [{"type": "tool_use", "id": "t1", "name": "look_up", "input": {}, **EVER}],
            },
            {
                "role": "user",
                "content": [{"type": "tool_result", "tool_use_id": "t1", "content": "sunny", **HOUR}],
            },
        ],
    }
    asked = dialect_named("anthropic").request(body)
    assert asked.unsaid == ()
    again = said("anthropic", asked.request)
    assert {name: again[name] for name in ("system", "tools", "messages")} == {
        name: body[name] for name in ("system", "tools", "messages")
    }


def test_one_mark_for_the_whole_request_is_its_last_block_s() -> None:
    body = {"model": "m", "max_tokens": 9, **HOUR, "messages": [{"role": "user", "content": "so?"}]}
    again = said("anthropic", dialect_named("anthropic").request(body).request)
    assert again["messages"] == [{"role": "user", "content": [{"type": "text", "text": "so?", **HOUR}]}]
    assert "cache_control" not in again
    body["messages"] = [{"role": "user", "content": [{"type": "text", "text": "so?", **EVER}]}]
    again = said("anthropic", dialect_named("anthropic").request(body).request)
    assert again["messages"][-1]["content"][-1] == {"type": "text", "text": "so?", **EVER}


THINKS = {"type": "thinking", "thinking": "hm", "signature": "s"}


@pytest.mark.parametrize(
    "last",
    [
        [{"role": "user", "content": ""}],
        [{"role": "user", "content": [{"type": "text", "text": " "}]}],
        [{"role": "assistant", "content": [THINKS]}],
    ],
)
def test_a_mark_for_the_whole_request_is_the_last_block_s_that_can_bear_one(last: list[Any]) -> None:
    turns = [{"role": "user", "content": "a long rule"}, *last]
    asked = dialect_named("anthropic").request({"model": "m", "max_tokens": 9, **HOUR, "messages": turns})
    assert asked.unsaid == ()
    assert said("anthropic", asked.request)["messages"][0]["content"][0] == {
        "type": "text",
        "text": "a long rule",
        **HOUR,
    }


def test_a_mark_that_nothing_can_bear_is_told_to_be_left_out() -> None:
    turns = [{"role": "user", "content": [{"type": "text", "text": " "}]}]
    assert "cache_control" in dialect_named("anthropic").request({"model": "m", **HOUR, "messages": turns}).unsaid


def test_marks_of_clients_that_speak_openai_s_words_reach_anthropic() -> None:
    body = {
        "model": "m",
        "messages": [{"role": "user", "content": [{"type": "text", "text": "so?", **HOUR}]}],
        "tools": [{"type": "function", "function": {"name": "look_up"}, **EVER}],
    }
    again = said("anthropic", dialect_named("openai").request(body).request)
    assert again["messages"][0]["content"] == [{"type": "text", "text": "so?", **HOUR}]
    assert again["tools"][0]["cache_control"] == EVER["cache_control"]


def test_what_a_tool_showed_passes_from_anthropic_s_clients_to_anthropic_unchanged() -> None:
    shown = [{"type": "text", "text": "the map"}, PICTURE]
    turns = [
        {"role": "user", "content": "where?"},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "t1", "name": "look_up", "input": {}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": shown}]},
    ]
    asked = dialect_named("anthropic").request({"model": "m", "max_tokens": 9, "messages": turns})
    assert asked.request.wants_images
    assert said("anthropic", asked.request)["messages"] == turns
    marked = {
        "type": "tool_result",
        "tool_use_id": "t1",
        "content": [{**PICTURE, **HOUR}],
    }  # a mark inside is its end's
    asked = dialect_named("anthropic").request(
        {"model": "m", "max_tokens": 9, "messages": [*turns[:2], {"role": "user", "content": [marked]}]}
    )
    assert said("anthropic", asked.request)["messages"][-1]["content"] == [
        {"type": "tool_result", "tool_use_id": "t1", "content": [PICTURE], **HOUR}
    ]


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "data:image/png;base64,***",
        "data:image/png;base64",
        "javascript:alert(1)",
        "/etc/passwd",
        "",
    ],
)
def test_a_url_that_is_neither_data_nor_http_is_refused_where_it_stands(url: str) -> None:
    content = [{"type": "image_url", "image_url": {"url": url}}]
    with pytest.raises(RequestUnfit) as unfit:
        dialect_named("openai").request({"model": "m", "messages": [{"role": "user", "content": content}]})
    assert unfit.value.param == "messages.0.content.0.image_url.url"


def test_an_error_is_said_in_each_dialect() -> None:
    problem = Problem(429, "rate_limit_exceeded", "slow down")
    openai = json.loads(dialect_named("openai").error(problem, request_id="r"))
    assert openai == {
        "error": {"message": "slow down", "type": "rate_limit_error", "param": None, "code": "rate_limit_exceeded"}
    }
    anthropic = json.loads(dialect_named("anthropic").error(problem, request_id="r"))
    assert anthropic == {
        "type": "error", "error": {"type": "rate_limit_error", "message": "slow down"}, "request_id": "r",
    }  # fmt: skip


@pytest.mark.parametrize("dialect", WIRES)
def test_a_stream_that_failed_is_read_as_failed(dialect: str) -> None:
    writer = dialect_named(dialect).writer(HEAD, usage=True)
    decoder = wire_for(WIRES[dialect]).decoder(model_for(dialect), streamed=True)
    deltas = decoder.feed(
        writer.delta(Delta("half an ")) + writer.note("b goes on") + writer.failed(Problem(502, "x", "it broke"))
    )
    assert "".join(delta.text for delta in deltas) == "half an "
    with pytest.raises(ProviderError, match="it broke"):
        decoder.feed(b"")


def recorded(api: str) -> list[dict[str, Any]]:
    if not TRAFFIC.is_dir():
        return []
    files = [json.loads(path.read_text()) for path in sorted((TRAFFIC / api).glob("*.json"))]
    return [body for file in files if isinstance(body := file["request"].get("body"), dict) and "messages" in body]


@pytest.mark.skipif(not TRAFFIC.is_dir(), reason=f"no recorded traffic at {TRAFFIC}")
def test_recorded_requests_of_real_clients_are_taken() -> None:
    """All but what the schemas name: tools that a provider runs, several answers at once, files that one provider keeps."""
    from pydantic import BaseModel

    from llmr.server.schema_anthropic import MessagesRequest
    from llmr.server.schema_openai import ChatCompletionRequest

    shapes: dict[str, tuple[str, type[BaseModel]]] = {
        "openai": ("openai-chat", ChatCompletionRequest),
        "anthropic": ("anthropic-messages", MessagesRequest),
    }
    for dialect, (api, shape) in shapes.items():
        bodies = recorded(api)
        refused = [body for body in bodies if not taken(dialect, body, shape)]
        assert len(bodies) >= 40
        assert len(refused) <= len(bodies) * 0.15


def taken(dialect: str, body: dict[str, Any], shape: Any) -> bool:
    from llmr.server.schema import check_shape

    try:
        check_shape(shape, body)
        dialect_named(dialect).request(body)
    except RequestUnfit:
        return False
    return True
