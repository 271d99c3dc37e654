"""When `llmr chat` is the interactive client, and how it begins."""

import random
import sys
from pathlib import Path

from llmr.chat import ChatRequest
from llmr.cli.asking import Asking
from llmr.cli.choices import check_on_break, check_strategy
from llmr.cli.delivery import OutputWish
from llmr.cli.keeping import Keeping, Speaking
from llmr.cli.output import stdout_is_terminal
from llmr.cli.say import say
from llmr.config.environment import Environment
from llmr.dataclass import dataclass


@dataclass(frozen=True, slots=True)
class Wish:
    """What the command line said of the whole session. `base` carries tags, temperature and the like; `loudness` as
    ChatArguments has it."""

    base: ChatRequest
    system: str | None
    output: OutputWish
    loudness: int

    @property
    def loud(self) -> bool:
        """Whether events are told."""
        return self.loudness >= 0


def is_meant(asking: Asking, output: OutputWish) -> bool:
    """Whether nothing was asked, and a person sits at both ends."""
    said = asking.words or asking.attach or asking.prompt_file or asking.edit or asking.template
    typed = sys.stdin is not None and sys.stdin.isatty()  # pyright: ignore[reportUnnecessaryComparison] - after `<&-`
    return not said and not output.held and not output.copy and typed and stdout_is_terminal()


def talk(
    base: ChatRequest,
    *,
    system: str | None,
    speaking: Speaking,
    output: OutputWish,
    config_file: str | None,
    demo: bool,
    loudness: int,
) -> int:
    """Begin the client. The exit code. Raises LlmrError."""
    from llmr.cli.client.client import run_client
    from llmr.config.load import load

    check_strategy(base.strategy)
    check_on_break(base.on_break)
    environment = Environment.from_process()
    wish = Wish(base, system, output, loudness)
    if demo:
        return _demo(environment, wish)
    config = load(environment, config_file=Path(config_file) if config_file else None)
    for notice in config.notices if loudness >= 0 else ():
        say(f"llmr: {notice}")
    keeping = Keeping.of(config, environment, speaking)
    return run_client(config, environment, wish, keeping)


def _demo(environment: Environment, wish: Wish) -> int:
    """Talk to the lab's three demo providers, in a thread of this process; nothing of it is kept."""
    from llmr.cli.client.client import run_client
    from llmr.lab import LabThread
    from llmr.lab.demo import demo_config, demo_providers

    with LabThread(demo_providers(random.Random())) as lab:  # noqa: S311 - which demo provider fails is no secret
        config = demo_config(lab)
        return run_client(config, environment, wish, Keeping.of(config, environment, Speaking(save=False)))
