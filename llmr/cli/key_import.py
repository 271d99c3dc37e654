"""`llmr keys import llm`: takes over what the `llm` tool has stored, so that moving costs one command.

llm keeps its keys in one JSON file, by names that its plugins chose; what each of them is here is a table. The file is read
as anything that holds secrets is, but its mode is only remarked on: it is llm's, and llm itself made it 0644 for years.
"""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, cast

from llmr.cli.exit_codes import ExitCode
from llmr.cli.keys import kept, variable_of
from llmr.cli.listing import configured
from llmr.cli.output import print_line
from llmr.cli.say import say
from llmr.config.credentials import stored_keys
from llmr.config.environment import Environment
from llmr.config.files import quoted, read_config
from llmr.config.key_sources import flaw_in
from llmr.config.wording import plain, show
from llmr.errors import ConfigError, UsageError

_OURS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "openai": "openai",
        "anthropic": "anthropic",
        "claude": "anthropic",  # llm-claude-3, until 2025
        "gemini": "google",
        "groq": "groq",
        "mistral": "mistral",
        "deepseek": "deepseek",
        "grok": "xai",
        "xai": "xai",
        "openrouter": "openrouter",
        "together": "together",
        "fireworks": "fireworks",
        "cerebras": "cerebras",
        "perplexity": "perplexity",
        "azure": "azure",
    }
)
"""llm's and its plugins' names for a key → our provider."""


def run_import(source: str, *, replace: bool, into_file: bool) -> int:
    """Store the keys of another tool. Raises LlmrError."""
    if source != "llm":
        raise UsageError(f"keys can be imported from llm, not from {source!r}")
    environment = Environment.from_process()
    path = _file_of_llm(environment)
    theirs = _read(path, environment)
    providers = configured(None).catalog.providers
    stored = set(stored_keys(environment))
    taken, unknown = 0, [name for name in theirs if name not in _OURS or _OURS[name] not in providers]
    for name, value in theirs.items():
        if name in unknown:
            continue
        variable = variable_of(providers[_OURS[name]])
        flaw = flaw_in(f"llm's key {show(name)}", value)
        if flaw is not None:
            say(f"llmr: {flaw}; left out")
        elif variable in stored and not replace:
            print_line(f"{variable} is stored already; --replace takes llm's {plain(name)} instead")
        else:
            print_line(kept(variable, value, environment, into_file=into_file))
            stored.add(variable)
            taken += 1
    if unknown:
        say(f"llmr: no provider here for llm's {', '.join(map(plain, unknown))}; left out")
    print_line(f"{taken} of {len(theirs)} keys were taken over from {plain(str(path))}, which stays as it is")
    return int(ExitCode.OK)


def _file_of_llm(environment: Environment) -> Path:
    """Where llm keeps its keys: LLM_USER_PATH, else what click.get_app_dir says."""
    said = environment.variable("LLM_USER_PATH")
    if said and said.startswith("/"):
        return Path(said) / "keys.json"
    if environment.home is None:
        raise ConfigError("there is no home directory to look for llm's keys in; LLM_USER_PATH may name theirs")
    if sys.platform == "darwin":
        return environment.home / "Library/Application Support/io.datasette.llm/keys.json"
    xdg = environment.variable("XDG_CONFIG_HOME") or ""
    base = Path(xdg) if xdg.startswith("/") else environment.home / ".config"
    return base / "io.datasette.llm/keys.json"


def _read(path: Path, environment: Environment) -> dict[str, str]:
    """llm's keys by name. Raises ConfigError."""
    label = plain(str(path))
    content = read_config(path, label, follow_links=True, owner=environment.uid)
    if content is None:
        raise ConfigError(f"{label}: no such file; llm has stored no keys here")
    try:
        document: Any = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{label}: is not valid JSON") from error
    if not isinstance(document, dict):
        raise ConfigError(f"{label}: is no list of keys")
    if path.stat().st_mode & 0o077:
        say(f"llmr: others can read llm's keys; run: chmod 600 {quoted(path)}")
    table = cast("dict[str, Any]", document)
    return {
        name: value.strip() for name, value in table.items() if isinstance(value, str) and not name.startswith("//")
    }
