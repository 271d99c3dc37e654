"""The lab and the wires are written apart; here they meet. What a lab provider says, its wire understands."""

import json
from collections.abc import Iterable

import pytest

from llmr.catalog import Model, Provider, WireFormat
from llmr.chat import ChatRequest, ChatResponse, Delta, FinishReason, Message, Role
from llmr.errors import ErrorKind, ProviderError
from llmr.lab import Behavior, LabToolCall
from llmr.lab.dialect import Asked
from llmr.lab.provider import DIALECTS
from llmr.wire import wire_for

ANSWER = Behavior("The answer, then.", reasoning="hm, let me see", input_tokens=11)
CALLING = Behavior("", tool_calls=(LabToolCall("look", '{"at": 1}'), LabToolCall("hear", "{}", id="call_2")))


class Pair:
    """A dialect and its wire, and one request that both of them know."""

    def __init__(self, wire: WireFormat, *, stream: bool) -> None:
        self.dialect, self.wire, self.stream = DIALECTS[wire], wire_for(wire), stream
        base_url = "http://127.0.0.1:1" + self.dialect.base_path
        self.model = Model(Provider("lab", wire, base_url), "lab-model")
        http = self.wire.encode(ChatRequest((Message.text(Role.USER, "hi"),), stream=stream), self.model)
        target = http.url.removeprefix("http://127.0.0.1:1")
        assert target.startswith(self.dialect.base_path + "/")
        self.asked = Asked("lab", 1, target, json.loads(http.body), len(http.body))

    def frames(self, behavior: Behavior) -> list[bytes]:
        if not self.stream:
            return [self.dialect.whole(behavior, self.asked)]
        return [frame.payload for frame in self.dialect.stream(behavior, self.asked)]

    def read(self, chunks: Iterable[bytes]) -> ChatResponse:
        decoder = self.wire.decoder(self.model, streamed=self.stream)
        deltas: list[Delta] = []
        for chunk in chunks:
            deltas += decoder.feed(chunk)
        return ChatResponse.from_deltas([*deltas, *decoder.end()])


@pytest.fixture(params=WireFormat)
def wire(request: pytest.FixtureRequest) -> WireFormat:
    chosen: WireFormat = request.param
    return chosen


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
def test_a_wire_understands_the_lab(wire: WireFormat, stream: bool) -> None:
    pair = Pair(wire, stream=stream)
    assert pair.dialect.is_streamed(pair.asked) is stream
    answer = pair.read(pair.frames(ANSWER))
    assert (answer.text, answer.reasoning, answer.finish_reason) == (ANSWER.text, ANSWER.reasoning, FinishReason.STOP)
    assert answer.usage is not None
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (11, 7)
    assert answer.served_model == "lab-model"


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
def test_a_wire_understands_the_lab_s_tool_calls(wire: WireFormat, stream: bool) -> None:
    pair = Pair(wire, stream=stream)
    answer = pair.read(pair.frames(CALLING))
    assert [(call.name, json.loads(call.arguments)) for call in answer.tool_calls] == [
        ("look", {"at": 1}),
        ("hear", {}),
    ]
    assert answer.finish_reason is FinishReason.TOOL_CALLS


def test_an_answer_without_its_end_is_incomplete_in_every_dialect(wire: WireFormat) -> None:
    pair = Pair(wire, stream=True)
    with pytest.raises(ProviderError) as caught:
        pair.read(pair.frames(Behavior("cut", finish_reason=None, done=False)))
    assert caught.value.kind is ErrorKind.INCOMPLETE


def test_an_error_in_the_stream_is_an_error_in_every_dialect(wire: WireFormat) -> None:
    pair = Pair(wire, stream=True)
    behavior = Behavior("cut", error_message="broke")
    with pytest.raises(ProviderError, match="broke"):
        pair.read([*pair.frames(behavior)[:3], pair.dialect.error_event(behavior, pair.asked)])


@pytest.mark.parametrize(
    ("behavior", "kind"),
    [
        (Behavior(status=500), ErrorKind.SERVER),
        (Behavior(status=429, error_message="Rate limit reached"), ErrorKind.RATE_LIMIT),
        (Behavior(status=401, error_message="bad key"), ErrorKind.AUTH),
    ],
)
def test_an_error_is_the_same_kind_in_every_dialect(wire: WireFormat, behavior: Behavior, kind: ErrorKind) -> None:
    pair = Pair(wire, stream=True)
    error = pair.wire.classify(behavior.status, {}, pair.dialect.error(behavior, pair.asked), now=0.0)
    assert (error.kind, error.message) == (kind, behavior.error_message)
