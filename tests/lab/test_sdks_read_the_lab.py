"""The lab before independent judges: each maker's official SDK asks it over a socket and must understand every answer.

A lab that our own wires understand could be wrong together with them. The SDKs are in the test extra; where one is not
installed, its tests are skipped.
"""

import json
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Final

import pytest

from llmr.catalog import WireFormat
from llmr.lab import Behavior, Fault, LabProvider, LabThread, LabToolCall, rate_limited

KEY: Final = "sk-lab-0123456789"
HELLO: Final = "hi"
ANSWER: Final = Behavior("The answer, then.", input_tokens=11)
CALLING: Final = Behavior("", tool_calls=(LabToolCall("look", '{"at": 1}'),))
SDKS: Final = {
    WireFormat.OPENAI: "openai",
    WireFormat.ANTHROPIC: "anthropic",
    WireFormat.GEMINI: "google.genai",
    WireFormat.RESPONSES: "openai",
}


@dataclass(frozen=True)
class Read:
    """What an SDK made of an answer. Usage: input and output tokens. Calls: name and arguments."""

    text: str
    calls: tuple[tuple[str, Any], ...] = ()
    finish: str | None = None
    usage: tuple[int, int] | None = None


@dataclass(frozen=True)
class Failed:
    """What an SDK made of an error answer."""

    status: int
    message: str


def ask_openai(sdk: Any, url: str, *, stream: bool) -> Read:
    with sdk.OpenAI(api_key=KEY, base_url=url, max_retries=0) as client:
        said = [{"role": "user", "content": HELLO}]
        if not stream:
            whole = client.chat.completions.create(model="m", messages=said)
            return read_openai(whole.choices[0], whole.choices[0].message.content, whole.usage)
        text, choice, usage, calls = "", None, None, dict[str, str]()
        name = ""
        options = {"include_usage": True}
        for chunk in client.chat.completions.create(model="m", messages=said, stream=True, stream_options=options):
            usage = chunk.usage or usage
            for choice in chunk.choices:
                text += choice.delta.content or ""
                for call in choice.delta.tool_calls or ():
                    name = call.function.name or name
                    calls[name] = calls.get(name, "") + (call.function.arguments or "")
                finish = choice.finish_reason
        made = tuple((name, json.loads(arguments)) for name, arguments in calls.items())
        return Read(text, made, finish, (usage.prompt_tokens, usage.completion_tokens))


def read_openai(choice: Any, text: str | None, usage: Any) -> Read:
    calls = tuple((c.function.name, json.loads(c.function.arguments)) for c in choice.message.tool_calls or ())
    return Read(text or "", calls, choice.finish_reason, (usage.prompt_tokens, usage.completion_tokens))


def ask_responses(sdk: Any, url: str, *, stream: bool) -> Read:
    with sdk.OpenAI(api_key=KEY, base_url=url, max_retries=0) as client:
        if not stream:
            answer, text = client.responses.create(model="m", input=HELLO), None
        else:
            text = ""
            for event in client.responses.create(model="m", input=HELLO, stream=True):
                text += event.delta if event.type == "response.output_text.delta" else ""
            assert event.type == "response.completed"
            answer = event.response
            assert text == answer.output_text
        calls = tuple((item.name, json.loads(item.arguments)) for item in answer.output if item.type == "function_call")
        return Read(answer.output_text, calls, answer.status, (answer.usage.input_tokens, answer.usage.output_tokens))


def ask_anthropic(sdk: Any, url: str, *, stream: bool) -> Read:
    with sdk.Anthropic(api_key=KEY, base_url=url.removesuffix("/v1"), max_retries=0) as client:
        said = {"model": "m", "max_tokens": 99, "messages": [{"role": "user", "content": HELLO}]}
        if stream:
            with client.messages.stream(**said) as events:
                answer = events.get_final_message()
        else:
            answer = client.messages.create(**said)
        text = "".join(block.text for block in answer.content if block.type == "text")
        calls = tuple((block.name, block.input) for block in answer.content if block.type == "tool_use")
        return Read(text, calls, answer.stop_reason, (answer.usage.input_tokens, answer.usage.output_tokens))


def ask_gemini(sdk: Any, url: str, *, stream: bool) -> Read:
    options = sdk.types.HttpOptions(base_url=url.removesuffix("/v1beta"), api_version="v1beta")
    client = sdk.Client(api_key=KEY, http_options=options)
    try:
        asked = client.models.generate_content_stream if stream else client.models.generate_content
        answered = asked(model="m", contents=HELLO)
        chunks = list(answered) if stream else [answered]
    finally:
        client.close()
    parts = [part for chunk in chunks for part in chunk.candidates[0].content.parts or ()]
    usage = chunks[-1].usage_metadata
    return Read(
        "".join(part.text or "" for part in parts),
        tuple((part.function_call.name, part.function_call.args) for part in parts if part.function_call),
        chunks[-1].candidates[0].finish_reason.value,
        (usage.prompt_token_count, usage.candidates_token_count),
    )


Ask = Callable[..., Read]
ASK: Final[dict[WireFormat, Ask]] = {
    WireFormat.OPENAI: ask_openai,
    WireFormat.ANTHROPIC: ask_anthropic,
    WireFormat.GEMINI: ask_gemini,
    WireFormat.RESPONSES: ask_responses,
}
STOPPED: Final = {
    WireFormat.OPENAI: "stop",
    WireFormat.ANTHROPIC: "end_turn",
    WireFormat.GEMINI: "STOP",
    WireFormat.RESPONSES: "completed",
}
CALLED: Final = STOPPED | {WireFormat.OPENAI: "tool_calls", WireFormat.ANTHROPIC: "tool_use"}
every_wire: Final = pytest.mark.parametrize("wire", list(WireFormat))
both_ways: Final = pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])


@pytest.fixture
def ask(wire: WireFormat) -> Iterator[Callable[..., Read | Failed]]:
    """`ask(behavior, stream=…)`: what the SDK made of it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of other people's packages
        sdk = pytest.importorskip(SDKS[wire], reason=f"the {SDKS[wire]} SDK is not installed")
        errors: Any = (import_module("google.genai.errors").APIError,) if wire is WireFormat.GEMINI else (sdk.APIError,)

        def asking(behavior: Behavior, *, stream: bool) -> Read | Failed:
            with LabThread([LabProvider("lab", [behavior], wire=wire)]) as lab:
                try:
                    return ASK[wire](sdk, lab.url("lab"), stream=stream)
                except errors as error:
                    status = getattr(error, "status_code", None) or getattr(error, "code", None) or 0
                    return Failed(status if isinstance(status, int) else 0, str(error))

        yield asking


@every_wire
@both_ways
def test_an_answer_is_understood(wire: WireFormat, stream: bool, ask) -> None:
    assert ask(ANSWER, stream=stream) == Read("The answer, then.", (), STOPPED[wire], (11, 3))


@every_wire
@both_ways
def test_a_call_is_understood(wire: WireFormat, stream: bool, ask) -> None:
    got = ask(CALLING, stream=stream)
    assert (got.text, got.calls, got.finish) == ("", (("look", {"at": 1}),), CALLED[wire])


@every_wire
@pytest.mark.parametrize("status", [400, 401, 403, 404, 500, 503])
def test_an_error_has_its_status_and_its_words(wire: WireFormat, status: int, ask) -> None:
    got = ask(Behavior(status=status, error_message="told to fail"), stream=False)
    assert isinstance(got, Failed)
    assert got.status == status
    assert "told to fail" in got.message


@every_wire
def test_a_rate_limit_is_one(wire: WireFormat, ask) -> None:
    got = ask(rate_limited("7"), stream=True)
    assert isinstance(got, Failed)
    assert got.status == 429


@every_wire
def test_an_error_in_a_stream_is_not_taken_for_an_answer(wire: WireFormat, ask) -> None:
    broken = Behavior("one two three", fault=Fault.ERROR_EVENT, fault_at=1, error_message="broke off")
    if wire is WireFormat.RESPONSES:  # there the SDK hands the event out and raises nothing (wire.md §A.3)
        with pytest.raises(AssertionError):
            ask(broken, stream=True)
        return
    got = ask(broken, stream=True)
    assert isinstance(got, Failed)
    assert "broke off" in got.message
