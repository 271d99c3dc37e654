"""`llmr config init`: a first routing.toml, commented, with what was found on this machine already in it.

On a terminal it asks three questions, each with a default that Enter takes. In a pipe nobody is asked: the defaults are
written. A file that is there is never replaced without a yes or --force, and is then kept beside the new one.
"""

import asyncio
import sys
from collections.abc import Sequence
from typing import Final

from llmr.app import LateTransport
from llmr.catalog import Catalog, KeySource, Provider, Strategy
from llmr.cli.exit_codes import ExitCode
from llmr.cli.listing import configured
from llmr.cli.model_list import Answer, Outcome, ask, counted
from llmr.cli.output import print_line
from llmr.cli.say import say
from llmr.config.build import Config, local_servers
from llmr.config.environment import Environment
from llmr.config.own_file import check_own, own_file, write_own
from llmr.config.wording import plain, suggestion
from llmr.dataclass import dataclass
from llmr.errors import ConfigError, UsageError

LOOK_S: Final = 0.2  # cli.md, First run

_MEANS: Final = {
    Strategy.BALANCED: "price, speed and success weighed together",
    Strategy.COST: "the cheapest first",
    Strategy.LATENCY: "the soonest first token",
    Strategy.QUALITY: "the best by your own judgement (quality = 0–1)",
    Strategy.PRIORITY: "in the order you write them",
    Strategy.ROUND_ROBIN: "in turn",
    Strategy.WEIGHTED: "by chance, as heavy as you say",
}


@dataclass(frozen=True, slots=True)
class Machine:
    """What there is: providers with a key, and servers on this machine that answer."""

    keyed: tuple[Provider, ...]
    servers: tuple[Answer, ...]


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the user wants. `day_usd` None: no limit."""

    strategy: str
    default_model: str
    day_usd: float | None = None


def run_init(*, force: bool) -> int:
    """Ask, write, and say what was written. Raises LlmrError."""
    environment = Environment.from_process()
    path = own_file(environment)
    asks = sys.stdin is not None and sys.stdin.isatty() and sys.stderr.isatty()  # pyright: ignore[reportUnnecessaryComparison]
    if (
        path.exists()
        and not force
        and not (asks and _yes(f"{path} is there already. Replace it? It is kept as {path.name}.old"))
    ):
        raise ConfigError(f"{plain(str(path))}: is there already; llmr config edit opens it, --force replaces it")
    config = configured(None) if not path.exists() else _fresh(environment)
    machine = asyncio.run(_look(config))
    for line in _found_lines(machine):
        say(line)
    wishes = (
        _asked(config.catalog, machine) if asks else Wishes(Strategy.BALANCED.value, _usual(config.catalog, machine))
    )
    text = file_text(wishes, machine)
    wrong = check_own(text, environment)
    if wrong:
        raise ConfigError(wrong[0])
    old = write_own(text, environment)
    print_line(f"{path} is written" + (f"; what was there is {old.name}" if old is not None else ""))
    ready = machine.keyed or machine.servers
    first = (
        ["  try it   llmr chat hello"] if ready else ["  add one  llmr keys set openai", "  then     llmr chat hello"]
    )
    for line in (*first, "  change   llmr config edit", "  see      llmr config show --origin"):
        say(line)
    return int(ExitCode.OK)


def _fresh(environment: Environment) -> Config:
    """The settings without the user's own file, which is to be replaced and may be broken."""
    from llmr.config.load import load
    from llmr.config.search import shipped_routing_file

    return load(environment, config_file=shipped_routing_file())


async def _look(config: Config) -> Machine:
    local = local_servers(config)
    async with LateTransport(config.ca_file) as transport:
        answers = await asyncio.gather(*(ask(transport, provider, within_s=LOOK_S) for provider in local))
    keyed = tuple(p for p in config.catalog.providers.values() if p.key is not None and p.off_reason is None)
    return Machine(keyed, tuple(answer for answer in answers if answer.outcome is Outcome.OK))


def _found_lines(machine: Machine) -> list[str]:
    lines = [f"  found    {p.name}: {_source(p)}" for p in machine.keyed]
    lines += [f"  found    {a.provider.name} on this machine, {counted(a.models)}" for a in machine.servers]
    return lines or ["  found    no key and no local server yet"]


def _source(provider: Provider) -> str:
    match provider.key_source:
        case KeySource.VARIABLE:
            return f"{provider.api_key_env} is set"
        case KeySource.COMMAND:
            return "api_key_cmd"
        case KeySource.KEYRING:
            return f"{provider.api_key_env} in the keyring"
        case KeySource.FILE | None:
            return f"{provider.api_key_env} in credentials.toml"


def _asked(catalog: Catalog, machine: Machine) -> Wishes:
    for known, meaning in _MEANS.items():
        say(f"    {known.value:<12} {meaning}")
    strategy = _choice("When several can answer, what matters?", Strategy.BALANCED.value, [s.value for s in _MEANS])
    names = _answerable(catalog, machine)
    say(f"    {', '.join(names[:12])}{' …' if len(names) > 12 else ''}, or any provider/model-id")
    model = _choice("Which model does `llmr chat` ask?", _usual(catalog, machine), list(catalog.names), free="/")
    return Wishes(strategy, model, _amount("The most to spend in a day, in dollars? Enter: no limit"))


def _answerable(catalog: Catalog, machine: Machine) -> list[str]:
    """Names that somebody found on this machine could answer for; all of them where nobody was found."""
    ready = {provider.name for provider in machine.keyed} | {answer.provider.name for answer in machine.servers}
    some = [n for n, named in catalog.names.items() if any(key.partition("/")[0] in ready for key in named.candidates)]
    return some or list(catalog.names)


def _usual(catalog: Catalog, machine: Machine) -> str:
    """The shipped default where it has a provider; else the first model of a local server."""
    default = catalog.default_model or "everyday"
    if machine.servers and not machine.keyed and machine.servers[0].models:
        return f"{machine.servers[0].provider.name}/{machine.servers[0].models[0]}"
    return default


def _line(question: str) -> str:
    """What was typed. Raises UsageError at the end of input."""
    sys.stderr.write(question)
    sys.stderr.flush()
    typed = sys.stdin.readline()
    if not typed:
        raise UsageError("nothing was written")
    return typed.strip()


def _yes(question: str) -> bool:
    return _line(f"{question} [y/N] ").lower() in {"y", "yes"}


def _choice(question: str, default: str, known: Sequence[str], *, free: str | None = None) -> str:
    """One of `known`, or with `free` in it anything; asked again until it is."""
    while True:
        typed = _line(f"{question} [{default}] ") or default
        if typed in known or typed == default or (free is not None and free in typed and typed.isprintable()):
            return typed
        say(f"    unknown: {plain(typed)}{suggestion(typed, known)}")


def _amount(question: str) -> float | None:
    while True:
        typed = _line(f"{question} ").removeprefix("$")
        if not typed:
            return None
        try:
            value = float(typed)
        except ValueError:
            value = 0.0
        if 0 < value <= 1e6:
            return value
        say(f"    {plain(typed)} is no amount above 0")


def file_text(wishes: Wishes, machine: Machine) -> str:
    """The whole file, commented."""
    lines = [
        "# Your routing.toml, laid over llmr's own, key by key: it holds only what you want otherwise.",
        "# All that can be said stands, commented out, in llmr's own: llmr config path. Check: llmr config check.",
        "",
        f"strategy = {_quoted(wishes.strategy)} # {' | '.join(strategy.value for strategy in Strategy)}",
        f"default_model = {_quoted(wishes.default_model)} # what `llmr chat` asks without --model",
        "second_is_worth_usd = 0.002 # what a second of waiting is worth to you; weighs speed against price",
        "",
        *_spend_lines(wishes.day_usd),
        "",
        *_provider_lines(machine),
        "# A name to ask for, and who may answer for it, in your order: llmr chat -m work",
        "# [models.work]",
        '# candidates = ["openai/gpt-4o", "anthropic/claude-sonnet-5"]',
        '# fallback = ["everyday"] # another model, only because you say so',
        "",
        "# Rules replace llmr's own two once you write one: llmr config show rules --all",
        "# [[rules]]",
        '# name = "private stays at home"',
        '# when = { tags = ["private"] } # llmr chat --tag private …',
        '# only = ["ollama/*"]',
    ]
    return "\n".join(lines) + "\n"


def _spend_lines(day_usd: float | None) -> list[str]:
    if day_usd is None:
        return ["# [budget]", "# per_day_usd = 5.0 # nobody is asked beyond it"]
    return ["[budget]", f"per_day_usd = {day_usd:g} # nobody is asked beyond it"]


def _provider_lines(machine: Machine) -> list[str]:
    lines = ["# Providers found on this machine. They need no table to be used; say here only what differs."]
    for provider in machine.keyed:
        lines += [
            f"# [providers.{provider.name}] # {_source(provider)}",
            "# rate_limit = { requests_per_minute = 500, concurrent = 8 }",
        ]
    for answer in machine.servers:
        models = ", ".join(_quoted(model) for model in answer.models[:8] if model.isprintable())
        lines += [f"[providers.{answer.provider.name}]", f"models = [{models}]"] if models else []
    return [*lines, ""]


def _quoted(text: str) -> str:
    import json

    return json.dumps(text)
