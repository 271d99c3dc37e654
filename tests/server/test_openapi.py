"""`/openapi.json` says what the server does: every row of the table, by the models that validate, and strangers believe it."""

import json
import os
import subprocess
import sysconfig
from collections import Counter
from pathlib import Path

import jsonschema
import pytest
from served import events

from llmr.lab import Behavior, LabProvider, LabToolCall
from llmr.server.guard import OPEN_PATHS
from llmr.server.hints import HINTS
from llmr.server.routes import ROUTES

SCHEMATHESIS = Path(sysconfig.get_path("scripts")) / "schemathesis"
CHECKS = (
    "not_a_server_error", "status_code_conformance", "content_type_conformance", "response_schema_conformance",
    "negative_data_rejection", "unsupported_method", "allow_header_conformance", "ignored_auth", "missing_required_header",
)  # fmt: skip
ANSWERS = (
    Behavior(text="fine", input_tokens=3),
    Behavior(text="fine", reasoning="let me think", input_tokens=3),
    Behavior(text="", tool_calls=(LabToolCall("look_up", '{"a": 1}'),), finish_reason="tool_calls"),
)


def answering(n, request) -> Behavior:
    """A provider of chats and of vectors."""
    if not request.target.endswith("/embeddings"):
        return ANSWERS[n % len(ANSWERS)]
    rows = [{"object": "embedding", "index": 0, "embedding": [0.5]}]
    usage = {"prompt_tokens": 1, "total_tokens": 1}
    body = {"object": "list", "data": rows, "model": "m", "usage": usage}
    return Behavior(body=json.dumps(body).encode(), content_type="application/json")


@pytest.fixture
def document(serve):
    return serve(LabProvider("a")).get("/openapi.json").json()


def test_every_route_of_the_table_is_in_it_with_its_method_and_its_model(document):
    assert list(document["paths"]) == list(ROUTES)
    for path, route in ROUTES.items():
        (method,) = document["paths"][path]
        operation = document["paths"][path][method]
        assert method == route.method.lower()
        assert ("security" in operation) is (path in OPEN_PATHS)
        if route.takes is not None:
            schema = operation["requestBody"]["content"]["application/json"]["schema"]
            assert schema == {"$ref": f"#/components/schemas/{route.takes.__name__}"}
            told = document["components"]["schemas"][route.takes.__name__]
            assert set(told["properties"]) == {field.alias or name for name, field in route.takes.model_fields.items()}
        said = [parameter["name"] for parameter in operation.get("parameters", ())]
        assert [name for name in said if name.startswith("x-llmr-")] == [
            f"x-llmr-{hint}" for hint in HINTS if route.routed
        ]


def test_every_reference_in_it_leads_somewhere(document):
    text = json.dumps(document)
    for name in {piece.split('"')[0] for piece in text.split("#/components/schemas/")[1:]}:
        assert name in document["components"]["schemas"]
        assert "__" not in name  # two models of one name would be told apart by where they live


def test_it_needs_the_token_and_tells_nothing_of_this_machine(serve):
    served = serve(LabProvider("secret-provider"))
    assert served.get("/openapi.json", authorization="Bearer wrong-token-wrong-token").status_code == 401
    text = served.get("/openapi.json").text
    assert "secret-provider" not in text
    assert str(served.home) not in text


@pytest.mark.parametrize(("path", "model"), [("/v1/chat/completions", "m"), ("/v1/messages", "m")])
def test_each_event_of_a_stream_is_as_described(serve, path, model):
    served = serve(LabProvider("a", ANSWERS))
    document = served.get("/openapi.json").json()
    content = document["paths"][path]["post"]["responses"]["200"]["content"]
    data = content["text/event-stream"]["itemSchema"]["properties"]["data"]
    data = data["anyOf"][0] if "anyOf" in data else data  # or "[DONE]"
    schema = {**data["contentSchema"], "components": document["components"]}
    body = {"model": model, "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}], "stream": True}
    for _ in ANSWERS:
        said = [event for event in events(served.post(path, body).content) if event != "[DONE]"]
        assert len(said) >= 2
        for event in said:
            jsonschema.validate(json.loads(event), schema)


def test_schemathesis_finds_nothing_that_is_not_as_described(start, tmp_path):
    called_0 = '[models.0]\ncandidates = ["0/lab-model"]'  # the first name that comes to Schemathesis' mind
    running = start(providers=[LabProvider("0", answering)], extra=called_0)
    token = running.token_file.read_text().strip()
    done = subprocess.run(
        [
            SCHEMATHESIS, "--config-file", Path(__file__).with_name("schemathesis.toml"), "run",
            f"{running.origin}/openapi.json", "--header", f"Authorization: Bearer {token}", "--checks", ",".join(CHECKS),
            "--phases", "coverage,fuzzing", "--max-examples", "5", "--generation-deterministic", "--no-shrink",
        ],
        cwd=tmp_path, env={**os.environ, "NO_COLOR": "1"}, capture_output=True, text=True, check=False, timeout=110,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
    assert f"Tested: {len(ROUTES) - 1}" in done.stdout  # all but the document itself
    code, out, err = running.end(15)
    assert (code, err) == (0, "")
    answered = Counter(entry["path"] for entry in map(json.loads, out.splitlines()) if entry["status"] == 200)
    for path, route in ROUTES.items():  # it has been further than the door
        assert answered[path] > 0 or "{" in path or route.takes is None, path
    assert answered["/v1/chat/completions"] > 20
