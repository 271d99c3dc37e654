"""A person who vouches for a project's file without a look at it."""

from pathlib import Path

from llmr.config.environment import Environment
from llmr.config.trust import offered
from llmr.config.trusted import Trusted


def trust(path: Path | None, environment: Environment) -> Trusted:
    return offered(path, environment).accepted(environment)
