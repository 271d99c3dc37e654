"""The list of project files that the user stands for (trust.md C4).

What is stored is a file's real path and the hash of its content, in the user's state directory: another content is another
file, and nothing inside a file can add to the list. A list that others could have written counts as empty.
"""

import json
import os
from pathlib import Path
from typing import Any, Final

from llmr.config.environment import Environment
from llmr.config.files import read_config
from llmr.config.private import replace_private
from llmr.config.wording import plain
from llmr.dataclass import dataclass
from llmr.errors import ConfigError, StateError

_STORE: Final = "trusted.json"
_MOST: Final = 1000  # the oldest are forgotten


@dataclass(frozen=True, slots=True)
class Trusted:
    """A file the user stands for, as long as its content hashes to `sha256`."""

    path: Path
    sha256: str


def is_trusted(path: Path, content: bytes, environment: Environment) -> bool:
    """Whether the user stands for this very content at this path."""
    return Trusted(real_path(path), sha256_of(content)) in _remembered(environment)


def remember(entry: Trusted, environment: Environment) -> None:
    """Add to the list; an older content of the same file leaves it. Raises StateError."""
    store = trusted_file(environment)
    if store is None:
        raise StateError("there is nowhere to remember it: HOME is not set")
    entries = [*(other for other in _remembered(environment) if other.path != entry.path), entry][-_MOST:]
    rows = [{"path": str(trusted.path), "sha256": trusted.sha256} for trusted in entries]
    try:
        replace_private(store, json.dumps({"trusted": rows}, indent=1).encode())
    except OSError as error:
        reason = (error.strerror or "unknown error").lower()
        raise StateError(f"{plain(str(store))}: cannot be written: {reason}") from error


def sha256_of(content: bytes) -> str:
    """The content's SHA-256 in hex."""
    from hashlib import sha256  # 10 ms with OpenSSL; the HTTP client needs it anyway, `--version` does not

    return sha256(content).hexdigest()


def trusted_file(environment: Environment) -> Path | None:
    """Where the list is; None: nowhere."""
    return environment.state_dir / _STORE if environment.state_dir is not None else None


def real_path(path: Path) -> Path:
    """The path without links."""
    return Path(os.path.realpath(path))


def _remembered(environment: Environment) -> list[Trusted]:
    store = trusted_file(environment)
    if store is None:
        return []
    try:
        content = read_config(store, plain(str(store)), follow_links=False, owner=environment.uid)
        rows: Any = json.loads(content)["trusted"] if content is not None else []
        return [Trusted(Path(row["path"]), str(row["sha256"])) for row in rows]
    except (ConfigError, ValueError, KeyError, TypeError, RecursionError):
        return []  # distrust is the safe reading of a list that cannot be read
