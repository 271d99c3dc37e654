"""A file that is sent along: read within limits, and known by its content, never by its name.

The file may be anything that a path can lead to (trust.md B54): one descriptor is opened without blocking and everything is
asked of that, so a FIFO, a device or a directory is refused at once, and no more is ever read than the limit and one byte.
Links are followed: the path is the person's own word. Text is sent as text, with its name above it; what is neither text
nor a kind that some model takes is refused here, before anybody is asked. llmr fetches no URL; see `by_url`.
"""

import os
import stat
from pathlib import Path, PurePosixPath
from typing import Final
from urllib.parse import urlsplit

from llmr.chat import Media, MediaKind, Part, Text
from llmr.config.files import read_within
from llmr.dataclass import dataclass
from llmr.errors import UsageError

MOST_BYTES: Final = 20 * 1024 * 1024  # what Gemini takes inline; Anthropic 32 MB, OpenAI 50 MB a request
MOST_TEXT_BYTES: Final = 10 * 1024 * 1024  # as prompt.MOST_BYTES
MOST_TOGETHER_BYTES: Final = 50 * 1024 * 1024

_PDF_WITHIN: Final = 1024  # ISO 32000-1, annex H.3.4.1: readers accept a header within the first 1,024 bytes
_SHOWN_CHARACTERS: Final = 100


@dataclass(frozen=True, slots=True)
class _Form:
    """How content of one kind begins: `start`, and `inside` at `offset`."""

    start: bytes
    kind: MediaKind
    media_type: str
    inside: bytes = b""
    offset: int = 8

    def fits(self, content: bytes) -> bool:
        return content.startswith(self.start) and content[self.offset :].startswith(self.inside)


_FORMS: Final = (  # the makers' own specifications; the WHATWG MIME Sniffing standard §6 lists most of them
    _Form(b"\x89PNG\r\n\x1a\n", MediaKind.IMAGE, "image/png"),
    _Form(b"\xff\xd8\xff", MediaKind.IMAGE, "image/jpeg"),
    _Form(b"GIF87a", MediaKind.IMAGE, "image/gif"),
    _Form(b"GIF89a", MediaKind.IMAGE, "image/gif"),
    _Form(b"RIFF", MediaKind.IMAGE, "image/webp", b"WEBP"),
    _Form(b"RIFF", MediaKind.AUDIO, "audio/wav", b"WAVE"),
    _Form(b"ID3\2", MediaKind.AUDIO, "audio/mpeg"),
    _Form(b"ID3\3", MediaKind.AUDIO, "audio/mpeg"),
    _Form(b"ID3\4", MediaKind.AUDIO, "audio/mpeg"),
    _Form(b"\xff\xfb", MediaKind.AUDIO, "audio/mpeg"),
    _Form(b"\xff\xf3", MediaKind.AUDIO, "audio/mpeg"),
    _Form(b"\xff\xf2", MediaKind.AUDIO, "audio/mpeg"),
    _Form(b"fLaC\0", MediaKind.AUDIO, "audio/flac"),
    _Form(b"OggS\0", MediaKind.AUDIO, "audio/ogg"),
    _Form(b"", MediaKind.AUDIO, "audio/mp4", b"ftypM4A", 4),
    _Form(b"\xff\xf1", MediaKind.AUDIO, "audio/aac"),
    _Form(b"\xff\xf9", MediaKind.AUDIO, "audio/aac"),
)

_KNOWN_BUT_TAKEN_BY_NOBODY: Final = (
    (b"ftyphei", 4, "a HEIC photo; convert it to JPEG first"),
    (b"ftypmif1", 4, "a HEIF photo; convert it to JPEG first"),
    (b"ftypavif", 4, "an AVIF image; convert it to PNG first"),
    (b"ftyp", 4, "a video"),
    (b"\x1aE\xdf\xa3", 0, "a video"),
    (b"BM", 0, "a BMP image, or binary data; convert an image to PNG first"),
    (b"II*\0", 0, "a TIFF image; convert it to PNG first"),
    (b"MM\0*", 0, "a TIFF image; convert it to PNG first"),
    (b"PK\x03\x04", 0, "a ZIP archive or an office document; unpack it, or save it as PDF"),
    (b"\x1f\x8b", 0, "compressed; unpack it first"),
    (b"\xff\xfe", 0, "UTF-16 text; convert it with iconv first"),
    (b"\xfe\xff", 0, "UTF-16 text; convert it with iconv first"),
)

_BY_SUFFIX: Final = {  # of a URL, whose content nobody here looks at
    ".png": (MediaKind.IMAGE, "image/png"),
    ".jpg": (MediaKind.IMAGE, "image/jpeg"),
    ".jpeg": (MediaKind.IMAGE, "image/jpeg"),
    ".gif": (MediaKind.IMAGE, "image/gif"),
    ".webp": (MediaKind.IMAGE, "image/webp"),
    ".pdf": (MediaKind.DOCUMENT, "application/pdf"),
}


def is_url(name: str) -> bool:
    """Whether an attachment is named by a URL."""
    return name.lower().startswith(("http://", "https://"))


def by_url(url: str) -> Media:
    """An attachment that the provider fetches itself. Raises UsageError for what cannot be told to be a picture or a PDF."""
    suffix = PurePosixPath(urlsplit(url).path).suffix.lower()
    if suffix not in _BY_SUFFIX or not url.isprintable() or " " in url:
        raise UsageError(
            f"{shown(url)}: an attached URL must end in {', '.join(_BY_SUFFIX)}: llmr does not fetch it to see what it is. "
            "Download it and attach the file"
        )
    kind, media_type = _BY_SUFFIX[suffix]
    return Media(kind, media_type, url=url)


def from_file(path: Path) -> Part:
    """The file's content as a part of a message. Raises UsageError."""
    return from_bytes(read_file(path), name=path.name)


def from_bytes(content: bytes, *, name: str | None) -> Part:
    """Content of any origin as a part of a message; `name` stands above text. Raises UsageError."""
    label = shown(name or "standard input")
    media = sniffed(content)
    if media is not None:
        kind, media_type = media
        return Media(kind, media_type, content=content, name=name)
    return Text(titled(name, text_in(content, label)))


def sniffed(content: bytes) -> tuple[MediaKind, str] | None:
    """What the content is, None: nothing but text at best."""
    form = next((form for form in _FORMS if form.fits(content)), None)
    if form is not None:
        return form.kind, form.media_type
    return (MediaKind.DOCUMENT, "application/pdf") if b"%PDF-" in content[:_PDF_WITHIN] else None


def text_in(content: bytes, label: str) -> str:
    """The content as text. Raises UsageError for what is none, saying what it seems to be."""
    if not content:
        raise UsageError(f"{label}: is empty")
    if len(content) > MOST_TEXT_BYTES:
        raise UsageError(f"{label}: has {len(content) / 1e6:.0f} MB of text; no model takes more than 10 MiB")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        guess = _guess(content) or f"not UTF-8 text (byte 0x{content[error.start]:02x} at offset {error.start})"
        raise UsageError(f"{label}: is {guess}; text, images, PDF and sound can be sent") from error
    if "\0" in text:
        raise UsageError(f"{label}: is {_guess(content) or 'binary data'}; text, images, PDF and sound can be sent")
    return text


def titled(name: str | None, text: str) -> str:
    """Text with its file's name, so that a model can speak of it."""
    title = "".join(character for character in name or "" if character.isprintable() and character not in '<>"')
    end = "" if text.endswith("\n") else "\n"
    return f'<file name="{title}">\n{text}{end}</file>' if title else text


def read_file(path: Path, most_bytes: int = MOST_BYTES) -> bytes:
    """At most `most_bytes` of a regular file, at once. Raises UsageError for any other file and for more."""
    label = shown(str(path))
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    except ValueError as error:  # a NUL in the name
        raise UsageError(f"{label}: is not a file name") from error
    except OSError as error:
        raise UsageError(f"{label}: {(error.strerror or 'cannot be read').lower()}") from error
    try:
        facts = os.fstat(descriptor)
        if not stat.S_ISREG(facts.st_mode):
            raise UsageError(f"{label}: {_no_file(facts.st_mode)}")
        if facts.st_size > most_bytes:
            raise UsageError(_too_large(label, most_bytes))
        return _read(descriptor, label, most_bytes)
    finally:
        os.close(descriptor)


def shown(name: str) -> str:
    """A file's name as a message has it: on one line, short."""
    text = name if name.isprintable() else repr(name)[1:-1]
    return text if len(text) <= _SHOWN_CHARACTERS else "…" + text[1 - _SHOWN_CHARACTERS :]


def _read(descriptor: int, label: str, most_bytes: int) -> bytes:
    try:
        content = read_within(descriptor, most_bytes)
    except OSError as error:
        raise UsageError(f"{label}: {(error.strerror or 'cannot be read').lower()}") from error
    if content is None:
        raise UsageError(_too_large(label, most_bytes))
    return content


def _too_large(label: str, most_bytes: int) -> str:
    return f"{label}: is larger than {most_bytes // 1024**2} MiB; no provider takes more in one piece"


def _no_file(mode: int) -> str:
    if stat.S_ISDIR(mode):
        return "is a directory; attach the files in it one by one"
    if stat.S_ISFIFO(mode):
        return "is a pipe; let it flow into llmr's standard input and say `-a -`"
    return "is a device or socket, not a file"


def _guess(content: bytes) -> str | None:
    return next((what for mark, at, what in _KNOWN_BUT_TAKEN_BY_NOBODY if content.startswith(mark, at)), None)
