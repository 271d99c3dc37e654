"""Dialects: how a request is said and an answer is read, as pure functions of bytes.

`wire_for` is the only way in for others. The wires are imported when first asked for, since a run needs one
of them and start-up time counts. A new wire format is one module and one line in `_WIRES`.
"""

from collections.abc import Mapping
from importlib import import_module
from typing import Final

from llmr.catalog import WireFormat
from llmr.wire.contract import Wire

_WIRES: Final[Mapping[WireFormat, tuple[str, str]]] = {
    WireFormat.OPENAI: ("llmr.wire.openai", "OpenAIWire"),
    WireFormat.ANTHROPIC: ("llmr.wire.anthropic", "AnthropicWire"),
    WireFormat.GEMINI: ("llmr.wire.gemini", "GeminiWire"),
    WireFormat.RESPONSES: ("llmr.wire.responses", "ResponsesWire"),
}


def wire_for(wire_format: WireFormat) -> Wire:
    """The wire that speaks `wire_format`. Wires hold no state: any number of answers may share one."""
    module, name = _WIRES[wire_format]
    wire: Wire = getattr(import_module(module), name)()
    return wire
