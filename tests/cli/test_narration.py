"""What is said of a request on its way: each thing once, and as loudly as was wished for."""

import pytest
from fakes import model

from llmr.chat import ChatResponse, Delta, FinishReason
from llmr.cli.narration import Narrator, ending_line
from llmr.cli.spinner import Spinner
from llmr.render.transcript import Transcript
from llmr.router import AttemptStarted, Event, Waiting
from llmr.routing.rules import Candidate

A = Candidate(model("a"), "best", 0, 0)


def said_of(*events: Event, loudness: int = 0) -> list[str]:
    transcript, lines = Transcript(), list[str]()
    narrator = Narrator(transcript, lines.append, loudness)
    for event in events:
        transcript.add(event)
        narrator.tell(event, Spinner(shown=False))
    return lines


def test_a_wait_for_somebody_elses_probe_is_told_once_and_again_after_an_attempt() -> None:
    started = AttemptStarted(A, 1, probe=False)
    again = Waiting(1.0, "for a", goes_on=True)
    waits = (Waiting(1.0, "for a"), again, again, Waiting(2.0, "for b"), started, Waiting(1.0, "for b"))
    assert said_of(*waits) == ["waiting 1.0 s for a", "waiting 2.0 s for b", "waiting 1.0 s for b"]
    assert said_of(*waits, loudness=-1) == []


def test_how_long_it_may_take_until_somebody_is_back_is_told_once_however_often_one_asks_meanwhile() -> None:
    started = AttemptStarted(A, 1, probe=True)
    waits = (Waiting(1.0, "for them", 56.0, 3), started, Waiting(1.0, "for them", 50.0, 2), started)
    assert said_of(*waits) == ["waiting for them; trying again up to 3 times within 56 s, Ctrl-C stops"]
    assert said_of(Waiting(1.0, "for them", 56.0, 1)) == [
        "waiting for them; trying again once more within 56 s, Ctrl-C stops"
    ]


def test_what_a_request_leaves_without_is_told() -> None:
    (line,) = said_of(AttemptStarted(A, 1, probe=False), Delta(left_out=("seed",)))
    assert line.startswith("a/")
    assert "without seed" in line


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        (FinishReason.LENGTH, "length limit"),
        (FinishReason.CONTENT_FILTER, "content policy"),
        (FinishReason.REFUSAL, "content policy"),
        (FinishReason.STOP, None),
    ],
)
def test_an_answer_that_is_not_all_it_should_be_is_told(reason: FinishReason, words: str | None) -> None:
    line = ending_line(ChatResponse("x", finish_reason=reason))
    assert line is None if words is None else words in (line or "")
