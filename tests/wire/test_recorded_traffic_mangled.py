"""Recorded answers that are cut, ended early, spoiled, or said in other bytes of the same meaning (shared/wire)."""

import contextlib
import json
import random
import re
from collections.abc import Callable, Sequence
from typing import Any, Final

import pytest
from recorded import FORMATS, ORACLE, STREAMS, body_of, ids, recording, where_recorded

from llmr.catalog import Model, Provider
from llmr.chat import ChatResponse, Delta
from llmr.errors import ProviderError
from llmr.wire import wire_for

pytestmark = where_recorded


@pytest.mark.parametrize("row", STREAMS, ids=ids(STREAMS))
def test_a_stream_that_ends_early_is_never_taken_for_a_whole_answer(row: dict[str, Any]) -> None:
    """Ended behind each event and within some: what came is a beginning, and a success has all of the words and calls."""
    body, wire_format = body_of(recording(row)["response"]), FORMATS[row["api"]]
    chance = random.Random(7)

    def ended_at(end: int) -> tuple[ChatResponse, bool]:
        decoder = wire_for(wire_format).decoder(Model(Provider("p", wire_format, "https://x"), "m"), streamed=True)
        deltas = list[Delta]()
        with contextlib.suppress(ProviderError):
            deltas += decoder.feed(body[:end])
            deltas += decoder.end()
            return ChatResponse.from_deltas(deltas), True
        return ChatResponse.from_deltas(deltas), False

    whole, _ = ended_at(len(body))
    boundaries = [found.end() for found in re.finditer(rb"\r?\n\r?\n|,\r?\n", body)]
    ends = [*(chance.sample(boundaries, 60) if len(boundaries) > 60 else boundaries), *boundaries[-8:]]
    for end in (*ends, *(chance.randint(0, len(body)) for _ in range(20))):
        got, succeeded = ended_at(end)
        assert whole.text.startswith(got.text)
        assert whole.reasoning.startswith(got.reasoning)
        if succeeded:
            assert got.finish_reason is not None
            assert (got.text, got.tool_calls) == (whole.text, whole.tool_calls)


@pytest.mark.parametrize("row", STREAMS, ids=ids(STREAMS))
def test_a_stream_cut_at_every_byte_gives_the_same_deltas(row: dict[str, Any]) -> None:
    def outcome(size: int | None) -> tuple[ChatResponse, object]:
        response = recording(row)["response"]
        wire_format = FORMATS[row["api"]]
        decoder = wire_for(wire_format).decoder(Model(Provider("p", wire_format, "https://x"), "m"), streamed=True)
        body, deltas = body_of(response), list[Delta]()
        step = size or len(body) or 1
        try:
            for at in range(0, len(body), step):
                deltas += decoder.feed(body[at : at + step])
            deltas += decoder.end()
        except ProviderError as error:
            return ChatResponse.from_deltas(deltas), (error.kind, error.message, error.code)
        return ChatResponse.from_deltas(deltas), tuple(deltas)

    whole = outcome(None)
    assert outcome(1) == whole
    assert outcome(997) == whole


SPOILERS: Final = (b"\n\n", b"\r", b"null", b"{", b"]", b'"', b"\xff", b"\\ud800", b"1e999", b"[" * 300)


@pytest.mark.parametrize("api", FORMATS)
def test_spoiled_traffic_raises_nothing_but_provider_errors(api: str) -> None:
    chance = random.Random(7)
    bodies = [body_of(recording(row)["response"]) for row in ORACLE if row["api"] == api]
    wire = wire_for(FORMATS[api])
    for _ in range(400):
        body = bytearray(chance.choice(bodies))
        for _ in range(chance.randint(1, 6)):
            at, end = sorted((chance.randint(0, len(body)), chance.randint(0, len(body))))
            match chance.randint(0, 3):
                case 0:
                    body[at : at + 1] = chance.randbytes(1)
                case 1:
                    del body[at : min(end, at + 50)]
                case 2:
                    body[at:at] = body[at : min(end, at + 200)]
                case _:
                    body[at:at] = chance.choice(
                        [b"\n\n", b"\r", b"null", b"{", b"]", b'"', b"\xff", b"\\ud800", b"1e999", b"[" * 300]
                    )
        decoder = wire.decoder(Model(Provider("p", FORMATS[api], "https://x"), "m"), streamed=chance.random() < 0.5)
        with contextlib.suppress(ProviderError):
            decoder.feed(bytes(body[: len(body) // 2]))
            decoder.feed(bytes(body[len(body) // 2 :]))
            decoder.end()
        assert wire.classify(chance.choice([400, 429, 500]), {}, bytes(body), now=0.0).message


# Said in other bytes

Events = Sequence[str]


def of_data(change: Callable[[Any], str]) -> Callable[[Events], str]:
    """The stream with the JSON of each data line written as `change` says."""

    def line(said: str) -> str:
        if not said.startswith("data:") or said.strip() == "data: [DONE]":
            return said
        return "\n".join(f"data: {text}" for text in change(json.loads(said[5:])).split("\n"))

    return lambda events: "".join("\n".join(map(line, event.split("\n"))) + "\n\n" for event in events)


def joined(events: Events, between: str = "\n\n", within: str = "\n") -> str:
    return "".join(event.replace("\n", within) + between for event in events)


def backwards(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: backwards(value[key]) for key in reversed(value)}
    return list(map(backwards, value)) if isinstance(value, list) else value


REWORDINGS: Final[dict[str, Callable[[Events], str]]] = {
    "CRLF": lambda events: joined(events, "\r\n\r\n", "\r\n"),
    "CR": lambda events: joined(events, "\r\r", "\r"),
    "comments between": lambda events: ": OPENROUTER PROCESSING\n\n" + joined(events, "\n\n: ping\n\n"),
    "comments within": lambda events: joined([f": a\n{event}\n:b" for event in events]),
    "no blank after the colon": lambda events: joined([re.sub("(?m)^(data|event): ", r"\1:", e) for e in events]),
    "ids and a retry": lambda events: "retry: 9\n\n" + joined([f"id: {at}\n{e}" for at, e in enumerate(events)]),
    "blank lines": lambda events: "\n\n" + joined(events, "\n\n\n\n\n"),
    "empty events": lambda events: "data:\n\n" + joined(events, "\n\ndata: \n\n"),
    "a byte order mark": lambda events: "\ufeff" + joined(events),
    "JSON over several lines": of_data(lambda value: json.dumps(value, indent=1)),
    "JSON in ASCII": of_data(lambda value: json.dumps(value, ensure_ascii=True)),
    "JSON in UTF-8": of_data(lambda value: json.dumps(value, ensure_ascii=False)),
    "keys in another order": of_data(lambda value: json.dumps(backwards(value))),
}


def read(api: str, body: bytes) -> tuple[ChatResponse, object]:
    """What an answer adds up to, calls with their arguments as JSON; and how it failed, if it did."""
    decoder = wire_for(FORMATS[api]).decoder(Model(Provider("p", FORMATS[api], "https://x"), "m"), streamed=True)
    deltas: list[Delta] = []
    failed: object = None
    try:
        deltas += decoder.feed(body)
        deltas += decoder.end()
    except ProviderError as error:
        failed = (error.kind, error.message, error.code)
    return ChatResponse.from_deltas(deltas), failed


def sense(response: ChatResponse) -> object:
    """All of it, but for the order of keys in what the model wrote as objects."""
    arguments = [json.loads(call.arguments or "{}") for call in response.tool_calls if call.arguments[-1:] == "}"]
    names = [(call.id, call.name, call.signature) for call in response.tool_calls]
    rest = (
        response.text,
        response.thinking,
        response.refusal,
        response.citations,
        response.finish_reason,
        response.usage,
    )
    return arguments, names, rest


@pytest.mark.parametrize("how", REWORDINGS)
@pytest.mark.parametrize("api", FORMATS)
def test_other_bytes_of_the_same_meaning_mean_the_same(api: str, how: str) -> None:
    streams = [row for row in STREAMS if row["api"] == api and recording(row)["response"]["stream_format"] == "sse"]
    assert streams
    for row in streams:
        body = body_of(recording(row)["response"])
        plain = body.decode().replace("\r\n", "\n")
        events = [event for event in plain.split("\n\n") if event.strip()]
        if not events:  # the client had hung up
            continue
        (expected, broken), (got, failed) = read(api, body), read(api, REWORDINGS[how](events).encode())
        assert (sense(got), failed) == (sense(expected), broken), row["id"]
