"""`--debug`: the wire on stderr, and no key in it."""

from contextlib import suppress
from typing import ClassVar

from fakes import KEY

from llmr.cli.wire_tap import MOST_BYTES, _TappedReply
from llmr.lab import Behavior
from llmr.secret import Redactor, Secret


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


class Pieces:
    """A reply whose chunks are these; `broken`: then the connection is gone."""

    status = 200
    headers: ClassVar[dict[str, str]] = {}

    def __init__(self, *pieces: bytes, broken: bool = False) -> None:
        self._pieces = pieces
        self._broken = broken

    async def chunks(self):
        for piece in self._pieces:
            yield piece
        if self._broken:
            raise OSError("gone")

    async def body(self, limit_bytes: int, *, within_s: float) -> bytes:
        return b"".join(self._pieces)


def told_of(run, reply: Pieces, *, as_body: bool = False) -> str:
    told: list[str] = []
    tapped = _TappedReply(reply, told.append, Redactor((Secret(OTHER_KEY),)))

    async def read() -> None:
        if as_body:
            await tapped.body(1 << 20, within_s=1)
            return
        with suppress(OSError):
            async for _ in tapped.chunks():
                pass

    run(read())
    return "\n".join(told)


OTHER_KEY = "of-no-known-shape-0123456789"
HALF = OTHER_KEY[:14].encode(), OTHER_KEY[14:].encode()


def test_b29_a_key_in_two_pieces_of_a_stream_is_masked_as_one(run) -> None:
    assert (
        told_of(run, Pieces(b"data: you sent " + HALF[0], HALF[1] + b"\n\ndata: x"))
        == "< data: you sent ***\n< data: x"
    )


def test_b29_a_key_that_the_cut_would_halve_is_masked_before(run) -> None:
    body = b"x" * (MOST_BYTES - 20) + OTHER_KEY.encode() + b"y" * 100
    for as_body in (True, False):
        told = told_of(run, Pieces(body), as_body=as_body)
        assert HALF[0].decode() not in told
        assert "***" in told
        assert "more bytes" in told


def test_b29_a_line_whose_rest_never_came_is_not_told(run) -> None:
    assert told_of(run, Pieces(b"one\nkey " + HALF[0], broken=True)) == "< one\n< … 18 bytes of a line that did not end"


def test_a_body_of_many_lines_is_cut_at_the_end_of_one(run) -> None:
    lines = told_of(run, Pieces(b"a line of the body\n" * 2_000), as_body=True).splitlines()
    assert {*lines[:-1]} == {"< a line of the body"}
    assert lines[-1].endswith("more bytes")
