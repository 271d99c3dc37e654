"""What was typed, piped and attached → the prompt.

Arguments are joined by blanks; standard input follows after a blank line, or stands where `-` does. `@FILE` stands for the
file's content, in its place; a picture, PDF or sound that is meant so is attached. A word that begins with a literal `@` is
written `@@word`: a file name with a typo must not reach a model as prose, so nothing is guessed. In the middle of a quoted
prompt `@FILE` is prose, sent as it is; where there is such a file, that is said. `-a FILE` sends a file along, text below the
prompt under its name, the rest as what it is by content; `-a -` is standard input, binary or not.

Input that is not text is refused with its place, never sent half-decoded.
"""

import re
import sys
from collections.abc import Iterator, Sequence
from io import BufferedReader
from pathlib import Path
from typing import Final, cast

from llmr.chat import Media, Message, Part, Role, Text
from llmr.dataclass import dataclass
from llmr.errors import UsageError

MOST_BYTES: Final = 10 * 1024 * 1024  # ~2.5 million tokens: more than the largest window of 2026 (2 million)
_STDIN: Final = "-"
_PUNCTUATION: Final = ".,;:!?)]}'\""
_IN_PROSE: Final = re.compile(r"(?<=\s)@(\S+)")  # at the beginning of an argument it is read, or an error
_PIECE_BYTES: Final = 64 * 1024  # what a pipe holds


@dataclass(frozen=True, slots=True)
class Prompt:
    """The words of it, and what is sent along."""

    text: str
    attached: tuple[Media, ...] = ()

    def message(self) -> Message:
        """The user's turn: attachments first, as the makers advise, then the question about them."""
        text: tuple[Part, ...] = (Text(self.text),) if self.text.strip() else ()
        return Message(Role.USER, (*self.attached, *text))


def read_prompt(
    words: Sequence[str], attach: Sequence[str] = (), *, prompt_file: str | None = None, may_be_empty: bool = False
) -> Prompt:
    """The prompt. Raises UsageError where there is none, or where it is not text or too long.

    `may_be_empty`: a template or an editor will say more.
    """
    on_terminal = sys.stdin is None or sys.stdin.isatty()  # pyright: ignore[reportUnnecessaryComparison] - after `<&-`
    as_word, as_attachment = _STDIN in words, _STDIN in attach
    if as_word and as_attachment:
        raise UsageError("standard input can stand for `-` or for `-a -`, not for both")
    piped = "" if as_attachment or (on_terminal and not as_word) else _read_stdin()
    media: list[Media] = []
    blocks: list[str] = [_file(Path(prompt_file), media, hint="")] if prompt_file is not None else []
    blocks.append(_joined(list(_pieces(words, piped, media))))
    if not as_word:
        blocks.append(piped)
    for name in attach:
        blocks += _attached(name, media)
    text = "\n\n".join(block for block in blocks if block.strip())
    if not text.strip() and not media and not may_be_empty:
        raise UsageError(_nothing(on_terminal=on_terminal))
    _check(text, media)
    return Prompt(text, tuple(media))


def _pieces(words: Sequence[str], piped: str, media: list[Media]) -> Iterator[str]:
    for word in words:
        if word == _STDIN:
            yield piped.strip("\n")
        elif word.startswith("@@"):
            yield word[1:]
        elif word.startswith("@") and len(word) > 1:
            yield _file(Path(word[1:]), media, hint="; for the text itself write @@{}").strip("\n")
        else:
            yield word


def file_named(word: str) -> str | None:
    """The file that `@word` in prose means, without the punctuation behind it; None: there is none."""
    for name in dict.fromkeys((word, word.rstrip(_PUNCTUATION))):
        try:
            if name and not name.startswith("@") and Path(name).expanduser().is_file():
                return name
        except (OSError, RuntimeError, ValueError):  # too long for a name, the home of nobody, a NUL
            continue
    return None


def unread_files(words: Sequence[str]) -> list[str]:
    """Files that stand as `@FILE` in the middle of a quoted prompt: their names are sent, not they."""
    quoted = [word for word in words if any(map(str.isspace, word.strip()))]
    named = (file_named(word) for one in quoted for word in _IN_PROSE.findall(one))
    return list(dict.fromkeys(name for name in named if name is not None))


def _joined(pieces: Sequence[str]) -> str:
    """Words by blanks; what has lines of its own stands apart."""
    text = ""
    apart = False
    for piece in (piece for piece in pieces if piece):
        gap = "\n\n" if apart or "\n" in piece else " "
        text += (gap if text else "") + piece
        apart = "\n" in piece
    return text


def _file(path: Path, media: list[Media], *, hint: str) -> str:
    """The file's text; "" where it is something else, which is attached. `hint`: what to do where there is no file {}."""
    from llmr.attachments import read_file, shown, sniffed, text_in

    try:
        content = read_file(path)
    except UsageError as error:
        raise UsageError(f"{error}{'' if path.exists() else hint.format(shown(str(path)))}") from error
    found = sniffed(content)
    if found is None:
        return text_in(content, shown(str(path)))
    media.append(Media(*found, content=content, name=path.name))
    return ""


def _attached(name: str, media: list[Media]) -> Iterator[str]:
    """The text of one attachment, if it is text; else it is added to `media`."""
    from llmr.attachments import by_url, from_bytes, from_file, is_url

    if is_url(name):
        part: Part = by_url(name)
    elif name == _STDIN:
        part = from_bytes(_stdin_bytes(), name=None)
    else:
        part = from_file(Path(name))
    if isinstance(part, Media):
        media.append(part)
    elif isinstance(part, Text):
        yield part.text


def _check(text: str, media: Sequence[Media]) -> None:
    try:
        size = len(text.encode())
    except UnicodeEncodeError as error:  # argv that is no UTF-8 arrives as lone surrogates
        raise UsageError("the prompt is not valid UTF-8; check your terminal's encoding") from error
    if size > MOST_BYTES:
        raise UsageError(_too_long(size))
    if not media:
        return
    from llmr.attachments import MOST_TOGETHER_BYTES

    together = sum(len(one.content or b"") for one in media)
    if together > MOST_TOGETHER_BYTES:
        raise UsageError(
            f"the attachments have {together / 1e6:.0f} MB together; no provider takes more than "
            f"{MOST_TOGETHER_BYTES // 1024**2} MiB in one request"
        )


def _stdin_bytes() -> bytes:
    from llmr.attachments import MOST_BYTES as MOST_ATTACHED_BYTES

    raw = _raw_stdin(MOST_ATTACHED_BYTES)
    if len(raw) > MOST_ATTACHED_BYTES:
        raise UsageError(f"standard input: is larger than {MOST_ATTACHED_BYTES // 1024**2} MiB; send a part of it")
    return raw


def _raw_stdin(most_bytes: int) -> bytes:
    """Standard input to its end, or one byte more than `most_bytes`.

    Piece by piece: one read of all of it would not notice a Ctrl-C between two of its system calls.
    """
    if sys.stdin is None:  # pyright: ignore[reportUnnecessaryComparison] - it is, after `<&-`
        return b""
    raw = bytearray()
    try:
        while len(raw) <= most_bytes and (piece := cast("BufferedReader", sys.stdin.buffer).read1(_PIECE_BYTES)):
            raw += piece
    except OSError as error:
        raise UsageError(f"standard input cannot be read: {error.strerror}") from error
    return bytes(raw[: most_bytes + 1])


def _read_stdin() -> str:
    raw = _raw_stdin(MOST_BYTES)
    if len(raw) > MOST_BYTES:
        raise UsageError(_too_long(len(raw)))
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        byte, offset = error.object[error.start], error.start + len(raw) - len(error.object)  # it has lost its mark
        raise UsageError(
            f"standard input is not UTF-8 text (byte 0x{byte:02x} at offset {offset}); convert it with iconv first, "
            "or attach it with `-a -`"
        ) from error
    if "\0" in text:
        raise UsageError(
            f"standard input is binary (a NUL at offset {text.index(chr(0))}); `-a -` attaches an image, PDF or sound"
        )
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
