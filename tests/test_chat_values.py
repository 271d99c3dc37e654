"""The values of a request and an answer, and the one way in which pieces become a whole."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
    ToolCall,
    ToolCallDelta,
    Usage,
)

whole = ChatResponse.from_deltas


def test_nothing_adds_up_to_an_empty_answer() -> None:
    assert whole([]) == whole([Delta()]) == ChatResponse("", None)


def test_text_and_refusal_are_joined_in_order() -> None:
    answer = whole([Delta("Hel"), Delta(refusal="I "), Delta(), Delta("lo"), Delta(refusal="won't")])
    assert (answer.text, answer.refusal) == ("Hello", "I won't")


@given(st.lists(st.text(max_size=8), max_size=10))
def test_however_the_text_is_cut_it_is_the_same_answer(pieces: list[str]) -> None:
    assert whole(Delta(piece) for piece in pieces) == whole([Delta("".join(pieces))])


def test_the_last_usage_finish_and_model_win_and_usage_is_never_added() -> None:
    answer = whole(
        [
            Delta(usage=Usage(10, 1), finish_reason=FinishReason.LENGTH, served_model="a"),
            Delta(usage=Usage(10, 5), finish_reason=FinishReason.STOP, served_model="b", text_signature="s1"),
            Delta("late"),
        ]
    )
    assert (answer.usage, answer.finish_reason, answer.served_model) == (Usage(10, 5), FinishReason.STOP, "b")
    assert answer.text_signature == "s1"
    assert whole([Delta(usage=Usage(1)), Delta(usage=Usage())]).usage == Usage(), (
        "a usage that says nothing is said, too"
    )


def test_pieces_of_a_tool_call_belong_together_by_index_whatever_their_order() -> None:
    answer = whole(
        [
            Delta(tool_calls=(ToolCallDelta(1, "b", "time"),)),
            Delta(tool_calls=(ToolCallDelta(0, "a", "weather", '{"ci'), ToolCallDelta(1, arguments="{}"))),
            Delta(tool_calls=(ToolCallDelta(0, arguments='ty":"Bern"}', signature="sig"),)),
            Delta(tool_calls=(ToolCallDelta(0),)),
        ]
    )
    assert answer.tool_calls == (ToolCall("a", "weather", '{"city":"Bern"}', "sig"), ToolCall("b", "time", "{}"))


def test_a_tool_call_without_arguments_is_kept() -> None:
    assert whole([Delta(tool_calls=(ToolCallDelta(0, "a", "now"),))]).tool_calls == (ToolCall("a", "now", ""),)


def test_citations_and_logprobs_are_collected() -> None:
    answer = whole(
        [Delta(citations=({"a": 1},), logprobs=({"t": 1},)), Delta(citations=({"b": 2},), logprobs=({"t": 2},))]
    )
    assert answer.citations == ({"a": 1}, {"b": 2})
    assert answer.logprobs == ({"t": 1}, {"t": 2})


def test_reasoning_without_a_signature_is_one_block() -> None:
    answer = whole([Delta(reasoning="let me "), Delta("text"), Delta(reasoning="think")])
    assert answer.thinking == (Thinking("let me think"),)
    assert (answer.reasoning, answer.text) == ("let me think", "text")


def test_a_signature_closes_its_block() -> None:
    answer = whole(
        [
            Delta(reasoning="one", reasoning_format="f1"),
            Delta(reasoning_signature="s1"),
            Delta(reasoning="two"),
            Delta(reasoning_signature="s2"),
            Delta(reasoning_signature="s3"),
        ]
    )
    assert answer.thinking == (Thinking("one", "s1", format="f1"), Thinking("two", "s2"), Thinking("", "s3"))
    assert answer.reasoning == "onetwo"


def test_a_redacted_block_closes_the_one_before_it_and_keeps_its_own_format() -> None:
    answer = whole(
        [
            Delta(reasoning="one", reasoning_format="f1"),
            Delta(redacted_reasoning="XX", reasoning_format="f2"),
            Delta(reasoning="two"),
        ]
    )
    assert answer.thinking == (
        Thinking("one", format="f1"),
        Thinking("", redacted="XX", format="f2"),
        Thinking("two"),
    )


def test_a_signature_beside_a_redacted_block_is_that_blocks_own() -> None:
    answer = whole([Delta(reasoning="one"), Delta(redacted_reasoning="XX", reasoning_signature="rs_1")])
    assert answer.thinking == (Thinking("one"), Thinking("", "rs_1", "XX"))


def test_an_answer_goes_back_as_the_assistants_turn() -> None:
    answer = whole(
        [Delta(reasoning="hm", reasoning_signature="s"), Delta("hi", tool_calls=(ToolCallDelta(0, "a", "f"),))]
    )
    assert answer.message() == Message(Role.ASSISTANT, (Thinking("hm", "s"), Text("hi"), ToolCall("a", "f", "")))
    assert whole([]).message() == Message(Role.ASSISTANT, ())
    assert whole([Delta(text_signature="t")]).message() == Message(Role.ASSISTANT, (Text("", "t"),))


@pytest.mark.parametrize(
    "delta",
    [
        Delta("a"), Delta(reasoning="a"), Delta(refusal="a"), Delta(tool_calls=(ToolCallDelta(0),)),
        Delta(redacted_reasoning="x"),
    ],
)  # fmt: skip
def test_what_a_person_or_a_program_can_use_is_a_token_of_the_answer(delta: Delta) -> None:
    assert delta.has_content


@pytest.mark.parametrize(
    "delta",
    [
        Delta(), Delta(finish_reason=FinishReason.STOP), Delta(usage=Usage(1, 1)), Delta(served_model="m"),
        Delta(reasoning_signature="s"), Delta(citations=({},)), Delta(text_signature="s"),
    ],
)  # fmt: skip
def test_bookkeeping_is_not(delta: Delta) -> None:
    assert not delta.has_content


def test_a_request_wants_images_wherever_in_the_conversation_one_is() -> None:
    image = Media(MediaKind.IMAGE, "image/png", b"")
    hello = Message.text(Role.USER, "hello")
    assert hello == Message(Role.USER, (Text("hello"),))
    assert ChatRequest((Message(Role.USER, (Text("see"), image)), hello)).wants_images
    assert not ChatRequest((Message(Role.USER, (replace(image, kind=MediaKind.AUDIO),)), hello)).wants_images


@pytest.mark.parametrize(
    ("shape", "wanted"), [(ResponseFormat.TEXT, False), (ResponseFormat.JSON, True), (ResponseFormat.JSON_SCHEMA, True)]
)
def test_a_request_wants_json_if_a_format_says_so(shape: ResponseFormat, wanted: bool) -> None:
    assert ChatRequest((), output=OutputFormat(shape)).wants_json is wanted
