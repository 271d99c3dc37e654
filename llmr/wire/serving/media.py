"""Attachments as clients send them: data URLs and base64 in, bytes out; any other URL is passed on and never fetched.

Nothing here, nor anywhere in the server, opens a URL that a client names (trust.md T16): a provider may fetch it, or not.
"""

import binascii
from binascii import a2b_base64
from typing import Final
from urllib.parse import unquote_to_bytes

from llmr.chat import Media, MediaKind
from llmr.wire.serving import RequestUnfit

_SCHEMES: Final = ("https://", "http://", "gs://")
_UNNAMED: Final = "application/octet-stream"
_GUESSED_IMAGE: Final = (
    "image/png"  # of an image behind a URL, whose type nobody said; wires pass the URL on without it
)


def content_of(text: str, param: str) -> bytes:
    """The bytes of base64 text."""
    try:
        return a2b_base64(text, strict_mode=True)
    except (binascii.Error, ValueError):
        raise RequestUnfit("is no base64", param=param) from None


def media_at(kind: MediaKind, url: str, param: str, *, name: str | None = None, detail: str | None = None) -> Media:
    """What a URL names: a data URL's content, or the URL itself."""
    if url[:5].lower() != "data:":
        if not url.lower().startswith(_SCHEMES):
            raise RequestUnfit("is neither a data: URL nor an http(s):// one", param=param)
        return Media(kind, _GUESSED_IMAGE if kind is MediaKind.IMAGE else _UNNAMED, url=url, name=name, detail=detail)
    head, comma, data = url[5:].partition(",")
    if not comma:
        raise RequestUnfit("is a data: URL without data", param=param)
    media_type, *flags = (word.strip() for word in head.split(";"))
    content = content_of(data, param) if "base64" in flags else unquote_to_bytes(data)
    return Media(kind, media_type.lower() or _UNNAMED, content=content, name=name, detail=detail)
