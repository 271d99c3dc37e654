"""Settings that were validated before, kept on disk, so that a normal run imports neither pydantic nor tomllib.

A snapshot's name is a hash of everything it was made of: the exact bytes of the files and what each may say, the `LLMR_*`
variables, llmr's version, the code of this package and the stamp of the table of models. Another byte is another name, so
nothing is ever stale. It holds no key: it names the variables, and build.py reads those on every run. 0600, in the user's
cache; a broken one is ignored, and writing one is never worth an error.
"""

import json
import os
from pathlib import Path
from typing import Any, Final

from llmr import __version__
from llmr.config.environment import Environment
from llmr.config.files import read_private
from llmr.config.model_files import stamp
from llmr.config.private import replace_private
from llmr.config.search import Found
from llmr.config.trusted import sha256_of
from llmr.errors import ConfigError

_DIRECTORY: Final = "config"
_KEPT: Final = 32  # one per project and set of variables; the oldest go
_CODE: Final = Path(__file__).parent


def snapshot_key(found: Found, environment: Environment) -> str:
    """The hash of all that the settings are made of, in hex."""
    parts: list[str | bytes] = [__version__, _code_stamp(), stamp(environment)]
    for file in found.files:
        parts += [file.scope.value, str(file.path), file.label, str(file.trusted), file.content]
    for name, value in sorted(environment.settings.items()):
        parts += [name, value]
    encoded = [part if isinstance(part, bytes) else part.encode("utf-8", "surrogateescape") for part in parts]
    return sha256_of(b"".join(len(part).to_bytes(8, "big") + part for part in encoded))


def read_snapshot(environment: Environment, key: str) -> dict[str, Any] | None:
    """The normal form that was kept under `key`, None where there is none, or none that is whole and private."""
    path = _path(environment, key)
    if path is None:
        return None
    try:
        content = read_private(path, "snapshot", owner=environment.uid)
        checksum, _, payload = (content or b"").partition(b"\n")
        if not payload or checksum.decode("ascii", "replace") != sha256_of(key.encode() + payload):
            return None
        normal = json.loads(payload)
    except (ConfigError, ValueError, RecursionError):
        return None
    return normal if isinstance(normal, dict) else None  # pyright: ignore[reportUnknownVariableType] - JSON


def write_snapshot(environment: Environment, key: str, normal: dict[str, Any]) -> None:
    """Keep the normal form under `key`, if that is possible."""
    path = _path(environment, key)
    if path is None:
        return
    payload = json.dumps(normal, separators=(",", ":")).encode()
    try:
        replace_private(path, sha256_of(key.encode() + payload).encode() + b"\n" + payload, durable=False)
        _forget_oldest(path.parent)
    except OSError:
        return  # a read-only or full cache costs the next run its time and nothing else


def _path(environment: Environment, key: str) -> Path | None:
    return environment.cache_dir / _DIRECTORY / f"{key[:32]}.json" if environment.cache_dir is not None else None


def _forget_oldest(directory: Path) -> None:
    files = [(entry.stat(follow_symlinks=False).st_mtime_ns, entry.path) for entry in os.scandir(directory)]
    for _, path in sorted(files, reverse=True)[_KEPT:]:
        Path(path).unlink(missing_ok=True)


def _code_stamp() -> str:
    """Sizes and times of this package's files: while llmr itself is being written, its version stands still."""
    try:
        entries = sorted((entry.name, entry.stat()) for entry in os.scandir(_CODE) if entry.name.endswith(".py"))
    except OSError:
        return ""
    return ",".join(f"{name}:{found.st_size}:{found.st_mtime_ns}" for name, found in entries)
