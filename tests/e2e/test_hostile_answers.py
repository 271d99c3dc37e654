"""Answers as no honest provider sends them, by the installed `llmr`: cases B01–B15, B28 and B29, from socket to stdout.

A pipe gets the text byte for byte, JSON gets it in ASCII, `llmr log` gets it back out of the file, a terminal gets nothing
that it would obey (also in tests/e2e/test_terminal.py). What is no whole answer is never passed off as one.
"""

import json
import os
import re

import pytest

from llmr.lab import Behavior, Fault, LabProvider

TEXTS = {
    "b01_osc_52": "a\x1b]52;c;ZXZpbA==\x07b",
    "b02_osc_8_ended_by_st": "see \x1b]8;;https://evil.example\x1b\\the bank\x1b]8;;\x1b\\.",
    "b03_c1": "a\x9b2J\x9d0;t\x9c\x90qb",
    "b05_c0": "safe\revil \x08\x00\x0b\x0c\x0e\x0f\x7f end",
    "b06_bidi_zero_width_tags": "a\u202eb\u2066c\u200bd\U000e0041\U000e007fe",
    "b07_rich_markup": "[/] [bold]x [link=http://e]b[/link] :smile:",
    "b08_markdown_link": "[https://bank.example](https://evil.example)",
    "b12_separators": "one\u2028two\x85three\x0bfour",
}
DANGEROUS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u200b\U000e0000-\U000e007f]")


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_b01_to_b08_b12_a_pipe_is_exact_json_is_ascii_and_the_log_has_it(box, text):
    here = box([LabProvider("a", [Behavior(text)])])
    here.variables["LLMR_SAVE"] = "1"
    assert here.run("chat", "hi").raw == text.encode()
    ended = here.run("chat", "--json", "hi")
    assert ended.raw.isascii()
    assert ended.json["text"] == text
    safe = here.run("chat", "--safe-output", "always", "hi")
    assert not DANGEROUS.search(safe.out)
    shown = here.run("log", "show", "--json").json
    assert text in _strings(shown)


def _strings(document):
    match document:
        case str():
            return {document}
        case dict():
            return {text for value in document.values() for text in _strings(value)}
        case list():
            return {text for value in document for text in _strings(value)}
        case _:
            return set()


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_b01_to_b08_a_terminal_shows_it_all_and_obeys_none_of_it(box, text):
    here = box([LabProvider("a", [Behavior(text)])])
    ours, theirs = os.openpty()
    process = here.start("chat", "--raw", "hi", stdout=theirs)
    os.close(theirs)
    shown = b""
    while chunk := _read(ours):
        shown += chunk
    os.close(ours)
    assert here.end(process).code == 0
    assert not DANGEROUS.search(shown.decode().replace("\r\n", "\n"))
    for word in re.findall(r"[A-Za-z0-9/:.]{3,}", text):
        assert word.encode() in shown


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 4096)
    except OSError:  # EIO: the other side is closed
        return b""


def chunk(content: str, **more: object) -> bytes:
    """One event with so much text; `content` is JSON already, without its quotes."""
    finish = json.dumps(more.get("finish"))
    return (
        f'data: {{"choices":[{{"index":0,"delta":{{"content":"{content}"}},"finish_reason":{finish}}}]}}\n\n'.encode()
    )


STOP = chunk("", finish="stop")
DONE = b"data: [DONE]\n\n"
STREAM = "text/event-stream"


def served(box, *pieces: bytes, **more):
    return box(
        [LabProvider("a", [Behavior(body=pieces, content_type=STREAM, **more)]), LabProvider("b", [Behavior("from b")])]
    )


def test_b04_a_sequence_cut_into_single_bytes_is_as_inert_as_whole(box):
    stream = chunk("a\\u001b]52;c;ZXZpbA==\\u0007b") + STOP + DONE
    whole, cut = [], []
    for pieces, said in ((stream,), whole), (tuple(stream[n : n + 1] for n in range(len(stream))), cut):
        here = served(box, *pieces)
        said.append(here.run("chat", "--safe-output", "always", "hi").raw)
    assert whole == cut == ["a␛]52;c;ZXZpbA==␇b".encode()]


def test_b10_a_lone_surrogate_is_a_replacement_character_everywhere(box):
    here = served(box, chunk("a\\ud800b"), STOP, DONE)
    here.variables["LLMR_SAVE"] = "1"
    ended = here.run("chat", "hi")
    assert (ended.code, ended.out) == (0, "a\ufffdb")
    assert "a\ufffdb" in _strings(here.run("log", "show", "--json").json)


def test_b11_a_character_cut_in_two_is_whole_and_bytes_that_are_none_are_replaced(box):
    euro = "€👍".encode()
    event = chunk("X€👍Y").replace(b"Y", b"\xffY")
    at = event.index(euro) + 1
    here = served(box, event[:at], event[at : at + 3], event[at + 3 :], STOP, DONE)
    assert here.run("chat", "hi").out == "X€👍\ufffdY"


@pytest.mark.parametrize("end", [b"\n", b"\r", b"\r\n"], ids=["lf", "cr", "crlf"])
def test_b13_every_shape_that_the_standard_allows_is_read(box, end):
    lines = [b"\xef\xbb\xbf: a comment", b"", b"event: message", b"id: 7", b"retry: 10"]
    data = chunk("one").strip().removeprefix(b"data: ")
    at = data.index(b",") + 1
    lines += [b"data: " + data[:at], b"data:" + data[at:], b"", b": ping", b""]
    stream = end.join(lines) + end + (STOP + DONE).replace(b"\n", end)
    here = served(box, *(stream[n : n + 7] for n in range(0, len(stream), 7)))
    ended = here.run("chat", "hi")
    assert (ended.code, ended.out) == (0, "one"), ended.err


def test_b14_a_last_event_without_its_blank_line_is_no_end(box):
    ended = served(box, chunk("half"), STOP.rstrip(b"\n")).run("chat", "hi")
    assert (ended.code, ended.out) == (8, "half")


def test_b14_and_before_any_text_the_next_provider_is_asked(box):
    assert served(box, STOP.rstrip(b"\n")).run("chat", "hi").out == "from b"


def test_b15_an_end_that_was_said_is_an_end_without_done(box):
    ended = served(box, chunk("whole"), STOP).run("chat", "hi")
    assert (ended.code, ended.out, ended.err) == (0, "whole", "")


@pytest.mark.parametrize("retry_after", ["-1", "1e9", "999999999", "Wed, 21 Oct 2037 07:28:00 GMT", "soon", "\x01"])
def test_b28_no_retry_after_makes_it_wait_or_crash(box, retry_after):
    limited = Behavior(status=429, headers=(("retry-after", retry_after),))
    here = box([LabProvider("a", [limited]), LabProvider("b", [Behavior("from b")])])
    ended = here.run("chat", "hi")
    assert (ended.code, ended.out) == (0, "from b")
    assert "\x01" not in ended.err


def test_b25_an_error_after_three_words_keeps_them_and_asks_nobody_else(box):
    breaking = Behavior("one two three four", fault=Fault.ERROR_EVENT, fault_at=3)
    here = box([LabProvider("a", [breaking]), LabProvider("b")])
    ended = here.run("chat", "hi")
    assert (ended.code, ended.out.split()) == (8, ["one", "two", "three"])
    assert here.lab.provider("b").requests == ()


@pytest.mark.parametrize("behavior", [
    Behavior(headers=(("x-large", "a" * 1_000_000),)), Behavior(headers=(("x-many", "a"),) * 9000),
    Behavior(raw=b"garbage that is no status line\r\n\r\n"), Behavior(status=204, body=b""), Behavior(body=b"null"),
], ids=["1 MB header", "9000 headers", "garbage", "204", "null"])  # fmt: skip
def test_b23_b29_what_is_no_answer_is_one_line_and_the_next_provider(box, behavior):
    here = box([LabProvider("a", [behavior]), LabProvider("b", [Behavior("from b")])])
    ended = here.run("chat", "hi")
    assert (ended.code, ended.out) == (0, "from b")
    assert len(ended.err_lines) == 1
    assert len(ended.err) < 400
