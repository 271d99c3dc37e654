"""`llmr explain`: which request is meant, and what is said where none is."""

from typing import Any

from llmr.lab import Behavior

DOWN = Behavior(status=500, error_message="on fire")
SPEC = Behavior(text="Once upon a time")


def test_the_last_request_is_told_with_its_fallback(shell: Any) -> None:
    shell.serve(a=[DOWN, DOWN], b=[SPEC])
    shell("chat", "hello there, you secret")
    said = shell("explain")
    assert said.code == 0
    assert "asked for m: priority order" in said.out
    assert "answered by b/lab-model" in said.out
    assert "server error 500" in said.out
    assert "\x1b" not in said.out
    assert "secret" not in said.out
    assert "on fire" not in said.out


def test_a_request_is_found_by_the_beginning_of_the_id_that_chat_gave(shell: Any) -> None:
    shell.serve(a=[SPEC])
    asked = shell("chat", "--json", "x").json["id"]
    shell("chat", "y")
    for named in (asked, asked[:12]):
        document = shell("explain", named, "--json").json
        assert (document["id"], document["outcome"], len(document["attempts"])) == (asked, "ok", 1)


def test_where_there_is_none_it_says_so(shell: Any) -> None:
    shell.serve(a=[SPEC])
    none_yet = shell("explain")
    assert (none_yet.code, none_yet.out) == (2, "")
    assert "no request to explain yet" in none_yet.err
    unknown = shell("explain", "zz")
    assert (unknown.code, unknown.out) == (2, "")
    assert "begins with 'zz'" in unknown.err


def test_an_ambiguous_beginning_names_some_of_them(shell: Any, monkeypatch: Any) -> None:
    shell.serve(a=[SPEC])
    numbers = iter(range(0xAB00000000000000, 0xAB00000000000000 + 100))
    monkeypatch.setattr("random.Random.getrandbits", lambda _self, _bits: next(numbers))
    shell("chat", "x")
    shell("chat", "x")
    said = shell("explain", "ab")
    assert said.code == 2
    assert "2 ids begin with 'ab'" in said.err


def test_a_conversation_is_told_by_the_request_of_its_last_turn(shell: Any, monkeypatch: Any) -> None:
    monkeypatch.setenv("LLMR_SAVE", "1")
    shell.serve(a=[SPEC])
    first = shell("chat", "--json", "x").json
    asked = shell("chat", "--json", "--conversation", first["conversation_id"], "y").json
    shell("chat", "somewhere else")
    assert asked["id"] != first["id"]
    for named in (first["conversation_id"], first["conversation_id"][:7]):
        assert shell("explain", named, "--json").json["id"] == asked["id"]
    shell("log", "purge", first["conversation_id"])
    assert shell("explain", first["conversation_id"]).code == 2


def test_a_beginning_that_a_request_and_a_conversation_share_is_ambiguous(shell: Any, monkeypatch: Any) -> None:
    monkeypatch.setenv("LLMR_SAVE", "1")
    shell.serve(a=[SPEC])
    monkeypatch.setattr("random.Random.getrandbits", lambda _self, bits: 0xABCDE12345ABCDE1 >> (64 - bits))
    asked = shell("chat", "--json", "x").json
    assert (asked["id"][:5], asked["conversation_id"][:5]) == ("abcde", "abcde")
    said = shell("explain", "abcde")
    assert said.code == 2
    assert f"request {asked['id']}, conversation {asked['conversation_id']}" in said.err
    assert shell("explain", asked["conversation_id"], "--json").json["id"] == asked["id"]
    assert shell("explain", asked["id"], "--json").json["id"] == asked["id"]


def test_a_hedge_and_who_lost_to_it_are_told(shell: Any) -> None:
    shell.serve(a=[Behavior(text="slow", gate="never")], b=[SPEC])
    assert shell("chat", "--hedge", "x").code == 0
    told = shell("explain").out
    assert "cancelled (outpaced)" in told
    assert "ok (hedge)" in told
    assert "waited" not in told.partition("cancelled (outpaced)")[2], (
        "a hedge is no wait; a busy machine may be, before it"
    )
