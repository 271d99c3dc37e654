"""What the commands that list things have in common: settings in, notices out."""

from collections.abc import Iterator
from pathlib import Path

from llmr.app import App
from llmr.chat import ChatRequest
from llmr.cli.say import say
from llmr.config.build import Config
from llmr.config.environment import Environment
from llmr.config.load import load
from llmr.routing.rules import mentions


def configured(config_file: str | None) -> Config:
    """The configuration; its notices are told on stderr. Raises ConfigError, TrustError."""
    config = load(Environment.from_process(), config_file=Path(config_file) if config_file else None)
    for notice in config.notices:
        say(f"llmr: {notice}")
    return config


def unknown_tags(request: ChatRequest, config: Config) -> Iterator[str]:
    """A tag is asked for because a rule should act on it: a typo must not pass for protection."""
    set_by_rules = {tag for rule in config.rules for tag in rule.tags}
    for tag in request.tags:
        if tag not in set_by_rules and not any(mentions(rule.when, tag) for rule in config.rules):
            yield f"no rule mentions the tag {tag!r}: it changes nothing"


def told(app: App) -> None:
    """Tell what the state store has to say."""
    for notice in app.registry.notices:
        say(f"llmr: {notice}", app.redact)
