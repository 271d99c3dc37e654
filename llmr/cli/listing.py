"""What the commands that list things have in common: settings in, notices out, ages and shares for people."""

from collections.abc import Iterator
from pathlib import Path

from llmr.app import App
from llmr.chat import ChatRequest
from llmr.cli.say import say
from llmr.config.build import Config
from llmr.config.environment import Environment
from llmr.config.load import load
from llmr.render.figures import milliseconds
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


def shown_seconds(seconds: float | None) -> str:
    """A duration, or a dash."""
    return "–" if seconds is None else milliseconds(seconds)


def shown_share(share: float | None) -> str:
    """A share in per cent, or a dash."""
    return "–" if share is None else f"{share:.0%}"


def shown_age(seconds: float) -> str:
    """How long ago, in one unit."""
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit} ago"
    return f"{max(0.0, seconds):.0f} s ago"
