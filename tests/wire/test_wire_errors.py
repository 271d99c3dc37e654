"""The classification of error answers: wire.md §A, shape by shape and row by row."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmr.errors import ErrorKind, ProviderError
from llmr.wire.error_table import ROWS, kind_of
from llmr.wire.errors import RAW_LIMIT_BYTES, bad_response, classify, error_inside

K = ErrorKind


def said(status: int, body: Any = b"", **headers: str) -> ProviderError:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return classify(
        status, {name.replace("_", "-"): value for name, value in headers.items()}, raw, now=1_800_000_000.0
    )


@pytest.mark.parametrize(
    ("body", "message", "code"),
    [
        ({"error": {"message": "m", "type": "t", "param": None, "code": "c"}}, "m", "c"),
        ({"error": {"message": "m", "type": "t", "code": None}}, "m", "t"),
        ({"error": {"message": "m", "type": "t", "code": "abc"}}, "m", "abc"),
        ({"error": {"message": "m", "type": "t", "code": "123"}}, "m", "123"),
        (
            {"type": "error", "error": {"type": "invalid_request_error", "message": "m"}, "request_id": None},
            "m",
            "invalid_request_error",
        ),
        (
            {"error": {"code": 400, "message": "m", "status": "INVALID_ARGUMENT", "details": []}},
            "m",
            "INVALID_ARGUMENT",
        ),
        (
            {"error": {"code": 400, "message": "m", "metadata": {"raw": "{}", "provider_name": "p"}}, "user_id": "u"},
            "m",
            "400",
        ),
        ({"error": {"code": 400, "message": "m", "type": "t", "n_ctx": 1}}, "m", "t"),
        ({"error": {"code": "400", "message": "m"}}, "m", "400"),
        ({"error": "text"}, "text", None),
        ({"code": "some code", "error": "text"}, "text", "some code"),
        ({"message": "m", "type": "t", "param": "p", "code": "c"}, "m", "c"),
        ({"object": "error", "message": "m", "type": "t", "code": "3051", "raw_status_code": 400}, "m", "3051"),
        ({"detail": "text"}, "text", None),
        ({"detail": [{"type": "x", "loc": ["body", 0, "a"], "msg": "bad", "input": 1}]}, "body.0.a: bad", None),
        ({"message": "m", "request_id": "r"}, "m", None),
        ({"code": 400, "reason": "BadRequest", "message": "m"}, "m", "BadRequest"),
        ({"errors": ["first", "second"]}, "first", None),
        ({"errors": [{"message": "first"}]}, "first", None),
        ([{"error": {"code": 400, "message": "m", "status": "INVALID_ARGUMENT"}}], "m", "INVALID_ARGUMENT"),
        (b"\xef\xbb\xbf" + b'{"error":{"message":"m"}}', "m", None),
        (b"plain text", "plain text", None),
        (b"x" * 1000, "x" * 300, None),
        (b"", "HTTP 400 with an empty body", None),
        ({"error": {"message": "   "}}, '{"error": {"message": "   "}}', None),
        ({"error": {"message": "x" * 5000}}, "x" * 2048, None),
        (b"caf\xe9", "caf\ufffd", None),
        (b"null", "null", None),
        ({"error": {"message": "m", "type": True, "code": ""}}, "m", None),
        ({"detail": []}, '{"detail": []}', None),
        (b"[" * 100_000, "[" * 300, None),
    ],
    ids=str,
)
def test_every_shape_of_body_gives_a_message_and_a_code(body: Any, message: str, code: str | None) -> None:
    error = said(400, body)
    assert (error.message, error.code) == (message, code)
    assert error.kind is K.BAD_REQUEST
    assert error.status == 400


def google(status: int, name: str, message: str, *details: dict[str, Any]) -> dict[str, Any]:
    return {"error": {"code": status, "message": message, "status": name, "details": list(details)}}


def quota(quota_id: str) -> dict[str, Any]:
    return {"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [{"quotaId": quota_id}]}


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        # money
        (402, {}, K.QUOTA),
        (412, {"error": {"code": "PRECONDITION_FAILED", "message": "Account is suspended"}}, K.QUOTA),
        (429, {"error": {"type": "insufficient_quota", "code": "insufficient_quota", "message": "m"}}, K.QUOTA),
        (429, {"type": "error", "error": {"type": "rate_limit_error",
        "details": {"error_code": "enforced_spend_limit_reached"}}}, K.QUOTA),
        (400, {"error": {"type": "invalid_request_error", "message": "Your credit balance is too low to access"}}, K.QUOTA),
        (429, google(429, "RESOURCE_EXHAUSTED", "m", quota("GenerateRequestsPerDayPerProjectPerModel-FreeTier")), K.QUOTA),
        # who asks
        (401, {}, K.AUTH),
        (401, b"<html>openresty</html>", K.AUTH),
        (403, {"error": {"message": "Forbidden", "code": "forbidden"}}, K.AUTH),
        (400, google(400, "INVALID_ARGUMENT", "API key not valid.", {"reason": "API_KEY_INVALID"}), K.AUTH),
        (400, {"code": "invalid-argument", "error": "Incorrect API key provided."}, K.AUTH),
        (400, google(400, "FAILED_PRECONDITION", "User location is not supported for the API use."), K.AUTH),
        (403, {"error": {"code": "unsupported_country_region_territory"}}, K.AUTH),
        # limits
        (429, {"error": {"message": "Request too large for gpt-4 … Limit 1, Requested 2",
        "code": "rate_limit_exceeded"}}, K.TOO_LARGE_FOR_LIMIT),
        (413, {"error": {"message": "Request too large for model `x` … TPM: Limit 1", "code": "rate_limit_exceeded"}},
        K.TOO_LARGE_FOR_LIMIT),
        (429, {"error": {"message": "Rate limit reached", "code": "rate_limit_exceeded"}}, K.RATE_LIMIT),
        (429, {"error": {"message": "Slow down", "code": "slow_down"}}, K.RATE_LIMIT),
        (429, google(429, "RESOURCE_EXHAUSTED", "You exceeded your current quota, please check your plan and billing details.",
                     quota("GenerateContentPaidTierInputTokensPerModelPerMinute")), K.RATE_LIMIT),
        (429, b"Too many requests.", K.RATE_LIMIT),
        (429, {"code": "request_quota_exceeded", "type": "too_many_requests_error", "message": "m"}, K.RATE_LIMIT),
        # what stands before the provider
        (502, b"<html><title>502 Bad Gateway</title></html>", K.GATEWAY),
        (500, b"<!DOCTYPE html><h1>nginx</h1>", K.GATEWAY),
        (529, b"<html>overloaded</html>", K.GATEWAY),
        (502, b"upstream connect error", K.SERVER),
        (502, {"error": {"message": "<html>x</html>"}}, K.SERVER),
        (429, b"<html>slow down</html>", K.RATE_LIMIT),
        (404, b"<html>openresty</html>", K.BAD_REQUEST),
        # models
        (404, {"error": {"message": "model: x", "type": "not_found_error"}}, K.MODEL_NOT_FOUND),
        (404, google(404, "NOT_FOUND", "models/x is not found for API version v1beta, or is not supported"), K.MODEL_NOT_FOUND),
        (404, {"error": {"message": "No endpoints found for x.", "code": 404}}, K.MODEL_NOT_FOUND),
        (404, {"error": {"message": "No endpoints found that support image input", "code": 404}}, K.UNSUPPORTED),
        (400, {"code": "invalid-argument", "error": "Model not found: grok-x"}, K.MODEL_NOT_FOUND),
        (400, {"error": {"message": "x is not a valid model ID", "code": 400}}, K.MODEL_NOT_FOUND),
        (403, {"error": {"message": "Project `p` does not have access to model `m`", "code": "model_not_found"}},
        K.MODEL_NOT_FOUND),
        (404, b"", K.BAD_REQUEST),
        # length
        (413, {"type": "error", "error": {"type": "request_too_large", "message": "m"}}, K.CONTEXT_LENGTH),
        (413, b"payload too large", K.CONTEXT_LENGTH),
        (400, {"error": {"code": "context_length_exceeded"}}, K.CONTEXT_LENGTH),
        (400, google(400, "INVALID_ARGUMENT",
        "The input token count (2) exceeds the maximum number of tokens allowed (1)."), K.CONTEXT_LENGTH),
        (400, {"error": {"type": "too_many_prompt_tokens"}}, K.CONTEXT_LENGTH),
        # content
        (400, {"error": {"code": "content_filter", "innererror": {"code": "ResponsibleAIPolicyViolation"}}}, K.CONTENT_FILTER),
        (400, {"error": {"code": "x", "innererror": {"code": "ResponsibleAIPolicyViolation"}}}, K.CONTENT_FILTER),
        (403, {"error": {"code": 403, "message": "Your chosen model requires moderation and your input was flagged"}},
        K.CONTENT_FILTER),
        # what a model cannot do
        (400, {"error": {"code": "unsupported_parameter", "message": "m"}}, K.UNSUPPORTED),
        (400, {"error": {"message": "`tools` is not supported with this model"}}, K.UNSUPPORTED),
        (400, {"error": {"message": "messages[0]: unknown variant `image_url`, expected `text` at line 1"}}, K.UNSUPPORTED),
        (500, {"error": {"code": 500, "message": "tools param requires --jinja flag", "type": "server_error"}}, K.UNSUPPORTED),
        (500, {"error": {"code": 500, "message": "image input is not supported - hint: provide the mmproj"}}, K.UNSUPPORTED),
        (501, {}, K.UNSUPPORTED),
        (400, {"error": {"code": "tool_use_failed", "failed_generation": "x", "message": "m"}}, K.TOOL_USE_FAILED),
        # how they are
        (529, {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}, K.OVERLOADED),
        (498, {"error": {"code": "capacity_exceeded"}}, K.OVERLOADED),
        (503, {"error": {"code": "server_is_overloaded", "message": "m"}}, K.OVERLOADED),
        (503, {"code": "x", "error": "Service temporarily unavailable. The model is at capacity"}, K.OVERLOADED),
        (429, {"error": {"code": "1305", "message": "m"}}, K.OVERLOADED),
        (503, google(503, "UNAVAILABLE", "The model is overloaded. Please try again later."), K.SERVER),
        (500, google(500, "INTERNAL", "m"), K.SERVER),
        (503, b"upstream connect error or disconnect/reset before headers. reset reason: connection termination", K.SERVER),
        (408, b"upstream request timeout", K.SERVER),
        (424, b"x", K.SERVER),
        (524, {"error": {"code": 524, "message": "Request timed out."}}, K.SERVER),
        (500, {"object": "error", "message": "Service unavailable.", "code": "1000"}, K.SERVER),
        # the rest is ours
        (400, {"error": {"message": "m"}}, K.BAD_REQUEST),
        (405, b"", K.BAD_REQUEST),
        (409, {"type": "error", "error": {"type": "conflict_error", "message": "Conflict"}}, K.BAD_REQUEST),
        (422, {"detail": "x"}, K.BAD_REQUEST),
        (500, {"error": {"message": "Cannot use both json_schema and grammar", "type": "server_error"}}, K.BAD_REQUEST),
        # no error at all
        (200, {}, K.BAD_RESPONSE),
        (204, b"", K.BAD_RESPONSE),
        (101, b"", K.BAD_RESPONSE),
        (999, {}, K.BAD_RESPONSE),
        (200, {"error": {"code": 429, "message": "Provider returned error"}}, K.RATE_LIMIT),
        (200, {"error": {"code": "content_filter", "status": 400, "message": "m"}}, K.CONTENT_FILTER),
    ],
    ids=str,
)  # fmt: skip
def test_each_answer_has_one_kind(status: int, body: Any, kind: ErrorKind) -> None:
    assert said(status, body).kind is kind


def test_the_providers_verdict_is_kept_and_false_on_a_429_means_too_large() -> None:
    body = {"type": "error", "error": {"type": "rate_limit_error", "message": "This request would exceed"}}
    waiting = said(429, body, x_should_retry="true", retry_after="47")
    assert (waiting.kind, waiting.should_retry, waiting.retry_after_s) == (K.RATE_LIMIT, True, 47.0)
    never = said(429, body, x_should_retry="False", retry_after="47")
    assert (never.kind, never.should_retry, never.retry_after_s) == (K.TOO_LARGE_FOR_LIMIT, False, 47.0)
    assert said(429, body, x_should_retry="maybe").should_retry is None
    assert said(500, body, x_should_retry="false").should_retry is False


def test_openrouters_nested_answer_decides_the_kind() -> None:
    raw = json.dumps({"error": {"message": "too long", "code": "context_length_exceeded"}})
    body = {
        "error": {"message": "Provider returned error", "code": 400, "metadata": {"raw": raw, "provider_name": "Azure"}}
    }
    assert said(400, body).kind is K.CONTEXT_LENGTH
    body["error"]["metadata"]["raw"] = "prompt is too long: 3 tokens > 2"
    assert said(400, body).kind is K.CONTEXT_LENGTH
    body["error"]["metadata"] = {"error_type": "provider_overloaded"}
    assert said(502, body).kind is K.OVERLOADED
    body["error"]["metadata"] = {"raw": {"error": {"code": "model_not_found"}}}
    assert said(400, body).kind is K.MODEL_NOT_FOUND


def test_the_request_id_is_found_in_headers_or_body() -> None:
    assert said(500, b"", x_request_id="req_1").request_id == "req_1"
    assert said(500, b"", x_request_id="a", apim_request_id="b").request_id == "b"
    assert said(500, {"request_id": "r"}).request_id == "r"
    assert said(500, {"request_id": 7}).request_id is None
    assert said(500, b"", request_id="x" * 999).request_id == "x" * 200


@pytest.mark.parametrize(
    ("location", "shown"),
    [
        ("https://user:secret@evil.example:8443/path?key=secret#x", "https://evil.example:8443"),
        ("http://evil.example?key=secret", "http://evil.example"),
        ("https:\\\\evil.example", "another path of the same host"),
        ("/v2/chat?key=secret", "another path of the same host"),
        ("", "nowhere"),
    ],
)
def test_a_redirect_names_the_host_and_nothing_secret(location: str, shown: str) -> None:
    error = said(307, b"moved", location=location)
    assert error.kind is K.BAD_RESPONSE
    assert f"redirects to {shown};" in error.message
    assert "secret" not in error.message


def test_a_page_of_html_shows_its_title_only() -> None:
    error = said(502, b"<!DOCTYPE html><html><head><TITLE lang=x>502 Bad\n  Gateway</title></head><body>secret</body>")
    assert error.message == "HTTP 502: a page of HTML, not an answer: 502 Bad Gateway"
    assert error.kind is K.GATEWAY
    assert said(502, b"<html><body>x</body>").message.endswith("no title")
    assert len(said(502, b"<html><title>" + b"t" * 9000).message) < 260


def test_the_body_is_kept_up_to_its_limit() -> None:
    assert said(500, b"x" * 100_000).raw == b"x" * RAW_LIMIT_BYTES


def test_an_error_inside_a_200_has_its_inner_class_and_status() -> None:
    error = error_inside({"error": {"code": 429, "message": "m"}}, "text")
    assert (error.kind, error.status, error.code, error.raw) == (K.RATE_LIMIT, 429, "429", b"text")
    error = error_inside({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}, "")
    assert (error.kind, error.status, error.code) == (K.OVERLOADED, None, "overloaded_error")
    assert error_inside({"error": {"type": "rate_limit_error", "message": "m"}}, "").kind is K.RATE_LIMIT
    assert error_inside({"error": {"type": "invalid_request_error", "message": "m"}}, "").kind is K.BAD_REQUEST
    assert error_inside({"error": {"type": "never heard of", "message": "m"}}, "").kind is K.SERVER
    assert error_inside({"error": {"message": "m"}, "request_id": "r"}, "").request_id == "r"


def test_a_bad_response_keeps_what_came() -> None:
    assert bad_response("what", "a\ud800").raw == b"a?"
    assert bad_response("what", b"<html><title>Sign in</title>").message == "what: Sign in"


def test_no_row_of_the_table_is_out_of_reach() -> None:
    for row in ROWS:
        for word in row.words or ("",):
            for phrase in row.phrases or ("",):
                prose = phrase.replace("…", " … ")
                reached = {kind_of(status, frozenset({word}), prose, refused=row.refused) for status in row.statuses}
                assert row.kind in reached, (row, word, phrase)


@given(
    st.integers(0, 999),
    st.binary(max_size=200)
    | st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=20),
        lambda inner: st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["error", "message", "code", "type", "details", "detail", "errors", "metadata", "raw", "loc", "msg",
                             "violations", "quotaId", "status", "innererror", "retryDelay", "request_id", "reason",
                             "error_code"]),
            inner, max_size=4),
        max_leaves=12,
    ).map(lambda value: json.dumps(value).encode()),
)  # fmt: skip
def test_any_body_is_classified_without_a_crash(status: int, body: bytes) -> None:
    error = said(status, body, retry_after="7")
    assert isinstance(error.message, str)
    assert error.message
    assert error.retry_after_s is None or error.retry_after_s >= 0
