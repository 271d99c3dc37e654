"""What stdout is like: width and characters, by the variables that say so and by what reads it."""

import io
from typing import Any

import pytest

from llmr.cli import screen as screens
from llmr.cli.screen import screen, show
from llmr.errors import OutputError
from llmr.render.ink import Tone, ink
from llmr.render.pictures import ASCII, UNICODE


def test_a_pipe_has_any_width_unless_columns_says_one(shell: Any) -> None:
    assert screen().width is None
    shell.monkeypatch.setenv("COLUMNS", "91")
    assert screen().width == 91
    shell.monkeypatch.setenv("COLUMNS", "3")
    assert screen().width == 20


def test_a_terminal_that_does_not_say_how_wide_it_is_has_eighty(shell: Any) -> None:
    shell.monkeypatch.setattr(screens, "stdout_is_terminal", lambda: True)
    assert screen().width == 80  # what is captured is no terminal


@pytest.mark.parametrize(
    ("encoding", "glyphs"), [("utf-8", UNICODE), ("UTF8", UNICODE), ("iso8859-1", ASCII), ("ascii", ASCII)]
)
def test_where_the_encoding_has_no_blocks_there_are_none(shell: Any, encoding: str, glyphs: object) -> None:
    shell.monkeypatch.setattr("sys.stdout", io.TextIOWrapper(io.BytesIO(), encoding=encoding))
    assert screen().glyphs is glyphs


def test_lines_are_written_with_and_without_colour(shell: Any) -> None:
    line = ink("fine", Tone.GOOD)
    shell.capfd.readouterr()
    show([line], screen())
    shell.monkeypatch.setenv("LLMR_COLOR", "always")
    show([line, ()], screen())
    assert shell.capfd.readouterr().out == "fine\n\x1b[32mfine\x1b[0m\n\n"


def test_where_there_are_no_blocks_there_is_nothing_but_ascii(shell: Any) -> None:
    shell.serve(a=[])
    shell("chat", "x")
    shell.monkeypatch.setattr("sys.stdout", io.TextIOWrapper(io.BytesIO(), encoding="iso8859-1"))
    shell.capfd.readouterr()
    on = screen()
    show([ink("a…b – ≤ 1 s é ␛")], on)
    assert shell.capfd.readouterr().out == "a.b - < 1 s ? ?\n"


def test_a_closed_stdout_is_an_output_error(shell: Any) -> None:
    on = screen()
    shell.monkeypatch.setattr("sys.stdout", None)
    with pytest.raises(OutputError):
        show([ink("x")], on)


@pytest.mark.parametrize("arguments", [("rank",), ("providers", "status"), ("providers", "list"), ("stats",)])
def test_no_view_has_an_escape_byte_in_a_pipe_and_each_fits_its_columns(shell: Any, arguments: tuple[str, ...]) -> None:
    shell.serve(a=[], b=[])
    shell("chat", "x")
    shell.monkeypatch.setenv("COLUMNS", "80")
    said = shell(*arguments)
    assert "\x1b" not in said.out
    assert max(map(len, said.out.splitlines())) <= 80
    shell.monkeypatch.setenv("LLMR_COLOR", "always")
    assert "\x1b[" in shell(*arguments).out
