"""`POST /v1/embeddings`: routed with fallback and history, over providers that have the very model."""

import json
from dataclasses import replace

import pytest
from openai import APIStatusError, OpenAI
from served import TOKEN, eventually

from llmr.catalog import WireFormat
from llmr.lab import Behavior, LabProvider


def vectors(*rows, tokens: int = 5) -> Behavior:
    data = [{"object": "embedding", "index": n, "embedding": row} for n, row in enumerate(rows)]
    body = {"object": "list", "data": data, "model": "m", "usage": {"prompt_tokens": tokens, "total_tokens": tokens}}
    return Behavior(body=json.dumps(body).encode(), content_type="application/json")


GOOD = vectors([0.25, -1.5])


def embed(served, said="hello", **more):
    return served.post("/v1/embeddings", {"model": "m", "input": said, **more})


def test_a_text_becomes_a_vector_and_the_history_knows_it(serve):
    lab = LabProvider("a", [GOOD])
    served = serve(lab)
    reply = embed(served, dimensions=2, encoding_format="float", user="u")
    assert reply.status_code == 200
    assert reply.json() == {
        "object": "list",
        "data": [{"object": "embedding", "index": 0, "embedding": [0.25, -1.5]}],
        "model": "lab-model",
        "usage": {"prompt_tokens": 5, "total_tokens": 5},
    }
    (asked,) = lab.requests
    assert asked.target.endswith("/v1/embeddings")
    assert asked.json == {
        "model": "lab-model", "input": "hello", "dimensions": 2, "encoding_format": "float", "user": "u",
    }  # fmt: skip
    assert reply.headers["x-llmr-provider"] == "a"
    (attempt,) = eventually(lambda: served.on_loop(served.app.store.attempts))
    assert (attempt.request_id, attempt.outcome, attempt.input_tokens) == (reply.headers["x-llmr-request-id"], "ok", 5)


def test_the_openai_sdk_reads_it_in_both_encodings(serve):
    served = serve(LabProvider("a", [vectors("AACAPgAAwL8="), GOOD]))
    with OpenAI(base_url=f"{served.origin}/v1", api_key=TOKEN, max_retries=0) as client:
        packed = client.embeddings.create(model="m", input="hello")  # it asks for base64 by itself
        assert list(packed.data[0].embedding) == [0.25, -1.5]
        plain = client.embeddings.create(model="m", input=["hello"], encoding_format="float")
        assert plain.data[0].embedding == [0.25, -1.5]
        assert plain.usage.prompt_tokens == 5


@pytest.mark.parametrize("said", ["one", ["one", "two"], [1, 2, 3], [[1, 2], [3]]])
def test_every_form_of_input_arrives_as_it_was_said(serve, said):
    lab = LabProvider("a", [GOOD])
    assert embed(serve(lab), said).status_code == 200
    assert lab.requests[0].json["input"] == said


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"input": ""}, "input"),
        ({"input": []}, "input"),
        ({"input": ["a", 1]}, "input"),
        ({"input": {"text": "a"}}, "input"),
        ({"input": "a", "dimensions": 0}, "dimensions"),
        ({"input": "a", "encoding_format": "hex"}, "encoding_format"),
        ({"input": "a", "base_url": "http://evil"}, "base_url"),
        ({"input": ["a"] * 2049}, "input"),
        ({}, "input"),
    ],
)
def test_what_is_no_request_is_refused_and_nobody_is_asked(serve, body, param):
    lab = LabProvider("a")
    reply = serve(lab).post("/v1/embeddings", {"model": "m", **body})
    assert reply.status_code == 400
    assert reply.json()["error"]["param"].startswith(param)
    assert lab.requests == ()


def test_the_next_one_who_has_it_is_asked_and_who_speaks_another_dialect_is_passed_over(serve):
    other = LabProvider("claude", wire=WireFormat.ANTHROPIC)
    broken = LabProvider("b", [Behavior(status=503)])
    served = serve(other, broken, LabProvider("c", [GOOD]))
    reply = embed(served)
    assert (reply.status_code, reply.headers["x-llmr-provider"]) == (200, "c")
    assert other.requests == ()


@pytest.mark.parametrize(
    "answer",
    [
        Behavior(body=b"{}", content_type="application/json"),
        Behavior(body=b'{"data":[{}]}', content_type="application/json"),
        Behavior(body=b'{"data":[{"embedding":[]}]}', content_type="application/json"),
        Behavior(body=b'{"error":{"message":"overloaded","type":"server_error"}}', content_type="application/json"),
        Behavior(body=b"<html>", content_type="text/html"),
        Behavior(body=b"", content_type="application/json"),
    ],
)
def test_a_200_that_holds_no_vectors_is_a_failure_and_the_next_one_is_asked(serve, answer):
    assert embed(serve(LabProvider("a", [answer]), LabProvider("b", [GOOD]))).headers["x-llmr-provider"] == "b"


def test_nobody_can_is_an_error_in_openais_words(serve):
    served = serve(LabProvider("a", [replace(GOOD, status=500, body=None)]))
    with (
        OpenAI(base_url=f"{served.origin}/v1", api_key=TOKEN, max_retries=0) as client,
        pytest.raises(APIStatusError) as failed,
    ):
        client.embeddings.create(model="m", input="hello")
    assert (failed.value.status_code, failed.value.code) == (503, "no_provider_available")
    assert embed(served, model="nobody-knows").status_code == 404


def test_a_batch_may_be_longer_than_one_texts_window(serve):
    small = 'models = { "lab-model" = { context_window_tokens = 100 } }'
    served = serve(LabProvider("a", [GOOD]), provider_extra=small)
    assert embed(served, ["word " * 60] * 8).status_code == 200
    assert served.chat("word " * 400).status_code == 400


def test_a_circuit_that_is_open_is_respected(serve):
    lab = LabProvider("a", [Behavior(status=401)])
    served = serve(lab, LabProvider("b", [GOOD]))
    assert embed(served).headers["x-llmr-provider"] == "b"
    assert embed(served).headers["x-llmr-attempts"] == "1"
    assert len(lab.requests) == 1
