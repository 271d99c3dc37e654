"""Which variables hold keys, whatever they are called: those that the configuration names (trust.md T29).

A pager, an editor or tmux is given none of them. It is asked before the configuration is settled, and where it cannot be: a
broken file in `llmr config edit`, `llmr help`. So nothing is parsed here. What looks like an `api_key_env = …` or an
`{ env = … }` counts, in a file that speaks or a variable that means one; a name too many costs an editor one variable.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from llmr.config.environment import Environment
from llmr.config.search import find
from llmr.errors import ConfigError

_SAID: Final = re.compile(rb"""\b(?:api_key_)?env["']?\s*=\s*(\[[^\]]*\]|"[^"\n]*"|'[^'\n]*')""")
_NAME: Final = re.compile(rb"[A-Za-z_][A-Za-z0-9_]*")
_VARIABLE_ENDING: Final = "__API_KEY_ENV"


def named_keys(environment: Environment, config_file: str | None) -> frozenset[str]:
    """The variables that the files and variables in force name as holding keys; of a file that nothing obeys, none."""
    try:
        contents = [file.content for file in find(environment, Path(config_file) if config_file else None).files]
    except ConfigError:
        contents = []
    return frozenset(name.decode() for name in _names(contents, environment))


def _names(contents: list[bytes], environment: Environment) -> Iterator[bytes]:
    for content in contents:
        for said in _SAID.finditer(content):
            yield from _NAME.findall(said[1])
    for variable, value in environment.settings.items():
        if variable.endswith(_VARIABLE_ENDING):
            yield from _NAME.findall(value.encode("utf-8", "replace"))
