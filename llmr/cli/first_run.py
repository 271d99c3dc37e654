"""Nobody can be asked: say what is missing, which local servers were looked for, and what works right now.

The local servers of the catalogue are asked for their models at once, all together, for at most 200 ms, and only here: a
machine that has a key never pays for the look. Nobody is asked a question, so a pipe is never held up.
"""

import asyncio
import shlex
from collections.abc import Iterator
from typing import Final
from urllib.parse import urlsplit

from llmr.app import LateTransport
from llmr.catalog import Provider
from llmr.cli.model_list import Answer, Outcome, ask, counted
from llmr.config.build import Config, local_servers
from llmr.dataclass import dataclass
from llmr.errors import NoProviderReady

LOOK_S: Final = 0.2  # cli.md, First run
_NAMED: Final = 3  # more variables than that are no help on one line


@dataclass(frozen=True, slots=True)
class Ways:
    """What is typed to ask a model, {}, and to see a demo."""

    ask: str
    demo: str


AT_THE_SHELL: Final = Ways('llmr chat -m {} "hi"', 'llmr chat --demo "hi"')
IN_THE_CLIENT: Final = Ways("/model {}", "/quit, and then: llmr chat --demo")


def first_run_lines(error: NoProviderReady, config: Config, ways: Ways = AT_THE_SHELL) -> Iterator[str]:
    """What is said below the error. Looks for the local servers."""
    found = asyncio.run(running_servers(config))
    told = [f"{answer.provider.name} at {_place(answer.provider)} ({counted(answer.models)})" for answer in found]
    widest = max(map(len, told), default=0)
    for answer, line in zip(found, told, strict=True):
        yield f"  found    {line:<{widest}}   {_command(answer, ways)}"
    if error.missing:
        more = " …" if len(error.missing) > _NAMED else ""
        yield f"  missing  {', '.join(error.missing[:_NAMED])}{more}"
        yield f"  add one  llmr keys set {_provider_of(error.missing[0], config)}"
    yield f"  try it   {ways.demo}"


async def running_servers(config: Config) -> list[Answer]:
    """The servers that are up, in the catalogue's order."""
    async with LateTransport() as transport:
        asked = (ask(transport, provider, within_s=LOOK_S) for provider in local_servers(config))
        answers = await asyncio.gather(*asked)
    return [answer for answer in answers if answer.outcome is Outcome.OK]


def _command(answer: Answer, ways: Ways) -> str:
    """What to type; a model's name is the server's own text, so it is quoted, or not offered at all (trust.md T31)."""
    model = next((model for model in answer.models if model.isprintable()), None)
    if model is None:
        return ""
    key = f"{answer.provider.name}/{model}"
    return ways.ask.format(key if ways is IN_THE_CLIENT else shlex.quote(key))


def _provider_of(variable: str, config: Config) -> str:
    providers = config.catalog.providers.values()
    return next((provider.name for provider in providers if provider.missing_key == variable), "PROVIDER")


def _place(provider: Provider) -> str:
    """host:port, with localhost as people know it."""
    return (urlsplit(provider.base_url).netloc or provider.base_url).replace("127.0.0.1", "localhost")
