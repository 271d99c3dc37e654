"""`llmr chat --compare a,b,c` and `--n N`: one question, several answers, asked at the same time.

Each is a request of its own, with its own fallback; they share the process, the state and the connection pool. On a terminal
the answers stand side by side where it is wide enough, else below each other, in the order in which they were named; in a pipe
they stand below each other under headings. What an answer took is on stderr there, for stdout is the answers. One that fails
leaves the others alone; the exit code is 0 when at least one answer is whole.
"""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import Any, Final

from llmr.app import App
from llmr.chat import ChatRequest
from llmr.cli.color import ColorWish, color_wish, colored
from llmr.cli.delivery import OutputWish
from llmr.cli.exit_codes import ExitCode, exit_code_of
from llmr.cli.failure import failure_lines, note_of
from llmr.cli.output import stdout_is_terminal, utf8, write_stdout
from llmr.cli.signals import Signals
from llmr.cli.spinner import Spinner
from llmr.config.environment import Environment
from llmr.errors import LlmrError, StreamInterrupted, UsageError
from llmr.render.chat_json import chat_document, json_line
from llmr.render.figures import milliseconds
from llmr.render.transcript import Transcript, tokens_per_s
from llmr.secret import Redactor

COMPARE_SCHEMA: Final = "llmr.compare/1"
MOST: Final = 8  # at once: more cannot be compared by eye, and each costs


@dataclass(slots=True)
class Contender:
    """One of those who are asked. `error`: how its request ended, None: well, or not yet."""

    title: str
    request: ChatRequest
    transcript: Transcript = field(default_factory=Transcript)
    error: LlmrError | None = None

    @property
    def facts(self) -> str:
        """Who answered, how fast, for how much; or what went wrong."""
        by, done = self.transcript.answered_by, self.transcript.finished
        if done is None or by is None or by.ttft_s is None:
            return " · ".join(map(str.strip, failure_lines(self.error))) if self.error is not None else "interrupted"
        speed = tokens_per_s(done)
        words = [] if by.candidate.key == self.title else [by.candidate.key]
        words += [milliseconds(done.total_s), f"first token {milliseconds(by.ttft_s)}"]
        words += [] if speed is None else [f"{speed:.0f} tokens/s"]
        words += ["cost unknown" if done.cost_usd is None else f"${done.cost_usd:.6f}" if done.cost_usd else "free"]
        return " · ".join(words)


def contenders(request: ChatRequest, names: str | None, times: int | None) -> list[Contender]:
    """Who is asked: every one of `names`, or the same one so many times. Raises UsageError."""
    if names is not None and times is not None:
        raise UsageError("--compare names the models, --n asks one of them several times: choose one")
    if names is None:
        return [Contender(f"answer {number}", request) for number in range(1, (times or 1) + 1)]
    models = [name.strip() for name in names.split(",") if name.strip()]
    if request.model:
        raise UsageError("--compare names the models: leave -m out")
    if not 2 <= len(models) <= MOST:
        raise UsageError(f"--compare takes 2 to {MOST} names with commas between them, not {names!r}")
    return [Contender(model, replace(request, model=model)) for model in models]


def refuse_with_several(output: OutputWish) -> None:
    """Raise UsageError for what is made for one answer."""
    for wished, option in ((output.as_jsonl, "--jsonl"), (output.extract, "-x"), (output.copy, "--copy")):
        if wished:
            raise UsageError(f"{option} is for one answer: leave it out, or --compare and --n")
    if output.file is not None:
        raise UsageError("-o is for one answer: redirect several (> FILE)")


async def compare(
    app: App, everyone: Sequence[Contender], output: OutputWish, environment: Environment, *, spinning: bool
) -> tuple[ExitCode, list[str]]:
    """Ask everyone at once under signal handlers, and write what came to stdout. The exit code, and what remains to be said.
    Raises OutputError, ClosedPipe."""
    asking = asyncio.get_running_loop().create_task(_ask_all(app, everyone, spinning=spinning))
    with Signals(asking) as signals:
        try:
            await asking
        except asyncio.CancelledError:
            if signals.code is None:
                raise
            for one in everyone:
                one.transcript.cancelled()
        if output.as_json:
            write_stdout(_document(everyone, app.redact))
            said: list[str] = []
        else:
            said = list(_write_text(everyone, environment, color_wish(output.color, environment), app.redact))
        return signals.code or _outcome(everyone), said


async def _ask_all(app: App, everyone: Sequence[Contender], *, spinning: bool) -> None:
    left = len(everyone)

    async def ask(one: Contender) -> None:
        try:
            async with aclosing(app.router.stream(one.request)) as events:
                async for event in events:
                    one.transcript.add(event)
        except LlmrError as error:
            one.error = error
            if isinstance(error, StreamInterrupted):
                one.transcript.broke(error)
        nonlocal left
        left -= 1
        spinner.start(f"{left} of {len(everyone)} still to answer")

    async with app.transport, Spinner(shown=spinning) as spinner:
        spinner.start(f"asking {len(everyone)} at once")
        async with asyncio.TaskGroup() as group:
            for one in everyone:
                group.create_task(ask(one))


def _outcome(everyone: Sequence[Contender]) -> ExitCode:
    """OK where somebody answered; else what the first one failed of."""
    if any(one.transcript.finished is not None for one in everyone):
        return ExitCode.OK
    return next((exit_code_of(one.error) for one in everyone if one.error is not None), ExitCode.ALL_DOWN)


def _document(everyone: Sequence[Contender], redact: Redactor) -> bytes:
    """The document of `--compare --json`: each answer as `chat --json` has it, with the name it was asked by."""
    answers: list[dict[str, Any]] = []
    for one in everyone:
        note = note_of(one.error) if one.error is not None else None
        answers.append({"title": one.title, **chat_document(one.transcript, note, redact)})
    return json_line({"schema": COMPARE_SCHEMA, "answers": answers})


def _write_text(
    everyone: Sequence[Contender], environment: Environment, wish: ColorWish, redact: Redactor
) -> Iterator[str]:
    """Write the answers to stdout; what remains to be said of them. Raises OutputError, ClosedPipe."""
    if not stdout_is_terminal():
        for one in everyone:
            text = one.transcript.response.text or f"*{redact(one.facts)}*"
            line_end = "" if text.endswith("\n") else "\n"
            write_stdout(utf8(f"## {one.title}\n\n{text}{line_end}\n"))
            yield f"{one.title}: {one.facts}"
        return
    from llmr.cli.answers import terminal_size
    from llmr.render.side_by_side import Shown, below, columns, fits

    width, _ = terminal_size(environment)
    color = colored(wish, environment, terminal=True)
    shown = [Shown(one.title, redact(one.facts), one.transcript.response.text) for one in everyone]
    if fits(len(shown), width):
        lines = columns(shown, width, color=color)
    else:
        lines = [line for answer in shown for line in [*below(answer, max(width, 10), color=color), ""]]
    write_stdout(utf8("".join(f"{line}\n" for line in lines)))
