"""Deltas that came at one moment are handed on in fewer pieces, and the answer is the same."""

from hypothesis import given
from hypothesis import strategies as st

from llmr.chat import ChatResponse, Delta, FinishReason, ToolCallDelta, Usage, merged

words = st.sampled_from(["", "one ", "two"])
PLAIN = st.one_of(st.builds(Delta, text=words), st.builds(Delta, reasoning=words))
ANY = st.one_of(
    PLAIN,
    st.builds(Delta, text=words, reasoning=words),
    st.builds(
        Delta,
        text=words,
        reasoning=words,
        text_signature=st.none() | st.just("sig"),
        reasoning_signature=st.none() | st.just("sig"),
        refusal=words,
        tool_calls=st.sampled_from([(), (ToolCallDelta(0, "id", "name", "{}"),)]),
        logprobs=st.sampled_from([(), ({"token": "x"},)]),
        finish_reason=st.none() | st.just(FinishReason.STOP),
        usage=st.none() | st.just(Usage(input_tokens=1, output_tokens=2)),
        served_model=st.none() | st.just("m"),
    ),
)


@given(st.lists(PLAIN | ANY, max_size=12))
def test_the_answer_is_the_same(deltas: list[Delta]) -> None:
    assert ChatResponse.from_deltas(merged(deltas)) == ChatResponse.from_deltas(deltas)


@given(st.lists(ANY, max_size=12))
def test_what_says_more_than_text_stays_as_it_is_and_where_it_is(deltas: list[Delta]) -> None:
    def beside(pieces: list[Delta]) -> list[Delta]:
        return [one for one in pieces if one not in (Delta(text=one.text), Delta(reasoning=one.reasoning))]

    assert beside(list(merged(deltas))) == beside(deltas)


def test_neighbours_become_one() -> None:
    pieces = [Delta(reasoning="h"), Delta(reasoning="m"), Delta(text="a"), Delta(text="b"), Delta(text="c")]
    last = Delta(text="d", finish_reason=FinishReason.STOP)
    assert merged([*pieces, last, Delta(text="e")]) == [Delta(reasoning="hm"), Delta(text="abc"), last, Delta(text="e")]


def test_one_is_itself() -> None:
    deltas = [Delta(text="a")]
    assert merged(deltas) is deltas
