"""What a wire makes of a request, in few words: for the tests of each wire."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from llmr.catalog import Model, WireFormat
from llmr.chat import ChatRequest
from llmr.errors import ErrorKind, ProviderError
from llmr.wire import wire_for
from llmr.wire.contract import HttpRequest


class Encoder:
    """One wire. `usual` makes the model that is asked unless the test names another."""

    def __init__(self, wire: WireFormat, usual: Callable[[], Model]) -> None:
        self._wire = wire
        self._usual = usual

    def __call__(self, request: ChatRequest, to: Model | None = None) -> HttpRequest:
        return wire_for(self._wire).encode(request, to or self._usual())

    def body(self, request: ChatRequest, to: Model | None = None) -> dict[str, Any]:
        said: dict[str, Any] = json.loads(self(request, to).body)
        return said

    def refused(self, request: ChatRequest, to: Model | None = None) -> str:
        """What the refusal says."""
        with pytest.raises(ProviderError) as failed:
            self(request, to)
        assert failed.value.kind is ErrorKind.UNSUPPORTED
        return failed.value.message
