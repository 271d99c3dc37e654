"""What an error answer means: status, headers and body → one `ProviderError`, for every wire.

Providers agree on nothing: twenty body shapes (wire.md §A.1), 400 for a bad key, 429 for empty accounts, 500 for a prompt
that is too long, 200 for an error. So the content type is never trusted: whatever parses as JSON is read as JSON, each
known place of a message and of a code is looked at, and the judgement is left to `error_table`. What to *do* about a kind
is not said here; that is `routing/disposition.py`.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from llmr.dataclass import dataclass
from llmr.errors import ErrorKind, ProviderError
from llmr.wire import json_text
from llmr.wire.error_table import HTML, kind_of
from llmr.wire.json_text import list_of, object_of, text_of
from llmr.wire.retry_delay import retry_delay_s

RAW_LIMIT_BYTES: Final = 64 * 1024  # errors.ProviderError.raw
_MESSAGE_LIMIT = 2048  # characters shown of an error message, trust.md T21
_PLAIN_TEXT_LIMIT = 300  # wire.md §A.1
_TITLE_LIMIT = 200  # trust.md §5
_IDENTIFIER_LIMIT = 200

_REQUEST_ID_HEADERS: Final = (
    "apim-request-id", "x-request-id", "request-id", "x-generation-id", "mistral-correlation-id", "x-kong-request-id",
    "x-github-request-id", "x-goog-request-id", "x-amzn-requestid", "x-ds-trace-id", "cf-ray",
)  # fmt: skip


def classify(status: int, headers: Mapping[str, str], body: bytes, *, now: float) -> ProviderError:
    """The error that this answer means. `headers` have lower-case names; `now` is wall-clock seconds."""
    if 300 <= status < 400:
        return _redirect(status, headers, body)
    text = _unwrapped(body.decode("utf-8", "replace").removeprefix("\ufeff"))
    value = _only_one(_json_or_empty(text))
    said = _Said.of(value, text, status)
    headers = {**_headers_inside(value), **headers}
    if 200 <= status < 300 and not said.is_error:
        return ProviderError(ErrorKind.BAD_RESPONSE, said.message, status=status, raw=body[:RAW_LIMIT_BYTES])
    verdict = {"true": True, "false": False}.get(headers.get("x-should-retry", "").strip().lower())
    kind = kind_of(said.status, said.words, said.prose, refused=verdict is False)
    delay = retry_delay_s(headers, value, said.message, limited=status in (429, 503), now=now)
    if delay is None and said.upstream:  # the gateway kept what the provider behind it said
        delay = retry_delay_s({}, said.upstream, _message(said.upstream, "", status), limited=False, now=now)
    return ProviderError(
        kind,
        said.message,
        status=status,
        code=said.code,
        retry_after_s=delay,
        should_retry=verdict,
        request_id=_request_id(headers, value),
        raw=body[:RAW_LIMIT_BYTES],
    )


def error_inside(value: Any, text: str) -> ProviderError:
    """The error that a 200 carries, whole or as an event. `value` is the JSON of `text`; its status is its own number."""
    value = _only_one(value)
    said = _Said.of(value, text, 200)
    return ProviderError(
        kind_of(said.status, said.words, said.prose, refused=False),
        said.message,
        status=said.status if said.status >= 400 else None,
        code=said.code,
        retry_after_s=retry_delay_s({}, value, said.message, limited=False, now=0.0),
        request_id=_request_id({}, value),
        raw=text.encode("utf-8", "replace")[:RAW_LIMIT_BYTES],
    )


def bad_response(what: str, raw: bytes | str = b"") -> ProviderError:
    """A 200 that is no answer. `what` is our own words; a page of HTML adds its title."""
    raw_bytes = raw.encode("utf-8", "replace") if isinstance(raw, str) else raw
    title = _html_title(raw_bytes.decode("utf-8", "replace"))
    message = what if title is None else f"{what}: {title}"
    return ProviderError(ErrorKind.BAD_RESPONSE, message, raw=raw_bytes[:RAW_LIMIT_BYTES])


@dataclass(frozen=True, slots=True)
class _Said:
    """What an error body says, whatever its shape. `words` and `prose` are lower case."""

    status: int
    message: str
    code: str | None
    words: frozenset[str]
    prose: str
    is_error: bool
    upstream: dict[str, Any]

    @staticmethod
    def of(value: Any, text: str, status: int) -> "_Said":
        """Reads every shape of §A.1; `value` is the JSON of `text`, {} where it is none."""
        top = object_of(value)
        error = top.get("error")
        inner = object_of(error)
        message = _message(top, text, status)
        codes = [*_codes(inner), *_codes(top)]
        upstream = _upstream(error)
        more = list(_codes(object_of(upstream.get("error")))) + list(_codes(upstream))
        named = next((code for code in codes if not _is_http_status(code)), None)
        number = next((int(code) for code in codes if _is_http_status(code)), 0)
        prose = " ".join(
            (message, str(upstream or object_of(inner.get("metadata")).get("raw", "")), text[:_MESSAGE_LIMIT])
        )
        return _Said(
            status=number if 200 <= status < 300 and number else status,
            message=message,
            code=(named or next(iter(codes), None)),
            words=frozenset(word.lower() for word in (*codes, *more, *([HTML] if _html_title(text) else []))),
            prose=prose.lower(),
            is_error=bool(error) or top.get("type") == "error" or top.get("object") == "error",
            upstream=upstream,
        )


def _message(top: dict[str, Any], text: str, status: int) -> str:
    """The first of `error.message | error (text) | message | detail | errors[0]`, else the text itself (§A.1)."""
    error = top.get("error")
    errors = top.get("errors")
    for said in (
        object_of(error).get("message"),
        error,
        top.get("message"),
        _detail(top.get("detail")),
        _detail(errors),
        top.get("msg"),  # z.ai
    ):
        if isinstance(said, str) and said.strip():
            return said.strip()[:_MESSAGE_LIMIT]
    title = _html_title(text)
    if title is not None:
        return f"HTTP {status}: a page of HTML, not an answer: {title}"
    return text.strip()[:_PLAIN_TEXT_LIMIT] or f"HTTP {status} with an empty body"


def _detail(value: Any) -> Any:
    """FastAPI's `detail`: text, or a list of `{"loc", "msg"}`; the first of them, with its place."""
    items = list_of(value)
    if not items:
        return value
    first = items[0]
    item = object_of(first)
    said = item.get("msg") or item.get("message") or first
    place = item.get("loc")
    if isinstance(place, list) and isinstance(said, str):
        return ".".join(str(step) for step in list_of(place)) + ": " + said
    return said


def _codes(item: Mapping[str, Any]) -> Iterator[str]:
    """The machine-readable words of an error object, the most telling first."""
    details = item.get("details")
    metadata = object_of(item.get("metadata"))
    candidates: list[Any] = [
        object_of(details).get("error_code"),
        metadata.get("error_type"),
        item.get("code"),
        item.get("error_code"),  # Databricks
        item.get("type"),
        item.get("error_type"),  # text-generation-inference
        item.get("status"),
        object_of(item.get("innererror")).get("code"),
        item.get("reason"),
    ]
    for detail in list_of(details):
        candidates.append(object_of(detail).get("reason"))
        quotas = [
            text_of(object_of(violation).get("quotaId")) for violation in list_of(object_of(detail).get("violations"))
        ]
        if any("perday" in quota.lower() for quota in quotas):
            candidates.append("quota_per_day")  # wire.md §A.4: Google's quotaId *PerDay*
    for code in candidates:
        if isinstance(code, str | int) and not isinstance(code, bool) and str(code) and code != "error":
            yield str(code)[:_IDENTIFIER_LIMIT]


def _upstream(error: Any) -> dict[str, Any]:
    """The JSON of the provider behind a gateway: OpenRouter's `metadata.raw`, elsewhere the message itself, as a string."""
    inner = object_of(error)
    for said in (object_of(inner.get("metadata")).get("raw"), inner.get("message"), error):
        found = object_of(_json_or_empty(said)) if isinstance(said, str) else object_of(said)
        if found and found is not inner:
            return found
    return {}


def _only_one(value: Any) -> Any:
    """Google wraps the error of a stream, and of its OpenAI-compatible endpoint, in a list."""
    return value[0] if isinstance(value, list) and value else value  # pyright: ignore[reportUnknownVariableType] - JSON


def _unwrapped(text: str) -> str:
    """The JSON of an error that came as an event, or as a string in a string; else the text as it is."""
    if text.startswith(("data:", "event:")):
        lines = (line.removeprefix("data:") for line in text.splitlines() if line.startswith("data:"))
        return next(lines, text).strip()
    value = _json_or_empty(text) if text.startswith('"') else None
    return value if isinstance(value, str) else text


def _headers_inside(value: Any) -> dict[str, str]:
    """OpenRouter puts the headers of its own limits into the body: `error.metadata.headers`."""
    said = object_of(object_of(object_of(object_of(value).get("error")).get("metadata")).get("headers"))
    return {name.lower(): text for name, text in said.items() if isinstance(text, str)}


def _is_http_status(code: str) -> bool:
    return len(code) == 3 and code.isascii() and code.isdigit() and code >= "400"


def _json_or_empty(text: str) -> Any:
    try:
        return json_text.parse(text)
    except json_text.JsonError:
        return {}


def _request_id(headers: Mapping[str, str], value: Any) -> str | None:
    said = next((headers[name] for name in _REQUEST_ID_HEADERS if headers.get(name)), None)
    found = said or object_of(value).get("request_id")
    return found[:_IDENTIFIER_LIMIT] if isinstance(found, str) and found else None


def _html_title(text: str) -> str | None:
    """The title of a page of HTML, "no title" without one, None where the text is no HTML."""
    page = text[:RAW_LIMIT_BYTES].lstrip("\ufeff \t\r\n")
    if not page[:10].lower().startswith(("<!doctype", "<html", "<head", "<body", "<?xml", "<!--")):
        return None
    found = re.search(r"<title[^>]*>([^<]*)", page, re.IGNORECASE)
    return " ".join(found[1].split())[:_TITLE_LIMIT] if found and found[1].strip() else "no title"


def _redirect(status: int, headers: Mapping[str, str], body: bytes) -> ProviderError:
    """A redirect is never followed (trust.md T9). Path and query of its Location may carry secrets: they are not shown."""
    return ProviderError(
        ErrorKind.BAD_RESPONSE,
        f"HTTP {status} redirects to {_origin(headers.get('location', ''))}; redirects are not followed: mend base_url",
        status=status,
        request_id=_request_id(headers, {}),
        raw=body[:RAW_LIMIT_BYTES],
    )


def _origin(location: str) -> str:
    """`scheme://host:port` of an absolute URL; no user, path or query."""
    scheme, parted, rest = location.strip().partition("://")
    if not parted:
        return "another path of the same host" if location else "nowhere"
    host = rest.replace("\\", "/").partition("/")[0].partition("?")[0].partition("#")[0].rpartition("@")[2]
    return f"{scheme}://{host}"[:_IDENTIFIER_LIMIT]
