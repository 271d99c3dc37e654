"""Embeddings as a wire: texts in, vectors out, in the words of OpenAI's `/embeddings`, which is the one that others copied.

An embeddings request is a request that is not streamed and whose answer is the JSON text of its vectors: one delta. So the
router, with its ranking, circuits, limits, budgets and history, needs to know nothing of it; it is given these wires in place
of those for chat. A provider that speaks another dialect is refused here, before anything is sent, and the next is asked.
"""

from collections.abc import Mapping
from typing import Any, Final, final

from llmr.catalog import Model, WireFormat
from llmr.chat import ChatRequest, Delta, FinishReason
from llmr.errors import ProviderError
from llmr.wire import errors, json_text
from llmr.wire.contract import Decoder, HttpRequest, Wire
from llmr.wire.decoding import AnswerDecoder
from llmr.wire.errors import bad_response, error_inside
from llmr.wire.json_text import list_of, object_of
from llmr.wire.openai_usage import usage_of
from llmr.wire.parts import credential_for, headers_for, refuse, url_for

FIELDS: Final = frozenset({"input", "dimensions", "encoding_format", "user", "input_type", "truncate"})
_CHAT_PATH: Final = "/chat/completions"
_PATH: Final = "/embeddings"


@final
class OpenAIEmbeddings:
    """`POST {base_url}/embeddings`."""

    def encode(self, request: ChatRequest, model: Model) -> HttpRequest:
        """What `request.extra` says, for `model`. Raises ProviderError(UNSUPPORTED) where its own path for chat hides the one
        for embeddings."""
        own_path = model.provider.dialect.chat_path or ""
        if own_path and _CHAT_PATH not in own_path:
            refuse(model, "embeddings (its chat_path does not say where they are)")
        body = {"model": model.id, **{name: value for name, value in request.extra.items() if name in FIELDS}}
        return HttpRequest(
            "POST",
            url_for(model, _CHAT_PATH).replace(_CHAT_PATH, _PATH, 1),
            headers_for(model, stream=False),
            json_text.encode(body),
            credential_for(model, "authorization", "Bearer "),
        )

    def decoder(self, model: Model, *, streamed: bool) -> Decoder:  # noqa: ARG002 - a wire's signature
        """A decoder for one answer."""
        return AnswerDecoder(_Reader(), streamed=False)

    def classify(self, status: int, headers: Mapping[str, str], body: bytes, *, now: float) -> ProviderError:
        """The error that an answer with this status means."""
        return errors.classify(status, headers, body, now=now)


@final
class NoEmbeddings:
    """A dialect in which there are none, or none that we know."""

    def encode(self, request: ChatRequest, model: Model) -> HttpRequest:  # noqa: ARG002 - a wire's signature
        """Raises ProviderError(UNSUPPORTED)."""
        refuse(model, "embeddings")

    def decoder(self, model: Model, *, streamed: bool) -> Decoder:  # noqa: ARG002 - likewise
        """Raises ProviderError(UNSUPPORTED)."""
        refuse(model, "embeddings")

    def classify(self, status: int, headers: Mapping[str, str], body: bytes, *, now: float) -> ProviderError:
        """The error that an answer with this status means."""
        return errors.classify(status, headers, body, now=now)


def embedding_wire_for(wire_format: WireFormat) -> Wire:
    """As `wire_for`, for embeddings."""
    match wire_format:
        case WireFormat.OPENAI | WireFormat.RESPONSES:
            return OpenAIEmbeddings()
        case WireFormat.ANTHROPIC | WireFormat.GEMINI:
            return NoEmbeddings()


def vectors_of(text: str) -> list[Any]:
    """The list that an answer's text is: `[{"object": "embedding", "index": 0, "embedding": […] or base64}, …]`."""
    return list_of(json_text.parse(text))


class _Reader:
    """One answer. It is the list of vectors, checked as far as that each is one."""

    def __init__(self) -> None:
        self._seen = False

    def event(self, name: str, value: Any, out: list[Delta]) -> None:  # noqa: ARG002 - a reader's signature
        """There are no streams of vectors."""
        self.whole(value, out)

    def whole(self, value: Any, out: list[Delta]) -> None:
        """The JSON of the answer."""
        said = object_of(value)
        rows = said.get("data")
        if not isinstance(rows, list):
            raise (
                error_inside(value, json_text.encode(value).decode())
                if "error" in said
                else bad_response("the answer holds no vectors")
            )
        for row in list_of(rows):
            vector = object_of(row).get("embedding")
            if not isinstance(vector, list | str) or not vector:
                raise bad_response("an embedding in the answer is no vector")
        self._seen = True
        out.append(
            Delta(
                text=json_text.encode(rows).decode(),
                finish_reason=FinishReason.STOP,
                usage=usage_of(object_of(said.get("usage")), reasoning_excluded=False),
                served_model=said.get("model") if isinstance(said.get("model"), str) else None,
            )
        )

    def finish(self) -> None:
        """The body ended."""
        if not self._seen:
            raise bad_response("the answer holds no vectors")
