"""`llmr config`: which files speak, whether they are right, which project's file you vouch for, what may be said."""

import json
from dataclasses import replace
from pathlib import Path

from llmr.cli.exit_codes import ExitCode
from llmr.cli.listing import configured
from llmr.cli.output import print_line
from llmr.cli.say import say
from llmr.config.environment import Environment, disable_pydantic_plugins
from llmr.config.load import load
from llmr.config.trust import trust
from llmr.errors import ConfigError


def run_path(config_file: str | None) -> int:
    """Print the files that speak. Raises LlmrError."""
    for source in configured(config_file).sources:
        print_line(str(source))
    return int(ExitCode.OK)


def run_check(config_file: str | None) -> int:
    """Read everything, with notices as errors, and tell all that is wrong. Raises ConfigError, TrustError."""
    file = Path(config_file) if config_file else None
    try:
        config = load(Environment.from_process(), config_file=file, strict=True)
    except ConfigError as error:
        for message in error.every or (str(error),):
            say(f"llmr: {message}")
        return int(ExitCode.NOT_CONFIGURED)
    on = sum(provider.off_reason is None for provider in config.catalog.providers.values())
    print_line(f"ok: {', '.join(map(str, config.sources)) or 'no file'}")
    print_line(f"{on} of {len(config.catalog.providers)} providers are on, {len(config.rules)} rules")
    return int(ExitCode.OK)


def run_trust(file: str | None) -> int:
    """Vouch for a project's file, as it is now. Raises TrustError, ConfigError."""
    environment = Environment.from_process()
    trusted = trust(Path(file) if file else None, environment)
    print_line(f"trusted {trusted.path} as it is now; any change of it ends that")
    try:
        load(replace(environment, cwd=trusted.path.parent))
    except ConfigError as error:  # it is trusted, and still no consent to send a key to a place of its choice
        for message in error.every or (str(error),):
            say(f"llmr: it cannot be used yet: {message}")
    return int(ExitCode.OK)


def run_schema() -> int:
    """Print the JSON Schema of routing.toml."""
    disable_pydantic_plugins()
    from llmr.config.json_schema import routing_schema

    print_line(json.dumps(routing_schema(), indent=2))
    return int(ExitCode.OK)
