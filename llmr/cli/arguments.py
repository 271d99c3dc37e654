"""The command line of `chat`, understood: the values that chat.py works with."""

from llmr.chat import CacheWish, ChatRequest
from llmr.cli.asking import Asking
from llmr.cli.delivery import OutputWish
from llmr.cli.keeping import Speaking
from llmr.dataclass import dataclass


@dataclass(frozen=True, slots=True)
class ChatArguments:
    """One for every option. `loudness` −2: silent, −1: errors, 0: events, 1: receipt, 2: decision."""

    asking: Asking
    speaking: Speaking
    model: str | None
    provider: str | None
    strategy: str | None
    on_break: str | None
    hedge: bool | None
    cache: bool
    system: str | None
    stream: bool
    output: OutputWish
    debug: bool
    schema: str | None
    compare: str | None
    times: int | None
    max_output_tokens: int | None
    temperature: float | None
    tags: tuple[str, ...]
    config_file: str | None
    demo: bool
    loudness: int

    def request(self) -> ChatRequest:
        """The request without its messages: what of it is routing's business."""
        return ChatRequest(
            messages=(),
            model=self.model or "",
            stream=self.stream,
            max_output_tokens=self.max_output_tokens,
            temperature=self.temperature,
            provider=self.provider,
            strategy=self.strategy,
            on_break=self.on_break,
            hedge=self.hedge,
            cache=CacheWish(use=True) if self.cache else CacheWish(),
            tags=self.tags,
        )
