"""What a provider may send, by the numbers of shared/design/trust.md §9: B01–B15, through the whole of `llmr chat`.

What a terminal shows of them is tests/e2e/test_terminal.py and tests/render/; here it is the pipe, the JSON and the exit code.
"""

import json

import pytest

from llmr.lab import Behavior, Fault, Framing

DONE = 'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'


def chunk(text_as_json: str) -> str:
    return f'data: {{"choices":[{{"index":0,"delta":{{"content":{text_as_json}}}}}]}}\n\n'


def stream(*pieces: bytes | str) -> Behavior:
    """An event stream, byte for byte."""
    body = tuple(piece.encode() if isinstance(piece, str) else piece for piece in pieces)
    return Behavior(body=body, content_type="text/event-stream")


HOSTILE = {
    "b01 OSC 52": "a\x1b]52;c;ZXZpbA==\x07b",
    "b02 OSC 8": "\x1b]8;;http://evil\x1b\\bank\x1b]8;;\x1b\\",
    "b03 C1": "\x9b2J \x9d0;t\x9c \x90q",
    "b05 controls": "safe\revil \x08\x00\x0b\x0c\x0e\x0f\x7f",
    "b06 directions": "\u202e \u2066 \u200b \U000e0041",
    "b07 markup": "[/] [bold]x [link=http://e]b[/link] :smile:",
    "b08 link": "[https://bank](https://evil)",
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_b01_to_b08_a_pipe_gets_the_models_bytes_and_json_gets_them_escaped(shell, text: str) -> None:
    shell.serve(a=[Behavior(text=text)])
    shell.monkeypatch.setenv("FORCE_COLOR", "1")
    assert shell("chat", "hi").out.encode() == text.replace("\r\n", "\n").encode()
    as_json = shell("chat", "--json", "hi").out
    assert as_json.rstrip("\n").isprintable()
    assert as_json.isascii()
    assert json.loads(as_json)["text"] == text


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_b01_to_b08_an_error_that_says_it_is_harmless_on_stderr(shell, text: str) -> None:
    shell.serve(a=[Behavior(status=400, error_message=text)])
    said = shell("chat", "-v", "hi")
    assert said.code == 9
    assert all(character.isprintable() or character == "\n" for character in said.err)


def test_b04_a_sequence_in_pieces_is_as_harmless_as_in_one(shell) -> None:
    whole = chunk('"a\\u001b]52;c;ZXZpbA==\\u0007b"')
    split = [*(chunk(json.dumps(character)) for character in "a\x1b]52;c;ZXZpbA==\x07b"), DONE]
    shell.serve(a=[stream(whole, DONE), stream(*split), stream(*(bytes([byte]) for byte in (whole + DONE).encode()))])
    outs = [shell("chat", "--safe-output", "always", "hi").out for _ in range(3)]
    assert outs == ["a␛]52;c;ZXZpbA==␇b"] * 3


def test_b09_a_hostile_name_in_the_configuration_is_an_error_that_shows_it_harmless(shell) -> None:
    shell.configure('[providers."[red]x\\u001b[2J"]\nbase_url = "http://127.0.0.1:9"\n')
    said = shell("chat", "-m", "x/y", "hi")
    assert said.code == 3
    assert "\x1b" not in said.err
    assert "[red]x" in said.err


def test_b10_a_lone_surrogate_is_a_replacement_character_and_no_failure(shell) -> None:
    shell.serve(a=[stream(chunk('"a\\ud800b"'), DONE)])
    assert (shell("chat", "hi").code, shell("chat", "hi").out) == (0, "a\ufffdb")
    assert shell("chat", "--json", "hi").code == 0
    assert shell("chat", "-o", "file", "hi").code == 0
    assert (shell.home / "file").read_bytes().decode() == "a\ufffdb"


def test_b11_invalid_utf8_is_replaced_and_a_character_in_pieces_is_whole(shell) -> None:
    snowman = chunk('"☃"').encode()
    middle = snowman.index("☃".encode()) + 1
    shell.serve(a=[stream(chunk('"Z"').encode().replace(b"Z", b"Z\xff"), snowman[:middle], snowman[middle:], DONE)])
    said = shell("chat", "hi")
    assert (said.code, said.out) == (0, "Z\ufffd☃")


def test_b12_line_separators_that_are_none_in_an_event_stream_are_text(shell) -> None:
    shell.serve(a=[stream(chunk('"a\u2028b\u0085c"'), DONE)])
    said = shell("chat", "hi")
    assert (said.code, said.out) == (0, "a\u2028b\x85c")


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_b13_line_ends_comments_and_other_fields_are_the_grammars(shell, line_end: str) -> None:
    text = "\ufeff: comment\nevent: message\nid: 1\nretry: 5\n" + chunk('"one"') + ": ping\n\n"
    text += 'data: {"choices":[{"index":0,\ndata: "delta":{"content":" two"}}]}\n\n' + DONE
    pieces = [bytes([byte]) for byte in text.replace("\n", line_end).encode()]
    shell.serve(a=[stream(*pieces)])
    said = shell("chat", "hi")
    assert (said.code, said.out) == (0, "one two")


def test_b14_an_end_in_the_middle_of_an_event_is_no_end_of_the_answer(shell) -> None:
    shell.serve(a=[stream(chunk('"one"'), 'data: {"choices":[{"index":0,"delta":{"content":" two"}')])
    said = shell("chat", "hi")
    assert (said.code, said.out) == (8, "one")


def test_b15_a_finish_reason_is_an_end_without_the_done_mark(shell) -> None:
    shell.serve(a=[Behavior(text="whole", done=False, framing=Framing.CLOSE, keep_alive=False)])
    said = shell("chat", "hi")
    assert (said.code, said.out, said.err) == (0, "whole", "")


def test_b15_no_finish_reason_is_no_end(shell) -> None:
    shell.serve(a=[Behavior(text="one two", finish_reason=None, done=False, fault=Fault.END, fault_at=2)])
    assert shell("chat", "hi").code == 8


# Ways in and out that are no answer


@pytest.mark.parametrize("arguments", [["-h"], ["chat", "-h"], ["providers", "-h"], ["providers", "status", "-h"]])
def test_help_has_its_short_name_everywhere(shell, arguments: list[str]) -> None:
    said = shell(*arguments)
    assert said.code == 0
    assert said.out.startswith("Usage: llmr")
