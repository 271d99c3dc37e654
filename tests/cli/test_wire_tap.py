"""`--debug`: the wire on stderr, and no key in it."""

from fakes import KEY

from llmr.cli.wire_tap import MOST_BYTES
from llmr.lab import Behavior


def test_request_and_answer_are_told_line_by_line_and_stdout_stays_the_answer(shell) -> None:
    shell.serve(a=[Behavior(text="hello there")])
    said = shell("chat", "--debug", "hi")
    assert (said.code, said.out) == (0, "hello there")
    lines = said.err_lines
    assert lines[0].startswith("  > POST http://127.0.0.1:")
    assert any(line.startswith('  > {"model"') or '"messages"' in line for line in lines)
    assert "  < 200" in lines
    assert any(line.startswith("  < content-type:") for line in lines)
    assert any(line.startswith("  < data: ") and "hello" in line for line in lines)


def test_b24_b29_b42_no_key_and_no_escape_is_in_it_though_the_provider_sends_both_back(shell) -> None:
    body = f'{{"error": {{"message": "bad {KEY} \\u001b[2J"}}}}'.encode() + b"\x1b[2J"
    shell.serve(a=[Behavior(status=401, body=body, content_type="application/json")])
    file = shell.home / ".config/llmr/routing.toml"
    shell.configure(file.read_text() + '\napi_key_env = "LAB_KEY"\n')
    shell.monkeypatch.setenv("LAB_KEY", KEY)
    said = shell("chat", "--debug", "hi")
    assert said.code == 4
    assert "  > authorization: Bearer ***" in said.err.lower().replace("bearer", "Bearer")
    assert "  < 401" in said.err
    assert KEY not in said.err + said.out
    assert "\x1b" not in said.err


def test_a_long_body_is_cut_and_that_is_said(shell) -> None:
    shell.serve(a=[Behavior()])
    said = shell("chat", "--debug", "x" * (MOST_BYTES + 1_000))
    assert "more bytes" in said.err
    assert len(said.err) < 3 * MOST_BYTES
