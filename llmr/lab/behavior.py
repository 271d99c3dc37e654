"""What a lab provider does with one request: a value, so that a test reads as the fault that it is about.

A reply runs through *positions*. None is before the response's headers, 0 is after them, and n is after the
n-th token (a piece of reasoning, of text or of a tool call; in an unstreamed reply every n ≥ 1 is the middle
of the body). A gate, a fault or an error event sits at one position:

    request ─▶ None ─▶ headers ─▶ 0 ─▶ token 1 ─▶ 1 ─▶ token 2 ─▶ 2 … ─▶ finish_reason, usage, end
"""

import math
import random
from enum import StrEnum
from typing import Final

from llmr.dataclass import dataclass

HTML_502: Final = (
    b"<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n"
    b"<center><h1>502 Bad Gateway</h1></center>\r\n"
    b"<hr><center>openresty</center>\r\n</body>\r\n</html>\r\n"  # wire.md §A.1: what gateways really send
)


@dataclass(frozen=True, slots=True)
class LogNormal:
    """A log-normal delay: half of all draws are below `median_s` seconds; `sigma` is the spread of the
    logarithm.
    """

    median_s: float
    sigma: float


Delay = float | LogNormal
"""Seconds, fixed or drawn."""


def seconds(delay: Delay, rng: random.Random) -> float:
    """One draw of `delay`, in seconds."""
    if isinstance(delay, LogNormal):
        return rng.lognormvariate(math.log(delay.median_s), delay.sigma)
    return delay


class Fault(StrEnum):
    """How a reply goes wrong at `Behavior.fault_at`."""

    HANG = "hang"  # nothing more comes, for ever: before the headers a hang, after a token a stall
    CUT = "cut"  # the connection is closed (FIN) in the middle of the HTTP message
    END = "end"  # the HTTP message ends as it should, the answer inside it does not
    RESET = "reset"  # the connection is reset (RST)
    ERROR_EVENT = "error_event"  # the dialect's own error, in the stream; never before the headers
    GARBAGE = "garbage"  # bytes that are not HTTP, then the end


class Framing(StrEnum):
    """How the peer learns where the body ends."""

    LENGTH = "length"
    CHUNKED = "chunked"
    CLOSE = "close"  # HTTP/1.0's way: a cut body looks like a whole one


class Encoding(StrEnum):
    """Content-Encoding, whether it was asked for or not."""

    IDENTITY = "identity"
    GZIP = "gzip"
    DEFLATE = "deflate"


class Part(StrEnum):
    """A part of the reply."""

    HEADERS = "headers"
    BODY = "body"


@dataclass(frozen=True, slots=True)
class Drip:
    """Sends `part` in pieces of `size_bytes`, `interval_s` seconds apart."""

    interval_s: float
    part: Part = Part.BODY
    size_bytes: int = 1


@dataclass(frozen=True, slots=True)
class LabToolCall:
    """A tool call in the answer; `arguments` is JSON text."""

    name: str
    arguments: str = "{}"
    id: str = "call_lab_1"


@dataclass(frozen=True, slots=True)
class Behavior:
    """How to treat one request. The default is a healthy answer, at once, streamed if that was asked for.

    Answer: `text` is sent word by word; `tokens` made-up words take its place where given; `reasoning` comes
    first, tool calls last. `finish_reason` is in the dialect's own words, but for "stop", which stands for its
    usual one; None: never sent. `done` is the stream's own end mark (`[DONE]`, `message_stop`). `usage` is sent
    where the dialect sends it, `input_tokens` None: estimated.

    Time, in seconds: `headers_s` before the headers, `ttft_s` before the first token, `token_s` before each
    later one. An unstreamed answer waits for all of it before its headers.

    Instead of an answer: `status` ≥ 400 sends the dialect's error shape with `error_*`; `body` is sent as it
    is, a tuple piece by piece, each piece being one token; `raw` is everything after the request, the status
    line included. `flood` is then sent again and again until the peer leaves.

    `gate` waits at `gate_at` until `LabProvider.release(gate)`; `fault` strikes at `fault_at`. `headers` are
    added to the usual ones and replace those of the same name.
    """

    text: str = "Hello from the lab."
    tokens: int | None = None
    reasoning: str = ""
    tool_calls: tuple[LabToolCall, ...] = ()
    finish_reason: str | None = "stop"
    done: bool = True
    usage: bool = True
    input_tokens: int | None = None

    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    content_type: str | None = None
    body: bytes | tuple[bytes, ...] | None = None
    raw: bytes | None = None
    flood: bytes = b""
    error_message: str = "The lab was told to fail."
    error_type: str | None = None
    error_code: str | None = None

    headers_s: Delay = 0.0
    ttft_s: Delay = 0.0
    token_s: Delay = 0.0

    gate: str | None = None
    gate_at: int | None = None
    fault: Fault | None = None
    fault_at: int | None = None

    framing: Framing | None = None
    encoding: Encoding = Encoding.IDENTITY
    drip: Drip | None = None
    keep_alive: bool = True


def html_page(status: int = 502) -> Behavior:
    """A gateway's HTML page with this status: 502, or 200 as a captive portal does it."""
    return Behavior(status=status, body=HTML_502, content_type="text/html")


def rate_limited(retry_after: str | None = None) -> Behavior:
    """A 429; `retry_after` is the header's value, None sends none."""
    headers = () if retry_after is None else (("retry-after", retry_after),)
    return Behavior(status=429, headers=headers, error_message="Rate limit reached", error_code="rate_limit_exceeded")


def redirect(location: str, status: int = 302) -> Behavior:
    """A redirect to `location`."""
    return Behavior(status=status, headers=(("location", location),), body=b"")
