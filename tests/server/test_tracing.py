"""OpenTelemetry spans: one per request, one per attempt, by the GenAI conventions, and not a word of content."""

import json
import os
import socket
import subprocess
import sys
from urllib.parse import urlsplit

import pytest

pytest.importorskip("opentelemetry.sdk", reason="the extra `otel` is not installed")

from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode
from served import LLMR, TOKEN, Served, eventually

from llmr.catalog import Model, Provider, WireFormat
from llmr.lab import Behavior, Fault, LabProvider, LabThread
from llmr.server.tracing import OtelTracer, _model_named, _provider_name

SECRETS = ("a private question", "a private answer", TOKEN, "what went wrong at theirs")


class Traced:
    """A gateway and the spans it has made, oldest first."""

    def __init__(self, served: Served) -> None:
        self.served = served
        self._kept = InMemorySpanExporter()
        self._tracer = OtelTracer(self._kept)
        served.gateway.tracer = self._tracer

    def spans(self, count: int):
        def all_of_them():
            self._tracer._provider.force_flush()
            found = sorted(self._kept.get_finished_spans(), key=lambda span: span.start_time)
            return len(found) >= count and found

        return eventually(all_of_them)

    def close(self) -> None:
        self._tracer.close()


@pytest.fixture
def traced(serve):
    made = []

    def make(*providers, **more):
        made.append(Traced(serve(*providers, **more)))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.mark.parametrize("stream", [False, True])
def test_a_request_that_falls_back_is_a_span_with_a_child_for_each_attempt(traced, stream):
    traced = traced(
        LabProvider("bad", [Behavior(status=503, error_message="what went wrong at theirs")]),
        LabProvider("good", [Behavior(text="a private answer", input_tokens=7)], wire=WireFormat.ANTHROPIC),
    )
    reply = traced.served.chat("a private question", stream=stream, max_tokens=64, temperature=0.5)
    assert reply.status_code == 200
    request, first, second = traced.spans(3)
    assert (request.name, request.kind, request.parent) == ("chat m", SpanKind.SERVER, None)
    assert [child.parent.span_id for child in (first, second)] == [request.context.span_id] * 2
    assert [(child.name, child.kind) for child in (first, second)] == [("chat lab-model", SpanKind.CLIENT)] * 2
    told = dict(request.attributes)
    assert told["gen_ai.operation.name"] == "chat"
    assert (told["gen_ai.request.model"], told["gen_ai.response.model"]) == ("m", "lab-model")
    assert (told["gen_ai.provider.name"], told["llmr.attempts"]) == ("good", 2)
    assert (told["gen_ai.request.max_tokens"], told["gen_ai.request.temperature"]) == (64, 0.5)
    assert told["gen_ai.response.finish_reasons"] == ("stop",)
    assert told["llmr.request_id"] == reply.headers["x-llmr-request-id"]
    assert told["http.response.status_code"] == 200
    assert request.status.status_code is StatusCode.UNSET
    assert ("gen_ai.response.time_to_first_chunk" in told) is stream
    failed = dict(first.attributes)
    assert (failed["gen_ai.provider.name"], failed["error.type"]) == ("bad", "server")
    assert first.status.status_code is StatusCode.ERROR
    answered = dict(second.attributes)
    assert (answered["gen_ai.usage.input_tokens"], answered["gen_ai.usage.output_tokens"]) == (7, 3)
    assert (answered["server.address"], answered["server.port"]) == (
        "127.0.0.1",
        urlsplit(traced.served.lab.url("good")).port,
    )
    assert answered["llmr.attempt"] == 2
    text = json.dumps([json.loads(span.to_json()) for span in (request, first, second)])
    for secret in SECRETS:
        assert secret not in text


def test_a_failure_is_told_by_its_kind_and_status(traced):
    traced = traced(LabProvider("bad", [Behavior(status=503, error_message="what went wrong at theirs")]),
                    extra="[fallback]\nmax_wait_s = 0\nretries_per_candidate = 0")  # fmt: skip
    assert traced.served.message().status_code == 503
    request, attempt = traced.spans(2)
    assert request.attributes["error.type"] == "no_provider_available"
    assert request.attributes["http.response.status_code"] == 503
    assert attempt.attributes["error.type"] == "server"
    assert "what went wrong" not in request.to_json() + attempt.to_json()


def test_an_answer_that_breaks_off_and_a_client_that_leaves_end_their_spans(traced):
    broken = Behavior(text="one two three", fault=Fault.CUT, fault_at=2)
    endless = Behavior(text="one two three", fault=Fault.HANG, fault_at=1)
    traced = traced(LabProvider("a", [broken, endless]))
    traced.served.chat(stream=True)
    request, attempt = traced.spans(2)
    assert request.attributes["error.type"] == attempt.attributes["error.type"] == "incomplete"
    with traced.served.client() as client:
        body = {"model": "m", "messages": [{"role": "user", "content": "hi"}], "stream": True}
        with client.stream("POST", "/v1/chat/completions", json=body) as reply:
            next(reply.iter_raw())
    *_, request, attempt = traced.spans(4)
    assert request.attributes["error.type"] == attempt.attributes["error.type"] == "client_gone"


def test_a_client_s_trace_goes_on_and_a_cache_hit_has_no_attempt(traced):
    traced = traced(LabProvider("a"), extra="[cache]\nenabled = true")
    trace = "0af7651916cd43dd8448eb211c80319c"
    headers = {"traceparent": f"00-{trace}-b7ad6b7169203331-01"}
    traced.served.chat(headers=headers)
    traced.served.stored("requests")
    traced.served.chat()
    first, _, hit = traced.spans(3)
    assert f"{first.context.trace_id:032x}" == trace
    assert (first.attributes["llmr.cache"], hit.attributes["llmr.cache"]) == ("miss", "hit")
    assert hit.attributes["gen_ai.usage.output_tokens"] > 0


def test_embeddings_are_spans_too(traced):
    body = {"data": [{"object": "embedding", "index": 0, "embedding": [0.5]}], "usage": {"prompt_tokens": 4}}
    lab = LabProvider("a", [Behavior(body=json.dumps(body).encode(), content_type="application/json")])
    traced = traced(lab)
    assert traced.served.post("/v1/embeddings", {"model": "m", "input": "a private question"}).status_code == 200
    request, attempt = traced.spans(2)
    assert (request.name, attempt.name) == ("embeddings m", "embeddings lab-model")
    assert attempt.attributes["gen_ai.operation.name"] == "embeddings"
    assert attempt.attributes["gen_ai.usage.input_tokens"] == 4
    assert "private" not in request.to_json() + attempt.to_json()


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://api.openai.com/v1", "openai"),
        ("https://me.openai.azure.com/openai", "azure.ai.openai"),
        ("https://api.x.ai/v1", "x_ai"),
        ("https://notx.ai/v1", "mine"),
        ("http://127.0.0.1:11434/v1", "mine"),
    ],
)
def test_a_provider_has_its_well_known_name_or_the_user_s(url, name):
    assert _provider_name(Model(Provider("mine", WireFormat.OPENAI, url), "m")) == name


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("gpt-4o-2024-08-06", "gpt-4o-2024-08-06"),
        ("anthropic/claude-x:free", "anthropic/claude-x:free"),
        ("the private prompt, echoed", None),
        ("A" * 1_000_000, None),
        ("", None),
        (None, None),
    ],
)
def test_what_a_provider_calls_its_model_is_kept_where_it_looks_like_a_model(said, kept):
    assert _model_named(said) == kept


def test_by_default_nothing_of_opentelemetry_is_imported():
    script = "import sys, llmr.server.run; print([name for name in sys.modules if 'opentelemetry' in name])"
    done = subprocess.run([sys.executable, "-P", "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_without_the_extra_one_line_says_what_to_install(start, tmp_path):
    (tmp_path / "shadow/opentelemetry").mkdir(parents=True)
    (tmp_path / "shadow/opentelemetry/__init__.py").touch()
    told = start_and_fail(tmp_path, PYTHONPATH=str(tmp_path / "shadow"))
    assert told.returncode == 3
    (line,) = told.stderr.splitlines()
    assert "LLMR_OTEL=1 needs more packages" in line
    assert "pip install 'llmr[otel]'" in line


def start_and_fail(home, **variables):
    (home / "routing.toml").write_text('[providers.a]\nwire = "openai"\nbase_url = "http://127.0.0.1:9/v1"')
    return subprocess.run(
        [LLMR, "serve", "--port", "0", "--config", str(home / "routing.toml")],
        env={"HOME": str(home), "PATH": os.environ["PATH"], "LLMR_OTEL": "1", **variables},
        capture_output=True, text=True, check=False, timeout=30,
    )  # fmt: skip


def test_a_collector_gets_them_where_opentelemetry_s_own_variables_say(start):
    collector = LabProvider("collector", [Behavior(body=b"{}", content_type="application/json")])
    with LabThread([collector]) as lab:
        endpoint = lab.url("collector").removesuffix("/v1")
        running = start(LLMR_OTEL="1", OTEL_EXPORTER_OTLP_ENDPOINT=endpoint, OTEL_SERVICE_NAME="my-gateway")
        assert running.chat(running.token_file.read_text().strip()).status_code == 200
        code, _, err = running.end(15)
        assert (code, err) == (0, "")
    sent = b"".join(request.body for request in collector.requests)
    assert {request.target.rpartition("/v1")[2] for request in collector.requests} == {"/traces"}
    assert b"my-gateway" in sent
    assert b"gen_ai.provider.name" in sent


def test_a_collector_that_does_not_answer_holds_up_nobody(start):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        endpoint = f"http://127.0.0.1:{silent.getsockname()[1]}"
        running = start(LLMR_OTEL="1", OTEL_EXPORTER_OTLP_ENDPOINT=endpoint)
        assert running.chat(running.token_file.read_text().strip()).status_code == 200
        running.process.send_signal(15)
        running.process.communicate(timeout=9.0)  # OpenTelemetry itself would wait for ten seconds
    assert running.process.returncode == 0
