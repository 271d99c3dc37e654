"""What a dialect must be able to say on the provider's side: the mirror image of `llmr/wire/`.

A dialect is pure: it turns a behaviour and a request into bytes. When those bytes are sent, and whether, is
the server's business. Adding one is a module and a line in `DIALECTS` (provider.py).
"""

import re
from collections.abc import Iterator
from typing import Any, Final, Protocol, cast

from llmr.dataclass import dataclass
from llmr.lab.behavior import Behavior

_WORD: Final = re.compile(r"\s*\S+\s*|\s+")


@dataclass(frozen=True, slots=True)
class Asked:
    """What a dialect needs to know of a request. `body` is its JSON, {} where it was none; `n` is from 1."""

    provider: str
    n: int
    target: str
    body: Any
    size_bytes: int

    @property
    def reply_id(self) -> str:
        """An id for the reply, the same in every run."""
        return f"lab-{self.provider}-{self.n}"

    @property
    def model(self) -> str:
        """The model that was asked for, "lab" where none was named."""
        named = member(self.body, "model")
        return named if isinstance(named, str) else "lab"


@dataclass(frozen=True, slots=True)
class Frame:
    """One event of a stream. Tokens are counted; the frames around them are not."""

    payload: bytes
    is_token: bool = False


class Dialect(Protocol):
    """One provider's way of answering."""

    base_path: str
    """The path that belongs to the base URL, "" or "/v1"."""

    def is_streamed(self, asked: Asked) -> bool:
        """Whether the request asks for a stream."""
        ...

    def stream(self, behavior: Behavior, asked: Asked) -> Iterator[Frame]:
        """The whole answer as events, in order."""
        ...

    def whole(self, behavior: Behavior, asked: Asked) -> bytes:
        """The whole answer as one JSON document."""
        ...

    def error(self, behavior: Behavior, asked: Asked) -> bytes:
        """The body of an answer with status ≥ 400."""
        ...

    def error_event(self, behavior: Behavior, asked: Asked) -> bytes:
        """An error inside a stream, and what this dialect sends after it."""
        ...

    def models(self, ids: tuple[str, ...]) -> bytes:
        """The list of models."""
        ...


def member(document: Any, name: str) -> Any:
    """A member of a JSON object; None where it is absent, or where the document is no object."""
    return cast("dict[str, Any]", document).get(name) if isinstance(document, dict) else None


def words(text: str) -> list[str]:
    """The text in pieces of one word each; joined again they are the text."""
    return _WORD.findall(text)


def text_tokens(behavior: Behavior) -> list[str]:
    """The pieces of text that this behaviour answers with."""
    if behavior.tokens is None:
        return words(behavior.text)
    return [f"w{n} " for n in range(1, behavior.tokens + 1)]


def token_count(behavior: Behavior) -> int:
    """Output tokens as the lab counts them: a word is a token, a tool call two."""
    return len(words(behavior.reasoning)) + len(text_tokens(behavior)) + 2 * len(behavior.tool_calls)


def input_token_count(behavior: Behavior, asked: Asked) -> int:
    """Input tokens: as told, or a quarter of the request's bytes."""
    return max(1, asked.size_bytes // 4) if behavior.input_tokens is None else behavior.input_tokens


def halves(arguments: str) -> tuple[str, str]:
    """A tool call's arguments cut in two, as they arrive in pieces."""
    middle = len(arguments) // 2
    return arguments[:middle], arguments[middle:]
