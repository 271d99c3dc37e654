"""A conversation as Markdown: who said what, when, in what time and at what cost, and which branch it is on."""

from dataclasses import replace

import pytest
from fakes import NOON, turn

from llmr.chat import Media, MediaKind, Message, Role, Text, Thinking, ToolCall, ToolResult
from llmr.conversations import Turn
from llmr.render.conversation import document, local_time, markdown_lines


def numbered(*parents: int | None) -> list[Turn]:
    return [replace(turn(f"q{n}", f"a{n}"), number=n, parent=parent) for n, parent in enumerate(parents, 11)]


def headings(turns: list[Turn]) -> list[str]:
    return [line.removeprefix("## ") for line in markdown_lines("c", turns) if line.startswith("## ")]


def test_each_turn_says_when_in_what_time_and_at_what_cost() -> None:
    told = turn(
        "hi", provider="a", model="m", ttft_s=0.25, total_s=1.5, input_tokens=1_200, output_tokens=7, cost_usd=0.002
    )
    lines = list(markdown_lines("c", [told]))
    assert lines[-1] == (
        f"*{local_time(NOON)} · 250 ms to the first token · 1.5 s in all · 1,200 tokens in, 7 out · $0.002*"
    )


@pytest.mark.parametrize(("estimated_usd", "shown"), [(None, "· $0.002*"), (0.001, "· ~$0.002*")])
def test_a_cost_that_is_estimated_is_marked(estimated_usd: float | None, shown: str) -> None:
    assert list(markdown_lines("c", [turn("hi", cost_usd=0.002, estimated_usd=estimated_usd)]))[-1].endswith(shown)


def test_what_nobody_measured_is_left_out() -> None:
    assert list(markdown_lines("c", [turn("hi", None, outcome="server")]))[-1] == f"*{local_time(NOON)}*"


@pytest.mark.parametrize("content", [False, True])
def test_no_field_of_a_part_is_lost_in_the_json_but_what_an_attachment_holds(content: bool) -> None:
    picture = Media(MediaKind.IMAGE, "image/png", content=b"png", name="a.png", detail="low")
    asked = Message(Role.TOOL, (ToolResult("call_1", "look", "a cat", is_error=True, media=(picture,)), picture))
    answer = Message(
        Role.ASSISTANT,
        (
            Thinking("hm", signature="c2ln", format="anthropic-claude-v1"),
            Text("a cat", signature="Z2Vt"),
            ToolCall("call_2", "feed", "{}", signature="dGg="),
        ),
    )
    (told,) = document("c", "t", [replace(turn("x"), asked=(asked,), answer=answer)], content=content)["turns"]
    shown = {"type": "image", "media_type": "image/png", "name": "a.png", "detail": "low", "bytes": 3}
    shown |= {"base64": "cG5n"} if content else {}
    result = {"type": "tool_result", "call_id": "call_1", "name": "look", "content": "a cat", "is_error": True}
    assert told["messages"] == [
        {"role": "tool", "parts": [{**result, "media": [shown]}, shown]},
        {
            "role": "assistant",
            "parts": [
                {"type": "thinking", "text": "hm", "signature": "c2ln", "format": "anthropic-claude-v1"},
                {"type": "text", "text": "a cat", "signature": "Z2Vt"},
                {"type": "tool_call", "id": "call_2", "name": "feed", "arguments": "{}", "signature": "dGg="},
            ],
        },
    ]


def test_one_line_of_turns_needs_no_numbers() -> None:
    assert headings(numbered(None, 11, 12)) == ["You", "Nobody"] * 3


def test_branches_are_told_apart() -> None:
    assert headings(numbered(None, 11, 11, 13, None))[::2] == [
        "1. You", "2. You", "3. You, going on from 1", "4. You", "5. You, beginning anew",
    ]  # fmt: skip
