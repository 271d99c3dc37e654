"""What reaches a terminal from strangers: trust.md T1, T2 and cases B01–B06, B10."""

from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from llmr.render.neutralize import Neutralizer, neutralize

# Plain text, and the alphabet that matters: every class of the map, its neighbours, and what must stay.
_DANGEROUS = (
    "\x00\x07\x08\t\n\x0b\x0c\r\x0e\x0f\x1b\x1f \x7f\x80\x9b\x9d\x9f\xa0\xad\u061c\u200b\u200c\u200d\u200e\u200f"
)
_DANGEROUS += (
    "\u2028\u202a\u202e\u2060\u2066\u2069\ufe0f\ufeff\ufff9\ufffb\ud800\udfff\U000e0000\U000e007f\U000e0100[]m;"
)
TEXT = st.text(alphabet=st.one_of(st.sampled_from(_DANGEROUS), st.characters(codec=None)), max_size=60)


def feed(pieces: list[str]) -> str:
    stream = Neutralizer()
    return "".join([*(stream.feed(piece) for piece in pieces), stream.end()])


def cut(text: str, places: list[int]) -> list[str]:
    edges = [0, *sorted(place % (len(text) + 1) for place in places), len(text)]
    return [text[start:end] for start, end in pairwise(edges)]


@pytest.mark.parametrize(
    ("foreign", "shown"),
    [
        pytest.param("a\x1b]52;c;ZXZpbA==\x07b", "a␛]52;c;ZXZpbA==␇b", id="B01 OSC 52 cannot write the clipboard"),
        pytest.param("\x1b]8;;http://e\x1b\\bank\x1b]8;;\x1b\\", "␛]8;;http://e␛\\bank␛]8;;␛\\", id="B02 OSC 8 link"),
        pytest.param("\x9b2J\x9d0;t\x9c\x90q", "\ufffd2J\ufffd0;t\ufffd\ufffdq", id="B03 C1"),
        pytest.param("safe\revil", "safe␍evil", id="B05 a lone return cannot overwrite the line"),
        pytest.param("one\r\ntwo\r\n", "one\ntwo\n", id="B05 a line end is a line end"),
        pytest.param("\r\r\n\n\r", "␍\n\n␍", id="B05 only the pair is a line end"),
        pytest.param("\x08\x00\x0b\x0c\x0e\x0f\x7f", "␈␀␋␌␎␏␡", id="B05 backspace, NUL, VT, FF, SO, SI, DEL"),
        pytest.param("\u202egnp.exe", "⟨U+202E⟩gnp.exe", id="B06 writing direction"),
        pytest.param("\u2066\u2069\u200e\u061c", "⟨U+2066⟩⟨U+2069⟩⟨U+200E⟩⟨U+061C⟩", id="B06 isolates and marks"),
        pytest.param("pass\u200bword\u00ad\ufeff", "pass⟨U+200B⟩word⟨U+00AD⟩⟨U+FEFF⟩", id="B06 zero width"),
        pytest.param("\U000e0068\U000e0069", "⟨U+E0068⟩⟨U+E0069⟩", id="B06 tags"),
        pytest.param("\ud800 \udfff", "\ufffd \ufffd", id="B10 lone surrogates"),
    ],
)
def test_what_a_terminal_would_obey_becomes_visible(foreign: str, shown: str) -> None:
    assert neutralize(foreign) == shown


@pytest.mark.parametrize(
    "harmless",
    [
        "",
        "plain text, 100 %\n\tindented",
        "Größe, 東京, нет",
        "👩\u200d👩\u200d👧 ❤\ufe0f",
        "क्\u200dष می\u200cخواهم",
        "[/] :smile: [bold]",
    ],
)
def test_what_people_write_stays_as_it_is(harmless: str) -> None:
    assert neutralize(harmless) == harmless


def test_a_sequence_cut_at_every_character_is_still_shown() -> None:
    foreign = "a\x1b]52;c;ZXZpbA==\x07b\r\nc\r"
    assert feed(list(foreign)) == neutralize(foreign) == "a␛]52;c;ZXZpbA==␇b\nc␍"


def test_only_a_return_is_ever_kept_back() -> None:
    stream = Neutralizer()
    assert [stream.feed("first"), stream.feed("\x1b"), stream.feed("x\r"), stream.feed(""), stream.feed("\n")] == [
        "first",
        "␛",
        "x",
        "",
        "\n",
    ]
    assert stream.end() == ""


@given(TEXT, st.lists(st.integers(min_value=0), max_size=6))
@example("\r\n", [1])
@example("\r\r\n", [1, 2])
def test_however_a_stream_is_cut_it_reads_the_same(text: str, places: list[int]) -> None:
    assert feed(cut(text, places)) == neutralize(text)


@given(TEXT)
def test_nothing_that_a_terminal_obeys_gets_through(text: str) -> None:
    shown = neutralize(text)
    shown.encode("utf-8")
    assert all(
        character in "\n\t" or not (ord(character) < 0x20 or 0x7F <= ord(character) < 0xA0) for character in shown
    )
    hidden = {*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x61C, 0x200E, 0x200F, 0xAD, 0x200B, 0x2060, 0xFEFF}
    assert hidden.isdisjoint(map(ord, shown))


@given(TEXT)
def test_neutral_text_is_neutral(text: str) -> None:
    assert neutralize(neutralize(text)) == neutralize(text)


@given(TEXT)
def test_the_text_between_is_untouched(text: str) -> None:
    kept = [character for character in text if character.isalnum() or character in "\t []m;"]
    shown = neutralize(text)
    places = iter(shown)
    assert all(character in places for character in kept)


def test_harmless_text_is_not_copied() -> None:
    text = "harmless " * 100
    assert neutralize(text) is text
