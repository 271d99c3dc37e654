"""OpenTelemetry spans of what the server does, by the conventions for generative AI. Off unless LLMR_OTEL=1.

    chat NAME            SERVER   one request: what was asked, by whom it was answered, tokens, what it ended in
     ├ chat MODEL-ID     CLIENT   one attempt: provider, address, time to the first token, tokens
     └ chat MODEL-ID     CLIENT   the next

Source: opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-spans (status: development), names as of semantic-conventions 0.66b2.
Where spans go, and as which service, is OpenTelemetry's own business: OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_SERVICE_NAME and the
like. A `traceparent` of the client's is followed; none is sent to providers. No prompt, no answer, no tool, no key and no
foreign text is in a span: an error is its kind. Names of spans are cut, for they hold a client's word.
"""

import re
from collections.abc import Mapping
from threading import Thread
from typing import Final, final
from urllib.parse import urlsplit

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from llmr import __version__
from llmr.catalog import Model
from llmr.chat import ChatRequest, Usage
from llmr.router import (
    Answering,
    AttemptFailed,
    AttemptStarted,
    BrokeOff,
    Decided,
    Event,
    Finished,
    LookedUp,
    Outpaced,
)
from llmr.server.call import Call

_PROPAGATOR: Final = TraceContextTextMapPropagator()
_PATIENCE_S: Final = 0.3  # an orderly end takes no longer for a collector that is down
_NAME_LIMIT: Final = 100
_LIKE_A_MODEL: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@+-]{0,99}")
_WELL_KNOWN: Final[Mapping[str, str]] = {  # gen_ai.provider.name, by the end of the host; else the name in routing.toml
    "openai.com": "openai",
    "openai.azure.com": "azure.ai.openai",
    "anthropic.com": "anthropic",
    "generativelanguage.googleapis.com": "gcp.gemini",
    "aiplatform.googleapis.com": "gcp.vertex_ai",
    "amazonaws.com": "aws.bedrock",
    "cohere.com": "cohere",
    "cohere.ai": "cohere",
    "deepseek.com": "deepseek",
    "groq.com": "groq",
    "mistral.ai": "mistral_ai",
    "perplexity.ai": "perplexity",
    "x.ai": "x_ai",
}
_GONE: Final = "cancelled"

Attributes = dict[str, str | int | float | bool | tuple[str, ...]]


@final
class OtelTracer:
    """Spans into `exporter`; None: by OTLP over HTTP, in batches, from a thread."""

    def __init__(self, exporter: SpanExporter | None = None) -> None:
        resource = Resource({"service.name": "llmr", "service.version": __version__})
        self._provider = TracerProvider(
            resource=resource.merge(OTELResourceDetector().detect()), shutdown_on_exit=False
        )
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter() if exporter is None else exporter))
        self._tracer = self._provider.get_tracer("llmr", __version__)

    def begin(self, call: Call, request: ChatRequest, operation: str) -> "OtelTrace":
        """As trace.Tracer."""
        carrier = {name: value for name in ("traceparent", "tracestate") if (value := call.value(name.encode()))}
        attributes = {"http.request.method": call.method, "url.path": call.path, **_asked(request, operation)}
        name = f"{operation} {request.model}"[:_NAME_LIMIT].strip()
        span = self._tracer.start_span(name, _PROPAGATOR.extract(carrier), SpanKind.SERVER, attributes)
        return OtelTrace(self, span, request, operation)

    def attempt(self, parent: Span, model: Model, request: ChatRequest, operation: str) -> Span:
        """The span of one attempt, begun now."""
        where = urlsplit(model.provider.base_url)
        attributes = {**_asked(request, operation), **_model_asked(model)}
        if where.hostname is not None:
            attributes["server.address"] = where.hostname
            attributes["server.port"] = where.port or {"http": 80}.get(where.scheme, 443)
        name = f"{operation} {model.id}"[:_NAME_LIMIT]
        return self._tracer.start_span(name, set_span_in_context(parent), SpanKind.CLIENT, attributes)

    def close(self) -> None:
        """As trace.Tracer. A collector that does not answer is waited for briefly: the server's end is no time to insist."""
        closing = Thread(target=self._provider.shutdown, name="llmr-tracing-end", daemon=True)
        closing.start()
        closing.join(_PATIENCE_S)


@final
class OtelTrace:
    """One request: its span, and those of its attempts by their number."""

    def __init__(self, tracer: OtelTracer, span: Span, request: ChatRequest, operation: str) -> None:
        self._tracer = tracer
        self._span = span
        self._request = request
        self._operation = operation
        self._attempts: dict[int, Span] = {}
        self._leader = 0  # the number of the attempt that answers

    def event(self, event: Event) -> None:
        """As trace.Trace."""
        match event:
            case LookedUp():
                self._span.set_attribute("llmr.cache", "miss" if event.found is None else "hit")
            case Decided():
                self._span.set_attribute("llmr.request_id", event.request_id)
                self._span.set_attribute("llmr.strategy", event.selection.strategy.value)
            case AttemptStarted():
                span = self._tracer.attempt(self._span, event.candidate.model, self._request, self._operation)
                span.set_attributes(
                    {"llmr.attempt": event.number, "llmr.probe": event.probe, "llmr.hedge": event.hedge}
                )
                self._attempts[event.number] = span
            case Answering():
                self._leader = event.number
                self._first_token(event)
            case AttemptFailed() | BrokeOff():
                self._ends(event.number, event.error.kind.value)
            case Outpaced():
                self._ends(event.number, "outpaced")
            case Finished():
                self._answered(event)
            case _:
                pass

    def end(self, call: Call) -> None:
        """As trace.Trace. What is still open was left, by the client or by an answer that broke off."""
        outcome = call.outcome or _GONE
        for number in tuple(self._attempts):
            self._ends(number, outcome)
        self._span.set_attribute("llmr.attempts", call.attempts)
        if call.status is not None:
            self._span.set_attribute("http.response.status_code", call.status)
        if outcome != "ok":
            _fail(self._span, outcome)
        self._span.end()

    def _first_token(self, event: Answering) -> None:
        for span in (self._span, self._attempts.get(event.number)):
            if span is not None and self._request.stream:
                span.set_attribute("gen_ai.response.time_to_first_chunk", event.ttft_s)

    def _answered(self, event: Finished) -> None:
        response, model = event.response, event.candidate.model
        said: Attributes = _used(response.usage)
        if response.finish_reason is not None:
            said["gen_ai.response.finish_reasons"] = (response.finish_reason.value,)
        said["gen_ai.response.model"] = _model_named(response.served_model) or model.id
        self._span.set_attributes({**said, "gen_ai.provider.name": _provider_name(model)})
        if event.cost_usd is not None:
            self._span.set_attribute("llmr.cost_usd", event.cost_usd)
        leader = self._attempts.pop(self._leader, None)
        if leader is not None:
            leader.set_attributes(said)
            leader.end()

    def _ends(self, number: int, outcome: str) -> None:
        span = self._attempts.pop(number, None)
        if span is not None:
            _fail(span, outcome)
            span.end()


def _fail(span: Span, kind: str) -> None:
    span.set_attribute("error.type", kind)
    span.set_status(Status(StatusCode.ERROR))


def _asked(request: ChatRequest, operation: str) -> Attributes:
    """What was asked, but for its content."""
    said = {
        "gen_ai.request.model": request.model[:_NAME_LIMIT] or None,
        "gen_ai.request.max_tokens": request.max_output_tokens,
        "gen_ai.request.temperature": request.temperature,
        "gen_ai.request.top_p": request.top_p,
        "gen_ai.request.seed": request.seed,
        "gen_ai.request.stream": request.stream or None,
        "gen_ai.output.type": "json" if request.wants_json else None,
    }
    return {"gen_ai.operation.name": operation, **{name: value for name, value in said.items() if value is not None}}


def _model_named(said: str | None) -> str | None:
    """What the provider calls the model, if it looks like a model's name: it is the provider's own word, of any length."""
    return said if said is not None and _LIKE_A_MODEL.fullmatch(said) else None


def _model_asked(model: Model) -> Attributes:
    return {"gen_ai.request.model": model.id, "gen_ai.provider.name": _provider_name(model)}


def _provider_name(model: Model) -> str:
    host = urlsplit(model.provider.base_url).hostname or ""
    known = (name for end, name in _WELL_KNOWN.items() if host == end or host.endswith(f".{end}"))
    return max(known, key=len, default=model.provider.name)


def _used(usage: Usage | None) -> Attributes:
    counts = usage or Usage()
    said = {
        "gen_ai.usage.input_tokens": counts.input_tokens,
        "gen_ai.usage.output_tokens": counts.output_tokens,
        "gen_ai.usage.cache_read.input_tokens": counts.cached_tokens,
        "gen_ai.usage.cache_creation.input_tokens": counts.cache_write_tokens,
        "gen_ai.usage.reasoning.output_tokens": counts.reasoning_tokens,
    }
    return {name: count for name, count in said.items() if count is not None}
