"""`--env-file FILE`: keys, and a few settings, from a file that the user names; never from one that merely lies there.

A `.env` in the working directory is somebody else's until its name is said (trust.md T11, B37; CVE-2025-61260), and even then
it is only a list of values: a name counts if it is a key's (`…_API_KEY`) or an `LLMR_` setting that a project's file may
make too (project.py, OPEN). It cannot name a configuration, a proxy, an authority, an editor, or where a key goes. The
process's own variables outrank it, and no child of ours inherits it.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

from llmr.config.environment import PREFIX, disable_pydantic_plugins
from llmr.config.files import read_config
from llmr.config.wording import plain
from llmr.dataclass import dataclass
from llmr.errors import ConfigError

_ENTRY: Final = re.compile(
    r"[ \t]*(?:export[ \t]+)?([A-Za-z_][A-Za-z0-9_]*)[ \t]*=[ \t]*"
    r"""(?:"([^"\\]*)"|'([^']*)'|([^\s"'#$`\\][^\s"'$`\\]*)?)[ \t]*(?:[ \t]#.*|#.*)?"""
)
_NOTHING: Final = re.compile(r"[ \t]*(?:#.*)?")
_KEY_NAME: Final = re.compile(r"[A-Z][A-Z0-9_]*_API_KEY")
_USERS_OWN: Final = frozenset({"rules", "budget"})  # a project's come behind the user's; a variable's would come before
_NAMED: Final = 6  # more names than that are no help on one line


@dataclass(frozen=True, slots=True)
class EnvFile:
    """What a file says that counts, and the notice about what does not; None: all of it counts."""

    variables: Mapping[str, str]
    notice: str | None


def read_env_file(path: Path) -> EnvFile:
    """Raises ConfigError for a file that is not there, no file, or no list of variables; it repeats no value."""
    label = plain(str(path))
    content = read_config(path, label, follow_links=True, owner=None)
    if content is None:
        raise ConfigError(f"{label}: no such file")
    said = dict(_entries(content, label))
    taken = {name: value for name, value in said.items() if _counts(name)}
    left = sorted(name for name in said if name not in taken)
    notice = None
    if left:
        more = f" and {len(left) - _NAMED} more" if len(left) > _NAMED else ""
        names = ", ".join(left[:_NAMED]) + more
        notice = (
            f"{label}: ignored: {names}: only …_API_KEY and LLMR_ settings that a project may make are taken from it"
        )
    return EnvFile(MappingProxyType(taken), notice)


def _entries(content: bytes, label: str) -> Iterator[tuple[str, str]]:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{label}: is not UTF-8 text") from error
    for number, line in enumerate(text.splitlines(), 1):
        entry = _ENTRY.fullmatch(line)
        if entry is not None:
            yield entry[1], next((value for value in (entry[2], entry[3], entry[4]) if value is not None), "")
        elif not _NOTHING.fullmatch(line):
            name = re.match(r"[ \t]*(?:export[ \t]+)?([A-Za-z_][A-Za-z0-9_]*)[ \t]*=", line)
            what = f"{name[1]}: " if name is not None else ""
            raise ConfigError(
                f"{label}:{number}: {what}expected a line such as OPENAI_API_KEY=…; nothing in it is expanded"
            )


def _counts(name: str) -> bool:
    if _KEY_NAME.fullmatch(name) and not name.startswith(PREFIX):
        return True
    if not name.startswith(PREFIX):
        return False
    disable_pydantic_plugins()
    from llmr.config.project import ANY, OPEN  # imports pydantic, for whoever names a setting in such a file

    path = tuple(name.removeprefix(PREFIX).lower().split("__"))
    return path[0] not in _USERS_OWN and any(
        len(path) == len(pattern) and all(want in {ANY, step} for step, want in zip(path, pattern, strict=True))
        for pattern in OPEN
        if pattern[-1] not in _USERS_OWN
    )
