"""The names that a shell completes, a line each, where a shell can read them without starting Python.

`~/.cache/llmr/names/providers` and `…/models`: names to ask for, and every known `provider/model-id`. They are written when
the settings changed, with the snapshot, so a normal run pays nothing; they are as old as the last change. A name that is not
plain is left out, for what completes it is a shell: one of your files' names must not become one of its commands.
"""

import re
from collections.abc import Iterable, Sequence
from typing import Any, Final

from llmr.config.environment import Environment
from llmr.config.model_files import known_models
from llmr.config.private import replace_private

DIRECTORY: Final = "names"
CONVERSATIONS: Final = "conversations"
REQUESTS: Final = "requests"
_MOST_IDS: Final = 50
_PLAIN: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/:@+-]{0,127}")


def write_names(environment: Environment, normal: dict[str, Any]) -> None:
    """Keep the names of these settings for the shells, if that is possible."""
    if environment.cache_dir is None:
        return
    providers = [name for name, row in normal["providers"].items() if row["off"] is None]
    listed = [f"{name}/{model}" for name in providers for model in normal["providers"][name]["models"]]
    asked = [key for named in normal["names"].values() for key in named["candidates"]]
    known = [key for key in known_models(environment) if key.partition("/")[0] in providers]
    try:
        _write(environment, "providers", providers)
        _write(environment, "models", (*normal["names"], *listed, *asked, *known))
    except OSError:
        return  # a read-only or full cache costs a completion and nothing else


def add_ids(environment: Environment, *, conversations: Sequence[str] = (), requests: Sequence[str] = ()) -> None:
    """Put ids before those that the shells know, if that is possible."""
    if environment.cache_dir is None:
        return
    for name, ids in ((CONVERSATIONS, conversations), (REQUESTS, requests)):
        path = environment.cache_dir / DIRECTORY / name
        try:
            known = path.read_text("utf-8", "replace").splitlines() if path.exists() else []
            newest = [word for word in dict.fromkeys((*ids, *known)) if _PLAIN.fullmatch(word)][:_MOST_IDS]
            if ids:
                replace_private(path, "".join(f"{word}\n" for word in newest).encode(), durable=False)
        except OSError:
            return


def forget_ids(environment: Environment) -> None:
    """Take all ids from the shells. Raises OSError."""
    for name in (CONVERSATIONS, REQUESTS):
        if environment.cache_dir is not None:
            (environment.cache_dir / DIRECTORY / name).unlink(missing_ok=True)


def _write(environment: Environment, name: str, lines: Iterable[str]) -> None:
    assert environment.cache_dir is not None  # noqa: S101 - asked above
    plain = sorted({line for line in lines if _PLAIN.fullmatch(line)})
    replace_private(
        environment.cache_dir / DIRECTORY / name, "".join(f"{line}\n" for line in plain).encode(), durable=False
    )
