"""Token estimates: right in size for each script, and cheap on megabytes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmr.chat import ChatRequest, Media, MediaKind, Message, Part, Role, Text, Thinking, Tool, ToolCall, ToolResult
from llmr.routing.tokens import TOKENS_PER_MESSAGE, estimate_text_tokens, estimate_tokens


def prompt(*parts: Part, tools: tuple[Tool, ...] = ()) -> ChatRequest:
    return ChatRequest((Message(Role.USER, parts),), tools=tools)


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("", 0),
        ("a", 1),
        ("abcd", 1),
        ("abcde", 2),
        ("The quick brown fox jumps over the lazy dog.", 11),
        ("日本語のテキストです", 9),  # 10 characters / 1.2
        ("，。！", 3),  # full-width punctuation is CJK
        ("Привет, мир!", 6),  # 9 Cyrillic / 2 + 3 Latin / 4
        ("naïve café", 4),  # 8 Latin / 4 + 2 accented / 2
        ("😀😀😀", 3),
        ("𠮷野家", 3),  # the first lies beyond U+FFFF
        ("hello 世界", 4),
    ],
)
def test_each_script_has_its_own_density(text: str, tokens: int) -> None:
    assert estimate_text_tokens(text) == tokens


def test_half_a_surrogate_pair_is_no_reason_to_crash() -> None:
    assert estimate_text_tokens("\ud83d") == 1
    assert estimate_text_tokens("a\udc00b") >= 1


@given(st.text(st.characters(codec=None), max_size=200))
def test_an_estimate_is_never_negative_and_at_most_one_a_character(text: str) -> None:
    assert 0 <= estimate_text_tokens(text) <= len(text) + 1


@given(st.text(max_size=100), st.text(max_size=100))
def test_more_text_is_never_fewer_tokens_but_for_rounding(a: str, b: str) -> None:
    assert estimate_text_tokens(a + b) >= max(estimate_text_tokens(a), estimate_text_tokens(b)) - 1


@pytest.mark.parametrize(
    ("text", "tokens"), [("a" * 10_000_000, 2_500_000), ("語" * 5_000_000, 4_166_667), ("aя" * 5_000_000, 3_750_001)]
)
def test_ten_megabytes_are_counted_whole(text: str, tokens: int) -> None:
    assert estimate_text_tokens(text) == tokens


@pytest.mark.parametrize(
    ("part", "tokens"),
    [
        (Text("abcdefgh"), 2),
        (Thinking("abcd"), 1),
        (ToolCall("1", "look", '{"x"'), 2),
        (ToolResult("1", "look", "abcdefghi"), 3),
        (Media(MediaKind.IMAGE, "image/png", b"x" * 10_000_000), 1_100),
        (Media(MediaKind.IMAGE, "image/png", url="https://example.org/a.png"), 1_100),
        (Media(MediaKind.DOCUMENT, "application/pdf", b"x" * 50_000), 1_667),
        (Media(MediaKind.DOCUMENT, "application/pdf", url="https://example.org/a.pdf"), 1),
        (Media(MediaKind.AUDIO, "audio/wav", b"x" * 32_000), 65),
    ],
)
def test_every_kind_of_part_counts(part: Part, tokens: int) -> None:
    assert estimate_tokens(prompt(part)) == TOKENS_PER_MESSAGE + tokens


def test_tools_and_every_turn_count() -> None:
    tool = Tool("weather", "Tells the weather.", {"type": "object", "properties": {"city": {"type": "string"}}})
    assert estimate_tokens(prompt(tools=(tool,))) > TOKENS_PER_MESSAGE + 15
    assert estimate_tokens(ChatRequest((Message.text(Role.USER, "a"),) * 3)) == 3 * (TOKENS_PER_MESSAGE + 1)
    assert estimate_tokens(ChatRequest(())) == 0
