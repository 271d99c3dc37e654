"""The command line of `chat`, understood: the values that chat.py works with."""

import sys
from dataclasses import replace
from typing import Self

from llmr.chat import CacheWish, ChatRequest
from llmr.cli.asking import Asking, asking_of, request_of
from llmr.cli.chat_command import ChatOptions
from llmr.cli.delivery import OutputWish
from llmr.cli.keeping import Speaking
from llmr.cli.output import stdout_is_terminal
from llmr.dataclass import dataclass
from llmr.errors import UsageError


@dataclass(frozen=True, slots=True)
class ChatArguments:
    """`request` is without its messages: what of it is routing's business. `loudness` −2: silent, −1: errors, 0: events,
    1: receipt, 2: decision."""

    asking: Asking
    speaking: Speaking
    request: ChatRequest
    system: str | None
    output: OutputWish
    cache: bool
    debug: bool
    schema: str | None
    compare: str | None
    times: int | None
    config_file: str | None
    demo: bool
    loudness: int

    @classmethod
    def of(cls, typed: ChatOptions) -> Self:
        return cls(
            asking=replace(asking_of(typed), edit=typed.edit),
            speaking=Speaking(typed.continue_last, typed.conversation, typed.save),
            request=replace(
                request_of(typed),
                temperature=typed.temperature,
                on_break=typed.on_break,
                cache=CacheWish(use=True if typed.cache else None),
            ),
            system=typed.system,
            output=_output(typed),
            cache=typed.cache,
            debug=typed.debug,
            schema=typed.schema,
            compare=typed.compare,
            times=typed.times,
            config_file=typed.config,
            demo=typed.demo,
            loudness=typed.verbose - typed.quiet,
        )

    def refuse_contradictions(self) -> None:
        """Raise UsageError for what `--demo` has no use for."""
        speaking = self.speaking
        if self.demo and (speaking.continues or speaking.conversation is not None or speaking.save):
            raise UsageError(
                "--demo keeps nothing, so there is nothing to go on with: leave -c, --conversation and --save out"
            )


def _output(typed: ChatOptions) -> OutputWish:
    return OutputWish(
        as_json=typed.as_json,
        as_jsonl=typed.as_jsonl,
        raw=typed.raw or typed.debug,  # lines on stderr would tear what is drawn
        color=typed.color,
        safe_output=typed.safe_output,
        extract=typed.extract,
        file=None if typed.out == "-" else typed.out,
        copy=typed.copy,
        schema=typed.schema is not None,
    )


def is_a_talk(said: ChatArguments) -> bool:
    """Whether this is the interactive client: nothing was asked, and a person sits at both ends."""
    asking, output = said.asking, said.output
    asked = asking.words or asking.attach or asking.prompt_file or asking.edit or asking.template or asking.parameters
    shaped = said.schema is not None or said.compare is not None or said.times is not None or output.held or output.copy
    typed = sys.stdin is not None and sys.stdin.isatty()  # pyright: ignore[reportUnnecessaryComparison] - after `<&-`
    return not asked and not shaped and typed and stdout_is_terminal()
