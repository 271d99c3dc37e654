"""Files that are sent along: known by content, read within limits, refused in one line (trust.md B54)."""

import os
from pathlib import Path

import pytest

from llmr.attachments import MOST_BYTES, by_url, from_bytes, from_file, read_file
from llmr.chat import Media, MediaKind, Text
from llmr.errors import UsageError

WEBP = b"RIFF\x24\0\0\0WEBPVP8 "
WAV = b"RIFF\x24\0\0\0WAVEfmt "


@pytest.mark.parametrize(
    ("content", "kind", "media_type"),
    [
        (b"\x89PNG\r\n\x1a\n\0\0", MediaKind.IMAGE, "image/png"),
        (b"\xff\xd8\xff\xe0\0\x10JFIF", MediaKind.IMAGE, "image/jpeg"),
        (b"GIF89a\1\0", MediaKind.IMAGE, "image/gif"),
        (WEBP, MediaKind.IMAGE, "image/webp"),
        (WAV, MediaKind.AUDIO, "audio/wav"),
        (b"ID3\x04\0", MediaKind.AUDIO, "audio/mpeg"),
        (b"\xff\xfb\x90\x64", MediaKind.AUDIO, "audio/mpeg"),
        (b"fLaC\0", MediaKind.AUDIO, "audio/flac"),
        (b"OggS\0", MediaKind.AUDIO, "audio/ogg"),
        (b"\0\0\0\x20ftypM4A ", MediaKind.AUDIO, "audio/mp4"),
        (b"%PDF-1.7\n\xe2\xe3", MediaKind.DOCUMENT, "application/pdf"),
        (b"\r\n\r\n%PDF-1.4\n", MediaKind.DOCUMENT, "application/pdf"),
    ],
)
def test_a_kind_is_told_by_content_whatever_the_name_says(tmp_path: Path, content, kind, media_type):
    file = tmp_path / "misleading.txt"
    file.write_bytes(content)
    assert from_file(file) == Media(kind, media_type, content=content, name="misleading.txt")


def test_text_goes_under_its_name(tmp_path: Path):
    file = tmp_path / "notes.png"
    file.write_bytes("\ufeffgrüße\n".encode())
    assert from_file(file) == Text('<file name="notes.png">\ngrüße\n</file>')


def test_prose_about_a_format_is_prose():
    for text in ("ID3 tags", "OggS and fLaC", "fLaC", "RIFF", "BM", "GIF", "II*"):
        assert from_bytes(text.encode(), name=None) == Text(text)


def test_a_name_cannot_end_its_own_mark(tmp_path: Path):
    file = tmp_path / 'a">\n<b'
    file.write_text("x")
    assert from_file(file) == Text('<file name="ab">\nx\n</file>')


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b"\xff\xfeh\0i\0", "UTF-16"),
        (b"PK\x03\x04\x14\0", "ZIP archive or an office document"),
        (b"\0\0\0\x20ftypheic", "HEIC"),
        (b"\0\0\0\x20ftypisom", "a video"),
        (b"BM\x46\xff\0", "BMP"),
        (b"abc\xe9def", "byte 0xe9 at offset 3"),
        (b"abc\0def", "binary data"),
    ],
)
def test_what_no_model_takes_is_refused_by_what_it_seems_to_be(content, words):
    with pytest.raises(UsageError, match=words):
        from_bytes(content, name="file")


def test_b54_what_is_no_file_is_refused_at_once(tmp_path: Path):
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    (tmp_path / "secret").write_text("x")
    (tmp_path / "secret").chmod(0)
    (tmp_path / "huge").touch()
    os.truncate(tmp_path / "huge", 5 * 1024**3)  # sparse
    cases = {
        tmp_path / "fifo": "is a pipe",
        Path("/dev/zero"): "is a device",
        tmp_path: "is a directory",
        tmp_path / "huge": "larger than 20 MiB",
        tmp_path / "loop": "symbolic link",
        tmp_path / "nothing": "no such file",
        tmp_path / "x\0y": "is not a file name",
        tmp_path / ("x" * 300): "name too long",
        **({tmp_path / "secret": "permission denied"} if os.geteuid() else {}),
    }
    for path, words in cases.items():
        with pytest.raises(UsageError, match=words):
            from_file(path)


def test_a_file_without_a_size_is_read_no_further_than_the_limit():
    assert read_file(Path("/proc/self/status")).startswith(b"Name:")
    with pytest.raises(UsageError, match="larger than"):
        read_file(Path("/proc/self/status"), most_bytes=10)


def test_a_link_is_the_persons_own_word(tmp_path: Path):
    (tmp_path / "text").write_text("hello")
    (tmp_path / "link").symlink_to(tmp_path / "text")
    assert read_file(tmp_path / "link", MOST_BYTES) == b"hello"


def test_a_url_is_told_by_its_end_and_never_fetched():
    assert by_url("https://example.org/a/b.PNG?x=1") == Media(
        MediaKind.IMAGE, "image/png", url="https://example.org/a/b.PNG?x=1"
    )
    for url in ("https://example.org/page", "https://example.org/a b.png", "https://example.org/a.png\x1b[2J"):
        with pytest.raises(UsageError, match="must end in"):
            by_url(url)


def test_a_message_shows_a_hostile_name_harmlessly(tmp_path: Path):
    with pytest.raises(UsageError) as caught:
        from_file(tmp_path / "\x1b[2Jx")
    assert "\x1b" not in str(caught.value)
