"""What is said of waiting: once, however often the loop looks again."""

from typing import Any

from fakes import model

from llmr.cli import chat
from llmr.cli.spinner import Spinner
from llmr.router import AttemptStarted, Waiting
from llmr.routing.rules import Candidate

A = Candidate(model("a"), "best", 0, 0)


class Told:
    """The part of a run that `_tell` touches."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._waited_for: str | None = None

    def _note(self, line: str | None) -> None:
        if line is not None:
            self.lines.append(line)

    def _loud(self, least: int) -> bool:
        return least <= 0


def test_a_wait_for_somebody_elses_probe_is_told_once_and_again_after_an_attempt() -> None:
    told: Any = Told()
    spinner = Spinner(shown=False)
    for event in (Waiting(1.0, "for a"), Waiting(1.0, "for a"), Waiting(2.0, "for b"), AttemptStarted(A, 1, probe=False),
                  Waiting(1.0, "for b")):  # fmt: skip
        chat._Run._tell(told, event, spinner)
    assert told.lines == ["waiting 1.0 s for a", "waiting 2.0 s for b", "waiting 1.0 s for b"]
