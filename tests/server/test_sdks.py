"""The official SDKs, unmodified, as clients of `llmr serve`: what they read out of it is what the lab said into it.

Behind it stand providers of every wire, so that each answer is translated at least once.
"""

import asyncio
import time

import pytest
from served import TOKEN, eventually

from llmr.catalog import WireFormat
from llmr.lab import Behavior, Fault, LabProvider, LabToolCall, rate_limited

openai = pytest.importorskip("openai", reason="pip install 'llmr[sdk]'")
anthropic = pytest.importorskip("anthropic", reason="pip install 'llmr[sdk]'")

HI = [{"role": "user", "content": "hi"}]
WIRES = list(WireFormat)
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
TOOL = LabToolCall("weather", '{"city":"Rome"}', id="call_1")


@pytest.fixture
def openai_at():
    """OpenAI's client of a gateway, closed at the end."""
    made = []

    def make(served, **more):
        made.append(
            openai.OpenAI(base_url=f"{served.origin}/v1", api_key=TOKEN, **{"max_retries": 0, "timeout": 20, **more})
        )
        return made[-1]

    yield make
    for client in made:
        client.close()


@pytest.fixture
def anthropic_at():
    """Anthropic's client of a gateway, closed at the end."""
    made = []

    def make(served, **more):
        made.append(
            anthropic.Anthropic(base_url=served.origin, api_key=TOKEN, **{"max_retries": 0, "timeout": 20, **more})
        )
        return made[-1]

    yield make
    for client in made:
        client.close()


@pytest.mark.parametrize("wire", WIRES)
def test_openai_chats_and_streams_with_any_provider_behind(serve, openai_at, wire):
    client = openai_at(serve(LabProvider("a", [Behavior(text="one two three", input_tokens=7)], wire=wire)))
    answer = client.chat.completions.create(model="m", messages=HI)
    assert answer.choices[0].message.content == "one two three"
    assert answer.choices[0].finish_reason == "stop"
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens, answer.usage.total_tokens) == (7, 3, 10)
    stream = client.chat.completions.create(model="m", messages=HI, stream=True, stream_options={"include_usage": True})
    chunks = list(stream)
    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == "one two three"
    assert [c.choices[0].finish_reason for c in chunks if c.choices and c.choices[0].finish_reason] == ["stop"]
    assert chunks[-1].usage.total_tokens == 10


@pytest.mark.parametrize("wire", WIRES)
def test_anthropic_chats_and_streams_with_any_provider_behind(serve, anthropic_at, wire):
    client = anthropic_at(serve(LabProvider("a", [Behavior(text="one two three", input_tokens=7)], wire=wire)))
    answer = client.messages.create(model="m", max_tokens=50, messages=HI)
    assert [(block.type, block.text) for block in answer.content] == [("text", "one two three")]
    assert (answer.stop_reason, answer.usage.input_tokens, answer.usage.output_tokens) == ("end_turn", 7, 3)
    with client.messages.stream(model="m", max_tokens=50, system="be brief", messages=HI) as stream:
        assert "".join(stream.text_stream) == "one two three"
        final = stream.get_final_message()
    assert (final.stop_reason, final.usage.input_tokens, final.usage.output_tokens) == ("end_turn", 7, 3)


@pytest.mark.parametrize("wire", WIRES)
def test_openai_calls_tools_and_goes_on_with_their_results(serve, openai_at, wire):
    lab = LabProvider(
        "a", [Behavior(text="", tool_calls=(TOOL,), finish_reason=called(wire)), Behavior(text="sunny")], wire=wire
    )
    client = openai_at(serve(lab))
    tools = [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}]
    answer = client.chat.completions.create(model="m", messages=HI, tools=tools, tool_choice="required")
    (call,) = answer.choices[0].message.tool_calls
    assert (call.function.name, answer.choices[0].finish_reason) == ("weather", "tool_calls")
    assert call.function.arguments.replace(" ", "") == '{"city":"Rome"}'
    turn = answer.choices[0].message.model_dump()  # nulls and all, as clients send it back
    result = {"role": "tool", "tool_call_id": call.id, "content": "sunny"}
    second = client.chat.completions.create(model="m", messages=[*HI, turn, result], tools=tools)
    assert second.choices[0].message.content == "sunny"
    assert "sunny" in lab.requests[1].body.decode()
    assert "weather" in lab.requests[1].body.decode()


@pytest.mark.parametrize("wire", WIRES)
def test_anthropic_calls_tools_as_it_streams_and_goes_on(serve, anthropic_at, wire):
    calls = Behavior(text="let me see", tool_calls=(TOOL,), finish_reason=called(wire))
    lab = LabProvider("a", [calls, Behavior(text="sunny")], wire=wire)
    client = anthropic_at(serve(lab))
    tools = [{"name": "weather", "input_schema": {"type": "object"}}]
    with client.messages.stream(
        model="m", max_tokens=50, messages=HI, tools=tools, tool_choice={"type": "any"}
    ) as stream:
        answer = stream.get_final_message()
    assert [block.type for block in answer.content] == ["text", "tool_use"]
    assert (answer.content[1].name, answer.content[1].input, answer.stop_reason) == (
        "weather",
        {"city": "Rome"},
        "tool_use",
    )
    result = {
        "role": "user",
        "content": [{"type": "tool_result", "tool_use_id": answer.content[1].id, "content": "sunny"}],
    }
    turns = [*HI, {"role": "assistant", "content": [block.model_dump() for block in answer.content]}, result]
    second = client.messages.create(model="m", max_tokens=50, messages=turns, tools=tools)
    assert second.content[0].text == "sunny"


def called(wire):
    """The lab's word for an end in a call: the Gemini and Responses wires have none of their own."""
    return {WireFormat.OPENAI: "tool_calls", WireFormat.ANTHROPIC: "tool_use"}.get(wire, "stop")


def test_openai_s_helper_parses_what_a_schema_asked_for(serve, openai_at):
    from pydantic import BaseModel

    class Answer(BaseModel):
        city: str

    lab = LabProvider("a", [Behavior(text='{"city":"Rome"}')])
    parsed = openai_at(serve(lab)).chat.completions.parse(model="m", messages=HI, response_format=Answer)
    assert parsed.choices[0].message.parsed == Answer(city="Rome")
    asked = lab.requests[0].json["response_format"]["json_schema"]
    assert (asked["name"], asked["strict"]) == ("Answer", True)
    assert asked["schema"]["properties"]["city"]["type"] == "string"


def test_an_image_reaches_the_provider_from_either_sdk(serve, openai_at, anthropic_at):
    lab = LabProvider("a")
    served = serve(lab)
    part = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}", "detail": "low"}}
    openai_at(served).chat.completions.create(model="m", messages=[{"role": "user", "content": [part]}])
    block = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}}
    anthropic_at(served).messages.create(model="m", max_tokens=9, messages=[{"role": "user", "content": [block]}])
    for request in lab.requests:
        assert request.json["messages"][0]["content"][0]["image_url"]["url"] == f"data:image/png;base64,{PNG}"
    assert lab.requests[0].json["messages"][0]["content"][0]["image_url"]["detail"] == "low"


def test_a_cache_mark_and_a_tool_s_picture_reach_anthropic(serve, anthropic_at):
    lab = LabProvider("a", wire=WireFormat.ANTHROPIC)
    mark = {"cache_control": {"type": "ephemeral", "ttl": "1h"}}
    picture = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}}
    result = {"type": "tool_result", "tool_use_id": "t1", "content": [picture], "cache_control": {"type": "ephemeral"}}
    turns = [
        *HI,
        {"role": "assistant", "content": [{"type": "tool_use", "id": "t1", "name": "look", "input": {}}]},
        {"role": "user", "content": [result]},
    ]
    system = [{"type": "text", "text": "a long rule", **mark}]
    answer = anthropic_at(serve(lab)).messages.with_raw_response.create(
        model="m", max_tokens=9, system=system, messages=turns
    )
    assert lab.requests[0].json["system"] == system
    assert lab.requests[0].json["messages"][-1]["content"] == [result]
    assert "x-llmr-left-out" not in answer.headers


def test_thinking_is_asked_for_and_told_in_anthropic_s_words(serve, anthropic_at):
    lab = LabProvider("a", [Behavior(reasoning="let me think", text="42")], wire=WireFormat.ANTHROPIC)
    client = anthropic_at(serve(lab))
    answer = client.messages.create(
        model="m", max_tokens=4000, messages=HI, thinking={"type": "enabled", "budget_tokens": 1024}
    )
    assert [block.type for block in answer.content] == ["thinking", "text"]
    assert answer.content[0].thinking.split() == ["let", "me", "think"]
    assert lab.requests[0].json["thinking"]["type"] in ("enabled", "adaptive")


@pytest.mark.parametrize(
    ("behavior", "error", "status"),
    [
        (Behavior(status=400), "BadRequestError", 400),
        (Behavior(status=404, error_code="model_not_found"), "NotFoundError", 404),
        (rate_limited("30"), "RateLimitError", 429),
        (Behavior(status=500), "InternalServerError", 503),
    ],
)
def test_a_failure_is_the_sdk_s_own_exception(serve, openai_at, anthropic_at, behavior, error, status):
    served = serve(LabProvider("a", [behavior]))
    with pytest.raises(getattr(openai, error)) as told:
        openai_at(served).chat.completions.create(model="m", messages=HI, extra_headers={"x-llmr-timeout": "1"})
    assert told.value.status_code == status
    assert told.value.code
    assert told.value.response.headers["x-llmr-request-id"]
    with pytest.raises(getattr(anthropic, error)) as other:
        anthropic_at(served).messages.create(
            model="m", max_tokens=9, messages=HI, extra_headers={"x-llmr-timeout": "1"}
        )
    assert (other.value.status_code, other.value.body["type"]) == (status, "error")
    assert other.value.request_id or other.value.response.headers["x-llmr-request-id"]


def test_a_wrong_token_is_an_authentication_error(serve, openai_at, anthropic_at):
    served = serve(LabProvider("a"))
    with pytest.raises(openai.AuthenticationError):
        _with_key(openai_at(served)).models.list()
    with pytest.raises(anthropic.AuthenticationError):
        _with_key(anthropic_at(served)).models.list()


def _with_key(client):
    client.api_key = "wrong"
    return client


def test_both_sdks_list_the_models(serve, openai_at, anthropic_at):
    served = serve(LabProvider("a"))
    assert "m" in [model.id for model in openai_at(served).models.list()]
    assert "a/lab-model" in [model.id for model in anthropic_at(served).models.list()]
    assert openai_at(served).models.retrieve("m").owned_by == "llmr"


def test_both_sdks_wait_as_long_as_retry_after_says_and_are_then_answered(serve, openai_at, anthropic_at):
    lab = LabProvider("a", [rate_limited("1"), Behavior(text="again"), rate_limited("1"), Behavior(text="again")])
    served = serve(lab, extra="[fallback]\nmax_wait_s = 0")
    began_s = time.monotonic()
    answer = openai_at(served, max_retries=2).chat.completions.create(model="m", messages=HI)
    assert answer.choices[0].message.content == "again"
    assert time.monotonic() - began_s >= 0.9
    assert len(lab.requests) == 2
    began_s = time.monotonic()
    message = anthropic_at(served, max_retries=2).messages.create(model="m", max_tokens=9, messages=HI)
    assert message.content[0].text == "again"
    assert time.monotonic() - began_s >= 0.9
    assert len(lab.requests) == 4
    eventually(lambda: len(served.log) == 4)  # neither came too early and in vain


def test_a_stream_that_breaks_raises_in_either_sdk_after_what_came(serve, openai_at, anthropic_at):
    served = serve(LabProvider("a", [Behavior(text="one two three", fault=Fault.CUT, fault_at=2)]))
    chunks = openai_at(served).chat.completions.create(model="m", messages=HI, stream=True)
    got: list[str] = []
    with pytest.raises(openai.APIError):
        got.extend(chunk.choices[0].delta.content for chunk in chunks)
    assert "".join(got) == "one two "
    got.clear()
    with (
        anthropic_at(served).messages.stream(model="m", max_tokens=9, messages=HI) as stream,
        pytest.raises(anthropic.APIError),
    ):
        got.extend(stream.text_stream)
    assert "".join(got).startswith("one")


def test_closing_a_stream_closes_the_provider_s(serve, openai_at, anthropic_at):
    lab = LabProvider("a", [Behavior(text="one two three", fault=Fault.HANG, fault_at=1)])
    served = serve(lab)
    stream = openai_at(served).chat.completions.create(model="m", messages=HI, stream=True)
    next(iter(stream))
    stream.close()
    assert lab.requests[0].client_closed.wait()
    with anthropic_at(served).messages.stream(model="m", max_tokens=9, messages=HI) as other:
        next(iter(other.text_stream))
    assert lab.requests[1].client_closed.wait()
    assert [attempt.outcome for attempt in served.stored("attempts", 2)] == ["cancelled", "cancelled"]


def test_200_streams_at_once_are_all_answered_whole(serve):
    lab = LabProvider("a", [Behavior(text="one two three four five", ttft_s=0.3, token_s=0.02)])
    served = serve(lab)

    async def one(client):
        stream = await client.chat.completions.create(model="m", messages=HI, stream=True)
        return "".join([chunk.choices[0].delta.content or "" async for chunk in stream])

    async def all_of_them():
        async with openai.AsyncOpenAI(
            base_url=f"{served.origin}/v1", api_key=TOKEN, max_retries=0, timeout=60
        ) as client:
            return await asyncio.gather(*(one(client) for _ in range(200)))

    assert asyncio.run(all_of_them()) == ["one two three four five"] * 200
    assert lab.peak_in_flight > 100
