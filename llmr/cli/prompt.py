"""What was typed and piped → the prompt.

Arguments are joined by blanks; standard input follows after a blank line, or stands where `-` does. Input that is not
text is refused with its place, never sent half-decoded.
"""

import sys
from collections.abc import Sequence
from typing import Final

from llmr.errors import UsageError

MOST_BYTES: Final = 10 * 1024 * 1024  # ~2.5 million tokens: more than the largest window of 2026 (2 million)


def read_prompt(words: Sequence[str]) -> str:
    """The prompt. Raises UsageError where there is none, or where it is not text or too long."""
    on_terminal = sys.stdin is None or sys.stdin.isatty()  # pyright: ignore[reportUnnecessaryComparison] - after `<&-`
    piped = "" if on_terminal else _read_stdin()
    if "-" in words:
        if on_terminal:
            piped = _read_stdin()
        prompt = " ".join(piped.strip("\n") if word == "-" else word for word in words)
    else:
        prompt = "\n\n".join(part for part in (" ".join(words), piped) if part.strip())
    if not prompt.strip():
        raise UsageError(_nothing(on_terminal=on_terminal))
    try:
        size = len(prompt.encode())
    except UnicodeEncodeError as error:  # argv that is no UTF-8 arrives as lone surrogates
        raise UsageError("the prompt is not valid UTF-8; check your terminal's encoding") from error
    if size > MOST_BYTES:
        raise UsageError(_too_long(size))
    return prompt


def _read_stdin() -> str:
    if sys.stdin is None:  # pyright: ignore[reportUnnecessaryComparison] - it is, after `<&-`
        return ""
    try:
        raw = sys.stdin.buffer.read(MOST_BYTES + 1)
    except OSError as error:
        raise UsageError(f"standard input cannot be read: {error.strerror}") from error
    if len(raw) > MOST_BYTES:
        raise UsageError(_too_long(len(raw)))
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        byte, offset = error.object[error.start], error.start + len(raw) - len(error.object)  # it has lost its mark
        raise UsageError(
            f"standard input is not UTF-8 text (byte 0x{byte:02x} at offset {offset}); convert it with iconv first"
        ) from error
    if "\0" in text:
        raise UsageError(f"standard input is binary (a NUL at offset {text.index(chr(0))}); llmr chat sends text")
    return text


def _nothing(*, on_terminal: bool) -> str:
    if on_terminal:
        return "no prompt; say it after `llmr chat`, or pipe it in"
    return "no prompt: no words were given and standard input is empty"


def _too_long(size: int) -> str:
    more = "more than " if size == MOST_BYTES + 1 else ""
    return (
        f"the prompt has {more}{size / 1e6:.0f} MB; no model takes more than {MOST_BYTES // 1024**2} MiB of text. "
        "Send a part of it"
    )
