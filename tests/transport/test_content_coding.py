"""Undoing Content-Encoding with limits: trust.md T21, T22, B20, B21."""

import gzip
import zlib

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from llmr.errors import ErrorKind, ProviderError
from llmr.transport.coding import body_decoder

MEBIBYTE = 1024 * 1024


def raw_deflate(payload: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(payload) + packer.flush()


PACKED = {
    "identity": lambda payload: payload,
    "gzip": gzip.compress,
    "x-gzip": lambda payload: gzip.compress(payload[:7]) + gzip.compress(payload[7:]),
    "deflate": zlib.compress,
    "Deflate ": raw_deflate,
    "identity, GZIP": gzip.compress,
}


def decode(encoding: str, chunks: list[bytes], limit_bytes: int = 64 * MEBIBYTE) -> bytes:
    decoder = body_decoder(encoding, peer="lab", limit_bytes=limit_bytes)
    pieces = [piece for chunk in chunks for piece in decoder.feed(chunk)]
    decoder.end()
    return b"".join(pieces)


def chunked(packed: bytes, size_bytes: int) -> list[bytes]:
    return [packed[at : at + size_bytes] for at in range(0, len(packed), size_bytes)]


@given(st.sampled_from(sorted(PACKED)), st.binary(max_size=300), st.integers(1, 400))
def test_a_body_comes_out_as_it_went_in_however_it_is_cut(encoding: str, payload: bytes, size_bytes: int) -> None:
    assert decode(encoding, chunked(PACKED[encoding](payload), size_bytes)) == payload


@given(
    st.sampled_from(["gzip", "deflate", "Deflate "]), st.integers(65530, 65810), st.integers(1, 3), st.integers(1, 400)
)
@example("Deflate ", 65540, 1, 400)
@example("Deflate ", 65799, 1, 400)
def test_no_byte_is_lost_where_a_piece_is_full(encoding: str, size_bytes: int, times: int, cut_bytes: int) -> None:
    payload = bytes(size_bytes) * times
    assert decode(encoding, chunked(PACKED[encoding](payload), cut_bytes)) == payload


@given(st.sampled_from(["gzip", "deflate"]), st.binary(min_size=1, max_size=200), st.data())
def test_a_body_that_is_cut_short_is_incomplete(encoding: str, payload: bytes, data: st.DataObject) -> None:
    packed = PACKED[encoding](payload)
    length = data.draw(st.integers(1, len(packed) - 1))
    with pytest.raises(ProviderError) as caught:
        decode(encoding, [packed[:length]])
    assert caught.value.kind is ErrorKind.INCOMPLETE


@given(st.sampled_from(["gzip", "deflate"]), st.binary(max_size=400))
def test_noise_never_raises_anything_but_our_own_error(encoding: str, noise: bytes) -> None:
    try:
        decode(encoding, chunked(noise, 50))
    except ProviderError as error:
        assert error.kind in (ErrorKind.BAD_RESPONSE, ErrorKind.INCOMPLETE)  # noqa: PT017 - not raising is fine too


@pytest.mark.parametrize(
    "encoding", ["br", "zstd", "gzip, gzip", "deflate, gzip", "gzip,gzip,gzip,gzip", "compress", "x"]
)
def test_what_was_not_asked_for_is_refused(encoding: str) -> None:
    with pytest.raises(ProviderError) as caught:
        body_decoder(encoding, peer="lab", limit_bytes=1)
    assert caught.value.kind is ErrorKind.BAD_RESPONSE


@pytest.mark.parametrize("encoding", ["", "identity", "gzip", "deflate"])
def test_no_body_is_no_body_in_any_encoding(encoding: str) -> None:
    assert decode(encoding, []) == b""


def test_bytes_after_a_gzip_member_that_are_none_are_refused() -> None:
    with pytest.raises(ProviderError, match="corrupt after its end"):
        decode("gzip", [gzip.compress(b"x") + b"tail"])


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_a_bomb_is_abandoned_at_a_hundred_times_its_size(encoding: str) -> None:
    decoder = body_decoder(encoding, peer="lab", limit_bytes=64 * MEBIBYTE)
    packed = PACKED[encoding](bytes(8 * MEBIBYTE))
    made: list[bytes] = []
    with pytest.raises(ProviderError, match="bomb"):
        made.extend(decoder.feed(packed))
    assert sum(map(len, made)) <= max(MEBIBYTE, 100 * len(packed))


def test_the_first_mebibyte_may_be_as_repetitive_as_it_likes() -> None:
    assert decode("gzip", [gzip.compress(bytes(MEBIBYTE))]) == bytes(MEBIBYTE)


@pytest.mark.parametrize(("encoding", "size_bytes"), [("identity", 101), ("gzip", 101)])
def test_a_body_over_the_limit_is_refused(encoding: str, size_bytes: int) -> None:
    with pytest.raises(ProviderError, match="too large"):
        decode(encoding, [PACKED[encoding](bytes(size_bytes))], limit_bytes=100)


def test_input_that_makes_no_output_counts_as_well() -> None:
    empty_members = gzip.compress(b"") * 10
    with pytest.raises(ProviderError, match="too large"):
        decode("gzip", chunked(empty_members, 20), limit_bytes=100)
