"""`@FILE` in a prompt of the client: the words stay as they were typed, the file goes along below them, as `/attach` sends it.

On the shell's command line every `@word` is a file or an error, for the shell has told words apart from prose. Here a prompt
is prose, in which people, decorators and diffs begin with @: only what is there as a file is sent, and `@@FILE` is the
name `@FILE` of one that is there.
"""

import re
from pathlib import Path
from typing import Final

from llmr.chat import Part
from llmr.cli.prompt import file_named
from llmr.dataclass import dataclass

_WORD: Final = re.compile(r"(?<!\S)@(@?\S+)")


@dataclass(frozen=True, slots=True)
class Sent:
    """A file that goes along, by the name it was typed with."""

    name: str
    part: Part


def with_files(text: str) -> tuple[str, tuple[Sent, ...]]:
    """What is asked, and the files that it names, each once. Raises UsageError for one that cannot be sent."""
    names = dict.fromkeys(name for word in _WORD.findall(text) if (name := file_named(word)) is not None)
    return _WORD.sub(_unmarked, text), tuple(map(_sent, names))


def _unmarked(word: re.Match[str]) -> str:
    return word[1] if word[1].startswith("@") and file_named(word[1][1:]) is not None else word[0]


def _sent(name: str) -> Sent:
    from llmr.attachments import from_file

    return Sent(name, from_file(Path(name).expanduser()))
