"""Errors that no recording holds: what hosts, gateways and local servers document or are known to send.

The shapes and rows of wire.md §A are next door (test_wire_errors.py); here are their neighbours, and answers in which the
error of the provider behind a gateway is wrapped in one of the gateway's own.
"""

import json
from typing import Any

import pytest

from llmr.errors import ErrorKind, ProviderError
from llmr.wire.errors import classify

K = ErrorKind
NOW = 1_800_000_000.0
RETRY_INFO = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "23s"}


def said(status: int, body: Any, **headers: str) -> ProviderError:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return classify(status, {name.replace("_", "-"): value for name, value in headers.items()}, raw, now=NOW)


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        # z.ai
        (400, {"error": {"code": "1261", "message": "Prompt exceeds max length"}}, K.CONTEXT_LENGTH),
        (429, {"error": {"code": "1309", "message": "Your plan has expired"}}, K.QUOTA),
        (429, {"error": {"code": "1302", "message": "High concurrency usage of this API"}}, K.RATE_LIMIT),
        # Moonshot, Alibaba
        (429, {"error": {"type": "exceeded_current_quota_error", "message": "Your account is suspended"}}, K.QUOTA),
        (429, {"error": {"type": "engine_overloaded_error", "message": "The engine is busy"}}, K.OVERLOADED),
        (400, {"code": "Arrearage", "message": "Access denied"}, K.QUOTA),
        # Google
        (400, {"error": {"code": 400, "status": "FAILED_PRECONDITION",
        "message": "Gemini API free tier is not available in your country. Please enable billing on your project"}}, K.QUOTA),
        (403, {"error": {"code": 403, "status": "PERMISSION_DENIED", "message": "This API method requires billing",
        "details": [{"reason": "BILLING_DISABLED"}]}}, K.QUOTA),
        (400, {"error": {"code": 400, "message": "Function calling is not enabled for models/gemma-3"}}, K.UNSUPPORTED),
        # Anthropic: a 404 is about a model only where it says so
        (404, {"type": "error", "error": {"type": "not_found_error", "message": "model: claude-9"}}, K.MODEL_NOT_FOUND),
        (404, {"type": "error", "error": {"type": "not_found_error", "message": "Not Found"}}, K.BAD_REQUEST),
        (400, {"type": "error", "error": {"type": "invalid_request_error",
        "message": "input length and `max_tokens` exceed context limit: 190000 + 20000 > 200000"}}, K.CONTEXT_LENGTH),
        (400, {"type": "error", "error": {"type": "invalid_request_error",
        "message": "Output blocked by content filtering policy"}}, K.CONTENT_FILTER),
        # xAI
        (403, {"code": "The caller does not have permission",
        "error": "Your team has either used all available credits or reached its monthly spending limit."}, K.QUOTA),
        # Mistral, Cerebras
        (429, {"object": "error", "message": "Service tier capacity exceeded for this model.",
        "type": "service_tier_capacity_exceeded", "code": "3505"}, K.OVERLOADED),
        (429, {"message": "We're experiencing high traffic right now!", "type": "too_many_requests_error",
        "code": "queue_exceeded"}, K.OVERLOADED),
        # OpenRouter
        (429, {"error": {"code": 429, "message": "Rate limit exceeded: free-models-per-day. Add 10 credits"}}, K.QUOTA),
        (429, {"error": {"code": 429, "message": "Rate limit exceeded: free-models-per-min. "}}, K.RATE_LIMIT),
        (403, {"error": {"code": 403, "message": "Key limit exceeded (total limit)."}}, K.QUOTA),
        # Hugging Face, Copilot, text-generation-inference
        (400, {"error": {"code": "model_not_supported", "message": "The requested model is not supported."}},
        K.MODEL_NOT_FOUND),
        (422, {"error": "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4096. Given: 5000",
        "error_type": "validation"}, K.CONTEXT_LENGTH),
        # Databricks, vLLM, Cloudflare
        (404, {"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "Endpoint with name 'x' does not exist"},
        K.MODEL_NOT_FOUND),
        (400, {"object": "error", "message": '"auto" tool choice requires --enable-auto-tool-choice', "code": 400},
        K.UNSUPPORTED),
        (404, {"object": "error", "message": "The model `x` does not exist.", "type": "NotFoundError", "code": 404},
        K.MODEL_NOT_FOUND),
        (400, {"errors": [{"message": "AiError: No such model @cf/x or task", "code": 5007}], "success": False},
        K.MODEL_NOT_FOUND),
    ],
    ids=str,
)  # fmt: skip
def test_each_has_one_kind(status: int, body: Any, kind: ErrorKind) -> None:
    assert said(status, body).kind is kind


OUT_OF_MONEY = {"error": {"message": "You exceeded your quota", "code": "insufficient_quota"}}


@pytest.mark.parametrize(
    "body",
    [
        {"error": {"code": 429, "message": json.dumps(OUT_OF_MONEY)}},
        {"error": json.dumps(OUT_OF_MONEY)},
        {"error": {"code": 429, "message": "m", "metadata": {"raw": json.dumps(OUT_OF_MONEY)}}},
        json.dumps(OUT_OF_MONEY),
        [OUT_OF_MONEY],
        b"event: error\ndata: " + json.dumps(OUT_OF_MONEY).encode() + b"\n\n",
        b"data:" + json.dumps(OUT_OF_MONEY).encode() + b"\n\ndata: [DONE]\n\n",
    ],
    ids=["message", "error", "raw", "string", "list", "event", "data"],
)
def test_an_error_inside_another_decides_the_kind(body: Any) -> None:
    assert said(429, body).kind is K.QUOTA


def test_an_event_without_data_and_a_string_of_no_json_are_text() -> None:
    assert said(500, b"event: error\n\n").message == "event: error"
    assert said(500, b'"broken').message == '"broken'
    assert said(500, b'"fine"').message == "fine"


def test_the_shorter_names_of_a_message_and_a_code_are_read() -> None:
    error = said(404, {"code": 500, "msg": "404 NOT_FOUND", "success": False})
    assert error.message == "404 NOT_FOUND"
    assert said(429, {"error_code": "REQUEST_LIMIT_EXCEEDED", "message": "m"}).code == "REQUEST_LIMIT_EXCEEDED"


def test_a_delay_that_the_provider_behind_a_gateway_gave_counts() -> None:
    raw = {"error": {"code": 429, "message": "Please retry in 34.07s.", "status": "RESOURCE_EXHAUSTED"}}
    body = {"error": {"code": 429, "message": "Provider returned error", "metadata": {"raw": json.dumps(raw)}}}
    assert said(429, body).retry_after_s == 34.07
    assert said(429, body, retry_after="5").retry_after_s == 5.0


def test_a_delay_inside_a_list_of_one_error_counts() -> None:
    assert said(429, [{"error": {"code": 429, "message": "m", "details": [RETRY_INFO]}}]).retry_after_s == 23.0


def test_limits_that_openrouter_puts_into_the_body_count() -> None:
    limits = {"X-RateLimit-Limit": "16", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(int(NOW + 5) * 1000)}
    body = {"error": {"code": 429, "message": "free-models-per-min", "metadata": {"headers": limits}}}
    assert said(429, body).retry_after_s == 5.0
    limits["X-RateLimit-Remaining"] = 0
    assert said(429, body).retry_after_s is None
