"""Real traffic of some forty providers against what their official SDKs made of it (shared/wire, see its README).

Each recording is decoded whole; what happens to it when it is cut, spoiled or said otherwise is next door.
Text, reasoning, calls, finish reason and usage must equal `oracle.jsonl`; what the SDK itself got wrong, or cannot say, is
listed by id in `EXCEPTIONS`. The kind of each error was judged by hand against wire.md §A.4 and is listed here; message, code
and delay are the oracle's. Nothing of the traffic is copied into this repository: without it, these tests are skipped.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

import pytest
from recorded import FORMATS, ORACLE, TRAFFIC, body_of, decode, ids, rows, where_recorded

from llmr.catalog import WireFormat
from llmr.chat import ChatResponse, FinishReason, Usage
from llmr.config.model_files import SHIPPED
from llmr.errors import ProviderError
from llmr.model_table.table import ModelTable
from llmr.routing.score import request_cost_usd
from llmr.wire import wire_for

pytestmark = where_recorded

# Where we differ from the SDK on purpose: id → what differs, and why.
EXCEPTIONS: Final = {
    "azure-200-test-prompt-content-filtering-54921e": ("error",
    "a 200 that holds an error; the SDK returns an empty completion"),
    "openrouter-200-test-openrouter-errors-raised-780beb": ("error",
    "a 200 that holds an error; the SDK returns an empty completion"),
    "openai-200-stream-test-litellm-async-streaming-with-break-a0767a": ("error",
    "the recording is empty: the client had hung up"),
    "mistral-200-stream-chat-mistral-hybrid-reasoning-streams-thinking-separately-from-conten-efa5e8": ("text",
    "where content is a list, the SDK's stream gives nothing out, and the first piece of text stood in one"),
}  # fmt: skip

ERROR_KINDS: Final[Mapping[str, tuple[str, ...]]] = {
    "auth": (
        "anthropic-401-auth-rejection-carries-identity-937c6c",
        "vertex-401-test-tool-events-no-content-53f30c",
        "azure-401-chat-error-handling-with-azure-grok-4-1-fast-non-reasoning-raises-appropriate--e91c31",
        "deepseek-401-chat-array-parameters-with-deepseek-deepseek-chat-handles-array-parameters--153a1a",
        "doubleword-403-invalid-key-blocking-0d124f",
        "doubleword-403-invalid-key-streaming-231e31",
        "groq-401-test-chat-completion-api-error-05e6e7",
        "llamacpp-401-missing-api-key-is-401-7f0999",
        "mistral-401-blocking-unauthorized-carries-the-correlation-id-49a762",
        "ollama-cloud-401-chat-error-handling-with-ollama-cloud-gpt-oss-120b-raises-appropriate-a-2e01f4",
        "openai-401-chat-error-handling-with-openai-gpt-5-nano-raises-appropriate-auth-error-bd85fa",
        "openai-401-context-context-chat-operations-uses-context-specific-api-keys-2693e1",
        "openrouter-401-chat-error-handling-with-openrouter-anthropic-claude-3-5-haiku-raises-app-f039ce",
        "xai-400-chat-error-handling-with-xai-grok-4-1-fast-non-reasoning-raises-appropriate-auth-1088f1",
        "openai-401-chat-error-handling-with-openai-gpt-5-nano-raises-appropriate-auth-error-0f0381",
        "openai-401-context-context-chat-operations-uses-context-specific-api-keys-0caded",
        "xai-400-chat-error-handling-with-xai-grok-4-1-fast-non-reasoning-raises-appropriate-auth-b4cbf9",
    ),
    "bad_request": (
        "anthropic-400-test-anthropic-web-search-tool-4b2dc1",
        "anthropic-400-test-text-document-url-input-no-force-download-faef50",
        "vertex-400-test-generate-content-invalid-role-0b90c5",
        "vertex-400-test-generate-content-invalid-temperature-c99a36",
        "vertex-400-test-model-sees-multiple-images-google-vertex-4389fd",
        "deepseek-422-chat-real-error-scenarios-deepseek-deepseek-chat-handles-invalid-message-fo-067bd2",
        "llamacpp-400-malformed-data-uri-94f561",
        "llamacpp-500-schema-and-grammar-conflict-1f32e4",
        "llamacpp-500-unfetchable-image-url-a8385f",
        "mistral-422-chat-real-error-scenarios-mistral-mistral-small-latest-handles-invalid-messa-952428",
        "ollama-400-test-agent-document-base64-bare-db7cfe",
        "ollama-400-test-agent-image-url-bare-00c004",
        "openai-400-test-multimodal-tool-return-matrix-direct-uploaded-file-image-openai-chat-03fa6a",
        "openai-400-test-vision-base64-8c9907",
        "openrouter-200-stream-test-openrouter-stream-error-2b0a81",
        "openrouter-400-openrouter-pdf-remote-no-plugin-fb7dd5",
        "perplexity-400-chat-basic-chat-functionality-perplexity-sonar-replaces-previous-system-m-f85b52",
    ),
    "content_filter": ("azure-400-async-096e5b",),
    "context_length": (
        "anthropic-400-chat-real-error-scenarios-anthropic-claude-haiku-4-5-handles-context-lengt-dc63c9",
        "google-400-chat-real-error-scenarios-gemini-gemini-2-0-flash-handles-context-length-exce-323d30",
        "google-400-chat-real-error-scenarios-gemini-gemini-2-5-flash-handles-context-length-exce-650594",
        "deepseek-400-chat-real-error-scenarios-deepseek-deepseek-chat-handles-context-length-exc-f04708",
        "groq-400-test-context-window-exceeded-groq-1f61b2",
        "llamacpp-400-context-overflow-blocking-b8394b",
        "mistral-400-test-context-window-exceeded-mistral-252411",
        "ollama-cloud-400-chat-real-error-scenarios-ollama-cloud-gpt-oss-120b-handles-context-len-88a70e",
        "openai-400-chat-real-error-scenarios-openai-gpt-5-nano-handles-context-length-exceeded-e-4fc414",
    ),
    "model_not_found": (
        "anthropic-404-test-anthropic-client-error-1bf419",
        "vertex-404-test-generate-content-missing-model-3d1cc7",
        "azure-400-azure-openai-gpt-5-mini-7c2184",
        "azure-404-test-with-model-not-found-azure-provider-chat-completions-6b5b5c",
        "deepseek-400-chat-completion-rejects-an-unknown-model-with-the-provider-body-e781b3",
        "mistral-400-blocking-error-carries-the-correlation-id-802974",
        "ollama-404-test-with-model-not-found-ollama-provider-chat-completions-33cb43",
        "openai-404-test-agents-and-tools-8b8a97",
        "openai-404-test-async-chat-completion-404-82f391",
        "openrouter-404-test-openrouter-errors-raised-e398ee",
        "venice-404-nonexistent-model-error-preserves-status-and-body-d42e05",
        "xai-400-provider-error-classifies-with-contract-but-reports-no-id-9d23b1",
    ),
    "overloaded": (
        "anthropic-200-stream-chat-function-calling-anthropic-claude-3-5-haiku-20241022-can-use-t-50d8ec",
        "anthropic-200-stream-chat-function-calling-anthropic-claude-3-5-haiku-20241022-can-use-t-6fa14f",
        "anthropic-200-stream-chat-streaming-responses-anthropic-claude-3-5-haiku-20241022-suppor-0b4c18",
        "anthropic-200-stream-chat-streaming-responses-anthropic-claude-3-5-haiku-20241022-suppor-b2519d",
        "anthropic-529-chat-function-calling-anthropic-claude-3-5-haiku-20241022-can-use-tools-5ae1aa",
        "anthropic-529-chat-function-calling-anthropic-claude-3-5-haiku-20241022-can-use-tools-wi-9ac017",
        "xai-503-chat-tool-choice-and-parallel-control-xai-grok-4-fast-non-reasoning-respects-cho-0cd181",
    ),
    "quota": (
        "anthropic-400-test-sync-messages-create-api-error-ce8cbe",
        "openai-429-test-openai-responses-model-file-search-tool-2d7535",
    ),
    "rate_limit": (
        "anthropic-429-chat-real-error-scenarios-anthropic-claude-haiku-4-5-handles-context-lengt-698628",
        "anthropic-429-chat-with-failover-fails-over-to-the-next-provider-when-the-first-one-fail-f795fc",
        "anthropic-429-test-tool-choice-required-live-367faa",
        "google-429-chat-real-error-scenarios-gemini-gemini-2-0-flash-handles-context-length-exce-5d5da7",
        "google-429-chat-real-error-scenarios-gemini-gemini-2-5-flash-handles-context-length-exce-bab60f",
        "cerebras-429-test-openai-model-cerebras-provider-qwen-3-coder-dcd541",
        "github-models-429-test-github-logprobs-3d2d29",
        "github-models-429-test-github-respects-turns-interface-53c5ab",
        "github-models-429-test-github-simple-streaming-request-62250a",
        "groq-429-test-multimodal-tool-return-matrix-tool-return-content-binary-image-groq-028e98",
        "groq-429-test-multiple-files-groq-5b86c5",
        "mistral-429-chat-function-calling-mistral-ministral-3b-latest-can-handle-multiple-tool-c-36a41b",
        "mistral-429-chat-real-error-scenarios-mistral-mistral-small-latest-handles-context-lengt-2998ae",
        "openrouter-429-simple-kimi-k2-siliconflow-ffdcd2",
        "openrouter-429-simple-kimi-k2-wandb-9694ea",
    ),
    "server": (
        "anthropic-503-async-637256",
        "google-500-test-google-recursive-schema-native-output-gemini-2-5-d8167d",
        "google-503-test-google-model-file-search-tool-07bb03",
        "azure-408-chat-real-error-scenarios-azure-kimi-k2-5-handles-context-length-exceeded-erro-9f99cd",
        "huggingface-500-test-tool-choice-huggingface-auto-uses-tool-624bda",
        "mistral-500-chat-real-error-scenarios-mistral-ministral-3b-latest-handles-context-length-36fedb",
        "mistral-500-chat-real-error-scenarios-mistral-mistral-small-latest-handles-context-lengt-41b0c0",
        "openai-200-stream-chat-streaming-responses-openai-gpt-4-1-nano-supports-streaming-respon-8518cd",
        "openai-500-chat-real-error-scenarios-openai-gpt-4-1-nano-handles-context-length-exceeded-c24b67",
    ),
    "too_large_for_limit": (
        "openai-429-chat-real-error-scenarios-openai-gpt-4-1-nano-handles-context-length-exceeded-191787",
        "openai-429-chat-real-error-scenarios-openai-gpt-5-nano-handles-context-length-exceeded-e-0d1c5a",
    ),
    "tool_use_failed": (
        "groq-400-test-tool-choice-groq-required-forces-tool-106abc",
        "groq-400-test-tool-use-failed-error-790220",
        "groq-400-test-tool-use-failed-error-with-text-fc3786",
    ),
    "unsupported": (
        "google-400-test-structured-outputs-structured-output-calls-tool-scenario-json-a82992",
        "deepseek-400-blocking-video-part-reaches-the-wire-c26f03",
        "deepseek-400-forced-tool-choice-under-thinking-is-rejected-upstream-611bcb",
        "llamacpp-400-video-part-is-refused-15483e",
        "llamacpp-500-tools-without-jinja-7ae996",
        "mistral-400-an-unsupported-reasoning-effort-keeps-the-id-and-body-0def2c",
        "mistral-400-blocking-ministral-3b-6b6754",
        "mistral-400-chat-vision-models-mistral-mistral-small-can-understand-images-9b82f6",
        "openai-400-test-openai-o1-mini-system-role-system-696ce9",
        "openai-400-openai-gpt-5-mini-5ccb51",
        "openai-400-test-multimodal-tool-return-matrix-direct-url-audio-openai-responses-d45fc5",
        "openai-400-test-reasoning-flags-match-the-api-gpt-5-4-mini-8f6685",
    ),
}

DOCUMENTED_KINDS: Final[Mapping[str, tuple[str, ...]]] = {
    "auth": (
        "anthropic-403-documented",
        "openai-403-country-documented",
    ),
    "bad_request": (
        "openrouter-422-documented",
        "anthropic-409-documented",
    ),
    "context_length": (
        "openrouter-413-documented",
        "anthropic-413-documented",
        "anthropic-400-prompt-too-long-documented",
    ),
    "overloaded": (
        "openrouter-529-documented",
        "openai-503-server-is-overloaded-documented",
        "groq-498-documented",
        "together-503-documented",
    ),
    "quota": (
        "openrouter-402-documented",
        "anthropic-402-documented",
        "anthropic-429-spend-limit-documented",
        "openai-429-credit-balance-exhausted-documented",
        "openai-429-organization-spend-limit-exceeded-documented",
        "openai-429-project-spend-limit-exceeded-documented",
        "openai-429-organization-usage-limit-exceeded-documented",
        "deepseek-402-documented",
        "google-402-documented",
        "fireworks-412-documented",
    ),
    "rate_limit": (
        "openrouter-200-stream-midstream-error-documented",
        "openai-429-slow-down-documented",
    ),
    "server": (
        "openai-responses-stream-error-event-documented",
        "openrouter-408-documented",
        "openrouter-500-documented",
        "openrouter-502-documented",
        "openrouter-503-documented",
        "openrouter-524-documented",
        "anthropic-504-documented",
        "google-504-documented",
        "google-200-stream-midstream-503-documented",
    ),
}
BESIDE_KINDS: Final[Mapping[str, tuple[str, ...]]] = {  # of APIs that no wire speaks: the oracle has no rows for them
    "auth": (
        "deepseek-401-list-models-rejected-key-reports-api-error-with-context-84bb2a",
        "google-400-list-models-rejected-key-reports-api-error-with-context-ae885c",
        "gpustack-401-models-refresh-models-output-structure-returns-models-with-consistent-struc-0ab735",
        "groq-401-list-models-rejected-key-reports-api-error-with-context-c50d3d",
        "mistral-401-list-models-rejected-key-reports-api-error-with-context-908a39",
        "openai-401-model-listing-auth-failure-keeps-api-error-context-333f09",
    ),
    "model_not_found": (
        "anthropic-404-test-anthropic-count-tokens-error-a9d2a5",
        "google-404-testgoogle-test-count-tokens-error-759587",
        "ollama-404-test-chat-error-records-model-name-0618a7",
    ),
}
NOT_SPOKEN: Final = {"ollama-200-stream-midstream-error-documented": "Ollama's native protocol; llmr speaks its /v1"}


def kind_in(table: Mapping[str, tuple[str, ...]], name: str) -> str:
    return next(kind for kind, ids in table.items() if name in ids)


def said_by_sdk(usage: Mapping[str, Any], *path: str) -> Any:
    value: Any = usage
    for step in path:
        value = value.get(step) if isinstance(value, dict) else None
    return value


def expected_openai(said: Mapping[str, Any]) -> Mapping[str, int | None]:
    prompt, completion, total = said["prompt_tokens"], said["completion_tokens"], said["total_tokens"]
    reasoning = said_by_sdk(said, "completion_tokens_details", "reasoning_tokens")
    reasoning = said.get("reasoning_tokens") if reasoning is None else reasoning  # Copilot
    apart = bool(reasoning) and total == prompt + completion + reasoning
    return {
        "input_tokens": prompt,
        "output_tokens": total - prompt if apart else completion,
        "reasoning_tokens": reasoning,
    }


def expected_anthropic(said: Mapping[str, Any]) -> Mapping[str, int | None]:
    written, read = said.get("cache_creation_input_tokens"), said.get("cache_read_input_tokens")
    return {
        "input_tokens": said["input_tokens"] + (written or 0) + (read or 0),
        "output_tokens": said["output_tokens"],
        "cached_tokens": read,
        "cache_write_tokens": written,
        "reasoning_tokens": said_by_sdk(said, "output_tokens_details", "thinking_tokens"),
    }


def expected_gemini(said: Mapping[str, Any]) -> Mapping[str, int | None]:
    prompt = said["prompt_token_count"] + said.get("tool_use_prompt_token_count", 0)
    return {
        "input_tokens": prompt,
        "output_tokens": said["total_token_count"] - prompt,
        "reasoning_tokens": said.get("thoughts_token_count"),
        "cached_tokens": said.get("cached_content_token_count"),
    }


def expected_responses(said: Mapping[str, Any]) -> Mapping[str, int | None]:
    return {
        "input_tokens": said["input_tokens"],
        "output_tokens": said["output_tokens"],
        "reasoning_tokens": said_by_sdk(said, "output_tokens_details", "reasoning_tokens"),
        "cached_tokens": said_by_sdk(said, "input_tokens_details", "cached_tokens"),
    }


EXPECTED_USAGE: Final[Mapping[str, Callable[[Mapping[str, Any]], Mapping[str, int | None]]]] = {
    "openai-chat": expected_openai,
    "anthropic-messages": expected_anthropic,
    "gemini": expected_gemini,
    "openai-responses": expected_responses,
}

FINISH: Final = {  # wire.md §B.3
    "stop": FinishReason.STOP, "eos": FinishReason.STOP, "length": FinishReason.LENGTH, "tool_calls": FinishReason.TOOL_CALLS,
    "end_turn": FinishReason.STOP, "stop_sequence": FinishReason.STOP, "max_tokens": FinishReason.LENGTH,
    "tool_use": FinishReason.TOOL_CALLS, "STOP": FinishReason.STOP, "MAX_TOKENS": FinishReason.LENGTH,
    "completed": FinishReason.STOP, "max_output_tokens": FinishReason.LENGTH,
}  # fmt: skip


def expected_finish(row: dict[str, Any]) -> FinishReason:
    result = row["result"]
    finish = FINISH[
        result.get("finish_reason") or said_by_sdk(result.get("incomplete") or {}, "reason") or result["status"]
    ]
    if finish is FinishReason.STOP and result.get("refusal"):
        return FinishReason.REFUSAL
    calls = finish is FinishReason.STOP and result["tool_calls"] and row["api"] in ("gemini", "openai-responses")
    return FinishReason.TOOL_CALLS if calls else finish


def said_in(result: dict[str, Any], unknown_reasoning: str) -> tuple[str, str]:
    """Text and reasoning. Of content that is an object (Cloudflare) or a list with thinking in it (Mistral) the SDK makes
    nothing: it hands it out as it is.
    """
    text, reasoning = result["text"], result.get("reasoning", unknown_reasoning)
    if isinstance(text, list):
        thinking = [piece["text"] for part in text for piece in part.get("thinking", ())]
        return "".join(part.get("text", "") for part in text), reasoning + "".join(thinking)
    return (json.dumps(text, separators=(",", ":")) if isinstance(text, dict) else text or ""), reasoning


def arguments(text: str) -> Any:
    """Arguments compare as JSON; ones that broke off (max_tokens) as the text they are."""
    try:
        return json.loads(text or "{}")
    except ValueError:
        return text


def calls_of(got: ChatResponse) -> list[tuple[str, str, Any]]:
    return [(call.id, call.name, arguments(call.arguments)) for call in got.tool_calls]


COMPLETIONS: Final = [
    row for row in ORACLE if row["kind"] == "completion" and EXCEPTIONS.get(row["id"], [""])[0] != "error"
]
ERRORS: Final = [row for row in ORACLE if row["kind"] == "error"]


@pytest.mark.parametrize("row", COMPLETIONS, ids=ids(COMPLETIONS))
def test_each_completion_is_read_as_the_official_sdk_reads_it(row: dict[str, Any]) -> None:
    got, result = ChatResponse.from_deltas(decode(row)), row["result"]
    if row["id"] not in EXCEPTIONS:
        assert (got.text, got.reasoning) == said_in(result, got.reasoning)
    assert got.finish_reason is expected_finish(row)
    expected = [(call["id"], call["name"], arguments(call["arguments"])) for call in result["tool_calls"]]
    ours = calls_of(got)
    assert [
        (mine[0] if theirs[0] else None, *mine[1:]) for mine, theirs in zip(ours, expected, strict=True)
    ] == expected
    assert all(mine[0] for mine in ours), "a call without an id cannot be answered"
    if result["usage"]:
        usage = got.usage or Usage()
        assert {
            field: getattr(usage, field) for field in EXPECTED_USAGE[row["api"]](result["usage"])
        } == EXPECTED_USAGE[row["api"]](result["usage"])


TABLE: Final = ModelTable.parsed(SHIPPED.read_bytes())
PRICED: Final = [row for row in COMPLETIONS if "genai_prices" in row]


@pytest.mark.parametrize("row", PRICED, ids=ids(PRICED))
def test_tokens_are_counted_as_an_independent_library_counts_them(row: dict[str, Any]) -> None:
    usage = ChatResponse.from_deltas(decode(row)).usage
    theirs = row["genai_prices"]["usage"]
    assert usage is not None
    read, written = theirs.get("cache_read_tokens"), theirs.get("cache_write_tokens")
    if row["api"] == "anthropic-messages":  # there, genai-prices reports input without the cached tokens
        assert usage.input_tokens in (theirs["input_tokens"], theirs["input_tokens"] + (read or 0) + (written or 0))
    else:
        assert usage.input_tokens == theirs["input_tokens"]
    xai = (
        usage.reasoning_tokens and usage.output_tokens != theirs["output_tokens"]
    )  # it takes xAI's completion_tokens as billed
    assert usage.output_tokens == theirs["output_tokens"] + (usage.reasoning_tokens or 0 if xai else 0)
    assert (usage.cached_tokens or 0) == (read or 0)


@pytest.mark.parametrize("row", PRICED, ids=ids(PRICED))
def test_what_we_read_costs_what_an_independent_library_charges(row: dict[str, Any]) -> None:
    theirs = row["genai_prices"]
    facts = TABLE.facts({"vertex": "google"}.get(row["provider"], row["provider"]), theirs["model"])
    usage = ChatResponse.from_deltas(decode(row)).usage
    assert usage is not None
    ours = request_cost_usd(facts.price if facts is not None else None, replace(usage, cost_usd=None))
    if theirs["usd"] == "0":
        assert ours is None, "no price is not a price of nothing"
    else:
        assert ours == pytest.approx(float(theirs["usd"]), rel=0.01)


@pytest.mark.parametrize("row", ERRORS, ids=ids(ERRORS))
def test_each_error_has_its_kind_message_code_and_delay(row: dict[str, Any]) -> None:
    with pytest.raises(ProviderError) as failed:
        decode(row)
    error = failed.value
    assert error.kind == kind_in(ERROR_KINDS, row["id"])
    said = row["message"]
    if not said.startswith("Error code: "):  # the SDK's own words where it found no message
        assert error.message.startswith(said[:200])
    known = {str(row.get("code")), str(row.get("type"))} - {"None"}
    assert error.code in known or (not known and row["code"] is None)
    delay = (row.get("sdk_retry") or {}).get("retry_after")
    if delay is not None:
        assert error.retry_after_s == delay
    assert error.raw


CRASHED: Final = [row for row in ORACLE if row["kind"] == "sdk-crash"]


@pytest.mark.parametrize("row", CRASHED, ids=ids(CRASHED))
def test_an_answer_that_the_sdk_fell_over_is_read(row: dict[str, Any]) -> None:
    got = ChatResponse.from_deltas(decode(row))
    assert got.text or got.tool_calls
    assert got.finish_reason in (FinishReason.STOP, FinishReason.TOOL_CALLS)
    assert got.usage is not None
    assert got.usage.output_tokens


@pytest.mark.parametrize("name", sorted(EXCEPTIONS))
def test_each_exception_is_still_one(name: str) -> None:
    row = next(row for row in ORACLE if row["id"] == name)
    what, _ = EXCEPTIONS[name]
    if what == "error":
        with pytest.raises(ProviderError):
            decode(row)
    else:
        got = ChatResponse.from_deltas(decode(row))
        assert got.text
        assert got.text != row["result"]["text"]


def test_the_exceptions_stay_under_one_in_a_hundred() -> None:
    ours_to_answer_for = [name for name, (what, _) in EXCEPTIONS.items() if what != "error"]
    assert len(ours_to_answer_for) <= 1, "each of these is an SDK's failure; a new one needs a reason as good"


DOCUMENTED: Final = [row for row in rows("documented.jsonl") if row["id"] not in NOT_SPOKEN]


@pytest.mark.parametrize("row", DOCUMENTED, ids=ids(DOCUMENTED))
def test_each_documented_error_has_its_kind(row: dict[str, Any]) -> None:
    with pytest.raises(ProviderError) as failed:
        decode(row)
    assert failed.value.kind == kind_in(DOCUMENTED_KINDS, row["id"])


def errors_beside() -> list[dict[str, Any]]:
    files = sorted((TRAFFIC / "recorded").glob("*/*.json"))
    answers = [json.loads(file.read_text()) for file in files if file.parent.name not in FORMATS]
    return [answer for answer in answers if answer["response"]["status"] >= 300]


BESIDE: Final = errors_beside()


@pytest.mark.parametrize("answer", BESIDE, ids=ids(BESIDE))
def test_an_error_of_an_api_that_no_wire_speaks_has_its_kind_too(answer: dict[str, Any]) -> None:
    response = answer["response"]
    headers = {name.lower(): value for name, value in response["headers"].items()}
    error = wire_for(WireFormat.OPENAI).classify(response["status"], headers, body_of(response), now=0.0)
    assert error.kind == kind_in(BESIDE_KINDS, answer["id"])
    assert error.message
