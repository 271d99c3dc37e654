"""Where one provider's text goes on from another's: what is repeated is dropped, and nothing else ever is."""

import pytest
from fakes import request
from hypothesis import given
from hypothesis import strategies as st

from llmr.chat import OutputFormat, ResponseFormat, Role, Tool
from llmr.routing.seam import LONGEST_OVERLAP, SHORTEST_OVERLAP, Seam, continuation, may_continue


def joined(before: str, *pieces: str) -> str:
    """What is shown of a continuation that comes in these pieces."""
    seam = Seam(before)
    return "".join([*map(seam.feed, pieces), seam.end()])


def rest_of(before: str, after: str) -> str:
    """The same, from the definition: less the longest end of `before`, within bounds, that `after` begins with."""
    for size in range(min(LONGEST_OVERLAP, len(before), len(after)), SHORTEST_OVERLAP - 1, -1):
        if before[-size:] == after[:size]:
            return after[size:]
    return after


# ASKING FOR THE REST


def test_a_text_may_be_continued() -> None:
    assert may_continue(request())


@pytest.mark.parametrize(
    "asked",
    [
        request(output=OutputFormat(ResponseFormat.JSON)),
        request(tools=(Tool("f", "", {}),)),
        request(logprobs=0),
        request(logprobs=3),
    ],
    ids=["json", "tools", "no logprobs but the chosen", "logprobs"],
)
def test_what_does_not_fit_together_may_not(asked: object) -> None:
    assert not may_continue(asked)  # type: ignore[arg-type]


def test_the_request_for_the_rest_keeps_the_question_and_shows_what_came() -> None:
    asked = request("Tell me.", temperature=0.3, max_output_tokens=70)
    rest = continuation(asked, "Once upon")
    assert rest.messages[:-2] == asked.messages
    assert [message.role for message in rest.messages] == [Role.USER, Role.ASSISTANT, Role.USER]
    assert rest.messages[1].parts[0].text == "Once upon"
    assert "exactly where it stops" in rest.messages[2].parts[0].text
    assert (rest.temperature, rest.max_output_tokens) == (0.3, 70)
    assert len(asked.messages) == 1, "the request itself is as it was"


# THE SEAM


@pytest.mark.parametrize(
    ("before", "pieces", "shown"),
    [
        ("Once upon a ti", ("me there was",), "me there was"),
        ("Once upon a ti", ("upon a time there was",), "me there was"),
        ("Once upon a ti", ("Once upon a time",), "me"),
        ("Once upon a ti", ("upon", " a", " ti", "me"), "me"),
        ("Once upon a ti", ("", "upon a ti", ""), ""),
        ("Once upon a ti", ("Once upon a hill",), "Once upon a hill"),
        ("go, go, go, ", ("go, go, gone",), "gone"),
        ("na na na na ", ("na na Batman",), "Batman"),
        ("", ("upon a time",), "upon a time"),
        ("Once upon", (), ""),
    ],
)
def test_what_the_continuation_repeats_is_dropped_once(before: str, pieces: tuple[str, ...], shown: str) -> None:
    assert joined(before, *pieces) == shown


def test_three_letters_on_both_sides_are_chance_and_four_are_not() -> None:
    assert joined("by the", "the sea") == "the sea"
    assert joined("by the ", "the sea") == "sea", "with the space they are four"
    assert joined("under them", "them all") == " all"


def test_the_beginning_of_a_long_answer_told_again_is_not_taken_for_a_repetition() -> None:
    long = "".join(f"sentence {number}. " for number in range(100))
    assert joined(long, long) == long
    last = long[-LONGEST_OVERLAP:]
    assert joined(long, last, "And so on.") == "And so on."
    assert joined(long, long[-LONGEST_OVERLAP - 1 :] + "And") == long[-LONGEST_OVERLAP - 1 :] + "And"


def test_nothing_is_shown_until_it_cannot_be_repetition_any_more_and_everything_at_once_after() -> None:
    seam = Seam("Once upon a time")
    assert [seam.feed(piece) for piece in ("up", "on a", " ti", "me there", " was", "upon a time")] == [
        "", "", "", " there", " was", "upon a time",
    ]  # fmt: skip
    assert seam.end() == ""
    seam = Seam("Once upon a time")
    assert seam.feed("There") == "There"


def test_no_more_is_held_back_than_the_longest_overlap() -> None:
    seam = Seam("x" * 10_000)
    held = 0
    while not seam.feed("x"):
        held += 1
        assert held <= LONGEST_OVERLAP
    assert seam.feed("x") == "x"


def test_what_is_held_at_the_end_is_shown_where_it_is_no_repetition() -> None:
    seam = Seam("Once upon a time")
    assert seam.feed("Once") == ""
    assert seam.end() == "Once"
    assert seam.end() == ""
    assert seam.feed("more") == "more"


words = st.text("ab ", max_size=12) | st.text(max_size=5)
texts = st.lists(words | st.sampled_from(["abab" * 60, "a" * 399, "a" * 400, "a" * 401]), max_size=4).map("".join)


@given(texts, texts, st.integers(0, 40), st.data())
def test_however_the_text_is_cut_into_pieces_the_longest_repetition_and_nothing_else_is_dropped(
    before: str, new: str, repeated: int, data: st.DataObject
) -> None:
    after = before[len(before) - repeated :] + new if repeated <= len(before) else new
    cuts = sorted(data.draw(st.lists(st.integers(0, len(after)), max_size=6)))
    pieces = [after[start:end] for start, end in zip([0, *cuts], [*cuts, len(after)], strict=True)]
    shown = joined(before, *pieces)
    assert shown == rest_of(before, after)
    assert after.endswith(shown)
    assert joined(before, *after) == shown, "a character at a time"
