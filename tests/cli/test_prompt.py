"""What was typed and piped becomes the prompt; what is no text is refused with its place."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from llmr.chat import Media, MediaKind, Text
from llmr.cli.client.files import with_files
from llmr.cli.prompt import MOST_BYTES, Prompt, read_prompt, unread_files
from llmr.errors import UsageError

Put = Callable[..., None]


def refused(words: list[str]) -> str:
    with pytest.raises(UsageError) as caught:
        read_prompt(words)
    return str(caught.value)


@pytest.mark.parametrize(
    ("words", "piped", "prompt"),
    [
        (["what", "is", "this"], b"", "what is this"),
        (["explain"], b"line 1\nline 2\n", "explain\n\nline 1\nline 2\n"),
        ([], b"only this\n", "only this\n"),
        (["before", "-", "after"], b"middle\n", "before middle after"),
        (["-"], b"\nall of it\n\n", "all of it"),
        (["-", "-"], b"x", "x x"),
        (["grüße"], "日本語".encode(), "grüße\n\n日本語"),
        ([], b"\xef\xbb\xbfmarked", "marked"),
        (["words"], b" \n\t\n", "words"),
    ],
)
def test_words_and_standard_input_make_the_prompt(stdin: Put, words: list[str], piped: bytes, prompt: str) -> None:
    stdin(piped)
    assert read_prompt(words) == Prompt(prompt)


def test_a_terminal_is_not_read_unless_it_is_asked_for(stdin: Put) -> None:
    stdin(b"typed", terminal=True)
    assert read_prompt(["hi"]).text == "hi"
    assert read_prompt(["hi", "-"]).text == "hi typed"


def test_nothing_at_all_is_refused(stdin: Put) -> None:
    stdin(b"", terminal=True)
    assert refused([]) == "no prompt; say it after `llmr chat`, or pipe it in"
    stdin(b"  \n")
    assert refused([" "]) == "no prompt: no words were given and standard input is empty"


def test_a_closed_standard_input_is_no_input(stdin: Put) -> None:
    stdin(None)
    assert read_prompt(["hi"]).text == "hi"
    assert refused(["-"]).startswith("no prompt;")


@pytest.mark.parametrize(
    ("piped", "place"), [(b"abc\xffdef", "0xff at offset 3"), (b"\xef\xbb\xbfab\xfe", "0xfe at offset 5")]
)
def test_what_is_no_utf8_is_refused_with_its_place(stdin: Put, piped: bytes, place: str) -> None:
    stdin(piped)
    assert place in refused(["explain"])


def test_binary_input_is_refused_with_its_place(stdin: Put) -> None:
    stdin(b"PK\x03\x04\0\0")
    assert "a NUL at offset 4" in refused([])


def test_words_that_are_no_utf8_are_refused(stdin: Put) -> None:
    stdin(b"")
    assert "not valid UTF-8" in refused(["caf\udce9"])


def test_a_prompt_above_the_limit_is_refused_before_anything_is_sent(stdin: Put) -> None:
    stdin(b"x" * (MOST_BYTES + 1))
    assert "more than 10 MB" in refused([])
    stdin(b"x" * MOST_BYTES)
    assert len(read_prompt([]).text) == MOST_BYTES
    stdin(b"x" * MOST_BYTES)
    assert "no model takes more than 10 MiB" in refused(["and", "more"])


def test_input_that_cannot_be_read_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken(io.BytesIO):
        def read1(self, *_: Any) -> bytes:
            raise OSError(21, "Is a directory")

    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(Broken()))
    assert refused([]) == "standard input cannot be read: Is a directory"


PNG = b"\x89PNG\r\n\x1a\n picture"


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, with a text of one line, one of two, and a picture."""
    (tmp_path / "one").write_text("one line\n")
    (tmp_path / "two").write_text("first\nsecond\n")
    (tmp_path / "picture").write_bytes(PNG)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_file_stands_in_its_place_and_one_with_lines_apart(stdin: Put, files: Path) -> None:
    stdin(b"", terminal=True)
    assert read_prompt(["say", "@one", "twice"]).text == "say one line twice"
    assert read_prompt(["explain", "@two", "briefly"]).text == "explain\n\nfirst\nsecond\n\nbriefly"
    assert read_prompt([], prompt_file="two").text == "first\nsecond\n"


def test_a_literal_at_sign_is_doubled_and_a_missing_file_says_so(stdin: Put, files: Path) -> None:
    stdin(b"", terminal=True)
    assert read_prompt(["@@alice", "@", "bob@example.org"]).text == "@alice @ bob@example.org"
    assert refused(["@alice"]) == "alice: no such file or directory; for the text itself write @@alice"


def test_a_prompt_file_that_is_missing_is_told_without_a_word_about_at_signs(stdin: Put, files: Path) -> None:
    stdin(b"")
    with pytest.raises(UsageError) as caught:
        read_prompt([], prompt_file="nof")
    assert "nof" in str(caught.value)
    assert "@" not in str(caught.value)


def test_a_file_that_is_named_within_quotes_is_found_out(files: Path) -> None:
    (files / "f.txt").write_text("x")
    assert unread_files(["what is in @f.txt, and @f.txt?", "@f.txt", "or @nobody, me@f.txt"]) == ["f.txt"]


def test_in_the_clients_prose_only_files_that_are_there_go_along(files: Path) -> None:
    (files / "f.txt").write_text("x")
    text, sent = with_files("(see @f.txt) @f.txt. @@f.txt @nobody\n@@ -1,2 +1,2 @@\n@@other")
    assert text == "(see @f.txt) @f.txt. @f.txt @nobody\n@@ -1,2 +1,2 @@\n@@other"
    assert [one.name for one in sent] == ["f.txt"]


def test_attachments_come_before_the_question_and_texts_below_it(stdin: Put, files: Path) -> None:
    stdin(b"piped\n")
    prompt = read_prompt(["what?", "@picture"], ["two", "picture"])
    assert prompt.text == 'what?\n\npiped\n\n\n<file name="two">\nfirst\nsecond\n</file>'
    picture = Media(MediaKind.IMAGE, "image/png", content=PNG, name="picture")
    assert prompt.message().parts == (picture, picture, Text(prompt.text))


def test_standard_input_can_be_the_attachment_binary_or_not(stdin: Put, files: Path) -> None:
    stdin(PNG)
    assert read_prompt(["what?"], ["-"]) == Prompt("what?", (Media(MediaKind.IMAGE, "image/png", content=PNG),))
    stdin(b"text")
    assert read_prompt(["what?"], ["-"]).text == "what?\n\ntext"
    stdin(b"")
    with pytest.raises(UsageError, match="not for both"):
        read_prompt(["-"], ["-"])


def test_a_picture_needs_no_words(stdin: Put, files: Path) -> None:
    stdin(b"", terminal=True)
    assert [type(part) for part in read_prompt([], ["picture"]).message().parts] == [Media]


def test_attachments_have_a_limit_together(stdin: Put, files: Path) -> None:
    stdin(b"", terminal=True)
    (files / "large").write_bytes(PNG + b"x" * 19_000_000)
    with pytest.raises(UsageError, match="57 MB together"):
        read_prompt(["x"], ["large", "large", "large"])
