"""Several answers shown: how far each is while they come, then all of them.

On a terminal the answers stand side by side where it is wide enough, else below each other, in the order in which they were
named; in a pipe, and as their own text (--raw), they stand below each other under headings, and go the way of an answer that
is alone (answers.py): --safe-output, --raw and --color mean the same. What an answer took is on stderr there, for stdout is
the answers.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from llmr.cli.answers import SafeOutput, streamed_answer, terminal_size
from llmr.cli.color import color_wish, colored
from llmr.cli.contender import Contender
from llmr.cli.delivery import OutputWish
from llmr.cli.live_rows import Rows
from llmr.cli.output import stdout_is_terminal, utf8, write_stdout
from llmr.config.environment import Environment
from llmr.errors import ErrorKind
from llmr.render.chat_json import ErrorNote, chat_document, json_line
from llmr.render.figures import milliseconds
from llmr.render.growing import Growing, growing_rows
from llmr.routing.tokens import estimate_text_tokens
from llmr.secret import Redactor

COMPARE_SCHEMA: Final = "llmr.compare/1"
_MOST_ROWS: Final = 16  # of what is taken back: enough to see that it comes


def live_view(everyone: Sequence[Contender], elapsed_s: Callable[[], float], redact: Redactor) -> Rows:
    """What shows how far each is."""

    def rows(width: int, height: int) -> Sequence[str]:
        growing = [Growing(one.title, redact(_so_far(one, elapsed_s())), one.text) for one in everyone]
        return growing_rows(growing, width, min(height, _MOST_ROWS))

    return rows


def _so_far(one: Contender, elapsed_s: float) -> str:
    transcript = one.transcript
    if transcript.finished is not None or one.error is not None:
        return one.facts
    by = transcript.answered_by
    if by is not None and by.ttft_s is not None:
        return f"first token {milliseconds(by.ttft_s)} · ~{estimate_text_tokens(one.text):,} tokens"
    last = transcript.attempts[-1] if transcript.attempts else None
    asked = last.candidate.key if last is not None else ""
    asking = "waiting" if asked == one.title or not asked else f"asking {asked}"
    if transcript.waits and (last is None or last.outcome != "running"):
        asking = f"waiting {transcript.waits[-1].reason}"
    return f"{asking}, {elapsed_s:.0f} s" if elapsed_s >= 1 else asking


def write_json(everyone: Sequence[Contender], redact: Redactor) -> None:
    """The document of `--compare --json`: each answer as `chat --json` has it, with the name it was asked by. Raises
    OutputError, ClosedPipe."""
    answers: list[dict[str, Any]] = []
    for one in everyone:
        note = one.note
        if note is None and one.transcript.finished is None:
            note = ErrorNote(ErrorKind.CANCELLED.value, "interrupted", int(one.code))
        answers.append({"title": one.title, **chat_document(one.transcript, note, redact)})
    write_stdout(json_line({"schema": COMPARE_SCHEMA, "answers": answers}))


def write_text(everyone: Sequence[Contender], output: OutputWish, environment: Environment, redact: Redactor) -> None:
    """Write the answers, each as one alone would be written. Within the event loop. Raises OutputError, ClosedPipe."""
    safe = SafeOutput(output.safe_output)
    wish = color_wish(output.color, environment)
    if output.raw or safe is SafeOutput.NEVER or not stdout_is_terminal():
        for one in everyone:
            text = one.transcript.response.text or f"*{redact(one.facts)}*"
            line_end = "" if text.endswith("\n") else "\n"
            answer = streamed_answer(environment, raw=output.raw, wish=wish, safe=safe)
            answer.write(f"## {one.title}\n\n{text}{line_end}\n")
            answer.end()
        return
    from llmr.render.growing import fits
    from llmr.render.side_by_side import Shown, below, columns

    width, _ = terminal_size(environment)
    color = colored(wish, environment, terminal=True)
    shown = [Shown(one.title, redact(one.facts), one.transcript.response.text) for one in everyone]
    if fits(len(shown), width):
        lines = columns(shown, width, color=color)
    else:
        lines = [line for answer in shown for line in [*below(answer, max(width, 10), color=color), ""]]
    write_stdout(utf8("".join(f"{line}\n" for line in lines)))


def facts_lines(everyone: Sequence[Contender]) -> Iterator[str]:
    """What remains to be said of answers that went into a pipe."""
    if not stdout_is_terminal():
        yield from (f"{one.title}: {one.facts}" for one in everyone)
