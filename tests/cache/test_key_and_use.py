"""When two requests are the same, and when one may be looked up at all."""

from dataclasses import replace

import pytest

from llmr.cache.answer_json import answer_of, answer_text, merged
from llmr.cache.key import comparable_prompt, group_key, request_key
from llmr.cache.use import NONE, CacheUse, cache_use, is_whole
from llmr.chat import (
    CacheWish,
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
    Tool,
    ToolCallDelta,
    ToolChoice,
    ToolChoiceMode,
    Usage,
)

ASKED = ChatRequest(messages=(Message.text(Role.SYSTEM, "Be brief."), Message.text(Role.USER, "hi")), model="m")
IMAGE = Media(MediaKind.IMAGE, "image/png", content=b"one")
BOTH = CacheUse(reads=True, writes=True)

OTHER = {
    "another prompt": replace(ASKED, messages=(ASKED.messages[0], Message.text(Role.USER, "ho"))),
    "another system prompt": replace(ASKED, messages=(Message.text(Role.SYSTEM, "Be long."), ASKED.messages[1])),
    "another role": replace(ASKED, messages=(ASKED.messages[0], Message.text(Role.ASSISTANT, "hi"))),
    "an attachment": replace(ASKED, messages=(Message(Role.USER, (Text("hi"), IMAGE)),)),
    "temperature": replace(ASKED, temperature=0.0),
    "top_p": replace(ASKED, top_p=0.5),
    "seed": replace(ASKED, seed=1),
    "another seed": replace(ASKED, seed=2),
    "stop": replace(ASKED, stop=("x",)),
    "length": replace(ASKED, max_output_tokens=9),
    "reasoning": replace(ASKED, reasoning_effort="low"),
    "logprobs": replace(ASKED, logprobs=1),
    "tools": replace(ASKED, tools=(Tool("f"),)),
    "another tool": replace(ASKED, tools=(Tool("f", parameters={"type": "object"}),)),
    "tool choice": replace(ASKED, tool_choice=ToolChoice(ToolChoiceMode.NONE)),
    "format": replace(ASKED, output=OutputFormat(ResponseFormat.JSON)),
    "schema": replace(ASKED, output=OutputFormat(ResponseFormat.JSON_SCHEMA, {"type": "object"})),
    "passed on": replace(ASKED, extra={"frequency_penalty": 1}),
    "end user": replace(ASKED, extra={"user": "eve"}),
}


def test_whatever_the_answer_depends_on_is_another_key():
    keys = {request_key(request, "m") for request in (ASKED, *OTHER.values())}
    assert len(keys) == len(OTHER) + 1
    assert request_key(ASKED, "another name") not in keys


@pytest.mark.parametrize(
    "same",
    [
        replace(ASKED, stream=False),
        replace(ASKED, tags=("private",)),
        replace(ASKED, metadata={"team": "search"}, extra={"metadata": {"team": "search"}}),
        replace(ASKED, strategy="cost"),
        replace(ASKED, provider="openai"),
        replace(ASKED, deadline_s=5.0, max_price_usd=0.1, hedge=True, on_break="buffer"),
        replace(ASKED, extra={"store": True, "service_tier": "flex", "prompt_cache_key": "x"}),
        replace(ASKED, cache=CacheWish(use=True)),
    ],
)
def test_how_it_is_routed_delivered_and_labelled_is_the_same_key(same):
    assert request_key(same, "m") == request_key(ASKED, "m")


def test_the_content_of_an_attachment_counts():
    def asked(content: bytes) -> str:
        return request_key(replace(ASKED, messages=(Message(Role.USER, (replace(IMAGE, content=content),)),)), "m")

    assert asked(b"one") == asked(b"one") != asked(b"two")


def test_the_order_of_keys_in_a_schema_does_not_count():
    one = replace(ASKED, tools=(Tool("f", parameters={"a": 1, "b": {"c": 2, "d": 3}}),))
    two = replace(ASKED, tools=(Tool("f", parameters={"b": {"d": 3, "c": 2}, "a": 1}),))
    assert request_key(one, "m") == request_key(two, "m")


def test_a_group_shares_all_but_the_last_words():
    assert group_key(ASKED, "m") == group_key(OTHER["another prompt"], "m")
    for name in ("another system prompt", "temperature", "seed", "tools", "format", "end user"):
        assert group_key(OTHER[name], "m") != group_key(ASKED, "m"), name


def test_only_words_of_the_user_alone_are_compared():
    assert comparable_prompt(ASKED) == "hi"
    assert comparable_prompt(OTHER["an attachment"]) is None
    assert comparable_prompt(OTHER["another role"]) is None
    assert comparable_prompt(ChatRequest(())) is None


TOOLS = replace(ASKED, tools=(Tool("send_money"),))


@pytest.mark.parametrize(
    ("request_", "ruled", "enabled", "use"),
    [
        (ASKED, None, False, NONE),
        (ASKED, None, True, BOTH),
        (ASKED, True, False, BOTH),
        (ASKED, False, True, NONE),
        (replace(ASKED, cache=CacheWish(use=True)), None, False, BOTH),
        (replace(ASKED, cache=CacheWish(use=True)), False, True, NONE),
        (replace(ASKED, cache=CacheWish(use=False)), True, True, NONE),
        (replace(ASKED, cache=CacheWish(fresh=True)), None, True, CacheUse(reads=False, writes=True)),
        (replace(ASKED, cache=CacheWish(keep=False)), None, True, CacheUse(reads=True, writes=False)),
        (TOOLS, None, True, NONE),
        (TOOLS, True, True, BOTH),
        (replace(TOOLS, cache=CacheWish(use=True)), None, False, BOTH),
        (replace(ASKED, extra={"web_search_options": {}}), None, True, NONE),
    ],
)
def test_a_no_is_final_and_tools_must_be_asked_for(request_, ruled, enabled, use):
    assert cache_use(request_, ruled=ruled, enabled=enabled) == use


def test_only_answers_that_ended_of_themselves_are_whole():
    assert {reason for reason in FinishReason if is_whole(reason)} == {FinishReason.STOP, FinishReason.TOOL_CALLS}
    assert not is_whole(None)


def test_an_answer_survives_the_file_whole():
    deltas = (
        Delta(served_model="gpt-x", left_out=("seed",)),
        Delta(reasoning="hm", reasoning_signature="sig"),
        Delta(text="é\ud800"),
        Delta(text=" b", logprobs=({"token": " b", "logprob": -1.0},)),
        Delta(tool_calls=(ToolCallDelta(0, "id", "f", '{"a":'), ToolCallDelta(0, arguments="1}"))),
        Delta(citations=({"url": "https://x"},)),
        Delta(finish_reason=FinishReason.STOP, usage=Usage(1, 2, cost_usd=0.5)),
    )
    again = answer_of(answer_text(deltas))
    assert again is not None
    before, after = ChatResponse.from_deltas(deltas), ChatResponse.from_deltas(again)
    assert after == replace(before, usage=Usage(1, 2))


def test_pieces_of_text_are_joined_up_to_a_length_and_never_over_anything_else():
    deltas = [Delta(text="word ")] * 100 + [Delta(finish_reason=FinishReason.STOP)] + [Delta(text="x")]
    joined = merged(deltas)
    assert "".join(delta.text for delta in joined) == "word " * 100 + "x"
    assert 5 < len(joined) < 20
    assert joined[-1] == Delta(text="x")
