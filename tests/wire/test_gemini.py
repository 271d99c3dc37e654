"""Gemini generateContent, both ways."""

import contextlib
import itertools
import json
from typing import Any

import pytest
from encoded import Encoder
from hypothesis import given
from hypothesis import strategies as st

from llmr.catalog import Dialect, Model, Provider, WireFormat
from llmr.chat import (
    ChatRequest,
    ChatResponse,
    Delta,
    FinishReason,
    Media,
    MediaKind,
    Message,
    OutputFormat,
    ResponseFormat,
    Role,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolChoice,
    ToolChoiceMode,
    ToolResult,
    Usage,
)
from llmr.errors import ErrorKind, ProviderError
from llmr.secret import Secret
from llmr.wire import wire_for

HELLO = (Message.text(Role.USER, "hi"),)


def model(model_id: str = "gemini-2.5-flash", **provider: Any) -> Model:
    return Model(Provider("google", WireFormat.GEMINI, "https://g.example/v1beta", **provider), model_id)


encode = Encoder(WireFormat.GEMINI, model)
body, refused = encode.body, encode.refused


def contents(*messages: Message, to: Model | None = None) -> list[dict[str, Any]]:
    said: list[dict[str, Any]] = body(ChatRequest(messages), to)["contents"]
    return said


# --- requests


def test_the_model_and_the_way_of_answering_stand_in_the_path_and_the_key_does_not() -> None:
    made = encode(ChatRequest(HELLO), model(key=Secret("AIzaTestTestTest")))
    assert made.url == "https://g.example/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse"
    assert made.credential is not None
    assert (made.credential.header, made.credential.prefix) == ("x-goog-api-key", "")
    made = encode(ChatRequest(HELLO, stream=False), model("a/b"))
    assert made.url == "https://g.example/v1beta/models/a%2Fb:generateContent"
    assert json.loads(made.body) == {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}
    made = encode(ChatRequest(HELLO), model(dialect=Dialect(query={"x": "1"})))
    assert made.url.endswith("?alt=sse&x=1")


def test_settings_are_the_generation_config() -> None:
    said = body(ChatRequest(HELLO, max_output_tokens=5, temperature=0.0, top_p=0.9, seed=0, stop=("x",), logprobs=2,
                            extra={"top_k": 3, "safetySettings": [], "user": "u",
                                   "generationConfig": {"seed": 7, "mediaResolution": "LOW"}}))  # fmt: skip
    assert said["generationConfig"] == {
        "maxOutputTokens": 5, "temperature": 0.0, "topP": 0.9, "seed": 7, "stopSequences": ["x"], "responseLogprobs": True,
        "logprobs": 2, "topK": 3, "mediaResolution": "LOW",
    }  # fmt: skip
    assert said["safetySettings"] == []
    assert "user" not in said
    assert body(ChatRequest(HELLO, logprobs=0))["generationConfig"] == {"responseLogprobs": True}


def test_json_and_a_schema() -> None:
    assert body(ChatRequest(HELLO, output=OutputFormat(ResponseFormat.JSON)))["generationConfig"] == {
        "responseMimeType": "application/json"
    }
    schema = OutputFormat(ResponseFormat.JSON_SCHEMA, {"type": "object"})
    assert body(ChatRequest(HELLO, output=schema))["generationConfig"] == {
        "responseMimeType": "application/json",
        "responseJsonSchema": {"type": "object"},
    }
    described = OutputFormat(ResponseFormat.JSON_SCHEMA, {"type": "object"}, description="d")
    assert body(ChatRequest(HELLO, output=described))["generationConfig"]["responseJsonSchema"] == {
        "description": "d",
        "type": "object",
    }


@pytest.mark.parametrize(
    ("model_id", "effort", "said"),
    [
        ("gemini-2.5-pro", "medium", {"thinkingBudget": 8192, "includeThoughts": True}),
        ("gemini-2.5-flash", "none", {"thinkingBudget": 0}),
        ("gemini-3.8-flash", "low", {"thinkingLevel": "low", "includeThoughts": True}),
        ("gemini-flash-latest", "minimal", {"thinkingLevel": "minimal", "includeThoughts": True}),
        ("gemini-3-pro", "huge", None),
        ("gemini-2.5-pro", "huge", None),
    ],
)
def test_reasoning_effort_is_a_budget_or_a_level(model_id: str, effort: str, said: dict[str, Any] | None) -> None:
    request = ChatRequest(HELLO, reasoning_effort=effort)
    if said is None:
        assert "huge" in refused(request, model(model_id))
    else:
        assert body(request, model(model_id))["generationConfig"]["thinkingConfig"] == said


def test_speakers_system_and_turns() -> None:
    said = body(
        ChatRequest(
            (Message.text(Role.SYSTEM, "s"), *HELLO, Message.text(Role.USER, "b"), Message.text(Role.ASSISTANT, "c"))
        )
    )
    assert said["systemInstruction"] == {"parts": [{"text": "s"}]}
    assert said["contents"] == [
        {"role": "user", "parts": [{"text": "hi"}, {"text": "b"}]},
        {"role": "model", "parts": [{"text": "c"}]},
    ]
    assert contents(*HELLO, Message.text(Role.ASSISTANT, ""), Message(Role.USER, ())) == [
        {"role": "user", "parts": [{"text": "hi"}]}
    ]


def test_attachments() -> None:
    parts = (
        Media(MediaKind.AUDIO, "audio/wav", content=b"RIFF"),
        Media(MediaKind.DOCUMENT, "application/pdf", url="https://e.org/a.pdf"),
    )
    assert contents(Message(Role.USER, parts))[0]["parts"] == [
        {"inlineData": {"mimeType": "audio/wav", "data": "UklGRg=="}},
        {"fileData": {"mimeType": "application/pdf", "fileUri": "https://e.org/a.pdf"}},
    ]


def test_calls_and_results_by_name_with_ids_that_gemini_gave() -> None:
    assert contents(
        Message(Role.ASSISTANT, (ToolCall("s51", "f", '{"a":1}', "sig"), ToolCall("call_1_0", "g", "oops"))),
        Message(Role.TOOL, (ToolResult("s51", "", "ok"), ToolResult("call_1_0", "g", "no", is_error=True))),
        Message(Role.USER, (ToolResult("never", "", "x"),)),
    ) == [
        {
            "role": "model",
            "parts": [
                {"functionCall": {"id": "s51", "name": "f", "args": {"a": 1}}, "thoughtSignature": "sig"},
                {"functionCall": {"name": "g", "args": {"INVALID_JSON": "oops"}}},
            ],
        },
        {
            "role": "user",
            "parts": [
                {"functionResponse": {"id": "s51", "name": "f", "response": {"output": "ok"}}},
                {"functionResponse": {"name": "g", "response": {"error": "no"}}},
                {"functionResponse": {"id": "never", "name": "", "response": {"output": "x"}}},
            ],
        },
    ]


def test_a_call_that_another_model_made_is_marked_for_gemini_3() -> None:
    turn = Message(Role.ASSISTANT, (Text("x"), ToolCall("call_1", "f", ""), ToolCall("call_2", "g", "")))
    parts = contents(turn, to=model("gemini-3-pro-preview"))[0]["parts"]
    assert [part.get("thoughtSignature") for part in parts] == [None, "skip_thought_signature_validator", None]
    signed = Message(Role.ASSISTANT, (ToolCall("1", "f", "", "sig"),))
    assert contents(signed, to=model("gemini-3-pro-preview"))[0]["parts"][0]["thoughtSignature"] == "sig"
    assert contents(Message.text(Role.ASSISTANT, "x"), to=model("gemini-3-pro"))[0]["parts"] == [{"text": "x"}]


def test_only_geminis_own_signed_thinking_goes_back() -> None:
    parts = (
        Thinking("a", signature="s", format="google-gemini-v1"),
        Thinking("b", format="google-gemini-v1"),
        Thinking("c", signature="s"),
        Text("x", "sig"),
    )
    assert contents(Message(Role.ASSISTANT, parts))[0]["parts"] == [
        {"text": "a", "thought": True, "thoughtSignature": "s"},
        {"text": "x", "thoughtSignature": "sig"},
    ]


def test_tools_and_their_choice() -> None:
    tools = (Tool("f", "does f", {"type": "object"}), Tool("g"))

    def said(choice: ToolChoice) -> Any:
        return body(ChatRequest(HELLO, tools=tools, tool_choice=choice)).get("toolConfig")

    assert body(ChatRequest(HELLO, tools=tools))["tools"] == [
        {
            "functionDeclarations": [
                {"name": "f", "description": "does f", "parametersJsonSchema": {"type": "object"}},
                {"name": "g"},
            ]
        }
    ]
    assert said(ToolChoice(parallel=True)) is None
    assert said(ToolChoice(ToolChoiceMode.NONE)) == {"functionCallingConfig": {"mode": "NONE"}}
    strict = ChatRequest(HELLO, tools=(Tool("f", strict=True),))
    assert body(strict)["toolConfig"] == {"functionCallingConfig": {"mode": "VALIDATED"}}
    assert said(ToolChoice(ToolChoiceMode.REQUIRED)) == {"functionCallingConfig": {"mode": "ANY"}}
    assert said(ToolChoice(ToolChoiceMode.NAMED, "g")) == {
        "functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["g"]}
    }
    assert "one tool call" in refused(ChatRequest(HELLO, tools=tools, tool_choice=ToolChoice(parallel=False)))


def test_what_it_cannot_say_is_refused_by_name() -> None:
    assert "n" in refused(ChatRequest(HELLO, extra={"n": 2}))
    assert "generationConfig" in refused(ChatRequest(HELLO, extra={"generationConfig": "x"}))
    assert "JSON" in refused(ChatRequest(HELLO, temperature=float("nan")))
    for role, part in (
        (Role.ASSISTANT, Media(MediaKind.IMAGE, "image/png", content=b"x")),
        (Role.USER, ToolCall("1", "f", "{}")),
        (Role.ASSISTANT, ToolResult("1", "f", "x")),
        (Role.USER, Thinking("x")),
    ):
        assert type(part).__name__ in refused(ChatRequest((Message(role, (part,)),)))


# --- answers


def chunk(*parts: dict[str, Any], finish: Any = None, **more: Any) -> dict[str, Any]:
    candidate: dict[str, Any] = {"content": {"parts": list(parts), "role": "model"}}
    if finish is not None:
        candidate["finishReason"] = finish
    return {"candidates": [candidate], "responseId": "r-1", "modelVersion": "gemini-x", **more}


def sse(*chunks: Any) -> bytes:
    return b"".join(b"data: " + json.dumps(item).encode() + b"\r\n\r\n" for item in chunks)


def deltas(*pieces: bytes, streamed: bool = True) -> list[Delta]:
    decoder = wire_for(WireFormat.GEMINI).decoder(model(), streamed=streamed)
    found = [delta for one in pieces for delta in decoder.feed(one)]
    return [*found, *decoder.end()]


def stream(*chunks: Any) -> ChatResponse:
    return ChatResponse.from_deltas(deltas(sse(*chunks)))


def failure(raw: bytes, streamed: bool = True) -> ProviderError:
    with pytest.raises(ProviderError) as failed:
        deltas(raw, streamed=streamed)
    return failed.value


USAGE = {"promptTokenCount": 5, "candidatesTokenCount": 3, "thoughtsTokenCount": 4, "totalTokenCount": 12}
EVERYTHING = (
    chunk({"text": "hm", "thought": True}, usageMetadata={"promptTokenCount": 5, "totalTokenCount": 5}),
    chunk({"text": "", "thought": True}, {"text": "", "thought": True, "thoughtSignature": "ts"}),
    chunk({"text": "né "}, {"executableCode": {"code": "1"}}, usageMetadata=USAGE),
    chunk({"text": "🌍", "thoughtSignature": "xs"}),
    chunk(
        {"functionCall": {"name": "f", "args": {"a": 1}}, "thoughtSignature": "cs"},
        {"functionCall": {"id": "given", "name": "g"}},
    ),
    chunk({"text": ""}, finish="STOP", usageMetadata=USAGE),
)


def test_a_stream_of_everything() -> None:
    assert stream(*EVERYTHING) == ChatResponse(
        text="né 🌍",
        finish_reason=FinishReason.TOOL_CALLS,
        reasoning="hm",
        thinking=(Thinking("hm", "ts", format="google-gemini-v1"),),
        tool_calls=(ToolCall("call_r-1_0", "f", '{"a":1}', "cs"), ToolCall("given", "g", "{}")),
        usage=Usage(5, 7, 4),
        served_model="gemini-x",
        text_signature="xs",
    )


def test_an_answer_goes_back_as_it_came() -> None:
    assert contents(stream(*EVERYTHING).message())[0]["parts"] == [
        {"text": "hm", "thought": True, "thoughtSignature": "ts"},
        {"text": "né 🌍", "thoughtSignature": "xs"},
        {"functionCall": {"name": "f", "args": {"a": 1}}, "thoughtSignature": "cs"},
        {"functionCall": {"id": "given", "name": "g", "args": {}}},
    ]


BYTES = sse(*EVERYTHING)
ARRAY = b"[" + b"\n,\r\n".join(json.dumps(item, indent=1).encode() for item in EVERYTHING) + b"\n]"


@given(st.lists(st.integers(0, len(BYTES)), max_size=8))
def test_the_deltas_are_the_same_wherever_the_bytes_are_cut(cuts: list[int]) -> None:
    places = sorted({0, len(BYTES), *cuts})
    assert deltas(*(BYTES[a:b] for a, b in itertools.pairwise(places))) == deltas(BYTES)


@pytest.mark.parametrize("streamed", [True, False])
def test_an_array_of_chunks_is_a_stream(streamed: bool) -> None:
    assert deltas(*(ARRAY[i : i + 1] for i in range(len(ARRAY))), streamed=streamed) == deltas(BYTES)


@pytest.mark.parametrize(
    ("said", "finish"),
    [
        ("STOP", FinishReason.STOP), (1, FinishReason.STOP), ("MAX_TOKENS", FinishReason.LENGTH), (2, FinishReason.LENGTH),
        ("SAFETY", FinishReason.CONTENT_FILTER), ("RECITATION", FinishReason.CONTENT_FILTER), (3, FinishReason.CONTENT_FILTER),
        ("PROHIBITED_CONTENT", FinishReason.CONTENT_FILTER), ("MODEL_ARMOR", FinishReason.CONTENT_FILTER),
        ("MALFORMED_FUNCTION_CALL", FinishReason.ERROR), ("UNEXPECTED_TOOL_CALL", FinishReason.ERROR), ("OTHER",
        FinishReason.ERROR),
        ("SOME_NEW_REASON", FinishReason.ERROR),
    ],
)  # fmt: skip
def test_finish_reasons(said: Any, finish: FinishReason) -> None:
    assert stream(chunk({"text": "x"}, finish=said)).finish_reason is finish


def test_the_finish_reason_is_said_once_and_may_stand_before_the_call() -> None:
    found = deltas(sse(chunk({"text": "x"}, finish="STOP"), chunk({"text": "y"}, finish="STOP")))
    assert [delta.finish_reason for delta in found if delta.finish_reason] == [FinishReason.STOP]
    assert (
        stream(chunk({"text": "x"}, finish="STOP"), chunk({"functionCall": {"name": "f"}})).finish_reason
        is FinishReason.TOOL_CALLS
    )


def test_a_blocked_prompt_is_a_content_filter_and_says_so() -> None:
    got = stream({"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": {"promptTokenCount": 5}})
    assert (got.finish_reason, got.refusal, got.usage) == (
        FinishReason.CONTENT_FILTER,
        "the prompt was blocked: SAFETY",
        Usage(5),
    )
    said = {"promptFeedback": {"blockReason": "OTHER", "blockReasonMessage": "why"}}
    assert stream(said, said).refusal == "why"
    got = stream(chunk({"text": "x"}, finish="STOP", promptFeedback={"blockReason": "SAFETY"}))
    assert (got.text, got.finish_reason) == ("x", FinishReason.STOP)


def test_an_error_chunk_is_an_error_after_its_text() -> None:
    error = {"error": {"code": 503, "message": "The model is overloaded.", "status": "UNAVAILABLE"}}
    decoder = wire_for(WireFormat.GEMINI).decoder(model(), streamed=True)
    assert [delta.text for delta in decoder.feed(sse(chunk({"text": "half"}), error))] == ["half", ""]
    with pytest.raises(ProviderError) as failed:
        decoder.end()
    assert (failed.value.kind, failed.value.status, failed.value.code) == (ErrorKind.SERVER, 503, "UNAVAILABLE")
    assert failure(json.dumps([error]).encode()).kind is ErrorKind.SERVER


def test_an_end_without_a_reason_is_incomplete() -> None:
    assert failure(sse(chunk({"text": "x"}))).kind is ErrorKind.INCOMPLETE
    assert failure(sse(chunk({"text": "x"}, finish="FINISH_REASON_UNSPECIFIED"))).kind is ErrorKind.INCOMPLETE


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{}",
        b"null",
        b"[]",
        b"[3]",
        b'{"candidates":[]}',
        b'{"candidates":[{"index":1}]}',
        sse({"usageMetadata": USAGE}),
        sse(chunk(finish="STOP")),
    ],
)
def test_what_is_no_answer_is_a_bad_response(raw: bytes) -> None:
    assert failure(raw).kind is ErrorKind.BAD_RESPONSE


def test_an_answer_of_nothing_but_thought_is_one() -> None:
    assert stream(chunk({"text": "hm", "thought": True}, finish="STOP")).reasoning == "hm"


def test_a_candidate_without_parts_is_an_end() -> None:
    got = stream({"candidates": [{"finishReason": "MAX_TOKENS", "index": 0}], "usageMetadata": USAGE})
    assert (got.text, got.finish_reason) == ("", FinishReason.LENGTH)
    assert stream({"candidates": [{"finishReason": "STOP"}], "usageMetadata": USAGE}).text == ""


@pytest.mark.parametrize(
    ("said", "usage"),
    [
        ({"promptTokenCount": 5, "toolUsePromptTokenCount": 2, "candidatesTokenCount": 3}, Usage(7, 3)),
        ({"promptTokenCount": 5, "thoughtsTokenCount": 4, "cachedContentTokenCount": 1}, Usage(5, 4, 4, 1)),
        ({"promptTokenCount": 5, "totalTokenCount": 5}, Usage(5, 0)),
        ({"promptTokenCount": 5, "totalTokenCount": 4}, Usage(5, 0)),
        ({"totalTokenCount": 5}, Usage()),
        ({"candidatesTokensDetails": [{"modality": "AUDIO", "tokenCount": 2}],
          "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 2}, {"modality": "AUDIO", "tokenCount": 3}]},
         Usage(audio_input_tokens=3, audio_output_tokens=2)),
    ],
)  # fmt: skip
def test_usage_in_our_terms(said: dict[str, Any], usage: Usage) -> None:
    assert stream(chunk({"text": "x"}, finish="STOP", usageMetadata=said)).usage == usage


def test_citations_once_and_logprobs_in_one_shape() -> None:
    web, source = {"web": {"uri": "u"}}, {"uri": "v"}
    candidate = {
        "content": {"parts": [{"text": "x"}]},
        "finishReason": "STOP",
        "groundingMetadata": {"groundingChunks": [web, web]},
        "citationMetadata": {"citationSources": [source]},
        "logprobsResult": {
            "chosenCandidates": [{"token": "x", "logProbability": -1}, {"token": "y", "logProbability": -2}],
            "topCandidates": [{"candidates": [{"token": "z", "logProbability": -3}]}],
        },
    }
    got = stream({"candidates": [candidate]}, {"candidates": [{"groundingMetadata": {"groundingChunks": [web]}}]})
    assert got.citations == (web, source)
    assert got.logprobs == (
        {"token": "x", "logprob": -1, "top_logprobs": [{"token": "z", "logprob": -3}]},
        {"token": "y", "logprob": -2},
    )


def test_only_candidate_0_is_read() -> None:
    two = {
        "candidates": [
            {"index": 1, "content": {"parts": [{"text": "b"}]}},
            {"index": 0, "content": {"parts": [{"text": "a"}]}, "finishReason": "STOP"},
        ]
    }
    assert stream(two).text == "a"


def test_a_body_with_an_error_status_is_classified() -> None:
    raw = json.dumps([{"error": {"code": 400, "message": "API key not valid", "status": "INVALID_ARGUMENT"}}]).encode()
    assert wire_for(WireFormat.GEMINI).classify(400, {}, raw, now=0).kind is ErrorKind.AUTH


NAMES = st.sampled_from(
    ["candidates", "content", "parts", "text", "thought", "thoughtSignature", "functionCall", "name", "args", "id",
    "finishReason", "index",
     "usageMetadata", "promptTokenCount", "promptTokensDetails", "modality", "tokenCount", "promptFeedback",
     "blockReason", "groundingMetadata",
     "groundingChunks", "logprobsResult", "chosenCandidates", "topCandidates", "error", "modelVersion", "responseId",
     "thoughtsTokenCount"]
)  # fmt: skip
JSONISH = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 3) | st.text(max_size=3) | st.just("STOP"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=5),
    max_leaves=20,
)


@given(st.lists(JSONISH, max_size=5))
def test_any_json_in_any_place_raises_nothing_but_provider_errors(items: list[Any]) -> None:
    for raw, streamed in ((sse(*items), True), *((json.dumps(item).encode(), False) for item in items)):
        with contextlib.suppress(ProviderError):
            ChatResponse.from_deltas(deltas(raw, streamed=streamed))
