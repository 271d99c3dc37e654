"""The official SDKs, unmodified, in front of `llmr serve`, and behind it emulators that strangers wrote, in every wire.

test_sdks.py does the same in front of our own lab. Here neither end is ours: what an SDK reads was said by llmock or aimock,
and translated on the way wherever the two speak different wires.
"""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, Self

import pytest
from served import TOKEN, Served, eventually
from strangers import TONGUES, running_aimock, with_aimock

from llmr.catalog import WireFormat

openai = pytest.importorskip("openai", reason="pip install 'llmr[sdk]'")
anthropic = pytest.importorskip("anthropic", reason="pip install 'llmr[sdk]'")

HI: Final = [{"role": "user", "content": "Say hello to everybody who is here today."}]
PNG: Final = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
every_wire: Final = pytest.mark.parametrize("wire", list(WireFormat))


class Between:
    """A gateway whose one provider is a stranger, asked by either SDK as the model `m`. It neither waits nor tries again
    itself, so that what the SDK does is seen."""

    def __init__(self, home: Path, wire: WireFormat, base_url: str) -> None:
        model = TONGUES[wire].model
        settings = (
            'exploration = 0\ndefault_model = "m"\n[fallback]\nmax_wait_s = 0\nretries_per_candidate = 0\n'
            f'[models.m]\ncandidates = ["mock/{model}"]\n'
            f'[providers.mock]\nwire = "{wire}"\nbase_url = "{base_url}"\nmodels = ["{model}"]\n'
        )
        self.served = Served(None, home, settings)  # type: ignore[arg-type] - no lab

    def __enter__(self) -> Self:
        self.served.__enter__()
        plain: dict[str, Any] = {"api_key": TOKEN, "max_retries": 0, "timeout": 20}
        self.openai = openai.OpenAI(base_url=f"{self.served.origin}/v1", **plain)
        self.anthropic = anthropic.Anthropic(base_url=self.served.origin, **plain)
        return self

    def __exit__(self, *_: object) -> None:
        self.openai.close()
        self.anthropic.close()
        self.served.__exit__()

    def completion(self, said: Any = HI, **more: Any) -> Any:
        return self.openai.chat.completions.create(model="m", messages=said, **more)

    def message(self, said: Any = HI, **more: Any) -> Any:
        return self.anthropic.messages.create(model="m", max_tokens=64, messages=said, **more)

    def streamed_completion(self, **more: Any) -> str:
        return "".join(c.choices[0].delta.content or "" for c in self.completion(stream=True, **more) if c.choices)

    def streamed_message(self, said: Any = HI) -> Any:
        with self.anthropic.messages.stream(model="m", max_tokens=64, messages=said) as stream:
            return stream.get_final_message()


def text_of(message: Any) -> str:
    """Beside it there may be thinking."""
    return "".join(block.text for block in message.content if block.type == "text")


# llmock


@pytest.fixture
def mocked(tmp_path: Path, llmock, wire) -> Iterator[Between]:
    with Between(tmp_path / "home", wire, llmock.base_url(TONGUES[wire].host) + TONGUES[wire].version) as between:
        yield between


@every_wire
def test_a_stranger_s_words_and_counts_reach_both_sdks(mocked, llmock) -> None:
    llmock.reply("Hello from a stranger.", times=None)
    whole = mocked.completion()
    assert whole.choices[0].message.content == "Hello from a stranger."
    assert whole.usage.prompt_tokens > 0
    assert mocked.streamed_completion() == "Hello from a stranger."
    message = mocked.message()
    assert text_of(message) == "Hello from a stranger."
    assert (message.usage.input_tokens > 0, message.usage.output_tokens > 0) == (True, True)
    assert text_of(mocked.streamed_message()) == "Hello from a stranger."
    assert len(llmock.requests) == 4


@every_wire
def test_a_stranger_s_tool_call_reaches_both_sdks_and_its_result_the_stranger(mocked, llmock) -> None:
    function = {"name": "weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}
    llmock.call_tool("weather", {"city": "Rome"}).reply("sunny")
    called = mocked.completion(tools=[{"type": "function", "function": function}]).choices[0]
    assert called.finish_reason == "tool_calls"
    (call,) = called.message.tool_calls
    assert json.loads(call.function.arguments) == {"city": "Rome"}
    result = {"role": "tool", "tool_call_id": call.id, "content": "25 degrees"}
    assert mocked.completion([*HI, called.message.model_dump(), result]).choices[0].message.content == "sunny"
    assert "25 degrees" in json.dumps(llmock.last_request.body)

    llmock.call_tool("weather", {"city": "Oslo"}).reply("cold")
    tool = {"name": "weather", "input_schema": function["parameters"]}
    with mocked.anthropic.messages.stream(model="m", max_tokens=64, messages=HI, tools=[tool]) as stream:
        message = stream.get_final_message()
    assert message.stop_reason == "tool_use"
    (use,) = [block for block in message.content if block.type == "tool_use"]
    assert use.input == {"city": "Oslo"}
    result = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": use.id, "content": "5 degrees"}]}
    turns = [*HI, {"role": "assistant", "content": [block.model_dump() for block in message.content]}, result]
    assert mocked.message(turns, tools=[tool]).content[0].text == "cold"
    assert "5 degrees" in json.dumps(llmock.last_request.body)


@every_wire
def test_a_picture_reaches_a_stranger_from_both_sdks(mocked, llmock) -> None:
    llmock.reply("a dot", times=None)
    part = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}}
    mocked.completion([{"role": "user", "content": [part, {"type": "text", "text": "what is it?"}]}])
    block = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}}
    mocked.message([{"role": "user", "content": [block, {"type": "text", "text": "what is it?"}]}])
    for request in llmock.requests:
        assert PNG in json.dumps(request.body)


@every_wire
@pytest.mark.parametrize(
    ("status", "error"),
    [(400, "BadRequestError"), (404, "NotFoundError"), (429, "RateLimitError"), (503, "InternalServerError")],
)
def test_a_stranger_s_failure_is_each_sdk_s_own_exception(mocked, llmock, wire, status, error) -> None:
    if (wire, status) == (WireFormat.ANTHROPIC, 404):  # one that names no model is the request's fault, as any 400
        status, error = 400, "BadRequestError"
    llmock.fail(status, times=None)
    with pytest.raises(getattr(openai, error)) as told:
        mocked.completion()
    with pytest.raises(getattr(anthropic, error)) as other:
        mocked.message()
    assert told.value.status_code == other.value.status_code == status
    assert other.value.response.headers["x-llmr-request-id"]


@every_wire
def test_both_sdks_wait_as_long_as_a_stranger_says_and_are_then_answered(mocked, llmock) -> None:
    for asked, ask in enumerate(
        (
            lambda: mocked.openai.with_options(max_retries=2).chat.completions.create(model="m", messages=HI),
            lambda: mocked.anthropic.with_options(max_retries=2).messages.create(model="m", max_tokens=9, messages=HI),
        ),
        1,
    ):
        llmock.reset()
        llmock.rate_limit(times=1, retry_after=1.0).reply("after the wait")
        began_s = time.monotonic()
        assert "after the wait" in ask().to_json()
        assert time.monotonic() - began_s >= 0.9
        assert len(llmock.requests) == 2
        eventually(lambda asked=asked: len(mocked.served.log) == 2 * asked)  # nor did it come too early and in vain


@every_wire
def test_a_stranger_s_stream_that_breaks_raises_in_both_sdks(mocked, llmock) -> None:
    llmock.reply("one two three four five six seven eight", times=None)
    llmock.truncate(after_chunks=6, times=None)
    with pytest.raises(openai.APIError):
        mocked.streamed_completion()
    with pytest.raises(anthropic.APIError):
        mocked.streamed_message()


@every_wire
def test_who_closes_a_stream_closes_the_stranger_s(mocked, llmock) -> None:
    llmock.reply("one two three four five six seven eight", times=None)
    llmock.stall(after_chunks=6, seconds=30.0, times=None)
    stream = mocked.completion(stream=True)
    next(iter(stream))
    stream.close()
    with mocked.anthropic.messages.stream(model="m", max_tokens=64, messages=HI) as other:
        next(iter(other.text_stream))
    assert [one.outcome for one in mocked.served.stored("attempts", 2)] == ["cancelled", "cancelled"]


# aimock

SCHEMA: Final = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}


def scripted() -> Iterator[dict[str, Any]]:
    """Told apart by the prompt."""
    call = {"name": "weather", "arguments": '{"city":"Rome"}'}
    yield {"match": {"userMessage": "greet"}, "response": {"content": "Hello, stranger."}}
    yield {"match": {"userMessage": "where"}, "response": {"content": '{"city":"Rome"}'}}
    yield {"match": {"userMessage": "weather"}, "response": {"toolCalls": [call]}}
    yield {
        "match": {"userMessage": "refuse"},
        "response": {"error": {"message": "No such thing", "type": "invalid_request_error"}, "status": 400},
    }


@pytest.fixture(scope="module")
def aimock(tmp_path_factory) -> Iterator[str]:
    """Its URL. The server ends with the module."""
    with running_aimock(tmp_path_factory.mktemp("aimock"), scripted()) as url:
        yield url


@pytest.fixture
def aimocked(tmp_path: Path, aimock, wire) -> Iterator[Between]:
    with Between(tmp_path / "home", wire, aimock + (TONGUES[wire].version or "/v1")) as between:
        yield between


def user(text: str) -> list[dict[str, Any]]:
    return [{"role": "user", "content": text}]


@with_aimock
@every_wire
def test_aimock_s_words_reach_both_sdks(aimocked) -> None:
    said = user("greet")
    assert aimocked.completion(said).choices[0].message.content == "Hello, stranger."
    stream = aimocked.completion(said, stream=True)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices) == "Hello, stranger."
    assert text_of(aimocked.message(said)) == "Hello, stranger."
    assert text_of(aimocked.streamed_message(said)) == "Hello, stranger."


@with_aimock
@every_wire
def test_aimock_s_json_is_parsed_by_both_sdks_helpers(aimocked) -> None:
    from pydantic import BaseModel

    class Answer(BaseModel):
        city: str

    parsed = aimocked.openai.chat.completions.parse(model="m", messages=user("where"), response_format=Answer)
    assert parsed.choices[0].message.parsed == Answer(city="Rome")
    told = aimocked.anthropic.messages.parse(model="m", max_tokens=64, messages=user("where"), output_format=Answer)
    assert told.parsed_output == Answer(city="Rome")


@with_aimock
@every_wire
def test_aimock_s_tool_call_reaches_both_sdks(aimocked) -> None:
    tool = {"name": "weather", "input_schema": SCHEMA}
    function = {"type": "function", "function": {"name": "weather", "parameters": SCHEMA}}
    (call,) = aimocked.completion(user("weather"), tools=[function]).choices[0].message.tool_calls
    assert json.loads(call.function.arguments) == {"city": "Rome"}
    (use,) = [block for block in aimocked.message(user("weather"), tools=[tool]).content if block.type == "tool_use"]
    assert use.input == {"city": "Rome"}


@with_aimock
@every_wire
def test_aimock_s_refusal_is_each_sdk_s_own_exception(aimocked) -> None:
    with pytest.raises(openai.BadRequestError, match="No such thing"):
        aimocked.completion(user("refuse"))
    with pytest.raises(anthropic.BadRequestError, match="No such thing"):
        aimocked.message(user("refuse"))
