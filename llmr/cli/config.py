"""`llmr config`: which files speak, and what may be said in them."""

import json

from llmr.cli.exit_codes import ExitCode
from llmr.cli.listing import configured
from llmr.cli.output import print_line
from llmr.config.environment import disable_pydantic_plugins


def run_path(config_file: str | None) -> int:
    """Print the files that speak. Raises LlmrError."""
    for source in configured(config_file).sources:
        print_line(str(source))
    return int(ExitCode.OK)


def run_schema() -> int:
    """Print the JSON Schema of routing.toml."""
    disable_pydantic_plugins()
    from llmr.config.json_schema import routing_schema

    print_line(json.dumps(routing_schema(), indent=2))
    return int(ExitCode.OK)
