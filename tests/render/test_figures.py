"""Figures for people."""

import pytest

from llmr.render.figures import left


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (0.0, "0 s"),
        (-1.0, "0 s"),
        (0.01, "0.1 s"),
        (4.46, "4.5 s"),
        (9.94, "9.9 s"),
        (9.96, "10 s"),
        (66, "66 s"),
        (900, "15 min"),
    ],
)
def test_what_is_left_is_told_in_one_unit_and_is_never_nothing(value: float, said: str) -> None:
    assert left(value) == said
