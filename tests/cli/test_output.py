"""stdout is the answer and nothing else; stderr is a line per event, harmless and without keys."""

import asyncio
import io
import os
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from fakes import KEY
from requests_told import GONE, A

from llmr.cli.answers import Answer, AnswerText, SafeOutput, streamed_answer
from llmr.cli.color import ColorWish, color_wish, colored
from llmr.cli.exit_codes import ExitCode
from llmr.cli.markdown_answer import MarkdownAnswer
from llmr.cli.output import ClosedPipe, open_stdout, print_line, stdout_is_terminal, told_to_end, write_stdout
from llmr.cli.say import complain, say
from llmr.cli.spinner import Spinner, spinner_wanted
from llmr.config.environment import Environment
from llmr.errors import OutputError, UsageError
from llmr.render.markdown.screen import MarkdownScreen
from llmr.router import BrokeOff
from llmr.routing.policy import OnBreak
from llmr.secret import Redactor, Secret

EVIL = "a\x1b[31mb\u202e"


def world(**variables: str) -> Environment:
    return Environment.of(variables, cwd=None)


def answer_for(
    *, raw: bool = False, wish: ColorWish = ColorWish.AUTO, safe: SafeOutput = SafeOutput.AUTO, **variables: str
) -> Answer:
    return streamed_answer(world(**variables), raw=raw, wish=wish, safe=safe)


@pytest.fixture
def fd1(capfd: pytest.CaptureFixture[str]) -> Iterator[None]:
    """Whatever a test does to descriptor 1 is undone."""
    with capfd.disabled():
        kept = os.dup(1)
        yield
        os.dup2(kept, 1)
        os.close(kept)


def test_a_pipe_gets_the_bytes_of_the_answer_and_no_more(capfd: pytest.CaptureFixture[str]) -> None:
    answer = answer_for()
    for piece in ("Grüße ", "", EVIL, "\ud800"):
        answer.write(piece)
    answer.end()
    assert capfd.readouterr().out == f"Grüße {EVIL}\ufffd"


def test_what_stderr_says_of_a_break_is_not_glued_to_the_text_on_a_terminal(capfd: pytest.CaptureFixture[str]) -> None:
    broke = BrokeOff(A, GONE, 1.0, OnBreak.CONTINUE, 1)
    for terminal, shown in ((True, "half ⟨a/m broke off⟩\n"), (False, "half ")):
        answer = AnswerText(terminal=terminal, safe=terminal)
        answer.write("half ")
        answer.seam(broke)
        assert capfd.readouterr().out == shown


def test_a_terminal_gets_the_answer_harmless_and_a_line_end(capfd: pytest.CaptureFixture[str]) -> None:
    answer = AnswerText(terminal=True, safe=True)
    for piece in (EVIL, "x\r", "\ny"):
        answer.write(piece)
    answer.end()
    assert capfd.readouterr().out == "a␛[31mb⟨U+202E⟩x\ny\n"


def test_an_answer_that_ends_its_own_line_gets_no_second_end(capfd: pytest.CaptureFixture[str]) -> None:
    answer = AnswerText(terminal=True, safe=True)
    answer.write("done\n")
    answer.end()
    AnswerText(terminal=True, safe=True).end()
    assert capfd.readouterr().out == "done\n"


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
    open_stdout()  # makes it block again
    write_stdout(content)
    os.close(1)
    reader.join(30)
    os.close(read_end)
    assert bytes(received) == content


def test_a_slow_reader_gets_every_byte_though_a_signal_said_to_end(fd1: None) -> None:
    read_end, write_end = os.pipe()
    os.dup2(write_end, 1)
    os.close(write_end)
    content = os.urandom(1 << 20)
    received = bytearray()

    def reading() -> None:
        while piece := os.read(read_end, 3_000):
            received.extend(piece)

    from threading import Thread

    reader = Thread(target=reading)
    reader.start()
    told_to_end.code = ExitCode.TERMINATED
    try:
        write_stdout(content)
    finally:
        told_to_end.code = None
        os.close(1)
        reader.join(30)
        os.close(read_end)
    assert bytes(received) == content


def test_a_write_that_nobody_reads_is_given_up_when_a_signal_says_to_end(fd1: None) -> None:
    read_end, write_end = os.pipe()
    os.dup2(write_end, 1)
    os.close(write_end)
    told_to_end.code = ExitCode.TERMINATED
    try:
        with pytest.raises(ClosedPipe) as raised:
            write_stdout(bytes(1 << 20))
    finally:
        told_to_end.code = None
        os.close(read_end)
    assert raised.value.code is ExitCode.TERMINATED


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
        open_stdout()


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


# Colour and safety


@pytest.mark.parametrize(
    ("variables", "terminal", "expected"),
    [
        ({}, True, True),
        ({}, False, False),
        ({"NO_COLOR": "1"}, True, False),
        ({"NO_COLOR": ""}, True, True),
        ({"FORCE_COLOR": "1"}, False, True),
        ({"FORCE_COLOR": "0"}, True, True),
        ({"NO_COLOR": "1", "FORCE_COLOR": "1"}, True, False),
        ({"TERM": "dumb"}, True, False),
        ({"LLMR_COLOR": "never", "FORCE_COLOR": "1"}, True, False),
        ({"LLMR_COLOR": "always", "NO_COLOR": "1"}, False, True),
    ],
)
def test_the_nearest_word_on_colour_wins(variables: dict[str, str], terminal: bool, expected: bool) -> None:
    environment = world(**variables)
    assert colored(color_wish(None, environment), environment, terminal=terminal) is expected
    assert colored(color_wish("always", environment), environment, terminal=terminal)
    assert not colored(color_wish("never", environment), environment, terminal=terminal)


@pytest.mark.parametrize(("said", "variables"), [("alway", {}), (None, {"LLMR_COLOR": "blue"})])
def test_a_color_wish_that_does_not_exist_is_named(said: str | None, variables: dict[str, str]) -> None:
    with pytest.raises(UsageError, match=r"alway|blue"):
        color_wish(said, world(**variables))


@pytest.mark.parametrize("variables", [{}, {"FORCE_COLOR": "1"}, {"CLICOLOR_FORCE": "1"}])
def test_no_variable_that_ci_sets_for_all_adds_a_byte_to_a_pipe(
    variables: dict[str, str], capfd: pytest.CaptureFixture[str]
) -> None:
    answer = answer_for(**variables)
    answer.write("# **x**")
    answer.end()
    assert capfd.readouterr().out == "# **x**"


def test_safe_output_always_makes_a_pipe_harmless_too(capfd: pytest.CaptureFixture[str]) -> None:
    answer = answer_for(safe=SafeOutput.ALWAYS)
    answer.write(EVIL)
    answer.end()
    assert capfd.readouterr().out == "a␛[31mb⟨U+202E⟩"


def test_colour_asked_for_in_so_many_words_draws_markdown_in_a_pipe(
    run: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    async def scenario() -> None:
        answer = answer_for(wish=ColorWish.ALWAYS, COLUMNS="20")
        assert isinstance(answer, MarkdownAnswer)
        for piece in ("# He", "ad\n\nsome **bo", "ld** words that wrap", EVIL):
            answer.write(piece)
        answer.end()

    run(scenario())
    out = capfd.readouterr().out
    assert out.startswith("\x1b[1;4;35mHead\x1b[0m\n\nsome \x1b[1mbold\x1b[0m words that\nwrap")
    assert "\x1b[31m" not in out
    assert "\x1b[J" not in out


def test_raw_and_never_safe_are_text_even_with_color(run: Any) -> None:
    async def scenario() -> None:
        assert isinstance(answer_for(raw=True, wish=ColorWish.ALWAYS), AnswerText)
        assert isinstance(answer_for(safe=SafeOutput.NEVER, wish=ColorWish.ALWAYS), AnswerText)

    run(scenario())


def test_paints_are_twenty_a_second_and_the_last_one_is_not_forgotten(run: Any) -> None:
    written: list[str] = []

    async def scenario() -> None:
        answer = MarkdownAnswer(MarkdownScreen(written.append, lambda: (80, 24), color=False))
        answer.write("one")
        assert written == ["one"]  # the first token is not held back
        for _ in range(20):
            answer.write(" x")
        assert written == ["one"]
        while len(written) == 1:
            await asyncio.sleep(0)
        assert written == ["one", " x" * 20]
        answer.end()

    run(scenario())
    assert written[-1] == "\n"


def test_a_terminal_that_goes_away_between_two_words_is_told_with_the_next(run: Any) -> None:
    async def scenario() -> None:
        writes: list[str] = []

        def put(text: str) -> None:
            writes.append(text)
            if len(writes) > 1:
                raise OutputError("gone")

        answer = MarkdownAnswer(MarkdownScreen(put, lambda: (80, 24), color=False))
        answer.write("one")
        answer.write(" two")
        while len(writes) == 1:
            await asyncio.sleep(0)
        with pytest.raises(OutputError, match="gone"):
            answer.write(" three")

    run(scenario())
