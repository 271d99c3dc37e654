"""The event stream parser, against WHATWG HTML §9.2.6 and trust.md B11–B16."""

import itertools
import tracemalloc
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmr.errors import ErrorKind, ProviderError
from llmr.wire.sse import MAX_EVENT_BYTES, SseEvent, SseParser


def events(*chunks: bytes) -> list[SseEvent]:
    parser = SseParser()
    return [event for chunk in chunks for event in parser.feed(chunk)]


def data(*chunks: bytes) -> list[str]:
    return [event.data for event in events(*chunks)]


def bytewise(stream: bytes) -> Iterable[bytes]:
    return (stream[i : i + 1] for i in range(len(stream)))


def by_the_standard(stream: bytes) -> list[SseEvent]:
    """The standard's own algorithm, as plainly as it is written there."""
    text = stream.decode("utf-8", "replace").removeprefix("\ufeff")
    found: list[SseEvent] = []
    name, lines = "", []
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    for line in text.split("\n")[:-1]:
        if line == "":
            if lines:
                found.append(SseEvent(name or "message", "\n".join(lines)))
            name, lines = "", []
            continue
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "data":
            lines.append(value)
        elif field == "event":
            name = value
    return found


PIECES = st.sampled_from(
    [
        b"data: a", b"data:b", b"data", b"data:", b"event: ping", b"event", b"id: 7", b"id: \0", b"id", b"retry: 20",
        b"retry: x",
        b": comment", b":", b"data:  two", b"datax: y", b"\n", b"\n\n", b"\r", b"\r\n", b"\r\n\r\n", b"\xef\xbb\xbf",
        b"\xe2\x80\xa8",
        b"\xff", b"\xe2\x82", "é".encode(), b"\x0b", b"\xc2\x85", b" ",
    ]
)  # fmt: skip


@given(st.lists(PIECES, max_size=24).map(b"".join), st.lists(st.integers(0, 200), max_size=6))
def test_any_stream_cut_anywhere_means_what_the_standard_says(stream: bytes, cuts: list[int]) -> None:
    places = sorted({min(cut, len(stream)) for cut in cuts} | {0, len(stream)})
    chunks = [stream[a:b] for a, b in itertools.pairwise(places)]
    assert events(*chunks) == by_the_standard(stream)
    assert events(*bytewise(stream)) == by_the_standard(stream)


@given(st.binary(max_size=300))
def test_random_bytes_are_events_or_nothing(stream: bytes) -> None:
    assert events(stream) == events(*bytewise(stream)) == by_the_standard(stream)


@pytest.mark.parametrize("end", [b"\n", b"\r", b"\r\n"])
def test_lines_end_at_lf_cr_or_crlf(end: bytes) -> None:
    assert data(b"data: a" + end + b"data: b" + end + end + b"data: c" + end + end) == ["a\nb", "c"]


def test_a_crlf_cut_between_its_bytes_is_one_line_end() -> None:
    assert data(b"data: a\r", b"\ndata: b\r", b"\n\r", b"\n") == ["a\nb"]


def test_a_cr_ends_its_event_without_waiting_for_more() -> None:
    assert data(b"data: a\r\r") == ["a"]


def test_separators_of_other_standards_do_not_end_a_line() -> None:
    text = "a\u2028b\u0085c\x0bd\x0ce\x1cf\u2029g"
    assert data(f"data: {text}\n\n".encode()) == [text]


def test_one_byte_order_mark_is_stripped_and_only_at_the_start() -> None:
    assert data(b"\xef\xbb", b"\xbfdata: a\n\n\xef\xbb\xbfdata: b\n\n") == ["a"]
    assert data(b"\xef\xbb\xbfdata: a\n\n") == ["a"]
    assert data(b"", b"\xef\xbb") == []


def test_a_character_cut_between_chunks_is_whole_again() -> None:
    assert data(*bytewise("data: 🌍é\n\n".encode())) == ["🌍é"]


def test_invalid_utf8_is_replaced() -> None:
    assert data(b"data: a\xffb\xe2\x82\n\n") == ["a\ufffdb\ufffd"]


def test_comments_and_unknown_fields_mean_nothing() -> None:
    assert data(b": OPENROUTER PROCESSING\n\n:\n\ndata: a\nfuture: b\n: c\n\n") == ["a"]


def test_names_are_read_and_what_reconnecting_would_need_is_not() -> None:
    found = events(b"event: e\nid: 1\nretry: 1500\ndata: a\n\ndata: b\n\nid\nretry: x\n\n")
    assert found == [SseEvent("e", "a"), SseEvent("message", "b")]


def test_an_event_that_no_blank_line_closed_is_dropped() -> None:
    assert data(b'data: {"a":1}\n') == []
    assert data(b'data: {"a":1}') == []


def test_an_event_without_data_is_none_but_empty_data_is_one() -> None:
    assert data(b"event: ping\n\ndata\n\ndata:\n\n") == ["", ""]


@pytest.mark.parametrize("size", [61, 4096, 3 * MAX_EVENT_BYTES])
def test_an_event_over_the_limit_is_refused_however_it_comes(size: int) -> None:
    stream = b"data: ok\n\ndata: " + b"x" * (MAX_EVENT_BYTES + 1) + b"\n\n"
    parser = SseParser()
    seen: list[str] = []

    def feed_all() -> None:
        for at in range(0, len(stream), size):
            seen.extend(event.data for event in parser.feed(stream[at : at + size]))

    with pytest.raises(ProviderError) as failed:
        feed_all()
    assert failed.value.kind is ErrorKind.BAD_RESPONSE
    assert seen == ["ok"]


def test_an_event_of_exactly_the_limit_passes() -> None:
    body = b"x" * (MAX_EVENT_BYTES - len("data: "))
    assert data(b"data: " + body + b"\n", b"\n") == [body.decode()]
    assert data(b"data: " + body + b"\n\n") == [body.decode()]


def test_an_endless_line_is_given_up_at_the_limit_and_not_kept() -> None:
    parser = SseParser()
    chunk = b"y" * 65536
    tracemalloc.start()
    fed = 0

    def feed_endlessly() -> None:
        nonlocal fed
        for _ in range(3200):  # 200 MB
            fed += len(chunk)
            list(parser.feed(chunk))

    with pytest.raises(ProviderError):
        feed_endlessly()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert fed <= MAX_EVENT_BYTES + 2 * len(chunk)
    assert peak < 8 << 20


def test_an_endless_flood_of_comments_is_no_event_and_is_not_kept() -> None:
    parser = SseParser()
    for _ in range(64):
        assert list(parser.feed(b": ping\n" * 10_000)) == []
    assert list(parser.feed(b"data: a\n" + b": ping\n" * 200_000 + b"\n")) == [SseEvent("message", "a")]
    assert parser._held_bytes <= 2 * MAX_EVENT_BYTES


def test_an_open_event_over_the_limit_behind_a_closed_one_is_refused_after_it() -> None:
    parser = SseParser()
    found = parser.feed(b"data: a\n\n" + b"z" * (MAX_EVENT_BYTES + 1))
    assert next(found).data == "a"
    with pytest.raises(ProviderError):
        next(found)
