"""One request and one answer, whoever gives it: the values that every other part exchanges.

A `ChatRequest` (request.py) is what the user wants, in no provider's dialect; what was said is `Message`s (message.py). An
answer (answer.py) is a stream of `Delta`s; an unstreamed reply is a stream of one. `ChatResponse` is what the deltas add up
to: there is one way to build it, `from_deltas`. JSON that belongs to someone else (tool schemas, tool arguments) is kept as
JSON text, untouched.
"""

from llmr.chat.answer import ChatResponse, Delta, FinishReason, ToolCallDelta, Usage, merged
from llmr.chat.message import CacheMark, Media, MediaKind, Message, Part, Role, Text, Thinking, ToolCall, ToolResult
from llmr.chat.request import CacheWish, ChatRequest, OutputFormat, ResponseFormat, Tool, ToolChoice, ToolChoiceMode

__all__ = [
    "CacheMark",
    "CacheWish",
    "ChatRequest",
    "ChatResponse",
    "Delta",
    "FinishReason",
    "Media",
    "MediaKind",
    "Message",
    "OutputFormat",
    "Part",
    "ResponseFormat",
    "Role",
    "Text",
    "Thinking",
    "Tool",
    "ToolCall",
    "ToolCallDelta",
    "ToolChoice",
    "ToolChoiceMode",
    "ToolResult",
    "Usage",
    "merged",
]
