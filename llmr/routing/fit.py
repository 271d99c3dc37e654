"""Whether a model can take the request at all. Asked before the first hop and before every later one.

Unknown capabilities reject nothing: a local server that lists none is still asked. What is known and too small is never
asked, however fast: a fallback to a smaller window was LiteLLM's (BerriAI/litellm#31557).
"""

from llmr.catalog import Capabilities
from llmr.chat import ChatRequest, Media, MediaKind
from llmr.dataclass import dataclass
from llmr.errors import ErrorKind


@dataclass(frozen=True, slots=True)
class Misfit:
    """Why a model cannot take a request."""

    kind: ErrorKind
    reason: str


def misfit(capabilities: Capabilities, request: ChatRequest, prompt_tokens: int) -> Misfit | None:
    """Why the model cannot take the request, None if it can as far as is known."""
    window = capabilities.context_window_tokens
    wanted = prompt_tokens + (request.max_output_tokens or 0)
    if window is not None and wanted > window:
        return Misfit(ErrorKind.CONTEXT_LENGTH, f"~{wanted:,} tokens do not fit its window of {window:,}")
    most = capabilities.max_output_tokens
    if most is not None and request.max_output_tokens is not None and request.max_output_tokens > most:
        return Misfit(ErrorKind.UNSUPPORTED, f"{request.max_output_tokens:,} output tokens exceed its {most:,}")
    media = {p.kind for m in request.messages for p in m.parts if isinstance(p, Media)}
    needs = (
        ("tools", bool(request.tools), capabilities.tools),
        ("images", MediaKind.IMAGE in media, capabilities.images),
        ("documents", MediaKind.DOCUMENT in media, capabilities.documents),
        ("audio", MediaKind.AUDIO in media, capabilities.audio),
        ("JSON output", request.wants_json, capabilities.json),
        ("a reasoning effort", request.reasoning_effort is not None, capabilities.reasoning),
    )
    lacking = next((what for what, asked, able in needs if asked and able is False), None)
    return Misfit(ErrorKind.UNSUPPORTED, f"it does not take {lacking}") if lacking else None
