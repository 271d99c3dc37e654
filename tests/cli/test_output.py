"""stdout is the answer and nothing else; stderr is a line per event, harmless and without keys."""

import asyncio
import io
import os
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from fakes import KEY

from llmr.cli.listing import shown_age, shown_seconds, shown_share
from llmr.cli.output import (
    AnswerText,
    ClosedPipe,
    NoAnswer,
    answer_for,
    print_line,
    stdout_is_terminal,
    write_stdout,
)
from llmr.cli.say import complain, say
from llmr.cli.spinner import Spinner, spinner_wanted
from llmr.errors import OutputError, UsageError
from llmr.secret import Redactor, Secret

EVIL = "a\x1b[31mb\u202e"


@pytest.fixture
def fd1(capfd: pytest.CaptureFixture[str]) -> Iterator[None]:
    """Whatever a test does to descriptor 1 is undone."""
    with capfd.disabled():
        kept = os.dup(1)
        yield
        os.dup2(kept, 1)
        os.close(kept)


def test_a_pipe_gets_the_bytes_of_the_answer_and_no_more(capfd: pytest.CaptureFixture[str]) -> None:
    answer = answer_for(as_json=False)
    for piece in ("Grüße ", "", EVIL, "\ud800"):
        answer.write(piece)
    answer.end()
    assert capfd.readouterr().out == f"Grüße {EVIL}?"


def test_a_terminal_gets_the_answer_harmless_and_a_line_end(capfd: pytest.CaptureFixture[str]) -> None:
    answer = AnswerText(terminal=True)
    for piece in (EVIL, "x\r", "\ny"):
        answer.write(piece)
    answer.end()
    assert capfd.readouterr().out == "a␛[31mb⟨U+202E⟩x\ny\n"


def test_an_answer_that_ends_its_own_line_gets_no_second_end(capfd: pytest.CaptureFixture[str]) -> None:
    answer = AnswerText(terminal=True)
    answer.write("done\n")
    answer.end()
    AnswerText(terminal=True).end()
    assert capfd.readouterr().out == "done\n"


def test_the_json_run_writes_nothing_by_itself(capfd: pytest.CaptureFixture[str]) -> None:
    answer = answer_for(as_json=True)
    assert isinstance(answer, NoAnswer)
    answer.write("x")
    answer.end()
    assert capfd.readouterr().out == ""


def test_a_long_answer_goes_through_a_pipe_whole(fd1: None) -> None:
    read_end, write_end = os.pipe()
    os.dup2(write_end, 1)
    os.close(write_end)
    content = bytes(range(256)) * 2048
    received = bytearray()

    def reading() -> None:
        while piece := os.read(read_end, 65_536):
            received.extend(piece)

    from threading import Thread

    reader = Thread(target=reading)
    reader.start()
    os.set_blocking(1, False)
    answer_for(as_json=True)  # makes it block again
    write_stdout(content)
    os.close(1)
    reader.join(30)
    os.close(read_end)
    assert bytes(received) == content


def test_a_reader_that_has_gone_is_told_apart_from_a_disk_that_is_full(fd1: None) -> None:
    read_end, write_end = os.pipe()
    os.dup2(write_end, 1)
    os.close(write_end)
    os.close(read_end)
    with pytest.raises(ClosedPipe):
        write_stdout(b"x")
    full = os.open("/dev/full", os.O_WRONLY)
    os.dup2(full, 1)
    os.close(full)
    with pytest.raises(OutputError, match="No space left on device"):
        write_stdout(b"x")


def test_a_closed_stdout_is_told_before_anything_is_asked(fd1: None) -> None:
    os.close(1)
    assert not stdout_is_terminal()
    with pytest.raises(OutputError, match="standard output is closed"):
        answer_for(as_json=False)


def test_a_listing_is_harmless_on_a_terminal_and_exact_in_a_pipe(fd1: None, monkeypatch: pytest.MonkeyPatch) -> None:
    ours, terminal = os.openpty()
    os.dup2(terminal, 1)
    os.close(terminal)
    assert stdout_is_terminal()
    print_line(EVIL)
    assert os.read(ours, 100).decode() == "a␛[31mb⟨U+202E⟩\r\n"
    read_end, write_end = os.pipe()
    os.dup2(write_end, 1)
    os.close(write_end)
    print_line(EVIL)
    assert os.read(read_end, 100).decode() == EVIL + "\n"
    os.close(ours)
    os.close(read_end)
    monkeypatch.setattr("sys.stdout", None)
    with pytest.raises(OutputError):
        print_line("x")


def test_stderr_is_one_harmless_line_without_keys(capfd: pytest.CaptureFixture[str]) -> None:
    say(f"said {EVIL}\nwith {KEY}\ud800")
    say("my own word", Redactor((Secret("my own word"),)))
    complain(UsageError("no such thing"))
    assert capfd.readouterr().err == "said a␛[31mb⟨U+202E⟩ with ***\ufffd\n***\nllmr: no such thing\n"


def test_a_closed_stderr_fails_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stderr", None)
    say("x")
    closed = io.TextIOWrapper(io.BytesIO())
    closed.close()
    monkeypatch.setattr("sys.stderr", closed)
    say("x")


# The spinner


class Terminal(io.StringIO):
    """A terminal that says when something was written to it."""

    def __init__(self) -> None:
        super().__init__()
        self.written = asyncio.Event()

    def isatty(self) -> bool:
        return True

    def write(self, text: str) -> int:
        self.written.set()
        return super().write(text)


def test_the_spinner_shows_a_label_and_goes_without_a_trace(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("llmr.cli.spinner.APPEARS_AFTER_S", 0.0)
    monkeypatch.setattr("llmr.cli.spinner.FRAME_S", 0.0)

    async def scenario() -> str:
        terminal = Terminal()
        monkeypatch.setattr("sys.stderr", terminal)
        async with Spinner(shown=spinner_wanted(dumb=False)) as spinner:
            spinner.start("asking \x1ba")
            await terminal.written.wait()
            spinner.start("asking b")
            terminal.written.clear()
            await terminal.written.wait()
            spinner.stop()
            spinner.stop()
        return terminal.getvalue()

    shown = run(scenario())
    assert "⠋ asking ␛a" in shown
    assert "asking b" in shown
    assert shown.endswith("\r\x1b[K")
    assert "\n" not in shown


def test_a_quick_answer_never_shows_the_spinner(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> str:
        terminal = Terminal()
        monkeypatch.setattr("sys.stderr", terminal)
        async with Spinner(shown=True) as spinner:
            spinner.start("asking a")
        return terminal.getvalue()

    assert run(scenario()) == ""


def test_no_spinner_where_stderr_is_no_terminal(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not spinner_wanted(dumb=False)
    monkeypatch.setattr("sys.stderr", None)
    assert not spinner_wanted(dumb=False)
    monkeypatch.setattr("sys.stderr", sys.__stderr__)
    assert not spinner_wanted(dumb=True)

    async def scenario() -> None:
        async with Spinner(shown=False) as spinner:
            spinner.start("x")

    run(scenario())


# Ages and shares


@pytest.mark.parametrize(
    ("seconds", "age"),
    [
        (-3, "0 s ago"),
        (59, "59 s ago"),
        (60, "1 min ago"),
        (3_600, "1 h ago"),
        (86_400, "1 d ago"),
        (864_000, "10 d ago"),
    ],
)
def test_an_age_is_told_in_one_unit(seconds: float, age: str) -> None:
    assert shown_age(seconds) == age


def test_what_is_unknown_is_a_dash() -> None:
    assert (shown_seconds(None), shown_seconds(0.25)) == ("–", "250 ms")
    assert (shown_share(None), shown_share(0.987)) == ("–", "99%")
