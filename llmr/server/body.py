"""The body of a request: JSON, whole, within its limits, parsed once."""

import asyncio
from contextlib import aclosing
from typing import Any, Final

from llmr.server.call import Call
from llmr.server.limits import MIB, Limits
from llmr.server.problems import Refused, refuse
from llmr.wire import json_text

_MORE: Final = "`llmr serve --max-body-mb N` allows more"


async def read_json(call: Call, limits: Limits) -> dict[str, Any]:
    """The object that the body is. Raises Refused (415, 413, 408, 400), Gone."""
    said = call.value(b"content-type") or ""
    if said.partition(";")[0].strip().lower() != "application/json":
        raise refuse(415, "unsupported_media_type", "the content type must be application/json")
    if call.value(b"content-encoding") not in (None, "identity"):
        raise refuse(415, "unsupported_encoding", "a compressed body is not read")
    body = await _read(call, limits)
    try:
        value = json_text.parse(body.decode(), max_depth=limits.json_depth)
    except UnicodeDecodeError:
        raise refuse(400, "invalid_json", "the body is not UTF-8") from None
    except json_text.JsonError as error:
        raise refuse(400, "invalid_json", f"the body is not usable JSON: {error}") from None
    if not isinstance(value, dict):
        raise refuse(400, "invalid_json", "the body must be a JSON object")
    return json_text.object_of(value)


async def _read(call: Call, limits: Limits) -> bytes:
    length = call.value(b"content-length") or "0"
    if not (length.isascii() and length.isdigit()) or len(length) > 15 or int(length) > limits.body_bytes:
        raise _too_large(limits)
    read = bytearray()
    try:
        async with asyncio.timeout(limits.body_s), aclosing(call.chunks()) as chunks:
            async for chunk in chunks:
                read += chunk
                if len(read) > limits.body_bytes:
                    raise _too_large(limits)
    except TimeoutError:
        raise _closing(refuse(408, "request_timeout", f"the body did not come within {limits.body_s:g} s")) from None
    return bytes(read)


def _too_large(limits: Limits) -> Refused:
    return _closing(refuse(413, "request_too_large", f"the body may have {limits.body_bytes // MIB} MiB; {_MORE}"))


def _closing(refused: Refused) -> Refused:
    """The rest of the body is not read: the connection cannot be used again."""
    refused.headers = {"connection": "close"}
    return refused
