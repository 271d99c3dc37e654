"""How the interactive client begins."""

import random
from pathlib import Path

from llmr.chat import ChatRequest
from llmr.cli.arguments import ChatArguments
from llmr.cli.choices import check_on_break, check_strategy
from llmr.cli.delivery import OutputWish
from llmr.cli.keeping import Keeping, Speaking
from llmr.cli.say import say
from llmr.config.environment import Environment
from llmr.dataclass import dataclass


@dataclass(frozen=True, slots=True)
class Wish:
    """What the command line said of the whole session. `base` carries tags, temperature and the like; the others as
    ChatArguments has them."""

    base: ChatRequest
    system: str | None
    output: OutputWish
    loudness: int
    debug: bool = False
    attach_urls: bool | None = None

    @property
    def loud(self) -> bool:
        """Whether events are told."""
        return self.loudness >= 0


def talk(said: ChatArguments) -> int:
    """Begin the client. The exit code. Raises LlmrError."""
    from llmr.cli.client.client import run_client
    from llmr.config.load import load

    base = said.request
    check_strategy(base.strategy)
    check_on_break(base.on_break)
    environment = Environment.from_process()
    wish = Wish(base, said.system, said.output, said.loudness, debug=said.debug, attach_urls=said.asking.attach_urls)
    if said.demo:
        return _demo(environment, wish)
    config = load(environment, config_file=Path(said.config_file) if said.config_file else None)
    for notice in config.notices if wish.loud else ():
        say(f"llmr: {notice}")
    keeping = Keeping.of(config, environment, said.speaking)
    return run_client(config, environment, wish, keeping)


def _demo(environment: Environment, wish: Wish) -> int:
    """Talk to the lab's three demo providers, in a thread of this process; nothing of it is kept."""
    from llmr.cli.client.client import run_client
    from llmr.lab import LabThread
    from llmr.lab.demo import demo_config, demo_providers

    with LabThread(demo_providers(random.Random())) as lab:  # noqa: S311 - which demo provider fails is no secret
        config = demo_config(lab)
        return run_client(config, environment, wish, Keeping.of(config, environment, Speaking(save=False)))
