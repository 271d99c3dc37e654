"""Whether a model can take a request: what is known and too small rejects, what is unknown does not."""

from dataclasses import replace
from typing import Any

import pytest

from llmr.catalog import Capabilities
from llmr.chat import ChatRequest, Media, MediaKind, Message, OutputFormat, ResponseFormat, Role, Tool
from llmr.errors import ErrorKind
from llmr.routing.fit import misfit

PLAIN = ChatRequest((Message.text(Role.USER, "hello"),))


def with_media(kind: MediaKind) -> ChatRequest:
    return ChatRequest((Message(Role.USER, (Media(kind, "x/y", b""),)),))


NEEDS: list[tuple[str, str, ChatRequest]] = [
    ("tools", "tools", replace(PLAIN, tools=(Tool("f"),))),
    ("images", "images", with_media(MediaKind.IMAGE)),
    ("documents", "documents", with_media(MediaKind.DOCUMENT)),
    ("audio", "audio", with_media(MediaKind.AUDIO)),
    ("json", "JSON output", replace(PLAIN, output=OutputFormat(ResponseFormat.JSON))),
    ("reasoning", "a reasoning effort", replace(PLAIN, reasoning_effort="high")),
]


@pytest.mark.parametrize(("capability", "words", "request_"), NEEDS)
def test_what_a_model_is_known_to_lack_rejects_it(capability: str, words: str, request_: ChatRequest) -> None:
    lacking: dict[str, Any] = {capability: False}
    found = misfit(Capabilities(**lacking), request_, 10)
    assert found is not None
    assert (found.kind, found.reason) == (ErrorKind.UNSUPPORTED, f"it does not take {words}")
    assert misfit(Capabilities(**lacking), PLAIN, 10) is None, "nobody asked for it"


@pytest.mark.parametrize(("capability", "words", "request_"), NEEDS)
def test_what_is_unknown_or_known_to_work_rejects_nothing(capability: str, words: str, request_: ChatRequest) -> None:
    able: dict[str, Any] = {capability: True}
    assert misfit(Capabilities(), request_, 10**9) is None
    assert misfit(Capabilities(**able), request_, 10) is None


def test_prompt_and_answer_have_to_fit_the_window_together() -> None:
    small = Capabilities(context_window_tokens=1_000)
    assert misfit(small, PLAIN, 1_000) is None
    found = misfit(small, PLAIN, 1_001)
    assert found is not None
    assert (found.kind, found.reason) == (ErrorKind.CONTEXT_LENGTH, "~1,001 tokens do not fit its window of 1,000")
    assert misfit(small, replace(PLAIN, max_output_tokens=100), 900) is None
    assert misfit(small, replace(PLAIN, max_output_tokens=101), 900) is not None


def test_an_answer_longer_than_the_model_writes_is_refused() -> None:
    brief = Capabilities(max_output_tokens=100)
    assert misfit(brief, PLAIN, 10) is None
    assert misfit(brief, replace(PLAIN, max_output_tokens=100), 10) is None
    found = misfit(brief, replace(PLAIN, max_output_tokens=101), 10)
    assert found is not None
    assert (found.kind, found.reason) == (ErrorKind.UNSUPPORTED, "101 output tokens exceed its 100")
