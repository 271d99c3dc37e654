"""What one client may take of the server, in one place. Sources: trust.md §4, unless a line says otherwise."""

from typing import Final

from llmr.dataclass import dataclass

MIB: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """Bytes, seconds and counts, for each worker. A connection that is idle makes room for a new one where `connections` are
    open.

    trust.md has 64 connections; issue 6 wants 200 streams at once, and clients keep connections that they do not use. What the
    64 guards against is met otherwise: only who has the token gets further than its head, idle ones make room, a head and a
    reader have their time, and 200 streams hold some 10 MB (tests/server/test_many_streams.py).
    """

    connections: int = 512
    requests: int = 256  # under way at once; more are told to come back
    retry_after_s: float = 1.0  # when
    header_bytes: int = 32 * 1024
    header_fields: int = 100
    header_s: float = 10.0
    body_bytes: int = 10 * MIB  # `--max-body-mb` says otherwise: base64 makes 4 of 3 bytes, and some send whole films
    body_s: float = 30.0
    json_depth: int = 64
    idle_s: float = (
        75.0  # a connection kept for the next request: longer than clients keep theirs, so that they close first
    )
    unread_s: float = 60.0  # an answer that its reader does not take
    drain_s: float = 10.0  # what is under way when the server stops
    output_tokens: int = 1_000_000


LIMITS = Limits()
